"""Processes of a case and their pipes: forking, killing, counting what they used, reading what they say."""

import json
import os
import select
import signal
import sys
import time
from typing import Any

from . import confine

KEPT = 32 << 10  # bytes of output kept from the head and from the tail


class Output:
    """Head and tail of what the answer printed; the rest is read and thrown away."""

    def __init__(self, descriptor: int, limit: int = 0) -> None:
        self.descriptor = descriptor
        self.head, self.tail, self.seen = b"", b"", 0
        self.limit = limit  # keep this much whole, for programs whose output is judged

    def read(self) -> bool:
        """Take what is there; False at the end."""
        try:
            data = os.read(self.descriptor, 1 << 16)
        except BlockingIOError:
            return True
        self.seen += len(data)
        room = max(self.limit, KEPT) - len(self.head)
        self.head += data[:room]
        self.tail = (self.tail + data[room:])[-KEPT:]
        return bool(data)


class Child:
    """A forked process with its exit status and rusage."""

    def __init__(self, run: Any, keep: set[int]) -> None:
        self.status: int | None = None
        self.usage: Any = None
        self.pid = os.fork()
        if self.pid == 0:
            code = 70
            try:
                confine.close_descriptors(keep)
                run()
                code = 0
            except BaseException as error:
                if os.environ.get("SANDBOX_DEBUG"):
                    import traceback

                    traceback.print_exception(error, file=sys.__stderr__)
            finally:
                os._exit(code)
        self.pidfd = os.pidfd_open(self.pid)

    def reap(self, kill: bool = True) -> None:
        if self.status is None:
            if kill:
                try:
                    os.kill(self.pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            _, self.status, self.usage = os.wait4(self.pid, 0)
            os.close(self.pidfd)

    def ending(self) -> str:
        """How it ended, as a short word."""
        code = os.waitstatus_to_exitcode(self.status or 0)
        return f"signal:{-code}" if code < 0 else f"exit:{code}"


def ended_by(player: Child, otherwise: str) -> str:
    """A short word for how a process ended, from its status and use of resources."""
    code = os.waitstatus_to_exitcode(player.status or 0)
    used_s = player.usage.ru_utime + player.usage.ru_stime
    # The shortest limit is a second; what the kernel counted as one may read as a tick less.
    if code in (-signal.SIGXCPU, -signal.SIGKILL) and used_s >= 0.9:
        return "cpu" if code == -signal.SIGXCPU else otherwise
    if code < 0 and code != -signal.SIGKILL:
        return f"signal:{-code}"
    if code >= 0:
        return f"exit:{code}"
    return otherwise if otherwise != "lost" else "signal:9"


def silence(out: int | None, stdin: int | None = None) -> None:
    """Standard input from nowhere (or a file), standard output and error to a pipe or to nowhere.

    A program that reads a file is judged by its standard output alone, so its standard error goes nowhere.
    """
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null if stdin is None else stdin, 0)
    os.dup2(null if out is None else out, 1)
    os.dup2(null if out is None or stdin is not None else out, 2)
    for given in (null, out, stdin):
        if given is not None and given > 2:
            os.close(given)


def read_all(descriptor: int) -> bytes:
    os.lseek(descriptor, 0, os.SEEK_SET)
    parts = []
    while part := os.read(descriptor, 1 << 20):
        parts.append(part)
    return b"".join(parts)


class Lines:
    """JSON lines from a pipe whose writer is trusted code."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.data = b""

    def read(self) -> list[Any]:
        """What has come; None in the list for the end."""
        data = os.read(self.descriptor, 1 << 16)
        if not data:
            return [None]
        *lines, self.data = (self.data + data).split(b"\n")
        return [json.loads(line) for line in lines]

    def next(self, deadline: float) -> Any:
        """The next line, or None at the end or when time is up. For pipes that carry one line at a time."""
        while (left := deadline - time.monotonic()) > 0:
            if not select.select([self.descriptor], [], [], left)[0]:
                return None
            found = self.read()
            if found:
                return found[0]
        return None
