"""Static reading of source text, in a child process and before any of it runs.

A hostile source can crash Python's parser; then that child is gone and nothing else.
"""

import ast
import builtins
import symtable
import warnings
from typing import Any

PRELUDE = """
import bisect, collections, copy, datetime, functools, heapq, itertools, json, math, operator, random, re
import statistics, string, sys, time
from bisect import bisect_left, bisect_right, insort
from collections import ChainMap, Counter, OrderedDict, defaultdict, deque, namedtuple
from dataclasses import dataclass, field
from functools import cache, cmp_to_key, lru_cache, partial, reduce
from heapq import heapify, heappop, heappush, heappushpop, heapreplace, nlargest, nsmallest
from itertools import accumulate, chain, combinations, count, cycle, groupby, islice, permutations, product, repeat
from itertools import combinations_with_replacement, zip_longest
from math import ceil, comb, fabs, factorial, floor, gcd, inf, isclose, isqrt, lcm, log, log2, pi, sqrt
from typing import *
"""
PROCESS_MODULES = {"multiprocessing", "os", "subprocess", "signal", "shutil", "ctypes", "pty", "concurrent"}
NETWORK_MODULES = {
    "socket",
    "ssl",
    "urllib",
    "http",
    "ftplib",
    "smtplib",
    "requests",
    "aiohttp",
    "httpx",
    "select",
}


class BadTest(Exception):
    """A test that cannot be run here; the text says why."""


class BadSource(Exception):
    """Source text that cannot be compiled."""


def parse(source: str, name: str) -> ast.Module:
    """The syntax tree; raises BadSource for whatever the parser or compiler says."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source, name)
            compile(source, name, "exec", dont_inherit=True)
        return tree
    except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
        raise BadSource(f"{type(error).__name__}: {error}") from None


def defined_names(tree: ast.Module) -> set[str]:
    """Functions and classes that the top level defines, also below `if` and `try`; and names it assigns."""
    names: set[str] = set()
    todo: list[ast.stmt] = list(tree.body)
    while todo:
        node = todo.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {
                part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)
            }
        elif isinstance(node, (ast.If, ast.Try, ast.With)):
            todo += node.body + getattr(node, "orelse", []) + getattr(node, "finalbody", [])
            todo += [line for handler in getattr(node, "handlers", []) for line in handler.body]
    return names


def free_names(source: str) -> set[str]:
    """Global names that are read somewhere but that the top level never binds, built-ins included."""
    try:
        table = symtable.symtable(source, "<source>", "exec")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise BadSource(f"{type(error).__name__}: {error}") from None
    bound = {
        symbol.get_name() for symbol in table.get_symbols() if symbol.is_assigned() or symbol.is_imported()
    }
    read: set[str] = set()
    todo = [table]
    while todo:
        scope = todo.pop()
        todo += scope.get_children()
        for symbol in scope.get_symbols():
            if scope is table or symbol.is_global():
                if symbol.is_referenced():
                    read.add(symbol.get_name())
                if scope is not table and symbol.is_declared_global() and symbol.is_assigned():
                    bound.add(symbol.get_name())
    return read - bound


def top_imports(tree: ast.Module) -> list[list[str | None]]:
    """[bound name, module, attribute] of the top level's imports; attribute: None `as` a name, "" the module itself."""
    found: list[list[str | None]] = []
    for node in tree.body:
        if isinstance(node, ast.Import):
            for alias in node.names:
                plain = alias.asname is None
                found.append(
                    [alias.asname or alias.name.partition(".")[0], alias.name, "" if plain else None]
                )
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found += [[alias.asname or alias.name, node.module, alias.name] for alias in node.names]
    return found


def flags_of(tree: ast.Module, source: str) -> list[str]:
    """What a reader may want to know of an answer; never a reason to refuse it."""
    flags: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules = {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            modules = {(node.module or "").partition(".")[0]}
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "input":
            flags.add("reads_stdin")
            continue
        else:
            continue
        flags |= {"uses_process_modules"} if modules & PROCESS_MODULES else set()
        flags |= {"uses_network_modules"} if modules & NETWORK_MODULES else set()
    if "sys.stdin" in source:
        flags.add("reads_stdin")
    if any(isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) for node in tree.body):
        flags.add("top_level_calls")
    return sorted(flags)


_prelude: dict[str, Any] = {}


def prelude_names() -> dict[str, Any]:
    """What the prelude binds, made once in the template."""
    if not _prelude:
        exec(compile(PRELUDE, "<prelude>", "exec"), _prelude)
        del _prelude["__builtins__"]
    return _prelude


def choose_blocks(blocks: list[str], needed: list[str], whole_text: bool, stdin: bool) -> dict[str, Any]:
    """Which code blocks make the program, ways to load it in the order to try, and what they say of themselves.

    Raises BadSource where no block compiles.
    """
    trees: dict[int, ast.Module] = {}
    error: BadSource | None = None
    for number, block in enumerate(blocks):
        try:
            trees[number] = parse(block, "<answer>")
        except BadSource as found:
            error = error or found
    used = [number for number in trees if trees[number].body]
    if whole_text:
        used = [
            number
            for number in used
            if defined_names(trees[number]) or (stdin and calls_something(trees[number]))
        ]
    if not used:
        raise error if error and not whole_text else BadSource("no code")
    joined = {number: defined_names(trees[number]) for number in used}
    trailing = list(used)
    while len(trailing) > 1 and not joined[trailing[-1]] & set(needed):
        trailing.pop()
    defining = [number for number in used if joined[number] & set(needed)]
    ways = [used]
    last = [number for number in used if calls_something(trees[number])][-1:] if stdin else []
    for way in (last,) if stdin else (trailing, defining, defining[-1:]):
        if way and way not in ways:
            ways.append(way)
    source = "\n\n".join(blocks[number] for number in used)
    tree = ast.Module([node for number in used for node in trees[number].body], [])
    undefined = undefined_names(source)
    defined = set().union(*joined.values())
    imports = top_imports(tree)
    return {
        "ways": ways,
        "undefined": shown(undefined - set(prelude_names())),
        "prelude_used": shown(undefined & set(prelude_names())),
        "imports": [found for found in imports if found[0] in needed],
        "defined": sorted(defined & set(needed)),
        "missing": shown(set(needed) - defined - {str(name) for name, *_ in imports}),
        "flags": flags_of(tree, source),
    }


def shown(names: set[str]) -> list[str]:
    """Names for the record; they come from hostile text and may be as long as it."""
    return [name[:100] for name in sorted(names)[:50]]


def calls_something(tree: ast.Module) -> bool:
    return any(isinstance(node, ast.Call) for node in ast.walk(tree))


def undefined_names(source: str) -> set[str]:
    """Names that are read but bound nowhere: not by the module, not built in."""
    try:
        return {
            name for name in free_names(source) if not hasattr(builtins, name) and not name.startswith("__")
        }
    except BadSource:
        return set()
