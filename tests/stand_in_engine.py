"""An engine without a model: answers with the request's seed, two at a time, and can be told to die or be slow."""

import os
import signal
import time
from collections.abc import Iterable, Iterator

from fusechat.errors import BadInput
from fusechat.generation import EngineFailure, GenerationRequest, GenerationResult


class StandInEngine:
    """Follows the engine's interface; `dies` decides what a request with `max_tokens` 666 does to it."""

    max_in_flight = 2
    max_model_len = 128

    def __init__(
        self, dies: str = "", delay_s: float = 0.0, starts: bool = True, refuses: bool = False
    ) -> None:
        self.dies, self.starts, self.refuses = dies, starts, refuses
        # Engines of one run are made alike, and differ by their environments.
        self.delay_s = float(os.environ.get("STAND_IN_DELAY_S", delay_s))

    def __enter__(self) -> "StandInEngine":
        if not self.starts:
            raise EngineFailure("no memory for the weights")
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def generate(self, requests: Iterable[GenerationRequest | None]) -> Iterator[GenerationResult]:
        """Answers each request after the delay, with the process that did it as the text's second word."""
        waiting: list[GenerationRequest] = []
        for request in requests:
            if request is not None:
                waiting.append(request)
                if len(waiting) < self.max_in_flight:
                    continue
            while waiting:
                first = waiting.pop(0)
                time.sleep(self.delay_s)
                if self.refuses:
                    raise BadInput(f"{first.request_id}: longer than the context")
                if first.max_tokens == 666:
                    self._die()
                yield GenerationResult(first.request_id, f"{first.seed} {os.getpid()}", 2, "stop")

    def _die(self) -> None:
        marker = self.dies
        try:
            # The first engine that gets here dies; after that, the request is answered as any other.
            os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            if not marker.endswith("always"):
                return
        os.kill(os.getpid(), signal.SIGKILL)
