"""Which answers go through the model together. Pure functions on token ids.

Answers to one prompt stand behind one copy of it; several prompts with their answers fill one row (see
`fusechat/row_layout.py`). Models that cannot work so get padded batches of answers of like length instead.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from fusechat.row_layout import Span, lay_out

TokenIds = tuple[int, ...]
# By kind of device: a group of some twenty answers whole, so that its prompt is not repeated.
DEFAULT_TOKENS_PER_BATCH = {"cpu": 8192, "cuda": 16384}


@dataclass(frozen=True)
class PromptGroup:
    """A prompt (with its generation prompt) and answers to it; `keys` say whose answers they are."""

    prompt: TokenIds
    answers: tuple[TokenIds, ...]  # each ends with the end-of-turn token
    keys: tuple[str, ...]

    @property
    def num_tokens(self) -> int:
        """Tokens that this group takes in a row."""
        return len(self.prompt) + sum(map(len, self.answers))


@dataclass(frozen=True)
class Row:
    """One row for one forward pass."""

    tokens: list[int]
    positions: list[int]
    layout: tuple[Span, ...]
    groups: tuple[PromptGroup, ...]

    @property
    def keys(self) -> list[str]:
        """The answers' keys in the order of the row."""
        return [key for group in self.groups for key in group.keys]


def plan_rows(groups: Sequence[PromptGroup], tokens_per_batch: int) -> list[list[PromptGroup]]:
    """Fills rows of up to `tokens_per_batch` tokens, in order.

    A group too large for one row is split, its prompt repeated. Only a single answer that is too long by
    itself makes a row longer than the budget; the maximum length bounds that.
    """
    rows: list[list[PromptGroup]] = []
    room = 0
    for group in groups:
        for part in _split(group, tokens_per_batch):
            if not rows or part.num_tokens > room:
                rows.append([])
                room = tokens_per_batch
            rows[-1].append(part)
            room -= part.num_tokens
    return rows


def _split(group: PromptGroup, tokens_per_batch: int) -> list[PromptGroup]:
    if group.num_tokens <= tokens_per_batch:
        return [group]
    parts: list[list[int]] = [[]]
    room = tokens_per_batch - len(group.prompt)
    for index, answer in enumerate(group.answers):
        if parts[-1] and len(answer) > room:
            parts.append([])
            room = tokens_per_batch - len(group.prompt)
        parts[-1].append(index)
        room -= len(answer)
    return [
        PromptGroup(
            group.prompt,
            tuple(group.answers[index] for index in part),
            tuple(group.keys[index] for index in part),
        )
        for part in parts
    ]


def row_of(groups: Sequence[PromptGroup]) -> Row:
    """Writes groups one behind the other into one row."""
    return Row(*lay_out((group.prompt, group.answers) for group in groups), tuple(groups))


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
