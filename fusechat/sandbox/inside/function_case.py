"""A case whose tests call what the answer defines: checker and answer side by side, a socket pair between them."""

import json
import os
import select
import socket
import sys
import time
from typing import Any

from .case import Case
from .checker import check
from .children import Child, Lines, Output, ended_by, read_all, silence
from .loading import load_and_serve

READING_S = 10.0


class FunctionCase(Case):
    """Loads the answer in the ways to try, runs the tests against it."""

    def outcome(self) -> dict[str, Any]:
        """Load the answer in the first way that loads: all blocks, or without usage blocks that fail."""
        first: dict[str, Any] | None = None
        way = 0
        while True:
            outcome = self.run_pair(way)
            self.end_children()
            first = first or outcome
            static = outcome.get("static") or {}
            way += 1
            if outcome.pop("loaded", False) or way >= len(static.get("ways", ())):
                return (
                    outcome
                    if outcome["verdict"] == "pass"
                    else first
                    if not outcome.get("total")
                    else outcome
                )

    def run_pair(self, way: int) -> dict[str, Any]:
        here, there = socket.socketpair()
        report_read, report_write = os.pipe()
        facts_read, facts_write = os.pipe()  # facts of the answer, on to the checker
        static_read, static_write = os.pipe()
        out_read, out_write = os.pipe()
        checker = self.spawn(
            lambda: self.checker_process(here, report_write, facts_read),
            {here.fileno(), report_write, facts_read, self.tests_file},
        )
        for descriptor in (report_write, facts_read):
            os.close(descriptor)
        here.close()
        reports = Lines(report_read)
        # No line of the answer has run yet: on a machine that other work holds up, compiling the tests may take its time.
        first = reports.next(time.monotonic() + max(READING_S, self.limits["wall_s"]))
        deadline = time.monotonic() + self.limits["wall_s"]
        if first is None or "needed" not in first:
            for descriptor in (report_read, facts_write, static_read, static_write, out_read, out_write):
                os.close(descriptor)
            there.close()
            text = (first or {}).get("bad_tests", "the tests could not be read")
            return {"verdict": "bad_tests", "reason": "tests", "message": text}
        player = self.spawn(
            lambda: self.player_process(there, static_write, out_write, first, way),
            {there.fileno(), static_write, out_write, self.program_file},
        )
        there.close()
        os.close(static_write)
        os.close(out_write)
        static = Lines(static_read).next(deadline)
        os.close(static_read)
        outcome = self.static_outcome(static)
        if outcome is None:
            told = {name: (static or {})[name] for name in ("imports", "defined")}
            facts = json.dumps({"prelude": self.settings["prelude"], **told})
            os.write(facts_write, facts.encode("ascii") + b"\n")
        os.close(facts_write)
        os.set_blocking(out_read, False)
        self.output = Output(out_read)
        if outcome is None:
            outcome = self.watch(player, checker, reports, deadline) | {"static": static, "way": way}
        os.close(report_read)
        os.close(out_read)
        return outcome

    def checker_process(self, answer: socket.socket, report: int, facts: int) -> None:
        self.confine(self.limits["wall_s"] + 1)
        silence(None)
        sys.path += self.settings["path"]
        tests = json.loads(read_all(self.tests_file))
        check(answer, report, tests, lambda: Lines(facts).next(time.monotonic() + 60) or {})

    def player_process(
        self, checker: socket.socket, static: int, out: int, wishes: dict[str, Any], way: int
    ) -> None:
        self.confine(self.limits["cpu_s"])
        silence(out)
        program = json.loads(read_all(self.program_file))
        os.close(self.program_file)
        load_and_serve(program, wishes, way, static, checker, self.settings)

    def watch(self, player: Child, checker: Child, reports: "Lines", deadline: float) -> dict[str, Any]:
        """Wait for the checker's last word, the end of a process, or the clock."""
        loaded = False
        load_deadline = min(deadline, time.monotonic() + self.limits["load_s"])
        poll = select.poll()
        assert self.output is not None
        for descriptor in (reports.descriptor, self.output.descriptor, player.pidfd):
            poll.register(descriptor, select.POLLIN)
        gone_at: float | None = None
        while True:
            now = time.monotonic()
            until = deadline if loaded else load_deadline
            if gone_at is not None:
                until = min(until, gone_at + 1.0)
            if now >= until:
                break
            for descriptor, _ in poll.poll(max(1, int((until - now) * 1000))):
                if descriptor == self.output.descriptor and not self.output.read():
                    poll.unregister(descriptor)
                elif descriptor == player.pidfd:
                    poll.unregister(descriptor)
                    gone_at = time.monotonic()
                elif descriptor == reports.descriptor:
                    for report in reports.read():
                        if report is None:
                            return self.verdict_of(None, player, checker, loaded, "checker")
                        if report.get("done"):
                            self.output.read()
                            return self.verdict_of(report, player, checker, loaded, "")
                        loaded = loaded or "loaded" in report
        return self.verdict_of(None, player, checker, loaded, "gone" if gone_at is not None else "clock")

    def verdict_of(
        self, report: dict[str, Any] | None, player: Child, checker: Child, loaded: bool, why: str
    ) -> dict[str, Any]:
        """The verdict from the checker's report, or from how the case ended without one."""
        outcome: dict[str, Any] = {"loaded": loaded, "passed": 0, "total": 0}
        if report is None:
            player.reap()
            if why == "clock":
                return outcome | {
                    "verdict": "timeout",
                    "reason": "wall" if loaded else "load",
                    "message": "no end in time",
                }
            if why == "checker":
                checker.reap(kill=False)
                # Killed by a signal: of the answer's, or of its data. Anything else is a fault of ours.
                reason = "runner" if checker.ending().startswith("exit") else "protocol"
                return outcome | {"verdict": "error", "reason": reason, "message": "the checker ended early"}
            reason = ended_by(player, "protocol")
            return outcome | {"verdict": "timeout" if reason == "cpu" else "error", "reason": reason}
        outcome |= {
            "passed": report["passed"],
            "total": report["total"],
            "first_failure": report["first_failure"],
        }
        if report["bad_tests"]:
            return outcome | {"verdict": "bad_tests", "reason": "tests", "message": report["bad_tests"]}
        if report["answer_failed"]:
            reason = report["answer_failed"]
            if reason == "lost":
                player.reap(kill=self.dead_soon(player))
                reason = ended_by(player, "lost")
            verdict = "timeout" if reason == "cpu" else "error"
            return outcome | {"verdict": verdict, "reason": reason, "message": report["answer_text"]}
        failure = report["first_failure"]
        if failure is None and report["total"] > 0 and report["passed"] == report["total"] and loaded:
            return outcome | {"verdict": "pass", "reason": None}
        kind = (failure or {}).get("type", "")
        if not loaded:
            return outcome | {
                "verdict": "error",
                "reason": "import" if "Import" in kind or "ModuleNotFound" in kind else f"exception:{kind}",
            }
        if failure and failure["index"] == -1:
            return outcome | {"verdict": "fail", "reason": f"exception:{kind}"}
        reason = (
            "assertion"
            if kind == "AssertionError"
            else "oom"
            if kind == "MemoryError"
            else f"exception:{kind}"
        )
        return outcome | {"verdict": "fail", "reason": reason}

    def dead_soon(self, player: Child) -> bool:
        """Whether the process must be killed: it closed its end of the channel but does not end by itself."""
        return not select.select([player.pidfd], [], [], 0.5)[0]
