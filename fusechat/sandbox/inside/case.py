"""One case: the first process of the case's PID namespace starts answer and checker, holds the clock, reports.

This process is forked from the template for each case and never runs a line of the answer or of the tests. It
does not even read the tests: they lie in a memory file that only the checker opens, and it is forked before any
answer code runs. So nothing that the answer's process inherits has ever held a test.
"""

import os
import time
from typing import Any

from .children import KEPT, Child, Output


class Case:
    """The work of one case. `settings` come from the supervisor and hold neither answer nor tests."""

    def __init__(self, settings: dict[str, Any], program_file: int, tests_file: int, scratch: str) -> None:
        self.settings = settings
        self.limits = settings["limits"]
        self.program_file = program_file
        self.tests_file = tests_file
        self.scratch = scratch
        self.children: list[Child] = []
        self.cpu_s = 0.0
        self.max_rss_mb = 0.0
        self.output: Output | None = None

    def spawn(self, run: Any, keep: set[int]) -> Child:
        child = Child(run, keep)
        self.children.append(child)
        return child

    def end_children(self) -> None:
        """Kill everything that the case started, and add up what it used."""
        self.settings["kill_early"]()
        for child in self.children:
            child.reap()
            self.cpu_s += child.usage.ru_utime + child.usage.ru_stime
            self.max_rss_mb = max(self.max_rss_mb, child.usage.ru_maxrss / 1024)
        self.children = []
        self.settings["kill_all"]()

    def run(self) -> dict[str, Any]:
        started = time.monotonic()
        outcome = self.outcome()
        static = outcome.pop("static", None) or {}
        # Only what the record shows: a hostile answer may have any number of blocks and imports.
        outcome["static"] = {
            name: static[name] for name in ("undefined", "missing", "flags", "prelude_used") if name in static
        }
        outcome["blocks_used"] = static["ways"][outcome.get("way", 0)] if "ways" in static else []
        outcome["wall_s"] = round(time.monotonic() - started, 4)
        outcome["cpu_s"] = round(self.cpu_s, 4)
        outcome["max_rss_mb"] = round(self.max_rss_mb, 1)
        if self.output is not None:
            head = self.output.head[:KEPT].decode("utf-8", "replace")
            outcome["stdout_tail"] = (head + self.output.tail.decode("utf-8", "replace"))[-2000:]
        return outcome

    def outcome(self) -> dict[str, Any]:
        """Run and judge the answer."""
        raise NotImplementedError

    def static_outcome(self, static: dict[str, Any] | None) -> dict[str, Any] | None:
        if static is None:
            return {
                "verdict": "error",
                "reason": "syntax",
                "message": "reading the source crashed or took too long",
            }
        if "error" in static:
            none = static["error"] == "no code"
            return {
                "verdict": "no_code" if none else "error",
                "reason": "no_code" if none else "syntax",
                "message": static["error"],
            }
        return None

    def confine(self, cpu_s: float) -> None:
        os.setsid()
        os.chdir(self.scratch)
        self.settings["confine"](self.limits, int(cpu_s + 0.999), self.scratch)
