"""Which short texts a regular expression cannot match without.

Looking for a literal is tens of times faster than trying a pattern at every position, so the topic filter
tries a pattern only where one of its literals stands in the text.
"""

import re
from collections.abc import Iterable
from typing import Any

MAX_LITERALS = 100
MAX_CLASS = 10
COMMON = frozenset(" .,-'\n\"")


def required_texts(pattern: str) -> tuple[str, ...] | None:
    """Literals of which every match of `pattern` contains at least one; None where no such set is found."""
    from re import _parser  # type: ignore[attr-defined]

    literals = _required(_parser.parse(pattern, re.MULTILINE))
    return None if literals is None else tuple(sorted(literals, key=lambda text: (len(text), text)))


def _required(sequence: Iterable[Any]) -> frozenset[str] | None:
    """The best set of one sequence: its longest literals, since they are the rarest in texts."""
    candidates: list[frozenset[str]] = []
    run: list[str] = []
    for operation, argument in [*sequence, (None, None)]:
        if str(operation) == "LITERAL":
            run.append(chr(argument))
            continue
        if run and str(operation) == "BRANCH":  # the parser turns `mean|median` into `me(?:an|dian)`
            candidates.append(frozenset("".join(run) + _beginning(branch) for branch in argument[1]))
        if run:
            candidates.append(frozenset({"".join(run)}))
            run = []
        found = _required_of(str(operation), argument)
        if found:
            candidates.append(found)
    # The commonest text of a set decides how often the set is found.
    candidates = [texts for texts in candidates if len(texts) <= MAX_LITERALS]
    return max(candidates, key=lambda texts: (min(map(_rarity, texts)), -len(texts)), default=None)


def _rarity(text: str) -> int:
    """A guess: long texts are rare, and so are signs other than those of plain prose."""
    return sum(
        1 if character.isascii() and character.isalnum() else 0 if character in COMMON else 4
        for character in text
    )


def _beginning(sequence: Iterable[Any]) -> str:
    """The literal that every match of a sequence begins with; may be empty."""
    run: list[str] = []
    for operation, argument in sequence:
        if str(operation) != "LITERAL":
            break
        run.append(chr(argument))
    return "".join(run)


def _required_of(operation: str, argument: Any) -> frozenset[str] | None:
    if operation == "SUBPATTERN":
        return _required(argument[3])
    if operation == "BRANCH":
        branches = [_required(branch) for branch in argument[1]]
        if any(branch is None for branch in branches):
            return None
        union = frozenset[str]().union(*(branch for branch in branches if branch is not None))
        return union if len(union) <= MAX_LITERALS else None
    if operation in {"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"} and argument[0] >= 1:
        return _required(argument[2])
    if (
        operation == "IN"
        and len(argument) <= MAX_CLASS
        and all(str(kind) == "LITERAL" for kind, _ in argument)
    ):
        return frozenset(chr(value) for _, value in argument)
    return None
