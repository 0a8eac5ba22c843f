"""Run the whole recipe on small real models, with the very scripts that the large one uses.

    python demo/run_demo.py --run-dir runs/demo --sources smollm2,gemma

Reads: nothing but this repository and the installed packages.
Writes: everything under RUN_DIR (prompts, responses, scores, pairs, models, evaluation, report.html), and the source
models as ordinary folders beside it. Prints each command before it runs and stops at the first that fails, with its exit
status; the same command goes on from there, since every step knows what it has done already.
"""

import os
import shlex
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from demo.steps import FULL, MODEL_FOLDERS, SMOKE, Demo, Step, all_steps
from demo.summary import print_summary
from fusechat.command_line import parse_args, run
from fusechat.errors import BadInput

ROOT = Path(__file__).resolve().parent.parent


@dataclass(kw_only=True)
class Args:
    """Settings of the demo."""

    run_dir: Path = Path("runs/demo")
    """Folder that gets everything the run makes."""
    models_dir: Path | None = None
    """Folder of the source models (default: source_models beside the run's folder)."""
    sources: str = "smollm2,gemma"
    """Source models, separated by commas; `smollm2` alone does without Gemma's weights."""
    smoke: bool = False
    """A handful of prompts, a few training steps: shows that everything works, in a few minutes."""
    development: bool = False
    """Evaluate on development problems instead of the held-out ones; for tuning settings."""
    report_to: Literal["wandb", "none"] = "none"
    """Where every step's settings and curves go."""


def parse_sources(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    unknown = [name for name in names if name not in MODEL_FOLDERS]
    if unknown or not names:
        raise BadInput(
            f"--sources {text}: name one or more of {', '.join(MODEL_FOLDERS)}, separated by commas"
        )
    return names


def short(path: Path) -> Path:
    """The path as seen from the repository's root, where the commands run."""
    path = path.resolve()
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


def runnable(command: list[str]) -> list[str]:
    """The printed command with the programs of this very environment."""
    program = command[0]
    if program == "python":
        return [sys.executable, *command[1:]]
    beside = Path(sys.executable).parent / program
    return [str(beside) if beside.exists() else shutil.which(program) or program, *command[1:]]


def run_step(step: Step, number: int, count: int) -> float:
    """Print and run one command; a failing one ends the demo with the same exit status."""
    command = step.command()
    print(f"\n[{number}/{count}] {step.title}\n$ {shlex.join(command)}", flush=True)
    # The demo's models are local: no step needs to ask the Hub for anything.
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    start = time.monotonic()
    status = subprocess.run(runnable(command), cwd=ROOT, env=environment).returncode
    seconds = time.monotonic() - start
    if status != 0:
        print(
            f"\nstopped: step {number} ({step.title}) ended with status {status} after {seconds:.0f} s; "
            "the same command goes on from here",
            file=sys.stderr,
        )
        # A step that a signal ended has a negative status.
        sys.exit(status if status > 0 else 128 - status)
    print(f"[{number}/{count}] done in {seconds:.0f} s", flush=True)
    return seconds


def main() -> None:
    args = parse_args(Args)
    run_dir = short(args.run_dir)
    models_dir = short(args.models_dir or args.run_dir.resolve().parent / "source_models")
    demo = Demo(
        run_dir=run_dir,
        models_dir=models_dir,
        sources=parse_sources(args.sources),
        sizes=SMOKE if args.smoke else FULL,
        report_to=args.report_to,
        make_prompts_flags=("--heldout-part", "development") if args.development else (),
    )
    steps = all_steps(demo)
    seconds = {step.title: run_step(step, number, len(steps)) for number, step in enumerate(steps, start=1)}
    os.chdir(ROOT)
    print_summary(demo, seconds)


if __name__ == "__main__":
    run(main)
