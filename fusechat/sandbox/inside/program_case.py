"""A case whose tests run the answer as a whole program: standard input in, standard output compared."""

import json
import os
import select
import time
from typing import Any

from .case import Case
from .children import Child, Lines, Output, ended_by, read_all, silence
from .loading import run_program
from .outputs import check_outputs


class ProgramCase(Case):
    """Runs the program once for each input, then has a fresh process compare."""

    def outcome(self) -> dict[str, Any]:
        """All blocks as one program; where that fails, the last block that does something, alone."""
        outcome = self.run_way(0)
        ways = (outcome["static"] or {}).get("ways", [])
        if outcome["verdict"] != "pass" and len(ways) > 1:
            second = self.run_way(1)
            if second["verdict"] == "pass":
                return second
        return outcome

    def run_way(self, way: int) -> dict[str, Any]:
        """Run the program once per input, gather what it prints, and have a fresh checker compare."""
        outputs: list[dict[str, Any]] = []
        static: dict[str, Any] | None = None
        for stdin_file in self.settings["stdin_files"]:
            static_read, static_write = os.pipe()
            out_read, out_write = os.pipe()
            os.lseek(self.program_file, 0, os.SEEK_SET)
            player = self.spawn(
                lambda stdin=stdin_file, static=static_write, out=out_write: self.program_process(
                    way, stdin, static, out
                ),
                {stdin_file, static_write, out_write, self.program_file},
            )
            os.close(static_write)
            os.close(out_write)
            deadline = time.monotonic() + self.limits["wall_s"]
            static = Lines(static_read).next(deadline)
            os.close(static_read)
            outcome = self.static_outcome(static)
            if outcome is not None:
                os.close(out_read)
                self.end_children()
                return outcome | {"static": static}
            self.output = Output(out_read, self.limits["file_mb"] << 20)
            timed_out = not self.drain(player, deadline)
            while not timed_out and select.select([out_read], [], [], 0)[0] and self.output.read():
                pass
            ending = "timeout" if timed_out else None
            player.reap()
            ending = ending or ended_by(player, player.ending())
            self.end_children()
            os.close(out_read)
            outputs.append(
                {
                    "ending": ending,
                    "stdout": self.output.head.hex(),
                    "all": self.output.seen <= len(self.output.head),
                }
            )
            if ending != "exit:0":
                break  # a failing input decides the verdict; the later ones need not run
        return self.compare_outputs(outputs) | {"static": static, "way": way}

    def drain(self, player: Child, deadline: float) -> bool:
        """Read the program's output until its first process ends; False when the clock ends first."""
        assert self.output is not None
        poll = select.poll()
        poll.register(self.output.descriptor, select.POLLIN)
        poll.register(player.pidfd, select.POLLIN)
        while (left := deadline - time.monotonic()) > 0:
            events = dict(poll.poll(max(1, int(left * 1000))))
            if self.output.descriptor in events and not self.output.read():
                poll.unregister(self.output.descriptor)
            elif player.pidfd in events and self.output.descriptor not in events:
                return True
        return False

    def program_process(self, way: int, stdin_file: int, static: int, out: int) -> None:
        self.confine(self.limits["cpu_s"])
        os.lseek(stdin_file, 0, os.SEEK_SET)
        silence(out, stdin_file)
        program = json.loads(read_all(self.program_file))
        os.close(self.program_file)
        run_program(program, way, static, self.settings)

    def compare_outputs(self, outputs: list[dict[str, Any]]) -> dict[str, Any]:
        report_read, report_write = os.pipe()

        def compare() -> None:
            self.confine(self.limits["wall_s"])
            silence(None)
            check_outputs(report_write, json.loads(read_all(self.tests_file))["stdin_stdout"], outputs)

        self.spawn(compare, {report_write, self.tests_file})
        os.close(report_write)
        report = Lines(report_read).next(time.monotonic() + self.limits["wall_s"])
        os.close(report_read)
        self.end_children()
        return report or {
            "verdict": "error",
            "reason": "output",
            "message": "the output could not be compared",
        }
