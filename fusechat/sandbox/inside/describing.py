"""How the answer's process writes its own objects: a number, a description of the class, plain content."""

import collections
import inspect
import sys
import types
from typing import Any

from .plain_types import (
    CONTENT_BASES,
    NAMED_FUNCTIONS,
    TAG_OF_MUTABLE,
    base_content,
    class_names,
    is_array,
    is_table,
    table_parts,
)
from .stand_ins import number_of, stand_in
from .wire import Decoder, Encoder

SKIPPED_SPECIAL = {
    "__new__", "__init__", "__getattribute__", "__getattr__", "__setattr__", "__delattr__", "__class__", "__dict__",
    "__doc__", "__module__", "__weakref__", "__slots__", "__init_subclass__", "__subclasshook__", "__del__",
    "__reduce__", "__reduce_ex__", "__getstate__", "__setstate__", "__sizeof__", "__dir__", "__repr__", "__str__",
    "__format__", "__hash__", "__eq__", "__ne__", "__class_getitem__", "__annotations__", "__match_args__",
    "__dataclass_fields__", "__dataclass_params__", "__orig_bases__", "__parameters__", "__abstractmethods__",
}  # fmt: skip
PLAIN_CLASSES: tuple[Any, ...] = (object, type, BaseException)
NATIVE_KINDS: dict[Any, str] = {
    types.GeneratorType: "generator",
    types.CoroutineType: "coroutine",
    types.FunctionType: "function",
}


class PlayerEncoder(Encoder):
    def __init__(self, player: Any) -> None:
        super().__init__(player.tracked)
        self.player = player

    def handle(self, value: Any, depth: int) -> list[Any]:
        """A numbered reference to an object that stays here, with a description of its class."""
        kind = type(value)
        known = number_of(value)
        if known is not None:
            return ["p", known]
        if is_table(value):
            try:
                return ["df", self.encode(table_parts(value), depth)]
            except Exception:  # a table of an unusual kind is an object like any other
                pass
        plain = plain_scalar(value)
        if plain is not None:
            return self.encode(plain[0], depth)
        number = self.player.number(value)
        if isinstance(value, type):
            return ["k", number, *self.class_description(value, number)]
        return ["h", number, self.encode_class(kind, depth), self.content(value, depth)]

    def encode_class(self, kind: type, depth: int) -> list[Any]:
        number = self.player.number(kind)
        return ["k", number, *self.class_description(kind, number)]

    def class_description(self, kind: type, number: int) -> list[Any]:
        if number in self.player.classes_sent:
            return []
        self.player.classes_sent.add(number)
        bases_of: tuple[type, ...] = kind.__bases__
        bases = [
            self.encode_class(base, 0)
            for base in bases_of
            if (base not in PLAIN_CLASSES and not is_builtin_data(base) and not issubclass(base, BaseException))
            or (issubclass(base, Exception) and base.__module__ not in sys.stdlib_module_names)
        ]  # fmt: skip
        specials = set()
        meta_specials = set()
        for ancestor in kind.__mro__:
            if ancestor is not object:
                specials |= {name for name in vars(ancestor) if is_special(name)}
        metaclass: type = type(kind)
        for ancestor in type.mro(metaclass):
            if ancestor not in (object, type):
                meta_specials |= {name for name in vars(ancestor) if is_special(name)}
        own_hash: Any = kind.__hash__
        names = class_names(kind)
        content = next((base.__name__ for base in CONTENT_BASES if issubclass(kind, base)), None)
        none_of = sorted(name for name in specials if getattr(kind, name, None) is None)
        return [
            kind.__name__[:200],
            bases,
            sorted(specials - set(none_of)),
            sorted(meta_specials),
            "none" if own_hash is None else "identity" if own_hash is object.__hash__ else "custom",
            names,
            content,
            NATIVE_KINDS.get(kind, ""),
        ]

    def content(self, value: Any, depth: int) -> Any:
        """The plain content of an instance of a subclass of a built-in, taken with the base class's methods.

        For a generator: whether it has begun to run.
        """
        if type(value) is types.GeneratorType:
            return inspect.getgeneratorstate(value) != inspect.GEN_CREATED
        for base in CONTENT_BASES:
            if isinstance(value, base):
                return self.encode(base_content(base, value), depth + 1)
        return None


class PlayerDecoder(Decoder):
    def __init__(self, player: Any) -> None:
        super().__init__(player.tracked, NAMED_FUNCTIONS)
        self.player = player

    def special(self, tag: str, data: list[Any]) -> Any:
        if tag == "h":
            return self.player.objects[data[1]]
        if tag == "p":
            facts = data[3]
            if facts is not None and facts[0] == "function":
                facts = [*facts[:-1], {name: self.decode(value) for name, value in facts[-1]}]
            return stand_in(self.player, data[1], data[2], facts)
        if tag == "N":
            return collections.namedtuple(data[1], data[2])(*[self.decode(item) for item in data[3]])
        return super().special(tag, data)


def is_special(name: str) -> bool:
    return name.startswith("__") and name.endswith("__") and name not in SKIPPED_SPECIAL


def is_builtin_data(kind: type) -> bool:
    return kind in CONTENT_BASES or kind in TAG_OF_MUTABLE


def plain_scalar(value: Any) -> tuple[Any] | None:
    """NumPy's scalars as Python's own, subclasses of its arrays as arrays; None for everything else."""
    numpy = sys.modules.get("numpy")
    if numpy is None or not isinstance(value, (numpy.generic, numpy.ndarray)):
        return None
    if isinstance(value, numpy.generic):
        plain = numpy.generic.item(value)
        return (plain,) if type(plain) in (int, float, bool, complex, str, bytes) else None
    plain = numpy.array(value, subok=False)
    return (plain,) if is_array(plain) else None
