"""A still plainer form of normalised answers, for comparing only: signs as LaTeX, thousands joined, units off."""

import re

_THOUSANDS = re.compile(r"(?<![\d.])(\d{1,3})((?:(?:\{,\}|\\,|,)\d{3})+)(?!\d)")
_INVISIBLE = re.compile(r"\\[,;: ]|\\(?:displaystyle|quad|qquad|limits|big|Big|bigg|Bigg)(?![a-zA-Z])|~")
_SINGLE_BRACES = re.compile(r"([_^])\{(\w)\}")
_ATTACHED_UNIT = re.compile(
    r"(-?(?:\d+(?:\.\d+)?|\d+/\d+|\\frac\{\d+\}\{\d+\}))"
    r"(?:\\text\{[^{}]*\}|km|cm|mm|kg|mph|feet|inches|meters|miles|hours|minutes|seconds|days|years|units)"
    r"(?:\^?\{?[23]\}?|[²³])?"
)
_CURRENCY = re.compile(r"^(-?)[€£¥￥₹](?=[\d.])|[€£¥￥₹元]$")
_UNICODE = {
    "−": "-", "–": "-", "×": "\\times", "·": "\\cdot", "⋅": "\\cdot", "÷": "/", "π": "\\pi", "∞": "\\infty",
    "≤": "\\le", "≥": "\\ge", "≠": "\\ne", "∪": "\\cup", "∩": "\\cap", "∈": "\\in", "∅": "{}",
    "²": "^2", "³": "^3", "½": "\\frac{1}{2}", "¼": "\\frac{1}{4}", "¾": "\\frac{3}{4}", "，": ",", "：": ":",
    "（": "(", "）": ")", "°": "", "\u200b": "", "\u2009": "", "\u00a0": "", "\u202f": "", "θ": "\\theta", "α": "\\alpha",
}  # fmt: skip
_UNICODE_PATTERN = re.compile("|".join(map(re.escape, _UNICODE)))
_UNICODE_ROOT = re.compile(
    r"√\s*(?:\{([^{}]*)\}|\(([^()]*)\)|(\d+|[A-Za-z]))|(?<![\\A-Za-z])sqrt\s*\(([^()]*)\)"
)

_ORDINAL = re.compile(r"(\d+)(?:st|nd|rd|th)")
_ABOUT = re.compile(r"^(?:\\approx|≈|about|approximately|roughly|around)(?=[\d$-])")
# A number with a Chinese measure word; not with one that multiplies (万, 亿 ...).
_MEASURE_WORD = re.compile(
    r"(-?[\d.,]+)(?![万亿千百十分半倍成折])[\u4e00-\u9fff](?![万亿])[\u4e00-\u9fff]{0,2}"
)
_ALL_REALS = {
    "allrealnumbers": "\\mathbb{R}",
    "allreals": "\\mathbb{R}",
    "\\text{allrealnumbers}": "\\mathbb{R}",
}


def comparison_key(answer: str) -> str:
    """A still plainer form of a normalised answer, for comparing only."""
    if not answer.isascii():
        answer = _UNICODE_PATTERN.sub(lambda match: _UNICODE[match.group()], answer)
        answer = _CURRENCY.sub(r"\1", answer)
    if "√" in answer or "sqrt" in answer:
        answer = _UNICODE_ROOT.sub(
            lambda match: f"\\sqrt{{{next(filter(None, match.groups()), '')}}}", answer
        )
    answer = _THOUSANDS.sub(lambda match: match.group(1) + re.sub(r"\D", "", match.group(2)), answer)
    answer = _INVISIBLE.sub("", answer)
    answer = _SINGLE_BRACES.sub(r"\1\2", answer)
    answer = _ABOUT.sub("", answer.replace("\\mid", "|"))
    if (
        attached := _ATTACHED_UNIT.fullmatch(answer)
        or _ORDINAL.fullmatch(answer)
        or _MEASURE_WORD.fullmatch(answer)
    ):
        answer = attached.group(1)
    return _without_outer_braces(_ALL_REALS.get(answer.lower(), answer))


def _without_outer_braces(answer: str) -> str:
    while len(answer) > 2 and answer[0] == "{" and encloses(answer) and "," not in answer:
        answer = answer[1:-1]
    return answer


def encloses(answer: str) -> bool:
    """Whether the first bracket is closed by the last character and not before."""
    depth = 0
    for position, character in enumerate(answer):
        if character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
            if depth == 0:
                return position == len(answer) - 1
    return False
