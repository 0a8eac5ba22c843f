"""Runs what tests only define: test functions, unittest and pytest classes, parametrised cases.

A test that is defined but never run would pass with any answer.
"""

import asyncio
import inspect
import itertools
import pathlib
import tempfile
import unittest
from typing import Any

from .sources import BadTest


def run_test(function: Any) -> None:
    """Call a test function, once for each set of its parameters."""
    for values in parameter_sets(function):
        opened: list[Any] = []
        fixtures = {
            name: fixture_value(function, name, opened) for name in missing_arguments(function, values)
        }
        outcome = function(**values, **fixtures)
        if inspect.iscoroutine(outcome):
            asyncio.run(outcome)
        for fixture in reversed(opened):
            next(fixture, None)


def missing_arguments(function: Any, values: dict[str, Any]) -> list[str]:
    return [
        name
        for name, parameter in inspect.signature(function).parameters.items()
        if name not in values
        and parameter.default is inspect.Parameter.empty
        and not parameter.kind.name.startswith("VAR")
    ]


def fixture_value(function: Any, name: str, opened: list[Any]) -> Any:
    """What a fixture of the tests, or pytest's `tmp_path`, gives for an argument; raises BadTest for others."""
    if name == "tmp_path":
        return pathlib.Path(tempfile.mkdtemp())
    fixture = getattr(function, "__globals__", {}).get(name)
    define: Any = getattr(fixture, "_get_wrapped_function", None)
    if define is None:
        raise BadTest(f"the test {function.__name__} needs {name!r}, which nothing here gives")
    inner = define()
    value = inner(**{part: fixture_value(inner, part, opened) for part in missing_arguments(inner, {})})
    if not inspect.isgenerator(value):
        return value
    opened.append(value)
    return next(value)


def parameter_sets(function: Any) -> list[dict[str, Any]]:
    """The arguments of each call, from pytest's `parametrize` marks."""
    sets: list[dict[str, Any]] = [{}]
    for mark in getattr(function, "pytestmark", []):
        if mark.name in ("skip", "skipif", "xfail"):
            raise BadTest(f"the test {function.__name__} is marked {mark.name}")
        if mark.name != "parametrize":
            continue
        names = (
            mark.args[0] if not isinstance(mark.args[0], str) else mark.args[0].replace(" ", "").split(",")
        )
        rows = []
        for row in mark.args[1]:
            values = getattr(row, "values", row) if type(row).__name__ == "ParameterSet" else row
            is_single = len(names) == 1 and type(row).__name__ != "ParameterSet"
            rows.append(dict(zip(names, [values] if is_single else values, strict=True)))
        sets = [{**one, **other} for one, other in itertools.product(sets, rows)]
    if not sets:
        raise BadTest(f"the test {function.__name__} has no parameters to run with")
    return sets


def run_test_class(kind: Any) -> None:
    """Run a class of tests: unittest's, or a plain one as pytest takes it."""
    if isinstance(kind, type) and issubclass(kind, unittest.TestCase):
        result = unittest.TestResult()
        unittest.defaultTestLoader.loadTestsFromTestCase(kind).run(result)
        failed = [
            *result.failures,
            *result.errors,
            *((test, "unexpected success") for test in result.unexpectedSuccesses),
        ]
        if failed:
            raise AssertionError(str(failed[0][1]).strip()[-500:])
        if result.testsRun <= len(result.skipped):
            raise BadTest(f"{kind.__name__} has no test to run")
        return
    names = [name for name in vars(kind) if name.startswith("test")]
    if not names:
        raise BadTest(f"{kind.__name__} has no test to run")
    for name in names:
        instance = kind()
        for before in ("setup_method", "setUp", "setup"):
            if hasattr(instance, before):
                getattr(instance, before)(*([None] if _wants_method(instance, before) else []))
                break
        run_test(getattr(instance, name))


def _wants_method(instance: Any, name: str) -> bool:
    return any(
        parameter.default is inspect.Parameter.empty
        for parameter in inspect.signature(getattr(instance, name)).parameters.values()
    )
