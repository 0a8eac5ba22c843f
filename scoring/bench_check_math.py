"""Measure how many maths answers a second the check decides, numeric and symbolic ones apart.

    python scoring/bench_check_math.py --numeric 20000 --symbolic 2000

Reads nothing. Writes to standard output: answers a second, on one process and on all workers, of made-up solutions
with known verdicts (every tenth one wrong); a verdict that is not the known one ends it with exit status 1.
"""

import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from fusechat.command_line import parse_args, run
from fusechat.errors import BadInput
from fusechat.math_answers import AnswerChecker, find_answer

Pair = tuple[str, str, bool]  # the solution's text, the gold answer, whether they are equal
PADDING = "We look at the numbers step by step, add 3 and 4 to get 7, and go on from there.\n" * 12


@dataclass(kw_only=True)
class Args:
    """Settings of bench_check_math.py."""

    numeric: int = 20_000
    """Number of numeric answers."""
    symbolic: int = 2_000
    """Number of symbolic answers, all different."""
    workers: int = max(1, os.cpu_count() or 1)
    """Processes of the second measurement."""
    seed: int = 0
    """Seed of the made-up answers."""


def numeric_pair(rng: random.Random, right: bool) -> Pair:
    """A solution with a number in one of the usual forms."""
    value = rng.randint(2, 99_999)
    shown = value if right else value + rng.randint(1, 9)
    forms = (
        f"\\boxed{{{shown}}}", f"\\boxed{{{shown:,}}}", f"The answer is {shown}.", f"#### {shown:,}",
        f"\\boxed{{{shown}\\text{{ cm}}}}", f"\\boxed{{\\frac{{{3 * shown}}}{{3}}}}", f"so she has {shown}.00 dollars",
    )  # fmt: skip
    return PADDING + rng.choice(forms), str(value), right


def symbolic_pair(rng: random.Random, right: bool) -> Pair:
    """A solution whose form differs from the gold answer's, so that only algebra can tell."""
    a, b = rng.randint(2, 9_999), rng.randint(2, 99)
    off = 0 if right else 1
    forms = (
        (f"(x+{a})(x-{b + off})", f"x^2+{a - b}x-{a * b}"),
        (f"\\frac{{x+{a + off}}}{{{b}}}", f"\\frac{{x}}{{{b}}}+\\frac{{{a}}}{{{b}}}"),
        (f"{a + off}+{b}\\sqrt{{2}}", f"{b}\\sqrt{{2}}+{a}"),
        (f"\\sqrt{{{a * b * b + off}}}", f"{b}\\sqrt{{{a}}}"),
        (f"\\frac{{{a + off}\\pi}}{{{b}}}", f"\\frac{{{a}}}{{{b}}}\\pi"),
    )
    shown, gold = rng.choice(forms)
    return f"{PADDING}\\boxed{{{shown}}}", gold, right


def measure(pairs: list[Pair], workers: int) -> float:
    """Answers a second from text to verdict; the workers' start is not counted. Wrong verdicts raise."""
    with AnswerChecker(workers, timeout_s=10.0) as checker:
        warm = [(index, f"x+{index}", f"{index}+x") for index in range(8 * workers)]
        for _ in checker.compare_all(warm):
            pass
        start = time.perf_counter()
        answers = ((index, find_answer(text), gold) for index, (text, gold, _) in enumerate(pairs))
        verdicts = dict(checker.compare_all(answers))
        seconds = time.perf_counter() - start
    for index, (text, gold, right) in enumerate(pairs):
        if verdicts[index].correct is not right:
            raise RuntimeError(f"{find_answer(text)!r} against {gold!r}: {verdicts[index]}, expected {right}")
    return len(pairs) / seconds


def made(count: int, seed: int, kind: Callable[[random.Random, bool], Pair]) -> list[Pair]:
    """Different pairs of a kind, every tenth one wrong."""
    rng = random.Random(seed)
    return [kind(rng, index % 10 != 0) for index in range(count)]


def main() -> None:
    """Command line."""
    args = parse_args(Args)
    if min(args.numeric, args.symbolic, args.workers) < 1:
        raise BadInput("--numeric, --symbolic and --workers must be 1 or more")
    for name, pairs in (
        ("numeric", made(args.numeric, args.seed, numeric_pair)),
        ("symbolic", made(args.symbolic, args.seed, symbolic_pair)),
    ):
        for workers in sorted({1, args.workers}):
            rate = measure(pairs, workers)
            print(
                f"{name}: {rate:,.0f} answers/s with {workers} worker{'s' if workers > 1 else ''}", flush=True
            )


if __name__ == "__main__":
    run(main)
