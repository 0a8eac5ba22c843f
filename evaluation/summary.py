"""Add up item scores: score, standard error, paired difference to the first model."""

import math
import statistics
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from evaluation.benchmark import ItemScore, Summary

# Two-sided 95 % of the normal distribution.
Z_95 = 1.959964
BOOTSTRAP_ROUNDS, BOOTSTRAP_SEED = 1_000, 42


class NestedMean(NamedTuple):
    """A mean of group means, with its standard error where every group has two values."""

    value: float
    standard_error: float | None


def nested_mean(values: Sequence[tuple[tuple[str, ...], float]]) -> NestedMean:
    """Mean of (path of groups, value): inside a group values count alike, and so do the groups inside another.

    The standard error is that of a stratified mean: the root of sum(w_g^2 s_g^2 / n_g) over the innermost groups g,
    w_g being what the group weighs in the whole. With the empty path it is the plain mean's.
    """
    leaves: dict[tuple[str, ...], list[float]] = {}
    for path, value in values:
        leaves.setdefault(path, []).append(value)
    children: dict[tuple[str, ...], set[str]] = {}
    for path in leaves:
        for depth, name in enumerate(path):
            children.setdefault(path[:depth], set()).add(name)
    mean, variance, is_known = 0.0, 0.0, True
    for path, group in leaves.items():
        weight = math.prod(1 / len(children[path[:depth]]) for depth in range(len(path)))
        mean += weight * statistics.fmean(group)
        is_known = is_known and len(group) > 1
        variance += weight**2 * statistics.variance(group) / len(group) if len(group) > 1 else 0.0
    return NestedMean(mean, math.sqrt(variance) if is_known else None)


def path_of(score: ItemScore, levels: Sequence[str]) -> tuple[str, ...]:
    """The groups that an item's score is averaged in, outermost first."""
    return tuple(score.groups[level] for level in levels)


def nested_summary(scores: Sequence[ItemScore], scale: float, levels: Sequence[str]) -> Summary:
    """Mean of group means times the scale, its standard error, and the mean of each group of each level."""
    counted = [score for score in scores if score.score is not None and not score.dropped]
    whole = nested_mean([(path_of(score, levels), scale * (score.score or 0.0)) for score in counted])
    breakdown = {}
    for depth, level in enumerate(levels):
        for name in sorted({score.groups[level] for score in counted}):
            inside = [
                (path_of(score, levels[depth + 1 :]), scale * (score.score or 0.0))
                for score in counted
                if score.groups[level] == name
            ]
            breakdown[f"{level}: {name}"] = nested_mean(inside).value
    return Summary(whole.value, whole.standard_error, breakdown)


def mean_summary(scores: Sequence[ItemScore], scale: float) -> Summary:
    """Mean of the items' scores (0 to 1) times the scale, its standard error, and means by group."""
    scores = [score for score in scores if not score.dropped]
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
    scores: Sequence[ItemScore], reference: Sequence[ItemScore], scale: float, levels: Sequence[str] = ()
) -> dict[str, Any] | None:
    """Mean difference to the reference model over the same items, with its 95 % interval; None for too few items.

    Pairing takes out how hard the items are, so the interval is narrower than that of two single scores.
    """
    by_id = {score.item_id: score for score in reference}
    differences = []
    for score in scores:
        other = by_id.get(score.item_id)
        if other is None or score.dropped or other.dropped or score.score is None or other.score is None:
            continue
        differences.append((path_of(score, levels), scale * (score.score - other.score)))
    if len(differences) < 2:
        return None
    mean, error = nested_mean(differences)
    if error is None:
        return None
    half = Z_95 * error
    return {
        "difference": mean,
        "interval_95": [mean - half, mean + half],
        "more_than_noise": abs(mean) > half,
        "n": len(differences),
    }


def bootstrap_difference(
    rate: Callable[[Any], float | None],
    reference_rate: Callable[[Any], float | None],
    items: int,
    rounds: int = BOOTSTRAP_ROUNDS,
) -> dict[str, Any] | None:
    """Difference of two models' rates that are no plain means, with its 95 % interval from drawing items again.

    A rate gets how often each item was drawn, (items,), the same for both models; None is a draw that has no rate.
    """
    import numpy as np

    def difference(counts: Any) -> float | None:
        ours, theirs = rate(counts), reference_rate(counts)
        return None if ours is None or theirs is None else ours - theirs

    whole = difference(np.ones(items, dtype=np.int64)) if items > 1 else None
    if whole is None:
        return None
    draws = np.random.default_rng(BOOTSTRAP_SEED).multinomial(items, [1 / items] * items, size=rounds)
    drawn = [value for value in map(difference, draws) if value is not None]
    low, high = (float(bound) for bound in np.percentile(drawn, [2.5, 97.5]))
    return {
        "difference": whole,
        "interval_95": [low, high],
        "more_than_noise": not low <= 0 <= high,
        "n": items,
    }


def ratio(numerators: Sequence[float], denominators: Sequence[float], scale: float = 1.0) -> Any:
    """For bootstrap_difference: scale times the sum of one over the sum of the other, over the items drawn."""
    import numpy as np

    above, below = np.array(numerators, dtype=float), np.array(denominators, dtype=float)

    def rate(counts: Any) -> float | None:
        total = float(counts @ below)
        return scale * float(counts @ above) / total if total else None

    return rate
