"""LiveBench's maths tasks: AMPS_Hard (expressions), competitions (letters and numbers), olympiad proofs (orders)."""

import re
from collections.abc import Sequence

from evaluation.livebench.boxed import last_box
from evaluation.livebench.edit_distance import edit_distance

# The end of an answer in which a value written out is looked for, in characters.
TAIL = 20

_OPTION = re.compile(r"\\textbf{\(([A-E])\)\s?}(.*?)(?:\\qquad|\$)")


def amps_expression(answer: str) -> str | None:
    """The last box's content without a constant of integration, in the form that is compared; None without a box."""
    box = last_box(answer.replace("+C", "").replace("+ C", ""))
    return None if box is None else tidy(box)


def tidy(expression: str) -> str:
    """What stands behind the last equals sign, without dressing; short forms of TeX written out (Minerva's rules)."""
    expression = expression.rpartition("=")[2]
    expression = re.sub(r".*?\$(.*?)\$.*", r"\1", expression)
    for command in ("text", "textbf", "overline"):
        expression = re.sub(rf"\\{command}\{{(.*?)\}}", r"\1", expression)
    expression = re.sub(r"\\boxed\{(.*)\}", r"\1", expression)
    expression = re.sub(r"frac([^{])(.)", r"frac{\1}{\2}", expression)
    expression = re.sub(r"sqrt([^{])", r"sqrt{\1}", expression).replace("$", "")
    without_commas = expression.replace(",", "")
    return without_commas if without_commas.isdigit() else expression


def competition_choice(truth: str, answer: str, question: str) -> float:
    """The letter four times in a row, or in the last box, or the right option's text at the very end."""
    if truth * 4 in answer or last_box(answer) == truth:
        return 1.0
    value = option_text(question, truth)
    return float(bool(value) and value in answer[-(TAIL + len(value)) :])


def option_text(question: str, letter: str) -> str:
    """The text of an option as the question gives it; empty where it is not found."""
    options = {name: text.strip() for name, text in _OPTION.findall(question)}
    return options.get(letter, "").strip("$").strip("~")


def competition_number(truth: str, answer: str) -> float:
    """The number stands in the last twenty characters."""
    return float(truth in answer[-TAIL:])


def proof_order(truth: str, answer: str) -> float:
    """1 - edit distance of the orders over the longer one's length."""
    wanted = [int(number) for number in truth.split(",")]
    found = order_in(answer)
    return 1 - edit_distance(found, wanted) / max(len(found), len(wanted))


def order_in(answer: str) -> Sequence[int]:
    """Numbers between commas behind the last "Answer"; the first one with other text around it ends the list."""
    numbers = []
    for position, part in enumerate(answer.rpartition("Answer")[2].split(",")):
        part = part.strip()
        digits = re.search(r"[0-9]+", part)
        if digits:
            numbers.append(int(digits.group()))
        if position > 0 and part and (digits is None or digits.group() != part):
            break
    return numbers
