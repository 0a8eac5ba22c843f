"""One worker: a sandboxed template interpreter, and the protocol to have it judge cases one at a time."""

import json
import os
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

from .cases import Case, Verdict, printable
from .inside.processes import descendants, kill_descendants
from .isolation import LAUNCHER, Unavailable, WorkerFiles, launch_plan

CASES_PER_WORKER = 2000
MAX_STDIN_PER_REQUEST = 200
WATCH_EVERY_S = 0.25
GRACE_S = 10.0  # beyond the case's own clock, which runs inside the worker


# bubblewrap dies with the thread that started it, not with the process: so one thread starts all, and stays.
STARTER = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sandbox-starter")


class WorkerDied(Exception):
    """The worker itself failed; the case may be tried again in a fresh one."""


class TooMuchMemory(Exception):
    """The processes of the case hold more memory together than is allowed."""


class Worker:
    """A running template. `number` tells workers of one process apart."""

    def __init__(self, level: str, number: int, scratch_mb: int) -> None:
        self.level = level
        self.number = number
        self.scratch_mb = scratch_mb
        self.files = WorkerFiles()
        self.judged = 0
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Launch it and wait for its word; raises Unavailable with what it said."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control = ours
        self.judged = 0
        plan = launch_plan(self.level, self.number, theirs.fileno(), self.scratch_mb, self.files)
        self.process = STARTER.submit(
            subprocess.Popen, [sys.executable, "-I", "-S", str(LAUNCHER), json.dumps(plan)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            pass_fds=[theirs.fileno()], start_new_session=True, env={},
        ).result()  # fmt: skip
        theirs.close()
        self.control.settimeout(30)
        try:
            data = self.control.recv(1 << 16)
        except TimeoutError:
            data = b""
        if not data:
            kill_descendants(self.process.pid)
            self.process.kill()
            _, stderr = self.process.communicate()
            self.stop()
            raise Unavailable(
                printable(stderr.decode("utf-8", "replace").strip()[-1500:], 1500) or "it did not start"
            )
        self.ready = json.loads(data)
        assert self.process.stderr is not None
        self.process.stderr.close()

    def stop(self) -> None:
        """End the worker and everything in it."""
        self.control.close()
        if self.process is not None and self.process.poll() is None:
            self.kill_tree()
        if self.process is not None:
            self.process.wait()
            if self.process.stderr is not None:
                self.process.stderr.close()
            self.process = None
        self.files.remove()

    def kill_tree(self) -> None:
        """Kill the worker and all below it; an idle template ends by itself when its socket is closed."""
        assert self.process is not None
        if self.level == "A":
            try:
                self.process.wait(0.5)  # the template ends by itself when the control socket is closed
                return
            except subprocess.TimeoutExpired:
                pass
        kill_descendants(self.process.pid)
        self.process.kill()

    def judge(self, case: Case) -> Verdict:
        """Judge one case; raises WorkerDied where the worker, not the case, failed."""
        if self.judged >= CASES_PER_WORKER:
            self.stop()
            self.start()
        self.judged += 1
        pairs = case.tests.stdin_stdout
        if len(pairs) <= MAX_STDIN_PER_REQUEST:
            try:
                return self.as_verdict(case, self.request(case, list(pairs)))
            except TooMuchMemory:
                self.stop()
                self.start()
                return self.as_verdict(case, {"verdict": "error", "reason": "oom"})
        verdicts = []
        for first in range(0, len(pairs), MAX_STDIN_PER_REQUEST):
            outcome = self.request(case, list(pairs[first : first + MAX_STDIN_PER_REQUEST]))
            verdicts.append(self.as_verdict(case, outcome))
            if not verdicts[-1].passed:
                break
        last = verdicts[-1]
        last.passed_tests = sum(verdict.passed_tests for verdict in verdicts)
        last.wall_s = sum(verdict.wall_s for verdict in verdicts)
        last.total_tests = len(pairs)
        return last

    def request(self, case: Case, pairs: list[dict[str, str]]) -> dict[str, Any]:
        tests = case.tests.as_dict() | {"stdin_stdout": pairs}
        program = {"blocks": list(case.blocks), "whole_text": case.whole_text, "stdin": bool(pairs)}
        files = [memory_file(json.dumps(value).encode("ascii")) for value in (program, tests)]
        files += [memory_file(pair["stdin"].encode("utf-8", "surrogatepass")) for pair in pairs]
        header = json.dumps({"limits": asdict(case.limits), "prelude": case.prelude}).encode("ascii")
        wall_s = case.limits.wall_s * max(1, len(pairs)) * 4 + GRACE_S + case.limits.load_s
        try:
            socket.send_fds(self.control, [header], files)
            return self.reply(time.monotonic() + wall_s, 2.0 * case.limits.memory_mb)
        except OSError as error:
            raise WorkerDied(f"the worker is gone: {error}") from None
        finally:
            for file in files:
                os.close(file)

    def resident_mb(self) -> float:
        """Memory of all processes of the worker: the limit of address space holds for each of them alone."""
        assert self.process is not None
        pages = 0
        for pid in descendants(self.process.pid):
            try:
                with open(f"/proc/{pid}/statm", encoding="ascii") as file:
                    pages += int(file.read().split()[1])
            except (OSError, IndexError):
                continue
        return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)

    def reply(self, deadline: float, memory_mb: float) -> dict[str, Any]:
        """The outcome of the case; raises TooMuchMemory where all its processes together take more than that."""
        while time.monotonic() < deadline:
            self.control.settimeout(WATCH_EVERY_S)
            try:
                data = self.control.recv(1 << 18)
            except TimeoutError:
                if self.resident_mb() > memory_mb:
                    raise TooMuchMemory from None
                continue
            if not data:
                raise WorkerDied("the worker ended")
            outcome = json.loads(data)
            if "retry" in outcome:
                raise WorkerDied(outcome["retry"])
            return outcome
        raise WorkerDied("no word from the worker in time")

    def as_verdict(self, case: Case, outcome: dict[str, Any]) -> Verdict:
        """The supervisor's record from the worker's words; text of hostile origin is made printable."""
        static = outcome.get("static") or {}
        failure = outcome.get("first_failure")
        if failure is None and outcome.get("message"):
            failure = {"index": -1, "type": outcome["reason"], "message": outcome["message"]}
        if failure:
            failure = {
                "index": failure["index"],
                "type": printable(str(failure["type"]), 100),
                "message": printable(str(failure["message"]), 500),
            }
        reason = outcome["reason"]
        return Verdict(
            case_id=case.case_id,
            verdict=outcome["verdict"],
            reason=printable(reason, 100) if reason else None,
            passed_tests=outcome.get("passed", 0),
            total_tests=outcome.get("total", 0) or case.tests.total,
            first_failure=failure,
            static={
                "undefined": [printable(name, 100) for name in static.get("undefined", ())],
                "missing": [printable(name, 100) for name in static.get("missing", ())],
                "flags": static.get("flags", []),
                "prelude_used": static.get("prelude_used", []),
            },
            code_sha256=case.code_sha256,
            tests_sha256=case.tests_sha256,
            blocks_used=outcome.get("blocks_used", []),
            wall_s=outcome.get("wall_s", 0.0),
            cpu_s=outcome.get("cpu_s", 0.0),
            max_rss_mb=outcome.get("max_rss_mb", 0.0),
            stdout_tail=printable(outcome.get("stdout_tail", ""), 2000),
            isolation=self.level,
            limits_id=case.limits.id,
        )


def memory_file(data: bytes) -> int:
    """A descriptor of an anonymous file in memory with this content."""
    descriptor = os.memfd_create("case", os.MFD_CLOEXEC)
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor
