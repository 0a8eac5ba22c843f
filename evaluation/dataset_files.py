"""Benchmark data: files below `--data-root` in the Hub's layout (DIR/org/name/...), else the Hub itself.

Rows are plain dicts. Files may be parquet, JSONL, JSON (a list of rows), CSV or Arrow streams; a dataset that lacks a column that
the benchmark needs is refused with the names of both.
"""

import csv
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evaluation.switches import Switches
from fusechat.errors import BadInput

SUFFIXES = (".parquet", ".jsonl", ".json", ".csv", ".arrow")


@dataclass(frozen=True)
class Sources:
    """Where benchmark data are looked for."""

    data_root: Path | None = None
    heldout: Path | None = None
    switches: Switches = field(default_factory=Switches)

    def local_folder(self, repository: str) -> Path | None:
        """DATA_ROOT/org/name where it is there."""
        if self.data_root is None:
            return None
        folder = self.data_root / repository
        return folder if folder.is_dir() else None

    def rows(
        self, repository: str, *, split: str, columns: Sequence[str], config: str | None = None
    ) -> list[dict[str, Any]]:
        """All rows of a split, local files first."""
        folder = self.local_folder(repository)
        if folder is not None:
            files = split_files(folder, config, split)
            rows = [row for path in files for row in read_rows(path)]
            where = ", ".join(map(str, files))
        else:
            rows = self._rows_from_hub(repository, config, split)
            where = f"{repository} ({config or 'default'}, {split})"
        check_columns(rows, columns, where)
        return rows

    def configs(self, repository: str) -> list[str]:
        """The names of a dataset's configs: its folders with files of rows where it is local, else the Hub's."""
        folder = self.local_folder(repository)
        if folder is not None:
            return sorted(
                place.name
                for place in folder.iterdir()
                if place.is_dir() and any(path.suffix in SUFFIXES for path in place.iterdir())
            )
        from datasets import get_dataset_config_names

        try:
            return list(get_dataset_config_names(repository))
        except (OSError, ValueError, RuntimeError) as error:
            raise not_on_hub(repository, error) from None

    def hub_file(self, repository: str, name: str) -> Path:
        """One file of a dataset repository, local or from the Hub; for those that `datasets` cannot load."""
        folder = self.local_folder(repository)
        if folder is not None and (folder / name).is_file():
            return folder / name
        from huggingface_hub import hf_hub_download

        try:
            return Path(hf_hub_download(repository, name, repo_type="dataset"))
        except Exception as error:  # the Hub's own errors, those of the network, and those of the cache
            raise BadInput(
                f"{repository}/{name}: is neither below --data-root nor on a Hub that answers "
                f"({type(error).__name__}); fetch it with --download-only where there is a network"
            ) from None

    def _rows_from_hub(self, repository: str, config: str | None, split: str) -> list[dict[str, Any]]:
        offline = any(
            os.environ.get(name, "") not in ("", "0") for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE")
        )
        if self.data_root is not None and offline:
            raise BadInput(
                f"{self.data_root / repository}: no such folder; put the dataset {repository} there"
            )
        from datasets import load_dataset

        try:
            return [dict(row) for row in load_dataset(repository, config, split=split)]
        except (OSError, ValueError, RuntimeError) as error:
            raise not_on_hub(repository, error) from None


def not_on_hub(repository: str, error: Exception) -> BadInput:
    """What to say of a dataset that the Hub does not give."""
    return BadInput(
        f"{repository}: cannot be loaded from the Hub ({type(error).__name__}: "
        f"{' '.join(str(error).split())[:200]}); give --data-root DIR with {repository} below it"
    )


def split_files(folder: Path, config: str | None, split: str) -> list[Path]:
    """The files of a split in a dataset's folder, by the Hub's usual names."""
    places = [folder / config, folder / "data" / config] if config else []
    places += [folder / "data", folder]
    for place in places:
        for suffix in SUFFIXES:
            found = sorted(place.glob(f"{split}{suffix}")) or sorted(place.glob(f"{split}-[0-9]*{suffix}"))
            if found:
                return found
    # Saved by datasets itself: one split a folder.
    if config and (found := sorted((folder / config).glob("data-[0-9]*.arrow"))):
        return found
    name = f"{config}/{split}" if config else split
    raise BadInput(
        f"{folder}: holds no file {name}*.parquet, .jsonl, .json, .csv or .arrow; download the dataset again"
    )


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of one file."""
    try:
        if path.suffix == ".parquet":
            import pyarrow.parquet

            return pyarrow.parquet.read_table(path).to_pylist()
        if path.suffix == ".arrow":
            import pyarrow.ipc

            with pyarrow.ipc.open_stream(path) as stream:
                return stream.read_all().to_pylist()
        if path.suffix == ".csv":
            with path.open(encoding="utf-8", newline="") as file:
                return list(csv.DictReader(file))
        if path.suffix == ".json":
            rows = json.loads(path.read_bytes())
            if not isinstance(rows, list):
                raise BadInput(f"{path}: holds no list of rows")
            return rows
        return list(iterate_rows(path))
    except (OSError, ValueError) as error:
        raise BadInput(f"{path}: cannot be read: {' '.join(str(error).split())[:200]}") from None


def iterate_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a JSONL file, one by one."""
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield _json_row(line, f"{path}:{number}")
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror}") from None


def _json_row(line: bytes, location: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise BadInput(f"{location}: is not valid JSON: {error}") from None
    if not isinstance(row, dict):
        raise BadInput(f"{location}: is not a JSON object")
    return row


def check_columns(rows: Sequence[dict[str, Any]], columns: Sequence[str], where: str) -> None:
    """BadInput where the data are empty or a needed column is missing."""
    if not rows:
        raise BadInput(f"{where}: holds no rows; download the dataset again")
    missing = [column for column in columns if column not in rows[0]]
    if missing:
        raise BadInput(
            f"{where}: lacks the column {', '.join(missing)}; it has {', '.join(rows[0])}. Is it the right dataset?"
        )
