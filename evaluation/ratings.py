"""Ratings in a judge's text: MT-Bench's [[8]], and its means by turn."""

import re
import statistics
from collections.abc import Iterable

_DOUBLE = re.compile(r"\[\[(\d+\.?\d*)\]\]")
_SINGLE = re.compile(r"\[(\d+\.?\d*)\]")


def extract_rating(judgment: str) -> float | None:
    """The first number in double square brackets, else the first in single ones, else None."""
    match = _DOUBLE.search(judgment) or _SINGLE.search(judgment)
    return float(match.group(1)) if match else None


def rating_on_scale(judgment: str) -> float | None:
    """The rating that a judge was asked for now; one above 10 is none."""
    rating = extract_rating(judgment)
    return rating if rating is not None and rating <= 10 else None


def means_by_turn(ratings: Iterable[tuple[int, float | None]]) -> dict[str, float]:
    """Mean rating of all turns and of each one; missing ratings are left out."""
    there = [(turn, rating) for turn, rating in ratings if rating is not None]
    means = {"all turns": statistics.fmean(rating for _, rating in there)}
    for turn in sorted({turn for turn, _ in there}):
        means[f"turn {turn}"] = statistics.fmean(rating for other, rating in there if other == turn)
    return means
