"""The demo's commands: flags that the scripts have, in an order in which every input is there, and their summary."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from demo.run_demo import parse_sources, run_step
from demo.steps import FULL, SMOKE, Demo, Sizes, Step, all_steps, margin_window
from demo.summary import score_lines, summary_lines
from fusechat.command_line import read_yaml
from fusechat.errors import BadInput


def make_demo(run_dir: Path, sizes: Sizes = FULL, sources: tuple[str, ...] = ("smollm2", "gemma")) -> Demo:
    return Demo(
        run_dir=run_dir, models_dir=run_dir / "source_models", sources=sources, sizes=sizes, report_to="none"
    )


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """A run folder with the one file that a later command is made from."""
    report = tmp_path / "models" / "armorm" / "fit_report.json"
    report.parent.mkdir(parents=True)
    content = {"margin": {"low": 0.0123, "high": 0.25}, "pair_accuracy": {"held_out": 0.8125}}
    report.write_text(json.dumps(content), encoding="utf-8")
    return tmp_path


def commands(demo: Demo) -> list[list[str]]:
    return [step.command() for step in all_steps(demo)]


def script_of(command: list[str]) -> str:
    return next(part for part in command if part.endswith(".py"))


def test_the_demo_goes_through_every_step_of_the_recipe(run_dir: Path) -> None:
    assert [script_of(command) for command in commands(make_demo(run_dir))] == [
        "demo/prepare_models.py",
        "demo/make_prompts.py",
        "sampling/sample_vllm.py",
        "sampling/sample_vllm.py",
        "scoring/run_code_tests.py",
        "scoring/check_math.py",
        "demo/rate_answers.py",
        "scoring/fit_armorm.py",
        "scoring/score_armorm.py",
        "scoring/make_pairs.py",
        "training/train_sft.py",
        "training/train_lndpo.py",
        "evaluation/run_evals.py",
        "evaluation/report.py",
    ]


@pytest.mark.parametrize("sizes", [FULL, SMOKE], ids=["full", "smoke"])
def test_every_script_has_the_flags_that_the_demo_gives(
    sizes: Sizes, run_dir: Path, root: Path, run_script: Callable[..., Any]
) -> None:
    helps: dict[str, str] = {}
    for command in commands(make_demo(run_dir, sizes)):
        script = script_of(command)
        if script not in helps:
            done = run_script(script, "--help", COLUMNS="200")
            assert done.returncode == 0, done.stderr
            helps[script] = done.stdout
        known = set(re.findall(r"--[a-z][a-z-]*", helps[script]))
        given = {part for part in command[command.index(script) :] if part.startswith("--")}
        assert given <= known, f"{script}: {sorted(given - known)}"


def test_every_file_of_the_repository_that_a_command_names_is_there(run_dir: Path, root: Path) -> None:
    for command in commands(make_demo(run_dir)):
        for part in command:
            if part.endswith((".py", ".yaml")):
                assert (root / part).is_file(), part


def test_one_source_alone_is_the_only_one_named(run_dir: Path) -> None:
    text = json.dumps(commands(make_demo(run_dir, sources=("smollm2",))))
    assert "smollm2" in text
    assert "gemma" not in text


def test_the_target_is_prepared_even_where_it_is_no_source(run_dir: Path) -> None:
    assert commands(make_demo(run_dir, sources=("gemma",)))[0][-2:] == ["smollm2", "gemma"]


def test_the_held_out_problems_are_named_by_the_evaluation_alone(run_dir: Path) -> None:
    heldout = str(run_dir / "heldout.jsonl")
    naming = [script_of(command) for command in commands(make_demo(run_dir)) if heldout in command]
    assert naming == ["demo/make_prompts.py", "evaluation/run_evals.py"]


def test_the_margin_window_comes_from_the_fitted_head(run_dir: Path) -> None:
    assert margin_window(run_dir / "models" / "armorm" / "fit_report.json") == ["--margin", "0.0123", "0.25"]


def test_a_fit_without_a_window_is_told(tmp_path: Path) -> None:
    report = tmp_path / "fit_report.json"
    report.write_text('{"margin": {"low": null, "high": null}}', encoding="utf-8")
    with pytest.raises(BadInput, match="sample at least two answers"):
        margin_window(report)


def test_an_unknown_source_is_refused_with_the_known_ones() -> None:
    assert parse_sources("smollm2, gemma") == ("smollm2", "gemma")
    for text in ("llama", "", "smollm2,qwen"):
        with pytest.raises(BadInput, match="smollm2, gemma"):
            parse_sources(text)


def test_the_demo_stops_at_a_failing_step_with_its_status(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        run_step(Step("Fails", lambda: ["python", "-c", "raise SystemExit(3)"]), 2, 9)
    assert stop.value.code == 3
    told = capfd.readouterr()
    assert "$ python -c 'raise SystemExit(3)'" in told.out
    assert "step 2 (Fails) ended with status 3" in told.err


def test_a_step_that_a_signal_ends_gives_the_shells_status() -> None:
    kill = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    with pytest.raises(SystemExit) as stop:
        run_step(Step("Killed", lambda: ["python", "-c", kill]), 1, 1)
    assert stop.value.code == 137


def test_the_sources_have_the_names_and_folders_that_the_demo_uses(root: Path) -> None:
    sources = read_yaml(root / "demo" / "sources.yaml")
    assert set(sources) == {"smollm2", "gemma"}
    demo = make_demo(Path("runs/demo"))
    for name, source in sources.items():
        assert Path(source["model"]).name == Path(demo.model(name)).name
        assert source["top_p"] == 1.0


SCORES = {
    "benchmarks": {
        "demo_word_problems": {
            "title": "Held-out word problems",
            "models": {
                "base": {"score": 10.0, "standard_error": 2.1, "n": 200},
                "lndpo": {
                    "score": 25.5, "standard_error": 3.1, "n": 200,
                    "difference_to_first": {"difference": 15.5, "interval_95": [9.0, 22.0], "more_than_noise": True},
                },
            },
        },
        "humaneval": {
            "title": "HumanEval",
            "models": {
                "base": {"score": 4.0, "standard_error": 1.5, "n": 164},
                "lndpo": {
                    "score": 3.0, "standard_error": 1.3, "n": 164,
                    "difference_to_first": {"difference": -1.0, "interval_95": [-4.0, 2.0], "more_than_noise": False},
                },
            },
        },
    }
}  # fmt: skip


def test_the_summary_shows_score_difference_and_interval_of_each_model() -> None:
    text = "\n".join(score_lines(SCORES))
    assert "Held-out word problems, 200 problems, greedy" in text
    assert re.search(r"lndpo +25\.5 % ± 3\.1 +\+15\.5 \[\+9\.0, \+22\.0\]$", text, re.MULTILINE)
    assert "HumanEval (pass@1), 164 problems" in text
    assert "-1.0 [-4.0, +2.0] (may be noise)" in text


def test_the_summary_names_rows_scores_times_and_files(run_dir: Path) -> None:
    for name, content in (
        ("pairs/composition.md", "| domain | sft | dpo |"),
        ("evaluation/scores.json", json.dumps(SCORES)),
    ):
        (run_dir / name).parent.mkdir(exist_ok=True)
        (run_dir / name).write_text(content, encoding="utf-8")
    text = "\n".join(summary_lines(make_demo(run_dir), {"Sampling": 100.4, "Training": 50.0}))
    assert "| domain | sft | dpo |" in text
    assert "0.0123 to 0.25" in text
    assert "81.2 %" in text
    assert re.search(r"all +150 s", text)
    assert "models/lndpo" in text
    assert text.endswith(f"Open the report in a browser: {run_dir.resolve() / 'report.html'}")


def test_the_driver_tells_wrong_sources_before_it_runs_anything(root: Path, tmp_path: Path) -> None:
    command = [sys.executable, str(root / "demo" / "run_demo.py"), "--sources", "nobody"]
    done = subprocess.run(
        [*command, "--run-dir", str(tmp_path / "run")], capture_output=True, text=True, env={**os.environ}
    )
    assert done.returncode == 2
    assert "--sources nobody" in done.stderr
    assert not (tmp_path / "run").exists()
