"""Checks whether an answer keeps the constraint of its instruction prompt, by rule.

A constraint is a mapping with `kind` and, by kind, `count`, `words` or `text`; instruction_prompts.yaml has them.
"""

import re
from collections.abc import Callable
from typing import Any

LIST_ITEM = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s+\S", re.MULTILINE)
# A sentence ends at . ! or ? that white space or the end follows; "3.5" and "a.m" do not end one.
SENTENCE_END = re.compile(r"[.!?]+[\"')\]]*(?=\s|$)")


def count_sentences(text: str) -> int:
    text = text.strip()
    ends = len(SENTENCE_END.findall(text))
    unfinished = bool(text) and not re.search(r"[.!?][\"')\]]*$", text)
    return ends + unfinished


def words_of(text: str) -> list[str]:
    return re.findall(r"[\w'’-]+", text.lower())


def _holds_all(text: str, wanted: list[str]) -> bool:
    return set(wanted) <= set(words_of(text))


def _holds_none(text: str, unwanted: list[str]) -> bool:
    return not set(unwanted) & set(words_of(text))


def _starts_with(text: str, beginnings: str) -> bool:
    letters = re.sub(r"^\W+", "", text.lower())
    return any(re.match(rf"{re.escape(beginning)}\b", letters) for beginning in beginnings.split("|"))


def _ends_with(text: str, ending: str) -> bool:
    stripped = text.strip().lower()
    # Words may be followed by a full stop; a wanted sign must be the very last thing.
    return stripped.endswith(ending) or (ending[-1].isalnum() and stripped.rstrip(".!\"'").endswith(ending))


CHECKS: dict[str, Callable[[str, dict[str, Any]], bool]] = {
    "sentences": lambda text, constraint: count_sentences(text) == constraint["count"],
    "list_items": lambda text, constraint: len(LIST_ITEM.findall(text)) == constraint["count"],
    "max_words": lambda text, constraint: len(words_of(text)) <= constraint["count"],
    "min_words": lambda text, constraint: len(words_of(text)) >= constraint["count"],
    "mentions": lambda text, constraint: _holds_all(text, constraint["words"]),
    "avoids": lambda text, constraint: _holds_none(text, constraint["words"]),
    "starts_with": lambda text, constraint: _starts_with(text, constraint["text"]),
    "ends_with": lambda text, constraint: _ends_with(text, constraint["text"]),
    "lower_case": lambda text, constraint: text == text.lower(),
}


def is_kept(constraint: dict[str, Any], text: str) -> bool:
    """Whether the answer keeps the constraint; an empty answer keeps none."""
    return bool(text.strip()) and CHECKS[constraint["kind"]](text, constraint)
