"""Where each answer lies in its file, grouped by prompt: so that all answers to a prompt meet, in little memory.

The answers to one prompt are spread over the files of several sources. A first pass checks every line and
keeps ids and byte offsets; the texts are read when their prompt's turn comes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import msgspec

from fusechat.inputs import Shard, expand_inputs
from fusechat.jsonl import read_responses
from fusechat.records import Prompt, Response

WINDOW_ANSWERS = 1024  # answers whose texts and tokens are in memory at a time


class Place(NamedTuple):
    """Where a response's line lies, and what the summary needs to know about it."""

    response_id: str
    source: str
    num_characters: int
    file: Path
    offset: int
    length: int


@dataclass
class AnswersOfPrompt:
    """All answers of this shard to one prompt, in input order."""

    prompt_id: str
    places: list[Place] = field(default_factory=list)

    def by_text(self) -> Iterator[tuple[str, list[str]]]:
        """Yields each different text once, with the ids of all answers that have it."""
        ids: dict[str, list[str]] = {}
        for place in self.places:
            with place.file.open("rb") as file:
                file.seek(place.offset)
                response = msgspec.json.decode(file.read(place.length), type=Response)
            ids.setdefault(response.text, []).append(place.response_id)
        yield from ids.items()


@dataclass
class ResponseIndex:
    """The answers of one shard."""

    prompts: list[AnswersOfPrompt]
    response_ids: list[str]  # in input order

    @property
    def num_answers(self) -> int:
        """How many answers this shard has."""
        return len(self.response_ids)


def index_responses(inputs: Sequence[str | Path], prompts: dict[str, Prompt], shard: Shard) -> ResponseIndex:
    """Reads and checks all responses once. A shard owns whole prompts, so that their tokens can be shared."""
    owned = {prompt_id for position, prompt_id in enumerate(prompts) if shard.owns(position)}
    by_prompt: dict[str, AnswersOfPrompt] = {}
    response_ids: list[str] = []
    for response, (file, offset, length) in zip(read_responses(inputs, prompts), _lines(inputs), strict=True):
        if response.prompt_id not in owned:
            continue
        answers = by_prompt.setdefault(response.prompt_id, AnswersOfPrompt(response.prompt_id))
        place = Place(response.response_id, response.source, len(response.text), file, offset, length)
        answers.places.append(place)
        response_ids.append(response.response_id)
    return ResponseIndex(list(by_prompt.values()), response_ids)


def _lines(inputs: Sequence[str | Path]) -> Iterator[tuple[Path, int, int]]:
    """(file, offset, length) of every line, in the order in which `read_responses` reads them."""
    for path in expand_inputs(inputs):
        offset = 0
        with path.open("rb") as file:
            for line in file:
                yield path, offset, len(line)
                offset += len(line)


def windows(index: ResponseIndex) -> Iterator[list[AnswersOfPrompt]]:
    """Prompts in order, as many at a time as have `WINDOW_ANSWERS` answers."""
    window: list[AnswersOfPrompt] = []
    size = 0
    for answers in index.prompts:
        window.append(answers)
        size += len(answers.places)
        if size >= WINDOW_ANSWERS:
            yield window
            window, size = [], 0
    if window:
        yield window
