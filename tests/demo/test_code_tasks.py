"""Every code task's reference solution passes its asserts in the sandbox, and a wrong one does not."""

from typing import Any

import pytest

from demo.make_prompts import FOLDER, code_prompt
from fusechat.command_line import read_yaml
from fusechat.sandbox import Case, CodeTests, Sandbox

TASKS: list[dict[str, Any]] = read_yaml(FOLDER / "code_tasks.yaml")["prompts"]


@pytest.fixture(scope="module")
def verdicts() -> dict[str, Any]:
    """Of every task: its solution, and a function of the same name that returns nothing."""
    cases = []
    for task in TASKS:
        tests = CodeTests.of(code_prompt(task).tests)
        empty = f"def {task['entry_point']}(*arguments):\n    return None\n"
        cases.append(Case(f"{task['entry_point']} right", (task["solution"],), tests))
        cases.append(Case(f"{task['entry_point']} empty", (empty,), tests))
    with Sandbox(isolation="auto", workers=2) as sandbox:
        return {verdict.case_id: verdict for verdict in sandbox.judge_all(cases)}


def test_there_are_24_tasks_with_different_functions() -> None:
    assert len(TASKS) == len({task["entry_point"] for task in TASKS}) == 24


@pytest.mark.parametrize("name", [task["entry_point"] for task in TASKS])
def test_the_reference_solution_passes_all_asserts(name: str, verdicts: dict[str, Any]) -> None:
    verdict = verdicts[f"{name} right"]
    assert verdict.verdict == "pass", verdict.reason


@pytest.mark.parametrize("name", [task["entry_point"] for task in TASKS])
def test_a_function_that_does_nothing_fails(name: str, verdicts: dict[str, Any]) -> None:
    assert verdicts[f"{name} empty"].verdict == "fail"


def test_the_prompt_names_the_function_and_carries_the_tests_but_not_the_solution() -> None:
    prompt = code_prompt(TASKS[0])
    text = prompt.messages[0].content
    assert "`add_numbers`" in text
    assert "return a + b" not in text
    assert prompt.tests.entry_point == "add_numbers"  # type: ignore[union-attr]
    assert len(prompt.tests.asserts) == 3  # type: ignore[union-attr]
