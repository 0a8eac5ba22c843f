"""A request for one answer and its result, as every engine here takes and gives them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


class EngineFailure(RuntimeError):
    """The engine could not start or died; what it had answered so far has been given out already."""


@dataclass(frozen=True, kw_only=True)
class GenerationRequest:
    """One answer to sample. `prompt_token_ids` come from `fusechat.chat.prompt_token_ids`."""

    request_id: str
    prompt_token_ids: Sequence[int]
    max_tokens: int
    temperature: float = 1.0  # 0 is greedy
    top_p: float = 1.0
    top_k: int = 0  # 0: the whole vocabulary
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    stop: Sequence[str] = ()
    stop_token_ids: Sequence[int] = ()
    seed: int | None = None


@dataclass(frozen=True)
class GenerationResult:
    """A finished answer; `num_tokens` counts the tokens generated, the end-of-turn token among them."""

    request_id: str
    text: str
    num_tokens: int
    finish_reason: Literal["stop", "length"]
