"""The checker's end of the channel: requests to the answer's process, and mirrors for what comes back."""

import builtins
import dis
import inspect
import io
import sys
import threading
import types
from typing import Any

from .mirror_factory import MirrorFactory, Reference
from .plain_types import FUNCTION_NAME_OF, KNOWN_EXCEPTIONS, NAME_OF, exception_class, table_of
from .wire import Channel, ChannelLost, Decoder, Encoder, ProtocolError, Tracked, Unsendable

NEVER_READ = (
    types.ModuleType, types.FrameType, types.CodeType, types.TracebackType, types.FunctionType, types.MethodType,
    types.GeneratorType, types.CoroutineType, types.AsyncGeneratorType, types.BuiltinFunctionType,
)  # fmt: skip
TESTED_SPECIALS = {
    "__call__", "__iter__", "__next__", "__len__", "__getitem__", "__setitem__", "__delitem__", "__contains__",
    "__enter__", "__exit__", "__eq__", "__lt__", "__le__", "__gt__", "__ge__", "__hash__", "__add__", "__sub__",
    "__mul__", "__truediv__", "__neg__", "__abs__", "__int__", "__float__", "__str__", "__repr__", "__bool__",
    "__radd__", "__rmul__", "__mod__", "__floordiv__", "__index__",
}  # fmt: skip


MOCK_SETTERS = {"configure_mock", "reset_mock", "mock_add_spec", "attach_mock"}


class AnswerFailed(BaseException):
    """The answer ended, broke the protocol or raised what is no Exception: no test may catch this.

    `reason` is a short machine word. Once this was raised, no further test can pass.
    """

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class HandedOut:
    """Marks a value that goes over as an object of the tests, whatever it is."""

    def __init__(self, value: Any) -> None:
        self.value = value


class Remote:
    """All traffic with the answer's process."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.lock = threading.RLock()
        self.tracked = Tracked(2)
        self.factory = MirrorFactory(self)
        self.declared: set[type] = set()
        self.differences: set[int] = set()  # mirrors that are an object of the answer's minus a number
        self.handed_out: dict[int, Any] = {0: None}
        self.streams = sys.stdout, sys.stdin, builtins.input
        self.on_names: Any = None  # called with global variables of the answer that changed
        self.handed_number: dict[int, int] = {}
        self.failed: AnswerFailed | None = None
        self.failed_callback: BaseException | None = None
        self.encoder = RemoteEncoder(self)
        self.decoder = RemoteDecoder(self)

    def fail(self, reason: str, text: str) -> AnswerFailed:
        self.failed = self.failed or AnswerFailed(reason, text)
        return self.failed

    def do(self, operation: str, target: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Have the answer's process do something with one of its objects; the outcome, or its exception."""
        with self.lock:
            if self.failed:
                raise self.failed
            try:
                dropped = self.tracked.unreferenced() or self.tracked.surplus()
                pairs = tuple(kwargs.items())
                replaced = (sys.stdout is not self.streams[0], self.reads_replaced())
                message = self.encoder.message("do", tuple(dropped), operation, target, args, pairs, replaced)
                self.channel.send(message)
                self.tracked.drop(dropped)  # only now: what changed in them had to be sent
            except Unsendable:
                self.encoder.forget_message()
                raise
            except ChannelLost as error:
                raise self.fail("lost", f"the answer's process ended: {error}") from None
            return self.outcome()

    def reads_replaced(self) -> bool:
        """Whether the tests gave themselves another standard input, which the answer shall read too."""
        return sys.stdin is not self.streams[1] or builtins.input is not self.streams[2]

    def take_notice(self, kind: str, value: Any) -> bool:
        """Take what comes before an outcome: printed text, changed global variables. False for anything else."""
        if kind == "printed" and type(value) is str:
            if sys.stdout is not self.streams[0]:
                sys.stdout.write(value)
        elif kind == "names" and type(value) is dict and self.on_names is not None:
            self.on_names(value)
        else:
            return False
        return True

    def outcome(self) -> Any:
        while True:
            try:
                message = self.channel.receive()
                values = self.decoder.message(message)
            except ChannelLost as error:
                raise self.fail("lost", f"the answer's process ended: {error}") from None
            except (ProtocolError, MemoryError) as error:
                raise self.fail("protocol", f"the answer's process sent garbage: {error}") from None
            try:
                if message[0] == "value":
                    (value,) = values
                    return value
                if len(values) == 1 and self.take_notice(message[0], values[0]):
                    continue
                if message[0] == "ask":
                    operation, number, args = values
                    target = self.handed_out[number]
                elif message[0] == "raised":
                    raised = self.exception_of(*values)
                elif message[0] != "unsendable":
                    raise ProtocolError("unknown kind of message")
            except (ProtocolError, LookupError, ValueError, TypeError) as error:
                raise self.fail("protocol", f"the answer's process sent garbage: {error}") from None
            if message[0] == "unsendable":
                raise self.fail("output", "a result is too large or too deeply nested")
            if message[0] == "raised":
                raise raised
            self.answer_callback(operation, target, args)

    def exception_of(
        self, names: Any, text: Any, args: Any, error: Any, details: Any, cause: Any
    ) -> BaseException:
        """The exception to raise here for one raised there."""
        if (
            type(names) is not list
            or type(text) is not str
            or type(args) is not tuple
            or type(details) is not dict
        ):
            raise ProtocolError("not an exception")
        if isinstance(error, (StopIteration, StopAsyncIteration)) and not is_guarded(sys._getframe(1)):
            return RuntimeError(f"the answer raised {type(error).__name__}")
        if isinstance(error, BaseException):
            return error
        known = next((name for name in names if type(name) is str and exception_class(name)), None)
        found = (
            error
            if isinstance(error, type) and issubclass(error, Exception)
            else exception_class(known or "")
        )
        if found is None:
            code = f":{args[0]}" if names[0] == "SystemExit" and args else ""
            reason = f"exit{code}"[:40] if names[0] == "SystemExit" else f"exception:{str(names[0])[:60]}"
            return self.fail(reason, f"the answer raised {names[0]}: {text}")
        if issubclass(found, (StopIteration, StopAsyncIteration)) and not is_guarded(sys._getframe(1)):
            found, args = RuntimeError, (f"the answer raised {found.__name__}",)
        try:
            made = found(*args)
        except Exception:
            made = found.__new__(found)
            made.args = args
        vars(made).update({name: value for name, value in details.items() if type(name) is str})
        if type(cause) is tuple and len(cause) == 6 and any(map(exception_class, map(str, cause[0]))):
            made.__cause__ = self.exception_of(*cause)
        return made

    def answer_callback(self, operation: Any, target: Any, args: Any) -> None:
        """Do what the answer asks of an object that the tests handed to it."""
        try:
            value = self.callback(operation, target, args)
            dropped = self.tracked.unreferenced()
            self.channel.send(self.encoder.message("value", tuple(dropped), value))
            self.tracked.drop(dropped)
        except Exception as error:
            if isinstance(error, Unsendable):
                self.encoder.forget_message()
            if isinstance(error, AssertionError):
                self.failed_callback = error
            if isinstance(error, ChannelLost):
                raise self.fail("lost", "the answer's process ended") from None
            known = next(kind.__name__ for kind in type(error).__mro__ if kind.__name__ in KNOWN_EXCEPTIONS)
            plain = tuple(arg for arg in error.args if type(arg) in (str, int, float, bool, type(None)))
            kind = None if type(error).__module__ == "builtins" else HandedOut(type(error))
            self.channel.send(
                self.encoder.message("raised", known, str(error)[:2000], plain, kind, HandedOut(error))
            )

    def callback(self, operation: Any, target: Any, args: Any) -> Any:
        if operation == "__call__":
            positional, named = args
            value = target(*positional, **dict(named))
            if inspect.iscoroutine(value):
                from .event_loops import run_inside

                return run_inside(value)
            return value
        if operation == "isinstance":
            return isinstance(args[0], target)
        if operation == "read" and target is None and self.reads_replaced():
            name, *rest = args
            if name == "input":
                return str(input(*rest))
            return sys.stdin.read(*rest) if name == "read" else sys.stdin.readline(*rest)
        if operation in ("getattr", "setattr"):
            name = args[0]
            if type(name) is not str or name.startswith("_") or isinstance(target, NEVER_READ):
                raise AttributeError(f"attribute {name!r} of an object of the tests is not given out")
            if is_measure(target, name, operation == "setattr"):
                raise AttributeError(f"{name!r} is what the tests measure with")
            return getattr(target, name) if operation == "getattr" else setattr(target, name, args[1])
        if operation not in TESTED_SPECIALS or operation not in specials_of(target):
            raise TypeError(f"{operation} is not offered")
        return getattr(type(target), operation)(target, *args)


def is_measure(target: Any, name: str, is_set: bool) -> bool:
    """Whether tests measure with this attribute of theirs: what a mock has counted, a method that asserts."""
    kinds = {f"{kind.__module__}.{kind.__qualname__}" for kind in type(target).__mro__}
    if "unittest.mock.NonCallableMock" in kinds:
        return name in MOCK_SETTERS or (is_set and (hasattr(type(target), name) or name == "method_calls"))
    if not is_set or "unittest.case.TestCase" in kinds:
        return is_set
    code = getattr(getattr(target, name, None), "__code__", None)
    if not isinstance(code, types.CodeType):
        return False
    asserts = any(instruction.opname == "LOAD_ASSERTION_ERROR" for instruction in dis.get_instructions(code))
    return asserts or any("assert" in word.lower() for word in code.co_names)


class RemoteEncoder(Encoder):
    def __init__(self, remote: Remote) -> None:
        super().__init__(remote.tracked)
        self.remote = remote

    def handle(self, value: Any, depth: int) -> list[Any]:
        kind = type(value)
        if kind is Reference:
            return ["h", value.number]
        number = self.remote.factory.number_of.get(id(value))
        if number is not None:
            return ["h", number]
        if id(value) in FUNCTION_NAME_OF:
            return ["n", FUNCTION_NAME_OF[id(value)]]
        if isinstance(value, tuple) and hasattr(kind, "_fields"):
            return ["N", kind.__name__, list(kind._fields), [self.encode(item, depth + 1) for item in value]]
        if kind is HandedOut:
            value = value.value
        number = self.remote.handed_number.get(id(value))
        if number is None:
            number = len(self.remote.handed_out)
            self.remote.handed_out[number] = value
            self.remote.handed_number[id(value)] = number
        return ["p", number, sorted(specials_of(value)), self.facts_of(value)]

    def facts_of(self, value: Any) -> list[Any] | None:
        """What the stand-in of a function or class of the tests needs to look like it; no values of theirs."""
        if isinstance(value, type):
            known = next((name.__name__ for name in value.__mro__ if name.__name__ in KNOWN_EXCEPTIONS), None)
            return ["class", value.__name__, known if issubclass(value, Exception) else None, value.__doc__]
        if not isinstance(value, (types.FunctionType, types.MethodType)):
            return None
        parameters = [
            [name, parameter.kind.name.lower(), parameter.default is not inspect.Parameter.empty]
            for name, parameter in inspect.signature(value, follow_wrapped=False).parameters.items()
        ]
        annotations = [
            [name, ["n", NAME_OF[id(note)]]]
            for name, note in value.__annotations__.items()
            if id(note) in NAME_OF
        ]
        is_async = inspect.iscoroutinefunction(value)
        return ["function", value.__name__, value.__doc__, parameters, is_async, annotations]


class RemoteDecoder(Decoder):
    def __init__(self, remote: Remote) -> None:
        super().__init__(remote.tracked, {})
        self.remote = remote

    def special(self, tag: str, data: list[Any]) -> Any:
        if tag == "h":
            return self.remote.factory.instance_of(data)
        if tag == "k":
            return self.remote.factory.class_of(data)
        if tag == "p":
            return self.remote.handed_out[data[1]]
        if tag == "df":
            return table_of(*self.decode(data[1]))
        return super().special(tag, data)


def is_guarded(frame: types.FrameType | None) -> bool:
    """Whether a `try` or `with` of the running code may catch what is raised here.

    A StopIteration that the answer raises would else end a `map` or `for` of the tests early, and quietly.
    """
    while frame is not None:
        if frame.f_code.co_filename.startswith(("<test", "<setup")):
            table = dis._parse_exception_table(frame.f_code)  # type: ignore[attr-defined]
            if any(entry.start <= frame.f_lasti < entry.end for entry in table):
                return True
        frame = frame.f_back
    return False


def specials_of(value: Any) -> set[str]:
    """The special methods that an object of the tests offers to the answer."""
    if isinstance(value, (type, types.FunctionType, types.MethodType, types.BuiltinFunctionType)):
        return {"__call__"}
    if isinstance(value, io.IOBase):
        return {"__iter__", "__next__", "__enter__", "__exit__"}
    kind = type(value)
    return {
        name
        for name in TESTED_SPECIALS
        if getattr(kind, name, None) not in (None, getattr(object, name, None))
    }
