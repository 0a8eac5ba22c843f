"""check_math.py as a user runs it: verdicts, resuming, bad input."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

Write = Callable[[str, Iterable[Any]], Path]


def prompt(prompt_id: str, gold_answer: str | None, domain: str = "math") -> dict[str, Any]:
    return {
        "prompt_id": prompt_id,
        "dataset": "made/here",
        "domain": domain,
        "messages": [{"role": "user", "content": f"question {prompt_id}"}],
        "gold_answer": gold_answer,
    }


def response(prompt_id: str, index: int, text: str) -> dict[str, Any]:
    return {
        "response_id": f"{prompt_id}:one:{index}",
        "prompt_id": prompt_id,
        "source": "one",
        "sample_index": index,
        "text": text,
        "finish_reason": "stop",
        "num_tokens": 5,
        "seed": 0,
    }


PROMPTS = [
    prompt("a", r"\frac{1}{2}"),
    prompt("b", None),
    prompt("c", None, "code"),
    prompt("d", r"2\sqrt{3}"),
]
RESPONSES = [
    response("d", 0, r"thus \boxed{\sqrt{12}}"),
    response("d", 1, r"thus \boxed{9^{9^{9^{9}}}}"),
    response("a", 0, "#### 0.5"),
    response("c", 0, "print(1)"),
    response("b", 0, "The answer is 5."),
    response("a", 1, ""),
    response("a", 2, "perhaps 3"),
    response("a", 3, "z" * 3_000_000 + "\x00 1/3"),
]
VERDICTS: list[tuple[str, bool | None, str | None, str | None]] = [
    ("d:one:0", True, r"\sqrt{12}", None),
    ("d:one:1", None, "9^{9^{9^{9}}}", "timeout after 1 s"),
    ("a:one:0", True, "0.5", None),
    ("b:one:0", None, "5", "no gold answer"),
    ("a:one:1", False, None, None),
    ("a:one:2", False, "3", None),
    ("a:one:3", False, "3", None),
]


def read(path: Path) -> list[tuple[str, bool | None, str | None, str | None]]:
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [(row["response_id"], row["correct"], row["extracted"], row["reason"]) for row in rows]


@pytest.fixture
def files(write_jsonl: Write) -> tuple[Path, Path]:
    return write_jsonl("prompts.jsonl", PROMPTS), write_jsonl("responses.jsonl", RESPONSES)


def arguments(files: tuple[Path, Path], output: Path, workers: int = 2) -> list[object]:
    return [
        "--prompts", files[0], "--responses", files[1], "--output", output,
        "--timeout", 1, "--workers", workers, "--report-to", "none",
    ]  # fmt: skip


def test_every_maths_answer_gets_one_verdict_in_the_order_of_the_input(
    files: tuple[Path, Path], tmp_path: Path, run_script: Any
) -> None:
    output = tmp_path / "math_checks.jsonl"
    result = run_script("scoring/check_math.py", *arguments(files, output))
    assert result.returncode == 0, result.stderr
    assert read(output) == VERDICTS
    assert "read 7 maths answers" in result.stdout
    assert "correct: 2" in result.stdout
    assert "null: no gold answer: 1" in result.stdout
    assert json.loads((tmp_path / "math_checks.jsonl.run.json").read_text())["counts"]["correct"] == 2
    again = run_script("scoring/check_math.py", *arguments(files, output))
    assert again.returncode == 0 and "complete already" in again.stdout


def test_a_torn_run_goes_on_and_ends_with_the_same_bytes(
    files: tuple[Path, Path], tmp_path: Path, run_script: Any
) -> None:
    whole = tmp_path / "whole.jsonl"
    assert run_script("scoring/check_math.py", *arguments(files, whole, workers=1)).returncode == 0
    output = tmp_path / "torn.jsonl"
    partial = tmp_path / "torn.jsonl.partial"
    lines = whole.read_bytes().splitlines(keepends=True)
    partial.write_bytes(lines[2] + lines[5] + lines[0][:9])
    settings = json.loads((tmp_path / "whole.jsonl.run.json").read_text())
    (tmp_path / "torn.jsonl.partial.run.json").write_text(json.dumps(settings))
    result = run_script("scoring/check_math.py", *arguments(files, output))
    assert result.returncode == 0, result.stderr
    assert "going on after the 2 lines" in result.stdout
    assert output.read_bytes() == whole.read_bytes()
    assert "read 7 maths answers" in result.stdout and "correct: 2" in result.stdout


def test_a_part_begun_under_another_limit_is_not_gone_on_with(
    files: tuple[Path, Path], tmp_path: Path, run_script: Any
) -> None:
    whole = tmp_path / "whole.jsonl"
    assert run_script("scoring/check_math.py", *arguments(files, whole)).returncode == 0
    (tmp_path / "torn.jsonl.partial").write_bytes(whole.read_bytes()[:50])
    settings = (tmp_path / "whole.jsonl.run.json").read_text()
    (tmp_path / "torn.jsonl.partial.run.json").write_text(settings)
    result = run_script("scoring/check_math.py", *arguments(files, tmp_path / "torn.jsonl"), "--timeout", 2)
    assert result.returncode == 2 and "timeout" in result.stderr


def test_shards_together_hold_every_answer_once(
    files: tuple[Path, Path], tmp_path: Path, run_script: Any
) -> None:
    for index in (0, 1):
        result = run_script(
            "scoring/check_math.py",
            *arguments(files, tmp_path / "m.jsonl"),
            "--num-shards",
            2,
            "--shard-index",
            index,
        )
        assert result.returncode == 0, result.stderr
    first, second = read(tmp_path / "m-00000-of-00002.jsonl"), read(tmp_path / "m-00001-of-00002.jsonl")
    assert first == VERDICTS[0::2] and second == VERDICTS[1::2]


@pytest.mark.parametrize(
    ("prompts", "responses", "message"),
    [
        ([*PROMPTS, "{broken"], RESPONSES, "prompts.jsonl:5:"),
        (PROMPTS, [response("unknown", 0, "5")], "responses.jsonl:1: prompt_id: unknown"),
        (PROMPTS, [RESPONSES[0], RESPONSES[0]], "responses.jsonl:2: response_id:"),
        (PROMPTS, [{**RESPONSES[0], "text": 5}], "responses.jsonl:1: text:"),
        ([{**PROMPTS[0], "domain": "maths"}], RESPONSES, "prompts.jsonl:1: domain:"),
        ([], RESPONSES, "prompts.jsonl"),
    ],
)
def test_bad_input_is_one_line_with_its_place_and_leaves_no_output(
    prompts: list[Any],
    responses: list[Any],
    message: str,
    write_jsonl: Write,
    tmp_path: Path,
    run_script: Any,
) -> None:
    files = (write_jsonl("prompts.jsonl", prompts), write_jsonl("responses.jsonl", responses))
    result = run_script("scoring/check_math.py", *arguments(files, tmp_path / "out.jsonl"))
    assert result.returncode == 2, result.stderr
    assert message in result.stderr and "Traceback" not in result.stderr
    assert not (tmp_path / "out.jsonl").exists()


def test_a_limit_of_zero_is_refused(files: tuple[Path, Path], tmp_path: Path, run_script: Any) -> None:
    result = run_script("scoring/check_math.py", *arguments(files, tmp_path / "out.jsonl"), "--timeout", 0)
    assert result.returncode == 2 and "--timeout" in result.stderr
