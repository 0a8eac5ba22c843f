"""Stand-ins in the answer's process for objects that the tests handed over: everything is asked of the checker."""

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


def _forward(operation: str) -> Any:
    def method(self: TestObject, /, *args: Any, **kwargs: Any) -> Any:
        if operation == "__call__":
            return self._player.ask("__call__", self._number, args, kwargs)
        return self._player.ask(operation, self._number, *args)

    return method


TEST_OBJECT_CLASSES: dict[tuple[str, ...], type] = {}
TEST_OBJECTS: dict[int, TestObject] = {}


def test_object(player: Any, number: int, specials: list[str], name: str | None) -> TestObject:
    """The stand-in for a numbered object of the tests, with the special methods that the object has."""
    if number not in TEST_OBJECTS:
        key = tuple(specials)
        if key not in TEST_OBJECT_CLASSES:
            TEST_OBJECT_CLASSES[key] = type(
                "TestObject", (TestObject,), {name: _forward(name) for name in key}
            )
        TEST_OBJECTS[number] = TEST_OBJECT_CLASSES[key](player, number)
        if name is not None:
            object.__setattr__(TEST_OBJECTS[number], "__name__", name)
    return TEST_OBJECTS[number]


test_object.__test__ = False  # type: ignore[attr-defined]
