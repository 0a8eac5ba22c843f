"""Run generated programs against their tests in the project's sandbox, and turn verdicts into scores."""

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, cast

from evaluation.benchmark import Tools
from fusechat.errors import BadInput
from fusechat.progress import Progress
from fusechat.records import Tests
from fusechat.sandbox import Case, CodeTests, Isolation, Limits, Sandbox, Unavailable, Verdict


@dataclass(frozen=True)
class Program:
    """Code and its tests under a key; the prelude's imports stand in front of the code."""

    key: str
    code: str
    tests: Tests
    prelude: str = ""
    limits: Limits = dataclasses.field(default_factory=Limits)


class Outcome(NamedTuple):
    """1 where all tests pass, 0 where not, None where the sandbox could not tell; with the verdict's reason."""

    score: float | None
    reason: str | None


def run_programs(programs: Iterable[Program], tools: Tools, count: int) -> dict[str, Outcome]:
    """The outcome of each of `count` programs by key; they are taken one by one, as their tests may be large."""
    if not count:
        return {}

    def cases() -> Iterator[Case]:
        for program in programs:
            yield Case(
                case_id=program.key,
                blocks=(f"{program.prelude}\n{program.code}" if program.prelude else program.code,),
                tests=CodeTests.of(program.tests),
                limits=program.limits,
                # The published protocols offer no imports beyond those of the benchmark itself.
                prelude=False,
            )

    outcomes: dict[str, Outcome] = {}
    try:
        with (
            Sandbox(cast(Isolation, tools.isolation), workers=tools.workers) as sandbox,
            Progress(count, unit="programs", description="run tests") as progress,
        ):
            for verdict in sandbox.judge_all(cases()):
                outcomes[verdict.case_id] = outcome_of(verdict)
                progress.update(1)
    except Unavailable as error:
        raise BadInput(f"--isolation {tools.isolation}: {error}") from None
    return outcomes


def outcome_of(verdict: Verdict) -> Outcome:
    """Only `pass` is right; bad tests and a fault of the runner say nothing about the answer."""
    words = f"{verdict.verdict}: {verdict.reason}" if verdict.reason else verdict.verdict
    if verdict.verdict == "pass":
        return Outcome(1.0, None)
    if verdict.verdict == "bad_tests" or verdict.reason == "runner":
        return Outcome(None, words)
    return Outcome(0.0, words)
