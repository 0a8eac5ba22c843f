"""MMLU-Pro, 12,032 questions of 14 subjects with up to ten options (TIGER-Lab/MMLU-Pro, split test).

Score: share of right letters over all questions; also by subject. Zero-shot, so not the public board's 5-shot figure.
"""

from evaluation.benchmark import Generating, Item
from evaluation.dataset_files import Sources
from evaluation.multiple_choice import choice_item, greedy_choice, score_choices, without_not_available

TITLE = "MMLU-Pro"
SCALE = 100.0

score = score_choices


def load(sources: Sources) -> list[Item]:
    """Questions in the data's order."""
    columns = ("question_id", "question", "options", "answer_index", "category")
    rows = sources.rows("TIGER-Lab/MMLU-Pro", split="test", columns=columns)
    return [
        choice_item(
            f"mmlu_pro-{row['question_id']}", row["question"], without_not_available(row["options"]),
            int(row["answer_index"]), subject=row["category"],
        )
        for row in rows
    ]  # fmt: skip


def generating(item: Item, family: str) -> Generating:
    """Greedy; a long prompt leaves less room for the answer."""
    return greedy_choice()
