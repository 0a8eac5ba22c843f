"""Which types and functions of plain data may go over the channel, and how the less usual ones are written."""

import array
import builtins
import collections
import dataclasses
import datetime
import decimal
import fractions
import json
import math
import operator
import pathlib
import queue
import statistics
import sys
import types
import uuid
from typing import Any

DICT_TYPES: dict[str, type] = {"d": dict, "O": collections.OrderedDict, "C": collections.Counter}
LIST_TYPES: dict[str, type] = {"l": list, "e": set, "b+": bytearray, "q": collections.deque, **DICT_TYPES}
TAG_OF_MUTABLE = {kind: tag for tag, kind in LIST_TYPES.items()} | {collections.defaultdict: "dd"}

# Types and functions that go over by name; nothing here compares equal to what it is not.
NAMED: dict[str, Any] = {
    kind.__name__: kind
    for kind in (bool, int, float, complex, str, bytes, bytearray, list, tuple, set, frozenset, dict, range)
}
NAMED |= {"object": object, "type(None)": type(None), "NotImplemented": NotImplemented, "Ellipsis": Ellipsis}
NAMED |= {
    f"collections.{kind.__name__}": kind
    for kind in (collections.deque, collections.Counter, collections.OrderedDict, collections.defaultdict)
}
NAMED |= {"Fraction": fractions.Fraction, "Decimal": decimal.Decimal}
EXCEPTIONS: dict[str, type[BaseException]] = {
    name: kind
    for name, kind in vars(builtins).items()
    if isinstance(kind, type) and issubclass(kind, BaseException)
}
NAMED |= {name: kind for name, kind in EXCEPTIONS.items() if kind.__name__ == name}
# Functions are sent by name to the answer only: the checker would run what it was sent.
NAMED_FUNCTIONS: dict[str, Any] = {
    function.__name__: function
    for function in (len, abs, min, max, sum, sorted, reversed, repr, hash, any, all, round, divmod, pow, ord)
}
NAMED_FUNCTIONS |= {f"math.{name}": value for name, value in vars(math).items() if callable(value)}
NAMED_FUNCTIONS |= {
    f"operator.{name}": value for name, value in vars(operator).items() if name in operator.__all__
}
NAMED_FUNCTIONS |= {f"str.{name}": value for name, value in vars(str).items() if not name.startswith("_")}

KNOWN_EXCEPTIONS: dict[str, type[BaseException]] = EXCEPTIONS | {
    "JSONDecodeError": json.JSONDecodeError,
    "InvalidOperation": decimal.InvalidOperation,
    "DivisionByZero": decimal.DivisionByZero,
    "Empty": queue.Empty,
    "Full": queue.Full,
    "FrozenInstanceError": dataclasses.FrozenInstanceError,
    "StatisticsError": statistics.StatisticsError,
}


# Packages whose own exceptions are raised again as they are, where the tests have imported them too. None of these
# exceptions means anything to what runs the tests.
EXCEPTION_PACKAGES = {
    "re", "struct", "binascii", "csv", "_csv", "zlib", "sqlite3", "configparser", "argparse", "graphlib", "subprocess",
    "socket", "ssl", "urllib", "http", "xml", "pickle", "_pickle", "zipfile", "tarfile", "shutil", "getopt", "uuid",
    "email", "tomllib", "asyncio", "concurrent", "copy", "zoneinfo", "ipaddress", "numpy",
}  # fmt: skip


# Functions of the library that look into an object, and so are done in the answer's process, where it is.
DONE_THERE = {
    "dataclasses": ("is_dataclass", "fields", "asdict", "astuple", "replace"),
    "inspect": ("signature", "isfunction", "ismethod", "isroutine", "iscoroutinefunction", "isgeneratorfunction",
                "isasyncgenfunction", "isabstract", "getdoc", "getfullargspec", "getmembers"),
    "asyncio": ("iscoroutinefunction",),
    "typing": ("get_type_hints",),
}  # fmt: skip


# Built-ins whose subclasses carry their plain content with them, the more special ones first.
CONTENT_BASES: tuple[type, ...] = (
    int, float, str, bytes, complex, tuple, list, dict, set, frozenset, bytearray, collections.deque,
)  # fmt: skip


def base_content(base: type, value: Any) -> Any:
    """An exact built-in copy of what an instance of a subclass holds, without asking its own methods."""
    if base is int:
        return int.__index__(value)
    if base is float:
        return float.__float__(value)
    if base is str:
        return str.__str__(value)
    if base is bytes:
        return bytes.__getitem__(value, slice(None))
    if base is complex:
        return complex.__pos__(value)
    if base is dict:
        return dict(zip(dict.keys(value), dict.values(value), strict=True))
    return base(base.__iter__(value))  # type: ignore[attr-defined]


def class_names(kind: type) -> list[str]:
    """Names of a class and its ancestors; a `?` marks those that only share the name of a known exception."""
    names = []
    for ancestor in kind.__mro__:
        name = ancestor.__name__[:200]
        package = str(ancestor.__module__).partition(".")[0]
        if name in KNOWN_EXCEPTIONS:
            names.append(name if KNOWN_EXCEPTIONS[name] is ancestor else f"?{name}")
        elif package in EXCEPTION_PACKAGES and issubclass(ancestor, BaseException):
            names.append(f"{ancestor.__module__}:{name}")
        else:
            names.append(name)
    return names


def exception_class(name: str) -> type[Exception] | None:
    """The exception class of that name from `class_names`, where it is one that a test may catch."""
    found: Any = KNOWN_EXCEPTIONS.get(name)
    module, colon, attribute = name.partition(":")
    if colon and module.partition(".")[0] in EXCEPTION_PACKAGES:
        found = getattr(sys.modules.get(module), attribute, None)
    return found if isinstance(found, type) and issubclass(found, Exception) else None


NAME_OF = {id(value): name for name, value in NAMED.items()}
VIEW_NAMES = {type({}.keys()): "keys", type({}.values()): "values", type({}.items()): "items"}


def encode_rare(kind: type, value: Any) -> list[Any] | None:
    """Less usual exact types of plain data; None for what is none."""
    if kind is bytes:
        return ["b", value.hex()]
    if kind is complex:
        return ["c", value.real.hex(), value.imag.hex()]
    if kind is range:
        return ["R", hex(value.start), hex(value.stop), hex(value.step)]
    if kind is fractions.Fraction:
        return ["F", hex(value.numerator), hex(value.denominator)]
    if kind is decimal.Decimal:
        return ["D", str(value)]
    if id(value) in NAME_OF and NAMED[NAME_OF[id(value)]] is value:
        return ["n", NAME_OF[id(value)]]
    if kind in (datetime.date, datetime.time, datetime.datetime):
        if kind is datetime.date or value.tzinfo is None or type(value.tzinfo) is datetime.timezone:
            return ["T", kind.__name__, value.isoformat()]
        return None
    if kind is datetime.timedelta:
        return ["T", "timedelta", value.days, value.seconds, value.microseconds]
    if kind is uuid.UUID:
        return ["U", value.hex]
    if kind in (pathlib.PosixPath, pathlib.PurePosixPath):
        return ["P", kind.__name__, str(value)]
    if kind is array.array and value.typecode not in "uO":
        return ["a", value.typecode, value.tobytes().hex()]
    return None


def view_of(name: str, items: list[Any]) -> Any:
    """A dictionary view that holds these items."""
    if name == "keys":
        return dict.fromkeys(items).keys()
    return dict(items).items() if name == "items" else dict(enumerate(items)).values()


def _time_of(name: str, *parts: Any) -> Any:
    if name == "timedelta":
        return datetime.timedelta(*parts)
    kinds = {"date": datetime.date, "time": datetime.time, "datetime": datetime.datetime}
    return kinds[name].fromisoformat(*parts)  # type: ignore[attr-defined]


def _path_of(name: str, text: str) -> Any:
    return {"PosixPath": pathlib.PosixPath, "PurePosixPath": pathlib.PurePosixPath}[name](text)


def _array_of(typecode: str, data: str) -> Any:
    values = array.array(typecode)
    values.frombytes(bytes.fromhex(data))
    return values


def is_array(value: Any) -> bool:
    """Whether this is exactly a NumPy array whose items are numbers, times or texts."""
    kind = type(value)
    return kind.__module__ == "numpy" and kind.__name__ == "ndarray" and value.dtype.kind in ARRAY_KINDS


def array_state(value: Any) -> list[Any]:
    """A NumPy array as [tag, type of the items, shape, bytes]."""
    return ["np", value.dtype.str, list(value.shape), value.tobytes().hex()]


def array_of(name: str, shape: list[int], data: str) -> Any:
    """The NumPy array of `array_state`."""
    import numpy

    kind = numpy.dtype(name)
    if kind.kind not in ARRAY_KINDS or kind.hasobject:
        raise ValueError("items of another kind")
    return numpy.frombuffer(bytes.fromhex(data), kind).reshape([int(size) for size in shape]).copy()


def is_table(value: Any) -> bool:
    """Whether this is exactly a pandas table or series."""
    kind = type(value)
    return kind.__module__.partition(".")[0] == "pandas" and kind.__name__ in ("DataFrame", "Series")


def table_parts(value: Any) -> tuple[Any, ...]:
    """A pandas table or series as plain data: its labels, and each column's name of type and values."""
    columns = (
        [value] if type(value).__name__ == "Series" else [value.iloc[:, n] for n in range(value.shape[1])]
    )
    return (
        type(value).__name__,
        type(value.index).__name__ == "RangeIndex",
        value.index.tolist(),
        [(column.name, str(column.dtype), column.tolist()) for column in columns],
    )


def table_of(kind: str, is_range: bool, index: list[Any], columns: list[tuple[Any, str, list[Any]]]) -> Any:
    """The pandas table or series of `table_parts`."""
    import pandas

    labels = pandas.RangeIndex(len(index)) if is_range and index == list(range(len(index))) else index
    series = [pandas.Series(values, labels, dtype, name) for name, dtype, values in columns]
    if kind == "Series":
        return series[0]
    table = pandas.concat(series, axis=1) if series else pandas.DataFrame(index=labels)
    table.columns = pandas.Index([column.name for column in series])
    return table


ARRAY_KINDS = set("biufcSUmM")
RARE: dict[str, Any] = {
    "b": bytes.fromhex,
    "c": lambda real, imaginary: complex(float.fromhex(real), float.fromhex(imaginary)),
    "R": lambda start, stop, step: range(int(start, 16), int(stop, 16), int(step, 16)),
    "F": lambda top, bottom: fractions.Fraction(int(top, 16), int(bottom, 16)),
    "D": lambda text: decimal.Decimal(text),
    "T": _time_of,
    "U": lambda text: uuid.UUID(hex=text),
    "P": _path_of,
    "a": _array_of,
}

FUNCTION_NAME_OF = {
    id(function): name
    for name, function in NAMED_FUNCTIONS.items()
    if isinstance(function, types.BuiltinFunctionType)
} | {
    id(function): name for name, function in NAMED_FUNCTIONS.items() if name.startswith(("str.", "operator."))
}
