"""GSM8K, 1,319 school word problems (openai/gsm8k, config main, split test). Score: share of right answers."""

from evaluation.benchmark import Generating, Item
from evaluation.dataset_files import Sources
from evaluation.downloads import HubFiles
from evaluation.maths_protocol import INSTRUCTION_FILES, greedy_maths, instruction, maths_item, score_maths

TITLE = "GSM8K"
SCALE = 100.0
REPOSITORY = "openai/gsm8k"
DOWNLOADS = (HubFiles(REPOSITORY, ("main/test-*",)), INSTRUCTION_FILES)

score = score_maths


def load(sources: Sources) -> list[Item]:
    """The gold answer stands behind ####, with thousands separators."""
    rows = sources.rows(REPOSITORY, config="main", split="test", columns=("question", "answer"))
    sentence = instruction(sources)
    return [
        maths_item(
            sentence,
            f"gsm8k-{index}",
            row["question"],
            row["answer"].rpartition("####")[2].strip().replace(",", ""),
        )
        for index, row in enumerate(rows)
    ]


def generating(item: Item, family: str) -> Generating:
    """Greedy, 2048 tokens."""
    return greedy_maths()
