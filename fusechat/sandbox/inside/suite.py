"""The tests of one case: compiled, completed by the calls that they leave to a test runner, and read for names."""

import ast
import builtins
import importlib.util
import re
import sys
import types
from typing import Any

from .sources import BadSource, free_names, parse

PLACEHOLDER_MODULE = re.compile(
    r"(?:your_|my_)?(?:solution|answer|main|module|code_under_test|submission|candidate|implementation|program)\w*"
)
CHECK_NAMES = {"candidate", "func", "function", "fn", "f", "solution", "entry_point"}
# Attributes of plain data: using one on what `name(...)` gives does not say that `name` is a class of the answer.
PLAIN_ATTRIBUTES = {
    name
    for kind in (int, float, complex, str, bytes, list, tuple, dict, set, frozenset)
    for name in dir(kind)
} | {"shape", "dtype", "tolist", "all", "any", "sum", "mean", "T"}


class Suite:
    """The tests of one case. Raises BadSource for tests that cannot be run."""

    def __init__(self, tests: dict[str, Any]) -> None:
        self.tests = tests
        self._read_names: set[str] | None = None
        self.entry_point: str | None = tests.get("entry_point")
        self.sources: list[str] = list(tests.get("asserts") or [])
        self.setup = compiled(tests.get("setup") or "", "<setup>", "setup")
        trees = [
            parsed(source, f"<test {index}>", f"test {index}") for index, source in enumerate(self.sources)
        ]
        if self.sources and not any(tree.body for tree in trees):
            raise BadSource("the tests are empty")
        # From here on `from solution import f` is just a name that the tests need.
        self.imported = set().union(*(take_placeholder_imports(tree) for tree in trees))
        self.codes = [
            compiled(with_calls(tree, self.entry_point), f"<test {index}>", f"test {index}")
            for index, tree in enumerate(trees)
        ]
        setup_tree = parsed(tests.get("setup") or "", "<setup>", "setup")
        self.nodes = [node for tree in (setup_tree, *trees) for node in ast.walk(tree)]

    @property
    def text(self) -> str:
        return "\n".join([self.tests.get("setup") or "", *self.sources])

    def read_names(self) -> set[str]:
        """Names that the tests read and do not bind themselves, built-in ones included."""
        if self._read_names is not None:
            return self._read_names
        sources = [self.tests.get("setup") or "", *self.sources]
        try:
            names = free_names("\n".join(sources))
        except BadSource:  # each compiles alone, but `from __future__` may stand at the top only
            names = set().union(*map(free_names, sources))
        if self.entry_point:
            names.add(self.entry_point.partition(".")[0])
        self._read_names = {name for name in names | self.imported if not name.startswith("__")}
        return self._read_names

    def needed(self) -> set[str]:
        """The read names that are not built in, or are the entry point."""
        holder = (self.entry_point or "").partition(".")[0]
        return {name for name in self.read_names() if name == holder or not hasattr(builtins, name)}

    def is_called(self, name: str) -> bool:
        return any(
            isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name
            for node in self.nodes
        )

    def attributes_of(self, name: str) -> set[str]:
        """Attributes that the tests use of this name, of what calling it gives, and of variables that hold that."""
        holders = {
            target.id
            for node in self.nodes
            if isinstance(node, ast.Assign) and calls(node.value, name)
            for target in node.targets
            if isinstance(target, ast.Name)
        } | {name}
        return {
            node.attr
            for node in self.nodes
            if isinstance(node, ast.Attribute)
            and (calls(node.value, name) or (isinstance(node.value, ast.Name) and node.value.id in holders))
        }

    def tests_directly(self, name: str, others: set[str]) -> bool:
        """Whether some assertion is about this name and none of the others."""
        for node in self.nodes:
            if isinstance(node, ast.Assert) or (
                isinstance(node, ast.Call) and getattr(node.func, "attr", "").startswith("assert")
            ):
                used = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
                if name in used and not used & (others - {name}):
                    return True
        return False

    def is_derived_from(self, name: str) -> bool:
        """Whether the tests define a class with this one as a base."""
        return any(
            isinstance(node, ast.ClassDef) and any(is_name(base, name) for base in node.bases)
            for node in self.nodes
        )

    def uses_as_class(self, name: str) -> bool:
        """Whether the tests treat this name as a class, not as a function whose values they look at."""
        if name == "Solution":
            return False
        if name.lstrip("_")[:1].isupper() or self.attributes_of(name) - PLAIN_ATTRIBUTES:
            return True
        return self.is_derived_from(name) or any(
            isinstance(node, ast.Call)
            and getattr(node.func, "id", "") in ("isinstance", "issubclass")
            and any(is_name(part, name) for part in ast.walk(node.args[-1]))
            for node in self.nodes
        )


def is_name(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def calls(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Call) and is_name(node.func, name)


def parsed(source: str, name: str, what: str) -> ast.Module:
    try:
        return parse(source, name)
    except BadSource as error:
        raise BadSource(f"{what}: {error}") from None


def compiled(source: str | ast.Module, name: str, what: str) -> types.CodeType:
    tree = parsed(source, name, what) if isinstance(source, str) else source
    return compile(tree, name, "exec", dont_inherit=True)


def take_placeholder_imports(tree: ast.Module) -> set[str]:
    """Remove `from solution import f`; gives the names. Raises BadSource for modules that are not installed."""
    names: set[str] = set()
    kept: list[ast.stmt] = []
    for node in tree.body:
        modules = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [node.module or ""] if not node.level else []
        missing = [module for module in modules if not is_installed(module.partition(".")[0])]
        if isinstance(node, ast.ImportFrom) and missing and PLACEHOLDER_MODULE.fullmatch(missing[0]):
            names |= {alias.name for alias in node.names if alias.asname is None and alias.name != "*"}
            continue
        if missing:
            raise BadSource(f"the tests import {missing[0]!r}, which is not installed")
        kept.append(node)
    tree.body = kept
    return names


def is_installed(module: str) -> bool:
    if module in sys.stdlib_module_names or module in sys.modules:
        return True
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def with_calls(tree: ast.Module, entry_point: str | None) -> ast.Module:
    """The tests and calls of what they define for a runner only: check(candidate), test functions, test classes."""
    loaded = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    extra: list[str] = []
    never_called = ""
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            bases = [ast.unparse(base) for base in node.bases]
            is_case = any(base.endswith("TestCase") for base in bases)
            if is_case or (node.name not in loaded and node.name.startswith("Test") and holds_checks(node)):
                extra.append(f"__run_test_class__({node.name})")
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name not in loaded:
            call = call_of(node, entry_point)
            extra += [call] if call else []
            is_fixture = any("fixture" in ast.dump(mark) for mark in node.decorator_list)
            if not call and holds_checks(node) and not is_fixture:
                never_called = node.name
    if never_called and not extra and not any(map(does_something, tree.body)):
        raise BadSource(f"defines {never_called}(), which checks something, but never calls it")
    tree.body += ast.parse("\n".join(extra)).body
    return ast.fix_missing_locations(tree)


def does_something(node: ast.stmt) -> bool:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return False
    return any(isinstance(part, (ast.Assert, ast.Call)) for part in ast.walk(node))


def call_of(node: ast.FunctionDef | ast.AsyncFunctionDef, entry_point: str | None) -> str:
    """The call of a function of the tests that nothing calls; empty for a mere helper."""
    arguments = node.args
    needs = len(arguments.posonlyargs + arguments.args) - len(arguments.defaults)
    first = (arguments.posonlyargs + arguments.args)[0].arg if needs else ""
    is_check = needs == 1 and not node.decorator_list and (node.name == "check" or first in CHECK_NAMES)
    if is_check and (node.name == "check" or holds_checks(node)):
        if not entry_point:
            raise BadSource(f"defines {node.name}() but never calls it, and no entry point is known")
        return f"{node.name}(candidate)"
    if node.name.startswith("test") or (holds_checks(node) and not node.decorator_list and not needs):
        return f"__run_test__({node.name})"
    return ""


def holds_checks(node: ast.AST) -> bool:
    return any(
        isinstance(part, ast.Assert) or (isinstance(part, ast.Attribute) and part.attr.startswith("assert"))
        for part in ast.walk(node)
    )


def setup_sources(setup: str) -> dict[str, str]:
    """What the answer may use of the setup without defining it: imports, and plain node classes (TreeNode ...).

    They go to the answer's process, so only classes pass whose constants are nothing to be compared with.
    """
    found = {}
    for node in parse(setup, "<setup>").body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            for alias in node.names:
                found[(alias.asname or alias.name).partition(".")[0]] = ast.unparse(node)
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
