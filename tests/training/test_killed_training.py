"""SIGKILL at random moments, then the same command: the losses and the weights of an unbroken run, bit for bit."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

DRIVER = Path(__file__).parent / "kill_driver.py"
TIMINGS = {"tokens_per_second", "examples_per_second", "peak_memory_gb"}


def run_driver(stage: str, seed: int, kills: int, *flags: object) -> str:
    finished = subprocess.run(
        [sys.executable, str(DRIVER), stage, str(seed), str(kills), "--report-to", "none", *map(str, flags)],
        capture_output=True, text=True, timeout=400, cwd="/", env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr[-3000:]
    return finished.stdout


@pytest.mark.slow
@pytest.mark.parametrize(("stage", "kills"), [("sft", 6), ("lndpo", 12)])
def test_a_run_killed_many_times_ends_bit_equal_to_an_unbroken_one(
    stage: str,
    kills: int,
    tiny_folders: dict[str, Path],
    data_files: dict[str, Path],
    read_metrics: Callable[[Path], list[dict[str, Any]]],
    tmp_path: Path,
) -> None:
    flags = [
        "--model", tiny_folders["llama"], "--train-file", data_files[stage], "--batch-size", 4, "--eval-size", 4,
        "--learning-rate", 1e-3, "--epochs", 8, "--checkpoint-every", 3, "--tokens-per-microbatch", 300,
    ]  # fmt: skip
    run_driver(stage, 0, 0, *flags, "--output-dir", tmp_path / "unbroken")
    output = run_driver(stage, 1, kills, *flags, "--output-dir", tmp_path / "killed")
    assert f"kills: {kills}" in output
    assert "going on after step" in output
    unbroken, killed = (
        [{k: v for k, v in line.items() if k not in TIMINGS} for line in read_metrics(tmp_path / name)]
        for name in ("unbroken", "killed")
    )
    assert len(unbroken) == 40
    assert killed == unbroken
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("unbroken", "killed")]
    assert weights[0] == weights[1]
