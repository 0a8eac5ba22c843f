"""The eight datasets of the report: which columns are read, of which type, and where they come from.

Columns are those of the Hub's files as of November 2024, when the report appeared. A file that lacks one,
or has it under another type, is refused by name rather than misread.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from fusechat.errors import BadInput
from fusechat.records import Domain

LAYOUT_DATE = "November 2024"
Kind = Literal["text", "whole number"]


@dataclass(frozen=True)
class Layout:
    """What is read of one dataset."""

    dataset: str
    domain: Domain
    columns: Mapping[str, Kind]
    licence: str
    local_files: str
    optional: Mapping[str, Kind] = field(default_factory=dict)
    response_column: str | None = None

    @property
    def all_columns(self) -> dict[str, Kind]:
        """Required and optional columns, in the order in which rows carry them."""
        return {**self.columns, **self.optional}

    @property
    def page(self) -> str:
        """Where its licence is read and, if need be, agreed to."""
        return f"https://huggingface.co/datasets/{self.dataset}"

    @property
    def expected(self) -> str:
        """One phrase for error messages."""
        return f"expected is the layout of {LAYOUT_DATE}, with the columns {', '.join(self.columns)}"


ULTRAFEEDBACK = "openbmb/UltraFeedback"
MAGPIE_PRO_DPO = "Magpie-Align/Magpie-Pro-DPO-100K-v0.1"
HELPSTEER2 = "nvidia/HelpSteer2"
OPENMATHINSTRUCT2 = "nvidia/OpenMathInstruct-2"
LEETCODE = "greengerong/leetcode"
SELF_OSS = "bigcode/self-oss-instruct-sc2-exec-filter-50k"
ALPACA_ZH = "llamafactory/alpaca_gpt4_zh"
MAGPIE_ZH = "Magpie-Align/Magpie-Qwen2-Pro-200K-Chinese"

# In the order of the report's table.
LAYOUTS: tuple[Layout, ...] = (
    Layout(
        ULTRAFEEDBACK,
        "instruction",
        {"instruction": "text"},
        licence="MIT",
        local_files="*.jsonl (evol_instruct.jsonl, flan.jsonl, …)",
        optional={"source": "text"},
    ),
    Layout(
        MAGPIE_PRO_DPO,
        "instruction",
        {"instruction": "text", "task_category": "text", "input_quality": "text"},
        licence="Llama 3 community licence",
        local_files="data/train-*.parquet",
        optional={"difficulty": "text"},
    ),
    Layout(
        HELPSTEER2,
        "instruction",
        {"prompt": "text"},
        licence="CC-BY-4.0",
        local_files="train.jsonl.gz",
    ),
    Layout(
        OPENMATHINSTRUCT2,
        "math",
        {
            "problem": "text",
            "generated_solution": "text",
            "expected_answer": "text",
            "problem_source": "text",
        },
        licence="CC-BY-4.0",
        local_files="data/train_1M-*.parquet",
        response_column="generated_solution",
    ),
    Layout(
        LEETCODE,
        "code",
        {"content": "text", "python": "text"},
        licence="MIT",
        local_files="leetcode-train.jsonl",
        optional={"id": "whole number", "slug": "text", "title": "text", "difficulty": "text"},
    ),
    Layout(
        SELF_OSS,
        "code",
        {"instruction": "text", "response": "text"},
        licence="ODC-BY",
        local_files="data/train-*.parquet",
        optional={"sha1": "text"},
    ),
    Layout(
        ALPACA_ZH,
        "chinese",
        {"instruction": "text", "input": "text"},
        licence="Apache-2.0 on its card; the GPT-4 answers behind it CC-BY-NC-4.0",
        local_files="alpaca_gpt4_data_zh.json",
    ),
    Layout(
        MAGPIE_ZH,
        "chinese",
        {"instruction": "text", "task_category": "text", "input_quality": "text"},
        licence="none on its card",
        local_files="data/train-*.parquet",
        optional={"difficulty": "text"},
    ),
)
BY_NAME = {layout.dataset: layout for layout in LAYOUTS}


def chosen_layouts(names: Sequence[str]) -> list[Layout]:
    """The datasets asked for, by Hub id or by the name behind its slash, always in the table's order."""
    short_names = {layout.dataset.rsplit("/", 1)[-1].lower(): layout.dataset for layout in LAYOUTS}
    full_names = {layout.dataset.lower(): layout.dataset for layout in LAYOUTS}
    chosen = set()
    for name in names:
        dataset = full_names.get(name.lower()) or short_names.get(name.lower())
        if dataset is None:
            raise BadInput(f"--datasets: {name!r} is unknown; known are: {', '.join(BY_NAME)}")
        chosen.add(dataset)
    return [layout for layout in LAYOUTS if layout.dataset in chosen]
