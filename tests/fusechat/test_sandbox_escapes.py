"""What an answer may not reach or leave behind: files, processes, network, and the next case."""

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fusechat.sandbox import Case, CodeTests, Limits, Sandbox

TOOLS = """
import os, socket, ctypes, subprocess, sys, tempfile

def tried(action, *args):
    try:
        return str(action(*args))[:200]
    except (OSError, ValueError, AttributeError, subprocess.SubprocessError) as error:
        return "refused"

def read(path):
    return tried(lambda: open(path, "rb").read(50))

def write(path):
    return tried(lambda: open(path, "ab").write(b"x"))

def listing(path):
    return tried(os.listdir, path)

def run(name, *args):
    return tried(getattr(os, name), *args)

def connect(kind, address):
    def go():
        s = socket.socket(getattr(socket, kind))
        s.settimeout(1)
        s.connect(address)
    return tried(go)

def syscall(number, *args):
    libc = ctypes.CDLL(None, use_errno=True)
    return libc.syscall(number, *args) < 0 and ctypes.get_errno() in (1, 38, 22, 14, 9, 13, 3)

def leave(path, text):
    return tried(lambda: open(path, "w").write(text))

def shell(command):
    return tried(lambda: subprocess.run(command, shell=True, capture_output=True, timeout=3).stdout)
"""


@pytest.fixture
def outside() -> Iterator[Path]:
    """A folder that everybody may read and write, with a secret in it."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        os.chmod(folder, 0o777)
        secret = Path(folder) / "secret.txt"
        secret.write_text("secret")
        secret.chmod(0o666)
        yield secret


def assert_holds(sandbox: Sandbox, *asserts: str, code: str = TOOLS) -> None:
    verdict = sandbox.judge(Case("tools", (code,), CodeTests(asserts=asserts), Limits(wall_s=8)))
    assert verdict.passed, verdict


def test_outside_files_cannot_be_read_written_or_removed(sandbox: Sandbox, outside: Path) -> None:
    folder = str(outside.parent)
    assert_holds(
        sandbox,
        f"assert read({str(outside)!r}) == 'refused'",
        f"assert write({str(outside)!r}) == 'refused'",
        f"assert write({folder + '/new'!r}) == 'refused'",
        f"assert listing({folder!r}) == 'refused'",
        f"assert run('remove', {str(outside)!r}) == 'refused'",
        f"assert run('rename', {str(outside)!r}, {folder + '/x'!r}) == 'refused'",
        f"assert run('truncate', {str(outside)!r}, 0) == 'refused'",
        f"os_link = run('link', {str(outside)!r}, 'hard')\nassert os_link == 'refused'",
        f"run('symlink', {str(outside)!r}, 'soft')\nassert read('soft') == 'refused' and write('soft') == 'refused'",
        f"run('chmod', {str(outside)!r}, 0)",
    )
    assert outside.read_text() == "secret"
    assert outside.stat().st_mode & 0o777 == 0o666


def test_the_project_and_system_settings_cannot_be_changed(sandbox: Sandbox) -> None:
    here, own = str(Path(__file__).resolve()), str(Path.home() / ".bashrc")
    assert_holds(
        sandbox,
        f"assert read({here!r}) == 'refused' and write({here!r}) == 'refused'",
        "assert read('/etc/passwd') == 'refused' and read('/etc/shadow') == 'refused'",
        f"assert read({own!r}) == 'refused' and listing('/home') in ('refused', '[]')",
        "assert write('/usr/bin/x') == 'refused' and write('/x') == 'refused'",
        "import os\nassert write(os.__file__) == 'refused'",
        "assert read('/proc/1/environ') == 'refused' and read('/proc/self/environ') == 'refused'",
        "assert write('/sys/kernel/x') == 'refused'",
    )


def test_processes_outside_cannot_be_reached(sandbox: Sandbox) -> None:
    victim = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        assert_holds(
            sandbox,
            f"assert run('kill', {victim.pid}, 9) == 'refused'",
            f"assert run('kill', {os.getpid()}, 0) == 'refused'",
            f"assert run('killpg', {os.getpgid(0)}, 0) == 'refused'",
            f"assert syscall(101, 16, {victim.pid}, 0, 0)",
            f"assert syscall(434, {victim.pid}, 0)",
            f"assert run('setpriority', 0, {victim.pid}, 19) == 'refused'",
        )
        assert victim.poll() is None
    finally:
        victim.kill()
        victim.wait()


def test_killing_everything_harms_only_the_case_itself(sandbox: Sandbox) -> None:
    code = "import os\ndef f():\n    os.kill(-1, 9)\n    os.kill(os.getppid(), 9)\n    return 1"
    verdict = sandbox.judge(Case("kill", (code,), CodeTests(asserts=("assert f() == 2",)), Limits(wall_s=3)))
    assert not verdict.passed and verdict.reason != "runner"
    assert_holds(sandbox, "assert read('/x') == 'refused'")


def test_the_network_cannot_be_reached(sandbox: Sandbox) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as abstract:
        name = f"\0sandbox-test-{os.getpid()}"
        abstract.bind(name)
        abstract.listen()
        assert_holds(
            sandbox,
            f"assert connect('AF_INET', ('127.0.0.1', {server.getsockname()[1]})) == 'refused'",
            f"assert connect('AF_UNIX', {name!r}) == 'refused'",
            "assert connect('AF_INET', ('8.8.8.8', 53)) == 'refused'",
        )


def test_privileged_system_calls_are_refused(sandbox: Sandbox) -> None:
    calls = {"unshare": (272, 0x10000000), "mount": (165, 0, 0, 0, 0, 0), "bpf": (321, 0, 0, 0), "keyctl": (250, 0, -3, 0),
             "io_uring_setup": (425, 1, 0), "userfaultfd": (323, 0), "setns": (308, 0, 0), "shmget": (29, 0, 4096, 0o1600),
             "process_vm_readv": (310, 1, 0, 0, 0, 0, 0), "perf_event_open": (298, 0, 0, -1, -1, 0)}  # fmt: skip
    assert_holds(sandbox, *(f"assert syscall{args}, {name!r}" for name, args in calls.items()))


def test_the_environment_holds_nothing_of_ours(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "secret")
    assert_holds(
        sandbox,
        "env = env_names()\nassert set(env) <= {'PATH', 'HOME', 'TMPDIR', 'LANG', 'PYTHONHASHSEED', 'PYTHONDONTWRITEBYTECODE', "
        "'OPENBLAS_NUM_THREADS', 'OMP_NUM_THREADS'}",
        "assert b'secret' not in inherited()",
        code=TOOLS
        + "\ndef env_names():\n    return list(os.environ)\ndef inherited():\n    out = b''\n    for fd in range(3, 64):\n"
        "        try:\n            out += os.read(fd, 10) if os.lseek(fd, 0, 0) == 0 else b''\n        except OSError:\n            pass\n    return out\n",
    )


@pytest.mark.parametrize("place", ["state.txt", "/tmp/state.txt", "/dev/shm/state.txt", "../state.txt"])
def test_files_of_one_case_are_gone_in_the_next(sandbox: Sandbox, place: str) -> None:
    assert_holds(sandbox, f"leave({place!r}, 'left over')")
    assert_holds(sandbox, f"assert read({place!r}) == 'refused'")


def test_folders_without_permissions_and_deep_paths_are_cleaned_up(sandbox: Sandbox) -> None:
    code = (
        "import os\ndef f():\n    os.mkdir('locked')\n    open('locked/x', 'w').close()\n    os.chmod('locked', 0)\n"
        "    for _ in range(300):\n        os.mkdir('d' * 50)\n        os.chdir('d' * 50)\n    return 1"
    )
    assert_holds(sandbox, "assert f() == 1", code=code)
    assert_holds(
        sandbox,
        "assert listing('..') in (\"['\" + base() + \"']\", 'refused')",
        code=TOOLS + "\ndef base():\n    return os.path.basename(os.getcwd())",
    )


def test_state_in_memory_does_not_reach_the_next_case(sandbox: Sandbox) -> None:
    assert_holds(
        sandbox,
        "poison()",
        code="import math, builtins, sys\ndef poison():\n    math.pi = 3\n    builtins.ord = lambda x: 7\n    sys.modules['json'] = None",
    )
    assert_holds(
        sandbox,
        "assert look() == (True, 97)",
        code="import math, json\ndef look():\n    return math.pi > 3, ord('a')",
    )


def test_daemons_and_threads_are_gone_after_the_case(sandbox: Sandbox) -> None:
    mark = f"marker{os.getpid()}{threading.get_ident()}"
    code = (
        "import os, threading, time, sys\ndef f():\n    threading.Thread(target=time.sleep, args=(99,)).start()\n"
        "    for i in range(3):\n        if os.fork() == 0:\n            os.setsid()\n            if os.fork() == 0:\n"
        f"                os.execv(sys.executable or '/usr/bin/python3', ['python', '-S', '-c', 'import time; time.sleep(99) # {mark}'])\n"
        "            time.sleep(99)\n    time.sleep(0.2)\n    return 1"
    )
    assert_holds(sandbox, "assert f() == 1", code=code)
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline and any_process_with(mark):
        time.sleep(0.05)
    assert not any_process_with(mark)


def any_process_with(mark: str) -> bool:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if mark.encode() in (entry / "cmdline").read_bytes():
                    return True
            except OSError:
                continue
    return False


def test_closing_the_sandbox_ends_all_its_processes() -> None:
    from fusechat.sandbox.inside.processes import descendants

    before = set(descendants(os.getpid()))
    with Sandbox("auto", workers=2, quiet=True) as sandbox:
        list(
            sandbox.judge_all(
                Case(str(n), ("x = 1",), CodeTests(asserts=("assert x == 1",))) for n in range(4)
            )
        )
        assert set(descendants(os.getpid())) - before
    assert not set(descendants(os.getpid())) - before
