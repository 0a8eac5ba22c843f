"""Three pictures of the data set: RM score by source, margin by dataset, length of chosen against rejected."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scoring.pairing.answer_table import AnswerTable
from scoring.pairing.composition import all_pairs, chosen_lengths
from scoring.pairing.decisions import DatasetDecisions

BINS = 60
PLOT_NAMES = ("rm_score_by_source", "margin_by_dataset", "length_chosen_rejected")


def draw_plots(folder: Path, table: AnswerTable, datasets: Sequence[DatasetDecisions]) -> list[Path]:
    """Writes the pictures as PNG; returns their paths."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    paths = []
    for name, draw in zip(PLOT_NAMES, (_scores, _margins, _lengths), strict=True):
        figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
        draw(axes, table, datasets)
        path = folder / f"composition_{name}.png"
        temporary = path.with_suffix(".png.tmp")
        figure.savefig(temporary, format="png", dpi=120)
        plt.close(figure)
        temporary.replace(path)
        paths.append(path)
    return paths


def _scores(axes: Any, table: AnswerTable, datasets: Sequence[DatasetDecisions]) -> None:
    scored = ~np.isnan(table.rm_score)
    source_index = np.frombuffer(table.source_index, dtype=np.int16)
    low, high = (
        (float(table.rm_score[scored].min()), float(table.rm_score[scored].max())) if scored.any() else (0, 1)
    )
    edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
    for index, source in sorted(enumerate(table.sources), key=lambda item: item[1]):
        counts, _ = np.histogram(table.rm_score[scored & (source_index == index)], bins=edges)
        if counts.sum():
            axes.stairs(counts / counts.sum(), edges, label=source, linewidth=1.5)
    _label(axes, "RM score by source", "RM score", "share of the source's answers")


def _margins(axes: Any, table: AnswerTable, datasets: Sequence[DatasetDecisions]) -> None:
    margins = {
        group.dataset: [pair.margin for _, decision in group.dpo() for pair in decision.pairs]
        for group in datasets
    }
    margins = {dataset: values for dataset, values in margins.items() if values}
    together = [margin for values in margins.values() for margin in values] or [0.0, 1.0]
    edges = np.linspace(min(together), max(max(together), min(together) + 1e-6), BINS // 2 + 1)
    for dataset, values in margins.items():
        counts, _ = np.histogram(values, bins=edges)
        axes.stairs(counts / counts.sum(), edges, label=f"{dataset} ({len(values):,})", linewidth=1.5)
    _label(axes, "Margin by dataset", "RM score of chosen minus rejected", "share of the dataset's pairs")


def _lengths(axes: Any, table: AnswerTable, datasets: Sequence[DatasetDecisions]) -> None:
    chosen, rejected = chosen_lengths(table, all_pairs(datasets))
    together = np.concatenate([chosen, rejected])
    shortest, longest = (together.min(), together.max()) if len(together) else (1, 1)
    edges = np.geomspace(max(shortest / 2, 1), 2 * longest, BINS // 2 + 1)
    for label, lengths in (("chosen", chosen), ("rejected", rejected)):
        if len(lengths):
            counts, _ = np.histogram(lengths, bins=edges)
            axes.stairs(counts, edges, label=f"{label} (median {np.median(lengths):,.0f})", linewidth=1.5)
    axes.set_xscale("log")
    _label(axes, "Length of chosen against rejected", "characters", "answers")


def _label(axes: Any, title: str, x: str, y: str) -> None:
    axes.set(title=title, xlabel=x, ylabel=y)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=8)
