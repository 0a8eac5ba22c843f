"""Compare LaTeX expressions with sympy, each in a process of its own: a comparison can hang or eat memory.

Run by `equal_expressions` as `python -m evaluation.livebench.latex_worker`: reads one JSON pair [truth, found] a line,
writes one line for each: 1, 0 or null, null where the time or memory limit ended it. LaTeX is parsed by sympy's
grammar; no text of a model is evaluated as Python.
"""

import concurrent.futures
import json
import os
import resource
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Sequence

# Processor time, so that a busy machine gives the same scores; six times as much wall time ends it in any case.
CPU_S, WALL_S = 5, 30.0
MEMORY_BYTES = 2 << 30
TOLERANCE = 0.001


def equal_expressions(pairs: Sequence[tuple[str, str]], workers: int = 1) -> list[bool | None]:
    """Whether each pair's difference is below 0.001 once simplified; None where a limit ended the comparison."""
    if not pairs:
        return []
    workers = min(workers, len(pairs))
    parts = [list(pairs[start::workers]) for start in range(workers)]
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        answers = list(pool.map(_run_worker, parts))
    return [answers[index % workers][index // workers] for index in range(len(pairs))]


def _run_worker(pairs: list[tuple[str, str]]) -> list[bool | None]:
    lines = "".join(f"{json.dumps(pair)}\n" for pair in pairs)
    environment = {**os.environ, "PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "evaluation.livebench.latex_worker"]
    done = subprocess.run(
        command, input=lines, stdout=subprocess.PIPE, text=True, env=environment, check=True
    )
    return [json.loads(line) for line in done.stdout.split("\n") if line]


def same_value(truth: str, found: str) -> bool:
    """|simplify(truth - found)| < 0.001; what cannot be parsed, subtracted or compared is different."""
    import sympy
    from sympy.parsing.latex import parse_latex

    try:
        difference = sympy.simplify(parse_latex(truth) - parse_latex(found))
        return bool(sympy.Abs(difference) < TOLERANCE)
    except (MemoryError, ImportError):
        raise
    except Exception:
        return False  # sympy raises its parsers' errors, TypeError, ValueError and more: no value to compare


def in_a_child(truth: str, found: str) -> bool | None:
    """`same_value` in a forked process with limits; None where it broke one."""
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        try:
            os._exit(10 + same_value(truth, found))
        finally:
            os._exit(1)
    deadline = time.monotonic() + WALL_S
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            break
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return None
        time.sleep(0.002)
    code = os.waitstatus_to_exitcode(status)
    return bool(code - 10) if code in (10, 11) else None


def main() -> None:
    """Import sympy once, then answer line by line."""
    warnings.simplefilter("ignore")
    if not same_value("x + 1", "1 + x"):  # loads the parser, so that each child has it ready
        raise SystemExit("sympy's LaTeX parser does not work here; it needs antlr4-python3-runtime 4.11")
    for line in sys.stdin:
        truth, found = json.loads(line)
        print(json.dumps(in_a_child(truth, found)), flush=True)


if __name__ == "__main__":
    main()
