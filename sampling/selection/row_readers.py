"""Rows of a dataset's files or of the Hub, as tuples of the columns that are needed, with types checked."""

import gzip
import zlib
from collections.abc import Iterator, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any

import msgspec

from fusechat.errors import BadInput
from fusechat.jsonl import describe_decode_error
from sampling.selection.data_files import Piece
from sampling.selection.layouts import Layout

BATCH_ROWS = 2048
PYTHON_TYPES: dict[str, type] = {"text": str, "whole number": int}
Rows = list[tuple[Any, ...]]


def read_rows(piece: Piece, layout: Layout) -> Iterator[Rows]:
    """Batches of rows of one piece of a file. BadInput names the file and the column that is not as expected."""
    name = piece.path.name
    if name.endswith(".parquet"):
        return _read_parquet(piece, layout)
    if name.endswith((".jsonl", ".jsonl.gz")) or piece.end is not None:
        return _read_json_lines(piece, layout)
    return _read_json_array(piece, layout)


def check_parquet_columns(path: Path, layout: Layout) -> None:
    """Raises BadInput where a needed column is missing or has another type; reads the schema only."""
    import pyarrow
    import pyarrow.parquet

    try:
        schema = pyarrow.parquet.read_schema(path)
    except (OSError, pyarrow.ArrowException) as error:
        raise _unreadable(path, "parquet", error) from None
    for name, kind in layout.all_columns.items():
        if name not in schema.names:
            if name in layout.columns:
                raise _missing_column(f"{path}", name, layout, schema.names)
            continue
        if not _is_of_kind(schema.field(name).type, kind):
            raise BadInput(
                f"{path}: column {name!r}: has type {schema.field(name).type}, not {kind}; {layout.expected}"
            )


def _is_of_kind(column_type: Any, kind: str) -> bool:
    import pyarrow.types as types

    if types.is_null(column_type):
        return True
    if types.is_dictionary(column_type):
        column_type = column_type.value_type
    if kind == "text":
        return (
            types.is_string(column_type)
            or types.is_large_string(column_type)
            or types.is_string_view(column_type)
        )
    return types.is_integer(column_type)


def _read_parquet(piece: Piece, layout: Layout) -> Iterator[Rows]:
    import pyarrow
    import pyarrow.parquet

    check_parquet_columns(piece.path, layout)
    names = list(layout.all_columns)
    with pyarrow.parquet.ParquetFile(piece.path) as file:
        present = [name for name in names if name in file.schema_arrow.names]
        groups = None if piece.row_group is None else [piece.row_group]
        batches = file.iter_batches(BATCH_ROWS, row_groups=groups, columns=present, use_threads=False)
        while True:
            try:
                batch = next(batches, None)
                if batch is None:
                    return
                columns = {name: batch.column(name).to_pylist() for name in present}
            except (
                OSError,
                ValueError,
                pyarrow.ArrowException,
            ) as error:  # damaged pages, text that is no UTF-8
                raise _unreadable(piece.path, "parquet", error) from None
            yield columns_to_rows(columns, layout, batch.num_rows)


def columns_to_rows(columns: dict[str, list[Any]], layout: Layout, count: int) -> Rows:
    """Columns as row tuples in the layout's order; absent optional columns are None."""
    return list(zip(*(columns.get(name) or [None] * count for name in layout.all_columns), strict=True))


def _row_type(layout: Layout) -> tuple[type[msgspec.Struct], Any]:
    """A struct that decodes one JSON row, and what turns it into a tuple."""
    fields: list[Any] = []
    for position, (name, kind) in enumerate(layout.all_columns.items()):
        hint = PYTHON_TYPES[kind] | None
        fields.append((f"c{position}", hint) if name in layout.columns else (f"c{position}", hint, None))
    rename = {f"c{position}": name for position, name in enumerate(layout.all_columns)}
    struct = msgspec.defstruct("Row", fields, rename=rename, kw_only=True)
    getter = attrgetter(*rename)
    return struct, getter if len(rename) > 1 else lambda row: (getter(row),)


def _read_json_lines(piece: Piece, layout: Layout) -> Iterator[Rows]:
    struct, to_tuple = _row_type(layout)
    decoder = msgspec.json.Decoder(struct)
    rows: Rows = []
    for number, line in _lines(piece):
        if not line.strip():
            continue
        try:
            rows.append(to_tuple(decoder.decode(line)))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise _bad_row(f"{piece.path}:{number + _lines_before(piece)}", error, layout) from None
        if len(rows) == BATCH_ROWS:
            yield rows
            rows = []
    if rows:
        yield rows


def _lines(piece: Piece) -> Iterator[tuple[int, bytes]]:
    if piece.path.name.endswith(".gz"):
        try:
            with gzip.open(piece.path, "rb") as compressed:
                yield from enumerate(compressed, start=1)
        except (OSError, EOFError, zlib.error) as error:
            raise _unreadable(piece.path, "gzip", error) from None
        return
    with piece.path.open("rb") as file:
        file.seek(piece.start)
        number = 0
        while piece.end is None or file.tell() < piece.end:
            line = file.readline()
            if not line:
                return
            number += 1
            yield number, line.removeprefix(b"\xef\xbb\xbf") if piece.start == 0 and number == 1 else line


def _lines_before(piece: Piece) -> int:
    if piece.start == 0:
        return 0
    with piece.path.open("rb") as file:
        count, left = 0, piece.start
        while left > 0:
            block = file.read(min(left, 1 << 20))
            count += block.count(b"\n")
            left -= len(block)
    return count


def _read_json_array(piece: Piece, layout: Layout) -> Iterator[Rows]:
    struct, to_tuple = _row_type(layout)
    data = piece.path.read_bytes()
    if piece.path.name.endswith(".gz"):
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as error:
            raise _unreadable(piece.path, "gzip", error) from None
    try:
        decoded = msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"), type=list[struct])  # type: ignore[valid-type]
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _bad_row(str(piece.path), error, layout) from None
    for start in range(0, len(decoded), BATCH_ROWS):
        yield [to_tuple(row) for row in decoded[start : start + BATCH_ROWS]]


def _unreadable(path: Path, kind: str, error: Exception) -> BadInput:
    what = " ".join(str(error).split())[:200]
    return BadInput(f"{path}: is not a {kind} file that can be read ({what}); download the file again")


def _bad_row(location: str, error: Exception, layout: Layout) -> BadInput:
    if isinstance(error, msgspec.ValidationError):
        return BadInput(f"{location}: column {describe_decode_error(error)}; {layout.expected}")
    if isinstance(error, msgspec.DecodeError):
        return BadInput(f"{location}: {describe_decode_error(error)}; download the file again")
    return BadInput(f"{location}: is not UTF-8 text; download the file again")


def _missing_column(location: str, name: str, layout: Layout, present: Sequence[str]) -> BadInput:
    return BadInput(
        f"{location}: column {name!r} is missing (there are: {', '.join(present)}); {layout.expected}. "
        "If the dataset has changed, name an older revision in the settings, or the older files in --data-root"
    )


def check_hub_columns(present: Sequence[str], layout: Layout, revision: str) -> None:
    """Raises BadInput where the Hub's table lacks a needed column."""
    for name in layout.columns:
        if name not in present:
            raise _missing_column(f"{layout.dataset} at {revision}", name, layout, present)
