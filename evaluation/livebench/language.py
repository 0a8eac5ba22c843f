"""LiveBench's language tasks: connections, plot unscrambling, typos. Scores are shares from 0 to 1."""

import difflib
import re

from evaluation.livebench.edit_distance import edit_distance

GROUP_SIZE = 4

_BOLD = re.compile(r"\*\*(.*?)\*\*")
_SUMMARY = "<PLOT_SUMMARY>"


def connections(truth: str, answer: str) -> float:
    """The best bold span's share of the truth's groups of four words, in any order inside a group."""
    wanted = word_groups(truth)
    spans = [word_groups(span) for span in _BOLD.findall(answer)]
    found = [sum(any(group <= other for other in span) for group in wanted) for span in spans]
    return max(found, default=0) / len(wanted)


def word_groups(text: str) -> list[set[str]]:
    """Words between commas, lower case, in groups of four."""
    words = [word.strip().lower() for word in text.split(",")]
    return [set(words[start : start + GROUP_SIZE]) for start in range(0, len(words), GROUP_SIZE)]


def plot_unscrambling(truth: str, answer: str) -> float:
    """1 - edit distance of the order in which the truth's sentences are found, over their number."""
    if _SUMMARY in answer:
        answer = answer.partition(_SUMMARY)[2]
    wanted, found = sentences(truth), sentences(answer)
    order = []
    for sentence in wanted:
        nearest = difflib.get_close_matches(sentence, found, n=1, cutoff=0.0)
        if nearest:
            order.append(found.index(nearest[0]))
    return 1 - edit_distance(range(len(wanted)), order) / len(wanted)


def sentences(text: str) -> list[str]:
    """What stands between full stops."""
    return [part.strip() for part in text.split(".") if part.strip()]


def typos(truth: str, answer: str) -> float:
    """The truth stands in the last line that is not empty."""
    lines = [line for line in answer.split("\n") if line]
    return float(bool(lines) and truth in lines[-1])
