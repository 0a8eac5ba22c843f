"""Whether a prompt is about code, about mathematics, or neither: by fixed patterns, the same on every machine.

The datasets of instructions without labels (UltraFeedback, HelpSteer2, alpaca_gpt4_zh) are filtered by it.
Signs and their weights stand in `topic_patterns`. tests/sampling/test_select_topic_filter.py measures it on
hand-labelled prompts.
"""

import re
from collections.abc import Set
from typing import Literal, NamedTuple

from sampling.selection import topic_patterns
from sampling.selection.signs import LetterRuns, Signs

Topic = Literal["code", "math"]
STRONG_POINTS = 2
# (characters, points): the longer a text, the more words it has that are signs by chance.
POINTS_NEEDED = ((400, 2), (1200, 3), (10**9, 4))
FIGURE = re.compile(r"\[asy\].*?(?:\[/asy\]|\Z)", re.DOTALL | re.IGNORECASE)
# A quantity asked for at the end of a long text is reading comprehension more often than arithmetic.
WORD_PROBLEM_CHARACTERS = 600
# Signs are looked for in this much of a prompt: a long document behind an instruction says little of the task.
READ_CHARACTERS = 3000

STRONG_CODE, WEAK_CODE = Signs(topic_patterns.STRONG_CODE), Signs(topic_patterns.WEAK_CODE)
STRONG_CODE_CASED = Signs(topic_patterns.STRONG_CODE_CASED)
STRONG_MATH, WEAK_MATH = Signs(topic_patterns.STRONG_MATH), Signs(topic_patterns.WEAK_MATH)
NUMBER = re.compile(f"{topic_patterns.NUMBER}|{topic_patterns.NUMBER_ZH}")
QUANTITY_QUESTION = Signs([f"{topic_patterns.QUANTITY_QUESTION}|{topic_patterns.QUANTITY_QUESTION_ZH}"])
NOT_A_WORD_PROBLEM = re.compile(topic_patterns.NOT_A_WORD_PROBLEM)
NO_SIGNS = Signs([])
LETTER_RUNS = LetterRuns(STRONG_CODE, WEAK_CODE, STRONG_CODE_CASED, STRONG_MATH, WEAK_MATH, QUANTITY_QUESTION)


class Parts(NamedTuple):
    """What of a text decides which signs are tried: its letter runs, its characters in both cases."""

    runs: Set[str]
    characters: Set[str]


def characters_of(text: str) -> set[str]:
    """The characters of a text and those of its lower-case form."""
    characters = set(text)
    characters.update(*map(str.lower, characters))
    return characters


def topic_of(text: str) -> Topic | None:
    """The topic that a prompt belongs to; code where it is both, None where it is neither."""
    if len(text) > READ_CHARACTERS:
        half = READ_CHARACTERS // 2
        text = f"{text[:half]}\n{text[-half:]}"
    needed = next(points for length, points in POINTS_NEEDED if len(text) <= length)
    lower = text.lower()
    parts = Parts(LETTER_RUNS.of(lower), characters_of(text))
    # Asymptote figures of maths problems look like C.
    has_figure = "[asy]" in lower
    without_figures = (FIGURE.sub("", lower), FIGURE.sub("", text)) if has_figure else (lower, text)
    if _is_code(*without_figures, parts, needed):
        return "code"
    if is_word_problem(lower, parts) or _points(lower, parts, STRONG_MATH, WEAK_MATH, needed) >= needed:
        return "math"
    return None


def is_word_problem(lower: str, parts: Parts) -> bool:
    """Whether a short text gives at least two numbers and asks for a quantity."""
    if len(lower) > WORD_PROBLEM_CHARACTERS or not _has(lower, parts, QUANTITY_QUESTION):
        return False
    return len(NUMBER.findall(lower)) >= 2 and not NOT_A_WORD_PROBLEM.search(lower)


def _is_code(lower: str, cased: str, parts: Parts, needed: int) -> bool:
    points = _points(lower, parts, STRONG_CODE, WEAK_CODE, needed)
    if points < needed:
        points += _points(cased, parts, STRONG_CODE_CASED, NO_SIGNS, needed)
    return points >= needed


def _points(text: str, parts: Parts, strong: Signs, weak: Signs, needed: int) -> int:
    """Two points for each different strong sign, one for each weak sign; stops counting at `needed`."""
    points = 0
    found: set[str] = set()
    for pattern in strong.candidates(text, parts.runs, parts.characters):
        for match in pattern.finditer(text):
            if match.group() not in found:
                found.add(match.group())
                points += STRONG_POINTS
                if points >= needed:
                    return points
    for pattern in weak.candidates(text, parts.runs, parts.characters):
        if pattern.search(text):
            points += 1
            if points >= needed:
                return points
    return points


def _has(text: str, parts: Parts, signs: Signs) -> bool:
    return any(pattern.search(text) for pattern in signs.candidates(text, parts.runs, parts.characters))
