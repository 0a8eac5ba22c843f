"""What a sampling run tells while it works: rate, tokens/s, ETA, share cut by length, sample answers."""

import random
import sys
import time
from types import TracebackType

from fusechat.progress import Progress
from fusechat.records import Response
from fusechat.tracking import Tracker

LOG_EVERY_S = 30.0
NUM_EXAMPLES = 20
TOLD_REFUSALS = 5


class SamplingMonitor:
    """Follows one run; use it as a context manager around the sampling alone, so that rates are the engine's."""

    def __init__(self, total: int, done: int, tracker: Tracker, description: str) -> None:
        """total, done: answers of the whole plan, and those that an earlier run has written."""
        self._total, self._done, self._tracker, self._description = total, done, tracker, description
        self._progress: Progress | None = None
        self._answers = self._tokens = self._cut = self._refused = 0
        self._start = self._last_log = time.monotonic()
        self._examples: list[Response] = []
        self._random = random.Random(0)

    def __enter__(self) -> "SamplingMonitor":
        self._progress = Progress(
            self._total, unit="answers", description=self._description, initial=self._done
        )
        self._progress.__enter__()
        self._start = self._last_log = time.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.__exit__(kind, error, trace)
        self._log()
        self._tracker.table(
            "examples",
            ["response_id", "finish_reason", "num_tokens", "text"],
            [[r.response_id, r.finish_reason, r.num_tokens, r.text] for r in self._examples],
        )

    def saw(self, response: Response) -> None:
        """Counts one finished answer."""
        self._answers += 1
        self._tokens += response.num_tokens or 0
        self._cut += response.finish_reason == "length"
        self._keep_example(response)
        if self._progress is not None:
            self._progress.update(
                1, **{"tokens/s": round(self._tokens / self._seconds()), "cut by length": self._cut_share()}
            )
        if time.monotonic() - self._last_log >= LOG_EVERY_S:
            self._log()

    def refused(self, response_id: str, reason: str, message: str) -> None:
        """Counts an answer that will not come, and tells the first few."""
        self._refused += 1
        if self._refused <= TOLD_REFUSALS:
            print(f"note: {response_id}: {reason}: {message}", file=sys.stderr, flush=True)
        if self._progress is not None:
            self._progress.update(1)

    def _seconds(self) -> float:
        return max(time.monotonic() - self._start, 1e-9)

    def _cut_share(self) -> str:
        return f"{100 * self._cut / max(self._answers, 1):.1f} %"

    def _keep_example(self, response: Response) -> None:
        # Reservoir sampling: every answer seen so far has the same chance to be among the examples.
        if len(self._examples) < NUM_EXAMPLES:
            self._examples.append(response)
        else:
            place = self._random.randrange(self._answers)
            if place < NUM_EXAMPLES:
                self._examples[place] = response

    def _log(self) -> None:
        self._last_log = time.monotonic()
        seconds = self._seconds()  # read once: both rates are of the same time
        self._tracker.log(
            {
                "answers": self._done + self._answers,
                "answers_per_second": self._answers / seconds,
                "tokens_per_second": self._tokens / seconds,
                "cut_by_length": self._cut / max(self._answers, 1),
            }
        )
