"""Signs: patterns that are tried only where the literals that they need stand in the text.

The words of texts repeat, so which literals a word holds is worked out once a word and remembered. That makes
the filter several times faster than looking for each literal in each text.
"""

import re
from collections.abc import Sequence, Set
from dataclasses import dataclass

from sampling.selection.required_text import required_texts

LETTERS = re.compile(r"[a-z]{2,}")
REMEMBERED_WORDS = 100_000


@dataclass(frozen=True)
class Sign:
    """A pattern, and what a text that it matches must hold: a letter run of `runs`, or a text of `others`.

    Both empty: nothing is known, and the pattern is always tried.
    """

    pattern: re.Pattern[str]
    runs: frozenset[str]
    others: tuple[str, ...]

    def may_match(self, text: str, runs: Set[str]) -> bool:
        """False only where it cannot match; `runs` are the text's, from LetterRuns."""
        if not self.runs.isdisjoint(runs):
            return True
        for other in self.others:
            if other in text:
                return True
        return not self.runs and not self.others

    def is_in(self, text: str, runs: Set[str]) -> bool:
        """Whether it matches anywhere."""
        return self.may_match(text, runs) and self.pattern.search(text) is not None


def make_signs(patterns: Sequence[str]) -> tuple[Sign, ...]:
    """The patterns as signs."""
    made = []
    for pattern in patterns:
        runs, others = set(), []
        for literal in required_texts(pattern) or ():
            found = LETTERS.findall(literal.lower())
            if found:
                runs.add(max(found, key=len))
            else:
                others.append(literal)
        made.append(Sign(re.compile(pattern, re.MULTILINE), frozenset(runs), tuple(others)))
    return tuple(made)


class LetterRuns:
    """Which of the signs' letter runs stand in a text."""

    def __init__(self, *groups: Sequence[Sign]) -> None:
        self._runs = sorted({run for group in groups for sign in group for run in sign.runs})
        self._by_word: dict[str, tuple[str, ...]] = {}

    def of(self, lower: str) -> set[str]:
        """The runs inside the words of a lower-case text."""
        if len(self._by_word) > REMEMBERED_WORDS:
            self._by_word.clear()
        present: set[str] = set()
        for word in set(LETTERS.findall(lower)):
            runs = self._by_word.get(word)
            if runs is None:
                runs = self._by_word[word] = tuple(run for run in self._runs if run in word)
            if runs:
                present.update(runs)
        return present
