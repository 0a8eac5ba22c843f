"""Final answers of maths solutions: find them, normalise them, compare them with the gold answer.

    extract_answer(text)            the normalised final answer of a solution, or None
    normalise_answer(answer)        one form for answers that are written differently
    answers_equal(predicted, gold)  True, False, or None where algebra did not come to an end
    AnswerChecker                   the same for many answers at once, on several workers

The rules: extraction.py, normalisation.py, equality.py (strings, exact_numbers.py, structures), symbolic_worker.py
(algebra).
"""

from fusechat.math_answers.checker import AnswerChecker, Comparison, answers_equal
from fusechat.math_answers.extraction import extract_answer, find_answer
from fusechat.math_answers.normalisation import normalise_answer

__all__ = [
    "AnswerChecker",
    "Comparison",
    "answers_equal",
    "extract_answer",
    "find_answer",
    "normalise_answer",
]
