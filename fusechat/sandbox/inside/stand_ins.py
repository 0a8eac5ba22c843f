"""Stand-ins in the answer's process for objects that the tests handed over: everything is asked of the checker.

Functions get a stub with the same signature and classes a class of the same name, so that decorators, `inspect` and
`except` work as usual. No value of the tests comes along: not their constants, not their default arguments.
"""

import builtins
import types
from typing import Any


class TestObject:
    """Stands in the answer's process for an object of the tests; everything is done over there."""

    __test__ = False

    def __init__(self, player: Any, number: int) -> None:
        object.__setattr__(self, "_player", player)
        object.__setattr__(self, "_number", number)

    def __getattr__(self, name: str) -> Any:
        return self._player.ask("getattr", self._number, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._player.ask("setattr", self._number, name, value)


class TestClass(type):
    """Metaclass of the stand-ins for classes of the tests."""

    __test__ = False
    _player: Any
    _number: int

    def __call__(cls, /, *args: Any, **kwargs: Any) -> Any:
        return cls._player.ask("__call__", cls._number, args, tuple(kwargs.items()))

    def __instancecheck__(cls, value: Any) -> bool:
        known = number_of(value)
        return known is not None and cls._player.ask("isinstance", cls._number, value) is True

    def __getattr__(cls, name: str) -> Any:
        return cls._player.ask("getattr", cls._number, name)

    def __setattr__(cls, name: str, value: Any) -> None:
        cls._player.ask("setattr", cls._number, name, value)


class LeftOut:
    """Stands for the default value of an argument, which the answer does not get to know."""

    __test__ = False

    def __repr__(self) -> str:
        return "..."


LEFT_OUT = LeftOut()
OBJECT_CLASSES: dict[tuple[str, ...], type] = {}
STAND_INS: dict[int, Any] = {}
NUMBERS: dict[int, int] = {}  # id of a stand-in -> number of the object


def _forward(operation: str) -> Any:
    def method(self: TestObject, /, *args: Any, **kwargs: Any) -> Any:
        if operation == "__call__":
            return self._player.ask("__call__", self._number, args, tuple(kwargs.items()))
        return self._player.ask(operation, self._number, *args)

    return method


def number_of(value: Any) -> int | None:
    """The number of the tests' object that this stands for; None if it stands for none."""
    return NUMBERS.get(id(value))


def stand_in(player: Any, number: int, specials: list[str], facts: list[Any] | None) -> Any:
    """The stand-in for a numbered object of the tests, with the special methods that the object has."""
    if number not in STAND_INS:
        made: Any
        if facts is None:
            made = object_stand_in(player, number, specials)
        elif facts[0] == "class":
            made = class_stand_in(player, number, *facts[1:])
        else:
            made = function_stand_in(player, number, *facts[1:])
        STAND_INS[number] = made
        NUMBERS[id(made)] = number
    return STAND_INS[number]


def object_stand_in(player: Any, number: int, specials: list[str]) -> TestObject:
    key = tuple(specials)
    if key not in OBJECT_CLASSES:
        OBJECT_CLASSES[key] = type("TestObject", (TestObject,), {name: _forward(name) for name in key})
    made: TestObject = OBJECT_CLASSES[key](player, number)
    return made


def class_stand_in(player: Any, number: int, name: str, base: str | None, text: str | None) -> type:
    """A class of the tests: an exception becomes a real exception class, to be raised and caught here."""
    if base is not None:
        return type(name, (getattr(builtins, base, Exception),), {"__module__": "__main__", "__doc__": text})
    namespace = {"_player": player, "_number": number, "__module__": "__main__", "__doc__": text}
    return TestClass(name, (), namespace)


def function_stand_in(
    player: Any, number: int, name: str, text: str | None, parameters: list[list[Any]],
    is_async: bool, annotations: dict[str, Any],
) -> Any:  # fmt: skip
    """A function that takes the same arguments; `parameters` are [name, kind, whether it has a default]."""
    shown, filled, rest, named = [], [], "()", []
    for position, (word, kind, has_default) in enumerate(parameters):
        default = "=LEFT_OUT" if has_default else ""
        shown.append({"var_positional": f"*{word}", "var_keyword": f"**{word}"}.get(kind, word + default))
        if kind == "keyword_only" and not any(part.startswith("*") for part in shown[:-1]):
            shown.insert(-1, "*")
        if kind == "positional_only" and [part[1] for part in parameters[position + 1 :][:1]] != [kind]:
            shown.append("/")
        if kind == "var_positional":
            rest = word
        elif kind == "var_keyword":
            named.append(f"**{word}")
        elif kind == "keyword_only":
            named.append(f"{word!r}: {word}")
        else:
            filled.append(f"({word!r}, {kind == 'positional_only'}, {word})")
    source = (
        f"{'async ' if is_async else ''}def stub({', '.join(shown)}):\n"
        f"    return CALL([{', '.join(filled)}], {rest}, {{{', '.join(named)}}})\n"
    )

    def call(given: list[tuple[str, bool, Any]], rest: tuple[Any, ...], named: dict[str, Any]) -> Any:
        keywords = {word: value for word, value in named.items() if value is not LEFT_OUT}
        args: list[Any] = []
        for position, (word, positional_only, value) in enumerate(given):
            if value is LEFT_OUT:
                continue
            if len(args) < position and not positional_only:
                keywords[word] = value  # an argument before it was left out
            else:
                args.append(value)
        return player.ask("__call__", number, (*args, *rest), tuple(keywords.items()))

    namespace: dict[str, Any] = {"CALL": call, "LEFT_OUT": LEFT_OUT}
    exec(compile(source, "<tests>", "exec", dont_inherit=True), namespace)
    made: types.FunctionType = namespace["stub"]
    made.__name__ = made.__qualname__ = name
    made.__doc__, made.__module__, made.__annotations__ = text, "__main__", annotations
    return made
