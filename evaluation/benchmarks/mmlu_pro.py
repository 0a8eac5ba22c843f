"""MMLU-Pro, 12,032 questions of 14 subjects with up to ten options (TIGER-Lab/MMLU-Pro, split test).

Score: share of right letters over all questions; also by subject. Zero-shot, so not the public board's 5-shot figure.
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
    without_not_available,
)  # fmt: skip

TITLE = "MMLU-Pro"
SCALE = 100.0
REPOSITORY = "TIGER-Lab/MMLU-Pro"
DOWNLOADS = (HubFiles(REPOSITORY, ("data/test-*",)), INSTRUCTION_FILES)

score = score_choices


def load(sources: Sources) -> list[Item]:
    """Questions in the data's order."""
    columns = ("question_id", "question", "options", "answer_index", "category")
    rows = sources.rows(REPOSITORY, split="test", columns=columns)
    closing = closing_instruction(sources)
    return [
        choice_item(
            closing,
            f"mmlu_pro-{row['question_id']}", row["question"], without_not_available(row["options"]),
            int(row["answer_index"]), subject=row["category"],
        )
        for row in rows
    ]  # fmt: skip


def generating(item: Item, family: str) -> Generating:
    """Greedy; a long prompt leaves less room for the answer."""
    return greedy_choice(family)
