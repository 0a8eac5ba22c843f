"""LiveBench's means: a category is the mean of its tasks, the overall score the mean of the six categories."""

import statistics
from collections.abc import Mapping, Sequence

# Release 2024-08-31: 18 tasks.
CATEGORIES: dict[str, tuple[str, ...]] = {
    "reasoning": ("web_of_lies_v2", "zebra_puzzle", "spatial"),
    "coding": ("LCB_generation", "coding_completion"),
    "math": ("AMPS_Hard", "math_comp", "olympiad"),
    "data_analysis": ("cta", "tablejoin", "tablereformat"),
    "language": ("connections", "plot_unscrambling", "typos"),
    "instruction_following": ("paraphrase", "simplify", "story_generation", "summarize"),
}


def category_means(
    tasks: Mapping[str, float], categories: Mapping[str, Sequence[str]] = CATEGORIES
) -> tuple[dict[str, float], float]:
    """(means by category, overall) of task scores; KeyError names a task that is missing."""
    means = {name: statistics.fmean(tasks[task] for task in members) for name, members in categories.items()}
    return means, statistics.fmean(means.values())
