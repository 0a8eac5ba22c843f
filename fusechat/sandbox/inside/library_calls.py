"""Makes library functions that look into objects work on mirrors: they are done where the object is.

Only in the checker's process, before any test runs. What they give is plain data about the answer's object; no
comparison is ever left to the other side.
"""

import builtins
import enum
import importlib
import random
from typing import Any

from .mirrors import RemoteMeta, is_mirror
from .plain_types import DONE_THERE
from .remote import Remote


def pass_on_library_calls(remote: Remote, test_text: str) -> None:
    """Replace the functions of DONE_THERE that the tests name, `random.seed`, and the test for enum members."""
    for module_name, names in DONE_THERE.items():
        for name in names:
            if name in test_text:
                module = importlib.import_module(module_name)
                setattr(module, name, passed_on(remote, module_name, name, getattr(module, name)))
    if "Enum" in test_text or "Flag" in test_text:
        for check in ("__instancecheck__", "__subclasscheck__"):
            setattr(enum.EnumMeta, check, enum_check(getattr(type, check)))
    if "seed" in test_text:
        vars(random)["seed"] = seeding(remote, "random", random.seed)
        if "numpy" in test_text or "np." in test_text:
            try:
                numpy_random = importlib.import_module("numpy.random")
            except ImportError:
                return
            vars(numpy_random)["seed"] = seeding(remote, "numpy.random", numpy_random.seed)


def passed_on(remote: Remote, module: str, name: str, local: Any) -> Any:
    def function(value: Any, /, *args: Any, **kwargs: Any) -> Any:
        if is_mirror(value) or isinstance(value, RemoteMeta):
            return remote.do("done", value, module, name, *args, **kwargs)
        return local(value, *args, **kwargs)

    return function


def seeding(remote: Remote, module: str, local: Any) -> Any:
    """A seed holds for the answer's random numbers too."""

    def seed(*args: Any) -> None:
        local(*args)
        if all(value is None or type(value) in (int, float, str, bytes) for value in args):
            remote.do("seed", None, module, *args)

    return seed


def enum_check(plain: Any) -> Any:
    def check(cls: type, value: Any) -> bool:
        kind = value if isinstance(value, RemoteMeta) else type(value)
        ancestors = getattr(kind, "_ancestors", ()) if isinstance(kind, RemoteMeta) else ()
        return plain(cls, value) or (cls.__module__ == "enum" and cls.__name__ in ancestors)

    return check


def quiet_test_runners(test_text: str) -> None:
    """`unittest.main()` and `pytest.main()` in tests find nothing here; their tests are run by `test_runners`."""
    for name in ("unittest", "pytest"):
        if f"{name}.main" in test_text:
            vars(importlib.import_module(name))["main"] = lambda *args, **kwargs: 0


def offer_interactive_names() -> None:
    """What `site` adds to the built-ins of an ordinary interpreter; the template starts without it."""
    import _sitebuiltins

    for name in ("quit", "exit"):
        vars(builtins)[name] = _sitebuiltins.Quitter(name, "Ctrl-D (i.e. EOF)")
    vars(builtins)["help"] = _sitebuiltins._Helper()
