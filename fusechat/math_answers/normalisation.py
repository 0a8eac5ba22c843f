r"""Bring a maths answer into one form, so that equal answers are mostly equal strings.

The steps are those of the Qwen2.5-Math evaluation, written anew and made safer where the original changes the
value of an answer: a short unit word (m, s, a ...) is dropped only behind a number, `x=` is cut only where a
value of its own begins, `3 and 5` becomes `3,5` (not 35), and `1 1/2` stays a mixed number (not 11/2).
"""

import re

# An answer longer than this is no answer that a rule could compare; it is cut before any pattern sees it.
MAX_ANSWER_CHARACTERS = 2_000

# Words that name a unit. They are dropped behind a number and a space only (`the minute hand` keeps its minute),
# not before another number (`5 feet 3 inches`), and the last group, which could be variables, at the end only.
_UNIT_WORDS = """
    degree degrees percent percents percentage mile miles mph kmph kmh inch inches foot feet yard yards
    meter meters metre metres centimeter centimeters centimetre centimetres millimeter millimeters
    kilometer kilometers kilometre kilometres acre acres hectare hectares km cm mm dm ft kg mg gm ml
    liter liters litre litres gallon gallons gal cubic square sq
    second seconds sec secs minute minutes min mins hour hours hr hrs day days week weeks month months year years yr yrs
    gram grams kilogram kilograms ounce ounces pound pounds lb lbs ton tons tonne tonnes
    dollar dollars cent cents rupee rupees rs euro euros yuan
    unit units item items apple apples coin coins toy toys tile tiles mark marks point points
    man men woman women person people student students soldier soldiers monkey monkeys
    way ways round rounds time times ohm ohms
    cup cups pint pints quart quarts piece pieces box boxes page pages book books bag bags car cars ticket tickets
    child children marble marbles pencil pencils game games
"""
_SHORT_UNITS = "m in g l s h t d c f k w v hz cc am pm AM PM"
_POWER = r"(?:\s*\^\s*(?:\{\s*[23]\s*\}|[23])|[²³])?"
_UNIT = rf"(?:{'|'.join(sorted(_UNIT_WORDS.split(), key=len, reverse=True))})(?![\w]){_POWER}\.?"
_LONG_UNITS = re.compile(
    rf"(?<=[\d}})$])(?:\s+(?:per\s+|/\s*)?{_UNIT}|\s*(?:/\s*|\s+per\s+)(?:{_UNIT}|[hs](?!\w)))+(?!\s*\d)"
)
_LAST_SHORT_UNIT = re.compile(
    rf"(?<=[\d}}$])\s+(?:{'|'.join(_SHORT_UNITS.split())})(?!\w)(?:\s*/\s*[a-z]{{1,3}})?\.?{_POWER}$"
)

# All of it between $ $, \\( \\) or \\[ \\]: a unit at the end is seen only without them.
_MATHS_MODE = re.compile(r"\${1,2}([^$]+)\${1,2}|\\\(((?:(?!\\[()]).)+)\\\)|\\\[((?:(?!\\[\[\]]).)+)\\\]")
_TEXT_COMMAND = r"\\(?:text|mbox|textbf|textit|textrm|textnormal|mathrm|mathbf|mathit|operatorname)"
_MULTIPLIER = r"[^{}]*(?:hundred|thousand|million|billion|trillion|dozen)"
_TRAILING_TEXT = re.compile(rf"\\(?:text|mbox|textrm|mathrm)\s*\{{(?!{_MULTIPLIER})[^{{}}]*\}}{_POWER}$")
_UNWRAPPED_TEXT = re.compile(rf"{_TEXT_COMMAND}\s*\{{([^{{}}]*)\}}")
_NAMED_VALUE = re.compile(r"(?:(?<=^)|(?<=[,;({\[]))\s*[xyz]\s*(?:=|\\in(?![a-z])|\\to(?![a-z]))\s*")
_AND = re.compile(r"\s*,?\s*(?<![A-Za-z\\])(?:and|or)(?![A-Za-z])\s*")
_TRAILING_SPACES = re.compile(r"(?:\\[ ,;:]|~|\s|(?<!\\)\\$)+$")
_NAME_TUPLE = re.compile(r"\(\s*[A-Za-z](?:\s*,\s*[A-Za-z])+\s*\)")
_ZERO_DECIMALS = re.compile(r"(?<![\d.])(\d+)\.0*(?![\d\\])")
_MIXED_NUMBER = re.compile(r"(?<![\d.\w}])(\d+)\s+(\d+)\s*/\s*(\d+)(?![\d.\w])")
_SQRT = re.compile(r"\\sqrt\s*(\d+|[A-Za-z])")
_FRAC = re.compile(r"\\frac\s*(\{|[^\s{}\\])\s*")
_SLASH = re.compile(r"(-?\d+)/(-?\d+)")

_REPLACED = (
    (re.compile(r"\\!"), ""),
    (re.compile(r"\\begin\{array\}\{[^}]*\}"), r"\\begin{pmatrix}"),
    (re.compile(r"\\end\{array\}"), r"\\end{pmatrix}"),
    (re.compile(r"bmatrix"), "pmatrix"),
    (re.compile(r"\\[dt]frac"), r"\\frac"),
    (re.compile(r"\\(ne|le|ge)q(?![a-zA-Z])"), r"\\\1"),
    (re.compile(r"\\(?:left|right)(?![a-zA-Z])"), ""),
    (re.compile(r"\\([{}])"), r"\1"),
)
_AFTER_UNITS = (
    (re.compile(r"\^\s*\{?\s*\\circ\s*\}?|°"), ""),
    (re.compile(r"\\?\$|\\[()\[\]]"), ""),
    (re.compile(r"\\?%"), ""),
    (re.compile(r"\\emptyset|\\varnothing"), "{}"),
    (re.compile(r"(?<![\w\\])(?:infinity|inf)(?!\w)"), r"\\infty"),
    (re.compile(r"\+\\infty"), r"\\infty"),
    (re.compile(r"\(\s*-\s*\\infty\s*,\s*\\infty\s*\)"), r"\\mathbb{R}"),
    (re.compile(r"([ {])\.(?=\d)"), r"\g<1>0."),
)

_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_SMALL_NUMBERS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
)
_WORD_VALUES = {word: value for value, word in enumerate(_SMALL_NUMBERS.split())} | {
    word: 10 * value for value, word in enumerate(_TENS.split(), start=2)
}
_WORD_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_DENOMINATORS = {
    "half": 2, "halve": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8,
    "ninth": 9, "tenth": 10,
}  # fmt: skip
_FRACTION_WORDS = re.compile(
    rf"(?:(a|one|two|three|four|five|six|seven|eight|nine)[ -]|(?=half))({'|'.join(_DENOMINATORS)})s?"
)


def normalise_answer(answer: str) -> str:
    """The answer in its normal form; the same function serves predictions and gold answers."""
    answer = answer[:MAX_ANSWER_CHARACTERS].strip().replace("\n", "").rstrip(".")
    if enclosed := _MATHS_MODE.fullmatch(answer):
        answer = enclosed.group(1) or enclosed.group(2) or enclosed.group(3)
    for pattern, replacement in _REPLACED:
        answer = pattern.sub(replacement, answer)
    answer = _drop_units(answer.strip())
    for pattern, replacement in _AFTER_UNITS:
        answer = pattern.sub(replacement, answer)
    answer = number_words_to_digits(answer.strip())
    answer = _UNWRAPPED_TEXT.sub(r"\1", answer)
    answer = _join_and(answer)
    answer = _NAMED_VALUE.sub("", answer)
    if "j" in answer and "i" not in answer:
        answer = re.sub(r"(?<![A-Za-z])j(?![A-Za-z])", "i", answer)
    answer = _ZERO_DECIMALS.sub(r"\1", answer)
    if answer.startswith("."):
        answer = "0" + answer
    answer = _cut_short_name(answer)
    answer = _MIXED_NUMBER.sub(r"\1\\frac{\2}{\3}", answer)
    answer = _SQRT.sub(r"\\sqrt{\1}", answer)
    answer = _brace_fractions(answer)
    answer = re.sub(r"\s+", "", answer)
    return _SLASH.sub(r"\\frac{\1}{\2}", answer) if _SLASH.fullmatch(answer) else answer


def _drop_units(answer: str) -> str:
    """Leave out a trailing text unit, then unit words; an answer that is nothing but a unit word stays."""
    for pattern in (_TRAILING_TEXT, _LONG_UNITS, _LAST_SHORT_UNIT):
        shorter = _TRAILING_SPACES.sub("", pattern.sub("", answer)).strip()
        if shorter:
            answer = shorter
    return answer


def _join_and(answer: str) -> str:
    """`3 and 5`, `x=1 or x=2` -> a comma between; words around it mean a text answer, which only loses the word."""
    if not _AND.search(answer):
        return answer
    wordy = re.search(r"[A-Za-z]{3}", _AND.sub(" ", answer).replace("\\", " \\ "))
    return _AND.sub(" " if wordy and "\\" not in answer else ",", answer)


def _cut_short_name(answer: str) -> str:
    """`k = 5` -> `5`: one equals sign, and a name of one or two characters (or a tuple of names) on one side."""
    name, equals, value = (part.strip() for part in answer.partition("="))
    if not equals or "=" in value or not value or re.search(r"[<>!\\]$", name):
        return answer
    if (len(name) <= 2 and re.match("[A-Za-z]", name)) or _NAME_TUPLE.fullmatch(name):
        return value
    return name if re.fullmatch("[A-Za-z]", value) and not re.search("[A-Za-z]", name) else answer


def _brace_fractions(answer: str) -> str:
    r"""`\frac12`, `\frac1{72}` and `\frac{1}2` get their braces."""
    if "\\frac" not in answer:
        return answer
    answer = re.sub(r"\\frac\s+", r"\\frac", answer)
    answer = re.sub(r"\\frac([^\s{}\\])", r"\\frac{\1}", answer)
    return re.sub(r"(\\frac\{[^{}]*\})\s*([^\s{}\\])", r"\1{\2}", answer)


def number_words_to_digits(answer: str) -> str:
    """`twenty-four` -> `24`, only where the whole answer is one number in English words."""
    if fraction := _FRACTION_WORDS.fullmatch(answer.lower()):
        numerator = _WORD_VALUES.get(fraction.group(1) or "one", 1)
        return f"\\frac{{{numerator}}}{{{_DENOMINATORS[fraction.group(2).rstrip('s')]}}}"
    words = answer.lower().replace("-", " ").split()
    if not words or not (words[0] in _WORD_VALUES or words[0] in ("minus", "negative", "a", "hundred")):
        return answer
    negative = words[0] in ("minus", "negative")
    total, group = 0, 0
    for word in words[1:] if negative else words:
        if word in _WORD_VALUES:
            group += _WORD_VALUES[word]
        elif word == "a" and len(words) > 1:
            group += 1
        elif word == "hundred":
            group = max(group, 1) * 100
        elif word in _WORD_SCALES:
            total += max(group, 1) * _WORD_SCALES[word]
            group = 0
        elif word != "and":
            return answer
    return str(-(total + group) if negative else total + group)
