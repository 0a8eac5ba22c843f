"""What all tests share: the repository's root, running a script in a process of its own, small input files.

`make test` runs two files at a time (pytest-xdist). Each of its workers keeps to its own part of the processor's cores:
OpenMP threads of two tests on the same cores would wait for each other, ten times as long as alone.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
LINES_AT_END = pytest.StashKey[list[str]]()

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("WANDB_MODE", "offline")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

if "PYTEST_XDIST_WORKER" in os.environ:
    _count, _number = int(os.environ["PYTEST_XDIST_WORKER_COUNT"]), int(os.environ["PYTEST_XDIST_WORKER"][2:])
    _cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, _cores[_number::_count] or _cores)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with many slow tests first, so that no worker is left with one of them at the end."""
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])


@pytest.fixture(scope="session")
def lines_at_end(request: pytest.FixtureRequest) -> list[str]:
    """Takes lines that are printed when all tests are done, whichever worker has them."""
    return request.config.stash.setdefault(LINES_AT_END, [])


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker hands its lines to the process that prints."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["lines_at_end"] = session.config.stash.get(LINES_AT_END, [])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Takes a worker's lines; one that crashed has none."""
    lines = getattr(node, "workeroutput", {}).get("lines_at_end", [])
    node.config.stash.setdefault(LINES_AT_END, []).extend(lines)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Prints the lines."""
    for line in config.stash.get(LINES_AT_END, []):
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's root."""
    return ROOT


@pytest.fixture(scope="session")
def reference_data() -> Path:
    """Judged outputs with known scores, beside the project; tests that need them skip where they are absent."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"reference data is not at {folder}")
    return folder


RunScript = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def run_script() -> RunScript:
    """Runs `python SCRIPT ARGS…` from another folder, as users do; returns the finished process."""

    def run(script: str, *arguments: object, timeout: float = 300, **environment: str) -> Any:
        return subprocess.run(
            [sys.executable, str(ROOT / script), *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=timeout,
            cwd="/",
            env={**os.environ, **environment},
        )

    return run


@pytest.fixture
def write_jsonl(tmp_path: Path) -> Callable[[str, Iterable[Any]], Path]:
    """Writes rows (dicts, or raw strings as they are) to a JSONL file in the test's folder."""

    def write(name: str, rows: Iterable[Any]) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return path

    return write
