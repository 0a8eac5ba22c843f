"""The first steps in the answer's process: read the source, tell facts about it, then run it."""

import atexit
import builtins
import functools
import io
import json
import os
import socket
import sys
import threading
import types
from typing import Any

from .player import Player
from .sources import BadSource, choose_blocks, prelude_names


def tell_facts(program: dict[str, Any], needed: list[str], static: int) -> dict[str, Any] | None:
    """Choose blocks and report what they say, while none of them has run; None where there is no code."""
    try:
        facts = choose_blocks(program["blocks"], needed, program["whole_text"], program["stdin"])
    except (BadSource, RecursionError, MemoryError) as error:
        facts = {"error": str(error)[:500] or type(error).__name__}
    data = json.dumps(facts).encode("ascii") + b"\n"
    while data:
        data = data[os.write(static, data) :]
    os.close(static)
    return None if "error" in facts else facts


def compiled_blocks(program: dict[str, Any], numbers: list[int]) -> list[types.CodeType]:
    """The blocks one by one: each may begin with `from __future__ import ...`."""
    return [compile(program["blocks"][number], "<answer>", "exec", dont_inherit=True) for number in numbers]


def answer_module(name: str, prelude: bool, path: list[str]) -> types.ModuleType:
    """An empty module for the answer's code, with the prelude's names in it."""
    sys.path[:] = [*path, *sys.path]
    module = types.ModuleType(name)
    module.__file__ = "answer.py"
    if prelude:
        vars(module).update(prelude_names())
    sys.modules[name] = module
    sys.argv = ["answer.py"]
    return module


def load_and_serve(
    program: dict[str, Any], wishes: dict[str, Any], way: int, static: int, checker: socket.socket,
    settings: dict[str, Any],
) -> None:  # fmt: skip
    """Run the answer's code as a module, hand over what the tests need of it, then serve calls."""
    needed = wishes["needed"]
    facts = tell_facts(program, needed, static)
    if facts is None:
        return
    codes = compiled_blocks(program, facts["ways"][way])
    module = answer_module("answer", settings["prelude"], settings["path"])
    for name, text in wishes["setup"].items():
        if name in facts["undefined"]:
            try:
                exec(compile(text, "<setup>", "exec", dont_inherit=True), vars(module))
            except ImportError:
                continue
    before = dict(vars(module))
    player = Player(checker)
    sys.setrecursionlimit(max(sys.getrecursionlimit(), 3000))
    try:
        for block in codes:
            exec(block, vars(module))
        names = {
            name: vars(module)[name]
            for name in [*needed, "Solution"]
            if name in vars(module)
            and not isinstance(vars(module)[name], types.ModuleType)
            and not (name in before and before[name] is vars(module)[name])
        }
        outcome: tuple[str, Any] = ("value", names)
        player.module = vars(module)
        player.names = dict(names)
    except BaseException as error:
        outcome = ("raised", error)
    player.reply(*outcome)
    player.serve()


def run_program(program: dict[str, Any], way: int, static: int, settings: dict[str, Any]) -> None:
    """Run the answer's code as the main program; standard input and output are already in place."""
    facts = tell_facts(program, [], static)
    if facts is None:
        return
    codes = compiled_blocks(program, facts["ways"][way])
    module = answer_module("__main__", settings["prelude"], settings["path"])
    code = 0
    if not os.path.exists("/dev/stdin"):
        open_standard_streams_by_name()
    sys.stdin = sys.__stdin__ = os.fdopen(0, encoding="utf-8", errors="replace", closefd=False)  # type: ignore[misc]
    sys.stdout = sys.__stdout__ = os.fdopen(1, "w", encoding="utf-8", errors="replace", closefd=False)  # type: ignore[misc]
    try:
        for block in codes:
            exec(block, vars(module))
    except SystemExit as stop:
        code = stop.code if type(stop.code) is int else 0 if stop.code is None else 1
    except BaseException:
        import traceback

        traceback.print_exc()
        code = 1
    end_program()
    os._exit(code & 0xFF)


def open_standard_streams_by_name() -> None:
    """Let `open("/dev/stdin")` work where there is no /proc, to which that name leads."""
    numbers = {
        f"{place}{name}": number
        for number, word in enumerate(("stdin", "stdout", "stderr"))
        for place, name in (("/dev/", word), ("/dev/fd/", number), ("/proc/self/fd/", number))
    }
    real = builtins.open

    @functools.wraps(real)
    def open_file(file: Any, *args: Any, **kwargs: Any) -> Any:
        number = numbers.get(str(file)) if isinstance(file, (str, os.PathLike)) else None
        return real(file if number is None else os.dup(number), *args, **kwargs)

    vars(builtins)["open"] = vars(io)["open"] = open_file


def end_program() -> None:
    """What the interpreter does at its end: wait for threads, call what `atexit` holds, flush."""
    standard: Any = sys.__stdout__
    steps: list[Any] = [threading._shutdown, atexit._run_exitfuncs]  # type: ignore[attr-defined]
    for step in (*steps, lambda: sys.stdout.flush(), lambda: standard.flush()):
        try:
            step()
        except BaseException:
            continue  # a closed stream, or an exception in a function of `atexit`, is no failure of the program
