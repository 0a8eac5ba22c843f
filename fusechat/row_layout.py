"""Rows of tokens in which several answers stand behind one copy of their prompt.

    tokens     p p p a a a b b | q q c c c d d        p, q prompts; a, b answers to p; c, d answers to q
    positions  0 1 2 3 4 5 3 4 | 0 1 2 3 4 2 3        every answer continues its own prompt's positions

Training packs pairs so, and a reward model reads all answers to a prompt so: nothing is padded, and a prompt's tokens
are computed once. Which token sees which follows from the layout: see `shared_prefix`.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Span(NamedTuple):
    """Where one prompt lies in the row: [start, prompt_end); its answers follow, each up to its end."""

    start: int
    prompt_end: int
    answer_ends: tuple[int, ...]


def lay_out(
    groups: Iterable[tuple[Sequence[int], Sequence[Sequence[int]]]],
) -> tuple[list[int], list[int], tuple[Span, ...]]:
    """Writes (prompt, its answers) one behind the other: tokens, positions, and where each group lies."""
    tokens: list[int] = []
    positions: list[int] = []
    layout: list[Span] = []
    for prompt, answers in groups:
        start, prompt_end = len(tokens), len(tokens) + len(prompt)
        tokens.extend(prompt)
        positions.extend(range(len(prompt)))
        ends: list[int] = []
        for answer in answers:
            tokens.extend(answer)
            positions.extend(range(len(prompt), len(prompt) + len(answer)))
            ends.append(len(tokens))
        layout.append(Span(start, prompt_end, tuple(ends)))
    return tokens, positions, tuple(layout)
