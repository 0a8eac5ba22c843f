"""OUTPUT_DIR of a training run: whose it is, its lock, its metrics, whether it is finished.

run.json            settings, inputs with hashes, versions; "status" is running or complete
metrics.jsonl       one line per logged step, evaluations too
checkpoints/        training state, see checkpoints.py
config.json, *.safetensors, tokenizer, README.md      the result, once it is complete
"""

import json
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from fusechat.errors import BadInput
from fusechat.folder_lock import LOCK_NAME, lock_folder
from fusechat.output_file import encode_line, write_atomically
from fusechat.run_manifest import Manifest, differing_settings

SIDE_FILES = ("run.json", "metrics.jsonl", "README.md")


class RunFolder:
    """The output folder, used by the main process alone."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder, self.manifest = folder, manifest
        self.record_path, self.metrics_path = folder / "run.json", folder / "metrics.jsonl"
        self.checkpoints = folder / "checkpoints"
        self._lock: IO[str] | None = None
        self._metrics: IO[bytes] | None = None
        self._start = time.monotonic()

    def claim(self, *, overwrite: bool) -> bool:
        """Takes the folder for this run; True if its model is finished already.

        BadInput where another process is at it, or where it holds another run (settings are named) or
        something that is no run at all.
        """
        self._lock = lock_folder(self.folder, doing="training")
        try:
            if not self.record_path.exists():
                self._refuse_foreign_content()
            elif overwrite:
                self._clear()
            elif self._is_complete():
                self.release()
                return True
            self._write_record("running", {})
        except BaseException:
            self.release()
            raise
        return False

    def _is_complete(self) -> bool:
        """Whether the run of these very settings is finished; BadInput where the folder holds another run."""
        record = json.loads(self.record_path.read_text(encoding="utf-8"))
        complete = bool(record.get("status") == "complete")
        differences = differing_settings(record.get("settings", {}), self.manifest.settings())
        # A run that came to grief before its first checkpoint has nothing to lose: its input may be mended.
        if differences and (complete or any(self.checkpoints.glob("step-*"))):
            raise BadInput(
                f"{self.folder}: holds another run, made with other settings: {'; '.join(differences)}. Give the "
                "same settings to go on, another --output-dir, or --overwrite to start anew"
            )
        return complete

    def release(self) -> None:
        """Lets go of the folder."""
        for file in (self._metrics, self._lock):
            if file is not None:
                file.close()
        self._metrics = self._lock = None

    def _refuse_foreign_content(self) -> None:
        found = sorted(path.name for path in self.folder.iterdir() if path.name not in {LOCK_NAME, "wandb"})
        if found:
            raise BadInput(
                f"{self.folder}: holds {', '.join(found[:3])} but no run.json, so it is not a run of this script; "
                "choose another --output-dir"
            )

    def _clear(self) -> None:
        """Removes an earlier run's files (--overwrite); only ever in a folder that has our run.json."""
        shutil.rmtree(self.checkpoints, ignore_errors=True)
        shutil.rmtree(self.folder / "merged", ignore_errors=True)
        for pattern in ("*.safetensors", "*.json", "*.jinja", "*.model", "*.txt", *SIDE_FILES):
            for path in self.folder.glob(pattern):
                path.unlink(missing_ok=True)

    def _write_record(self, status: str, more: Mapping[str, Any]) -> None:
        content = {**self.manifest.as_dict(), "status": status, **more}
        write_atomically(self.record_path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")

    def open_metrics(self, completed_steps: int) -> None:
        """Opens metrics.jsonl for appending, without the lines of steps after the checkpoint gone on from."""
        kept = []
        if self.metrics_path.exists():
            for line in self.metrics_path.read_bytes().split(b"\n"):
                try:
                    if line and json.loads(line)["step"] <= completed_steps:
                        kept.append(line + b"\n")
                except ValueError:
                    continue  # the torn last line of a killed run
        write_atomically(self.metrics_path, b"".join(kept))
        self._metrics = self.metrics_path.open("ab")

    def log(self, figures: Mapping[str, Any]) -> None:
        """Appends one line to metrics.jsonl."""
        assert self._metrics is not None
        self._metrics.write(encode_line(dict(figures)))
        self._metrics.flush()

    def complete(self, counts: Mapping[str, Any]) -> None:
        """Marks the run as finished: the model stands in the folder."""
        self._write_record(
            "complete", {"counts": dict(counts), "seconds": round(time.monotonic() - self._start, 1)}
        )
