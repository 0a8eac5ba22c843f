"""Scores as pictures: bars with error bars, and a radar of all benchmarks that are complete."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def complete_rows(results: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The benchmarks that every model has a score on, as percent of their scale."""
    rows = []
    for entry in results["benchmarks"].values():
        ones = [entry["models"][model] for model in results["models"]]
        if all(one["score"] is not None for one in ones):
            factor = 100 / entry["scale"]
            rows.append(
                {
                    "title": entry["title"],
                    "scores": [factor * one["score"] for one in ones],
                    "errors": [factor * (one["standard_error"] or 0.0) for one in ones],
                }
            )
    return rows


def draw(results: Mapping[str, Any], folder: Path) -> list[Path]:
    """scores_bars.png, and scores_radar.png from three benchmarks on; nothing where none is complete."""
    rows = complete_rows(results)
    if not rows:
        return []
    import matplotlib

    matplotlib.use("Agg")
    paths = [draw_bars(rows, results["models"], folder / "scores_bars.png")]
    if len(rows) >= 3:
        paths.append(draw_radar(rows, results["models"], folder / "scores_radar.png"))
    return paths


def draw_bars(rows: list[dict[str, Any]], models: list[str], path: Path) -> Path:
    """One group of bars a benchmark, with standard errors."""
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(max(4.0, 1.1 * len(rows) + 1.5), 4.0))
    width = 0.8 / len(models)
    for index, model in enumerate(models):
        places = [position + (index - (len(models) - 1) / 2) * width for position in range(len(rows))]
        heights = [row["scores"][index] for row in rows]
        errors = [row["errors"][index] for row in rows]
        axes.bar(places, heights, width, yerr=errors, capsize=2, label=model)
    axes.set_xticks(range(len(rows)), [row["title"] for row in rows], rotation=30, ha="right")
    axes.set_ylabel("score, percent of the scale")
    axes.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=150)
    pyplot.close(figure)
    return path


def draw_radar(rows: list[dict[str, Any]], models: list[str], path: Path) -> Path:
    """One axis a benchmark, one line a model."""
    from matplotlib import pyplot

    angles = [2 * math.pi * index / len(rows) for index in range(len(rows))]
    figure = pyplot.figure(figsize=(6.0, 6.0))
    axes = figure.add_subplot(projection="polar")
    for index, model in enumerate(models):
        values = [row["scores"][index] for row in rows]
        axes.plot([*angles, angles[0]], [*values, values[0]], label=model)
    axes.set_xticks(angles, [row["title"] for row in rows])
    axes.set_ylim(bottom=0)
    axes.legend(loc="lower right", bbox_to_anchor=(1.15, -0.1))
    figure.tight_layout()
    figure.savefig(path, dpi=150)
    pyplot.close(figure)
    return path
