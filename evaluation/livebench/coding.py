"""LiveBench's coding tasks: contest problems, whole or to be completed. Score 1 where all tests pass, else 0."""

from collections.abc import Iterator, Mapping
from typing import Any

from evaluation.benchmark import Tools
from evaluation.code_runs import Outcome, Program, run_programs
from evaluation.contest_programs import contest_program, contest_tests, first_fenced_block


def program_text(row: Mapping[str, Any], answer: str) -> str:
    """The first fenced block, behind the part of the solution that the question gave, where it gave one."""
    code = first_fenced_block(answer)
    given = row.get("partial_solution")
    return f"{given}\n{code}" if given else code


def coding_outcomes(
    rows: Mapping[str, Mapping[str, Any]], answers: Mapping[str, str], tools: Tools
) -> dict[str, Outcome]:
    """The outcome of each question's program by question id; an answer without a program fails."""
    programs = {key: program_text(row, answers[key]) for key, row in rows.items()}

    def cases() -> Iterator[Program]:
        for key, code in programs.items():
            if code.strip():
                yield contest_program(key, code, contest_tests(rows[key]))

    count = sum(1 for code in programs.values() if code.strip())
    outcomes = run_programs(cases(), tools, count)
    return {key: outcomes.get(key) or Outcome(0.0, "no_code") for key in rows}
