"""AMC 23, 40 problems of the AMC 12 of 2023 with integer answers (math-ai/amc23, split test).

Score: share of right answers; one problem is 2.5 points.
"""

from evaluation.benchmark import Generating, Item
from evaluation.dataset_files import Sources
from evaluation.downloads import HubFiles
from evaluation.maths_protocol import INSTRUCTION_FILES, greedy_maths, instruction, maths_item, score_maths

TITLE = "AMC 23"
SCALE = 100.0
REPOSITORY = "math-ai/amc23"
DOWNLOADS = (HubFiles(REPOSITORY, ("data/test-*", "test*")), INSTRUCTION_FILES)

score = score_maths


def load(sources: Sources) -> list[Item]:
    """Answers are stored as floats (27.0)."""
    rows = sources.rows(REPOSITORY, split="test", columns=("question", "answer"))
    sentence = instruction(sources)
    return [
        maths_item(sentence, f"amc23-{row.get('id', index)}", row["question"], whole_number(row["answer"]))
        for index, row in enumerate(rows)
    ]


def whole_number(answer: object) -> str:
    """27.0 -> 27."""
    text = str(answer)
    return text.removesuffix(".0")


def generating(item: Item, family: str) -> Generating:
    """Greedy, 2048 tokens."""
    return greedy_maths()
