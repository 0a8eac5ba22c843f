"""Levenshtein's distance between two sequences."""

from collections.abc import Sequence


def edit_distance(first: Sequence[object], second: Sequence[object]) -> int:
    """The fewest insertions, deletions and replacements that make one sequence of the other."""
    row = list(range(len(second) + 1))
    for index, wanted in enumerate(first, start=1):
        diagonal, row[0] = row[0], index
        for column, found in enumerate(second, start=1):
            cost = diagonal if wanted == found else 1 + min(diagonal, row[column], row[column - 1])
            diagonal, row[column] = row[column], cost
    return row[-1]
