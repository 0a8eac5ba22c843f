"""Judged benchmarks with a scripted judge on 127.0.0.1; the answers are written by hand, so no model is loaded."""

import json
import math
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from local_server import QuietHandler, serving

from evaluation.benchmark import Item
from evaluation.benchmarks import alpaca_eval_2
from evaluation.judge import Judgment, fill

Write = Callable[[str, Iterable[Any]], Path]
Reply = dict[str, Any] | bytes | int


class ScriptedJudge:
    """A chat server whose replies a function gives: content, raw bytes, or a status."""

    def __init__(self) -> None:
        self.reply: Callable[[dict[str, Any]], Reply] = lambda body: {"content": ""}
        self.bodies: list[dict[str, Any]] = []
        judge = self

        class Handler(QuietHandler):
            def do_GET(self) -> None:
                self.send(200, b'{"data": []}')

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                judge.bodies.append(body)
                reply = judge.reply(body)
                if isinstance(reply, int):
                    self.send(reply, b"{}")
                elif isinstance(reply, bytes):
                    self.send(200, reply)
                else:
                    choice = {
                        "message": {"role": "assistant", "content": reply["content"]},
                        **reply.get("choice", {}),
                    }
                    self.send(200, json.dumps({"choices": [choice]}).encode())

        self.handler = Handler
        self.url = ""


@pytest.fixture
def judge() -> Iterator[ScriptedJudge]:
    scripted = ScriptedJudge()
    with serving(scripted.handler) as url:
        scripted.url = f"{url}/v1"
        yield scripted


def write_arena(write_jsonl: Write, count: int) -> None:
    folder = "hub/lmarena/arena-hard-auto"
    questions = [
        {"question_id": f"q{n}", "category": "c", "cluster": "c", "turns": [{"content": f"Task {n}"}]}
        for n in range(count)
    ]
    answers = [
        {"question_id": f"q{n}", "choices": [{"turns": [{"content": f"base {n}"}]}]} for n in range(count)
    ]
    write_jsonl(f"{folder}/data/arena-hard-v0.1/question.jsonl", questions)
    write_jsonl(f"{folder}/data/arena-hard-v0.1/model_answer/gpt-4-0314.jsonl", answers)
    template = "U: {question_1} FIRST: {answer_1} SECOND: {answer_2}"
    write_jsonl(
        f"{folder}/config/judge_config.yaml", [f'system_prompt: "S"\nprompt_template: ["{template}"]']
    )


def write_generations(write_jsonl: Write, benchmark: str, texts: dict[str, list[str]]) -> None:
    rows = [
        {
            "generation_id": f"{item}:0" + (f":turn{turn + 1}" if turn else ""), "item_id": item, "sample_index": 0,
            "turn": turn, "text": text, "finish_reason": "stop", "num_tokens": 3,
        }
        for item, turns in texts.items()
        for turn, text in enumerate(turns)
    ]  # fmt: skip
    write_jsonl(f"out/generations/m/{benchmark}.jsonl", rows)


def run_judged(run_script: Any, tmp_path: Path, benchmark: str, url: str, *more: object) -> Any:
    return run_script(
        "evaluation/run_evals.py", "--model", "m=made/here", "--benchmarks", benchmark, "--data-root", tmp_path / "hub",
        "--output-dir", tmp_path / "out", "--judge-model", "scripted", "--judge-base-url", url, "--judge-wait", 0,
        "--judge-tries", 3, "--report-to", "none", *more,
    )  # fmt: skip


def entry(tmp_path: Path, benchmark: str) -> Any:
    scores = json.loads((tmp_path / "out" / "scores.json").read_text(encoding="utf-8"))
    return scores["benchmarks"][benchmark]["models"]["m"]


def test_arena_hard_counts_battles_asks_again_and_scores_again_without_the_judge(
    judge: ScriptedJudge, write_jsonl: Write, tmp_path: Path, run_script: Any
) -> None:
    """Task 0: the model wins strongly in game 1 (3 battles) and ties game 2; task 1: loses both by one battle, the
    second label only given when asked again; task 2: two labels in each game, so both are dropped. Wins 3, losses 2,
    ties 1: 100 (3 + 0.5) / 6 = 58.333."""
    write_arena(write_jsonl, 3)
    write_generations(write_jsonl, "arena_hard", {f"arena-q{n}": [f"mine {n}"] for n in range(3)})

    def reply(body: dict[str, Any]) -> Reply:
        text = body["messages"][1]["content"]
        model_is_second = "SECOND: mine" in text
        if "Task 0" in text:
            return {"content": "[[B>>A]]" if model_is_second else "[[A=B]]"}
        if "Task 1" in text:
            if model_is_second:
                return {"content": "clear: [[A>B]]"}
            return {"content": "[[B>A]]" if len(body["messages"]) == 4 else "hm"}
        return {"content": "[[A>B]] no, [[B>A]]"}

    judge.reply = reply
    result = run_judged(run_script, tmp_path, "arena_hard", judge.url)
    assert result.returncode == 0, result.stderr
    first = entry(tmp_path, "arena_hard")
    assert first["score"] == pytest.approx(58.3333, abs=1e-3)
    assert first["breakdown"]["battles"] == 6 and first["breakdown"]["games dropped"] == 2
    assert len(judge.bodies) == 7
    assert "Judge: scripted" in (tmp_path / "out" / "scores.md").read_text(encoding="utf-8")
    assert "gpt-4-1106-preview" in (tmp_path / "out" / "scores.md").read_text(encoding="utf-8")

    again = run_judged(run_script, tmp_path, "arena_hard", "http://127.0.0.1:9/v1", "--rescore")
    assert again.returncode == 0, again.stderr
    assert entry(tmp_path, "arena_hard") == first


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (500, "HTTP 500"),
        (429, "HTTP 429"),
        (400, "HTTP 400"),
        (b"<html>", "another form"),
        (b"{}", "another form"),
    ],
)
def test_a_judge_that_answers_nonsense_makes_items_missing_not_low(
    broken: Reply, reason: str, judge: ScriptedJudge, write_jsonl: Write, tmp_path: Path, run_script: Any
) -> None:
    write_arena(write_jsonl, 2)
    write_generations(write_jsonl, "arena_hard", {f"arena-q{n}": [f"mine {n}"] for n in range(2)})
    judge.reply = lambda body: (
        broken if "Task 1" in body["messages"][1]["content"] else {"content": "[[A=B]]"}
    )
    result = run_judged(run_script, tmp_path, "arena_hard", judge.url)
    assert result.returncode == 2 and "1 of 2 items missing" in result.stderr and reason in result.stderr
    assert entry(tmp_path, "arena_hard")["score"] is None
    # Two games: tried three times each where that can help, once where the request itself is refused.
    assert sum("Task 1" in body["messages"][1]["content"] for body in judge.bodies) == (
        2 if broken == 400 else 6
    )
    judge.bodies.clear()
    judge.reply = lambda body: {"content": "[[A=B]]"}
    mended = run_judged(run_script, tmp_path, "arena_hard", judge.url)
    assert mended.returncode == 0 and entry(tmp_path, "arena_hard")["score"] == 50
    assert len(judge.bodies) == 2  # what was judged before is kept


def test_a_judge_that_is_down_ends_the_run_with_one_line(
    write_jsonl: Write, tmp_path: Path, run_script: Any
) -> None:
    write_arena(write_jsonl, 1)
    write_generations(write_jsonl, "arena_hard", {"arena-q0": ["mine"]})
    result = run_judged(run_script, tmp_path, "arena_hard", "http://127.0.0.1:9/v1")
    assert result.returncode == 2 and "does not answer" in result.stderr and "Traceback" not in result.stderr
    # What it should have judged is missing; other benchmarks keep their scores.
    missing = entry(tmp_path, "arena_hard")
    assert (missing["score"], missing["n_missing"]) == (None, 1)


def test_a_judged_benchmark_without_a_judge_is_refused(
    write_jsonl: Write, tmp_path: Path, run_script: Any
) -> None:
    write_arena(write_jsonl, 1)
    result = run_script(
        "evaluation/run_evals.py", "--model", "m=made/here", "--benchmarks", "arena_hard", "--data-root",
        tmp_path / "hub", "--output-dir", tmp_path / "out", "--report-to", "none",
    )  # fmt: skip
    assert result.returncode == 2 and "--judge-model" in result.stderr


def test_mt_bench_means_turns_and_leaves_out_texts_without_a_rating(
    judge: ScriptedJudge, write_jsonl: Write, tmp_path: Path, run_script: Any
) -> None:
    """Ratings: writing 8 and 6, maths 4 and none: mean 6, turn 1 mean 6, turn 2 mean 6, maths mean 4."""
    folder = "hub/lm-sys/FastChat/fastchat/llm_judge/data"
    write_jsonl(
        f"{folder}/mt_bench/question.jsonl",
        [
            {"question_id": 81, "category": "writing", "turns": ["Write", "Again"]},
            {"question_id": 111, "category": "math", "turns": ["Add", "More"]},
        ],
    )
    write_jsonl(
        f"{folder}/mt_bench/reference_answer/gpt-4.jsonl",
        [{"question_id": 111, "choices": [{"turns": ["ref one", "ref two"]}]}],
    )
    prompts = []
    for name in ("single-v1", "single-v1-multi-turn", "single-math-v1", "single-math-v1-multi-turn"):
        template = (
            "{question} {answer}"
            if name.endswith("-v1")
            else "{question_1} {answer_1} {question_2} {answer_2}"
        )
        if "math" in name:
            template += " {ref_answer_1}" + ("" if name.endswith("-v1") else " {ref_answer_2}")
        prompts.append({"name": name, "system_prompt": name, "prompt_template": template})
    write_jsonl(f"{folder}/judge_prompts.jsonl", prompts)
    texts = {"mt_bench-81": ["w {answer} one", "w two"], "mt_bench-111": ["m one", "m two"]}
    write_generations(write_jsonl, "mt_bench", texts)
    replies = {
        "single-v1": "Rating: [[8]]",
        "single-v1-multi-turn": "[[6.0]]",
        "single-math-v1": "Rating: [4]",
        "single-math-v1-multi-turn": "I cannot rate this.",
    }
    judge.reply = lambda body: {"content": replies[body["messages"][0]["content"]]}
    result = run_judged(run_script, tmp_path, "mt_bench", judge.url, "--unrated", "drop")
    assert result.returncode == 0, result.stderr
    scored = entry(tmp_path, "mt_bench")
    assert scored["score"] == 6
    assert scored["breakdown"]["turn 1"] == 6 and scored["breakdown"]["turn 2"] == 6
    assert scored["breakdown"]["category: math"] == 4 and scored["breakdown"]["texts without a rating"] == 1
    shown = {body["messages"][0]["content"]: body["messages"][1]["content"] for body in judge.bodies}
    assert shown["single-v1"] == "Write w {answer} one"  # braces of an answer stay as they are
    assert shown["single-math-v1-multi-turn"] == "Add m one More m two ref one ref two"


def test_align_bench_gives_reasoning_half_of_the_weight(
    judge: ScriptedJudge, write_jsonl: Write, tmp_path: Path, run_script: Any
) -> None:
    """Maths 4; writing 8 and 6, Chinese understanding 9: language (7 + 9) / 2 = 8; in all (4 + 8) / 2 = 6."""
    folder = "hub/THUDM/AlignBench"
    categories = ["数学计算", "文本写作", "文本写作", "中文理解", "中文理解"]
    rows = [
        {"question_id": n, "category": category, "subcategory": "s", "question": f"问 {n}", "reference": "r", "evidences": []}
        for n, category in enumerate(categories)
    ]  # fmt: skip
    write_jsonl(f"{folder}/data/data_v1.1_release.jsonl", rows)
    write_jsonl(f"{folder}/config/subcategory_question_mapping.json", [{"s": "kind"}])
    write_jsonl(f"{folder}/config/dimension_set.json", [{"kind": ["d1", "d2"]}])
    write_jsonl(f"{folder}/config/dimension_definition.json", [{"d1": "one", "d2": "two"}])
    prompt = 'base_prompt = "{category}|{dimensions}" \\\n    "{{k}}|{question}|{reference}|{answer}"'
    write_jsonl(f"{folder}/judge.py", ["import no_such_module", prompt])
    write_generations(write_jsonl, "align_bench", {f"align-{n}": [f"mine {n} {{x}}"] for n in range(5)})
    replies = [
        "{'d1': 3, '综合得分': 4}",
        "{'a': 1} then {'综合得分': 8}",
        "'综合得分': 6.0",
        "{'综合得分': 9}",
        "无",
    ]
    judge.reply = lambda body: {"content": replies[int(body["messages"][0]["content"].split("问 ")[1][0])]}
    result = run_judged(run_script, tmp_path, "align_bench", judge.url, "--unrated", "drop")
    assert result.returncode == 0, result.stderr
    scored = entry(tmp_path, "align_bench")
    assert scored["score"] == 6 and scored["n_dropped"] == 1
    assert scored["breakdown"]["texts without a rating"] == 1
    assert scored["breakdown"]["of these with full-width marks"] == 0
    # By the authors' table a text without a rating is -1: understanding (9 - 1) / 2 = 4, language (7 + 4) / 2 = 5.5.
    low = run_judged(run_script, tmp_path, "align_bench", judge.url, "--unrated", "minus-one", "--rescore")
    assert low.returncode == 0 and entry(tmp_path, "align_bench")["score"] == pytest.approx(4.75)
    assert "Switches: unrated minus-one." in (tmp_path / "out" / "scores.md").read_text(encoding="utf-8")
    assert "数学计算|1. d1: one\n2. d2: two\n{k}|问 0|r|mine 0 {x}" in {
        body["messages"][0]["content"] for body in judge.bodies
    }


def test_alpaca_eval_reads_the_first_tokens_probabilities_whichever_answer_was_first(
    judge: ScriptedJudge, write_jsonl: Write, tmp_path: Path, run_script: Any
) -> None:
    """The judge always gives the model's answer 0.75 and the baseline's 0.25, wherever they stand: 75 percent."""
    folder = "hub/tatsu-lab/alpaca_eval"
    count = 12
    baseline = [
        {"instruction": f"Do {n}", "output": f"base {n} " + "x" * n, "generator": "g", "dataset": "koala"}
        for n in range(count)
    ]
    write_jsonl(f"{folder}/alpaca_eval_gpt4_baseline.json", [json.dumps(baseline)])
    gamed = ["preference,index,std_delta_len,instruction_difficulty,not_gamed_baseline,model"]
    gamed += [
        f"{0.8 if copy else 0.2},{n},{copy - 0.5},{n / 10},False,c{copy}"
        for copy in (0, 1)
        for n in range(count)
    ]
    write_jsonl(f"{folder}/df_gamed.csv", gamed)
    prompt = "<|im_start|>system\nChoose.<|im_end|>\n<|im_start|>user\n{instruction}|{output_1}|{output_2}<|im_end|>"
    write_jsonl(f"{folder}/alpaca_eval_clf.txt", [prompt])
    texts = {f"alpaca-{n}": [f"mine {n} " + "y" * (n % 5)] for n in range(count)}
    write_generations(write_jsonl, "alpaca_eval_2", texts)

    def reply(body: dict[str, Any]) -> Reply:
        assert body["max_tokens"] == 1 and body["top_logprobs"] == 5
        first_is_model = body["messages"][1]["content"].split("|")[1].startswith("mine")
        high, low = ("m", "M") if first_is_model else ("M", "m")
        top = [{"token": high, "logprob": math.log(0.6)}, {"token": low, "logprob": math.log(0.2)}]
        return {"content": high, "choice": {"logprobs": {"content": [{"token": high, "top_logprobs": top}]}}}

    judge.reply = reply
    result = run_judged(run_script, tmp_path, "alpaca_eval_2", judge.url)
    assert result.returncode == 0, result.stderr
    scored = entry(tmp_path, "alpaca_eval_2")
    assert scored["breakdown"]["plain win rate"] == pytest.approx(75)
    assert scored["breakdown"]["judged"] == count and 0 < scored["score"] < 100
    firsts = [body["messages"][1]["content"].split("|")[1].startswith("mine") for body in judge.bodies]
    assert 0 < sum(firsts) < count


def test_a_preference_needs_one_of_the_two_names() -> None:
    assert alpaca_eval_2.preference_of(Judgment("i", "j", "m", {"m": 0.0}), first_is_model=True) == 2
    assert alpaca_eval_2.preference_of(Judgment("i", "j", "m", {"m": 0.0}), first_is_model=False) == 1
    assert alpaca_eval_2.preference_of(Judgment("i", "j", "x", {"x": 0.0}), first_is_model=True) is None
    assert alpaca_eval_2.preference_of(Judgment("i", "j", "m", {}), first_is_model=True) is None


def test_values_put_into_a_template_are_not_searched_for_names() -> None:
    assert fill("{a} and {b}", {"a": "{b}", "b": "x{a}"}) == "{b} and x{a}"


def test_sampling_follows_the_family_as_the_report_did() -> None:
    item = Item("alpaca-0", ({"role": "user", "content": "q"},))
    how = {family: alpaca_eval_2.generating(item, family) for family in ("llama", "qwen2", "gemma2")}
    assert [(one.temperature, one.top_p, one.top_k) for one in how.values()] == [
        (0.6, 0.9, 0),
        (0.7, 0.8, 20),
        (0.5, 1.0, 0),
    ]
