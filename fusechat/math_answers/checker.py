"""Check many maths answers: quick rules in this process, algebra in workers with a hard time limit.

    with AnswerChecker(workers=2, timeout_s=5.0) as checker:
        for key, comparison in checker.compare_all((key, predicted, gold) for ...):   # in any order
            comparison.correct, comparison.reason

`answers_equal(predicted, gold)` is the same for one pair.
"""

import atexit
import contextlib
import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Hashable, Iterable, Iterator
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeVar

from fusechat.math_answers.equality import compare_quickly, symbolic_forms
from fusechat.math_answers.normalisation import MAX_ANSWER_CHARACTERS

DEFAULT_TIMEOUT_S = 5.0
DEFAULT_MEMORY_MB = 2048
START_LIMIT_S = 180.0
# The worker keeps the limit itself, in processor time; one that does not even do that is killed this much later.
WALL_FACTOR, GRACE_S = 6, 20.0

Key = TypeVar("Key", bound=Hashable)


class Comparison(NamedTuple):
    """Whether an answer equals the gold answer: None with a reason where that could not be decided."""

    correct: bool | None
    reason: str | None = None


class _Worker:
    """One symbolic worker process and the task it has."""

    def __init__(self, timeout_s: float, memory_mb: int) -> None:
        command = [
            sys.executable,
            "-m",
            "fusechat.math_answers.symbolic_worker",
            str(timeout_s),
            str(memory_mb),
        ]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}
        # A session of its own: Ctrl-C reaches the caller, and the workers end when their input closes.
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, start_new_session=True
        )
        self.deadline = time.monotonic() + START_LIMIT_S
        self.is_ready = False
        self.task: Any = None
        self.is_busy = False

    def send(self, task: Any, found: str, wanted: str, limit_s: float) -> None:
        assert self.process.stdin is not None
        self.task, self.is_busy = task, True
        self.deadline = time.monotonic() + limit_s
        self.process.stdin.write(json.dumps({"found": found, "wanted": wanted}).encode() + b"\n")
        self.process.stdin.flush()

    def receive(self) -> bytes:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                # Closing flushes: a task that a dead worker never took is still in the buffer.
                with contextlib.suppress(BrokenPipeError):
                    stream.close()


class AnswerChecker:
    """Workers for the symbolic comparisons; none is started before the first answer that needs one."""

    def __init__(
        self,
        workers: int = 1,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        memory_mb: int = DEFAULT_MEMORY_MB,
        percent_factor: bool = False,
    ) -> None:
        self.max_workers = max(1, workers)
        self.timeout_s = timeout_s
        self.memory_mb = memory_mb
        self.percent_factor = percent_factor
        self._workers: list[_Worker] = []
        self._selector = selectors.DefaultSelector()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the workers."""
        for worker in list(self._workers):
            self._drop(worker)

    def compare(self, predicted: str | None, gold: str) -> Comparison:
        """One pair."""
        return next(comparison for _, comparison in self.compare_all([(None, predicted, gold)]))

    def compare_all(self, pairs: Iterable[tuple[Key, str | None, str]]) -> Iterator[tuple[Key, Comparison]]:
        """The comparison of each (key, predicted, gold), as they get done."""
        known: dict[tuple[str, str], Comparison] = {}
        for key, predicted, gold in pairs:
            if not predicted:
                yield key, Comparison(False)
                continue
            quick = compare_quickly(predicted, gold, self.percent_factor)
            if quick is not None:
                yield key, Comparison(quick)
                continue
            found, wanted = symbolic_forms(predicted, gold)
            if max(map(len, (found, wanted, predicted, gold))) >= MAX_ANSWER_CHARACTERS // 2:
                yield key, Comparison(None, "answer too long to compare")
                continue
            if (found, wanted) in known:
                yield key, known[found, wanted]
                continue
            worker = self._idle_worker()
            while worker is None:
                for done, comparison in self._collect():
                    known[done[1], done[2]] = comparison
                    yield done[0], comparison
                worker = self._idle_worker()
            self._send(worker, (key, found, wanted))
        while any(worker.is_busy for worker in self._workers):
            for done, comparison in self._collect():
                yield done[0], comparison

    def _send(self, worker: _Worker, task: tuple[Any, str, str]) -> None:
        try:
            worker.send(task, task[1], task[2], WALL_FACTOR * self.timeout_s + GRACE_S)
        except OSError:
            pass  # a dead worker: its closed output is noticed when the replies are collected

    def _idle_worker(self) -> _Worker | None:
        for worker in self._workers:
            if worker.is_ready and not worker.is_busy:
                return worker
        starting = any(not worker.is_ready for worker in self._workers)
        if len(self._workers) < self.max_workers and not starting:
            worker = _Worker(self.timeout_s, self.memory_mb)
            self._workers.append(worker)
            assert worker.process.stdout is not None
            self._selector.register(worker.process.stdout, selectors.EVENT_READ, worker)
        return None

    def _collect(self) -> Iterator[tuple[Any, Comparison]]:
        """Wait for replies; a worker past its limit, or dead, is replaced and its task unknown."""
        now = time.monotonic()
        soonest = min(
            (worker.deadline for worker in self._workers if worker.is_busy or not worker.is_ready),
            default=now,
        )
        for event, _ in self._selector.select(max(0.0, soonest - now)):
            worker: _Worker = event.data
            line = worker.receive()
            if line == b"ready\n":
                worker.is_ready = True
            elif not line:
                was_ready, task = worker.is_ready, worker.task
                self._drop(worker)
                if not was_ready:
                    raise RuntimeError(
                        "the worker for symbolic comparisons does not start; is math-verify installed?"
                    )
                yield task, Comparison(None, "worker died")
            else:
                reply = json.loads(line)
                worker.is_busy = False
                yield worker.task, Comparison(reply["equal"], reply["reason"])
        for worker in list(self._workers):
            if (worker.is_busy or not worker.is_ready) and time.monotonic() > worker.deadline:
                was_busy, task = worker.is_busy, worker.task
                self._drop(worker)
                if was_busy:
                    yield task, Comparison(None, f"timeout after {self.timeout_s:g} s")

    def _drop(self, worker: _Worker) -> None:
        assert worker.process.stdout is not None
        self._selector.unregister(worker.process.stdout)
        self._workers.remove(worker)
        worker.close()


_shared_checker: AnswerChecker | None = None


def answers_equal(predicted: str | None, gold: str) -> bool | None:
    """Whether two answers are equal; None where algebra did not come to an end. Keeps one worker for later calls."""
    global _shared_checker
    if _shared_checker is None:
        _shared_checker = AnswerChecker()
        atexit.register(_shared_checker.close)
    return _shared_checker.compare(predicted, gold).correct
