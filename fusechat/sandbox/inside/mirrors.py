"""The checker's stand-ins for objects that live in the answer's process.

Each class met over there gets a mirror class here, whose instances forward calls, attributes and iteration.
What decides a test stays on this side:
- an object compared with plain data is unequal to it, or compares by the plain content of its built-in base;
  the answer's own `__eq__` is asked only about two objects of the answer's related classes;
- ordering against plain data raises TypeError, and so do arithmetic and `in` unless the tests name the class:
  an object that the answer made up could else agree with whatever it is measured against;
- where the tests name the class, a difference from a number must follow that number, and a container must not
  hold things made up here: an object whose class is known could else agree with everything all the same.
"""

import collections
import random
import sys
from typing import TYPE_CHECKING, Any

from .plain_types import CONTENT_BASES, base_content
from .wire import ProtocolError

if TYPE_CHECKING:
    from .remote import Remote

CONTENT_KINDS: dict[str, type] = {kind.__name__: kind for kind in CONTENT_BASES}
MUTABLE_KINDS = (list, dict, set, bytearray, collections.deque)
_BINARY = [
    "add",
    "sub",
    "mul",
    "truediv",
    "floordiv",
    "mod",
    "divmod",
    "pow",
    "lshift",
    "rshift",
    "and",
    "xor",
    "or",
    "matmul",
]
ARITHMETIC = {f"__{prefix}{name}__" for name in _BINARY for prefix in ("", "r", "i")}
DIFFERENCES = {"__sub__", "__rsub__"}
ORDERING = {"__lt__", "__le__", "__gt__", "__ge__"}
UNARY = {"__neg__", "__pos__", "__abs__", "__invert__", "__int__", "__float__", "__complex__", "__index__",
         "__round__", "__trunc__", "__floor__", "__ceil__"}  # fmt: skip
CONTAINER = {"__getitem__", "__setitem__", "__delitem__", "__reversed__", "__missing__"}
CALLING = {"__call__", "__enter__", "__exit__"}
CONTENT_SENSITIVE = (
    ORDERING | ARITHMETIC | UNARY | CONTAINER | {"__contains__", "__len__", "__iter__", "__bool__"}
)
READABLE_SPECIAL = {"__name__", "__qualname__", "__doc__", "__dict__", "__annotations__", "__wrapped__",
                    "__defaults__", "__members__", "__self__", "__closure__", "__cause__", "__context__",
                    "__notes__", "__abstractmethods__", "__dataclass_fields__", "__slots__", "__match_args__"}  # fmt: skip
# Questions that hand over what the test expects and take yes for an answer: never asked of made-up objects.
AGREEING_METHODS = {"startswith", "endswith", "issubset", "issuperset", "isdisjoint", "equals", "__eq__"}


class Mirror:
    """Base of all mirrors; what a mirror forwards to is found by its identity in `remote.number_of`."""

    _remote: "Remote"

    def __getattr__(self, name: str) -> Any:
        kind = type(self)
        if name.startswith("__") and name.endswith("__") and name not in READABLE_SPECIAL:
            raise AttributeError(f"{kind.__name__!r} object has no attribute {name!r}")
        if name in AGREEING_METHODS and not is_declared(kind):
            raise AttributeError(f"{kind.__name__!r} object is not plain data: {name!r} is not asked of it")
        return kind._remote.do("getattr", self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(self, BaseException) and name.startswith("__"):
            BaseException.__setattr__(self, name, value)  # __traceback__ and the like stay on this side
        else:
            self._remote.do("setattr", self, name, value)

    def __delattr__(self, name: str) -> None:
        self._remote.do("delattr", self, name)

    def __eq__(self, other: Any) -> bool:
        if self is other:
            return True
        if comparable(self, other):
            return self._remote.do("eq", self, other) is True
        content = plain_content(self)
        if content is not None and not isinstance(other, RemoteMeta):
            return bool(content == (plain_content(other) if isinstance(other, Mirror) else other))
        return False

    def __ne__(self, other: Any) -> bool:
        if comparable(self, other):
            return self._remote.do("ne", self, other) is True
        return not self == other

    def __str__(self) -> str:
        return exactly(str, self._remote.do("str", self))

    def __repr__(self) -> str:
        return exactly(str, self._remote.do("repr", self))

    def __format__(self, spec: str) -> str:
        return exactly(str, self._remote.do("format", self, spec))

    def __dir__(self) -> list[str]:
        return list(exactly(list, self._remote.do("dir", self)))

    def __class_getitem__(cls, item: Any) -> Any:
        return cls  # a generic class with its parameters, as in Box[int](3)

    def __copy__(self) -> Any:
        return self._remote.do("copy", self)

    def __deepcopy__(self, memo: Any) -> Any:
        return self._remote.do("deepcopy", self)

    __hash__ = None  # type: ignore[assignment]


OF_EVERY_CLASS = {"__module__", "__qualname__", "__firstlineno__", "__static_attributes__"}


def part_of_class(value: Any) -> tuple[str, Any]:
    """What stands in the body of a class of the tests: how it is wrapped, and the function or value."""
    for kind in (staticmethod, classmethod):
        if isinstance(value, kind):
            return kind.__name__, value.__func__
    return ("property", value.fget) if isinstance(value, property) else ("", value)


class Above:
    """`super()` in a method of the tests whose class derives from one of the answer's."""

    def __init__(self, kind: Any, value: Any) -> None:
        object.__setattr__(self, "_place", (kind, value))

    def __getattribute__(self, name: str) -> Any:
        kind, value = object.__getattribute__(self, "_place")
        return kind._remote.do("above", kind, value, name)


def above(*given: Any) -> Any:
    """What the name `super` means in tests that derive from the answer's classes."""
    frame = sys._getframe(1)
    kind = given[0] if given else frame.f_locals.get("__class__")
    value = given[1] if len(given) > 1 else frame.f_locals[frame.f_code.co_varnames[0]]
    is_remote = is_mirror(value) or isinstance(value, RemoteMeta)
    return Above(kind, value) if isinstance(kind, RemoteMeta) and is_remote else super(kind, value)


class RemoteMeta(type):
    """Metaclass of mirrors: calling a mirror class makes an object over there."""

    _remote: "Remote"

    def __new__(meta, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> Any:
        """A mirror class; where the tests derive a class from one, the derived class is made over there."""
        remote = next((base._remote for base in bases if isinstance(base, RemoteMeta)), None)
        if remote is None or "_remote" in namespace:
            return super().__new__(meta, name, bases, namespace)
        cell = namespace.pop("__classcell__", None)
        parts = {
            word: part_of_class(value) for word, value in namespace.items() if word not in OF_EVERY_CLASS
        }
        made = remote.do("derive", None, name, bases, tuple(parts.items()))
        if cell is not None:
            cell.cell_contents = made
        return made

    def __call__(cls, /, *args: Any, **kwargs: Any) -> Any:
        return cls._remote.do("call", cls, *args, **kwargs)

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__") and name.endswith("__") and name not in READABLE_SPECIAL:
            raise AttributeError(f"type object {cls.__name__!r} has no attribute {name!r}")
        return cls._remote.do("getattr", cls, name)

    def __setattr__(cls, name: str, value: Any) -> None:
        cls._remote.do("setattr", cls, name, value)

    def __dir__(cls) -> list[str]:
        return list(exactly(list, cls._remote.do("dir", cls)))

    # Properties of the metaclass win over what the mirror class itself has under these names.
    __doc__ = property(lambda cls: cls._remote.do("getattr", cls, "__doc__"))
    __annotations__ = property(lambda cls: cls._remote.do("getattr", cls, "__annotations__"))


def is_declared(kind: type) -> bool:
    """Whether the tests name this class or a base of it."""
    return any(base in kind._remote.declared for base in kind.__mro__)  # type: ignore[attr-defined]


def is_mirror(value: Any) -> bool:
    return issubclass(type(value), Mirror)


def comparable(one: Any, other: Any) -> bool:
    """Two objects of the answer's whose classes are related: only these does the answer compare itself."""
    if not (is_mirror(one) and is_mirror(other)):
        return False
    left, right = type(one), type(other)
    if left.__dict__.get("_content") and not (is_declared(left) or is_declared(right)):
        return False
    return issubclass(left, right) or issubclass(right, left)


def exactly(kind: type, value: Any) -> Any:
    if type(value) is not kind:
        raise TypeError(f"a special method returned no {kind.__name__}")
    return value


def plain_content(value: Any) -> Any:
    """The exact built-in value below a mirror of a subclass of a built-in; None if there is none."""
    base = type(value).__dict__.get("_content")
    if base is None:
        return None
    if base in MUTABLE_KINDS and is_declared(type(value)):
        fresh = value._remote.do("content", value)
        if type(fresh) is not base:
            raise ProtocolError("content changed its type")
        return fresh
    return base_content(base, value)


def _abs(self: Any) -> Any:
    if id(self) in self._remote.differences:
        raise TypeError("a difference from a number is measured by no number")
    return self._remote.do("special", self, "__abs__")


def _exit(self: Any, *args: Any) -> Any:
    """The end of a `with` block: the answer may not swallow a failed assertion of the tests, nor see their frames."""
    value = self._remote.do("special", self, "__exit__", *args[:2], *([None] * len(args[2:])))
    if value and len(args) == 3 and isinstance(args[1], AssertionError):
        self._remote.failed_callback = args[1]
    return value


def forward(name: str) -> Any:
    """A special method that is simply done over there."""

    def method(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        return self._remote.do("special", self, name, *args, **kwargs)

    method.__name__ = name
    return method


def measured(name: str) -> Any:
    """An operator: between mirrors, or with plain data where the tests name the class (never for ordering)."""

    def method(self: Any, *args: Any) -> Any:
        other_plain = any(not is_mirror(arg) for arg in args)
        if other_plain and (name in ORDERING or not is_declared(type(self))):
            return NotImplemented
        if name in DIFFERENCES and type(args[0]) in (int, float):
            return difference(self, name, args[0])
        if id(self) in self._remote.differences and other_plain:
            raise TypeError("a difference from a number is measured by no number")
        return self._remote.do("special", self, name, *args)

    method.__name__ = name
    return method


def difference(self: Any, name: str, other: Any) -> Any:
    """An object of the answer's minus a number (or the reverse). A number that comes of it must change as that does.

    Made-up numbers go first and the test's own last: what was said of those leaves one value for this.
    """
    probes = numbers_beside(other)
    said = []
    for probe in probes:
        value = self._remote.do("special", self, name, probe)
        if type(value) not in (int, float):
            if is_mirror(value):
                self._remote.differences.add(id(value))
            break
        said.append(value)
    value = self._remote.do("special", self, name, other)
    if type(value) in (int, float):
        sign = -1 if "r" not in name else 1
        bases = [
            answer - sign * probe for answer, probe in zip([*said, value], [*probes, other], strict=False)
        ]
        slack = 1e-6 * max(1.0, *map(abs, bases))
        if len(said) < len(probes) or not max(bases) - min(bases) <= slack:
            raise TypeError("a difference that does not follow the number it is taken from")
    elif is_mirror(value):
        self._remote.differences.add(id(value))
    return value


def numbers_beside(number: Any) -> list[Any]:
    """One or two numbers of the same kind between 0 and this one, and never this one."""
    if type(number) is float:
        return [number * part / 97 if number else part / 97 for part in random.sample(range(1, 97), 2)]
    between = range(max(1, number - 999), number) if number > 0 else range(number + 1, min(0, number + 999))
    return random.sample(between, 2) if len(between) > 1 else [0 if number else 1]


def holds_anything(self: Any, item: Any) -> bool:
    """Whether a container of the answer's says that it holds what it cannot hold: things made up here."""
    probes: list[Any] = ["".join(random.choices("bdfhjkqvwxz", k=12))]
    if type(item) is int:
        probes.append(item + random.choice((0.37, 0.41, 0.59)))
    for probe in probes:
        try:
            if self._remote.do("special", self, "__contains__", probe) is not True:
                return False
        except Exception:
            return False  # an honest container may refuse a thing of another kind
    return True


def _contains(self: Any, item: Any) -> bool:
    if is_declared(type(self)):
        if holds_anything(self, item):
            raise TypeError("a container that holds everything")
        return self._remote.do("special", self, "__contains__", item) is True
    if not hasattr(type(self), "__iter__"):
        raise TypeError("argument is no plain container")
    return any(item is own or item == own for own in self)


def _contains_by_iteration(self: Any, item: Any) -> bool:
    return any(item is own or item == own for own in self)


def _iter(self: Any) -> Any:
    return self._remote.do("iter", self)


def _next(self: Any) -> Any:
    ended, value = pair(self._remote.do("next", self))
    if ended:
        raise StopIteration(value)
    return value


def _len(self: Any) -> int:
    return int(exactly(int, self._remote.do("len", self)))


def _bool(self: Any) -> bool:
    return bool(exactly(bool, self._remote.do("truth", self)))


def _hash(self: Any) -> int:
    return int(exactly(int, self._remote.do("hash", self)))


def _await(self: Any) -> Any:
    """Run the whole coroutine over there, in its own event loop, and give the outcome."""
    yield from ()
    return self._remote.do("await", self)


def _aiter(self: Any) -> Any:
    return self._remote.do("special", self, "__aiter__")


def _async_method(name: str) -> Any:
    async def method(self: Any, *args: Any) -> Any:
        return self._remote.do("await", self._remote.do("special", self, name, *args))

    return method


def pair(value: Any) -> tuple[bool, Any]:
    if type(value) is not tuple or len(value) != 2 or type(value[0]) is not bool:
        raise ProtocolError("not a pair")
    return value


SPECIAL_METHODS: dict[str, Any] = {name: measured(name) for name in ARITHMETIC | ORDERING}
SPECIAL_METHODS |= {name: forward(name) for name in UNARY | CONTAINER | CALLING}
SPECIAL_METHODS |= {"__iter__": _iter, "__next__": _next, "__len__": _len, "__bool__": _bool, "__contains__": _contains,
                    "__await__": _await, "__aiter__": _aiter, "__abs__": _abs, "__exit__": _exit}  # fmt: skip
SPECIAL_METHODS |= {name: _async_method(name) for name in ("__anext__", "__aenter__", "__aexit__")}
META_METHODS = {
    name: SPECIAL_METHODS[name] for name in ("__iter__", "__len__", "__getitem__", "__reversed__")
}


def _declared_getattribute(self: Any, name: str) -> Any:
    """Mirrors of a built-in's subclass that the tests name: public names are the answer's, not the built-in's."""
    if name.startswith("_"):
        return object.__getattribute__(self, name)
    return type(self)._remote.do("getattr", self, name)


def content_namespace(specials: list[str], base: type) -> dict[str, Any]:
    """Methods of a mirror with plain content: the built-in's own unless the tests name the class."""

    def chosen(name: str, remote_way: Any) -> Any:
        local_way = getattr(base, name, None)

        def method(self: Any, *args: Any) -> Any:
            if local_way is None or is_declared(type(self)):
                return remote_way(self, *args)
            return local_way(self, *args)

        return method

    namespace = {name: chosen(name, SPECIAL_METHODS[name]) for name in specials if name in CONTENT_SENSITIVE}
    for name in ORDERING & set(specials):
        namespace[name] = ordered_content(name)

    get: Any = base.__getattribute__

    def getattribute(self: Any, name: str) -> Any:
        if is_declared(type(self)):
            return _declared_getattribute(self, name)
        return get(self, name)

    return namespace | {"__getattribute__": getattribute}


def ordered_content(name: str) -> Any:
    """Ordering of a mirror with plain content: by that content, on this side."""

    def method(self: Any, other: Any) -> Any:
        content = plain_content(self)
        return getattr(content, name)(plain_content(other) if isinstance(other, Mirror) else other)

    return method
