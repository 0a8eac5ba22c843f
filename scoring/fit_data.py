"""What an ArmoRM head is fitted on: rated answers and preference pairs, as token ids, split by prompt."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np

from fusechat.errors import BadInput
from fusechat.jsonl import read_located
from fusechat.records import AnswerPair, Message
from scoring.prefix_batches import PromptGroup, TokenIds
from scoring.rm_inputs import Encoded, Refused, encode

Ranges = Mapping[str, tuple[float, float]]
SPLITS = ("train", "validation", "held_out")


class RatedRow(msgspec.Struct):
    """A conversation and its ratings; objectives that nobody rated are null or left out."""

    messages: list[Message]
    labels: dict[str, float | None]
    source: str | None = None  # spreads are taken among answers of one source

    def __post_init__(self) -> None:
        if len(self.messages) < 2 or self.messages[-1].role != "assistant":
            raise ValueError("messages: must end with an assistant turn that answers a user turn")


@dataclass
class FitData:
    """Conversations by number, each with a prompt by number; ratings and pairs point at them."""

    objectives: list[str]
    prompts: list[TokenIds] = field(default_factory=list)
    answers: list[tuple[int, TokenIds]] = field(default_factory=list)  # (prompt number, ids)
    rated: list[int] = field(default_factory=list)  # answer number of each rated row
    labels: list[list[float]] = field(default_factory=list)  # 0-1, NaN where not rated
    sources: list[str] = field(default_factory=list)
    pairs: list[tuple[int, int]] = field(default_factory=list)  # answer numbers (chosen, rejected)
    reference: list[int] = field(default_factory=list)  # answer numbers of the reference pairs, if any
    skipped: Counter[str] = field(default_factory=Counter)
    _prompt_numbers: dict[TokenIds, int] = field(default_factory=dict)
    _answer_numbers: dict[tuple[int, TokenIds], int] = field(default_factory=dict)

    def add(self, encoded: Encoded) -> int:
        """The conversation's number; the same conversation always has the same one."""
        prompt = self._prompt_numbers.setdefault(encoded.prompt, len(self.prompts))
        if prompt == len(self.prompts):
            self.prompts.append(encoded.prompt)
        key = (prompt, encoded.answer)
        number = self._answer_numbers.setdefault(key, len(self.answers))
        if number == len(self.answers):
            self.answers.append(key)
        return number

    def prompt_of(self, answers: Sequence[int]) -> np.ndarray:
        """Prompt numbers of answers."""
        return np.array([self.answers[answer][0] for answer in answers], dtype=np.int64)

    def groups(self) -> list[PromptGroup]:
        """All conversations by prompt; keys are answer numbers."""
        members: list[list[int]] = [[] for _ in self.prompts]
        for number, (prompt, _) in enumerate(self.answers):
            members[prompt].append(number)
        return [
            PromptGroup(prompt, tuple(self.answers[n][1] for n in numbers), tuple(map(str, numbers)))
            for prompt, numbers in zip(self.prompts, members, strict=True)
        ]


def read_fit_data(
    rated: Sequence[str],
    pairs: Sequence[str],
    ranges: Ranges,
    tokenizer: Any,
    max_length: int,
    reference_pairs: Sequence[str] = (),
) -> FitData:
    """Reads and tokenises everything. What cannot be scored is skipped and counted."""
    data = FitData(list(ranges))
    for row, location in read_located(rated, RatedRow):
        labels = [_label(row, name, ranges, location) for name in ranges]
        if all(np.isnan(labels)):
            data.skipped["rated row without a label of these objectives"] += 1
            continue
        number = _encode(
            data, tokenizer, row.messages[:-1], row.messages[-1].content, max_length, "rated row"
        )
        if number is not None:
            data.rated.append(number)
            data.labels.append(labels)
            data.sources.append(row.source or "")
    data.pairs = list(_read_pairs(data, pairs, tokenizer, max_length, "pair"))
    if reference_pairs:
        reference = _read_pairs(data, reference_pairs, tokenizer, max_length, "reference pair")
        data.reference = [number for pair in reference for number in pair]
    return data


def _read_pairs(
    data: FitData, files: Sequence[str], tokenizer: Any, max_length: int, kind: str
) -> Iterator[tuple[int, int]]:
    for pair, _ in read_located(files, AnswerPair):
        chosen, rejected = (
            _encode(data, tokenizer, pair.prompt, answer[0].content, max_length, kind)
            for answer in (pair.chosen, pair.rejected)
        )
        if chosen is None or rejected is None:
            continue
        if chosen == rejected:
            data.skipped[f"{kind}: both answers are the same"] += 1
            continue
        yield chosen, rejected


def _label(row: RatedRow, name: str, ranges: Ranges, location: str) -> float:
    value = row.labels.get(name)
    if value is None:
        return float("nan")
    low, high = ranges[name]
    if not low <= value <= high:
        raise BadInput(
            f"{location}: labels.{name}: is {value}, outside its range {low} to {high}; mend row or range"
        )
    return (value - low) / (high - low)


def _encode(
    data: FitData, tokenizer: Any, prompt: Sequence[Message], text: str, max_length: int, kind: str
) -> int | None:
    encoded = encode(tokenizer, prompt, text, max_length)
    if isinstance(encoded, Refused):
        data.skipped[f"{kind}: {encoded.kind}"] += 1
        return None
    if encoded.truncated:
        data.skipped[f"{kind}: longer than max_length"] += 1
        return None
    return data.add(encoded)


def split_prompts(data: FitData, *, held_out: float, validation: float, seed: int) -> np.ndarray:
    """0 train, 1 validation, 2 held out for each prompt, so that all answers to a prompt stay together.

    Prompts that have the same kinds of data (objectives, pairs) are split among themselves, so that a rare
    objective is not missing in one part by chance; a kind with fewer than three prompts is all trained on.
    The order within a kind comes from a hash of seed and prompt: it does not depend on the order of the rows.
    """
    kinds: list[set[str]] = [set() for _ in data.prompts]
    for prompt, labels in zip(data.prompt_of(data.rated), data.labels, strict=True):
        kinds[prompt] |= {
            name for name, label in zip(data.objectives, labels, strict=True) if not np.isnan(label)
        }
    for prompt in data.prompt_of([chosen for chosen, _ in data.pairs]):
        kinds[prompt].add("/pair")

    def rank(number: int) -> bytes:
        return hashlib.sha256(f"{seed}:{','.join(map(str, data.prompts[number]))}".encode()).digest()

    members: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for number, kind in enumerate(kinds):
        members[tuple(sorted(kind))].append(number)
    split = np.zeros(len(data.prompts), dtype=np.int64)
    for numbers in members.values():
        if len(numbers) < len(SPLITS):
            continue
        order = sorted(numbers, key=rank)
        num_held_out = max(1, round(held_out * len(order)))
        num_validation = max(1, round(validation * len(order)))
        split[order[:num_held_out]] = 2
        split[order[num_held_out : num_held_out + num_validation]] = 1
    return split
