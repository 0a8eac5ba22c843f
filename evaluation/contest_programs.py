"""Programs for contest problems, and their hidden tests, as LiveCodeBench and LiveBench's coding tasks store them.

Tests are public and private; private ones may be packed (base64 of zlib of a pickle of JSON). A problem with a
function name is tested by calls of a method, any other by whole programs that read stdin and write stdout.
"""

import base64
import io
import json
import pickle
import re
import zlib
from collections.abc import Mapping
from typing import Any, NoReturn

import msgspec

from evaluation.code_runs import Program
from fusechat.errors import BadInput
from fusechat.records import StdinCase, TestCase, Tests
from fusechat.sandbox import Limits

# Contest sites offer these names without an import. builtins comes late: it gives pow, abs and open back, which
# operator and io bring in forms of their own.
MODULES = (
    "string", "re", "datetime", "collections", "heapq", "bisect", "copy", "math", "random", "statistics", "itertools",
    "functools", "operator", "io", "sys", "json", "builtins", "typing",
)  # fmt: skip
PRELUDE = "".join(f"from {name} import *\n" for name in MODULES)
PRELUDE += f"import {', '.join(MODULES)}\nsys.setrecursionlimit(600_000)\n"
# One test may take 6 s. A sandboxed run of a method makes all calls together; half a minute bounds an endless loop.
TEST_S, CALLS_S, MEMORY_MB = 6.0, 30.0, 2048

_SOLUTION = re.compile(r"^class Solution\b", re.MULTILINE)


class DataOnlyUnpickler(pickle.Unpickler):
    """Unpickles plain data; anything that would call code on loading is refused."""

    def find_class(self, module: str, name: str) -> NoReturn:
        raise BadInput(f"private tests hold a pickled {module}.{name}; only plain data is read")


def first_fenced_block(text: str) -> str:
    """The lines between the first two lines with a fence; empty where there are fewer than two."""
    return _lines_between(text, 0, 1)


def last_fenced_block(text: str) -> str:
    """The lines between the last two lines with a fence, as LiveCodeBench takes them by now."""
    return _lines_between(text, -2, -1)


def _lines_between(text: str, opening: int, closing: int) -> str:
    """The lines between two of the lines with a fence, which are given by their places among these."""
    lines = text.split("\n")
    fences = [index for index, line in enumerate(lines) if "```" in line]
    return "\n".join(lines[fences[opening] + 1 : fences[closing]]) if len(fences) >= 2 else ""


def case_list(text: str) -> list[dict[str, Any]]:
    """A list of tests: JSON, or JSON pickled, compressed and in base64. Raises ValueError for anything else."""
    try:
        return json.loads(text)
    except ValueError:
        pass
    try:
        packed = zlib.decompress(base64.b64decode(text))
    except zlib.error as error:
        raise ValueError(str(error)) from None
    return json.loads(DataOnlyUnpickler(io.BytesIO(packed)).load())


def contest_tests(row: Mapping[str, Any]) -> Tests:
    """Public and private tests of a problem; BadInput names one whose tests cannot be read."""
    try:
        cases = case_list(row["public_test_cases"]) + case_list(row["private_test_cases"])
        function = json.loads(metadata_of(row) or "{}").get("func_name")
        if not function:
            pairs = [StdinCase(stdin=case["input"], stdout=case["output"]) for case in cases]
            return Tests(stdin_stdout=pairs)
        calls = [
            TestCase(
                args=[json.loads(line) for line in case["input"].split("\n") if line.strip()],
                expected=json.loads(case["output"]),
            )
            for case in cases
        ]
    except (ValueError, KeyError, TypeError, AttributeError, EOFError, pickle.UnpicklingError) as error:
        name = row.get("question_id")
        raise BadInput(
            f"question {name}: its tests cannot be read ({type(error).__name__}: {error}); download the data again"
        ) from None
    return Tests(cases=calls, entry_point=function, setup=PRELUDE)


def metadata_of(row: Mapping[str, Any]) -> str:
    """The problem's metadata (JSON); LiveBench keeps it with the original row."""
    if "metadata" in row:
        return row["metadata"]
    original = row["original_json"]
    return (json.loads(original) if isinstance(original, str) else original)["metadata"]


def contest_program(key: str, code: str, tests: Tests) -> Program:
    """The program to run, with the limits of contest problems.

    A method of the class Solution is named as such: some names of methods (add, gcd) come with the prelude too.
    """
    if tests.entry_point and _SOLUTION.search(code):
        tests = msgspec.structs.replace(tests, entry_point=f"Solution.{tests.entry_point}")
    seconds = min(TEST_S * len(tests.cases or ()), CALLS_S) if tests.cases else TEST_S
    limits = Limits(wall_s=seconds, cpu_s=seconds, load_s=TEST_S, memory_mb=MEMORY_MB)
    return Program(key, code, tests, prelude=PRELUDE, limits=limits)
