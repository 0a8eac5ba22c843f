"""The benchmarks of the evaluation's speed run, check their own scores, and print each of their figures."""

import json
from pathlib import Path
from typing import Any

import pytest
from tiny_models import make_tiny_model


@pytest.mark.slow
def test_scoring_is_measured_on_small_numbers(tmp_path: Path, run_script: Any) -> None:
    result = run_script(
        "evaluation/bench_scoring.py", "--choices", 50, "--maths", 20, "--problems", 2, "--tests", 3, "--workers", 2,
        "--output", tmp_path / "figures.json",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    for words in ("50 MMLU-Pro outputs", "20 maths answers", "20 LiveCodeBench programs"):
        assert words in result.stdout
    figures = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
    assert figures["mmlu_pro_whole_command_s"] > figures["mmlu_pro_s"] > 0


@pytest.mark.slow
def test_overhead_is_measured_on_small_numbers(tmp_path: Path, run_script: Any) -> None:
    model = make_tiny_model(tmp_path / "model", "llama", hidden_size=128, seed=3)
    result = run_script(
        "evaluation/bench_overhead.py", "--items", 2, "--max-tokens", 4, "--rounds", 1, "--model", model,
        "--output", tmp_path / "figures.json",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "over bare generation" in result.stdout
    figures = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
    assert len(figures["bare_s"]) == len(figures["run_evals_s"]) == 1


def test_impossible_sizes_are_refused(run_script: Any) -> None:
    result = run_script("evaluation/bench_scoring.py", "--maths", 0)
    assert result.returncode == 2 and "must be 1 or more" in result.stderr
