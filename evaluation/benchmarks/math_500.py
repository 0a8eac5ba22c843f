"""MATH-500, a published choice of 500 problems of MATH (HuggingFaceH4/MATH-500, split test): a quick look, not MATH.

Asked and scored as `math`; also by level and by subject.
"""

from evaluation.benchmark import Generating, Item
from evaluation.dataset_files import Sources
from evaluation.downloads import HubFiles
from evaluation.maths_protocol import INSTRUCTION_FILES, greedy_maths, instruction, maths_item, score_maths

TITLE = "MATH-500"
SCALE = 100.0
REPOSITORY = "HuggingFaceH4/MATH-500"
DOWNLOADS = (HubFiles(REPOSITORY, ("test*", "data/test*")), INSTRUCTION_FILES)

score = score_maths


def load(sources: Sources) -> list[Item]:
    """Problems in the data's order, with the answer that the data give."""
    columns = ("problem", "answer", "subject", "level", "unique_id")
    rows = sources.rows(REPOSITORY, split="test", columns=columns)
    sentence = instruction(sources)
    return [
        maths_item(
            sentence, f"math_500-{row['unique_id']}", row["problem"], str(row["answer"]),
            level=f"Level {row['level']}", type=row["subject"],
        )
        for row in rows
    ]  # fmt: skip


def generating(item: Item, family: str) -> Generating:
    """Greedy, 2048 tokens."""
    return greedy_maths()
