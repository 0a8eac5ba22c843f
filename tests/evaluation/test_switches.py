"""Switches of run_evals.py: what each changes, and that its default is what the benchmark says."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from benchmark_files import contest_row

from evaluation.benchmark import Generation, Item, Tools, load_benchmark
from evaluation.dataset_files import Sources
from evaluation.generating import Settings, effective, plan_work
from evaluation.switches import Switches, chat_styles, check_window
from fusechat.errors import BadInput

Write = Callable[[str, Iterable[Any]], Path]
SUMS = json.dumps([{"input": "1 2\n", "output": "3\n", "testtype": "stdin"}])
ITEM = Item("i", ({"role": "user", "content": "q"},), fields={"category": "math", "stop": ("\n```",)})


def lcb_row(name: str, **changes: Any) -> dict[str, Any]:
    """A problem of the window: add two numbers."""
    tests = {"public_test_cases": SUMS, "private_test_cases": SUMS}
    return {**contest_row(name, "2024-08-01T00:00:00"), **tests, **changes}


def answered(texts: dict[str, list[str]]) -> dict[str, list[Generation]]:
    return {
        item_id: [
            Generation(f"{item_id}:{n}", item_id, n, 0, text, "stop", 5) for n, text in enumerate(samples)
        ]
        for item_id, samples in texts.items()
    }


@pytest.mark.parametrize(
    ("benchmark", "styles"),
    [
        ("alpaca_eval_2", ("bare", "template", "template")),
        ("arena_hard", ("bare", "template", "template")),
        ("gsm8k", ("bare", "bare", "bare")),
        ("mt_bench", ("template", "template", "template")),
        ("mmlu_pro", ("template", "bare", "template")),
        ("gpqa_diamond", ("template", "bare", "template")),
        ("livebench_0831", ("template", "template", "template")),
        ("humaneval", ("template", "template", "template")),
    ],
)
def test_what_a_template_adds_is_kept_and_cut_as_the_reports_authors_did(
    benchmark: str, styles: tuple[str, ...], tmp_path: Path
) -> None:
    module = load_benchmark(benchmark)
    families = ("llama", "qwen2", "gemma2")
    assert tuple(module.generating(ITEM, family).chat_style for family in families) == styles
    for style in ("template", "bare"):
        settings = Settings(
            benchmark=benchmark, limit=None, max_tokens=None, max_model_len=None, seed=0, dtype="auto",
            chat_style=style,
        )  # fmt: skip
        work = plan_work(
            benchmark, module, [ITEM], settings, tmp_path / "x.jsonl", model=None, overwrite=False
        )
        assert {effective(work, ITEM, family).chat_style for family in families} == {style}


def test_a_chat_style_needs_a_benchmark_and_one_of_two_words() -> None:
    known = ("gsm8k", "arena_hard")
    assert chat_styles(["arena_hard=template", "gsm8k=bare"], known) == {
        "arena_hard": "template",
        "gsm8k": "bare",
    }
    for text in ("glue=bare", "gsm8k=short", "gsm8k"):
        with pytest.raises(BadInput, match="BENCHMARK=bare"):
            chat_styles([text], known)


def test_answers_stop_at_comments_only_where_that_is_asked_for(write_jsonl: Write, tmp_path: Path) -> None:
    row = {
        "task_id": 2, "code": "def twice(a):\n  return 2 * a\n", "prompt": "Double.", "test_imports": [],
        "test_list": ["assert twice(2) == 4"], "test": "",
    }  # fmt: skip
    write_jsonl("hub/evalplus/mbppplus/data/test.jsonl", [row])
    for name in ("humaneval", "mbpp"):
        module = load_benchmark(name)
        for switches, stops in ((Switches(), False), (Switches(stop_at_comments=True), True)):
            item = module.load(Sources(tmp_path / "hub", switches=switches))[0]
            how = module.generating(item, "llama")
            assert ("\n#" in how.stop) is stops and "\n```" in how.stop


def test_a_hundredfold_answer_is_right_only_by_the_percent_switch() -> None:
    module = load_benchmark("gsm8k")
    item = Item("g", (), gold="0.25", fields={"groups": {}})
    texts = {"g": ["so \\boxed{25}"]}
    for switches, right in ((Switches(), 0.0), (Switches(percent_factor=True), 1.0)):
        (scored,) = module.score([item], answered(texts), Tools(switches=switches))
        assert scored.score == right


def test_the_program_stands_in_the_first_fence_or_by_the_switch_in_the_last(
    write_jsonl: Write, tmp_path: Path
) -> None:
    write_jsonl("hub/livecodebench/code_generation_lite/test5.jsonl", [lcb_row("s")])
    module = load_benchmark("livecodebench_2408_2411")
    (item,) = module.load(Sources(data_root=tmp_path / "hub"))
    right = "a, b = map(int, input().split())\nprint(a + b)"
    texts = {"lcb-s": [f"```python\nbroken(\n```\nNo:\n```python\n{right}\n```"] * 2}
    for switches, share in ((Switches(), 0.0), (Switches(code_fence="last"), 1.0)):
        (scored,) = module.score([item], answered(texts), Tools(switches=switches))
        assert scored.score == share


def test_the_window_of_live_code_bench_can_be_moved(write_jsonl: Write, tmp_path: Path) -> None:
    days = {"june": "2024-06-30T01:00:00", "august": "2024-08-01", "december": "2024-12-01"}
    rows = [lcb_row(name, contest_date=day) for name, day in days.items()]
    write_jsonl("hub/livecodebench/code_generation_lite/test5.jsonl", rows)
    module = load_benchmark("livecodebench_2408_2411")

    def names(**window: str) -> list[str]:
        sources = Sources(tmp_path / "hub", switches=Switches(**window))  # type: ignore[arg-type]
        return [item.item_id.removeprefix("lcb-") for item in module.load(sources)]

    assert names() == ["august"]
    assert names(first_day="2024-06-30", last_day="2099-12-31") == ["june", "august", "december"]
    with pytest.raises(BadInput, match="no problem from 2023-01-01 to 2023-02-01"):
        names(first_day="2023-01-01", last_day="2023-02-01")


@pytest.mark.parametrize(
    ("first", "last", "message"),
    [
        ("August", "2024-11-30", "--lcb-first-day August"),
        ("20240801", "2024-11-30", "--lcb-first-day 20240801"),
        ("2024-08-01", "2024-11-31", "--lcb-last-day 2024-11-31"),
        ("2024-12-01", "2024-11-30", "is after"),
    ],
)
def test_a_window_is_of_days_in_their_order(first: str, last: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        check_window(first, last)


def test_a_method_that_is_named_like_a_function_of_the_prelude_is_the_class_own(
    write_jsonl: Write, tmp_path: Path
) -> None:
    """`add` also comes with `from operator import *`."""
    cases = json.dumps([{"input": "[1, 2]", "output": "3", "testtype": "functional"}])
    row = lcb_row(
        "f", starter_code="class Solution:\n", public_test_cases=cases, private_test_cases=cases,
        metadata=json.dumps({"func_name": "add"}),
    )  # fmt: skip
    write_jsonl("hub/livecodebench/code_generation_lite/test5.jsonl", [row])
    module = load_benchmark("livecodebench_2408_2411")
    (item,) = module.load(Sources(data_root=tmp_path / "hub"))
    method = "```python\nclass Solution:\n    def add(self, numbers):\n        return sum(numbers)\n```"
    function = "```python\ndef add(numbers):\n    return sum(numbers)\n```"
    (scored,) = module.score([item], answered({"lcb-f": [method, function]}), Tools())
    assert scored.score == 1.0


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--chat-style", "glue=bare"], "--chat-style glue=bare"),
        (["--lcb-first-day", "soon"], "--lcb-first-day soon"),
        (["--judge-timeout", "0"], "--judge-timeout 0"),
        (["--judge-tries", "0"], "--judge-tries 0"),
        (["--judge-wait", "-1"], "--judge-wait -1"),
    ],
)
def test_impossible_switches_are_refused_in_one_line(
    more: list[str], message: str, tmp_path: Path, run_script: Any
) -> None:
    result = run_script(
        "evaluation/run_evals.py", "--model", "m=made/here", "--benchmarks", "gsm8k", "--data-root", tmp_path,
        "--output-dir", tmp_path / "out", "--report-to", "none", *more,
    )  # fmt: skip
    assert result.returncode == 2 and message in result.stderr
    assert result.stderr.count("\n") == 1 and not (tmp_path / "out").exists()
