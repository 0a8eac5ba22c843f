"""The data set as the FuseChat-3.0 report's own table has it (README.md of SLIT-AI/FuseChat-3.0, first version).

The later README and arXiv 2503.04222 count 51,803 selected problems of OpenMathInstruct-2, 12,892 selected and
2,732 paired of self-oss-instruct, and 64,128 pairs in all; the SFT counts are the same.
"""

from typing import NamedTuple


class Reported(NamedTuple):
    """One row of the report's table."""

    dataset: str
    selected: int
    sft: int
    dpo: int
    category: str


GENERAL = "General & Instruction following"
CATEGORIES = {"instruction": GENERAL, "math": "Math", "code": "Coding", "chinese": "Chinese"}
REPORTED = (
    Reported("openbmb/UltraFeedback", 51_098, 20_439, 30_659, GENERAL),
    Reported("Magpie-Align/Magpie-Pro-DPO-100K-v0.1", 20_374, 8_149, 12_225, GENERAL),
    Reported("nvidia/HelpSteer2", 9_435, 3_774, 5_661, GENERAL),
    Reported("nvidia/OpenMathInstruct-2", 58_546, 40_188, 11_615, "Math"),
    Reported("greengerong/leetcode", 3_113, 1_877, 1_236, "Coding"),
    Reported("bigcode/self-oss-instruct-sc2-exec-filter-50k", 13_696, 10_160, 2_849, "Coding"),
    Reported("llamafactory/alpaca_gpt4_zh", 2_471, 2_471, 0, "Chinese"),
    Reported("Magpie-Align/Magpie-Qwen2-Pro-200K-Chinese", 7_481, 7_481, 0, "Chinese"),
)
# The report's "Total" under Selected is SFT + DPO; its Selected column adds up to 166,214.
REPORTED_TOTAL_ENTRIES, REPORTED_TOTAL_SFT, REPORTED_TOTAL_DPO = 158_784, 94_539, 64_245


def reported_row(dataset: str) -> Reported | None:
    """The report's row of a dataset, found by its full name or by the part behind the slash."""
    short = dataset.rsplit("/", 1)[-1].lower()
    return next((row for row in REPORTED if row.dataset.rsplit("/", 1)[-1].lower() == short), None)
