"""No engine process outlives its script: who they are, how they end, and a watchdog for SIGKILL."""

import contextlib
import os
import signal
import subprocess
import sys

# Ends the engine's processes when this process is killed: SIGKILL runs no `finally`. It waits for the end of
# its standard input, which only this process holds open, and then kills what is left of the engine.
WATCHDOG = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
pids = [int(pid) for pid in sys.argv[1:]]
if sys.stdin.read() == "":
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            pass
"""


def start_watchdog(pids: set[int]) -> subprocess.Popen[bytes]:
    """A process that kills `pids` when this one is gone; anything written to its input lets it end idly."""
    return subprocess.Popen(
        [sys.executable, "-c", WATCHDOG, *map(str, sorted(pids))],
        stdin=subprocess.PIPE,
        start_new_session=True,
    )


def child_processes() -> set[int]:
    """Process ids of all descendants of this process but Python's resource tracker, which others share."""
    import psutil

    pids = set()
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if not any("resource_tracker" in word for word in process.cmdline()):
                pids.add(process.pid)
    return pids


def kill(pids: set[int]) -> None:
    """Ends processes at once; those that are gone already do not matter."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
