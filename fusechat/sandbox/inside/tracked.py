"""Mutable containers keep their identity: each side numbers those it has sent or got, and notices what changed in them.

So in-place work is seen on the other side: every message begins with the new state of the containers that changed.
"""

import operator
import sys
from typing import Any

from .plain_types import TAG_OF_MUTABLE, is_array

MAX_TRACKED_ITEMS = 20_000
# References to a container that is in such a table and nowhere else, counted in the same way as below.
_table: dict[int, list[Any]] = {0: []}
ONLY_TRACKED = max([sys.getrefcount(value) for _, value in _table.items()])


class Tracked:
    """The numbered mutable containers of one side, each with a shallow snapshot of what the other side knows."""

    def __init__(self, first_number: int) -> None:
        self.next_number = first_number  # the two sides count in odd and even numbers
        self.objects: dict[int, Any] = {}
        self.number_of: dict[int, int] = {}
        self.snapshots: dict[int, tuple[Any, ...]] = {}
        self.unsent: list[int] = []  # numbers given out for the message in the making

    def add(self, value: Any, number: int | None = None) -> int:
        if number is None:
            number = self.next_number
            self.next_number += 2
            self.unsent.append(number)
        self.objects[number] = value
        self.number_of[id(value)] = number
        return number

    def take_snapshot(self, number: int) -> None:
        self.snapshots[number] = children(self.objects[number])

    def changed(self) -> list[int]:
        found = []
        for number, value in self.objects.items():
            now = value if type(value) is list else children(value)
            before = self.snapshots.get(number, ())
            same = operator.is_ if type(value) in TAG_OF_MUTABLE else operator.eq  # arrays hold no objects
            if len(now) != len(before) or not all(map(same, now, before)):
                found.append(number)
        return found

    def unreferenced(self) -> list[int]:
        """Numbers of containers that nothing on this side holds any more."""
        return [number for number, value in self.objects.items() if sys.getrefcount(value) <= ONLY_TRACKED]

    def drop(self, numbers: list[int]) -> None:
        for number in numbers:
            value = self.objects.pop(number, None)
            self.snapshots.pop(number, None)
            if value is not None:
                self.number_of.pop(id(value), None)

    def surplus(self) -> list[int]:
        """The oldest numbers beyond the budget of items, so that comparing snapshots stays cheap."""
        room, keep = MAX_TRACKED_ITEMS, 0
        for number in reversed(self.objects):
            room -= len(self.snapshots.get(number, ())) + 1
            if room < 0:
                break
            keep += 1
        return list(self.objects)[: len(self.objects) - keep]


def children(value: Any) -> tuple[Any, ...]:
    """What a mutable container holds, flat."""
    if isinstance(value, dict):
        return (*value.keys(), *value.values())
    if is_array(value):
        return value.shape, value.tobytes()
    return tuple(value)
