"""Runs a trainer in forked children and kills them with SIGKILL at random moments until one comes through, for tests.

    kill_driver.py STAGE SEED MIN_KILLS FLAGS...      prints the number of kills

Forking keeps the libraries loaded, so that an attempt costs its training alone.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any


def has_ended(child: int) -> bool:
    """Whether the child is through, without taking its status away."""
    return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def logged_steps(metrics: Path) -> int:
    """Whole lines of metrics.jsonl: the steps that are through."""
    return metrics.read_bytes().count(b"\n") if metrics.exists() else 0


def wait_until_the_moment(child: int, metrics: Path, generator: random.Random, *, forever: bool) -> None:
    """Waits for the child's end or the moment to kill it: any time from its start on, or some steps later.

    A run has steps to show only once it has loaded its model, so a moment drawn from the clock alone would on
    a slow machine always fall before the first checkpoint.
    """
    before, steps = logged_steps(metrics), generator.choice((0, 1, 2, 3, 4))
    extra_s = generator.uniform(0, 0.06 if steps else 0.5)
    while not has_ended(child) and (forever or (steps and logged_steps(metrics) < before + steps)):
        # A resumed run first cuts the file back to its checkpoint.
        before = min(before, logged_steps(metrics))
        time.sleep(0.001)
    time.sleep(0 if forever else extra_s)


def main() -> None:
    stage, seed, min_kills = sys.argv.pop(1), int(sys.argv.pop(1)), int(sys.argv.pop(1))
    import torch  # noqa: F401

    import training.training_loop  # noqa: F401
    from fusechat.command_line import parse_args

    script: Any = __import__(f"training.train_{stage}", fromlist=["Args"])
    args = parse_args(script.Args)
    generator = random.Random(seed)
    kills = 0
    while True:
        child = os.fork()
        if child == 0:
            script.train(args)
            os._exit(0)
        wait_until_the_moment(child, args.output_dir / "metrics.jsonl", generator, forever=kills >= min_kills)
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            if status != 0:
                sys.exit(f"the trainer ended with status {status}")
            break
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        kills += 1
    print(f"kills: {kills}")


if __name__ == "__main__":
    main()
