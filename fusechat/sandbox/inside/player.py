"""The answer's process: loads the answer's code, then serves calls on what it defined.

Nothing here is trusted once the code has run. The process holds one end of a socket pair and its own output
pipe; tests, expected values and verdicts are never in its memory.
"""

import builtins
import copy
import socket
import sys
import threading
from typing import Any

from .describing import CONTENT_BASES, PlayerDecoder, PlayerEncoder, base_content
from .plain_types import class_names
from .wire import Channel, ChannelLost, ProtocolError, Tracked, Unsendable


class Player:
    """Keeps what was handed out by number and does what the checker asks for."""

    def __init__(self, sock: socket.socket) -> None:
        self.channel = Channel(sock)
        self.tracked = Tracked(1)
        self.objects: dict[int, Any] = {}
        self.number_of: dict[int, int] = {}
        self.classes_sent: set[int] = set()
        self.encoder = PlayerEncoder(self)
        self.decoder = PlayerDecoder(self)
        self.loop: Any = None
        self.lock = threading.RLock()  # callbacks may come from several threads of the answer

    def number(self, value: Any) -> int:
        found = self.number_of.get(id(value))
        if found is None:
            found = len(self.objects) + 1
            self.objects[found] = value
            self.number_of[id(value)] = found
        return found

    def serve(self) -> None:
        """Answer requests until the checker hangs up."""
        while True:
            self.answer(self.channel.receive())

    def answer(self, message: list[Any]) -> None:
        kind, *values = message[0], *self.decoder.message(message)
        if kind != "do":
            raise ProtocolError("not a request")
        dropped, operation, target, args, kwargs = values
        self.tracked.drop(list(dropped))
        try:
            outcome = ("value", OPERATIONS[operation](self, target, *args, **dict(kwargs)))
        except ChannelLost:
            raise
        except BaseException as error:
            outcome = ("raised", error)
        self.reply(*outcome)

    def reply(self, kind: str, value: Any) -> None:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        except Exception:
            pass  # the answer closed or replaced them
        try:
            if kind == "raised":
                message = self.encoder.message(kind, *self.describe_error(value))
            else:
                message = self.encoder.message(kind, value)
            self.channel.send(message)
        except Unsendable as error:
            self.encoder.forget_message()
            self.channel.send(["unsendable", [], str(error)])

    def describe_error(self, error: BaseException) -> tuple[Any, ...]:
        """Names of the classes, text, plain arguments, and the object itself where the answer defined its class."""
        names = class_names(type(error))
        try:
            text = str(error)[:2000]
        except BaseException:
            text = ""
        try:
            args = tuple(value for value in error.args if type(value) in (str, int, float, bool, type(None)))
            args = args if len(args) == len(error.args) and len(repr(args)) < 4000 else (text,)
        except BaseException:
            args = (text,)
        own = type(error).__module__ not in sys.stdlib_module_names
        return names, text, args, error if own and isinstance(error, Exception) else None

    def ask(self, operation: str, target: int, *args: Any) -> Any:
        """A callback: let the checker do something with an object of the tests."""
        with self.lock:
            try:
                self.channel.send(self.encoder.message("ask", operation, target, args))
            except Unsendable as error:
                self.encoder.forget_message()
                raise ValueError(str(error)) from None
            return self.callback_outcome()

    def callback_outcome(self) -> Any:
        while True:
            message = self.channel.receive()
            if message[0] == "do":
                self.answer(message)
                continue
            values = self.decoder.message(message)
            if message[0] == "value":
                return values[0]
            name, text, error_args = values
            kind = getattr(builtins, name, Exception)
            if isinstance(kind, type) and issubclass(kind, BaseException):
                try:
                    raise kind(*error_args)
                except TypeError:
                    raise kind(text) from None
            raise Exception(text)

    def run_awaitable(self, value: Any) -> Any:
        import asyncio

        async def waiting() -> Any:
            return await value

        if self.loop is None:
            self.loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self.loop)
        return self.loop.run_until_complete(waiting())


def _call(self: Player, target: Any, /, *args: Any, **kwargs: Any) -> Any:
    return target(*args, **kwargs)


def _special(self: Player, target: Any, name: str, /, *args: Any, **kwargs: Any) -> Any:
    """A special method, looked up on the class as Python does."""
    return getattr(type(target), name)(target, *args, **kwargs)


def _truth(self: Player, target: Any) -> bool:
    return bool(target)


def _iter(self: Player, target: Any) -> Any:
    return iter(target)


def _next(self: Player, target: Any) -> Any:
    """Whether the iterator ended, and its next item or the value it ended with."""
    try:
        return False, next(target)
    except StopIteration as stop:
        return True, stop.value


def _send(self: Player, target: Any, value: Any) -> Any:
    try:
        return False, target.send(value)
    except StopIteration as stop:
        return True, stop.value


def _throw(self: Player, target: Any, name: str, text: str) -> Any:
    kind = getattr(builtins, name, Exception)
    try:
        return False, target.throw(kind(text) if text else kind())
    except StopIteration as stop:
        return True, stop.value


OPERATIONS: dict[str, Any] = {
    "call": _call,
    "copy": lambda self, target: copy.copy(target),
    "deepcopy": lambda self, target: copy.deepcopy(target),
    "getattr": lambda self, target, name: getattr(target, name),
    "setattr": lambda self, target, name, value: setattr(target, name, value),
    "delattr": lambda self, target, name: delattr(target, name),
    "special": _special,
    "truth": _truth,
    "iter": _iter,
    "next": _next,
    "send": _send,
    "throw": _throw,
    "close": lambda self, target: target.close(),
    "eq": lambda self, target, other: bool(target == other),
    "ne": lambda self, target, other: bool(target != other),
    "hash": lambda self, target: hash(target),
    "str": lambda self, target: str(target),
    "repr": lambda self, target: repr(target),
    "format": lambda self, target, spec: format(target, spec),
    "len": lambda self, target: len(target),
    "isinstance": lambda self, target, kind: isinstance(target, kind),
    "await": lambda self, target: self.run_awaitable(target),
    "content": lambda self, target: base_content(
        next(b for b in CONTENT_BASES if isinstance(target, b)), target
    ),
}
