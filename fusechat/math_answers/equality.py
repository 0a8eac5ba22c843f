r"""Decide whether two maths answers are equal by strings and exact numbers alone, where that is enough.

The result is True, False, or None for "symbolic algebra must decide" (see `checker.py`). The rules follow the
Qwen2.5-Math evaluation and are stricter where it would accept a wrong value: two whole numbers must be the same
(10001 is not 10000), only enclosing brackets may differ (`2(x+1)` is not `2x+1`), and gold x 100 or gold / 100
count only on request.
"""

import re
from itertools import chain

from fusechat.math_answers.exact_numbers import numbers_equal, parse_number
from fusechat.math_answers.normalisation import MAX_ANSWER_CHARACTERS, normalise_answer
from fusechat.math_answers.plain_form import comparison_key, encloses

_HALF_OF_DAY = re.compile(r"\d\s*(?:\\text\{|\\,|\\|~|\s)*([ap])\.?\s*m\b", re.IGNORECASE)
# A number and what is counted, in words; none of them may change the value.
_COUNTED = re.compile(r"\$?(-?\d[\d,]*(?:\.\d+)?|-?\d+/\d+)\s+([a-z]{4,}(?:[ -][a-z]{2,}){0,3})\.?")
_COMPOUND = re.compile(r"-?[\d.]{1,20} ?[a-z]{1,12},? [\d.]{1,20} ?[a-z]{1,12}\.?", re.IGNORECASE)
_CHANGING_WORDS = re.compile(
    r"\b(?:hundred|thousand|million|billion|trillion|dozen|half|halves|thirds?|quarters?|fourths?|fifths?|squared|cubed|"
    r"factorial|times|plus|minus|and|or|to|of|mod|choose|over|by|below|negative|pi|base|percent|x|less|more)s?\b"
)
_NAMED = re.compile(r"([A-Za-z]\w{0,3})=(.+)")

_LETTERS = re.compile(r"[A-Za-z]{4,}")
_CHOICE = re.compile(r"\(?([A-E])(?:[).:](?!.*(?<![A-Za-z])[A-E](?![A-Za-z])).*)?")
_IN_A_BASE = re.compile(r"(\d+)_\{?(\d+)\}?")
# Notation in which one part stands for several: the count of commas says nothing then.
_SEVERAL_VALUES = re.compile(r"\\(?:pm|mp|cup|cap|le|ge|lt|gt|ne|in|setminus|mathbb)(?![a-z])|[<>:|]")


def compare_quickly(predicted: str, gold: str, percent_factor: bool = False) -> bool | None:
    """Equal by string and number rules: True or False; None where they cannot tell."""
    wanted = normalise_answer(gold)
    found = normalise_answer(predicted)
    if not found or not wanted:
        return False
    if max(len(predicted), len(gold)) > MAX_ANSWER_CHARACTERS:
        # The normal forms are cut: that these are the same says nothing of the rest.
        return True if predicted.strip() == gold.strip() else None
    if _is_compound(predicted) != _is_compound(gold) and any(
        parse_number(comparison_key(answer)) is not None for answer in (found, wanted)
    ):
        return False
    halves = _HALF_OF_DAY.search(predicted[-200:]), _HALF_OF_DAY.search(gold[-200:])
    if halves[0] and halves[1] and halves[0].group(1).lower() != halves[1].group(1).lower():
        return False
    if _written_percent(predicted) != _written_percent(gold) and _percent_equal(predicted, found, wanted):
        return True
    named = _assignments(predicted), _assignments(gold)
    if named[0] and named[1] and named[0].keys() == named[1].keys():
        values = [[normalise_answer(values[name]) for name in named[1]] for values in named]
        return _compare_parts(values[0], values[1], percent_factor)
    return compare_normalised(
        _counted_number(predicted, found, wanted), _counted_number(gold, wanted, found), percent_factor
    )


def symbolic_forms(predicted: str, gold: str) -> tuple[str, str]:
    """What algebra gets to compare: both in plain normal form, `y=2x-3` whole where the other is an equation in y.

    The normal form of `y=2x-3` alone is `2x-3`, for a gold answer that is only the value.
    """
    answers = predicted, gold
    forms = [comparison_key(normalise_answer(answer)) for answer in answers]
    for one, other in ((0, 1), (1, 0)):
        name, equals, _ = _bare(answers[one]).partition("=")
        if (
            equals
            and len(name) == 1
            and "=" not in forms[one]
            and "=" in forms[other]
            and name in forms[other]
        ):
            forms[one] = f"{name}={forms[one]}"
    return forms[0], forms[1]


def _bare(answer: str) -> str:
    """Without marks of maths mode and spaces."""
    return re.sub(r"\\[()\[\]]|[$\s]", "", answer[:MAX_ANSWER_CHARACTERS])


def _assignments(answer: str) -> dict[str, str]:
    """The values of an answer like `x=5, y=6` by name; empty for every other answer."""
    parts = [_NAMED.fullmatch(part) for part in split_top_level(_bare(answer).replace(";", ","), ",")]
    found = {part.group(1): part.group(2) for part in parts if part}
    return found if len(found) == len(parts) > 1 else {}


def _is_compound(answer: str) -> bool:
    """Whether this is a quantity in two units (`5 feet 2 inches`), which no bare number equals."""
    return bool(_COMPOUND.fullmatch(answer.strip()))


def _counted_number(answer: str, normal: str, other: str) -> str:
    """The number of an answer like `7 widgets` where the other answer is a bare number; else its normal form."""
    if parse_number(comparison_key(other)) is None or parse_number(comparison_key(normal)) is not None:
        return normal
    match = _COUNTED.fullmatch(answer.strip().lower()) if len(answer) <= 80 else None
    return (
        normalise_answer(match.group(1)) if match and not _CHANGING_WORDS.search(match.group(2)) else normal
    )


def compare_normalised(found: str, wanted: str, percent_factor: bool = False) -> bool | None:
    """The same for two answers in normal form."""
    if found.lower() == wanted.lower():
        return True
    if re.fullmatch("[A-E]", wanted) and (choice := _CHOICE.fullmatch(found)):
        return choice.group(1) == wanted
    found_key, wanted_key = comparison_key(found), comparison_key(wanted)
    if found_key.lower() == wanted_key.lower():
        return True
    found_number, wanted_number = parse_number(found_key), parse_number(wanted_key)
    if found_number and wanted_number:
        return numbers_equal(found_number, wanted_number, percent_factor)
    bases = _IN_A_BASE.fullmatch(found_key), _IN_A_BASE.fullmatch(wanted_key)
    if bases[0] or bases[1]:
        # 1011 for 1011 in base 2 is taken, another base is not; algebra would ignore the base.
        return None in bases and found_key.partition("_")[0] == wanted_key.partition("_")[0]
    if _is_words(found_key) and _is_words(wanted_key):
        # As algebra the letters would be factors, and "even" would equal "neve".
        return False
    if max(len(found), len(wanted)) >= MAX_ANSWER_CHARACTERS:
        return None
    return _compare_structures(found_key, wanted_key, percent_factor)


def _written_percent(answer: str) -> bool:
    return answer[:MAX_ANSWER_CHARACTERS].rstrip(" $.)\\]").endswith("%")


def _percent_equal(predicted: str, found: str, wanted: str) -> bool:
    """`50%` equals `0.5`: by value, not by leave; (that `50%` equals `50` too follows from the normal form)."""
    first, second = parse_number(comparison_key(found)), parse_number(comparison_key(wanted))
    if first is None or second is None:
        return False
    if _written_percent(predicted):
        return numbers_equal(first._replace(value=first.value / 100), second)
    return numbers_equal(first, second._replace(value=second.value / 100))


def _is_words(answer: str) -> bool:
    return "\\" not in answer and bool(_LETTERS.search(answer)) and not re.search(r"[\d^=+*/<>_|]", answer)


def _compare_structures(found: str, wanted: str, percent_factor: bool) -> bool | None:
    """Tuples, intervals, sets, lists and matrices, part by part."""
    rows = _matrix_rows(found), _matrix_rows(wanted)
    if rows[0] is not None and rows[1] is not None:
        if [len(row) for row in rows[0]] != [len(row) for row in rows[1]]:
            return False
        return _compare_parts(list(chain(*rows[0])), list(chain(*rows[1])), percent_factor)
    (found_kind, found_parts), (wanted_kind, wanted_parts) = _list_parts(found), _list_parts(wanted)
    if len(found_parts) < 2 and len(wanted_parts) < 2:
        return None
    kinds = {found_kind, wanted_kind}
    if len(found_parts) == len(wanted_parts):
        found_parts, wanted_parts, in_order = _without_names(found_parts, wanted_parts)
        if in_order:
            return _compare_parts(found_parts, wanted_parts, percent_factor)
    if len(found_parts) != len(wanted_parts):
        return None if _SEVERAL_VALUES.search(found + wanted) else False
    if len(kinds) == 2 and "" not in kinds:
        # (1,2) is neither [1,2) nor {1,2}. [1,2] for the point (1,2) is left to algebra, which refuses it too.
        return None if kinds == {"()", "[]"} and len(found_parts) > 2 else False
    if "{}" in kinds or kinds == {""}:
        return _compare_unordered(found_parts, wanted_parts, percent_factor)
    return _compare_parts(found_parts, wanted_parts, percent_factor)


def _without_names(found: list[str], wanted: list[str]) -> tuple[list[str], list[str], bool]:
    """`a=3,b=4` against `3,4`: the values, and whether their order counts. Names on both sides stay."""
    named = [[_NAMED.fullmatch(part) for part in parts] for parts in (found, wanted)]
    for one, other, parts in ((0, 1, found), (1, 0, wanted)):
        matches = [match for match in named[one] if match]
        if len(matches) == len(parts) and not any(named[other]):
            values = [match.group(2) for match in matches]
            in_order = len({match.group(1) for match in matches}) > 1
            return (values, wanted, in_order) if one == 0 else (found, values, in_order)
    return found, wanted, False


def _compare_parts(found: list[str], wanted: list[str], percent_factor: bool) -> bool | None:
    verdicts = [compare_normalised(a, b, percent_factor) for a, b in zip(found, wanted, strict=True)]
    if False in verdicts:
        return False
    return None if None in verdicts else True


def _compare_unordered(found: list[str], wanted: list[str], percent_factor: bool) -> bool | None:
    """Each part matched with one equal part of the other side; None as soon as algebra is needed for one."""
    left = list(wanted)
    for part in found:
        verdicts = [compare_normalised(part, other, percent_factor) for other in left]
        if True in verdicts:
            left.pop(verdicts.index(True))
        else:
            return None if None in verdicts else False
    return True


def _matrix_rows(answer: str) -> list[list[str]] | None:
    match = re.fullmatch(r"\(?\\begin\{(p?matrix)\}(.*)\\end\{\1\}\)?", answer)
    if not match:
        return None
    rows = [row for row in match.group(2).split("\\\\") if row]
    return [row.split("&") for row in rows]


def _list_parts(answer: str) -> tuple[str, list[str]]:
    """The kind of brackets around a comma-separated list (empty for none) and its parts."""
    kind = ""
    if answer and answer[0] in "([{" and answer[-1] in ")]}" and encloses(answer):
        kind, answer = answer[0] + answer[-1], answer[1:-1]
    return kind, split_top_level(answer.replace(";", ","), ",")


def split_top_level(text: str, separator: str) -> list[str]:
    """Split at separators that stand outside of all brackets."""
    parts, depth, start = [], 0, 0
    for position, character in enumerate(text):
        if character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
        elif character == separator and depth == 0:
            parts.append(text[start:position])
            start = position + 1
    parts.append(text[start:])
    return parts
