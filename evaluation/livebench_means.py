"""LiveBench's means: a category is the mean of its tasks, the overall score the mean of the six categories."""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fusechat.errors import BadInput

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
    """(means by category, overall) of task scores; BadInput names the tasks that are missing or not numbers."""
    gaps = [
        task
        for members in categories.values()
        for task in members
        if task not in tasks or math.isnan(tasks[task])
    ]
    if gaps:
        raise BadInput(
            f"no score of the task {', '.join(gaps)}; a mean needs all {sum(map(len, categories.values()))}"
        )
    means = {name: statistics.fmean(tasks[task] for task in members) for name, members in categories.items()}
    return means, statistics.fmean(means.values())


def table_means(
    rows: Iterable[Mapping[str, Any]], categories: Mapping[str, Sequence[str]] = CATEGORIES
) -> dict[str, tuple[dict[str, float], float] | None]:
    """(means by category, overall) of each model of a published table (table_2024_08_31.csv): model, then a column a task.

    None for a model with an empty cell. The later of two rows of one model counts.
    """
    means = {}
    for row in rows:
        cells = {task: str(row.get(task) or "nan") for members in categories.values() for task in members}
        try:
            tasks = {task: float(cell) for task, cell in cells.items()}
        except ValueError as error:
            raise BadInput(f"model {row.get('model')}: a task's score is no number: {error}") from None
        whole = not any(map(math.isnan, tasks.values()))
        means[str(row["model"])] = category_means(tasks, categories) if whole else None
    return means


def judgment_means(
    judgments: Iterable[Mapping[str, Any]], categories: Mapping[str, Sequence[str]] = CATEGORIES
) -> dict[str, tuple[dict[str, float], float]]:
    """(means by category, overall) in percent of each model of published judgments: question_id, model, task, score.

    The published set has rows twice: the later one of a model's question counts.
    """
    rows = {(row["model"], row["question_id"]): row for row in judgments}
    scores: dict[str, dict[str, list[float]]] = {}
    for (model, _), row in rows.items():
        scores.setdefault(model, {}).setdefault(row["task"], []).append(float(row["score"]))
    return {
        model: category_means(
            {task: 100 * statistics.fmean(some) for task, some in tasks.items()}, categories
        )
        for model, tasks in scores.items()
    }
