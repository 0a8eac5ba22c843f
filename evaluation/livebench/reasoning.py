"""LiveBench's reasoning tasks: web of lies, zebra puzzles, spatial questions. Scores are 0 or 1."""

import re

from evaluation.livebench.boxed import last_box

NUMBER_WORDS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty",
)  # fmt: skip
DIGITS = {str(digit): NUMBER_WORDS[digit] for digit in range(1, 10)}
NUMBERS = {word: str(number) for number, word in enumerate(NUMBER_WORDS)}
# These may stand inside a longer span, "equilateral triangle", but not in a list of shapes.
SHAPES = ("tetrahedra", "tetrahedron", "triangle", "square")

_BOLD = re.compile(r"\*\*(.*?)\*\*")
_BOLD_WITHOUT_STARS = re.compile(r"\*\*([^*]+)\*\*")
_TRIPLE = re.compile(r"\*\*\*(\w+)\*\*\*")


def web_of_lies(truth: str, answer: str) -> float:
    """The last bold span is the truth, or holds it and three times yes or no in all."""
    spans = _BOLD.findall(answer)
    if not spans:
        return 0.0
    last, truth = spans[-1].lower(), truth.lower()
    has_three = last.count("yes") + last.count("no") == 3
    return float(last == truth or (has_three and truth in last))


def zebra_puzzle(truth: str, answer: str) -> float:
    """The last word in triple asterisks, else the last word of all, is the truth."""
    words = _TRIPLE.findall(answer) or re.findall(r"\b\w+\b", answer)
    word, truth = (words[-1] if words else ""), truth.lower()
    return float(truth in (word.lower(), f"{word.lower()} movies", DIGITS.get(word)))


def spatial(truth: str, answer: str) -> float:
    """One of the last three bold spans is the truth, or the last box holds it."""
    wanted = truth.strip().lower()
    for span in _BOLD_WITHOUT_STARS.findall(answer)[-3:]:
        word = span.strip().lower()
        if wanted in (word, NUMBERS.get(word)):
            return 1.0
        if wanted in SHAPES and wanted in word and len(word) < 2 * len(wanted) + 5:
            return 1.0
    return float(last_box(answer) == truth)
