"""Measure how fast benchmarks are scored, by size.

    python evaluation/bench_scoring.py

All data are made up, the same for the same seed, and with known verdicts: another score ends it with exit status 1.
Prints the seconds of scoring 12,032 MMLU-Pro outputs, 5,000 maths answers and LiveCodeBench programs (on one core and
on all). Writes nothing but temporary files, and with --output the figures as JSON.
"""

import base64
import json
import os
import pickle
import random
import statistics
import tempfile
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from evaluation.bench_overhead import RUN_EVALS, wall_seconds, write_lines
from evaluation.benchmark import Generation, Item, ItemScore, Tools
from evaluation.benchmarks import livecodebench_2408_2411
from evaluation.maths_protocol import maths_item, score_maths
from evaluation.multiple_choice import LETTERS, OWN_CLOSING, choice_item, score_choices
from fusechat.command_line import parse_args, run
from fusechat.errors import BadInput
from fusechat.output_file import write_json

FILLER = (
    "We look at each option in turn, and at what the question asks; some of them can be left out at once.\n"
)
Made = tuple[list[Item], dict[str, list[Generation]], list[float]]  # items, answers, the scores they must get


@dataclass(kw_only=True)
class Args:
    """Settings of bench_scoring.py."""

    choices: int = 12_032
    """MMLU-Pro outputs."""
    maths: int = 5_000
    """Maths answers; three of ten need algebra."""
    problems: int = 40
    """LiveCodeBench problems, of ten samples each."""
    tests: int = 20
    """Tests of each of these problems."""
    workers: int = max(1, os.cpu_count() or 1)
    """Processes that check answers."""
    seed: int = 0
    """Seed of the made-up data."""
    output: Path | None = None
    """JSON file for the figures."""


def answer(item_id: str, text: str, sample: int = 0) -> Generation:
    """One generated answer."""
    return Generation(f"{item_id}:{sample}", item_id, sample, 0, text, "stop", len(text) // 4)


def made_choices(count: int, seed: int) -> Made:
    """Outputs of 300 to 6,000 characters that end with a letter in one of the usual ways, or with none."""
    dice = random.Random(seed)
    items, answers, expected = [], {}, []
    for number in range(count):
        right, told = dice.randrange(10), dice.randrange(10)
        item = choice_item(OWN_CLOSING, f"q{number}", "Which?", [f"o{n}" for n in range(10)], right)
        ending = dice.choice(
            (f"The best answer is {LETTERS[told]}.", f"the answer is ({LETTERS[told]})", f"Answer: {LETTERS[told]}", "")
        )  # fmt: skip
        items.append(item)
        answers[item.item_id] = [answer(item.item_id, FILLER * dice.randint(3, 60) + ending)]
        expected.append(float(bool(ending) and told == right))
    return items, answers, expected


def made_maths(count: int, seed: int) -> Made:
    """Worked solutions: seven of ten with numbers in several forms, the rest equal by algebra alone; one of ten wrong."""
    dice = random.Random(seed)
    items, answers, expected = [], {}, []
    for number in range(count):
        right = number % 10 != 9
        a, b = dice.randint(2, 9_999), dice.randint(2, 99)
        shown = a if right else a + 1
        if number % 10 < 6 or not right:
            told, gold = (
                dice.choice((f"{shown}", f"{shown:,}", f"\\frac{{{3 * shown}}}{{3}}", f"{shown}.0")),
                str(a),
            )
        else:
            told, gold = dice.choice(
                (
                    (f"(x+{a})(x-{b})", f"x^2+{a - b}x-{a * b}"),
                    (f"\\frac{{x+{a}}}{{{b}}}", f"\\frac{{x}}{{{b}}}+\\frac{{{a}}}{{{b}}}"),
                    (f"{a}+{b}\\sqrt{{2}}", f"{b}\\sqrt{{2}}+{a}"),
                )
            )
        item = maths_item("", f"m{number}", "What is it?", gold)
        items.append(item)
        answers[item.item_id] = [answer(item.item_id, FILLER * 12 + f"So it is \\boxed{{{told}}}.")]
        expected.append(float(right))
    return items, answers, expected


def made_contest(problems: int, tests: int, seed: int) -> Made:
    """Problems in LiveCodeBench's layout, half of programs and half of methods; seven of ten samples are right."""
    dice = random.Random(seed)
    items, answers, expected = [], {}, []
    for number in range(problems):
        is_method = number % 2 == 1
        numbers = [[dice.randint(1, 10_000) for _ in range(40)] for _ in range(tests)]
        cases = [
            {"input": json.dumps(one) if is_method else " ".join(map(str, one)), "output": str(sum(one))}
            for one in numbers
        ]
        packed = base64.b64encode(zlib.compress(pickle.dumps(json.dumps(cases[2:])))).decode()
        row = {
            "question_content": "Add the numbers.", "question_id": f"p{number}", "contest_date": "2024-09-01",
            "starter_code": "class Solution:\n    def add(self, numbers):\n" if is_method else "", "difficulty": "easy",
            "public_test_cases": json.dumps(cases[:2]), "private_test_cases": packed,
            "metadata": json.dumps({"func_name": "add"} if is_method else {}),
        }  # fmt: skip
        item = livecodebench_2408_2411.item_of(row, livecodebench_2408_2411.Wording())
        samples = []
        for sample in range(livecodebench_2408_2411.SAMPLES):
            wrong = " + 1" if sample >= 7 else ""
            code = (
                f"class Solution:\n    def add(self, numbers):\n        return sum(numbers){wrong}"
                if is_method
                else f"print(sum(map(int, input().split())){wrong})"
            )
            samples.append(answer(item.item_id, f"{FILLER}```python\n{code}\n```\n", sample))
        items.append(item)
        answers[item.item_id] = samples
        expected.append(0.7)
    return items, answers, expected


def seconds_of(score: Callable[..., list[ItemScore]], made: Made, workers: int) -> float:
    """Seconds of scoring; RuntimeError where a score is not the known one."""
    items, answers, expected = made
    start = time.perf_counter()
    scores = score(items, answers, Tools(workers=workers))
    seconds = time.perf_counter() - start
    for item, one, known in zip(items, scores, expected, strict=True):
        if one.score is None or abs(one.score - known) > 1e-9:
            raise RuntimeError(f"{item.item_id} got {one.score} ({one.reason}), not {known}")
    return seconds


def measure_scoring(args: Args) -> dict[str, float]:
    """Seconds of each kind of scoring; code on one core and on all."""
    figures = {
        "mmlu_pro_s": seconds_of(score_choices, made_choices(args.choices, args.seed), args.workers),
        "maths_s": seconds_of(score_maths, made_maths(args.maths, args.seed), args.workers),
    }
    contest = made_contest(args.problems, args.tests, args.seed)
    score = livecodebench_2408_2411.score
    figures["livecodebench_one_core_s"] = seconds_of(score, contest, 1)
    figures["livecodebench_all_cores_s"] = seconds_of(score, contest, args.workers)
    return figures


def measure_rescore(args: Args) -> dict[str, float]:
    """Seconds of a whole `run_evals.py --rescore` over the MMLU-Pro outputs: start, data, answers, tables and all."""
    items, answers, expected = made_choices(args.choices, args.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = [
            {
                "question_id": number, "question": "Which?", "options": [f"o{n}" for n in range(10)], "category": "law",
                "answer_index": LETTERS.index(item.gold),
            }
            for number, item in enumerate(items)
        ]  # fmt: skip
        write_lines(folder / "hub" / "TIGER-Lab" / "MMLU-Pro" / "data" / "test.jsonl", rows)
        generations = [
            {**msgspec.to_builtins(answers[item.item_id][0]), "item_id": f"mmlu_pro-{number}", "generation_id": f"mmlu_pro-{number}:0"}
            for number, item in enumerate(items)
        ]  # fmt: skip
        write_lines(folder / "out" / "generations" / "m" / "mmlu_pro.jsonl", generations)
        seconds = wall_seconds(
            [
                RUN_EVALS, "--model", "m=made/here", "--benchmarks", "mmlu_pro", "--rescore", "--data-root", folder / "hub",
                "--output-dir", folder / "out", "--report-to", "none",
            ]
        )  # fmt: skip
        scores = json.loads((folder / "out" / "scores.json").read_text(encoding="utf-8"))
    score = scores["benchmarks"]["mmlu_pro"]["models"]["m"]["score"]
    if abs(score - 100 * statistics.fmean(expected)) > 1e-9:
        raise RuntimeError(f"run_evals.py gives {score}, not {100 * statistics.fmean(expected)}")
    return {"mmlu_pro_whole_command_s": seconds}


def main() -> None:
    """Command line."""
    args = parse_args(Args)
    if min(args.choices, args.maths, args.problems, args.workers) < 1:
        raise BadInput("--choices, --maths, --problems and --workers must be 1 or more")
    if args.tests < 3:
        raise BadInput(f"--tests {args.tests}: must be 3 or more; two of them are public")
    figures: dict[str, Any] = {**measure_scoring(args), **measure_rescore(args)}
    programs = args.problems * livecodebench_2408_2411.SAMPLES
    print(
        f"{args.choices:,} MMLU-Pro outputs: {figures['mmlu_pro_s']:.2f} s; "
        f"the whole command that scores them again: {figures['mmlu_pro_whole_command_s']:.1f} s"
    )
    print(f"{args.maths:,} maths answers on {args.workers} cores: {figures['maths_s']:.1f} s")
    print(
        f"{programs} LiveCodeBench programs of {args.tests} tests: {figures['livecodebench_one_core_s']:.1f} s on one core, "
        f"{figures['livecodebench_all_cores_s']:.1f} s on {args.workers}"
    )
    if args.output is not None:
        write_json(args.output, figures)


if __name__ == "__main__":
    run(main)
