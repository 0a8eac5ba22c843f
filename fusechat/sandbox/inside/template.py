"""The template: an interpreter with the usual modules imported, forked for each case. It runs nothing itself.

Started with one socket to the supervisor. A request is a JSON object with up to some dozens of memory files: the
program, the tests, and inputs. The template passes them to a fork and never reads them.
"""

import gc
import json
import os
import shutil
import signal
import socket
import sys
from typing import Any

from . import confine
from .function_case import FunctionCase
from .library_calls import offer_interactive_names
from .processes import kill_descendants
from .program_case import ProgramCase
from .sources import prelude_names

MAX_FILES = 250


def serve(control: socket.socket, config: dict[str, Any]) -> None:
    """Take requests one at a time until the supervisor hangs up."""
    offer_interactive_names()
    prelude_names()
    gc.collect()
    gc.freeze()
    control.send(json.dumps({"ready": True, "pid": os.getpid(), "landlock": confine.landlock_abi()}).encode())
    count = 0
    while True:
        data, files, _, _ = socket.recv_fds(control, 1 << 20, MAX_FILES)
        if not data:
            return
        request = json.loads(data)
        count += 1
        scratch = os.path.join(config["scratch"], f"case-{count}")
        os.mkdir(scratch, 0o700)
        try:
            pid = fork_case(config)
            if pid == 0:
                run_case(control, request, files, scratch, config)
        except OSError as error:
            control.send(json.dumps({"retry": str(error)}).encode())
            pid = -1
        for descriptor in files:
            os.close(descriptor)
        if pid > 0:
            _, status = os.waitpid(pid, 0)
            if status != 0:
                control.send(
                    json.dumps({"retry": f"the case's first process ended with status {status}"}).encode()
                )
        clean_up(config["scratch_folders"])


def fork_case(config: dict[str, Any]) -> int:
    return confine.fork_in_pid_namespace() if config["pid_namespaces"] else os.fork()


def run_case(
    control: socket.socket, request: dict[str, Any], files: list[int], scratch: str, config: dict[str, Any]
) -> None:
    """In the fork: run the case, send its outcome, end."""
    code = 71
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if not config["pid_namespaces"]:
            confine.prctl(confine.PR_SET_CHILD_SUBREAPER, 1)
        program, tests, *stdin_files = files
        settings = {
            "limits": request["limits"],
            "prelude": request["prelude"],
            "path": config["path"],
            "stdin_files": stdin_files,
            "confine": lambda limits, cpu_s, folder: confine_child(config, limits, cpu_s, folder),
            "kill_early": lambda: None if config["pid_namespaces"] else kill_descendants(os.getpid()),
            "kill_all": lambda: kill_all(config),
        }
        kind = ProgramCase if stdin_files else FunctionCase
        outcome = kind(settings, program, tests, scratch).run()
        control.send(json.dumps(outcome).encode("ascii"))
        code = 0
    finally:
        os._exit(code)


def confine_child(config: dict[str, Any], limits: dict[str, Any], cpu_s: int, scratch: str) -> None:
    """What answer and checker cannot undo."""
    confine.set_limits(limits, cpu_s)
    os.environ.clear()
    os.environ.update(config["environment"], HOME=scratch, TMPDIR=scratch)
    if config["level"] == "none":
        return
    confine.prctl(confine.PR_SET_DUMPABLE, 0)
    if config["pid_namespaces"]:
        confine.drop_capabilities()
    confine.prctl(confine.PR_SET_NO_NEW_PRIVS, 1)
    if confine.landlock_abi():
        writable = [scratch, *config["writable"]]
        confine.restrict_files(config["readable"], writable, connect=config["level"] == "A")
    confine.filter_system_calls(namespaces=config["pid_namespaces"])


def kill_all(config: dict[str, Any]) -> None:
    """Kill and reap whatever a case left behind."""
    if config["pid_namespaces"]:
        try:
            os.kill(-1, signal.SIGKILL)  # everything in this PID namespace but this process
        except ProcessLookupError:
            return
    else:
        kill_descendants(os.getpid())  # orphans are this process's children too, as it is their subreaper
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def clean_up(folders: list[str]) -> None:
    """Empty the scratch folders, whatever a case made of them; links are not followed."""
    for folder in folders:
        for entry in os.scandir(folder):
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, onerror=make_removable)
            else:
                os.unlink(entry.path)


def make_removable(function: Any, path: str, error: Any) -> None:
    """A folder without permissions for its owner: give them back and try once more."""
    parent = os.path.dirname(path)
    for folder in (parent, path):
        if not os.path.islink(folder):
            try:
                os.chmod(folder, 0o700)
            except OSError:
                pass
    try:
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path, ignore_errors=True)
        else:
            function(path)
    except OSError:
        pass


def main() -> None:
    """Started by the supervisor: the socket's number and the settings are the arguments."""
    sys.dont_write_bytecode = True
    control = socket.socket(fileno=int(sys.argv[1]))
    config = json.loads(sys.argv[2])
    if config["level"] != "none":
        confine.prctl(confine.PR_SET_DUMPABLE, 0)
    serve(control, config)
