"""A pool of workers: `with Sandbox(workers=2) as sandbox: for verdict in sandbox.judge_all(cases): ...`"""

import os
import queue
import sys
import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Literal

from .cases import Case, CodeTests, Limits, Verdict
from .isolation import Unavailable
from .probe import probe
from .worker import Worker, WorkerDied

Isolation = Literal["auto", "A", "B", "none"]
WAYS_OUT = """Ways out: allow user namespaces (in Docker: --security-opt seccomp=unconfined; on Ubuntu 23.10 and later an \
AppArmor profile for bwrap, or sysctl kernel.apparmor_restrict_unprivileged_userns=0), or use a kernel from 5.13 on \
with Landlock enabled (lsm=landlock,...), or run in a throw-away virtual machine with --isolation none, which \
protects nothing but the truth of the verdicts."""


class Sandbox:
    """Judges cases in isolated worker processes. Verdicts do not depend on the number of workers."""

    def __init__(
        self, isolation: Isolation = "auto", workers: int | None = None, quiet: bool = False
    ) -> None:
        self.level, self.detail = choose_level(isolation)
        self.workers = workers or len(os.sched_getaffinity(0))
        self.idle: list[Worker] = []
        self.numbers = iter(range(1_000_000))
        self.lock = threading.Lock()
        if not quiet:
            print(f"isolation: level {self.level} ({self.detail})", file=sys.stderr)

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        with self.lock:
            workers, self.idle = self.idle, []
        for worker in workers:
            worker.stop()

    def judge(self, case: Case) -> Verdict:
        """The verdict on one case."""
        problem = case.tests.problem()
        if problem or not case.blocks:
            return self.without_running(case, problem)
        error = "it could not be started"
        for _ in range(2):
            worker = self.take(case)
            try:
                verdict = worker.judge(case)
            except WorkerDied as died:
                error = str(died)
                worker.stop()
                continue
            except BaseException:
                worker.stop()
                raise
            with self.lock:
                self.idle.append(worker)
            return verdict
        return self.without_running(case, None, error)

    def take(self, case: Case) -> Worker:
        with self.lock:
            for position, worker in enumerate(self.idle):
                if worker.scratch_mb == case.limits.scratch_mb:
                    return self.idle.pop(position)
            number = next(self.numbers)
        return Worker(self.level, number, case.limits.scratch_mb)

    def without_running(self, case: Case, problem: str | None, error: str | None = None) -> Verdict:
        verdict = Verdict(
            case.case_id, "no_code", "no_code", total_tests=case.tests.total, code_sha256=case.code_sha256,
            tests_sha256=case.tests_sha256, isolation=self.level, limits_id=case.limits.id,
        )  # fmt: skip
        if problem:
            failure = {"index": -1, "type": "tests", "message": problem}
            return replace(verdict, verdict="bad_tests", reason="tests", first_failure=failure)
        if error:
            failure = {"index": -1, "type": "runner", "message": error[:500]}
            return replace(verdict, verdict="error", reason="runner", first_failure=failure)
        return verdict

    def judge_all(self, cases: Iterable[Case]) -> Iterator[Verdict]:
        """Verdicts as they come, not in order. Time-outs are run again alone, at the end, before they count."""
        todo: queue.Queue[Case | None] = queue.Queue(self.workers)
        done: queue.Queue[tuple[Case, Verdict] | BaseException] = queue.Queue()
        threads = [
            threading.Thread(target=self.work, args=(todo, done), daemon=True) for _ in range(self.workers)
        ]
        for thread in threads:
            thread.start()
        again: list[tuple[Case, Verdict]] = []
        pending = 0

        def taken(item: tuple[Case, Verdict] | BaseException) -> Iterator[Verdict]:
            if isinstance(item, BaseException):
                raise item
            case, verdict = item
            if verdict.verdict == "timeout" and verdict.cpu_s < 0.9 * verdict.wall_s:
                again.append((case, verdict))
            else:
                yield verdict

        try:
            for case in cases:
                while pending >= 2 * self.workers:
                    yield from taken(done.get())
                    pending -= 1
                todo.put(case)
                pending += 1
            while pending:
                yield from taken(done.get())
                pending -= 1
            for case, verdict in again:
                second = self.judge(case)
                yield second if second.reason != "runner" else verdict
        finally:
            for _ in threads:
                try:
                    todo.put_nowait(None)
                except queue.Full:
                    pass

    def work(
        self, todo: "queue.Queue[Case | None]", done: "queue.Queue[tuple[Case, Verdict] | BaseException]"
    ) -> None:
        while (case := todo.get()) is not None:
            try:
                done.put((case, self.judge(case)))
            except BaseException as error:
                done.put(error)
                return


def choose_level(isolation: Isolation) -> tuple[str, str]:
    """The level to run at, tried for real; raises Unavailable where what was asked for cannot be had."""
    if isolation == "none":
        return "none", "two processes and limits only; this machine is not protected"
    failures = []
    for level in ("A", "B") if isolation == "auto" else (isolation,):
        try:
            return level, probe(level)
        except Unavailable as error:
            failures.append(f"level {level}: {error}")
    raise Unavailable("no isolation as asked for. " + " | ".join(failures) + f"\n{WAYS_OUT}")


def judge(
    program: str,
    tests: object,
    limits: Limits | None = None,
    isolation: Isolation = "auto",
    prelude: bool = True,
) -> Verdict:
    """One program, its tests, limits: a verdict. Starts a sandbox of its own; use `Sandbox` for many."""
    case = Case("case", (program,), CodeTests.of(tests), limits or Limits(), prelude)
    with Sandbox(isolation, workers=1, quiet=True) as sandbox:
        return sandbox.judge(case)
