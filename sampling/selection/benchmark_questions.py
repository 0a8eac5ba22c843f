"""The questions of benchmark files, in the formats in which the benchmarks are published.

The fields cover the 14 benchmarks of the report: `turns` (MT-Bench, LiveBench, Arena-Hard), `question` (GSM8K,
MMLU-Pro, MMLU-redux, AMC 23, AlignBench; `Question` in GPQA), `problem` (MATH), `instruction` (AlpacaEval),
`prompt` (HumanEval, MBPP; `text` in MBPP's first release), `question_content` (LiveCodeBench).
"""

import csv
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fusechat.errors import BadInput

# In the order in which they are looked for; the case of letters does not matter.
QUESTION_FIELDS = (
    "question",
    "problem",
    "prompt",
    "instruction",
    "question_content",
    "text",
    "input",
    "content",
)
CHAT_FIELDS = ("messages", "turns")


def read_questions(path: Path) -> Iterator[tuple[str, str]]:
    """(question, "file:line") of a file: parquet, csv, a JSON array or JSON lines (or .gz of them) with a question
    field, or .txt with a question a line. In parquet and csv files and arrays rows are counted instead of lines.

    BadInput names the file, or the row that has no question.
    """
    try:
        for number, row in _rows(path):
            yield _question(row, f"{path}:{number}"), f"{path}:{number}"
    except (OSError, ValueError, EOFError, csv.Error) as error:  # pyarrow's and json's errors are ValueErrors
        raise BadInput(f"{path}: cannot be read: {' '.join(str(error).split())[:200]}") from None


def _rows(path: Path) -> Iterator[tuple[int, Any]]:
    if path.name.endswith(".parquet"):
        import pyarrow.parquet

        with pyarrow.parquet.ParquetFile(path) as file:
            wanted = {*QUESTION_FIELDS, *CHAT_FIELDS}
            columns = [name for name in file.schema_arrow.names if name.lower() in wanted]
            batches = file.iter_batches(1024, columns=columns)
            yield from enumerate((row for batch in batches for row in batch.to_pylist()), start=1)
        return
    name = path.name.removesuffix(".gz")
    with (gzip.open if name != path.name else open)(path, "rt", encoding="utf-8", newline="") as file:
        if name.endswith(".csv"):
            yield from enumerate(csv.DictReader(file), start=1)
        elif name.endswith(".json"):
            yield from enumerate(json.load(file), start=1)
        else:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield number, line.strip() if name.endswith(".txt") else json.loads(line)


def _question(row: Any, location: str) -> str:
    if isinstance(row, str):
        return row
    fields = {str(name).lower(): value for name, value in row.items()} if isinstance(row, dict) else {}
    for name in CHAT_FIELDS:
        if isinstance(fields.get(name), list):
            turns = [
                turn.get("content", "") if isinstance(turn, dict) else str(turn) for turn in fields[name]
            ]
            return "\n".join(turns)
    for name in QUESTION_FIELDS:
        if isinstance(fields.get(name), str):
            return fields[name]
    raise BadInput(
        f"{location}: has no question; one of the fields {', '.join((*QUESTION_FIELDS, *CHAT_FIELDS))} is needed"
    )
