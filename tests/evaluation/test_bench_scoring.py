"""The benchmark of the evaluation's speed runs, checks its own scores, and prints each of its figures."""

import json
from pathlib import Path
from typing import Any

import pytest
from tiny_models import make_tiny_model


@pytest.mark.slow
def test_every_figure_is_measured_on_small_numbers(tmp_path: Path, run_script: Any) -> None:
    model = make_tiny_model(tmp_path / "model", "llama", hidden_size=128, seed=3)
    result = run_script(
        "evaluation/bench_scoring.py", "--choices", 50, "--maths", 20, "--problems", 2, "--tests", 3, "--items", 2,
        "--max-tokens", 4, "--rounds", 1, "--model", model, "--output", tmp_path / "figures.json", "--workers", 2,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    for words in (
        "50 MMLU-Pro outputs",
        "20 maths answers",
        "20 LiveCodeBench programs",
        "over bare generation",
    ):
        assert words in result.stdout
    figures = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
    assert figures["mmlu_pro_whole_command_s"] > figures["mmlu_pro_s"] > 0
    assert len(figures["bare_s"]) == len(figures["run_evals_s"]) == 1


def test_impossible_sizes_are_refused(run_script: Any) -> None:
    result = run_script("evaluation/bench_scoring.py", "--maths", 0)
    assert result.returncode == 2 and "must be 1 or more" in result.stderr
