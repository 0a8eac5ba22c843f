"""Values and messages between the answer's process and the checker's: tagged JSON, never pickle, never eval.

Both processes use this module, but only the checker's copy is trusted: `Decoder` builds exact built-in types
from whitelisted tags and refuses everything else, so whatever a hostile answer sends is plain data.

Every message begins with the new state of those mutable containers that changed since the last one (tracked.py).
"""

import collections
import json
import socket
import struct
from typing import Any

from .plain_types import (
    EXCEPTIONS,
    LIST_TYPES,
    NAMED,
    RARE,
    TAG_OF_MUTABLE,
    VIEW_NAMES,
    array_of,
    array_state,
    encode_rare,
    is_array,
    view_of,
)
from .tracked import Tracked

MAX_MESSAGE = 8 << 20
MAX_DEPTH = 100


class ProtocolError(Exception):
    """The other side sent something that is not a message."""


class ChannelLost(Exception):
    """The other side is gone."""


class Unsendable(Exception):
    """A value is too large or too deep to be sent."""


class Channel:
    """Length-prefixed JSON messages over one end of a socket pair."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock

    def send(self, message: Any) -> None:
        """Send one message; raises Unsendable (nothing sent) or ChannelLost."""
        try:
            data = json.dumps(message, separators=(",", ":"), allow_nan=False).encode("ascii")
        except (RecursionError, ValueError, MemoryError) as error:
            raise Unsendable(f"value cannot be sent: {error}") from None
        if len(data) > MAX_MESSAGE:
            raise Unsendable(f"value of {len(data)} bytes is too large to be sent (limit {MAX_MESSAGE})")
        try:
            self.sock.sendall(struct.pack(">I", len(data)) + data)
        except OSError as error:
            raise ChannelLost(str(error)) from None

    def receive(self) -> list[Any]:
        """The next message, a list; raises ProtocolError or ChannelLost."""
        (size,) = struct.unpack(">I", self._exactly(4))
        if size > MAX_MESSAGE:
            raise ProtocolError(f"a message of {size} bytes")
        data = self._exactly(size)
        try:
            message = json.loads(data, parse_constant=_no_constants)
        except (ValueError, RecursionError, MemoryError) as error:
            raise ProtocolError(f"not a message: {type(error).__name__}") from None
        if type(message) is not list or not message or type(message[0]) is not str:
            raise ProtocolError("not a message: no list")
        return message

    def _exactly(self, size: int) -> bytes:
        parts = []
        while size:
            try:
                part = self.sock.recv(min(size, 1 << 20))
            except OSError as error:
                raise ChannelLost(str(error)) from None
            if not part:
                raise ChannelLost("end of file")
            parts.append(part)
            size -= len(part)
        return b"".join(parts)


def _no_constants(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


class Encoder:
    """Makes tagged JSON of values; what is no plain data goes to `handle`, which each side defines."""

    def __init__(self, tracked: Tracked) -> None:
        self.tracked = tracked
        self.changed: list[int] = []

    def handle(self, value: Any, depth: int) -> list[Any]:
        raise NotImplementedError

    def message(self, kind: str, *values: Any) -> list[Any]:
        """A whole message: kind, states of tracked containers that changed, values."""
        self.tracked.unsent = []
        self.changed = self.tracked.changed()
        try:
            updates = [[number, self.state(self.tracked.objects[number], 0)] for number in self.changed]
            encoded = [self.encode(value, 0) for value in values]
        except Unsendable:
            self.forget_message()
            raise
        for number in self.changed:
            self.tracked.take_snapshot(number)
        return [kind, updates, *encoded]

    def forget_message(self) -> None:
        """The message just made was not sent: numbers it gave out are unknown there, states are old there."""
        for number in self.changed:
            self.tracked.snapshots[number] = (object(),)
        self.tracked.drop(self.tracked.unsent)

    def encode(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if kind is str or kind is bool or value is None:
            return value
        if kind is int:
            return value if -(1 << 53) < value < 1 << 53 else ["i", hex(value)]
        if kind is float:
            return ["f", value.hex()]
        if depth > MAX_DEPTH:
            raise Unsendable("value is nested too deeply")
        if kind in TAG_OF_MUTABLE or is_array(value):
            number = self.tracked.number_of.get(id(value))
            if number is not None:
                return ["r", number]
            number = self.tracked.add(value)
            encoded = ["m", number, self.state(value, depth)]
            self.tracked.take_snapshot(number)
            return encoded
        if kind is tuple:
            return ["t", [self.encode(item, depth + 1) for item in value]]
        if kind is slice:
            return ["s", [self.encode(part, depth + 1) for part in (value.start, value.stop, value.step)]]
        if kind is frozenset:
            return ["z", [self.encode(item, depth + 1) for item in value]]
        if kind in VIEW_NAMES:
            return ["v", VIEW_NAMES[kind], [self.encode(item, depth + 1) for item in value]]
        if kind.__module__ == "builtins" and isinstance(value, Exception):
            return ["x", kind.__name__, [self.encode(item, depth + 1) for item in value.args]]
        plain = encode_rare(kind, value)
        if plain is not None:
            return plain
        return self.handle(value, depth)

    def state(self, value: Any, depth: int) -> list[Any]:
        """Tag and contents of a mutable container."""
        kind = type(value)
        if is_array(value):
            return array_state(value)
        tag = TAG_OF_MUTABLE[kind]
        if kind is bytearray:
            return [tag, bytes(value).hex()]
        if isinstance(value, dict):
            pairs = [[self.encode(k, depth + 1), self.encode(v, depth + 1)] for k, v in value.items()]
            if tag == "dd":
                return [tag, pairs, self.encode(getattr(value, "default_factory", None), depth + 1)]
            return [tag, pairs]
        items = [self.encode(item, depth + 1) for item in value]
        return [tag, items, value.maxlen] if kind is collections.deque else [tag, items]


class Decoder:
    """Builds values from tagged JSON. `special` decodes the tags of handles, which each side defines."""

    def __init__(self, tracked: Tracked, functions: dict[str, Any]) -> None:
        self.tracked = tracked
        self.functions = functions

    def special(self, tag: str, data: list[Any]) -> Any:
        raise ProtocolError(f"unknown tag {tag[:20]!r}")

    def message(self, message: list[Any]) -> list[Any]:
        """The values of a message, after the states in front of them were taken over."""
        try:
            updates = message[1]
            touched = []
            for number, state in updates:
                self.update(self.tracked.objects[number], state)
                touched.append(number)
            values = [self.decode(value) for value in message[2:]]
            for number in touched:
                self.tracked.take_snapshot(number)
            return values
        except (ProtocolError, ChannelLost):
            raise
        except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError, RecursionError) as error:
            raise ProtocolError(f"malformed value: {type(error).__name__}: {error}") from None

    def decode(self, data: Any) -> Any:
        if type(data) is not list:
            return data  # str, int, bool, None; JSON floats and objects are never sent
        tag = data[0]
        if tag == "r":
            return self.tracked.objects[data[1]]
        if tag == "m":
            return self.new_container(data[1], data[2])
        if tag == "t":
            return tuple([self.decode(item) for item in data[1]])
        if tag == "s":
            start, stop, step = [self.decode(part) for part in data[1]]
            return slice(start, stop, step)
        if tag == "z":
            return frozenset([self.decode(item) for item in data[1]])
        if tag == "i":
            return int(data[1], 16)
        if tag == "f":
            return float.fromhex(data[1])
        if tag == "n":
            found = NAMED.get(data[1], self.functions.get(data[1]))
            if found is None:
                raise ProtocolError("unknown name")
            return found
        if tag == "v":
            return view_of(data[1], [self.decode(item) for item in data[2]])
        if tag == "x":
            kind = EXCEPTIONS[data[1]]
            if not issubclass(kind, Exception):
                raise ProtocolError("not a plain exception")
            return kind(*[self.decode(item) for item in data[2]])
        if tag in RARE:
            return RARE[tag](*data[1:])
        if type(tag) is not str:
            raise ProtocolError("a value without a tag")
        return self.special(tag, data)

    def new_container(self, number: int, state: list[Any]) -> Any:
        if type(number) is not int or number in self.tracked.objects:
            raise ProtocolError("a container was numbered twice")
        tag = state[0]
        if tag == "q":
            value: Any = collections.deque(maxlen=state[2])
        elif tag == "np":
            value = array_of(*state[1:])
            self.tracked.add(value, number)
            self.tracked.take_snapshot(number)
            return value
        elif tag == "dd":
            value = collections.defaultdict()
        else:
            value = LIST_TYPES[tag]()
        self.tracked.add(value, number)
        self.update(value, state)
        self.tracked.take_snapshot(number)
        return value

    def update(self, value: Any, state: list[Any]) -> None:
        """Give a container that this side holds the contents that the other side gave it."""
        tag, contents = state[0], state[1]
        kind = type(value)
        if is_array(value) and tag == "np":
            value[...] = array_of(*state[1:])
            return
        if TAG_OF_MUTABLE.get(kind) != tag:
            raise ProtocolError("a container changed its type")
        if kind is bytearray:
            value[:] = bytes.fromhex(contents)
        elif isinstance(value, dict):
            pairs = [(self.decode(k), self.decode(v)) for k, v in contents]
            value.clear()
            for key, item in pairs:
                value[key] = item
            if tag == "dd":
                factory = self.decode(state[2])
                value.default_factory = factory  # type: ignore[attr-defined]
        elif kind is list:
            value[:] = [self.decode(item) for item in contents]
        else:
            items = [self.decode(item) for item in contents]
            value.clear()
            (value.extend if kind is collections.deque else value.update)(items)
