"""Numbers as they are written in maths answers, as exact fractions; when two of them count as equal."""

import re
from fractions import Fraction
from typing import NamedTuple

from fusechat.math_answers.plain_form import encloses

RELATIVE_TOLERANCE = Fraction(1, 10_000)
# Against a whole-number gold answer a decimal may be off by this much at most: 9999.86 is not 10000.
WHOLE_NUMBER_TOLERANCE = Fraction(1, 100)

_DECIMAL = r"(?:\d+(?:\.\d*)?|\.\d+)"
_PLAIN = re.compile(rf"([-+]?){_DECIMAL}")
_RATIO = re.compile(rf"([-+]?)(\d*)\\frac\{{([-+]?{_DECIMAL})\}}\{{([-+]?{_DECIMAL})\}}")
_SLASHED = re.compile(rf"([-+]?{_DECIMAL})/([-+]?{_DECIMAL})")
_SCIENTIFIC = re.compile(
    rf"([-+]?{_DECIMAL})(?:(?:\\times|\\cdot|\*)10\^(?:\{{([-+]?\d{{1,3}})\}}|(\d))|[eE]([-+]?\d{{1,3}}))"
)
_REPEATING = re.compile(r"([-+]?)(\d*)\.(\d{0,50})\\overline\{?(\d{1,50})\}?")


class Number(NamedTuple):
    """An exact value, and whether it was written with a decimal point (then it may be rounded)."""

    value: Fraction
    is_decimal: bool


def parse_number(answer: str) -> Number | None:
    """The exact value of a plain number, fraction, mixed number or power of ten; None for anything else."""
    if not answer or len(answer) > 1_000 or answer[-1] not in "0123456789}.)":
        return None
    if answer[0] == "(" and encloses(answer):
        answer = answer[1:-1]
    if _PLAIN.fullmatch(answer):
        return Number(Fraction(answer.rstrip(".")), "." in answer.rstrip("."))
    if match := _RATIO.fullmatch(answer):
        sign, whole, numerator, denominator = match.groups()
        value = _ratio(numerator, denominator)
        if value is None or (whole and value < 0):
            return None
        value += int(whole or 0)
        return Number(-value if sign == "-" else value, "." in answer)
    if match := _SLASHED.fullmatch(answer):
        value = _ratio(*match.groups())
        return None if value is None else Number(value, "." in answer)
    if match := _REPEATING.fullmatch(answer):
        sign, whole, fixed, repeated = match.groups()
        tail = Fraction(int(repeated), (10 ** len(repeated) - 1) * 10 ** len(fixed))
        value = Fraction(int((whole or "0") + fixed), 10 ** len(fixed)) + tail
        return Number(-value if sign == "-" else value, False)
    if match := _SCIENTIFIC.fullmatch(answer):
        exponent = int(next(filter(None, match.groups()[1:])))
        return Number(Fraction(match.group(1).rstrip(".")) * Fraction(10) ** exponent, "." in answer)
    return None


def _ratio(numerator: str, denominator: str) -> Fraction | None:
    divisor = Fraction(denominator.rstrip("."))
    return Fraction(numerator.rstrip(".")) / divisor if divisor else None


def numbers_equal(found: Number, wanted: Number, percent_factor: bool = False) -> bool:
    """Exact numbers must be the same; where a decimal point is involved, 1e-4 of the value is allowed."""
    targets = [wanted.value]
    if percent_factor:
        targets += [wanted.value / 100, wanted.value * 100]
    return any(_close(found, Number(target, wanted.is_decimal)) for target in targets)


def _close(found: Number, wanted: Number) -> bool:
    if found.value == wanted.value:
        return True
    if not (found.is_decimal or wanted.is_decimal):
        return False
    tolerance = RELATIVE_TOLERANCE * max(abs(found.value), abs(wanted.value))
    if wanted.value.denominator == 1:
        tolerance = min(tolerance, WHOLE_NUMBER_TOLERANCE)
    return abs(found.value - wanted.value) <= tolerance
