"""Answers are rated by rule, and pairs put a right answer against a wrong one of the same prompt."""

import json
from pathlib import Path
from typing import Any

import pytest

from demo.make_prompts import FOLDER
from demo.rate_answers import format_rating, pairs_of, rate
from fusechat.command_line import read_yaml
from fusechat.records import CodeVerdict, Domain, MathVerdict, Message, Prompt, Response


def prompt(domain: Domain, **fields: Any) -> Prompt:
    messages = [Message(role="user", content=f"Some {domain} question")]
    return Prompt(prompt_id=domain, dataset="demo/x", domain=domain, messages=messages, **fields)


def answer(text: str, index: int = 0, finish_reason: Any = "stop", prompt_id: str = "math") -> Response:
    return Response(
        response_id=f"{prompt_id}:s:{index}",
        prompt_id=prompt_id,
        source="s",
        sample_index=index,
        text=text,
        finish_reason=finish_reason,
        num_tokens=len(text.split()),
    )


def math_verdict(correct: bool | None) -> MathVerdict:
    return MathVerdict(response_id="x", correct=correct)


def test_the_labels_are_the_objectives_that_the_reward_model_is_fitted_on() -> None:
    labels = rate(prompt("math"), answer("#### 3"), None, math_verdict(True)).labels
    assert list(labels) == list(read_yaml(FOLDER / "objectives.yaml"))


def test_every_rating_lies_in_the_range_of_its_objective() -> None:
    ranges = read_yaml(FOLDER / "objectives.yaml")
    long = answer("word " * 500, finish_reason="length")
    for name, value in rate(prompt("math"), long, None, math_verdict(False)).labels.items():
        low, high = ranges[name]
        assert value is None or low <= value <= high, name


def test_an_answer_is_rated_on_the_objective_of_its_own_domain_only() -> None:
    constraint = {"constraint": {"kind": "max_words", "count": 2}}
    verdict = CodeVerdict(response_id="x", verdict="fail", passed_tests=1, total_tests=4)
    assert rate(prompt("math"), answer("#### 3"), None, math_verdict(True)).labels["math-correctness"] == 1
    assert rate(prompt("math"), answer("#### 3"), None, math_verdict(None)).labels["math-correctness"] is None
    assert rate(prompt("code"), answer("x"), verdict, None).labels["code-pass-share"] == 0.25
    kept = rate(prompt("instruction", meta=constraint), answer("Two words"), None, None).labels
    assert kept["instruction-following"] == 1
    assert kept["math-correctness"] is None
    assert kept["code-pass-share"] is None


def test_an_answer_whose_tests_are_broken_is_not_rated_on_code() -> None:
    verdict = CodeVerdict(response_id="x", verdict="bad_tests", total_tests=3)
    rated = rate(prompt("code"), answer("x"), verdict, None)
    assert rated.labels["code-pass-share"] is None
    assert rated.quality is None


@pytest.mark.parametrize(
    ("text", "finish_reason", "rating"),
    [
        ("There are 3 + 4 = 7.\n#### 7", "stop", 1.0),
        ("#### 1,200", "stop", 1.0),
        ("There are 3 + 4 = 7.\n#### 7", "length", 0.0),
        ("The answer is 7.", "stop", 0.0),
        ("#### 7\nThe answer is 7.", "stop", 0.0),
        ("#### 7\n#### 8", "stop", 0.0),
        ("", "stop", 0.0),
    ],
)
def test_the_format_of_a_maths_answer_is_one_last_line_with_the_number(
    text: str, finish_reason: str, rating: float
) -> None:
    assert format_rating(prompt("math"), answer(text, finish_reason=finish_reason)) == rating


def test_pairs_put_the_better_answer_first_and_never_a_text_against_itself() -> None:
    right = rate(prompt("math"), answer("2 + 2 = 4\n#### 4", 0), None, math_verdict(True))
    wrong = rate(prompt("math"), answer("2 + 2 = 5\n#### 5", 1), None, math_verdict(False))
    same = rate(prompt("math"), answer("2 + 2 = 4\n#### 4", 2), None, math_verdict(True))
    pairs = pairs_of([wrong, right, same], most=10, seed=0)
    assert [(better.response.sample_index, worse.response.sample_index) for better, worse in sorted(
        pairs, key=lambda pair: pair[0].response.sample_index
    )] == [(0, 1), (2, 1)]  # fmt: skip
    assert pairs_of([right, same], most=10, seed=0) == []
    assert len(pairs_of([wrong, right, same], most=1, seed=0)) == 1


def test_a_wrong_answer_in_the_asked_form_stays_below_a_right_one_without_it() -> None:
    right = rate(prompt("math"), answer("It is 4", 0), None, math_verdict(True))
    wrong = rate(prompt("math"), answer("#### 5", 1), None, math_verdict(False))
    assert [(b.response.text, w.response.text) for b, w in pairs_of([right, wrong], most=5, seed=0)] == [
        ("It is 4", "#### 5")
    ]


@pytest.fixture
def inputs(write_jsonl: Any) -> dict[str, Path]:
    """One maths and one instruction prompt with two answers each, and their verdicts."""
    prompts = [
        {"prompt_id": "m", "dataset": "d", "domain": "math", "gold_answer": "4",
         "messages": [{"role": "user", "content": "2 + 2?"}]},
        {"prompt_id": "i", "dataset": "d", "domain": "instruction",
         "meta": {"constraint": {"kind": "max_words", "count": 3}},
         "messages": [{"role": "user", "content": "Say hello in at most 3 words."}]},
    ]  # fmt: skip
    texts = {"m": ["#### 4", "#### 5"], "i": ["Hello there", "Hello to all of you"]}
    responses = [
        {"response_id": f"{pid}:s:{n}", "prompt_id": pid, "source": "s", "sample_index": n, "text": text,
         "finish_reason": "stop", "num_tokens": 3, "seed": 1}
        for pid in texts for n, text in enumerate(texts[pid])
    ]  # fmt: skip
    verdicts = [{"response_id": f"m:s:{n}", "correct": n == 0, "extracted": "4"} for n in (0, 1)]
    code = [{"response_id": "other:s:0", "verdict": "pass"}]
    return {
        "prompts": write_jsonl("prompts.jsonl", prompts),
        "responses": write_jsonl("responses.jsonl", responses),
        "math-checks": write_jsonl("math.jsonl", verdicts),
        "code-tests": write_jsonl("code.jsonl", code),
    }


def run_it(run_script: Any, inputs: dict[str, Path], folder: Path) -> Any:
    flags = [part for name, path in inputs.items() for part in (f"--{name}", path)]
    outputs = ("--rated", folder / "rated.jsonl", "--pairs", folder / "pairs.jsonl", "--report-to", "none")
    return run_script("demo/rate_answers.py", *flags, *outputs)


def test_the_script_writes_rated_conversations_and_pairs(
    run_script: Any, inputs: dict[str, Path], tmp_path: Path
) -> None:
    done = run_it(run_script, inputs, tmp_path / "out")
    assert done.returncode == 0, done.stderr
    rated = [json.loads(line) for line in (tmp_path / "out" / "rated.jsonl").open(encoding="utf-8")]
    assert [row["messages"][-1]["content"] for row in rated] == [
        "#### 4", "#### 5", "Hello there", "Hello to all of you"
    ]  # fmt: skip
    assert [row["labels"]["math-correctness"] for row in rated] == [1, 0, None, None]
    assert {(row["prompt_id"], row["source"]) for row in rated} == {("m", "s"), ("i", "s")}
    pairs = [json.loads(line) for line in (tmp_path / "out" / "pairs.jsonl").open(encoding="utf-8")]
    assert [(row["chosen"][0]["content"], row["rejected"][0]["content"]) for row in pairs] == [
        ("#### 4", "#### 5"), ("Hello there", "Hello to all of you")
    ]  # fmt: skip
    assert pairs[0]["prompt"] == [{"role": "user", "content": "2 + 2?"}]


def test_an_answer_without_its_verdict_is_refused_by_name(
    run_script: Any, inputs: dict[str, Path], write_jsonl: Any, tmp_path: Path
) -> None:
    inputs["math-checks"] = write_jsonl("math.jsonl", [{"response_id": "m:s:0", "correct": True}])
    done = run_it(run_script, inputs, tmp_path / "out")
    assert done.returncode == 2
    assert "no math verdict for the answer m:s:1" in done.stderr
    assert not (tmp_path / "out").exists()


def test_answers_of_which_none_is_better_are_refused(
    run_script: Any, inputs: dict[str, Path], write_jsonl: Any, tmp_path: Path
) -> None:
    kept = [json.loads(line) for line in inputs["responses"].open(encoding="utf-8")][:1]
    inputs["responses"] = write_jsonl("responses.jsonl", kept)
    done = run_it(run_script, inputs, tmp_path / "out")
    assert done.returncode == 2
    assert "sample more answers" in done.stderr
