"""select_prompts.py as users run it, on files in the layouts of all eight datasets."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import selection_fixtures

from fusechat.records import Prompt, Response

Run = Callable[..., subprocess.CompletedProcess[str]]
SCRIPT = "sampling/select_prompts.py"


@pytest.fixture(scope="module")
def data_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return selection_fixtures.write_all(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def unvalidated(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Path:
    """The shipped settings, but without running solutions."""
    settings = (root / "sampling/selection.yaml").read_text(encoding="utf-8")
    path = tmp_path_factory.mktemp("settings") / "selection.yaml"
    path.write_text(settings.replace("enabled: true", "enabled: false"), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def finished(
    data_root: Path, unvalidated: Path, run_script: Run, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    """One run over everything: its folder, and what it printed."""
    folder = tmp_path_factory.mktemp("run")
    process = run_script(
        SCRIPT, "--data-root", data_root, "--settings", unvalidated, "--output", folder / "prompts.jsonl",
        "--dataset-responses", folder / "responses/405b.jsonl", "--report-dropped", folder / "dropped.jsonl",
        "--report-to", "none",
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    return folder, process.stdout


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def texts_by_dataset(path: Path) -> dict[str, set[str]]:
    texts: dict[str, set[str]] = {}
    for row in read(path):
        texts.setdefault(row["dataset"].rsplit("/", 1)[-1], set()).add(row["messages"][-1]["content"])
    return texts


def test_every_dataset_gives_the_prompts_that_its_filters_leave(finished: tuple[Path, str]) -> None:
    texts = texts_by_dataset(finished[0] / "prompts.jsonl")
    assert texts["UltraFeedback"] == {
        "Describe how a lighthouse guides ships at night.",
        "Plan a picnic for six people in a city park.\u2028Keep it cheap.",
        "What should I plant in a shady garden?",
        "Do bats see with their ears?",
    }
    assert texts["Magpie-Pro-DPO-100K-v0.1"] == {
        "How do tides work?",
        "Which of these two graphs fits the survey?",
        "Name a good walk near Oslo.",
    }
    assert texts["HelpSteer2"] == {"What do they eat?"}
    assert texts["OpenMathInstruct-2"] == {
        selection_fixtures.BOXES,
        "A box holds 15 pens. How many pens are in 4 boxes?",
        "Find $x$ if $2x = 10$.",
    }
    assert len(texts["leetcode"]) == 4
    assert len(texts["self-oss-instruct-sc2-exec-filter-50k"]) == 3
    assert texts["alpaca_gpt4_zh"] == {"介绍一下长城的历史。", "把下面的句子改成疑问句。\n你喜欢喝绿茶。"}
    assert texts["Magpie-Qwen2-Pro-200K-Chinese"] == {"怎样挑选一个熟透的西瓜？"}


def test_domains_gold_answers_and_turns_are_set(finished: tuple[Path, str]) -> None:
    rows = {row["messages"][-1]["content"]: row for row in read(finished[0] / "prompts.jsonl")}
    assert rows["How do tides work?"]["domain"] == "instruction"
    assert rows["怎样挑选一个熟透的西瓜？"]["domain"] == "chinese"
    assert (rows[selection_fixtures.BOXES]["domain"], rows[selection_fixtures.BOXES]["gold_answer"]) == (
        "math",
        "48",
    )
    assert [message["role"] for message in rows["What do they eat?"]["messages"]] == [
        "user",
        "assistant",
        "user",
    ]
    code = next(row for row in rows.values() if row["meta"].get("slug") == "two-sum")
    assert (code["domain"], code["tests"]["entry_point"]) == ("code", "two_sum")


def test_the_written_lines_are_valid_prompts_and_responses(finished: tuple[Path, str]) -> None:
    from fusechat.jsonl import read_jsonl, read_prompts, read_responses

    prompts = read_prompts([finished[0] / "prompts.jsonl"])
    assert all(isinstance(prompt, Prompt) for prompt in prompts.values())
    responses = list(read_responses([finished[0] / "responses/405b.jsonl"], prompts))
    assert len(responses) == len(list(read_jsonl([finished[0] / "responses/405b.jsonl"], Response))) == 4


def test_the_answers_of_the_405b_model_are_response_rows_each_text_once(finished: tuple[Path, str]) -> None:
    boxes = next(row for row in read(finished[0] / "prompts.jsonl") if row["messages"][0]["content"] == selection_fixtures.BOXES)  # fmt: skip
    rows = [
        row for row in read(finished[0] / "responses/405b.jsonl") if row["prompt_id"] == boxes["prompt_id"]
    ]
    assert {row["text"] for row in rows} == {"12 times 4 is \\boxed{48}.", "4 * 12 = \\boxed{48}"}
    assert [row["sample_index"] for row in rows] == [0, 1]
    assert {row["source"] for row in rows} == {"Llama-3.1-405B-Instruct"}
    assert rows[1]["response_id"] == f"{boxes['prompt_id']}:Llama-3.1-405B-Instruct:1"


def test_the_sidecar_accounts_for_every_row(finished: tuple[Path, str]) -> None:
    sidecar = json.loads((finished[0] / "prompts.jsonl.run.json").read_text(encoding="utf-8"))
    datasets = sidecar["counts"]["datasets"]
    assert len(datasets) == 8
    for figures in datasets.values():
        assert figures["read"] == figures["kept"] + sum(figures["dropped"].values())
    assert datasets["nvidia/HelpSteer2"]["dropped"] == {
        "broken turns": 2,
        "code by text": 2,
        "duplicate": 2,
        "duplicate in another dataset": 1,
    }
    assert sidecar["counts"]["prompts"] == 21


def test_the_table_is_printed(finished: tuple[Path, str]) -> None:
    lines = finished[1].splitlines()
    assert lines[0].split() == ["dataset", "read", "kept", "dropped"]
    assert lines[-1].split() == ["total", "51", "21", "30"]


def test_the_report_names_what_a_dropped_prompt_collides_with(finished: tuple[Path, str]) -> None:
    drops = {row["text"]: row for row in read(finished[0] / "dropped.jsonl")}
    garden = drops["What should I plant in a shady garden?"]
    assert garden["dataset"] == "nvidia/HelpSteer2"
    assert garden["reason"] == "duplicate in another dataset"
    assert garden["detail"].startswith("ultrafeedback-")


def test_rows_in_another_order_and_two_workers_give_the_same_bytes(
    finished: tuple[Path, str], unvalidated: Path, run_script: Run, tmp_path: Path
) -> None:
    turned = selection_fixtures.write_all(tmp_path / "turned", reverse=True)
    process = run_script(
        SCRIPT, "--data-root", turned, "--settings", unvalidated, "--output", tmp_path / "prompts.jsonl",
        "--dataset-responses", tmp_path / "405b.jsonl", "--workers", 2, "--report-to", "none",
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    assert (tmp_path / "prompts.jsonl").read_bytes() == (finished[0] / "prompts.jsonl").read_bytes()
    assert (tmp_path / "405b.jsonl").read_bytes() == (finished[0] / "responses/405b.jsonl").read_bytes()


def test_a_second_run_says_that_all_is_there(
    finished: tuple[Path, str], data_root: Path, unvalidated: Path, run_script: Run
) -> None:
    before = (finished[0] / "prompts.jsonl").stat().st_mtime_ns
    process = run_script(
        SCRIPT, "--data-root", data_root, "--settings", unvalidated, "--output", finished[0] / "prompts.jsonl",
        "--report-to", "none",
    )  # fmt: skip
    assert process.returncode == 0
    assert "complete already" in process.stdout
    assert (finished[0] / "prompts.jsonl").stat().st_mtime_ns == before


def test_an_interrupted_run_ends_with_the_same_bytes(
    finished: tuple[Path, str], data_root: Path, unvalidated: Path, run_script: Run, tmp_path: Path
) -> None:
    whole = (finished[0] / "prompts.jsonl").read_bytes()
    lines = whole.splitlines(keepends=True)
    (tmp_path / "out.jsonl.partial").write_bytes(b"".join(lines[:7]) + lines[7][:20])
    sidecar = (finished[0] / "prompts.jsonl.run.json").read_bytes()
    (tmp_path / "out.jsonl.partial.run.json").write_bytes(sidecar)
    process = run_on(run_script, data_root, tmp_path, "--settings", unvalidated)
    assert process.returncode == 0, process.stderr
    assert "going on after the 7 lines" in process.stdout
    assert (tmp_path / "out.jsonl").read_bytes() == whole


def test_an_interrupted_run_with_another_seed_is_not_gone_on_with(
    finished: tuple[Path, str], data_root: Path, unvalidated: Path, run_script: Run, tmp_path: Path
) -> None:
    (tmp_path / "out.jsonl.partial").write_bytes((finished[0] / "prompts.jsonl").read_bytes())
    (tmp_path / "out.jsonl.partial.run.json").write_bytes(
        (finished[0] / "prompts.jsonl.run.json").read_bytes()
    )
    process = run_on(run_script, data_root, tmp_path, "--settings", unvalidated, "--seed", 7)
    assert process.returncode == 2
    assert "seed was 42, is 7" in process.stderr


def test_answers_wanted_after_the_prompts_are_there_are_added(
    finished: tuple[Path, str], data_root: Path, unvalidated: Path, run_script: Run, tmp_path: Path
) -> None:
    shutil.copy(finished[0] / "prompts.jsonl", tmp_path / "out.jsonl")
    answers = tmp_path / "405b.jsonl"
    process = run_on(
        run_script, data_root, tmp_path, "--settings", unvalidated, "--dataset-responses", answers
    )
    assert process.returncode == 0, process.stderr
    assert answers.read_bytes() == (finished[0] / "responses/405b.jsonl").read_bytes()
    answers.unlink()
    process = run_on(
        run_script,
        data_root,
        tmp_path,
        "--settings",
        unvalidated,
        "--dataset-responses",
        answers,
        "--seed",
        7,
    )
    assert process.returncode == 2
    assert "another choice" in process.stderr


def test_the_paper_preset_runs(data_root: Path, unvalidated: Path, run_script: Run, tmp_path: Path) -> None:
    process = run_on(run_script, data_root, tmp_path, "--settings", unvalidated, "--preset", "paper")
    assert process.returncode == 0, process.stderr
    sidecar = json.loads((tmp_path / "out.jsonl.run.json").read_text(encoding="utf-8"))
    assert sidecar["settings"]["selection"]["datasets"]["openbmb/UltraFeedback"]["max_prompts"] == 51098


def test_a_cap_keeps_that_many_of_each_dataset_and_another_seed_keeps_others(
    data_root: Path, unvalidated: Path, run_script: Run, tmp_path: Path
) -> None:
    kept = {}
    for seed in range(4):
        output = tmp_path / f"{seed}.jsonl"
        process = run_script(
            SCRIPT, "--data-root", data_root, "--settings", unvalidated, "--output", output, "--max-prompts", 2,
            "--datasets", "UltraFeedback", "HelpSteer2", "--seed", seed, "--report-to", "none",
        )  # fmt: skip
        assert process.returncode == 0, process.stderr
        kept[seed] = texts_by_dataset(output)
        assert len(kept[seed]["UltraFeedback"]) == 2
        assert 1 <= len(kept[seed]["HelpSteer2"]) <= 2
    assert len({frozenset(texts["UltraFeedback"]) for texts in kept.values()}) > 1


def run_on(run_script: Run, data: Path, tmp_path: Path, *flags: object) -> subprocess.CompletedProcess[str]:
    return run_script(
        SCRIPT, "--data-root", data, "--output", tmp_path / "out.jsonl", "--report-to", "none", *flags
    )


def test_prompts_that_overlap_with_benchmark_questions_are_dropped(
    data_root: Path, unvalidated: Path, run_script: Run, tmp_path: Path
) -> None:
    questions = tmp_path / "gsm8k.jsonl"
    rows = [
        {"question": "What about tea?"},
        {"question": "a box holds 12 pens; how many pens are in 4 boxes"},
    ]
    selection_fixtures.write_json_lines(questions, rows)
    process = run_on(
        run_script, data_root, tmp_path, "--datasets", "OpenMathInstruct-2", "--settings", unvalidated,
        "--decontaminate-against", questions, "--report-dropped", tmp_path / "dropped.jsonl",
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    assert selection_fixtures.BOXES not in texts_by_dataset(tmp_path / "out.jsonl")["OpenMathInstruct-2"]
    drop = read(tmp_path / "dropped.jsonl")[0]
    assert (drop["reason"], drop["detail"]) == ("in a benchmark", f"{questions}:2")
