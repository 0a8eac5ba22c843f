"""Fetch what benchmarks need to a folder in the Hub's layout, for machines without a network.

    python evaluation/run_evals.py --benchmarks gsm8k mt_bench --download-only --data-root data

A benchmark names its needs in DOWNLOADS: files of a dataset repository of the Hub (HF_ENDPOINT and HF_TOKEN count), and
files of a GitHub repository at a commit (GITHUB_RAW_URL names a mirror). DATA_ROOT/downloads.json records what came
from where. What is there already in the wanted revision is not fetched again.
"""

import fnmatch
import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fusechat.errors import BadInput
from fusechat.output_file import write_atomically, write_json
from fusechat.progress import Progress

GITHUB_RAW_URL = "https://raw.githubusercontent.com"
RECORD = "downloads.json"
TIMEOUT_S = 60.0


@dataclass(frozen=True)
class HubFiles:
    """Files of a dataset repository of the Hub whose paths match one of the patterns."""

    repository: str
    patterns: tuple[str, ...]
    revision: str = "main"


@dataclass(frozen=True)
class GitHubFiles:
    """Files of a GitHub repository at a commit or tag."""

    repository: str
    revision: str
    paths: tuple[str, ...]


Need = HubFiles | GitHubFiles


class Failed(Exception):
    """A repository that could not be fetched; the message says why and what helps."""


def download(needs: Sequence[Need], data_root: Path) -> int:
    """Fetches all of the needs, tells each one's size and the sum, and returns it in bytes.

    What fails does not keep the rest from being fetched; BadInput names all that did at the end.
    """
    if os.environ.get("HF_HUB_OFFLINE", "") not in ("", "0"):
        raise BadInput("--download-only: HF_HUB_OFFLINE is set; unset it, or run on a machine with a network")
    data_root.mkdir(parents=True, exist_ok=True)
    record = read_record(data_root / RECORD)
    total, failures = 0, []
    unique = list(dict.fromkeys(needs))
    with Progress(len(unique), unit="repositories", description="download") as progress:
        for need in unique:
            key = f"{'Hub' if isinstance(need, HubFiles) else 'GitHub'}: {need.repository}"
            try:
                record[key] = fetched(need, data_root / need.repository, record.get(key, {}))
            except Failed as error:
                failures.append(f"{key}: {error}")
                continue
            finally:
                progress.update(1)
            write_json(data_root / RECORD, record)
            sizes = [one["size"] for one in record[key]["files"].values()]
            total += sum(sizes)
            print(f"{key}: {len(sizes)} files, {megabytes(sum(sizes))}", flush=True)
    print(f"in all: {megabytes(total)} below {data_root}", flush=True)
    if failures:
        raise BadInput(
            "not everything could be fetched: " + "; ".join(failures) + ". The same command goes on"
        )
    return total


def fetched(need: Need, folder: Path, record: dict[str, Any]) -> dict[str, Any]:
    """The record of one need's files, which are there then."""
    if isinstance(need, HubFiles):
        return hub_files(need, folder, record)
    return github_files(need, folder, record)


def megabytes(size: int) -> str:
    """`12.3 MB`; from a gigabyte on, `1.23 GB`."""
    return f"{size / 1e9:.2f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"


def read_record(path: Path) -> dict[str, Any]:
    """What was fetched before."""
    try:
        return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}
    except ValueError:
        raise BadInput(f"{path}: is not valid JSON; delete it, and files are looked at again") from None


def is_there(folder: Path, record: dict[str, Any], revision: str) -> bool:
    """Whether the files of a record are still there in full, and of this revision."""
    return record.get("asked") == revision and all(
        (folder / name).is_file() and (folder / name).stat().st_size == one["size"]
        for name, one in record["files"].items()
    )


def hub_files(need: HubFiles, folder: Path, record: dict[str, Any]) -> dict[str, Any]:
    """Fetches files of the Hub; returns their record."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError

    asked = f"{need.revision} {' '.join(need.patterns)}"
    if record and need.revision != "main" and is_there(folder, record, asked):
        return record
    try:
        snapshot_download(
            need.repository, repo_type="dataset", revision=need.revision, local_dir=folder,
            allow_patterns=list(need.patterns),
        )  # fmt: skip
    except GatedRepoError:
        raise Failed("is gated; accept its terms on its page of the Hub, and set HF_TOKEN") from None
    except RepositoryNotFoundError:
        raise Failed("is not on the Hub, or private; set HF_TOKEN where it is yours") from None
    except (HfHubHTTPError, OSError, ValueError) as error:
        raise Failed(f"{type(error).__name__}: {' '.join(str(error).split())[:200]}") from None
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and ".cache" not in path.parts]
    names = [path.relative_to(folder).as_posix() for path in paths]
    wanted = [name for name in names if any(fnmatch.fnmatch(name, pattern) for pattern in need.patterns)]
    if not wanted:
        raise Failed(f"has no file like {', '.join(need.patterns)}; its layout has changed")
    return {"asked": asked, "files": {name: fingerprint(folder / name) for name in wanted}}


def github_files(need: GitHubFiles, folder: Path, record: dict[str, Any]) -> dict[str, Any]:
    """Fetches files of GitHub; returns their record."""
    import httpx

    asked = f"{need.revision} {' '.join(need.paths)}"
    if record and is_there(folder, record, asked):
        return record
    base = os.environ.get("GITHUB_RAW_URL", GITHUB_RAW_URL).rstrip("/")
    with httpx.Client(timeout=TIMEOUT_S, follow_redirects=True) as client:
        for path in need.paths:
            try:
                response = client.get(f"{base}/{need.repository}/{need.revision}/{path}")
                response.raise_for_status()
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                raise Failed(
                    f"{path}: {type(error).__name__}: {' '.join(str(error).split())[:200]}"
                ) from None
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            write_atomically(folder / path, response.content)
    return {"asked": asked, "files": {path: fingerprint(folder / path) for path in need.paths}}


def fingerprint(path: Path) -> dict[str, Any]:
    """Size and SHA-256 of a file."""
    with path.open("rb") as file:
        return {"size": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def download_models(models: Sequence[str]) -> None:
    """Puts models that are named by a Hub id into the Hub's own cache, where a run without a network finds them."""
    from huggingface_hub import snapshot_download

    for model in models:
        if Path(model).exists():
            continue
        try:
            folder = Path(snapshot_download(model, ignore_patterns=["*.pth", "*.gguf", "original/*"]))
        except Exception as error:  # the Hub's own errors, those of the network, and those of the cache
            raise BadInput(
                f"--model {model}: cannot be fetched ({type(error).__name__}: {str(error)[:200]})"
            ) from None
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        print(f"model {model}: {megabytes(size)} in {folder}", flush=True)
