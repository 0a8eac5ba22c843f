"""Add up item scores: score, standard error, paired difference to the first model."""

import math
import statistics
from collections.abc import Sequence
from typing import Any

from evaluation.benchmark import ItemScore, Summary

# Two-sided 95 % of the normal distribution.
Z_95 = 1.959964


def mean_summary(scores: Sequence[ItemScore], scale: float) -> Summary:
    """Mean of the items' scores (0 to 1) times the scale, its standard error, and means by group."""
    values = [score.score for score in scores if score.score is not None]
    groups: dict[str, list[float]] = {}
    for score in scores:
        if score.score is not None:
            for kind, group in score.groups.items():
                groups.setdefault(f"{kind}: {group}", []).append(score.score)
            for name, figure in score.figures.items():
                groups.setdefault(name, []).append(figure)
    breakdown = {name: scale * statistics.fmean(group) for name, group in sorted(groups.items())}
    return Summary(scale * statistics.fmean(values), standard_error(values, scale), breakdown)


def standard_error(values: Sequence[float], scale: float = 1.0) -> float | None:
    """Sample standard deviation over root n; None for fewer than two values."""
    if len(values) < 2:
        return None
    return scale * statistics.stdev(values) / math.sqrt(len(values))


def paired_difference(
    scores: Sequence[ItemScore], reference: Sequence[ItemScore], scale: float
) -> dict[str, Any] | None:
    """Mean difference to the reference model over the same items, with its 95 % interval.

    Pairing takes out how hard the items are, so the interval is narrower than that of two single scores.
    """
    by_id = {score.item_id: score.score for score in reference}
    differences = []
    for score in scores:
        other = by_id.get(score.item_id)
        if score.score is not None and other is not None:
            differences.append(scale * (score.score - other))
    if len(differences) < 2:
        return None
    mean = statistics.fmean(differences)
    half = Z_95 * statistics.stdev(differences) / math.sqrt(len(differences))
    return {
        "difference": mean,
        "interval_95": [mean - half, mean + half],
        "more_than_noise": abs(mean) > half,
        "n": len(differences),
    }
