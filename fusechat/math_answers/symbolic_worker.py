"""Compare answers by computer algebra, in a process of its own that may be killed at any time.

Started by `checker.py` as `python -m fusechat.math_answers.symbolic_worker`; reads one JSON object a line from
standard input ({"found", "wanted"}), writes one a line ({"equal", "reason"}). The process that reads keeps a
forked child that does the algebra: sympy can hang or eat memory, so the child has a wall-clock limit, a memory
limit, and is killed and forked anew when it breaks them. Only LaTeX is parsed, by math-verify's grammar; no text of
a model is ever evaluated as Python.
"""

import ctypes
import json
import logging
import os
import re
import resource
import select
import signal
import sys
import time
from typing import Any

_FUNCTION_NAMES = re.compile(r"(?<![\\A-Za-z])(sin|cos|tan|cot|sec|csc|log|ln|pi|infty)(?![A-Za-z])")
# What may not stand in an equation that is compared by left minus right: more relations, lists, sets, statements.
_NOT_AN_EQUATION = re.compile(r"[=<>,;|]|\\(?:le|ge|lt|gt|ne|in|to|pm|mp|text|cup|cap)(?![a-z])")
PR_SET_PDEATHSIG = 1
WALL_FACTOR = 6


def to_latex(answer: str) -> str:
    """Plain notation that models mix in (`2*pi`, `x**2`, `sqrt{2}`), as LaTeX."""
    answer = answer.replace("**", "^").replace("*", " \\cdot ")
    answer = re.sub(r"(?<!\\)sqrt(?=\{)", r"\\sqrt", answer)
    return _FUNCTION_NAMES.sub(r"\\\1 ", answer)


def symbolically_equal(found: str, wanted: str) -> bool:
    """Whether math-verify takes two answers in normal form for the same object.

    Two equations also are where left minus right is the same up to its sign, so that the arrangement of the terms
    does not count (`2x-y=3` is `y=2x-3`), as in the Qwen2.5-Math evaluation.
    """
    if same_object(found, wanted):
        return True
    found_zero, wanted_zero = left_minus_right(found), left_minus_right(wanted)
    if found_zero is None or wanted_zero is None:
        return False
    return any(same_object(form, wanted_zero) for form in (found_zero, f"-({found_zero})"))


def left_minus_right(answer: str) -> str | None:
    """`a=b` as `a-(b)`; None for what is no single equation about letters."""
    left, equals, right = answer.partition("=")
    if not (equals and left.strip() and right.strip()) or _NOT_AN_EQUATION.search(answer.replace("=", "", 1)):
        return None
    return f"{left}-({right})" if re.search("[a-z]", answer, re.IGNORECASE) else None


def same_object(found: str, wanted: str) -> bool:
    """Whether math-verify takes two answers in normal form for the same object as they stand."""
    from latex2sympy2_extended import NormalizationConfig
    from math_verify import LatexExtractionConfig, parse, verify

    # Units are dropped before, behind numbers only; math-verify would take the t of 4t for tonnes.
    form = NormalizationConfig(
        basic_latex=True, units=False, malformed_operators=True, nits=True, boxed="none"
    )
    settings = [LatexExtractionConfig(normalization_config=form)]
    found_value = parse(f"${to_latex(found)}$", extraction_config=settings, parsing_timeout=None)
    wanted_value = parse(f"${to_latex(wanted)}$", extraction_config=settings, parsing_timeout=None)
    try:
        equal = verify(
            wanted_value, found_value, allow_set_relation_comp=True, timeout_seconds=None, raise_on_error=True
        )
    except (MemoryError, RecursionError):
        raise
    except Exception:
        return False  # objects of kinds that sympy cannot compare: a number and a matrix, say
    return bool(equal)


def _child(task_descriptor: int, reply_descriptor: int, memory_bytes: int) -> None:
    """Answer task after task until the pipe closes; dies with its parent."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.setrecursionlimit(3000)
    with os.fdopen(task_descriptor, "rb") as tasks:
        for line in tasks:
            task = json.loads(line)
            reply: dict[str, Any] = {"equal": None, "reason": None}
            try:
                reply["equal"] = symbolically_equal(task["found"], task["wanted"])
            except MemoryError:
                reply["reason"] = "memory limit"
            except RecursionError:
                reply["reason"] = "nested too deeply"
            except Exception as error:
                reply["reason"] = f"comparison failed: {type(error).__name__}"
            os.write(reply_descriptor, json.dumps(reply).encode() + b"\n")


class _Child:
    """The forked process and the pipes to it."""

    def __init__(self, memory_bytes: int) -> None:
        task_read, self.task_write = os.pipe()
        self.reply_read, reply_write = os.pipe()
        self.process_id = os.fork()
        if self.process_id == 0:
            status = 1
            try:
                os.close(self.task_write)
                os.close(self.reply_read)
                os.close(0)
                _child(task_read, reply_write, memory_bytes)
                status = 0
            finally:
                os._exit(status)
        os.close(task_read)
        os.close(reply_write)

    def kill(self) -> None:
        os.kill(self.process_id, signal.SIGKILL)
        os.waitpid(self.process_id, 0)
        os.close(self.task_write)
        os.close(self.reply_read)


def cpu_seconds(process_id: int) -> float:
    """Processor time that a process has used so far."""
    with open(f"/proc/{process_id}/stat", encoding="ascii", errors="replace") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_for_reply(child: _Child, timeout_s: float) -> tuple[list[Any], str]:
    """What is readable of the child's reply and standard input; nothing once the limit is reached.

    The limit is processor time, so that verdicts are the same on a busy machine; six times as much wall time
    ends it in any case.
    """
    cpu_limit = cpu_seconds(child.process_id) + timeout_s
    wall_limit = time.monotonic() + WALL_FACTOR * timeout_s
    pause_s = timeout_s
    while True:
        # Standard input gets readable here only when the caller is gone: it sends one task at a time.
        ready, _, _ = select.select([child.reply_read, sys.stdin.buffer], [], [], pause_s)
        left_s = cpu_limit - cpu_seconds(child.process_id)
        if ready or left_s <= 0 or time.monotonic() >= wall_limit:
            return ready, f"timeout after {timeout_s:g} s"
        pause_s = min(max(left_s, 0.05), timeout_s)


def serve(timeout_s: float, memory_bytes: int) -> None:
    """Pass each task to the child; what it does not answer in time is unknown, with the reason."""
    child: _Child | None = None
    for line in iter(sys.stdin.buffer.readline, b""):
        if child is None:
            child = _Child(memory_bytes)
        reply = b""
        try:
            os.write(child.task_write, line)
            ready, reason = wait_for_reply(child, timeout_s)
            if ready == [sys.stdin.buffer]:
                break
            reason = "worker died" if ready else reason
            reply = os.read(child.reply_read, 65_536) if ready else b""
        except BrokenPipeError:
            reason = "worker died"
        if not reply:
            child.kill()
            child = None
            reply = json.dumps({"equal": None, "reason": reason}).encode() + b"\n"
        sys.stdout.buffer.write(reply)
        sys.stdout.buffer.flush()
    if child is not None:
        child.kill()


def main() -> None:
    """Import the algebra once, say so, and serve."""
    timeout_s, memory_mb = float(sys.argv[1]), int(sys.argv[2])
    logging.disable(logging.CRITICAL)  # math-verify warns about its own time limit, which is ours here
    symbolically_equal("x+1", "1+x")
    sys.stdout.buffer.write(b"ready\n")
    sys.stdout.buffer.flush()
    serve(timeout_s, memory_mb * 1024 * 1024)


if __name__ == "__main__":
    main()
