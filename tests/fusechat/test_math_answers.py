"""Final answers of maths solutions: found, normalised and compared.

Pairs that must be equal, and pairs that must not, were written by hand; nothing here is computed by the code
under test. The reference data are graded samples that the Qwen2.5-Math repository publishes.
"""

import json
import random
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusechat.math_answers import (
    AnswerChecker,
    Comparison,
    answers_equal,
    extract_answer,
    find_answer,
    normalise_answer,
)
from fusechat.math_answers.equality import compare_quickly
from fusechat.math_answers.exact_numbers import parse_number
from fusechat.math_answers.normalisation import number_words_to_digits

REFERENCE = Path(__file__).resolve().parents[3] / "shared" / "data" / "math" / "math_cot_100.jsonl"

EQUAL = [
    # fractions, decimals, mixed numbers, powers of ten
    (r"\frac{1}{2}", "0.5"), (r"\dfrac12", "1/2"), (r"\frac1{72}", r"\frac{1}{72}"), (r"-\frac{3}{4}", "-3/4"),
    ("0.3333", r"\frac{1}{3}"), ("1 1/2", r"\frac{3}{2}"), (r"1\frac{1}{2}", "1.5"), (r"1.2 \times 10^5", "120000"),
    ("3.00", "3"), (".5", "0.5"), ("1,000", "1000"), ("10{,}000", "10000"), (r"10\,000", "10000"), ("10 000", "10000"),
    ("twenty-four", "24"), ("−5", "-5"), (r"\frac{7}{3}", r"\tfrac{7}{3}"),
    # units, currency, degrees, percent
    ("5 cm", "5"), (r"5\text{ cm}", "5"), (r"5\text{ cm}^2", "5"), ("6 square units", "6"), ("60 miles per hour", "60"),
    ("60 km/h", "60"), ("5 apples", "5"), (r"30^\circ", "30"), ("30°", "30"), (r"30 \text{ degrees}", "30"),
    (r"\$18.90", "18.9"), ("$18.90$", "18.90"), ("50%", "0.5"), ("0.5", r"50\%"), ("50%", "50"), (r"50\%", "50"),
    # tuples, intervals, sets, lists, matrices
    ("(1,2)", "(1, 2)"), ("(1, 4.5)", r"(1,\frac{9}{2})"), (r"\left(\frac{1}{2}, 3\right)", "(0.5,3)"),
    ("[0,1)", "[0, 1)"), (r"\{1,2,3\}", r"\{3,2,1\}"), ("1,2,3", "3, 2, 1"), ("3 and 5", "5, 3"),
    (r"(-\infty, 3]", r"(-\infty,3]"), (r"(-\infty,\infty)", r"\mathbb{R}"), (r"x \in [1,2]", "[1,2]"),
    (r"(-\infty,1)\cup(2,\infty)", r"(-\infty, 1) \cup (2, \infty)"), (r"(-\infty,5)", "x<5"),
    (r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", r"\begin{bmatrix} 1 & 2 \\ 3 & 4 \end{bmatrix}"),
    (r"\begin{pmatrix}0.5\\3\end{pmatrix}", r"\begin{pmatrix} \frac{1}{2} \\ 3 \end{pmatrix}"),
    (r"\emptyset", r"\varnothing"),
    # equations and named values
    ("x=5", "5"), ("m = 5", "5"), ("y=2x+1", "2x+1"), ("2x+y=3", "y+2x=3"), ("x+y=1", "2x+2y=2"),
    ("2x-y=3", "y=2x-3"), ("$y=2x-3$", "2x-y=3"), ("x-5=0", "x=5"), ("y-2x=0", "y=2x"),
    # algebra
    (r"\sqrt{12}", r"2\sqrt{3}"), (r"2\sqrt3", r"2\sqrt{3}"), (r"\frac{\sqrt2}{2}", r"\frac{1}{\sqrt{2}}"),
    ("2*pi", r"2\pi"), ("2π", r"2\pi"), ("x**2+1", "1+x^2"), ("(x+1)^2", "x^2+2x+1"), ("2+3j", "3i+2"),
    (r"\frac{x+2}{7}", r"\frac{x}{7}+\frac{2}{7}"), ("2^{10}", "1024"), (r"\binom{5}{2}", "10"), (r"\log_2 8", "3"),
    ("√2", r"\sqrt{2}"), ("sqrt(2)", r"\sqrt{2}"), ("4210_5", "4210_{5}"), (r"3\pm\sqrt{2}", r"3 \pm \sqrt{2}"),
    # text and choices
    (r"\text{Evelyn}", "Evelyn"), ("evelyn", "Evelyn"), ("(C)", "C"), (r"\text{(C)}", "C"), ("True", "true"),
    ("12:30", "12:30"), ("12:30 PM", "12:30 pm"), ("Monday", r"\text{Monday}"), (r"\textbf{(B)}\ 12", "B"),
    # wordings and notations that models mix in
    (r"0.\overline{3}", r"\frac{1}{3}"), ("x = 1 or x = 2", "1,2"), ("1, 2, and 3", "1,2,3"), (r"\pm 3", "3,-3"),
    ("12\\ \\text{m/s}", "12"), ("12 m/s", "12"), ("7 widgets", "7"), ("1/2 cup", "1/2"), ("one-half", "0.5"),
    ("two-thirds", "2/3"), ("5th", "5"), ("5个", "5"), ("5元", "5"), ("-2=x", "-2"), ("(a,b)=(3,4)", "(3,4)"),
    (r"\approx 3.14", "3.14"), (r"\mathbb{R}", "all real numbers"), ("5;6", "5,6"), (r"x \ge 3", r"[3,\infty)"),
    ("a=3,b=4", "3,4"), ("x>2", "2<x"), (r"\sqrt[3]{8}", "2"), ("5!", "120"), (r"\{x | x > 2\}", r"\{x \mid x>2\}"),
    (r"$5\text{ square meters}$", "5"), (r"\(25\text{ percent}\)", "25"), (r"\[5,000\text{ dollars}\]", "5000"),
    ("x=5, y=6", "y = 6, x = 5"), ("$x=1/2$; $y=3$", "x=0.5,y=3"),
    (r"\begin{pmatrix} x+1 \\ 2 \end{pmatrix}", r"\begin{pmatrix} 1+x\\2\end{pmatrix}"),
]  # fmt: skip

UNEQUAL = [
    ("3 and 5", "35"), ("1 1/2", r"\frac{11}{2}"), ("2(x+1)", "2x+1"), ("10001", "10000"), ("9999.86", "10000"),
    ("3,4", "34"), ("even", "neve"), ("(1,2)", "(2,1)"), ("(1,2)", "[1,2)"), ("[1,2]", "(1,2)"), ("5", "50"),
    ("0.5", "50"), ("50", "5000"), ("2x=4", "24"), ("t+1", "1"), ("a+b", "b"), ("5xyz", "5"), ("4", "4t"), ("4t", "4"),
    ("2 million", "2"), (r"2\text{ million}", "2"), ("the minute hand", "the hour hand"), ("C", "A"),
    ("0.33", r"\frac{1}{3}"), ("-5", "5"), (r"\sqrt{2}", "2"), ("", "5"), ("5", "[5,6]"), ("5 feet 3 inches", "53"),
    (r"3\text{ and }\frac{1}{2}", "3"), ("1,2", "1,2,3"), ("12", "1.2"), ("2^3", "23"), ("1/0", "5"),
    (r"\infty", r"-\infty"), (r"(-\infty,3)", r"(-\infty,3]"), ("x>5", "x<5"), (r"x\ge5", "x>5"), ("1011_2", "1011_3"),
    (r"\frac{1}{2}", "12"), ("1:2", "2:1"), ("5%", "500"), ("x^2", "x_2"), ("x+1", "x-1"),
    (r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", r"\begin{pmatrix}1&2\\4&3\end{pmatrix}"),
    ("12:30 am", "12:30 pm"), (r"4:30 \text{ a.m.}", r"4:30 \text{ p.m.}"), ("a=3,b=4", "4,3"), ("-2=x", "x"),
    ("5 more", "5 less"), ("5 ab ab", "5"), ("3 dozen", "3"), ("3 squared", "3"), ("6 or 7", "67"), ("17 apples, 3 pears", "17"),
    ("17 and 3 apples", "17"), ("(A) or (B)", "A"), ("Boy", "B"), ("5:3", "53"), ("12:30", "1230"), ("3x", "3"),
    (r"\{1,2\}", "(1,2)"), (r"\emptyset", "0"), ("2", r"\begin{pmatrix}2&0\\0&2\end{pmatrix}"), ("0.3", r"0.\overline{3}"),
    ("x=5, y=6", "x=6, y=5"), ("x=5,y=6", "y=5,x=6"), ("2x-y=3", "y=2x+3"), ("2x-y=3", "z=2x-3"), ("y=2x+3", "x=2y+3"), ("y=\\sqrt{x}", "x=y^2"),
    ("2x-y=3", "2x-3"), ("$y=2x$", "2x-y=1"), ("2x=4", "3x=4"),
    ("x>2", r"x\ge2"), (r"\pm 3", "3"), ("1e-9", "2e-9"), ("五", "六"),
]  # fmt: skip


@pytest.fixture(scope="module")
def checker() -> Iterator[AnswerChecker]:
    with AnswerChecker(workers=1, timeout_s=10.0) as one:
        yield one


@pytest.mark.parametrize(("predicted", "gold"), EQUAL)
def test_answers_of_the_same_value_are_equal(checker: AnswerChecker, predicted: str, gold: str) -> None:
    assert checker.compare(predicted, gold) == Comparison(True)


@pytest.mark.parametrize(("predicted", "gold"), UNEQUAL)
def test_answers_of_another_value_are_not_equal(checker: AnswerChecker, predicted: str, gold: str) -> None:
    assert checker.compare(predicted, gold) == Comparison(False)


@pytest.mark.parametrize("answer", sorted({answer for pair in EQUAL + UNEQUAL for answer in pair if answer}))
def test_an_answer_equals_itself_without_algebra(answer: str) -> None:
    assert compare_quickly(answer, answer) is True


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"so \boxed{5}.", "5"),
        (r"first \boxed{2}, then \boxed{3}", "3"),
        (r"\boxed{\frac{1}{\sqrt{2}}} is it", r"\frac{1}{\sqrt{2}}"),
        (r"\boxed 7$ done", "7"),
        (r"cut off \boxed{12", "12"),
        (r"Put it in \boxed{}: \boxed{8} \boxed{}", "8"),
        ("Final Answer: The final answer is $4$. I hope it is correct.", "4"),
        (r"The final answer is $6$. I hope it is correct. \boxed{9}", "6"),
        ("The answer is 12 apples.", "12"),
        ("Tom pays 3. The answer is: 14.", "14"),
        ("my final answer is 1/2", r"\frac{1}{2}"),
        ("计算得出，答案是42。\n\n其余的话 7", "42"),
        ("所以答案为：8。", "8"),
        ("She has 3 + 4 = 7 left.\n#### 7", "7"),
        ("#### 1,234\n\nThat was 2 steps.", "1,234"),
        ("#### Step 1\nadd 2 and 3 to get 5", "5"),
        ("1,234 and then 5,678 in all", "5678"),
        ("down to -3.5 degrees", "-3.5"),
    ],
)
def test_the_final_answer_is_found(text: str, answer: str) -> None:
    assert extract_answer(text) == answer


@pytest.mark.parametrize("text", ["", "no idea", "\\boxed{}", "####"])
def test_a_text_without_an_answer_gives_none(text: str) -> None:
    assert extract_answer(text) is None


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        (r"\dfrac{3}{4}", r"\frac{3}{4}"), (r"\left( 1, 2 \right)", "(1,2)"), (r"x \leq 5", r"x\le5"), ("5.", "5"),
        (r"\$5.00", "5"), (r"\sqrt 3", r"\sqrt{3}"), ("k = 12", "12"), ("3/4", r"\frac{3}{4}"), ("3.10", "3.10"),
        (r"\begin{array}{cc}1&2\end{array}", r"\begin{pmatrix}1&2\end{pmatrix}"), ("2j", "2i"), (r"\text{no}", "no"),
    ],
)  # fmt: skip
def test_the_normal_form_is_the_expected_one(written: str, normal: str) -> None:
    assert normalise_answer(written) == normal


@pytest.mark.parametrize(
    ("words", "digits"),
    [("five", "5"), ("one hundred and two", "102"), ("two thousand thirty", "2030"), ("minus seven", "-7"),
     ("one half", r"\frac{1}{2}"), ("a third", r"\frac{1}{3}"), ("third", "third"), ("five apples", "five apples"), ("a", "a"), ("and", "and")],
)  # fmt: skip
def test_number_words_count_only_as_the_whole_answer(words: str, digits: str) -> None:
    assert number_words_to_digits(words) == digits


def test_gold_times_or_by_a_hundred_counts_only_on_request() -> None:
    assert compare_quickly("0.25", "25") is False
    assert compare_quickly("0.25", "25", percent_factor=True) is True
    assert compare_quickly("2500", "25", percent_factor=True) is True
    assert compare_quickly("250", "25", percent_factor=True) is False


@given(st.integers(-(10**9), 10**9))
def test_a_whole_number_equals_its_reformattings(number: int) -> None:
    for form in (f"{number:,}", f"{number}.0", f"{number}.", f"$ {number} $", f"x = {number}", f"{number} cm",
                 rf"\text{{{number}}}", rf"{number}\text{{ apples}}", rf"\({number}\)", rf"{number}\%"):  # fmt: skip
        assert compare_quickly(form, str(number)) is True, form


@given(st.integers(-(10**9), 10**9), st.integers(1, 50))
def test_a_whole_number_equals_no_other(number: int, offset: int) -> None:
    assert compare_quickly(str(number + offset), str(number)) is False


@given(st.integers(-999, 999), st.integers(1, 999))
def test_a_fraction_is_one_value_however_it_is_written(numerator: int, denominator: int) -> None:
    for form in (rf"\frac{{{numerator}}}{{{denominator}}}", f"{numerator}/{denominator}",
                 rf"\dfrac {{{3 * numerator}}} {{{3 * denominator}}}", rf"\frac{{{numerator}.0}}{{{denominator}}}"):  # fmt: skip
        number = parse_number(normalise_answer(form))
        assert number is not None and number.value == Fraction(numerator, denominator), form


@given(st.text())
def test_any_text_has_a_normal_form_that_equals_itself(text: str) -> None:
    extract_answer(text)
    if normalise_answer(text):
        assert compare_quickly(text, text) is True


def test_an_endless_comparison_is_unknown_and_the_next_one_is_decided() -> None:
    with AnswerChecker(workers=1, timeout_s=1.0) as checker:
        start = time.monotonic()
        assert checker.compare("9^{9^{9^{9}}}", r"7\pi") == Comparison(None, "timeout after 1 s")
        assert time.monotonic() - start < 60
        assert checker.compare(r"\sqrt{12}", r"2\sqrt{3}") == Comparison(True)


def test_a_comparison_that_eats_memory_is_not_taken_for_equal_and_the_next_one_is_decided() -> None:
    with AnswerChecker(workers=1, timeout_s=1.0, memory_mb=512) as checker:
        assert checker.compare(r"2^{2^{40}}", r"7\pi").correct is not True
        assert checker.compare(r"\sqrt{12}", r"2\sqrt{3}") == Comparison(True)


def test_a_worker_that_is_killed_costs_one_verdict_at_most() -> None:
    with AnswerChecker(workers=1, timeout_s=10.0) as checker:
        assert checker.compare(r"\sqrt{12}", r"2\sqrt{3}").correct is True
        checker._workers[0].process.kill()
        first = checker.compare(r"\sqrt{20}", r"2\sqrt{5}")
        assert first in (Comparison(True), Comparison(None, "worker died"))
        assert checker.compare(r"\sqrt{28}", r"2\sqrt{7}") == Comparison(True)


@pytest.mark.parametrize(
    "text",
    ["x" * 10_000_000, "1" * 10_000_000, "\\boxed{" * 1_000_000, "\\boxed{" + "{" * 5_000_000, "\\frac" * 2_000_000,
     "\x00\\boxed{5\x00}", "\ud800\\boxed{\udfff}", "#" * 5_000_000, "####" * 1_000_000, "\n" * 5_000_000,
     "\\boxed{5 " + "ab " * 600, "\\boxed{5 " + "a" * 190 + "!", "\\boxed{" + "1 " * 900, "\\boxed{" + "and " * 450,
     "\\boxed{" + "\\text{ " * 280, "\\boxed{" + "x=" * 900, "\\boxed{" + "\\frac" * 380, "\\boxed{" + "1,000" * 300,
     "\\boxed{" + "\\text{" * 500_000, "final answer is $" * 500_000 + "$. I hope"],
    ids=lambda text: f"{text[:8]!r}-{len(text)}",
)  # fmt: skip
def test_huge_and_odd_texts_give_a_verdict_quickly(text: str) -> None:
    start = time.monotonic()
    with AnswerChecker(workers=1, timeout_s=1.0) as checker:
        comparison = checker.compare(find_answer(text), "5")
    assert comparison.correct is not True
    assert time.monotonic() - start < 20


def test_no_text_of_a_model_is_run_as_python(tmp_path: Path, checker: AnswerChecker) -> None:
    target = tmp_path / "made"
    for attack in (
        f"__import__('os').system('touch {target}')",
        f"open('{target}','w')",
        rf"\text{{open}}('{target}','w')",
        f"().__class__.__base__.__subclasses__() + open('{target}', 'w')",
        f"[open('{target}','w'), 1]",
    ):
        checker.compare(attack, r"7\pi")
        checker.compare("x+1", attack)
    assert not target.exists()


def test_one_pair_can_be_compared_without_a_checker() -> None:
    assert answers_equal("x+1", "1+x") is True
    assert answers_equal(None, "5") is False


@pytest.mark.skipif(not REFERENCE.exists(), reason=f"{REFERENCE}: reference data are not there")
def test_graded_samples_of_qwen_maths_come_out_as_published() -> None:
    rows = [json.loads(line) for line in REFERENCE.read_text(encoding="utf-8").splitlines() if line]
    pairs, stored = [], {}
    for row in rows:
        for index, (text, prediction, score) in enumerate(
            zip(row["code"], row["pred"], row["score"], strict=True)
        ):
            assert (extract_answer(text) or "") == prediction
            stored[row["idx"], index] = score
            pairs.append(((row["idx"], index), find_answer(text), row["gt"]))
    assert len(pairs) == 800
    with AnswerChecker(workers=2) as checker:
        agreeing = sum(stored[key] == comparison.correct for key, comparison in checker.compare_all(pairs))
    assert agreeing >= 799


def test_several_workers_give_the_verdicts_of_one() -> None:
    pairs = [(index, *pair) for index, pair in enumerate(EQUAL + UNEQUAL)]
    random.Random(0).shuffle(pairs)
    with AnswerChecker(workers=3, timeout_s=10.0) as checker:
        verdicts = dict(checker.compare_all(pairs))
    assert [verdicts[index].correct for index in range(len(pairs))] == [True] * len(EQUAL) + [False] * len(
        UNEQUAL
    )
