"""Tests of code prompts tried on the datasets' own solutions, in the real sandbox."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import selection_fixtures

import fusechat.sandbox
from fusechat.errors import BadInput
from fusechat.records import Message, Tests
from sampling.selection.drafts import Draft, make_draft
from sampling.selection.settings import ValidationSettings
from sampling.selection.validation import Validator


@pytest.fixture(scope="module", autouse=True)
def isolation() -> None:
    try:
        fusechat.sandbox.Sandbox(workers=1, quiet=True).close()
    except fusechat.sandbox.Unavailable as error:
        pytest.skip(f"code cannot be run isolated here: {error}")


def draft(code: str, asserts: list[str], setup: str = "") -> Draft:
    tests = Tests(asserts=asserts, setup=setup, entry_point="f")
    return make_draft(
        "greengerong/leetcode", "code", [Message("user", code)], meta={}, tests=tests, reference_code=code
    )


def test_only_prompts_whose_own_solution_passes_are_kept(
    run_script: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    data = selection_fixtures.write_all(tmp_path / "data")
    process = run_script(
        "sampling/select_prompts.py", "--data-root", data, "--output", tmp_path / "prompts.jsonl", "--datasets",
        "leetcode", "self-oss-instruct-sc2-exec-filter-50k", "--report-dropped", tmp_path / "dropped.jsonl",
        "--report-to", "none",
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    rows = [
        json.loads(line) for line in (tmp_path / "prompts.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    assert {row["tests"]["entry_point"] for row in rows} == {"two_sum", "first_half", "add_one", "double"}
    drops = [
        json.loads(line) for line in (tmp_path / "dropped.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    assert {row["reason"] for row in drops} == {"tests fail on the own solution"}
    assert sorted(row["detail"] for row in drops) == [
        "fail: assertion",
        "fail: assertion",
        "fail: exception:AttributeError",
    ]


def test_reasons_come_in_the_order_of_the_drafts_with_any_number_of_workers() -> None:
    drafts = [draft(f"def f(x):\n    return x + {index % 3}", ["assert f(1) == 1"]) for index in range(12)]
    outcomes = []
    for workers in (1, 2):
        with Validator(ValidationSettings(timeout_s=5.0), workers) as validator:
            outcomes.append(validator.failing_reasons(drafts))
    assert outcomes[0] == outcomes[1]
    assert [reason is None for reason in outcomes[0]] == [index % 3 == 0 for index in range(12)]


def test_set_up_and_order_insensitive_comparison_run_in_the_sandbox() -> None:
    from sampling.selection.leetcode_tests import ORDER_INSENSITIVE

    outer = draft("def f():\n    return [[2, 1], [0]]", ["assert in_any_order_inside_too(f()) == in_any_order_inside_too([[0], [1, 2]])"], ORDER_INSENSITIVE)  # fmt: skip
    wrong = draft("def f():\n    return [[2, 2], [0]]", ["assert in_any_order_inside_too(f()) == in_any_order_inside_too([[0], [1, 2]])"], ORDER_INSENSITIVE)  # fmt: skip
    with Validator(ValidationSettings(), 1) as validator:
        assert validator.failing_reasons([outer, wrong]) == [None, "fail: assertion"]


def test_an_endless_solution_is_stopped() -> None:
    endless = draft("def f():\n    while True:\n        pass", ["assert f() == 1"])
    with Validator(ValidationSettings(timeout_s=1.0), 1) as validator:
        (reason,) = validator.failing_reasons([endless])
    assert reason is not None and reason.startswith("timeout")


def test_a_machine_without_isolation_is_refused_with_the_ways_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def unavailable(*_: Any, **__: Any) -> Any:
        raise fusechat.sandbox.Unavailable("no user namespaces")

    monkeypatch.setattr(fusechat.sandbox, "Sandbox", unavailable)
    with (
        Validator(ValidationSettings(), 1) as validator,
        pytest.raises(BadInput, match=r"no user namespaces.*enabled"),
    ):
        validator.failing_reasons([draft("def f(): pass", ["assert True"])])
