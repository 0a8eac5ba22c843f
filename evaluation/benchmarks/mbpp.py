"""MBPP, the 378 tasks of EvalPlus (evalplus/mbppplus, split test); pass@1 of one greedy answer on the base tests.

The prompt is the task and its first assertion as a docstring. The plus tests give a second figure.
"""

import ast
from typing import Any

from evaluation.benchmark import Generating, Item
from evaluation.dataset_files import Sources
from evaluation.downloads import HubFiles
from evaluation.evalplus_protocol import code_item, greedy_code, score_code
from fusechat.errors import BadInput
from fusechat.records import Tests

TITLE = "MBPP"
SCALE = 100.0
DOWNLOADS = (HubFiles("evalplus/mbppplus", ("data/*",)),)

score = score_code


def load(sources: Sources) -> list[Item]:
    """The tasks in the data's order; their ids have gaps."""
    columns = ("task_id", "code", "prompt", "test_imports", "test_list", "test")
    rows = sources.rows("evalplus/mbppplus", split="test", columns=columns)
    return [item_of(row, sources.switches.stop_at_comments) for row in rows]


def item_of(row: dict[str, Any], stop_at_comments: bool) -> Item:
    """One task."""
    entry_point = tested_function(row)
    setup = "\n".join(row["test_imports"])
    docstring = f'"""\n{row["prompt"].strip()}\n{row["test_list"][0].strip()}\n"""'
    base = Tests(asserts=list(row["test_list"]), setup=setup, entry_point=entry_point)
    plus = Tests(asserts=[row["test"]], setup=setup, entry_point=entry_point) if row["test"] else None
    return code_item(
        f"Mbpp/{row['task_id']}", docstring, entry_point, base, plus, stop_at_comments=stop_at_comments
    )


def tested_function(row: dict[str, Any]) -> str:
    """The function of the reference solution that the first assertion calls."""
    defined = [node.name for node in ast.parse(row["code"]).body if isinstance(node, ast.FunctionDef)]
    called = {
        node.id for node in ast.walk(ast.parse(row["test_list"][0].strip())) if isinstance(node, ast.Name)
    }
    for name in reversed(defined):
        if name in called:
            return name
    raise BadInput(
        f"evalplus/mbppplus: task {row['task_id']}: its first assertion calls no function of its solution"
    )


def generating(item: Item, family: str) -> Generating:
    """Greedy, the answer opened with a fence."""
    return greedy_code(item)
