"""All drafts of one dataset, each prompt once: texts in an unnamed file on disk, a few numbers in memory."""

import os
import tempfile
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import msgspec

from fusechat.errors import BadInput
from sampling.selection.drafts import Draft, digest

ENCODER = msgspec.msgpack.Encoder()
DECODER = msgspec.msgpack.Decoder(Draft)


class EncodedDraft(msgspec.Struct, array_like=True):
    """A draft as bytes with the three numbers that merging needs; what workers send back."""

    key: int
    content: int
    gold: int
    data: bytes


def encode(draft: Draft) -> EncodedDraft:
    """`key` is the prompt id's hash, `content` orders drafts of one id, `gold` tells gold answers apart."""
    data = ENCODER.encode(draft)
    gold = draft.prompt.gold_answer
    return EncodedDraft(
        key=int(draft.prompt.prompt_id[-16:], 16),
        content=digest(data),
        gold=0 if gold is None else digest(gold),
        data=data,
    )


class CandidatePool:
    """Merges drafts by prompt id: of several with one id the same is kept for any order of the input.

    Drafts of one id whose gold answers differ are all unusable, since one of the answers must be wrong.
    """

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = tempfile.TemporaryFile(dir=folder, prefix=".select_prompts.")  # noqa: SIM115
        except OSError as error:
            raise BadInput(
                f"{folder}: cannot be written: {error.strerror}; choose another --output"
            ) from None
        self._size = 0
        self._buffer: list[bytes] = []
        self._slots: dict[int, int] = {}
        self._contents, self._golds = array("Q"), array("Q")
        self._offsets, self._lengths = array("Q"), array("L")
        self._conflicts: set[int] = set()
        self.duplicates = 0

    def __enter__(self) -> "CandidatePool":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __len__(self) -> int:
        return len(self._slots)

    def add(self, draft: EncodedDraft) -> None:
        """Adds a draft, or merges it with the one of its id that is there."""
        slot = self._slots.get(draft.key)
        if slot is None:
            self._slots[draft.key] = len(self._contents)
            self._contents.append(draft.content)
            self._golds.append(draft.gold)
            self._offsets.append(self._size)
            self._lengths.append(len(draft.data))
            self._append(draft.data)
            return
        self.duplicates += 1
        if self._golds[slot] != draft.gold:
            self._conflicts.add(slot)
        if draft.content < self._contents[slot]:
            self._contents[slot] = draft.content
            self._offsets[slot], self._lengths[slot] = self._size, len(draft.data)
            self._append(draft.data)

    @property
    def conflicts(self) -> int:
        """Prompts whose gold answers contradict each other."""
        return len(self._conflicts)

    def in_order(self, seed: int) -> Iterator[Draft]:
        """Usable drafts in the order of a seeded hash of their ids, which no order of the input can change."""
        self._flush()
        prefix = f"{seed}:".encode()
        order = sorted((digest(prefix, key.to_bytes(8, "big")), slot) for key, slot in self._slots.items())
        for _, slot in order:
            if slot not in self._conflicts:
                data = os.pread(self._file.fileno(), self._lengths[slot], self._offsets[slot])
                yield DECODER.decode(data)

    def _append(self, data: bytes) -> None:
        self._buffer.append(data)
        self._size += len(data)
        if len(self._buffer) >= 4096:
            self._flush()

    def _flush(self) -> None:
        append(self._file, self._buffer)
        self._buffer.clear()


def append(file: IO[bytes], pieces: Sequence[bytes]) -> None:
    """Writes to a temporary file in the output's folder, for `os.pread` to find. BadInput where the disk is full."""
    try:
        file.write(b"".join(pieces))
        file.flush()
    except OSError as error:
        raise BadInput(f"the output's folder cannot be written: {error.strerror}; make room there") from None
