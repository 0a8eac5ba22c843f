"""MATH, 5,000 competition problems (EleutherAI/hendrycks_math, seven configs, split test).

Gold answer: the last box of the solution. Score: share of right answers; also by level and by type.
"""

from evaluation.benchmark import Generating, Item
from evaluation.dataset_files import Sources
from evaluation.downloads import HubFiles
from evaluation.maths_protocol import INSTRUCTION_FILES, greedy_maths, instruction, maths_item, score_maths
from fusechat.errors import BadInput
from fusechat.math_answers.extraction import last_boxed

TITLE = "MATH"
SCALE = 100.0
REPOSITORY = "EleutherAI/hendrycks_math"
DOWNLOADS = (HubFiles(REPOSITORY, ("*/test-*",)), INSTRUCTION_FILES)
SUBJECTS = (
    "algebra", "counting_and_probability", "geometry", "intermediate_algebra", "number_theory", "prealgebra",
    "precalculus",
)  # fmt: skip

score = score_maths


def load(sources: Sources) -> list[Item]:
    """All subjects, in the order above."""
    items = []
    sentence = instruction(sources)
    for subject in SUBJECTS:
        columns = ("problem", "solution", "level", "type")
        for index, row in enumerate(sources.rows(REPOSITORY, config=subject, split="test", columns=columns)):
            gold = last_boxed(row["solution"])
            if not gold:
                raise BadInput(f"{REPOSITORY}: {subject} row {index}: its solution holds no boxed answer")
            items.append(
                maths_item(
                    sentence,
                    f"math-{subject}-{index}",
                    row["problem"],
                    gold,
                    level=row["level"],
                    type=row["type"],
                )
            )
    return items


def generating(item: Item, family: str) -> Generating:
    """Greedy, 2048 tokens."""
    return greedy_maths()
