"""Breaks every script of the recipe in every way that the sweep knows, and prints what was tried and survived.

    python tests/sweep/run_sweep.py --moments 12 --steps check_math make_pairs --faults SIGKILL full-disk

Small models and inputs, the real scripts. The full disk needs root; the read-only folder is tried
without root's powers. What cannot be tried is said. Exit status 1 where something did not survive.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from sweep.bad_inputs import bad_inputs
from sweep.faults import (
    SIGNALS,
    Bench,
    Outcome,
    again,
    full_disk,
    make_bench,
    read_only,
    signal_fault,
    strange_surroundings,
    two_copies,
)
from sweep.materials import make_materials
from sweep.steps import Step, all_steps

FAULTS: dict[str, Callable[[Bench, Outcome], None]] = {
    **{number.name: signal_fault(number) for number in SIGNALS},
    "full-disk": full_disk,
    "read-only": read_only,
    "bad-input": bad_inputs,
    "two-copies": two_copies,
    "surroundings": strange_surroundings,
    "again": again,
}


def try_step(
    step: Step,
    folder: Path,
    faults: Sequence[str],
    *,
    moments: int,
    seed: int,
    say: Callable[[str], None] = print,
) -> list[Outcome]:
    """All faults on one step."""
    bench = make_bench(step, folder / step.name, moments=moments, seed=seed)
    outcomes = []
    for name in faults:
        outcome = Outcome(step.name, name)
        FAULTS[name](bench, outcome)
        outcomes.append(outcome)
        for complaint in outcome.complaints:
            say(f"{step.name}, {name}: {complaint}")
    return outcomes


def table(outcomes: Sequence[Outcome]) -> str:
    """Steps down, faults across: survived/tried, or a dash where it could not be tried."""
    faults = [name for name in FAULTS if any(outcome.fault == name for outcome in outcomes)]
    steps = list(dict.fromkeys(outcome.step for outcome in outcomes))
    cells = {(outcome.step, outcome.fault): outcome for outcome in outcomes}
    lines = ["faults survived / tried", f"{'':16}" + "".join(f"{name:>14}" for name in faults)]
    for step in steps:
        row = [cells.get((step, name)) for name in faults]
        texts = ["-" if one is None or one.skipped else f"{one.survived}/{one.tried}" for one in row]
        lines.append(f"{step:16}" + "".join(f"{text:>14}" for text in texts))
    tried, survived = (sum(getattr(one, name) for one in outcomes) for name in ("tried", "survived"))
    lines.append(f"all: {survived} of {tried} survived")
    reasons = sorted({f"not tried: {one.fault}: {one.skipped}" for one in outcomes if one.skipped})
    return "\n".join([*lines, *reasons])


def main() -> None:
    """Command line."""
    names = [step.name for step in all_steps(Path())]
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0] if __doc__ else None, allow_abbrev=False
    )
    parser.add_argument(
        "--moments", type=int, default=8, help="kills of each kind, and full disks, a step (8)"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of all random moments (0)")
    parser.add_argument("--steps", nargs="+", choices=names, default=names, help="scripts to try (all)")
    parser.add_argument(
        "--faults", nargs="+", choices=list(FAULTS), default=list(FAULTS), help="faults (all)"
    )
    parser.add_argument("--jobs", type=int, default=2, help="scripts tried at the same time (2)")
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="sweep."))
    folder.chmod(0o755)
    try:
        steps = [step for step in all_steps(make_materials(folder / "materials")) if step.name in args.steps]
        trial = partial(try_step, folder=folder, faults=args.faults, moments=args.moments, seed=args.seed)
        with ThreadPoolExecutor(args.jobs) as pool:
            outcomes = [outcome for one in pool.map(trial, steps) for outcome in one]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"\n{table(outcomes)}")
    sys.exit(any(outcome.complaints for outcome in outcomes))


if __name__ == "__main__":
    main()
