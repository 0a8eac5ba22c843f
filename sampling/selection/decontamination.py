"""Prompts that share thirteen words in a row with a benchmark's question (the overlap test of GPT-3's report).

Text is lower-cased and freed of punctuation; every Chinese character is a word. Word runs that many questions
share are their boilerplate, and ignored.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from fusechat.errors import BadInput
from fusechat.inputs import expand_inputs
from fusechat.records import normalised_text
from sampling.selection.drafts import digest
from sampling.selection.settings import DecontaminationSettings

WORD = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]|[^\W_\u3400-\u4dbf\u4e00-\u9fff]+")
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


class Questions:
    """The benchmark questions' word runs; `overlap` finds one in a prompt."""

    def __init__(self, files: Sequence[str], settings: DecontaminationSettings) -> None:
        self.settings = settings
        self.count = 0
        places: dict[int, str] = {}
        questions_with: defaultdict[int, int] = defaultdict(int)
        self._short: dict[int, str] = {}
        self._short_lengths: set[int] = set()
        for path in expand_inputs(files):
            for text, place in read_questions(path):
                self.count += 1
                words = words_of(text)
                if settings.min_question_words <= len(words) < settings.ngram_words:
                    self._short.setdefault(digest(" ".join(words)), place)
                    self._short_lengths.add(len(words))
                for run in set(word_runs(words, settings.ngram_words)):
                    questions_with[run] += 1
                    places.setdefault(run, place)
        self._places = {
            run: place for run, place in places.items() if questions_with[run] <= settings.max_question_share
        }

    def overlap(self, text: str) -> str | None:
        """Where the question stands (file:line) that a prompt shares a run of words with, or None."""
        words = words_of(text)
        for run in word_runs(words, self.settings.ngram_words):
            place = self._places.get(run)
            if place is not None:
                return place
        for length in sorted(self._short_lengths):
            for run in word_runs(words, length):
                if run in self._short:
                    return self._short[run]
        return None


def words_of(text: str) -> list[str]:
    """Lower-case words without punctuation; each Chinese character is one."""
    return WORD.findall(normalised_text(text))


def word_runs(words: Sequence[str], length: int) -> Iterator[int]:
    """A number for each run of `length` words."""
    for start in range(len(words) - length + 1):
        yield digest(" ".join(words[start : start + length]))


def read_questions(path: Path) -> Iterator[tuple[str, str]]:
    """(question, "file:line") of a file: JSON lines or a JSON array with a question field, or a question a line."""
    if path.name.endswith(".txt"):
        for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), start=1):
            if line.strip():
                yield line, f"{path}:{number}"
        return
    try:
        with path.open(encoding="utf-8") as file:
            if path.name.endswith(".json"):
                rows = list(enumerate(json.load(file), start=1))
            else:
                rows = [
                    (number, json.loads(line)) for number, line in enumerate(file, start=1) if line.strip()
                ]
    except (ValueError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: is not valid JSON: {' '.join(str(error).split())[:200]}") from None
    for number, row in rows:
        yield _question(row, f"{path}:{number}"), f"{path}:{number}"


def _question(row: Any, location: str) -> str:
    if isinstance(row, str):
        return row
    if isinstance(row, dict):
        messages = row.get("messages") or row.get("turns")
        if isinstance(messages, list):
            turns = [turn.get("content", "") if isinstance(turn, dict) else str(turn) for turn in messages]
            return "\n".join(turns)
        for name in QUESTION_FIELDS:
            if isinstance(row.get(name), str):
                return row[name]
    raise BadInput(
        f"{location}: has no question; one of the fields {', '.join(QUESTION_FIELDS)} or messages is needed"
    )
