"""The namespace that tests run in: what of the answer's it shows, and what it never lets the answer replace."""

import builtins
import importlib
import sys
import types
from typing import Any

from .mirrors import RemoteMeta, above
from .remote import Remote
from .sources import prelude_names
from .suite import Suite

# Tools that tests measure with. An answer's own of that name counts only where the tests test it directly.
MEASURES = {
    "Counter", "OrderedDict", "ChainMap", "defaultdict", "deque", "namedtuple", "sqrt", "ceil", "floor", "factorial",
    "comb", "isqrt", "gcd", "lcm", "pi", "inf", "log2", "reduce", "permutations", "combinations", "isclose", "fabs",
}  # fmt: skip
# Names under which everybody imports a package; the answer's object of that name is not asked.
PACKAGES = {
    "np": "numpy",
    "numpy": "numpy",
    "pd": "pandas",
    "pandas": "pandas",
    "pytest": "pytest",
    "scipy": "scipy",
}
# Modules whose functions mean the same here and there, where the answer imported them under their own names.
PURE_MODULES = {"math", "cmath", "operator", "collections", "itertools", "functools", "heapq", "bisect", "string", "fractions",
                "decimal", "datetime", "typing", "copy", "json", "statistics", "dataclasses", "enum", "abc"}  # fmt: skip


def names_to_ask_for(suite: Suite) -> set[str]:
    """The names that the answer's process shall hand over; built-in ones only where there is nothing else to test."""
    needed = suite.needed()
    tools = {name for name, value in prelude_names().items() if isinstance(value, types.ModuleType)} | set(
        PACKAGES
    )
    if any(name not in tools or suite.is_called(name) for name in needed):
        return needed
    return needed | {name for name in suite.read_names() if suite.is_called(name)}


def call_runner(name: str) -> Any:
    """A function of `test_runners`, which is imported only where tests need it: it takes a while."""
    return lambda value: getattr(importlib.import_module(f"{__package__}.test_runners"), name)(value)


class NewSolution:
    """A method of the answer's class `Solution`, called each time on a new object as the contest sites do."""

    def __init__(self, kind: Any, method: str) -> None:
        self.kind, self.method = kind, method

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return getattr(self.kind(), self.method)(*args, **kwargs)


class Namespace:
    """The global variables of the tests; `values` is the dictionary they run in."""

    def __init__(self, remote: Remote, suite: Suite, facts: dict[str, Any]) -> None:
        self.remote, self.suite, self.facts = remote, suite, facts
        module = types.ModuleType("__main__")
        sys.modules["__main__"] = module
        self.values: dict[str, Any] = vars(module)
        self.values |= {
            "__builtins__": builtins, "__file__": "tests.py", "__run_test__": call_runner("run_test"), "__run_test_class__": call_runner("run_test_class"),
        }  # fmt: skip
        self.prelude = prelude_names() if facts["prelude"] else {}
        self.entry_point: str | None = suite.entry_point
        self.bound: set[str] = set()

    def bind(self, names: dict[str, Any]) -> None:
        """Show the answer's names: `names` are those that its process handed over."""
        imports = self.imported_names()
        self.values |= imports | self.prelude
        others = {name for name in names if not hasattr(builtins, name) and name not in self.prelude}
        for name, value in names.items():
            if self.belongs_to_answer(name, imports, others | {"Solution"}):
                self.values[name] = value
                self.bound.add(name)
                if isinstance(value, RemoteMeta) and self.suite.uses_as_class(name):
                    self.remote.declared.add(value)
        if any(self.suite.is_derived_from(name) for name in self.bound):
            self.values["super"] = above
        self.bind_packages()
        self.bind_methods(names)
        self.remote.on_names = self.take_new_values

    def take_new_values(self, names: dict[str, Any]) -> None:
        """Global variables of the answer that got another value in a call."""
        self.values |= {name: value for name, value in names.items() if name in self.bound}

    def belongs_to_answer(self, name: str, imports: dict[str, Any], others: set[str]) -> bool:
        """Whether the tests mean the answer's object by this name."""
        if name == (self.entry_point or "").partition(".")[0]:
            return True
        if hasattr(builtins, name):
            return self.suite.tests_directly(name, others)  # asked for only where nothing else is tested
        if name in imports:
            return False
        if isinstance(self.prelude.get(name), types.ModuleType):
            return self.suite.is_called(name)
        if name in MEASURES and others - {name, "Solution"}:
            own = self.suite.attributes_of(name) - set(dir(self.prelude.get(name)))
            return bool(own) or self.suite.tests_directly(name, others)
        return True

    def imported_names(self) -> dict[str, Any]:
        """What the answer imported at its top level and the tests use without importing it themselves."""
        found: dict[str, Any] = {}
        defined = set(self.facts["defined"])
        for name, module, attribute in self.facts["imports"]:
            if hasattr(builtins, name) or name in defined or name not in self.suite.needed():
                continue
            is_module = not attribute
            if not is_module and (name != attribute or module not in PURE_MODULES):
                continue
            try:
                imported = importlib.import_module(module)
                if is_module:
                    found[name] = imported if attribute is None else sys.modules[module.partition(".")[0]]
                else:
                    found[name] = getattr(imported, attribute)
            except (ImportError, AttributeError):
                continue
        return found

    def bind_packages(self) -> None:
        for name in self.suite.needed() & set(PACKAGES):
            if self.suite.is_called(name):
                continue
            try:
                self.values[name] = importlib.import_module(PACKAGES[name])
            except ImportError:
                continue

    def bind_methods(self, names: dict[str, Any]) -> None:
        """Methods of the class `Solution` under their bare names, and the entry point as `candidate`."""
        entry_point, solution = self.entry_point, names.get("Solution")
        if solution is not None:
            for name in self.suite.needed() - set(self.values):
                if hasattr(solution, name):
                    self.values[name] = NewSolution(solution, name)
        if entry_point:
            holder, _, method = entry_point.rpartition(".")
            if holder and holder in self.values:
                self.values["candidate"] = NewSolution(self.values[holder], method)
            elif entry_point in self.values:
                self.values["candidate"] = self.values[entry_point]
