"""Finding the asserts of self-oss-instruct rows: at the end of the instruction, or else in the response.

The released rows lost the tests of their responses, unless the instruction speaks of tests; about half got
some asserts appended to the instruction instead (bigcode-project/starcoder2-self-align, data preparation).
"""

import ast
from dataclasses import dataclass

from fusechat.records import Tests
from sampling.selection.fenced_code import parsed, python_blocks


@dataclass(frozen=True)
class FoundTests:
    """Tests, where they stood ("instruction" or "response"), and the response's code without them."""

    tests: Tests
    place: str
    reference_code: str


def find_tests(instruction: str, response: str) -> FoundTests | str:
    """The row's tests, or the reason why there are none that can be used."""
    response_blocks = [block.code for block in python_blocks(response)]
    for block in reversed(python_blocks(instruction)):
        tree = parsed(block.code)
        if tree is None or not has_assert(tree):
            continue
        reference = "\n\n".join(code for code in response_blocks if parsed(code) is not None)
        if not reference.strip():
            return "no solution"
        return _found(tree, reference, "instruction")
    return _in_response(response_blocks)


def _in_response(blocks: list[str]) -> FoundTests | str:
    for position in range(len(blocks) - 1, -1, -1):
        tree = parsed(blocks[position])
        if tree is None or not has_assert(tree):
            continue
        if len(blocks) > 1 and position > 0:
            reference = "\n\n".join(code for code in blocks[:position] if parsed(code) is not None)
            return _found(tree, reference, "response") if reference.strip() else "no solution"
        # One block holds solution and tests: what stands before the first test is the solution.
        first = next(index for index, node in enumerate(tree.body) if _is_test(node))
        if first == 0:
            return "no solution"
        reference = ast.unparse(ast.Module(tree.body[:first], []))
        return _found(ast.Module(tree.body[first:], []), reference, "response")
    return "no tests"


def _found(tree: ast.Module, reference: str, place: str) -> FoundTests | str:
    tests = tests_of(tree, defined_names(parsed(reference)))
    return FoundTests(tests, place, reference) if tests is not None else "no tests"


def tests_of(tree: ast.Module, names: set[str]) -> Tests | None:
    """Splits a test block: what stands before the first assert is set-up, each assert is a test of its own.

    Statements between asserts change what later asserts see; a block with such statements stays whole, as one
    test. Test functions that nothing calls are called.
    """
    body = [node for node in tree.body if not _redefines(node, names)]
    if not body or not has_assert(ast.Module(body, [])):
        return None
    functions = [node.name for node in body if isinstance(node, ast.FunctionDef) and _is_test(node)]
    if functions:
        calls = _called_names(ast.Module(body, []))
        source = ast.unparse(ast.Module(body, []))
        missing = [f"{name}()" for name in functions if name not in calls]
        return Tests(asserts=["\n".join([source, *missing])], entry_point=_entry_point(body, names))
    first = next((index for index, node in enumerate(body) if has_assert(ast.Module([node], []))), len(body))
    setup, rest = body[:first], body[first:]
    if all(isinstance(node, ast.Assert) for node in rest):
        asserts = list(dict.fromkeys(ast.unparse(node) for node in rest))
        return Tests(asserts=asserts, setup=_source(setup), entry_point=_entry_point(body, names))
    return Tests(asserts=[_source(rest)], setup=_source(setup), entry_point=_entry_point(body, names))


def has_assert(tree: ast.AST) -> bool:
    """Whether an assert statement stands anywhere in it."""
    return any(isinstance(node, ast.Assert) for node in ast.walk(tree))


def defined_names(tree: ast.Module | None) -> set[str]:
    """Functions and classes that the code defines at its top level."""
    if tree is None:
        return set()
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return {node.name for node in tree.body if isinstance(node, kinds)}


def _is_test(node: ast.stmt) -> bool:
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return node.name.lower().startswith("test") and has_assert(node)
    return has_assert(node)


def _redefines(node: ast.stmt, names: set[str]) -> bool:
    # A test block that brings the solution along again would test its own copy.
    return isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and node.name in names


def _called_names(tree: ast.AST) -> list[str]:
    return [
        node.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    ]


def _entry_point(body: list[ast.stmt], names: set[str]) -> str | None:
    called = _called_names(ast.Module(body, []))
    return next((name for name in called if name in names), None)


def _source(body: list[ast.stmt]) -> str:
    return ast.unparse(ast.Module(body, [])) if body else ""
