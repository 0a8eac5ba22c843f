"""run_evals.py as a user runs it, through the real vLLM engine with tiny random models."""

import json
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from tiny_models import make_tiny_model

Write = Callable[[str, Iterable[Any]], Path]


def heldout_rows(count: int) -> list[dict[str, Any]]:
    return [
        {
            "prompt_id": f"made-{index}",
            "dataset": "made/here",
            "domain": "math",
            "messages": [{"role": "user", "content": f"What is {index} plus {index}?"}],
            "gold_answer": str(2 * index),
            "meta": {"family": "sums" if index % 2 else "doubles"},
        }
        for index in range(count)
    ]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    return {
        "base": make_tiny_model(folder / "first", "qwen2", hidden_size=128, seed=1),
        "tuned": make_tiny_model(folder / "second", "llama", hidden_size=128, seed=2),
    }


@pytest.fixture
def data(write_jsonl: Write, tmp_path: Path) -> Path:
    write_jsonl("hub/fusechat-demo/word-problems/heldout.jsonl", heldout_rows(6))
    rows = [{"question": f"What is {n} and {n}?", "answer": f"#### {2 * n}"} for n in range(4)]
    write_jsonl("hub/openai/gsm8k/main/test.jsonl", rows)
    question = {
        "question_id": 3,
        "question": "Pick",
        "options": ["a", "b"],
        "answer_index": 1,
        "category": "law",
    }
    write_jsonl("hub/TIGER-Lab/MMLU-Pro/data/test.jsonl", [question])
    return tmp_path / "hub"


def arguments(models: dict[str, Path], data: Path, output: Path, *more: object) -> list[object]:
    return [
        "--model", *[f"{name}={path}" for name, path in models.items()], "--data-root", data, "--output-dir", output,
        "--max-tokens", 12, "--max-model-len", 1024, "--report-to", "none", *more,
    ]  # fmt: skip


def scores_of(output: Path) -> Any:
    return json.loads((output / "scores.json").read_text(encoding="utf-8"))


@pytest.mark.slow
def test_two_models_are_generated_scored_compared_and_scored_again_without_a_model(
    models: dict[str, Path], data: Path, tmp_path: Path, run_script: Any
) -> None:
    output = tmp_path / "evaluation"
    names = ("demo_word_problems", "gsm8k", "mmlu_pro")
    result = run_script("evaluation/run_evals.py", *arguments(models, data, output, "--benchmarks", *names))
    assert result.returncode == 0, result.stderr
    scores = scores_of(output)
    assert scores["models"] == ["base", "tuned"]
    assert {name: entry["models"]["base"]["n"] for name, entry in scores["benchmarks"].items()} == {
        "demo_word_problems": 6, "gsm8k": 4, "mmlu_pro": 1,
    }  # fmt: skip
    entry = scores["benchmarks"]["demo_word_problems"]["models"]["tuned"]
    assert entry["complete"] and entry["difference_to_first"]["n"] == 6
    parameters = entry["parameters"]
    assert (parameters["family"], parameters["max_tokens"], parameters["seed"]) == ("llama", 12, 0)
    assert "temperature=0.0" in parameters["generating"][0]
    assert set(entry["breakdown"]) == {"family: doubles", "family: sums"}
    table = (output / "scores.md").read_text(encoding="utf-8")
    assert "| benchmark | n | base | tuned |" in table and "Paired difference to base" in table
    lines = (output / "generations" / "tuned" / "gsm8k.jsonl").read_text(encoding="utf-8").splitlines()
    generations = [json.loads(line) for line in lines]
    assert [row["generation_id"] for row in generations] == [f"gsm8k-{n}:0" for n in range(4)]
    assert all(row["num_tokens"] <= 12 for row in generations)

    # A right answer written by hand shows that the scores come from the generations, and without any model.
    first = json.loads(lines[1]) | {"text": "so \\boxed{2}"}
    changed = [lines[0], json.dumps(first), *lines[2:]]
    (output / "generations" / "tuned" / "gsm8k.jsonl").write_text("\n".join(changed) + "\n", encoding="utf-8")
    gone = {name: path.parent / "gone" / path.name for name, path in models.items()}
    again = run_script(
        "evaluation/run_evals.py", *arguments(gone, data, output, "--benchmarks", *names, "--rescore")
    )
    assert again.returncode == 0, again.stderr
    rescored = scores_of(output)["benchmarks"]["gsm8k"]["models"]["tuned"]["score"]
    assert rescored == scores["benchmarks"]["gsm8k"]["models"]["tuned"]["score"] + 25.0
    assert scores_of(output)["benchmarks"]["mmlu_pro"] == scores["benchmarks"]["mmlu_pro"]


@pytest.mark.slow
def test_an_interrupted_generation_goes_on_and_finished_ones_are_not_mixed_with_other_settings(
    models: dict[str, Path], data: Path, tmp_path: Path, run_script: Any
) -> None:
    one = {"base": models["base"]}
    whole = tmp_path / "whole"
    done = run_script(
        "evaluation/run_evals.py", *arguments(one, data, whole, "--benchmarks", "demo_word_problems")
    )
    assert done.returncode == 0, done.stderr
    torn = tmp_path / "torn"
    folder = torn / "generations" / "base"
    folder.mkdir(parents=True)
    name = "demo_word_problems.jsonl"
    lines = (whole / "generations" / "base" / name).read_bytes().splitlines(keepends=True)
    (folder / f"{name}.partial").write_bytes(lines[3] + lines[1] + lines[0][:20])
    shutil.copy(whole / "generations" / "base" / f"{name}.run.json", folder / f"{name}.partial.run.json")

    unfinished = run_script(
        "evaluation/run_evals.py",
        *arguments(one, data, torn, "--benchmarks", "demo_word_problems", "--rescore"),
    )
    assert unfinished.returncode == 2 and "6 of 6 items missing" in unfinished.stderr
    assert scores_of(torn)["benchmarks"]["demo_word_problems"]["models"]["base"]["score"] is None
    assert "incomplete" in (torn / "scores.md").read_text(encoding="utf-8")

    result = run_script(
        "evaluation/run_evals.py", *arguments(one, data, torn, "--benchmarks", "demo_word_problems")
    )
    assert result.returncode == 0, result.stderr
    assert "going on after the 2 lines" in result.stdout
    rows = [json.loads(line) for line in (folder / name).read_text(encoding="utf-8").splitlines()]
    assert [row["generation_id"] for row in rows] == [f"made-{n}:0" for n in range(6)]
    other = run_script(
        "evaluation/run_evals.py",
        *arguments(one, data, torn, "--benchmarks", "demo_word_problems", "--seed", 5),
    )
    assert other.returncode == 2 and "seed" in other.stderr


@pytest.mark.parametrize(
    ("name", "rows", "message"),
    [
        ("openai/gsm8k/main/test.jsonl", [{"question": "q", "label": "x"}], "lacks the column answer"),
        ("openai/gsm8k/main/test.jsonl", [{"question": "q", "answer": 5}], "gsm8k: its data are of another form"),
        ("TIGER-Lab/MMLU-Pro/data/test.jsonl",
         [{"question_id": 1, "question": "q", "options": ["a"], "answer_index": 0, "category": "c"},
          {"question_id": 2, "question": "q"}], "mmlu_pro: its data are of another form (no 'options')"),
        ("TIGER-Lab/MMLU-Pro/data/test.jsonl",
         [{"question_id": 7, "question": "q", "options": ["a", "b"], "answer_index": 2, "category": "c"}],
         "mmlu_pro-7: answer 2 is none of its 2 options"),
    ],
)  # fmt: skip
def test_data_of_another_form_are_told_in_one_line(
    name: str, rows: list[Any], message: str, write_jsonl: Write, tmp_path: Path, run_script: Any
) -> None:
    write_jsonl(f"hub/{name}", rows)
    result = run_script(
        "evaluation/run_evals.py", "--model", "m=made/here", "--benchmarks", "gsm8k" if "gsm8k" in name else "mmlu_pro",
        "--data-root", tmp_path / "hub", "--output-dir", tmp_path / "out", "--report-to", "none",
    )  # fmt: skip
    assert result.returncode == 2 and message in result.stderr and result.stderr.count("\n") == 1


def test_a_tokenizer_without_chat_template_is_refused_before_any_engine_starts(
    models: dict[str, Path], data: Path, tmp_path: Path, run_script: Any
) -> None:
    bare = tmp_path / "bare"
    shutil.copytree(models["tuned"], bare)
    (bare / "chat_template.jinja").unlink(missing_ok=True)
    settings = json.loads((bare / "tokenizer_config.json").read_text(encoding="utf-8"))
    settings.pop("chat_template", None)
    (bare / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    given = {"good": models["base"], "bare": bare}
    output = tmp_path / "out"
    result = run_script("evaluation/run_evals.py", *arguments(given, data, output, "--benchmarks", "gsm8k"))
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1 and f"{bare}: its tokenizer has no chat template" in result.stderr
    assert "engine started" not in result.stdout and not (output / "generations").exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--benchmarks", "glue"], "known are: demo_word_problems"),
        (["--benchmarks", "gsm8k", "--limit", "0"], "--limit 0"),
        (["--benchmarks", "amc23"], "math-ai/amc23"),
        (["--benchmarks", "demo_word_problems", "--heldout", "/nowhere.jsonl"], "/nowhere.jsonl"),
    ],
)
def test_bad_settings_are_refused_before_any_model_is_loaded(
    more: list[str], message: str, data: Path, tmp_path: Path, run_script: Any
) -> None:
    nothing = {"base": tmp_path / "none"}
    result = run_script("evaluation/run_evals.py", *arguments(nothing, data, tmp_path / "out", *more))
    assert result.returncode == 2, result.stderr
    assert message in result.stderr and "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["a/model", "b/model"], "comes twice"),
        (["/no/such/folder/here"], "/no/such/folder/here"),
        (["=x"], "NAME=PATH"),
    ],
)
def test_models_need_names_of_their_own_and_folders_that_are_there(
    given: list[str], message: str, data: Path, tmp_path: Path, run_script: Any
) -> None:
    result = run_script(
        "evaluation/run_evals.py", "--model", *given, "--benchmarks", "gsm8k", "--data-root", data,
        "--output-dir", tmp_path / "out", "--report-to", "none",
    )  # fmt: skip
    assert result.returncode == 2 and message in result.stderr
    assert not (tmp_path / "out").exists()
