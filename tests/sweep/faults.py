"""The faults of the sweep: each is tried on a step, and says how often it was tried and how often survived.

Survived means: nothing is lost, nothing doubled, nothing stands half-made under a final name, the exit status is the
promised one with a line that says why, and the same command ends with the bytes of a run that nothing disturbed.
"""

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from sweep.launching import Launched, finished, powers_can_be_dropped
from sweep.steps import Step

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
EXIT_BAD_INPUT, EXIT_INTERRUPTED = 2, 130
# Files that a finished file has beside it, and what an output folder may hold of the tracker.
IGNORED = ("wandb", ".lock")


@dataclass
class Outcome:
    """What came of a fault on a step."""

    step: str
    fault: str
    tried: int = 0
    survived: int = 0
    complaints: list[str] = field(default_factory=list)
    skipped: str | None = None

    def count(self, complaint: str | None) -> None:
        """One try: survived where there is nothing to complain of."""
        self.tried += 1
        self.survived += complaint is None
        if complaint is not None:
            self.complaints.append(complaint)


@dataclass(frozen=True)
class Bench:
    """Where a step is tried: a folder of its own, what an undisturbed run gives and how long it takes."""

    step: Step
    folder: Path
    expected: dict[str, bytes]
    seconds: float
    moments: int  # how often it is killed, and on how many sizes of a full disk it is tried
    seed: int

    def chance(self, fault: str) -> random.Random:
        """Random numbers of this step and fault alone."""
        return random.Random(f"{self.seed} {self.step.name} {fault}")

    def new_output(self, name: str) -> Path:
        """An output folder that is not there yet."""
        output = self.folder / name
        shutil.rmtree(output, ignore_errors=True)
        return output

    def log(self, name: str = "log") -> Path:
        """Where a run's output goes."""
        return self.folder / f"{name}.txt"

    def half_made(self, output: Path) -> str | None:
        """A complaint where a file under its final name is not what an undisturbed run makes of it."""
        found = self.step.results(output)
        # A trainer's metrics grow while it runs, and the features of a fit are chunk by chunk.
        wrong = [
            name
            for name, data in found.items()
            if data != self.expected.get(name) and name != "metrics.jsonl"
        ]
        return f"{', '.join(wrong)}: half-made under a final name" if wrong else None

    def goes_on(self, output: Path, *, tries: int = 3) -> str | None:
        """Gives the same command again; a complaint unless it ends with the expected bytes."""
        status, text = finished(self.step.command(output), self.log())
        # Helpers of a killed process may hold its lock for a moment longer than it lives.
        while status == EXIT_BAD_INPUT and "another run" in text and tries > 0:
            time.sleep(0.3)
            tries -= 1
            status, text = finished(self.step.command(output), self.log())
        if status != 0:
            return f"the same command ends with {status}: {_tail(text)}"
        return self.differs(output)

    def differs(self, output: Path) -> str | None:
        """A complaint where the output is not that of an undisturbed run, or something is left beside it."""
        found = self.step.results(output)
        wrong = [name for name in {*found, *self.expected} if found.get(name) != self.expected.get(name)]
        if wrong:
            return f"{', '.join(sorted(wrong))}: other bytes than those of an undisturbed run"
        left = [path.name for path in output.rglob("*") if path.name.endswith((".partial", ".ordered"))]
        return f"left behind: {', '.join(left)}" if left else None


def make_bench(step: Step, folder: Path, *, moments: int, seed: int) -> Bench:
    """Runs the step undisturbed, twice: the second run must say that all is there and change nothing."""
    folder.mkdir(parents=True)
    folder.chmod(0o755)
    output = folder / "undisturbed"
    start = time.monotonic()
    status, text = finished(step.command(output), folder / "log.txt")
    seconds = time.monotonic() - start
    if status != 0:
        raise RuntimeError(f"{step.name}: an undisturbed run ends with {status}:\n{text[-3000:]}")
    expected = step.results(output)
    if len(expected) < len(step.compared):
        raise RuntimeError(f"{step.name}: makes {sorted(expected)} only, not all of {step.compared}")
    return Bench(step, folder, expected, seconds, moments, seed)


def killed(bench: Bench, outcome: Outcome, signal_number: signal.Signals) -> None:
    """Killed at random moments: some by the clock, some by the size of what is written; then it goes on."""
    chance = bench.chance(outcome.fault)
    output = bench.new_output(outcome.fault)
    whole_size = _size(bench.folder / "undisturbed")
    for number in range(bench.moments):
        run = Launched(bench.step.command(output), bench.log())
        size = chance.randrange(whole_size) if chance.random() < 0.5 else None
        deadline = time.monotonic() + (60 if size is not None else chance.uniform(0, bench.seconds))
        while (
            run.status is None
            and time.monotonic() < deadline
            and not (size is not None and _size(output) >= size)
        ):
            time.sleep(0.002)
        # Ctrl-C reaches all processes of a terminal; a kill mostly just one, sometimes all.
        group = signal_number == signal.SIGINT or (signal_number == signal.SIGKILL and chance.random() < 0.5)
        run.send(signal_number, group=group)
        status = run.wait()
        complaint = _killed_badly(status, signal_number, run.output()) or bench.half_made(output)
        if number + 1 == bench.moments:
            complaint = complaint or bench.goes_on(output)
        outcome.count(complaint)


def _killed_badly(status: int, signal_number: signal.Signals, text: str) -> str | None:
    # Before a script has begun, and after it has ended, Python itself dies of the signal.
    expected = {0, -signal_number}
    if signal_number != signal.SIGKILL:
        expected.add(EXIT_INTERRUPTED)
    if status == EXIT_BAD_INPUT and "another run" in text:
        return None  # of the run that was killed before, whose helpers are about to end
    if signal_number == signal.SIGINT and "Fatal Python error: init_" in text:
        return None  # Python's own way to die of it while it starts
    if status not in expected:
        return f"{signal_number.name}: ends with {status}: {_tail(text)}"
    if status == EXIT_INTERRUPTED and "interrupted: the same command goes on" not in text:
        return f"{signal_number.name}: does not say that it goes on: {_tail(text)}"
    return None


def full_disk(bench: Bench, outcome: Outcome) -> None:
    """The disk is full after a random number of bytes; once there is room, the same command goes on."""
    place = bench.folder / "small disk"
    if os.getuid() != 0:
        outcome.skipped = "needs root, to mount a small disk"
        return
    chance = bench.chance(outcome.fault)
    pages = max(2, _size(bench.folder / "undisturbed", blocks=True) // 4096)
    for _ in range(bench.moments):
        with small_disk(place, kib=4 * chance.randrange(1, pages)) as mounted:
            if not mounted:
                outcome.skipped = "mounting a small disk is not allowed here"
                return
            output = place  # as deep as an undisturbed one: the report has relative links
            status, text = finished(bench.step.command(output), bench.log())
            complaint = bench.half_made(output)
            if status not in (0, EXIT_BAD_INPUT) or "Traceback" in text:
                complaint = f"ends with {status}: {_tail(text)}"
            elif status == EXIT_BAD_INPUT and not ("o space" in text and "error:" in text):
                complaint = f"does not name the full disk: {_tail(text)}"
            subprocess.run(["mount", "-o", "remount,size=256m", str(place)], check=True)
            outcome.count(complaint or bench.goes_on(output))


@contextmanager
def small_disk(place: Path, *, kib: int) -> Iterator[bool]:
    """A disk of that size at `place` while the block lasts; False where mounting is not allowed."""
    place.mkdir(exist_ok=True)
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={kib}k", "sweep", str(place)], capture_output=True
    )
    try:
        yield mount.returncode == 0
    finally:
        if mount.returncode == 0:
            subprocess.run(["umount", "-l", str(place)], check=True)


def read_only(bench: Bench, outcome: Outcome) -> None:
    """An output folder without permission to write."""
    reason = powers_can_be_dropped()
    if reason is not None:
        outcome.skipped = reason
        return
    folder = bench.new_output("read only")
    folder.mkdir()
    folder.chmod(0o555)
    command = bench.step.command(folder / "output", preloaded=False)
    status, text = finished(replace(command, without_powers=True), bench.log())
    complaint = None
    if status != EXIT_BAD_INPUT or "Traceback" in text:
        complaint = f"ends with {status}: {_tail(text)}"
    elif "ermission denied" not in text or str(folder) not in text:
        complaint = f"does not name the folder and the fault: {_tail(text)}"
    elif list(folder.iterdir()):
        complaint = "wrote into a folder without permission"
    outcome.count(complaint)


def two_copies(bench: Bench, outcome: Outcome) -> None:
    """While a run holds the output (stopped, so that it stays so), a second one is refused; the first ends well.

    Where the second is there before the first holds anything, it is the first that is refused.
    """
    chance = bench.chance(outcome.fault)
    for _ in range(max(1, bench.moments // 2)):
        output = bench.new_output("two copies")
        first = Launched(bench.step.command(output), bench.log("first"))
        while first.status is None and not _is_claimed(output):
            time.sleep(0.002)
        time.sleep(chance.uniform(0, bench.seconds / 10))
        first.send(signal.SIGSTOP, group=False)
        held = first.status is None and _is_claimed(output)
        status, text = finished(bench.step.command(output), bench.log("second"))
        first.send(signal.SIGCONT, group=False)
        complaint = None
        if not _is_refused(status, text) and (status != 0 or (held and bench.step.exclusive)):
            complaint = f"the second run ends with {status}: {_tail(text)}"
        first_status, first_text = first.wait(), first.output()
        if (
            complaint is None
            and first_status != 0
            and not (status == 0 and _is_refused(first_status, first_text))
        ):
            complaint = f"the first run ends with {first_status}: {_tail(first_text)}"
        outcome.count(complaint or bench.differs(output))


def _is_refused(status: int, text: str) -> bool:
    return status == EXIT_BAD_INPUT and "another run" in text


def strange_surroundings(bench: Bench, outcome: Outcome) -> None:
    """From another folder, under a path with spaces and foreign letters, C locale, no HOME, W&B without a login."""
    output = bench.new_output("mit Lücken und 中文")
    command = bench.step.command(output, preloaded=False, report_to="wandb", LC_ALL="C")
    environment = {name: value for name, value in command.environment.items() if name not in ("HOME", "LANG")}
    elsewhere = bench.folder / "another folder"
    elsewhere.mkdir(exist_ok=True)
    strange = replace(command, environment=environment, cwd=str(elsewhere))
    status, text = finished(strange, bench.log())
    complaint = bench.differs(output) if status == 0 else f"ends with {status}: {_tail(text)}"
    if complaint is None and not list(output.parent.rglob("offline-run-*")) and bench.step.name != "report":
        complaint = f"no offline W&B run: {_tail(text)}"
    if complaint is None and list(elsewhere.iterdir()):
        complaint = f"wrote into the current folder: {[path.name for path in elsewhere.iterdir()]}"
    outcome.count(complaint)


def again(bench: Bench, outcome: Outcome) -> None:
    """The same command on a finished output says so, changes nothing and ends with 0."""
    output = bench.folder / "undisturbed"
    before = {path: path.stat().st_mtime_ns for path in output.rglob("*") if path.is_file()}
    status, text = finished(bench.step.command(output), bench.log())
    complaint = bench.differs(output) if status == 0 else f"ends with {status}: {_tail(text)}"
    names = {
        name for name in bench.expected if name.endswith((".jsonl", ".safetensors")) and "items" not in name
    }
    touched = [name for name in names if (output / name).stat().st_mtime_ns != before[output / name]]
    if complaint is None and touched:
        complaint = f"wrote {', '.join(touched)} again"
    if complaint is None and "complete already" not in text and "answers are there" not in text and names:
        complaint = f"does not say that all is there: {_tail(text)}"
    outcome.count(complaint)


def _is_claimed(output: Path) -> bool:
    if (output / ".lock").exists():
        return True
    return any(path.name.endswith((".partial", ".partial.run.json")) for path in _files(output))


def _files(folder: Path) -> Iterator[Path]:
    """Files below a folder in which a running script makes and removes others."""
    for parent, _, names in os.walk(folder):
        yield from (Path(parent, name) for name in names)


def _size(folder: Path, *, blocks: bool = False) -> int:
    total = 0
    for path in _files(folder):
        with suppress(OSError):
            size = path.stat().st_size
            total += -(-size // 4096) * 4096 if blocks else size
    return total


def _tail(text: str) -> str:
    return " | ".join(text.strip().splitlines()[-4:])[-500:]


def signal_fault(signal_number: signal.Signals) -> Callable[[Bench, Outcome], None]:
    """The fault that sends this signal."""

    def fault(bench: Bench, outcome: Outcome) -> None:
        killed(bench, outcome, signal_number)

    return fault
