"""Run tracking with W&B that never blocks or fails a run.

Nobody logged in, no network, a server that does not answer: the run is logged offline (or, in the worst
case, not at all) and goes on. `wandb sync DIR` uploads an offline run later.
"""

import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

PROJECT = "fusechat-3.0"
INIT_TIMEOUT_S = 30
FINISH_TIMEOUT_S = 60


class Tracker(Protocol):
    """What a step tells its tracker."""

    def log(self, figures: Mapping[str, Any], *, step: int | None = None) -> None:
        """Logs figures, at a step where there is one."""

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Logs a table."""

    def image(self, name: str, path: Path) -> None:
        """Logs a picture file."""

    def finish(self) -> None:
        """Ends the run; call it once, at the end."""


class NoTracker:
    """Tracks nothing (`--report-to none`)."""

    def log(self, figures: Mapping[str, Any], *, step: int | None = None) -> None:
        """Does nothing."""

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Does nothing."""

    def image(self, name: str, path: Path) -> None:
        """Does nothing."""

    def finish(self) -> None:
        """Does nothing."""


class WandbTracker:
    """A W&B run; the first fault is told once and ends the tracking, not the run."""

    def __init__(self, run: Any) -> None:
        self._run: Any | None = run

    def log(self, figures: Mapping[str, Any], *, step: int | None = None) -> None:
        """Logs figures; those that are None are left out."""
        self._safely(lambda run: run.log({k: v for k, v in figures.items() if v is not None}, step=step))

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Logs a table."""

        def send(run: Any) -> None:
            import wandb

            run.log({name: wandb.Table(columns=list(columns), data=[list(row) for row in rows])})

        self._safely(send)

    def image(self, name: str, path: Path) -> None:
        """Logs a picture file."""

        def send(run: Any) -> None:
            import wandb

            run.log({name: wandb.Image(str(path))})

        self._safely(send)

    def finish(self) -> None:
        """Ends the run; what is not uploaded after a minute stays on disk for `wandb sync`."""
        run, self._run = self._run, None
        if run is None:
            return
        # A daemon thread: with the network gone, wandb's own finish() would wait without end.
        thread = threading.Thread(target=lambda: _quietly(run.finish), daemon=True)
        thread.start()
        thread.join(FINISH_TIMEOUT_S)
        if thread.is_alive():
            _tell(f"W&B did not finish within {FINISH_TIMEOUT_S} s; `wandb sync` uploads the rest later")

    def _safely(self, send: Callable[[Any], None]) -> None:
        if self._run is None:
            return
        try:
            send(self._run)
        except Exception as error:
            _tell(f"W&B logging stopped ({type(error).__name__}: {error}); the run goes on without it")
            self._run = None


def start_tracking(
    report_to: str, *, step: str, name: str | None, config: Mapping[str, Any], directory: Path
) -> Tracker:
    """Starts tracking one step of the recipe.

    report_to: "wandb" or "none". step: job type, e.g. "sample". name: the run's name, default: the step.
    config: the settings to record. directory: where wandb keeps its files (a folder `wandb` inside it).
    """
    if report_to != "wandb":
        return NoTracker()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        _give_wandb_a_home(directory)
        import wandb

        run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            job_type=step,
            name=name or step,
            config=dict(config),
            dir=str(directory),
            mode=wandb_mode(),
            settings=wandb.Settings(init_timeout=INIT_TIMEOUT_S, silent=True),
        )
    except Exception as error:
        _tell(f"W&B could not start ({type(error).__name__}: {error}); the run goes on without it")
        return NoTracker()
    return WandbTracker(run)


def wandb_mode() -> str:
    """WANDB_MODE where set; else online for somebody logged in, offline otherwise. Never asks."""
    if os.environ.get("WANDB_MODE"):
        return os.environ["WANDB_MODE"]
    if os.environ.get("WANDB_API_KEY"):
        return "online"
    netrc = Path(os.environ.get("NETRC") or Path(os.path.expanduser("~")) / ".netrc")
    try:
        logged_in = "wandb" in netrc.read_text(encoding="utf-8", errors="replace")
    except OSError:
        logged_in = False
    return "online" if logged_in else "offline"


def _give_wandb_a_home(directory: Path) -> None:
    """Without a home that can be written, wandb's caches and logs go into `directory`, not onto the terminal."""
    home = os.environ.get("HOME", "")
    if os.path.isdir(home) and os.access(home, os.W_OK):
        return
    for name in ("CACHE", "CONFIG", "DATA"):
        os.environ.setdefault(f"WANDB_{name}_DIR", str(directory / "wandb" / name.lower()))


def _quietly(action: Callable[[], Any]) -> None:
    try:
        action()
    except Exception as error:
        _tell(f"W&B did not end cleanly ({type(error).__name__}: {error})")


def _tell(message: str) -> None:
    print(f"note: {message}", file=sys.stderr, flush=True)
