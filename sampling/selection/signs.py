"""Signs: patterns that are tried only where a literal that they need stands in the text.

The words of texts repeat, so which literals a word holds is worked out once a word and remembered. From the
literals of a text an index leads to the few signs that can match, so that their number costs little.
"""

import re
from collections import defaultdict
from collections.abc import Sequence, Set

from sampling.selection.required_text import required_texts

LETTERS = re.compile(r"[a-z]{2,}")
RARE_CHARACTER = re.compile(r"[^\w\s.,'\"?!:;-]|[^\x00-\x7f]")
REMEMBERED_WORDS = 100_000


class Signs:
    """Patterns in a fixed order, and the index from literals to them.

    A literal is looked for by a character of it that is rare in prose and then as a whole, or, where it has
    none, as its longest run of letters among those of the text's words. A pattern without known literals is
    always tried.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        self.patterns = tuple(re.compile(pattern, re.MULTILINE) for pattern in patterns)
        self._always: list[int] = []
        self._by_run: defaultdict[str, list[int]] = defaultdict(list)
        self._by_character: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
        for position, pattern in enumerate(patterns):
            literals = required_texts(pattern)
            if literals is None:
                self._always.append(position)
            for literal in literals or ():
                rare = RARE_CHARACTER.search(literal)
                found = LETTERS.findall(literal.lower())
                if found and not rare:
                    self._by_run[max(found, key=len)].append(position)
                else:
                    character = rare.group() if rare else max(literal)
                    self._by_character[character].append((literal, position))
        self._characters = frozenset(self._by_character)

    @property
    def runs(self) -> frozenset[str]:
        """The letter runs that the index asks for."""
        return frozenset(self._by_run)

    def candidates(self, text: str, runs: Set[str], characters: Set[str]) -> list[re.Pattern[str]]:
        """The patterns that may match, in their order.

        runs: the lower-case text's, from LetterRuns. characters: the text's, perhaps with others.
        """
        positions = set(self._always)
        for run in runs & self._by_run.keys():
            positions.update(self._by_run[run])
        for character in self._characters & characters:
            for literal, position in self._by_character[character]:
                if literal in text:
                    positions.add(position)
        return [self.patterns[position] for position in sorted(positions)]


class LetterRuns:
    """Which of the signs' letter runs stand in a text."""

    def __init__(self, *groups: Signs) -> None:
        self._runs = sorted({run for group in groups for run in group.runs})
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
