"""MMLU, all 14,042 questions of 57 subjects (cais/mmlu, config all, split test), asked and scored as MMLU-Pro.

The report's authors published this run under their row MMLU-redux; their figures there are those of `mmlu_redux`.
"""

from evaluation.benchmark import Generating, Item
from evaluation.dataset_files import Sources
from evaluation.downloads import HubFiles
from evaluation.multiple_choice import (
    INSTRUCTION_FILES,
    choice_item,
    closing_instruction,
    greedy_choice,
    score_choices,
)  # fmt: skip

TITLE = "MMLU"
SCALE = 100.0
REPOSITORY = "cais/mmlu"
QUESTIONS = 14_042
DOWNLOADS = (HubFiles(REPOSITORY, ("all/test-*",)), INSTRUCTION_FILES)

score = score_choices


def load(sources: Sources) -> list[Item]:
    """Questions in the data's order."""
    columns = ("question", "subject", "choices", "answer")
    rows = sources.rows(REPOSITORY, config="all", split="test", columns=columns)
    if len(rows) != QUESTIONS:
        print(f"note: mmlu: {len(rows)} questions; the published set has {QUESTIONS:,}", flush=True)
    closing = closing_instruction(sources)
    return [
        choice_item(
            closing, f"mmlu-{index}", row["question"], [str(choice) for choice in row["choices"]], int(row["answer"]),
            subject=row["subject"],
        )
        for index, row in enumerate(rows)
    ]  # fmt: skip


def generating(item: Item, family: str) -> Generating:
    """Greedy."""
    return greedy_choice(family)
