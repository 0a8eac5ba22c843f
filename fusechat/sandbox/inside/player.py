"""The answer's process: loads the answer's code, then serves calls on what it defined.

Nothing here is trusted once the code has run. The process holds one end of a socket pair and its own output
pipe; tests, expected values and verdicts are never in its memory.
"""

import builtins
import copy
import importlib
import socket
import sys
import threading
import types
from typing import Any

from .describing import CONTENT_BASES, PlayerDecoder, PlayerEncoder, base_content
from .plain_types import DONE_THERE, EXCEPTION_PACKAGES, class_names
from .stand_ins import number_of
from .streams import ReplacedStreams
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
        self.names: dict[
            str, Any
        ] = {}  # what the tests need of the answer's module, as last told to the checker
        self.module: dict[str, Any] = {}
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
        dropped, operation, target, args, kwargs, replaced = values
        self.tracked.drop(list(dropped))
        with ReplacedStreams(self, *replaced):
            try:
                outcome = ("value", OPERATIONS[operation](self, target, *args, **dict(kwargs)))
            except ChannelLost:
                raise
            except BaseException as error:
                outcome = ("raised", error)
        self.tell_changed_names()
        self.reply(*outcome)

    def tell_changed_names(self) -> None:
        """Global variables that the answer has bound anew since the checker got them."""
        changed = {
            name: self.module[name]
            for name, value in self.names.items()
            if self.module.get(name, value) is not value
        }
        if changed:
            self.names |= changed
            self.reply("names", changed)

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

    def describe_error(self, error: BaseException, depth: int = 0) -> tuple[Any, ...]:
        """Names of the classes, text, arguments; the object itself where the answer defined its class; attributes, cause."""
        names = class_names(type(error))
        try:
            text = str(error)[:2000]
        except BaseException:
            text = ""
        try:
            args = error.args
            if isinstance(error, OSError) and error.filename is not None:
                args = (error.errno, error.strerror, error.filename)
            args = args if type(args) is tuple and len(repr(args)) < 4000 else (text,)
        except BaseException:
            args = (text,)
        package = str(type(error).__module__).partition(".")[0]
        own = package not in sys.stdlib_module_names and package not in EXCEPTION_PACKAGES
        sent: Any = error if own and isinstance(error, Exception) else None
        if number_of(type(error)) is not None:
            sent = type(error)
        if isinstance(origin := vars(error).get("_origin"), Origin):
            sent = origin.error
        details = {
            name: value
            for name, value in vars(error).items()
            if type(value) in (str, int, float, bool, list, type(None)) and len(repr(value)) < 4000
        }
        cause = error.__cause__ and self.describe_error(error.__cause__, depth + 1) if depth < 3 else None
        return names, text, args, sent, details, cause

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
                dropped, value = values
                self.tracked.drop(list(dropped))
                return value
            name, text, error_args, kind, origin = values
            if not (isinstance(kind, type) and issubclass(kind, Exception)):
                kind = getattr(builtins, name, Exception)
            try:
                error = kind(*error_args)
            except TypeError:
                error = Exception(text)
            vars(error)["_origin"] = Origin(origin)
            raise error

    def run_awaitable(self, value: Any) -> Any:
        import asyncio

        async def waiting() -> Any:
            return await value

        if self.loop is None:
            self.loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self.loop)
        if not self.loop.is_running():
            return self.loop.run_until_complete(waiting())
        from .event_loops import run_inside

        return run_inside(waiting())


class Origin:
    """Marks an exception as one that the tests' own code raised, so that it gets back there as the same object."""

    def __init__(self, error: Any) -> None:
        self.error = error


def _done(self: Player, target: Any, module: str, name: str, /, *args: Any, **kwargs: Any) -> Any:
    if name not in DONE_THERE[module]:
        raise ProtocolError("not offered")
    return getattr(importlib.import_module(module), name)(target, *args, **kwargs)


def _seed(self: Player, target: Any, module: str, *args: Any) -> None:
    importlib.import_module(module).seed(*args)


def _derive(
    self: Player,
    target: Any,
    name: str,
    bases: tuple[Any, ...],
    parts: tuple[tuple[str, tuple[str, Any]], ...],
) -> Any:
    """A class of the tests that derives from classes of the answer; its methods are done over there."""
    wrappers: dict[str, Any] = {
        "staticmethod": staticmethod,
        "classmethod": classmethod,
        "property": property,
    }
    body = {word: wrappers[kind](value) if kind else value for word, (kind, value) in parts}
    return types.new_class(name, bases, {}, lambda space: space.update(body))


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
    "derive": _derive,
    "above": lambda self, target, value, name: getattr(super(target, value), name),
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
    "done": _done,
    "seed": _seed,
    "dir": lambda self, target: [name for name in dir(target) if type(name) is str],
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
