"""demo/make_prompts.py as users run it."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from fusechat.jsonl import read_prompts


def run_it(run_script: Any, folder: Path, *more: object) -> Any:
    return run_script(
        "demo/make_prompts.py",
        *("--output", folder / "prompts.jsonl", "--heldout", folder / "heldout.jsonl", "--report-to", "none"),
        *more,
    )


def test_the_files_hold_the_promised_prompts_of_each_domain(run_script: Any, tmp_path: Path) -> None:
    done = run_it(run_script, tmp_path)
    assert done.returncode == 0, done.stderr
    prompts = read_prompts([tmp_path / "prompts.jsonl"])
    heldout = read_prompts([tmp_path / "heldout.jsonl"])
    domains = Counter(prompt.domain for prompt in prompts.values())
    assert domains == {"math": 160, "instruction": 40, "code": 24, "chinese": 8}
    assert len(heldout) == 200
    assert all(prompt.domain == "math" and prompt.gold_answer for prompt in heldout.values())
    assert not set(prompts) & set(heldout)
    trained = {
        (prompt.meta["family"], *sorted(prompt.meta["numbers"]))
        for prompt in prompts.values()
        if prompt.domain == "math"
    }
    asked = {(prompt.meta["family"], *sorted(prompt.meta["numbers"])) for prompt in heldout.values()}
    assert not trained & asked
    texts = {prompt.messages[0].content for prompt in prompts.values()}
    assert not texts & {prompt.messages[0].content for prompt in heldout.values()}


def test_the_same_command_again_leaves_the_files_and_says_so(run_script: Any, tmp_path: Path) -> None:
    run_it(run_script, tmp_path)
    before = (tmp_path / "prompts.jsonl").read_bytes()
    again = run_it(run_script, tmp_path)
    assert again.returncode == 0
    assert again.stdout.count("is complete already") == 2
    assert (tmp_path / "prompts.jsonl").read_bytes() == before


def test_another_training_seed_changes_the_training_problems_alone(run_script: Any, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    run_it(run_script, first)
    run_it(run_script, second, "--seed", 1)
    assert (first / "heldout.jsonl").read_bytes() == (second / "heldout.jsonl").read_bytes()
    assert (first / "prompts.jsonl").read_bytes() != (second / "prompts.jsonl").read_bytes()


def test_a_maths_prompt_asks_for_the_final_number_after_four_hashes(run_script: Any, tmp_path: Path) -> None:
    run_it(run_script, tmp_path, "--train-problems", 1, "--heldout-problems", 1)
    row = json.loads((tmp_path / "heldout.jsonl").read_text(encoding="utf-8"))
    assert row["messages"][-1]["role"] == "user"
    assert "####" in row["messages"][-1]["content"]
    assert row["meta"]["part"] == "heldout"


def test_more_prompts_than_a_list_holds_is_refused_before_anything_is_written(
    run_script: Any, tmp_path: Path
) -> None:
    done = run_it(run_script, tmp_path, "--code-tasks", 25)
    assert done.returncode == 2
    assert "code_tasks.yaml: 25 prompts wanted; it holds 24" in done.stderr
    assert not list(tmp_path.iterdir())


def test_no_problems_at_all_is_refused(run_script: Any, tmp_path: Path) -> None:
    done = run_it(run_script, tmp_path, "--heldout-problems", 0)
    assert done.returncode == 2
    assert "must be at least 1" in done.stderr
    assert not list(tmp_path.iterdir())
