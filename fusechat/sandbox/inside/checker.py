"""The checker's process: runs the tests against mirrors of what the answer defined, and gives the verdict.

It never runs a line of the answer. Comparisons happen here, on plain data. What leaves this process goes
through one pipe to the process that started it, and only a finished run of all tests can say that they passed.
"""

import ast
import builtins
import importlib
import inspect
import json
import math
import os
import socket
import types
from typing import Any

from .remote import AnswerFailed, Remote
from .sources import BadSource, free_names, parse, prelude_names
from .wire import Channel, Unsendable

# Tools that tests measure with; an answer's own of that name counts only if nothing else of it is tested.
MEASURES = {
    "Counter", "OrderedDict", "ChainMap", "defaultdict", "deque", "namedtuple", "sqrt", "ceil", "floor", "factorial",
    "comb", "isqrt", "gcd", "lcm", "pi", "inf", "log2", "reduce", "permutations", "combinations",
}  # fmt: skip


class Report:
    """Counts of one case, as JSON lines to the process that started this one."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.passed = 0
        self.total = 0
        self.first_failure: dict[str, Any] | None = None

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
                "answer_failed": failed.reason if failed else None,
                "answer_text": str(failed)[:500] if failed else None,
            }
        )


class Suite:
    """The tests of one case, compiled."""

    def __init__(self, tests: dict[str, Any]) -> None:
        self.tests = tests
        self.setup = compiled(tests.get("setup") or "", "<setup>", "setup")
        self.sources = list(tests.get("asserts") or [])
        self.codes = []
        for index, source in enumerate(self.sources):
            self.codes.append(
                compiled(with_calls(source, tests.get("entry_point")), f"<test {index}>", f"test {index}")
            )
        if self.sources and not any(parse(source, "<test>").body for source in self.sources):
            raise BadSource("the tests are empty")

    def needed(self) -> set[str]:
        """Names that the tests use and do not bind themselves."""
        sources = [self.tests.get("setup") or "", *self.sources]
        try:
            names = free_names("\n".join(sources))
        except BadSource:  # each compiles alone, but `from __future__` may stand at the top only
            names = set().union(*map(free_names, sources))
        names = {name for name in names if not hasattr(builtins, name) and not name.startswith("__")}
        entry_point = self.tests.get("entry_point")
        if entry_point:
            names.add(entry_point.partition(".")[0])
        return names


def data_classes(setup: str) -> dict[str, str]:
    """Sources of plain node classes of the setup (TreeNode and the like), which answers name but do not define.

    They go to the answer's process, so only classes pass whose constants are nothing to be compared with.
    """
    found = {}
    for node in parse(setup, "<setup>").body:
        if isinstance(node, ast.ClassDef):
            texts = (ast.Expr, ast.Constant)
            node.body = [
                part
                for part in node.body
                if not (isinstance(part, ast.FunctionDef) and part.name in ("__repr__", "__str__", "__eq__"))
                and not (isinstance(part, texts) and isinstance(getattr(part, "value", None), ast.Constant))
            ] or [ast.Pass()]
            constants = [part.value for part in ast.walk(node) if isinstance(part, ast.Constant)]
            if all(value is None or value in (0, 1, -1, "") for value in constants):
                found[node.name] = ast.unparse(node)
    return found


def compiled(source: str, name: str, what: str) -> types.CodeType:
    try:
        return compile(
            source if isinstance(source, ast.AST) else parse(source, name), name, "exec", dont_inherit=True
        )
    except BadSource as error:
        raise BadSource(f"{what}: {error}") from None


def with_calls(source: str, entry_point: str | None) -> Any:
    """The tests, and calls of test functions that they define but never call: check(candidate) and test_*()."""
    tree = parse(source, "<test>")
    called = {
        node.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    extra = []
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef) or node.name in called or node.decorator_list:
            continue
        if node.name == "check" and len(node.args.args) == 1:
            if not entry_point:
                raise BadSource("defines check() but never calls it, and no entry point is known")
            extra.append(f"check({entry_point})")
        elif node.name.startswith("test") and not (node.args.args or node.args.posonlyargs):
            extra.append(f"{node.name}()")
    tree.body += ast.parse("\n".join(extra)).body
    return tree


def bind_names(remote: Remote, names: dict[str, Any], suite: Suite, facts: dict[str, Any]) -> dict[str, Any]:
    """The namespace that tests run in: prelude, then the answer's names, which never hide a built-in or a module."""
    entry_point = suite.tests.get("entry_point")
    namespace: dict[str, Any] = {"__name__": "tests", "__builtins__": builtins}
    prelude = prelude_names() if facts["prelude"] else {}
    others = any(name not in prelude and not hasattr(builtins, name) for name in names)
    for name, module, attribute in facts["imports"]:
        try:
            top = importlib.import_module(module.partition(".")[0] if attribute == "" else module)
            if attribute == "":
                importlib.import_module(module)
            namespace[name] = getattr(top, attribute) if attribute else top
        except (ImportError, AttributeError):
            continue
    namespace |= prelude
    for name, value in names.items():
        hidden = hasattr(builtins, name) or isinstance(prelude.get(name), types.ModuleType)
        if name == entry_point or not (hidden or (others and name in MEASURES and name in prelude)):
            namespace[name] = value
            if isinstance(value, type):
                remote.declared.add(value)
    if entry_point:
        holder, _, method = entry_point.rpartition(".")
        if holder and holder in namespace:
            namespace["candidate"] = getattr(namespace[holder](), method)
        elif entry_point not in namespace and "Solution" in names:
            try:
                namespace[entry_point] = getattr(names["Solution"](), entry_point)
            except Exception:
                pass
        if entry_point in namespace:
            namespace["candidate"] = namespace[entry_point]
    return namespace


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
    if inspect.isgenerator(value) and isinstance(case["expected"], list):
        value = list(value)
    if not agrees(value, case["expected"]):
        raise AssertionError(f"expected {case['expected']!r:.200}, got {value!r:.200}")


def agrees(value: Any, expected: Any) -> bool:
    """Equality with data that came as JSON: tuples are lists there, keys are strings, floats are rounded."""
    if isinstance(expected, list):
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
        return same or math.isclose(value, expected, rel_tol=1e-9, abs_tol=1e-12)
    return bool(value == expected)


def json_key(key: Any) -> str:
    return json.dumps(key) if key is None or isinstance(key, bool) else str(key)


def check(answer: socket.socket, descriptor: int, tests: dict[str, Any], facts_of: Any) -> None:
    """Everything: compile, tell the needed names, load, run, report."""
    report = Report(descriptor)
    try:
        suite = Suite(tests)
        needed = sorted(suite.needed())
    except BadSource as error:
        report.send({"bad_tests": str(error)[:500]})
        return
    report.send({"needed": needed, "classes": data_classes(tests.get("setup") or "")})
    facts = facts_of()
    remote = Remote(Channel(answer))
    report.total = len(suite.codes) + len(tests.get("cases") or [])
    try:
        names = remote.outcome()
        report.send({"loaded": True})
        if type(names) is not dict or not all(type(name) is str for name in names):
            raise remote.fail("protocol", "no table of names")
        namespace = bind_names(remote, names, suite, facts)
        run_suite(remote, suite, namespace, report)
    except AnswerFailed:
        pass
    except (Exception, Unsendable) as error:
        report.failure(-1, type(error).__name__, f"while loading: {describe(error)}")
        report.send({"load_error": type(error).__name__[:100]})
    report.finish(remote.failed)
