"""The files of a dataset under --data-root, and the pieces of them that can be read side by side."""

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fusechat.errors import BadInput
from sampling.selection.layouts import Layout

ENDINGS = (".parquet", ".jsonl", ".jsonl.gz", ".json", ".json.gz")
# Split names as they stand in file and folder names: train-00000-of-00003.parquet, leetcode-train.jsonl.
SPLIT_NAME = re.compile(r"(?:^|[-_./])(train_[125]M|train|validation|valid|dev|test)(?=[-_./]|$)")
# Some downloads carry a hash behind the number: train-00000-of-00003-0123456789abcdef.parquet.
SHARD = re.compile(r"(?P<stem>.+)-(?P<index>\d{5})-of-(?P<count>\d{5})(?=[-.])")
BLOCK_BYTES = 32 << 20


@dataclass(frozen=True)
class Piece:
    """Something one worker reads: a row group of a parquet file, or bytes `start` to `end` of a JSON lines file.

    `row_group` and `end` are None where the whole file is one piece.
    """

    path: Path
    row_group: int | None = None
    start: int = 0
    end: int | None = None


def find_files(data_root: Path | None, layout: Layout, splits: Sequence[str]) -> list[Path] | None:
    """The files of the wanted splits in DATA_ROOT/org/name, at any depth; None where there is no such folder.

    A file whose name has no split counts for every split, unless other files do name the split (then it belongs
    to some side folder). BadInput where the folder holds nothing of a wanted split, or not all its files.
    """
    if data_root is None:
        return None
    folder = data_root / layout.dataset
    if not folder.is_dir():
        return None
    hidden = {
        path
        for path in folder.rglob("*")
        if any(part.startswith(".") for part in path.relative_to(folder).parts)
    }
    paths = sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and path.name.endswith(ENDINGS) and path not in hidden
    )
    if not paths:
        raise BadInput(f"{folder}: holds no {', '.join(ENDINGS)} file; wanted is {layout.local_files}")
    marks = {path: _split_marks(path.relative_to(folder)) for path in paths}
    found: dict[Path, None] = {}
    for split in splits:
        matching = (
            [path for path in paths if split in marks[path]]
            or [path for path in paths if not marks[path]]
            or _larger_split(split, marks, folder)
        )
        if not matching:
            names = ", ".join(str(path.relative_to(folder)) for path in paths[:5])
            raise BadInput(
                f"{folder}: has no file of the split {split!r} (found: {names}); wanted is {layout.local_files}, "
                "or name another split in the settings"
            )
        found.update(dict.fromkeys(matching))
    _check_shards(list(found))
    return list(found)


def _larger_split(split: str, marks: dict[Path, set[str]], folder: Path) -> list[Path]:
    """The files of the smallest split that the wanted one is a sample of, and a note about it; none: []."""
    samples = (
        "train_1M",
        "train_2M",
        "train_5M",
        "train",
    )  # of OpenMathInstruct-2, the last one being all of it
    for larger in samples[samples.index(split) + 1 :] if split in samples else ():
        matching = [path for path in marks if larger in marks[path]]
        if matching:
            print(
                f"note: {folder}: has no split {split!r}; reading {larger!r}, which it is a sample of",
                file=sys.stderr,
            )
            return matching
    return []


def _check_shards(paths: Sequence[Path]) -> None:
    """Raises BadInput where a file of a set like train-00000-of-00003.parquet is missing."""
    sets: dict[tuple[Path, str, str], set[str]] = {}
    for path in paths:
        match = SHARD.match(path.name)
        if match:
            sets.setdefault((path.parent, match["stem"], match["count"]), set()).add(match["index"])
    for (folder, stem, count), indexes in sets.items():
        missing = [index for index in map("{:05d}".format, range(int(count))) if index not in indexes]
        if missing:
            raise BadInput(
                f"{folder / f'{stem}-{missing[0]}-of-{count}'}*: is missing, {len(missing)} of {count} files of this "
                "split in all; download the rest"
            )


def _split_marks(path: Path) -> set[str]:
    name = path.as_posix()
    for ending in ENDINGS:
        name = name.removesuffix(ending)
    return set(SPLIT_NAME.findall(name))


def pieces_of(path: Path) -> list[Piece]:
    """The pieces of a file. JSON lines are cut at line ends near every 32 MiB."""
    if path.name.endswith(".parquet"):
        return [Piece(path, row_group=index) for index in range(_row_groups(path))]
    if path.name.endswith(".gz") or (path.name.endswith(".json") and is_json_array(path)):
        return [Piece(path)]
    size = path.stat().st_size
    pieces, start = [], 0
    with path.open("rb") as file:
        while start < size:
            file.seek(min(start + BLOCK_BYTES, size))
            file.readline()
            end = file.tell()
            pieces.append(Piece(path, start=start, end=end))
            start = end
    return pieces


def is_json_array(path: Path) -> bool:
    """Whether a .json file is one array (else it is JSON lines under another name)."""
    with path.open("rb") as file:
        return file.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"["


def _row_groups(path: Path) -> int:
    import pyarrow.parquet

    try:
        return pyarrow.parquet.ParquetFile(path).num_row_groups
    except (OSError, pyarrow.ArrowException) as error:
        raise BadInput(
            f"{path}: is not a parquet file that can be read: {' '.join(str(error).split())[:200]}"
        ) from None
