"""Makes the checker's mirrors: a class for each class of the answer's, an instance for each object that came over."""

import abc
import collections.abc
import types
from typing import Any

from .mirrors import (
    CONTENT_KINDS,
    META_METHODS,
    MUTABLE_KINDS,
    SPECIAL_METHODS,
    Mirror,
    RemoteMeta,
    content_namespace,
    pair,
)
from .mirrors import _contains_by_iteration as contains_by_iteration
from .mirrors import _hash as remote_hash
from .plain_types import exception_class
from .wire import ProtocolError


class Reference:
    """An object over there, by number only."""

    def __init__(self, number: int) -> None:
        self.number = number


def is_class_mirror(value: Any) -> bool:
    return isinstance(value, RemoteMeta)


def read_there(name: str) -> property:
    """An attribute that every object has, read over there."""
    return property(lambda self: self._remote.do("getattr", self, name))


def bound_like_a_function(self: Any, owner: Any, kind: Any = None) -> Any:
    """A function of the answer as attribute of a class of the tests is a method there."""
    return self if owner is None or self._native != "function" else types.MethodType(self, owner)


def register_abstract(kind: type, names: list[str]) -> None:
    """Make a mirror class a virtual subclass of the abstract classes that the class over there derives from."""
    for name in names:
        found = abc.ABC if name == "ABC" else getattr(collections.abc, name, None)
        if isinstance(found, abc.ABCMeta) and not issubclass(kind, found):
            found.register(kind)


class MirrorFactory:
    """All mirrors of one case, by the numbers that the answer's process gave them."""

    def __init__(self, remote: Any) -> None:
        self.remote = remote
        self.mirrors: dict[int, Any] = {}
        self.number_of: dict[int, int] = {}

    def remember(self, number: int, mirror: Any) -> Any:
        self.mirrors[number] = mirror
        self.number_of[id(mirror)] = number
        return mirror

    def class_of(self, data: list[Any]) -> Any:
        """The mirror class of a class described by the other side, made on first sight."""
        number = data[1]
        if type(number) is not int:
            raise ProtocolError("not a number")
        if number in self.mirrors:
            if not isinstance(self.mirrors[number], RemoteMeta):
                raise ProtocolError("not a class")
            return self.mirrors[number]
        name, base_data, specials, meta_specials, hashing, names, content, native = data[2:]
        if type(name) is not str or not all(type(word) is str for word in specials + meta_specials + names):
            raise ProtocolError("not a class description")
        bases = [self.remote.decoder.decode(base) for base in base_data]
        if not all(isinstance(base, RemoteMeta) for base in bases):
            raise ProtocolError("not a class")
        kind = self.build_class(name, bases, specials, meta_specials, hashing, names, content)
        type.__setattr__(kind, "_native", native)
        type.__setattr__(kind, "_ancestors", tuple(names))
        register_abstract(kind, names)
        return self.remember(number, kind)

    def build_class(
        self, name: str, bases: list[Any], specials: list[str], meta_specials: list[str], hashing: str,
        names: list[str], content: str | None,
    ) -> Any:  # fmt: skip
        base = CONTENT_KINDS.get(content) if content else None
        namespace: dict[str, Any] = {"_remote": self.remote, "_content": base}
        if base is not None:
            namespace |= content_namespace(specials, base)
        namespace |= {
            special: SPECIAL_METHODS[special]
            for special in specials
            if special in SPECIAL_METHODS and special not in namespace
        }
        if "__iter__" not in namespace and "__getitem__" in namespace:
            namespace["__iter__"] = SPECIAL_METHODS["__iter__"]
        if "__iter__" in namespace and "__contains__" not in namespace:
            namespace["__contains__"] = contains_by_iteration
        namespace["__hash__"] = {"custom": remote_hash, "identity": object.__hash__}.get(hashing)
        if base in (int, float, str, bytes, complex, tuple, frozenset):
            namespace["__hash__"] = base.__hash__
        for special in ("__dict__", "__doc__", "__module__", "__annotations__"):
            namespace[special] = read_there(special)
        if "__call__" in specials:
            namespace["__get__"] = bound_like_a_function
        error = next(filter(None, map(exception_class, names)), None)
        if error is not None:
            base = error
            namespace = {
                "_remote": self.remote,
                "_content": None,
                "__hash__": object.__hash__,
                "__eq__": object.__eq__,
            }
            namespace["args"] = read_there("args")
        parents = list(dict.fromkeys(bases)) or [Mirror]
        if base is not None and not any(issubclass(parent, base) for parent in parents):
            parents.append(base)
        extra = {special: META_METHODS[special] for special in meta_specials if special in META_METHODS}
        meta: Any = next((type(parent) for parent in parents if isinstance(parent, RemoteMeta)), RemoteMeta)
        if not all(hasattr(meta, special) for special in extra):
            meta = type("RemoteMeta", (meta,), extra)
        try:
            return types.new_class(
                name, tuple(parents), {"metaclass": meta}, lambda space: space.update(namespace)
            )
        except TypeError:
            return RemoteMeta(name, (Mirror, *([base] if base else [])), namespace)

    def instance_of(self, data: list[Any]) -> Any:
        number = data[1]
        kind: Any = self.remote.decoder.decode(data[2])
        if type(number) is not int or not is_class_mirror(kind):
            raise ProtocolError("not an object")
        if number in self.mirrors:
            return self.mirrors[number]
        if kind.__dict__.get("_native") == "generator":
            return self.remember(number, self.generator(number, has_begun=data[3] is True))
        if kind.__dict__.get("_native") == "coroutine":
            return self.remember(number, self.coroutine(number))
        base: Any = kind.__dict__.get("_content")
        if base is None:
            return self.remember(number, kind.__new__(kind))
        content = self.remote.decoder.decode(data[3])
        if type(content) is not base:
            raise ProtocolError("content of another type")
        if base in MUTABLE_KINDS:
            mirror = base.__new__(kind)
            fill: Any = getattr(base, "update" if base in (dict, set) else "extend")
            fill(mirror, content)
        else:
            mirror = base.__new__(kind, content)
        return self.remember(number, mirror)

    def generator(self, number: int, has_begun: bool) -> Any:
        """A real generator that runs one over there step by step."""
        reference = Reference(number)

        def run() -> Any:
            step = (
                self.remote.do("send", reference, (yield)) if has_begun else self.remote.do("next", reference)
            )
            while True:
                ended, value = pair(step)
                if ended:
                    return value
                try:
                    sent = yield value
                except GeneratorExit:
                    if self.remote.failed is None:
                        self.remote.do("close", reference)
                    raise
                except Exception as error:
                    step = self.remote.do("throw", reference, type(error).__name__, str(error))
                else:
                    step = (
                        self.remote.do("next", reference)
                        if sent is None
                        else self.remote.do("send", reference, sent)
                    )

        mirror = run()
        if has_begun:
            next(mirror)
        return mirror

    def coroutine(self, number: int) -> Any:
        """A real coroutine that runs one over there, in that side's event loop, to its end."""
        reference = Reference(number)

        async def run() -> Any:
            return self.remote.do("await", reference)

        return run()
