"""Which answers go through the model together. Pure functions on token ids.

Answers to one prompt stand behind one copy of it; several prompts with their answers fill one row (see
`fusechat/row_layout.py`). Answers too many for one row follow in further rows, for which the prompt's keys and values are
kept. Models that cannot work so get padded batches of answers of like length instead.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from fusechat.row_layout import Span, lay_out

TokenIds = tuple[int, ...]
# By kind of device: on a CPU, what its caches hold; on a GPU, a group of some twenty answers in one piece.
DEFAULT_TOKENS_PER_BATCH = {"cpu": 2048, "cuda": 16384}


@dataclass(frozen=True)
class PromptGroup:
    """A prompt (with its generation prompt) and answers to it; `keys` say whose answers they are."""

    prompt: TokenIds
    answers: tuple[TokenIds, ...]  # each ends with the end-of-turn token
    keys: tuple[str, ...]
    continued: bool = False  # the prompt was computed with the part of the group before this one

    @property
    def num_tokens(self) -> int:
        """Tokens that this group takes in a row."""
        return sum(map(len, self.answers)) + (0 if self.continued else len(self.prompt))


@dataclass(frozen=True)
class Row:
    """One row for one forward pass."""

    tokens: list[int]
    positions: list[int]
    layout: tuple[Span, ...]  # with the prompt in front even where it is kept
    kept: int = 0  # tokens of a prompt in front, kept from an earlier pass: in the layout, not in `tokens`


def plan_rows(groups: Sequence[PromptGroup], tokens_per_batch: int) -> list[list[PromptGroup]]:
    """Fills batches with groups, in order: one row of up to `tokens_per_batch` tokens each.

    A group too large for one row is a batch by itself: parts that take a row each, all but the first `continued`.
    Only a single answer that is too long by itself, with the prompt if it comes first, makes a row longer than the
    budget; the maximum length bounds that.
    """
    batches: list[list[PromptGroup]] = []
    room = 0
    for group in groups:
        if group.num_tokens > tokens_per_batch:
            batches.append(_split(group, tokens_per_batch))
            room = 0
            continue
        if group.num_tokens > room:
            batches.append([])
            room = tokens_per_batch
        batches[-1].append(group)
        room -= group.num_tokens
    return batches


def _split(group: PromptGroup, tokens_per_batch: int) -> list[PromptGroup]:
    parts: list[list[int]] = [[]]
    room = tokens_per_batch - len(group.prompt)
    for index, answer in enumerate(group.answers):
        if parts[-1] and len(answer) > room:
            parts.append([])
            room = tokens_per_batch
        parts[-1].append(index)
        room -= len(answer)
    return [
        PromptGroup(
            group.prompt,
            tuple(group.answers[index] for index in part),
            tuple(group.keys[index] for index in part),
            continued=number > 0,
        )
        for number, part in enumerate(parts)
    ]


def rows_of(batch: Sequence[PromptGroup]) -> list[Row]:
    """The rows of a batch of `plan_rows`: its groups one behind the other, or one row for each part of a group."""
    in_parts = any(group.continued for group in batch)
    rows = []
    for groups in [[part] for part in batch] if in_parts else [batch]:
        tokens, positions, layout = lay_out((group.prompt, group.answers) for group in groups)
        kept = len(groups[0].prompt) if groups[0].continued else 0
        rows.append(Row(tokens[kept:], positions[kept:], layout, kept))
    return rows


def plan_padded(groups: Sequence[PromptGroup], tokens_per_batch: int) -> list[list[PromptGroup]]:
    """Batches of single conversations of like length, longest first, at most `tokens_per_batch` with padding."""
    singles = [
        PromptGroup(group.prompt, (answer,), (key,))
        for group in groups
        for answer, key in zip(group.answers, group.keys, strict=True)
    ]
    singles.sort(key=lambda single: -single.num_tokens)  # stable: equal lengths keep their order
    batches: list[list[PromptGroup]] = []
    for single in singles:
        if not batches or (len(batches[-1]) + 1) * batches[-1][0].num_tokens > tokens_per_batch:
            batches.append([])
        batches[-1].append(single)
    return batches
