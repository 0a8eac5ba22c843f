"""Tries a level of isolation for real: a hostile program looks around inside, and must find nothing."""

import os
import socket
import tempfile

from .cases import Case, CodeTests, Limits
from .isolation import Unavailable
from .worker import Worker, WorkerDied

LOOK_AROUND = """
import os, socket, signal

def read(path):
    try:
        with open(path) as file:
            return "read " + file.read(20)
    except OSError:
        return "refused"

def write(path):
    try:
        with open(path, "w") as file:
            file.write("x")
        return "written"
    except OSError:
        return "refused"

def connect(port):
    try:
        socket.create_connection(("127.0.0.1", port), 2).close()
        return "connected"
    except OSError:
        return "refused"

def hit(pid):
    try:
        os.kill(pid, 0)
        return "reached"
    except OSError:
        return "refused"
"""


def probe(level: str) -> str:
    """What the level is made of here; raises Unavailable with what failed."""
    with (
        tempfile.NamedTemporaryFile("w", suffix=".secret") as secret,
        socket.create_server(("127.0.0.1", 0)) as server,
    ):
        secret.write("outside")
        secret.flush()
        os.chmod(secret.name, 0o666)
        port = server.getsockname()[1]
        tests = {
            f"read({secret.name!r})": "an outside file can be read",
            f"write({secret.name!r})": "an outside file can be written",
            f"connect({port})": "the network can be reached",
            f"hit({os.getpid()})": "processes outside can be reached",
        }
        suite = CodeTests(asserts=tuple(f"assert {call} == 'refused'" for call in tests))
        try:
            worker = Worker(level, 9999, Limits().scratch_mb)
        except OSError as error:
            raise Unavailable(str(error)) from None
        try:
            verdict = worker.judge(Case("probe", (LOOK_AROUND,), suite))
            landlock = worker.ready["landlock"]
        except WorkerDied as error:
            raise Unavailable(str(error)) from None
        finally:
            worker.stop()
    if level == "B" and landlock < 1:
        raise Unavailable("this kernel has no Landlock (5.13 or later with lsm=landlock is needed)")
    if not verdict.passed:
        failure = verdict.first_failure or {}
        index = failure.get("index", -1)
        found = list(tests.values())[index] if index >= 0 else failure.get("message")
        raise Unavailable(f"the probe failed: {found} ({verdict.verdict}, {verdict.reason})")
    parts = "bubblewrap, seccomp" if level == "A" else "seccomp, limits"
    return f"{parts}, Landlock ABI {landlock}" if landlock else f"{parts}, no Landlock"
