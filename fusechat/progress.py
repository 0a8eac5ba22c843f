"""Progress: a tqdm bar on a terminal, a plain line now and then in a log file."""

import sys
import time
from types import TracebackType

from tqdm import tqdm

LOG_EVERY_S = 15.0


class Progress:
    """Counts finished items and shows rate, ETA and a few figures.

    Use as a context manager; `update(1, cut="3 %")` counts one item and shows the figure from then on.
    """

    def __init__(self, total: int | None, *, unit: str, description: str, initial: int = 0) -> None:
        self.total, self.unit, self.description, self.count = total, unit, description, initial
        self._initial = initial
        self._start = self._last_line = time.monotonic()
        self._figures: dict[str, object] = {}
        self._bar: tqdm | None = None
        if sys.stderr.isatty():
            self._bar = tqdm(
                total=total, initial=initial, unit=f" {unit}", desc=description, dynamic_ncols=True
            )

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()
        elif self.count > self._initial:
            self._print_line()

    @property
    def rate(self) -> float:
        """Items a second since the start, without those that an earlier run had done."""
        return (self.count - self._initial) / max(time.monotonic() - self._start, 1e-9)

    def update(self, items: int = 1, **figures: object) -> None:
        """Counts `items` more; `figures` are shown behind the rate."""
        self.count += items
        self._figures.update(figures)
        if self._bar is not None:
            self._bar.update(items)
            if figures:
                self._bar.set_postfix({name: _short(value) for name, value in self._figures.items()})
        elif time.monotonic() - self._last_line >= LOG_EVERY_S:
            self._print_line()

    def _print_line(self) -> None:
        self._last_line = time.monotonic()
        parts = [
            f"{self.description}: {self.count}" + (f"/{self.total}" if self.total else "") + f" {self.unit}"
        ]
        parts.append(f"{self.rate:.1f}/s")
        if self.total and self.rate > 0 and self.count < self.total:
            parts.append(f"ETA {_duration((self.total - self.count) / self.rate)}")
        parts += [f"{name} {_short(value)}" for name, value in self._figures.items()]
        print(", ".join(parts), file=sys.stderr, flush=True)


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"
