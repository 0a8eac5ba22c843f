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


def class_names(kind: type) -> list[str]:
    """Names of a class and its ancestors; a `?` marks those that only share the name of a known exception."""
    names = [ancestor.__name__ for ancestor in kind.__mro__]
    return [
        name if KNOWN_EXCEPTIONS.get(name, ancestor) is ancestor else f"?{name}"
        for name, ancestor in zip(names, kind.__mro__, strict=True)
    ]


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
