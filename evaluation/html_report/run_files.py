"""Which files of a run folder are there, what is still missing, and how the report links to them."""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from fusechat.errors import BadInput
from fusechat.inputs import SHARD_NAME, expand_inputs
from fusechat.jsonl import describe_decode_error, read_located

ContentT = TypeVar("ContentT")

WRITERS = {
    "prompts.jsonl": "sampling/select_prompts.py",
    "responses": "sampling/sample_vllm.py",
    "rm_scores.jsonl": "scoring/score_armorm.py",
    "code_tests.jsonl": "scoring/run_code_tests.py",
    "math_checks.jsonl": "scoring/check_math.py",
    "pairs/composition.json": "scoring/make_pairs.py",
    "pairs/sft.jsonl": "scoring/make_pairs.py",
    "pairs/dpo.jsonl": "scoring/make_pairs.py",
    "models/armorm/fit_report.json": "scoring/fit_armorm.py",
    "models": "training/train_sft.py and training/train_lndpo.py",
    "evaluation/scores.json": "evaluation/run_evals.py",
}


@dataclass(frozen=True)
class Part:
    """One part of a run: its files, or the reason why there are none yet."""

    name: str
    paths: tuple[Path, ...] = ()
    missing: str | None = None

    def __bool__(self) -> bool:
        return bool(self.paths)


class RunFolder:
    """A run's folder as the report reads it; links are relative to the folder that the report is written to."""

    def __init__(self, root: Path, report_folder: Path) -> None:
        if not root.is_dir():
            raise BadInput(
                f"--run-dir {root}: no such folder; give the folder that holds prompts.jsonl, responses/, pairs/ …"
            )
        self.root, self.report_folder = root, report_folder

    def part(self, name: str) -> Part:
        """A file of the run by its name, as one file or as a whole set of shards."""
        path = self.root / name
        try:
            return Part(name, tuple(expand_inputs([path])))
        except BadInput as error:
            if path.with_name(path.name + ".partial").exists():
                return Part(name, missing=f"{name} is not finished yet: its step is at work, or was stopped")
            if list(path.parent.glob(f"{path.stem}-[0-9]*-of-[0-9]*{path.suffix}*")):
                return Part(name, missing=f"not all shards of {name} are there yet: {self.short(str(error))}")
        return Part(name, missing=f"{name} is not there yet; {WRITERS.get(name, 'a later step')} writes it")

    def response_parts(self) -> list[Part]:
        """The files of `responses/`, shards of a set as one part; one part without files where there are none."""
        folder = self.root / "responses"
        names: dict[str, None] = {}
        for path in sorted(folder.glob("*.jsonl*")):
            if path.name.endswith((".jsonl", ".jsonl.partial")):
                name = path.name.removesuffix(".partial")
                match = SHARD_NAME.match(name)
                names[f"{match['stem']}.jsonl" if match else name] = None
        parts = [self.part(f"responses/{name}") for name in names]
        return parts or [
            Part("responses", missing=f"responses/ is not there yet; {WRITERS['responses']} fills it")
        ]

    def model_folders(self) -> list[Path]:
        """The trained models: folders under models/ with a metrics.jsonl, in the order they were trained."""
        folders = [path.parent for path in (self.root / "models").glob("*/metrics.jsonl")]
        return sorted(folders, key=lambda folder: (first_written(folder), folder.name))

    def href(self, path: Path) -> str:
        """The relative link to a file, safe in an address."""
        return quote(os.path.relpath(path, self.report_folder).replace(os.sep, "/"))

    def short(self, text: str) -> str:
        """A text without the run folder's own path in front of file names."""
        return text.replace(f"{self.root}{os.sep}", "")

    def name(self, path: Path) -> str:
        """A file's name inside the run."""
        return path.relative_to(self.root).as_posix()


def first_written(folder: Path) -> str:
    """When a training run began, by its run.json; empty where that is not known."""
    return str(sidecar(folder / "run.json").get("started", ""))


def read_rows(paths: Sequence[Path], record_type: type[ContentT]) -> Iterator[tuple[ContentT, str]]:
    """(record, file:line) of every line. An empty file has no rows: some steps rightly have nothing to write."""
    filled = [path for path in paths if path.stat().st_size > 0]
    if filled:
        yield from read_located(filled, record_type)


def read_json(path: Path, content_type: type[ContentT]) -> ContentT:
    """A JSON file's content, with the types checked; BadInput names the file, the line or field, and the fault."""
    try:
        data = path.read_bytes()
        return msgspec.json.decode(data, type=content_type)
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror}") from None
    except msgspec.ValidationError as error:
        raise BadInput(f"{path}: {describe_decode_error(error)}; run the step that writes it again") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise BadInput(
            f"{path}:{broken_line(data)}: is not valid JSON; run the step that writes it again"
        ) from None


def broken_line(data: bytes) -> int:
    """The line of a JSON text at which it stops being JSON."""
    try:
        json.loads(data)
    except json.JSONDecodeError as error:
        return error.lineno
    except UnicodeDecodeError as error:
        return data.count(b"\n", 0, error.start) + 1
    return 1


def sidecar(path: Path) -> dict[str, Any]:
    """The content of a run.json; empty where there is none or it cannot be read (it is no result, only a note)."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
