"""Scores that the FuseChat-3.0 report (arXiv 2503.04222) gives, to be shown beside one's own.

Percent, MT-Bench and AlignBench 0 to 10. `base` is the instruction-tuned target before fusion.
"""

from evaluation.benchmark import REPORT_ORDER

_COLUMNS = {
    "llama": {
        "base": (28.3, 28.1, 8.4, 4.6, 85.9, 50.7, 25.0, 27.6, 50.0, 67.2, 33.8, 69.5, 75.4, 12.3),
        "sft": (41.3, 38.7, 8.5, 6.3, 87.0, 54.7, 30.0, 30.2, 47.8, 68.4, 37.9, 69.5, 71.4, 12.6),
        "final": (65.4, 58.2, 9.0, 6.7, 88.0, 55.2, 37.5, 32.0, 49.2, 69.2, 34.9, 71.3, 72.0, 13.1),
    },
    "qwen": {"base": (33.2, 50.7, 8.4, 7.5, 91.7, 75.0, 52.5, 35.4, 54.1, 75.1, 34.9, 85.4, 80.2, 15.8)},
    "gemma": {"base": (51.1, 40.8, 8.5, 7.0, 88.5, 49.6, 20.0, 31.6, 50.5, 72.8, 39.4, 67.1, 75.1, 11.9)},
}


def report_columns(target: str) -> dict[str, dict[str, float]]:
    """`report base`, `report sft` ... of a target: score by benchmark."""
    return {
        f"report {stage}": dict(zip(REPORT_ORDER, scores, strict=True))
        for stage, scores in _COLUMNS[target].items()
    }


def report_average(scores: dict[str, float]) -> float:
    """The report's average row: the plain mean of the 14 numbers in their own scales."""
    return sum(scores[name] for name in REPORT_ORDER) / len(REPORT_ORDER)
