"""Rows of sft.jsonl and dpo.jsonl as token ids: which tokens are the prompt, which are trained, what is dropped."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from fusechat.chat import conversation_token_ids
from fusechat.errors import BadInput
from fusechat.jsonl import read_located
from fusechat.records import Message, PreferencePair, SFTRow
from training.choices import Truncate

TOO_LONG = "longer than --max-length"
PROMPT_TOO_LONG = "prompt alone fills --max-length"
EMPTY = "empty response"
EQUAL = "chosen equals rejected"


@dataclass(frozen=True)
class Example:
    """A prompt and the responses that are trained on it: one for SFT, (chosen, rejected) for LN-DPO.

    Every token of a response is trained, the end-of-turn token last; no token of the prompt is.
    """

    location: str  # file:line, for messages
    prompt_id: str
    domain: str
    dataset: str
    prompt: tuple[int, ...]
    responses: tuple[tuple[int, ...], ...]

    @property
    def num_tokens(self) -> int:
        """Tokens that go through the model: the prompt counts once."""
        return len(self.prompt) + sum(len(response) for response in self.responses)

    @property
    def num_trained(self) -> int:
        """Tokens with a loss."""
        return sum(len(response) for response in self.responses)


@dataclass
class LoadedExamples:
    """The examples of a file and how many rows were read, cut and dropped, by reason."""

    examples: list[Example] = field(default_factory=list)
    read: int = 0
    cut: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    first_dropped: dict[str, str] = field(default_factory=dict)

    def drop(self, reason: str, location: str) -> None:
        """Counts a row that is left out, and remembers where the first of its kind stands."""
        self.dropped[reason] += 1
        self.first_dropped.setdefault(reason, location)

    def summary(self) -> str:
        """`read / kept / dropped (why)`, in one line."""
        parts = [f"{self.read} rows read, {len(self.examples)} kept"]
        if self.cut:
            parts.append(f"{self.cut} of them cut at the end")
        for reason, count in sorted(self.dropped.items()):
            parts.append(f"{count} dropped: {reason} (first: {self.first_dropped[reason]})")
        return ", ".join(parts)

    def composition(self) -> dict[str, dict[str, int]]:
        """How many kept rows each domain and each dataset has."""
        return {
            "domain": dict(sorted(Counter(example.domain for example in self.examples).items())),
            "dataset": dict(sorted(Counter(example.dataset for example in self.examples).items())),
        }


def load_sft_examples(
    files: Sequence[str | Path], tokenizer: Any, *, max_length: int, truncate: Truncate
) -> LoadedExamples:
    """Reads SFT rows; BadInput for a file of preference pairs, or where no row is left."""
    loaded = LoadedExamples()
    for row, location in _read_rows(files, SFTRow, "messages", "chosen", "training/train_lndpo.py"):
        assert isinstance(row, SFTRow)
        loaded.read += 1
        if not row.messages[-1].content.strip():
            loaded.drop(EMPTY, location)
            continue
        prompt, response = _token_ids(tokenizer, row.messages, location)
        _keep(loaded, row, location, prompt, (response,), max_length, truncate)
    return _checked(loaded, files, max_length)


def load_preference_examples(
    files: Sequence[str | Path], tokenizer: Any, *, max_length: int, truncate: Truncate
) -> LoadedExamples:
    """Reads preference pairs; BadInput for a file of SFT rows, or where no pair is left."""
    loaded = LoadedExamples()
    for row, location in _read_rows(files, PreferencePair, "chosen", "messages", "training/train_sft.py"):
        assert isinstance(row, PreferencePair)
        loaded.read += 1
        if not row.chosen[0].content.strip() or not row.rejected[0].content.strip():
            loaded.drop(EMPTY, location)
            continue
        prompt, chosen = _token_ids(tokenizer, [*row.prompt, *row.chosen], location)
        _, rejected = _token_ids(tokenizer, [*row.prompt, *row.rejected], location)
        if chosen == rejected:
            loaded.drop(EQUAL, location)
            continue
        _keep(loaded, row, location, prompt, (chosen, rejected), max_length, truncate)
    return _checked(loaded, files, max_length)


def _read_rows(
    files: Sequence[str | Path], record_type: type[Any], own_field: str, other_field: str, other_script: str
) -> Iterator[tuple[Any, str]]:
    """Like read_located, but a file of the other stage is named as what it is."""
    for row, location in read_located(files, dict[str, Any]):
        if other_field in row and own_field not in row:
            raise BadInput(
                f"{location}: {other_field}: this is a file of the other stage, made for {other_script}; "
                f"give a file of {record_type.__name__} rows"
            )
        break
    yield from read_located(files, record_type)


def _token_ids(
    tokenizer: Any, messages: list[Message], location: str
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Ids of the prompt and of the response, which continues the prompt exactly (else BadInput names the row)."""
    try:
        token_ids, response_start = conversation_token_ids(tokenizer, messages)
    except BadInput as error:
        raise BadInput(f"{location}: {error}") from None
    return tuple(token_ids[:response_start]), tuple(token_ids[response_start:])


def _keep(
    loaded: LoadedExamples,
    row: SFTRow | PreferencePair,
    location: str,
    prompt: tuple[int, ...],
    responses: tuple[tuple[int, ...], ...],
    max_length: int,
    truncate: Truncate,
) -> None:
    """Adds the example, or counts why it is left out. Prompts are never cut."""
    if len(prompt) + max(len(response) for response in responses) > max_length:
        room = max_length - len(prompt)
        if truncate == "none":
            loaded.drop(TOO_LONG, location)
            return
        if room < 1:
            loaded.drop(PROMPT_TOO_LONG, location)
            return
        responses = tuple(response[:room] for response in responses)
        if len(set(responses)) < len(responses):
            loaded.drop(EQUAL, location)
            return
        loaded.cut += 1
    loaded.examples.append(Example(location, row.prompt_id, row.domain, row.dataset, prompt, responses))


def _checked(loaded: LoadedExamples, files: Sequence[str | Path], max_length: int) -> LoadedExamples:
    if not loaded.examples:
        raise BadInput(
            f"{', '.join(map(str, files))}: no row is left to train on ({loaded.summary()}); "
            f"look at the rows named, or raise --max-length (it is {max_length})"
        )
    return loaded


def hold_out(examples: list[Example], size: int | None, seed: int) -> tuple[list[Example], list[Example]]:
    """Splits off about `size` examples for evaluation, whole prompts at a time: (train, held out).

    Default size: 1 %, at least 64, but never more than a tenth. Which prompts: those whose salted hash
    comes first, so the choice does not depend on the order of the file.
    """
    if size is None:
        size = max(len(examples) // 100, min(64, len(examples) // 10))
    prompt_ids = sorted(
        {example.prompt_id for example in examples},
        key=lambda prompt_id: hashlib.sha256(f"{seed}:{prompt_id}".encode()).digest(),
    )
    counts = Counter(example.prompt_id for example in examples)
    held_out_ids: set[str] = set()
    count = 0
    for prompt_id in prompt_ids:
        if count >= size:
            break
        held_out_ids.add(prompt_id)
        count += counts[prompt_id]
    train = [example for example in examples if example.prompt_id not in held_out_ids]
    if not train:
        raise BadInput(f"--eval-size {size} leaves nothing to train on; make it smaller, or give --eval-file")
    return train, [example for example in examples if example.prompt_id in held_out_ids]


def fingerprint(examples: Sequence[Example]) -> str:
    """SHA-256 over all token ids, in order: changes with data, template, tokenizer, length and truncation."""
    digest = hashlib.sha256()
    for example in examples:
        digest.update(msgspec.json.encode([example.prompt, example.responses]))
    return digest.hexdigest()
