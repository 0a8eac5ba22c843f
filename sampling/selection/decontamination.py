"""Prompts that share thirteen words in a row with a benchmark's question (the overlap test of GPT-3's report).

Text is lower-cased and freed of punctuation; every Chinese character is a word. Word runs that many questions
share are their boilerplate, and ignored.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

from fusechat.inputs import expand_inputs
from fusechat.records import normalised_text
from sampling.selection.benchmark_questions import read_questions
from sampling.selection.drafts import digest
from sampling.selection.settings import DecontaminationSettings

WORD = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]|[^\W_\u3400-\u4dbf\u4e00-\u9fff]+")


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
