"""LiveCodeBench, problems of contests from 2024-08-01 to 2024-11-30 (223 in release 5); pass@1 over 10 samples.

Data: DATA_ROOT/livecodebench/code_generation_lite (test.jsonl to test6.jsonl, one part a release), else
DATA_ROOT/lighteval/code_generation_lite, else the former's files from the Hub. The wording of the request is this
project's own. Every sample must pass the public and the private tests; score: mean share of passing samples, also by
difficulty. Beginning and end are dates, not times: an end at midnight would lose contests of the last day.
"""

import base64
import io
import json
import pickle
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from evaluation.benchmark import Generating, Generation, Item, ItemScore, Tools
from evaluation.code_runs import Program, run_programs
from evaluation.dataset_files import Sources, check_columns, read_rows
from fusechat.errors import BadInput
from fusechat.records import StdinCase, TestCase, Tests

TITLE = "LiveCodeBench 2408-2411"
SCALE = 100.0
FIRST_DAY, LAST_DAY = "2024-08-01", "2024-11-30"
PROBLEMS = 223
PARTS = ("test.jsonl", "test2.jsonl", "test3.jsonl", "test4.jsonl", "test5.jsonl", "test6.jsonl")
SAMPLES = 10
COLUMNS = (
    "question_content", "question_id", "contest_date", "starter_code", "difficulty", "public_test_cases",
    "private_test_cases", "metadata",
)  # fmt: skip
SYSTEM = "You are an experienced Python programmer. You get a problem statement and write a correct program that passes all tests."
WITH_STARTER = "Complete the following starter code, and put the whole program into a Python fence."
WITH_STDIN = (
    "The program reads its input from stdin and prints its answer to stdout. Put it into a Python fence."
)
# In front of every solution: contest sites offer these names without an import.
PRELUDE = """import sys, math, re, string, random, itertools, functools, operator, collections, heapq, bisect, copy
from typing import *
from math import *
from collections import *
from heapq import *
from bisect import *
from itertools import *
from functools import *
from string import *
from operator import *
sys.setrecursionlimit(6000)
"""


class DataOnlyUnpickler(pickle.Unpickler):
    """Unpickles plain data; anything that would call code on loading is refused."""

    def find_class(self, module: str, name: str) -> NoReturn:
        raise BadInput(
            f"livecodebench: its private tests hold a pickled {module}.{name}; only plain data is read"
        )


def load(sources: Sources) -> list[Item]:
    """The window's problems in the data's order."""
    rows = [row for row in all_rows(sources) if in_window(row["contest_date"])]
    if not rows:
        raise BadInput(
            f"livecodebench: no problem from {FIRST_DAY} to {LAST_DAY}; releases 5 and later have them"
        )
    if len(rows) != PROBLEMS:
        print(
            f"note: livecodebench: {len(rows)} problems in the window; release 5 has {PROBLEMS}", flush=True
        )
    return [item_of(row) for row in rows]


def all_rows(sources: Sources) -> list[dict[str, Any]]:
    """Rows of all releases up to the newest that is there."""
    folder = sources.local_folder("livecodebench/code_generation_lite")
    if folder is not None:
        files = [folder / name for name in PARTS if (folder / name).is_file()]
        rows = [row for path in files for row in read_rows(path)]
        check_columns(rows, COLUMNS, str(folder))
        return rows
    if sources.local_folder("lighteval/code_generation_lite"):
        return sources.rows(
            "lighteval/code_generation_lite", config="release_v5", split="test", columns=COLUMNS
        )
    from huggingface_hub import hf_hub_download

    try:
        paths = [
            hf_hub_download("livecodebench/code_generation_lite", name, repo_type="dataset") for name in PARTS
        ]
    except Exception as error:
        raise BadInput(
            f"livecodebench/code_generation_lite: cannot be downloaded ({type(error).__name__}); "
            "give --data-root DIR with its test*.jsonl below livecodebench/code_generation_lite"
        ) from None
    return [row for path in paths for row in read_rows(Path(path))]


def in_window(contest_date: str) -> bool:
    """Whether a contest's day lies in the window, both ends included."""
    return FIRST_DAY <= str(contest_date)[:10] <= LAST_DAY


def item_of(row: dict[str, Any]) -> Item:
    """One problem with its tests."""
    starter = row["starter_code"].strip("\n")
    form = (
        f"{WITH_STARTER}\n```python\n{starter}\n```"
        if starter.strip()
        else f"{WITH_STDIN}\n```python\n# program\n```"
    )
    text = f"### Question\n{row['question_content']}\n\n### Format\n{form}\n\n### Answer"
    messages = ({"role": "system", "content": SYSTEM}, {"role": "user", "content": text})
    fields = {"tests": tests_of(row), "groups": {"difficulty": row["difficulty"]}}
    return Item(item_id=f"lcb-{row['question_id']}", messages=messages, fields=fields)


def tests_of(row: dict[str, Any]) -> Tests:
    """Public and private tests: calls of a method, or whole programs with input and output."""
    cases = case_list(row["public_test_cases"]) + case_list(row["private_test_cases"])
    function = json.loads(row["metadata"] or "{}").get("func_name")
    if function:
        calls = [
            TestCase(
                args=[json.loads(line) for line in case["input"].split("\n") if line.strip()],
                expected=json.loads(case["output"]),
            )
            for case in cases
        ]
        return Tests(cases=calls, entry_point=function, setup=PRELUDE)
    return Tests(stdin_stdout=[StdinCase(stdin=case["input"], stdout=case["output"]) for case in cases])


def case_list(text: str) -> list[dict[str, Any]]:
    """A list of tests: JSON, or JSON pickled, compressed and in base64."""
    try:
        return json.loads(text)
    except ValueError:
        packed = zlib.decompress(base64.b64decode(text))
    return json.loads(DataOnlyUnpickler(io.BytesIO(packed)).load())


def generating(item: Item, family: str) -> Generating:
    """Ten samples at a low temperature."""
    return Generating(max_tokens=2000, temperature=0.2, top_p=0.95, samples=SAMPLES, stop=("###",))


def first_fenced_block(text: str) -> str:
    """The lines between the first two lines with a fence; empty where there are fewer than two."""
    lines = text.split("\n")
    fences = [index for index, line in enumerate(lines) if "```" in line]
    return "\n".join(lines[fences[0] + 1 : fences[1]]) if len(fences) >= 2 else ""


def score(
    items: Sequence[Item], answers: Mapping[str, Sequence[Generation]], tools: Tools
) -> list[ItemScore]:
    """Share of the samples that pass all tests."""
    programs = [
        Program(one.generation_id, code, item.fields["tests"], prelude=PRELUDE)
        for item in items
        for one in answers[item.item_id]
        if (code := first_fenced_block(one.text)).strip()
    ]
    outcomes = run_programs(programs, tools)
    scores = []
    for item in items:
        results = [outcomes.get(one.generation_id) for one in answers[item.item_id]]
        unknown = [result.reason for result in results if result and result.score is None]
        share = sum(result.score or 0.0 for result in results if result) / len(results)
        scores.append(
            ItemScore(
                item.item_id, None if unknown else share, reason=unknown[0] if unknown else None,
                groups=dict(item.fields["groups"]),
            )
        )  # fmt: skip
    return scores
