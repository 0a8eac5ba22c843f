"""Reading JSONL by place: every record with its file, line and byte offset, so that its text can be left on disk."""

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec

from fusechat.errors import BadInput
from fusechat.inputs import SHARD_NAME
from fusechat.jsonl import describe_decode_error

RecordT = TypeVar("RecordT")
READ_BUFFER = 1 << 20  # bytes


class Line(NamedTuple):
    """Where a record stands."""

    path: Path
    number: int
    file_index: int
    offset: int
    length: int

    def __str__(self) -> str:
        return f"{self.path}:{self.number}"


def read_lines(
    paths: Sequence[Path], record_type: type[RecordT], *, may_be_empty: bool = False
) -> Iterator[tuple[RecordT, Line]]:
    """Yields (record, place) of every line, one line in memory at a time. BadInput names file, line and field."""
    decode = msgspec.json.Decoder(record_type).decode
    for file_index, path in enumerate(paths):
        number = offset = 0
        try:
            with path.open("rb", buffering=READ_BUFFER) as file:
                for raw in file:
                    number += 1
                    try:
                        record = decode(raw)
                    except (msgspec.DecodeError, UnicodeDecodeError) as error:
                        raise BadInput(f"{path}:{number}: {_describe(raw, error)}") from None
                    yield record, Line(path, number, file_index, offset, len(raw))
                    offset += len(raw)
        except OSError as error:
            raise BadInput(f"{path}: cannot be read: {error.strerror}") from None
        # One shard of many may rightly be empty.
        if number == 0 and not may_be_empty and not SHARD_NAME.match(path.name):
            raise BadInput(f"{path}: is empty; run the step that writes it again")


def _describe(raw: bytes, error: Exception) -> str:
    if not raw.strip():
        return "is an empty line; remove it"
    if not isinstance(error, msgspec.DecodeError):
        return "is not UTF-8 text; save the file as UTF-8"
    field = _not_finite_field(raw)
    if field is not None:
        return f"{field}: is NaN or infinite; a finite number, or null with a reason, is needed"
    return describe_decode_error(error)


def _not_finite_field(raw: bytes) -> str | None:
    """The field that holds NaN or an infinity, which Python's json writes and JSON does not know."""
    found: list[str] = []

    def note(pairs: list[tuple[str, Any]]) -> None:
        found.extend(key for key, value in pairs if isinstance(value, float) and value - value != 0)

    try:
        json.loads(raw, object_pairs_hook=note)
    except ValueError:
        return None
    return found[0] if found else None


def line_number_at(path: Path, offset: int) -> int:
    """The number, from 1, of the line that starts at a byte offset (reads the file up to there)."""
    number, rest = 1, offset
    with path.open("rb") as file:
        while rest > 0 and (block := file.read(min(READ_BUFFER, rest))):
            number += block.count(b"\n")
            rest -= len(block)
    return number


class LineReader:
    """Reads single lines again by file and offset. Use as a context manager."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths
        self._descriptors: dict[int, int] = {}

    def __enter__(self) -> "LineReader":
        return self

    def __exit__(self, *_: object) -> None:
        for descriptor in self._descriptors.values():
            os.close(descriptor)
        self._descriptors.clear()

    def read(self, file_index: int, offset: int, length: int) -> bytes:
        """The bytes of one line."""
        if file_index not in self._descriptors:
            self._descriptors[file_index] = os.open(self._paths[file_index], os.O_RDONLY | os.O_CLOEXEC)
        return os.pread(self._descriptors[file_index], length, offset)
