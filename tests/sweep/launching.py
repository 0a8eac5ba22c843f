"""Starts the project's scripts so that they can be watched and killed: each in a process (and group) of its own.

Scripts that load torch can be forked from a server that has loaded it already; it is the same code in a fresh
process, a few seconds sooner.
"""

import functools
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweep.stand_in import run_script, take_vllms_place

ROOT = Path(__file__).resolve().parent.parent.parent
STAND_IN = ROOT / "tests" / "sweep" / "stand_in.py"
# Root without root's powers: permissions count for it as for everybody.
WITHOUT_POWERS = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")
PRELOADED = [
    "torch", "transformers.models.llama.modeling_llama", "accelerate", "safetensors.torch", "matplotlib.pyplot", "httpx",
]  # fmt: skip
TIMEOUT_S = 150.0
# multiprocessing looks at all of its processes whenever it starts one: of two threads that find the same one ended, the
# second reads no status any more and takes it for 255.
STARTING_OR_LOOKING = threading.Lock()


@dataclass(frozen=True)
class Command:
    """A script of the project with its flags, and the surroundings in which it runs."""

    script: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    stand_in: bool = False
    preloaded: bool = False
    cwd: str = "/"
    without_powers: bool = False


class Launched:
    """A script that was started."""

    def __init__(self, command: Command, log: Path) -> None:
        self.log = log
        self._process: Any
        if command.preloaded:
            self._process = _fork_server().Process(target=_become, args=(command, str(log)))
            with STARTING_OR_LOOKING:
                self._process.start()
        else:
            start = [str(STAND_IN)] if command.stand_in else []
            powers = WITHOUT_POWERS if command.without_powers and os.getuid() == 0 else ()
            with log.open("wb") as file:
                self._process = subprocess.Popen(
                    [*powers, sys.executable, *start, str(ROOT / command.script), *command.arguments],
                    stdin=subprocess.DEVNULL, stdout=file, stderr=file, cwd=command.cwd,
                    env=dict(command.environment), start_new_session=True,
                )  # fmt: skip
        self.pid: int = self._process.pid

    @property
    def status(self) -> int | None:
        """None while it runs; the exit status, or minus the signal that ended it."""
        if isinstance(self._process, subprocess.Popen):
            return self._process.poll()
        with STARTING_OR_LOOKING:
            return self._process.exitcode

    def wait(self, timeout_s: float = TIMEOUT_S) -> int:
        """Its exit status; a script that does not end in time is killed and counts as 124."""
        deadline = time.monotonic() + timeout_s
        while self.status is None and time.monotonic() < deadline:
            time.sleep(0.003)
        if self.status is None:
            self.send(signal.SIGKILL, group=True)
            return 124
        return self.status

    def send(self, signal_number: int, *, group: bool) -> None:
        """Sends a signal to the process, or to all processes that it started as well."""
        try:
            (os.killpg if group else os.kill)(self.pid, signal_number)
        except ProcessLookupError:
            pass

    def output(self) -> str:
        """What it has printed, on both streams."""
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""


def finished(command: Command, log: Path) -> tuple[int, str]:
    """(exit status, output) of a script that is let run to its end."""
    launched = Launched(command, log)
    return launched.wait(), launched.output()


@functools.cache
def _fork_server() -> Any:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*PRELOADED, "sweep.launching"])
    return context


def _become(command: Command, log: str) -> None:
    """Makes this forked process what `python SCRIPT` would be."""
    os.setsid()
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    # The server has closed its standard streams' Python side: lines must come out as they are printed.
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", buffering=1, closefd=False)
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", buffering=1, closefd=False)
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.chdir(command.cwd)
        os.environ.clear()
        os.environ.update(command.environment)
        if command.stand_in:
            take_vllms_place()
        run_script(str(ROOT / command.script), list(command.arguments))
    except KeyboardInterrupt:
        # Before the script has begun. Python itself would die of the signal, multiprocessing would not.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)


def clean_environment(**changes: str) -> dict[str, str]:
    """The environment that scripts get: nobody logged in to W&B, no cluster, one thread."""
    dropped = ("WANDB_", "SLURM_", "RANK", "WORLD_SIZE", "LOCAL_RANK", "NETRC", "PYTEST_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    fixed = {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    return {**kept, **fixed, "PYTHONWARNINGS": "ignore", **changes}


def powers_can_be_dropped() -> str | None:
    """Why root cannot run a script without its powers here; None where it can, and for everybody else."""
    if os.getuid() != 0:
        return None
    if shutil.which("setpriv") is None:
        return "runs as root, and setpriv is not there to drop its powers"
    check = subprocess.run([*WITHOUT_POWERS, sys.executable, "-c", ""], cwd="/", capture_output=True)
    return None if check.returncode == 0 else "runs as root, whose powers cannot be dropped here"
