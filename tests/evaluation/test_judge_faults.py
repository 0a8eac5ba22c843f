"""A judge that is slow, broken, refuses or talks nonsense: what it should have said is missing, never low."""

import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from benchmark_files import write_benchmark_files
from scripted_server import completion, scripted_server

from evaluation.benchmark import load_benchmark
from evaluation.dataset_files import Sources
from evaluation.generating import Model
from evaluation.judge import JudgeSettings
from evaluation.results import Loaded, ScoringSettings, judge_of
from evaluation.switches import Switches

JUDGED = ("alpaca_eval_2", "arena_hard", "mt_bench", "align_bench")
GOOD_TEXT = "[[8]] [[A>B]] {'综合得分': 7}"
Reply = tuple[int, dict[str, str], Any]


def good_reply(body: dict[str, Any]) -> Reply:
    """A verdict of the kind that is asked for."""
    reply = completion(GOOD_TEXT)
    if body.get("logprobs"):
        top = [{"token": "m", "logprob": math.log(0.75)}, {"token": "M", "logprob": math.log(0.25)}]
        reply["choices"][0]["logprobs"] = {"content": [{"token": "m", "logprob": -0.3, "top_logprobs": top}]}
    return 200, {}, reply


def refusal(body: dict[str, Any]) -> Reply:
    reply = completion("")
    reply["choices"][0]["message"] = {"role": "assistant", "content": None, "refusal": "I cannot do that."}
    return 200, {}, reply


def nonsense(body: dict[str, Any]) -> Reply:
    """Words without a rating or label; alternatives that are neither m nor M."""
    reply = completion("As a language model I like both answers.")
    top = [{"token": "As", "logprob": -0.1}, {"token": "Mm", "logprob": -3.0}]
    reply["choices"][0]["logprobs"] = {"content": [{"token": "As", "logprob": -0.1, "top_logprobs": top}]}
    return 200, {}, reply


def too_late(body: dict[str, Any]) -> Reply:
    time.sleep(1.2)
    return good_reply(body)


def error(status: int) -> Callable[[dict[str, Any]], Reply]:
    return lambda body: (status, {}, {"error": {"message": f"no luck, {status}"}})


FAULTS: dict[str, tuple[Callable[[dict[str, Any]], Reply], str]] = {
    "500": (error(500), "HTTP 500 (no luck, 500)"),
    "429": (error(429), "HTTP 429"),
    "timeout": (too_late, "ReadTimeout"),
    "empty": (lambda body: (200, {}, completion(" ")), "judge: an "),
    "refusal": (refusal, "refused to answer"),
    "malformed": (lambda body: (200, {}, '{"choices": [{"mess'), "another form"),
    "nonsense": (nonsense, "--unrated drop"),
}


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_benchmark_files(tmp_path_factory.mktemp("hub"))


def write_answers(hub: Path, output: Path, model: str = "m") -> dict[str, int]:
    """Answers to all items of the judged benchmarks; how many items each has."""
    counts = {}
    for name in JUDGED:
        items = load_benchmark(name).load(Sources(data_root=hub))
        counts[name] = len(items)
        rows = [
            {
                "generation_id": f"{item.item_id}:0" + (f":turn{turn + 1}" if turn else ""), "item_id": item.item_id,
                "sample_index": 0, "turn": turn, "text": f"mine {model} {item.item_id} {turn}", "finish_reason": "stop",
                "num_tokens": 3,
            }
            for item in items
            for turn in range(1 + len(item.later_turns))
        ]  # fmt: skip
        path = output / "generations" / model / f"{name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return counts


def judged(run_script: Any, hub: Path, output: Path, url: str, *more: object) -> Any:
    return run_script(
        "evaluation/run_evals.py", "--model", "m=made/here", "--benchmarks", *JUDGED, "--data-root", hub,
        "--output-dir", output, "--judge-model", "scripted", "--judge-base-url", url, "--judge-tries", 2,
        "--judge-wait", 0, "--judge-timeout", 0.8, "--report-to", "none", *more,
    )  # fmt: skip


def entries(output: Path) -> dict[str, Any]:
    scores = json.loads((output / "scores.json").read_text(encoding="utf-8"))
    return {name: entry["models"]["m"] for name, entry in scores["benchmarks"].items()}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_a_faulty_judge_did_not_say_is_missing_and_asked_again_by_the_same_command(
    fault: str, hub: Path, tmp_path: Path, run_script: Any
) -> None:
    """The judge is at fault in what it is asked about one item of each benchmark: the first."""
    output = tmp_path / "out"
    counts = write_answers(hub, output)
    reply, reason = FAULTS[fault]
    firsts = ("mine m alpaca-0 ", "mine m arena-q0 ", "mine m mt_bench-81 ", "mine m align-0 ")

    def script(body: dict[str, Any], earlier: int) -> Reply:
        is_first = any(first in json.dumps(body["messages"]) for first in firsts)
        return reply(body) if is_first else good_reply(body)

    with scripted_server(script) as server:
        result = judged(run_script, hub, output, server.url)
    assert result.returncode == 2 and "Traceback" not in result.stderr, result.stderr
    told = result.stderr.strip().split("\n")[-1]
    for name, entry in entries(output).items():
        assert (entry["score"], entry["complete"], entry["n_missing"]) == (None, False, 1), name
        assert f"{name} of m: 1 of {counts[name]} items missing" in told
        items = (output / "items" / "m" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
        scores = [json.loads(line)["score"] for line in items]
        assert scores[0] is None and None not in scores[1:]
    assert reason in told
    assert "incomplete (1 missing)" in (output / "scores.md").read_text(encoding="utf-8")

    with scripted_server(lambda body, earlier: good_reply(body)) as mended:
        again = judged(run_script, hub, output, mended.url)
    assert again.returncode == 0, again.stderr
    whole = entries(output)
    assert all(entry["complete"] and entry["n_missing"] == 0 for entry in whole.values())
    assert (whole["mt_bench"]["score"], whole["align_bench"]["score"], whole["arena_hard"]["score"]) == (
        8,
        7,
        50,
    )
    # Only what was missing was asked for: one call of AlpacaEval and AlignBench, two of the others (four where Arena-Hard
    # had to ask a second time before).
    assert len(mended.bodies) <= 8


def test_a_verdict_of_nobody_can_be_left_out_and_is_counted(
    hub: Path, tmp_path: Path, run_script: Any
) -> None:
    """By --unrated drop the items without a verdict are in no mean; a benchmark of such items alone has no score."""
    output = tmp_path / "out"
    write_answers(hub, output)

    def script(body: dict[str, Any], earlier: int) -> Reply:
        text = json.dumps(body["messages"])
        is_unclear = any(name in text for name in ("alpaca-0 ", "arena-q0 ", "mt_bench-81 ", "align-"))
        return nonsense(body) if is_unclear else good_reply(body)

    with scripted_server(script) as server:
        result = judged(run_script, hub, output, server.url, "--unrated", "drop")
    scored = entries(output)
    assert result.returncode == 2 and "align_bench of m: all 2 items are left out" in result.stderr
    assert scored["align_bench"]["score"] is None and not scored["align_bench"]["complete"]
    assert (scored["mt_bench"]["score"], scored["mt_bench"]["n_dropped"]) == (8, 1)
    assert (scored["arena_hard"]["score"], scored["arena_hard"]["n_dropped"]) == (50, 1)
    assert scored["alpaca_eval_2"]["breakdown"]["judged"] == 11
    table = (output / "scores.md").read_text(encoding="utf-8")
    assert "Left out of mt_bench of m: 1 of 2 items" in table and "Switches: unrated drop." in table


def test_a_rating_beyond_the_scale_is_none(hub: Path, tmp_path: Path, run_script: Any) -> None:
    output = tmp_path / "out"
    write_answers(hub, output)

    def script(body: dict[str, Any], earlier: int) -> Reply:
        status, headers, reply = good_reply(body)
        reply["choices"][0]["message"]["content"] = "[[80]] [[A>B]] {'综合得分': 70}"
        return status, headers, reply

    with scripted_server(script) as server:
        result = judged(run_script, hub, output, server.url)
    assert result.returncode == 2
    assert {name: entry["n_missing"] for name, entry in entries(output).items()} == {
        "alpaca_eval_2": 0, "arena_hard": 0, "mt_bench": 2, "align_bench": 2,
    }  # fmt: skip


def test_the_report_s_judges_are_asked_each_for_its_benchmark(tmp_path: Path) -> None:
    judge = JudgeSettings("report", "http://127.0.0.1:1/v1")
    settings = ScoringSettings(
        output_dir=tmp_path, workers=1, isolation="auto", limit=None, seed=0, judge_model="report", judge=judge,
        switches=Switches(),
    )  # fmt: skip
    loaded = [Loaded(name, load_benchmark(name), []) for name in (*JUDGED, "gsm8k")]
    judges = [judge_of(one, Model("base", "folder"), settings) for one in loaded]
    asked = {one.name: judge and judge.judge_model for one, judge in zip(loaded, judges, strict=True)}
    assert asked == {
        "alpaca_eval_2": "gpt-4-1106-preview", "arena_hard": "gpt-4-1106-preview", "mt_bench": "gpt-4-0125-preview",
        "align_bench": "gpt-4-0613", "gsm8k": None,
    }  # fmt: skip
    assert all(
        judge is None or (judge.settings and judge.settings.model == judge.judge_model) for judge in judges
    )
