"""An engine without a model in vLLM's place, and a way to run any script of the project with it.

    python tests/sweep/stand_in.py SCRIPT FLAGS...

Its answers depend on the request alone, so that a run which was killed and went on must end with the same bytes.
"""

import hashlib
import runpy
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from fusechat.generation import GenerationRequest, GenerationResult

ANSWER_S = 0.004  # long enough that kills land amid the output


class StandInEngine:
    """Takes the settings of `fusechat.vllm_engine.VLLMEngine`; answers two requests at a time, last one first."""

    def __init__(self, model: str, *, max_model_len: int | None = None, **settings: object) -> None:
        self.model, self.max_model_len = model, max_model_len or 1024

    def __enter__(self) -> "StandInEngine":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def generate(self, requests: Iterable[GenerationRequest | None]) -> Iterator[GenerationResult]:
        """An answer in words of its own for each request: out of order, as real engines give them."""
        waiting: list[GenerationRequest] = []
        for request in requests:
            if request is not None:
                waiting.append(request)
            if request is None or len(waiting) == 2:
                yield from self._answers(waiting)
        yield from self._answers(waiting)

    def _answers(self, waiting: list[GenerationRequest]) -> Iterator[GenerationResult]:
        while waiting:
            request = waiting.pop()
            time.sleep(ANSWER_S)
            content = f"{request.seed} {list(request.prompt_token_ids)}"
            digest = hashlib.sha256(content.encode()).hexdigest()
            yield GenerationResult(
                request.request_id, f"By {digest[:12]}: #### {int(digest[:2], 16)}", 9, "stop"
            )


def take_vllms_place() -> None:
    """From now on this process's scripts get the stand-in."""
    import fusechat.vllm_engine

    fusechat.vllm_engine.VLLMEngine = StandInEngine  # type: ignore[assignment,misc]


def run_script(script: str, arguments: list[str]) -> None:
    """Runs a script as `python SCRIPT ARGUMENTS` does."""
    sys.argv = [script, *arguments]
    sys.path[0] = str(Path(script).parent)
    runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    take_vllms_place()
    run_script(sys.argv[1], sys.argv[2:])
