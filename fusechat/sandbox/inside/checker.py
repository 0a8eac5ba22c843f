"""The checker's process: runs the tests against mirrors of what the answer defined, and gives the verdict.

It never runs a line of the answer. Comparisons happen here, on plain data. What leaves this process goes
through one pipe to the process that started it, and only a finished run of all tests can say that they passed.
"""

import collections
import itertools
import json
import math
import os
import socket
import types
from typing import Any

from .library_calls import pass_on_library_calls, quiet_test_runners
from .mirrors import Mirror, plain_content
from .namespace import Namespace, names_to_ask_for
from .plain_types import VIEW_NAMES, is_array
from .remote import AnswerFailed, Remote
from .sources import BadSource, BadTest
from .suite import Suite, setup_sources
from .wire import Channel, Unsendable

ORDERED: tuple[type, ...] = (collections.deque, range, *VIEW_NAMES)


class Report:
    """Counts of one case, as JSON lines to the process that started this one."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.passed = 0
        self.total = 0
        self.first_failure: dict[str, Any] | None = None
        self.bad_tests: str | None = None

    def send(self, message: dict[str, Any]) -> None:
        data = json.dumps(message).encode("ascii") + b"\n"
        while data:
            data = data[os.write(self.descriptor, data) :]

    def failure(self, index: int, kind: str, text: str) -> None:
        if self.first_failure is None:
            self.first_failure = {"index": index, "type": kind[:100], "message": text[:500]}

    def finish(self, failed: AnswerFailed | None) -> None:
        self.send(
            {
                "done": True,
                "passed": self.passed,
                "total": self.total,
                "first_failure": self.first_failure,
                "bad_tests": self.bad_tests,
                "answer_failed": failed.reason if failed else None,
                "answer_text": str(failed)[:500] if failed else None,
            }
        )


def run_suite(remote: Remote, suite: Suite, namespace: dict[str, Any], report: Report) -> None:
    """Run setup and each test; a test passes if it ends without an exception and the answer is still alive."""
    steps: list[Any] = list(suite.codes)
    cases = suite.tests.get("cases") or []
    report.total = len(steps) + len(cases)
    try:
        exec(suite.setup, namespace)
    except AnswerFailed:
        return
    except BaseException as error:
        report.failure(-1, type(error).__name__, f"in setup: {describe(error)}")
        return
    for index, step in enumerate([*steps, *cases]):
        remote.failed_callback = None
        try:
            if isinstance(step, types.CodeType):
                exec(step, namespace)
            else:
                check_case(namespace, suite.tests["entry_point"], step)
            if remote.failed_callback is not None:
                raise remote.failed_callback
        except AnswerFailed:
            pass
        except BadTest as error:
            report.bad_tests = f"test {index}: {error}"
            return
        except BaseException as error:
            report.failure(index, type(error).__name__, describe(error, suite, index))
            continue
        if remote.failed is not None:
            report.failure(index, remote.failed.reason, str(remote.failed))
            return
        report.passed += 1


def describe(error: BaseException, suite: Suite | None = None, index: int = -1) -> str:
    """The text of an exception; for a bare assert, the test's own text."""
    try:
        text = str(error)[:500]
    except BaseException:
        text = ""
    if not text and isinstance(error, AssertionError) and suite and index < len(suite.sources):
        line = error.__traceback__
        while line and line.tb_next:
            line = line.tb_next
        lines = suite.sources[index].split("\n")
        if line and 0 < line.tb_lineno <= len(lines):
            text = lines[line.tb_lineno - 1].strip()[:500]
    return text


def check_case(namespace: dict[str, Any], entry_point: str, case: dict[str, Any]) -> None:
    """One call of the entry point, its value compared with the expected plain data."""
    if "candidate" not in namespace:
        raise NameError(f"name {entry_point!r} is not defined")
    value = namespace["candidate"](*case["args"], **case["kwargs"])
    if isinstance(case["expected"], list) and is_sequence(value):
        # Never more items than it takes to see that there are too many.
        value = list(itertools.islice(value, len(case["expected"]) + 1))
    if is_array(value):
        value = value.tolist()
    if not agrees(value, case["expected"]):
        raise AssertionError(f"expected {case['expected']!r:.200}, got {value!r:.200}")


def is_sequence(value: Any) -> bool:
    """Whether its items come in an order of their own: JSON writes all of these as lists."""
    return type(value) in ORDERED or hasattr(type(value), "__next__")


def agrees(value: Any, expected: Any) -> bool:
    """Equality with data that came as JSON: tuples are lists there, keys are strings, floats are rounded."""
    if isinstance(expected, list):
        if isinstance(value, Mirror) and isinstance(content := plain_content(value), (list, tuple)):
            value = content  # a named tuple, a subclass of list
        return (
            type(value) in (list, tuple)
            and len(value) == len(expected)
            and all(agrees(one, other) for one, other in zip(value, expected, strict=True))
        )
    if isinstance(expected, dict):
        if not isinstance(value, dict) or len(value) != len(expected):
            return False
        by_text = {key if isinstance(key, str) else json_key(key): item for key, item in dict(value).items()}
        return by_text.keys() == expected.keys() and all(
            agrees(by_text[key], expected[key]) for key in expected
        )
    if isinstance(expected, float) or (isinstance(expected, int) and type(value) is float):
        if type(value) not in (int, float) or isinstance(expected, bool):
            return bool(value == expected)
        same = value == expected or (math.isnan(value) and math.isnan(expected))
        if isinstance(expected, int) and abs(value - expected) > 1e-6:
            return False  # an exact number, however large
        return same or math.isclose(value, expected, rel_tol=1e-9, abs_tol=1e-12)
    return bool(value == expected)


def json_key(key: Any) -> str:
    return json.dumps(key) if key is None or isinstance(key, bool) else str(key)


def check(answer: socket.socket, descriptor: int, tests: dict[str, Any], facts_of: Any) -> None:
    """Everything: compile, tell the needed names, load, run, report."""
    report = Report(descriptor)
    try:
        suite = Suite(tests)
        needed = sorted(names_to_ask_for(suite))
        may_use = setup_sources(tests.get("setup") or "")
    except BadSource as error:
        report.send({"bad_tests": str(error)[:500]})
        return
    report.send({"needed": needed, "setup": may_use})
    facts = facts_of()
    remote = Remote(Channel(answer))
    report.total = len(suite.codes) + len(tests.get("cases") or [])
    try:
        names = remote.outcome()
        report.send({"loaded": True})
        if type(names) is not dict or not set(names) <= {*needed, "Solution"}:
            raise remote.fail("protocol", "no table of the names asked for")
        namespace = Namespace(remote, suite, facts)
        namespace.bind(names)
        pass_on_library_calls(remote, suite.text)
        quiet_test_runners(suite.text)
        run_suite(remote, suite, namespace.values, report)
    except AnswerFailed:
        pass
    except (Exception, Unsendable) as error:
        report.failure(-1, type(error).__name__, f"while loading: {describe(error)}")
        report.send({"load_error": type(error).__name__[:100]})
    report.finish(remote.failed)
