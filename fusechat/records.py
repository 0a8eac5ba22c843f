"""The records that join the steps: one JSON object a line.

msgspec checks types while it decodes and names the field that is wrong; on these records it is several
times faster than pydantic, which counts at two million answers. Role and field names are those of TRL,
LLaMA-Factory and the Hub, so that every file can be used without this project. Unknown fields are ignored.
"""

import hashlib
import math
import re
import unicodedata
from typing import Annotated, Any, Literal

import msgspec

Domain = Literal["instruction", "math", "code", "chinese"]
FinishReason = Literal["stop", "length"]
Verdict = Literal["pass", "fail", "error", "timeout", "no_code", "bad_tests"]


class Message(msgspec.Struct):
    """One turn of a chat."""

    role: Literal["system", "user", "assistant"]
    content: str


class TestCase(msgspec.Struct):
    """One call of the entry point and the value it must return, as plain JSON data."""

    __test__ = False  # not a test for pytest

    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    expected: Any = None


class StdinCase(msgspec.Struct):
    """One run of a whole program: what it reads, what it must print."""

    stdin: str
    stdout: str


class Tests(msgspec.Struct):
    """Tests of a code prompt. Each string of `asserts` is Python source and counts as one test."""

    __test__ = False

    asserts: list[str] = []
    setup: str = ""
    entry_point: str | None = None
    cases: list[TestCase] | None = None
    stdin_stdout: list[StdinCase] | None = None


class Prompt(msgspec.Struct):
    """A prompt of a dataset. `prompt_id` comes from the dataset and the normalised text: see `prompt_id_of`."""

    prompt_id: str
    dataset: str
    domain: Domain
    messages: list[Message]
    gold_answer: str | None = None
    tests: Tests | list[str] | str | None = None
    meta: dict[str, Any] = {}

    def __post_init__(self) -> None:
        if not self.prompt_id:
            raise ValueError("prompt_id: is empty")
        if not self.messages:
            raise ValueError("messages: is empty; at least one user turn is needed")
        if self.messages[-1].role != "user":
            raise ValueError(
                f"messages: ends with a turn of {self.messages[-1].role}; the last must be the user's"
            )


class Response(msgspec.Struct):
    """One sampled answer; `response_id` is `<prompt_id>:<source>:<sample_index>`."""

    response_id: str
    prompt_id: str
    source: str
    sample_index: Annotated[int, msgspec.Meta(ge=0)]
    text: str
    finish_reason: FinishReason
    num_tokens: int | None = None
    seed: int | None = None


class RMScore(msgspec.Struct, omit_defaults=False):
    """The reward model's score of one answer, or null with a reason; never an invented number."""

    response_id: str
    rm_score: float | None
    rm_truncated: bool = False
    reason: str | None = None
    rewards: list[float] | None = None

    def __post_init__(self) -> None:
        if self.rm_score is not None and not math.isfinite(self.rm_score):
            raise ValueError(
                f"rm_score: is {self.rm_score}; it must be a finite number, or null with a reason"
            )


class CodeVerdict(msgspec.Struct):
    """What running an answer's code against its prompt's tests showed. Only `pass` counts as right."""

    response_id: str
    verdict: Verdict
    reason: str | None = None
    passed_tests: int = 0
    total_tests: int = 0
    first_failure: dict[str, Any] | None = None
    static: dict[str, Any] = {}
    code_sha256: str | None = None
    tests_sha256: str | None = None
    blocks_used: list[int] = []
    wall_s: float = 0.0
    cpu_s: float = 0.0
    max_rss_mb: float = 0.0
    stdout_tail: str = ""
    isolation: str = ""
    channel: str = ""
    limits_id: str = ""
    runner_version: str = ""


class MathVerdict(msgspec.Struct):
    """Whether an answer's final value equals the prompt's gold answer; null with a reason where unknown."""

    response_id: str
    correct: bool | None
    extracted: str | None = None
    reason: str | None = None


class SFTRow(msgspec.Struct):
    """A conversation to imitate; ends with the assistant's turn."""

    messages: list[Message]
    prompt_id: str
    dataset: str
    domain: Domain
    source: str
    rm_score: float | None = None

    def __post_init__(self) -> None:
        if not self.messages or self.messages[-1].role != "assistant":
            raise ValueError("messages: must end with an assistant turn")


class AnswerPair(msgspec.Struct):
    """Two answers to one prompt, of which `chosen` is the better."""

    prompt: list[Message]
    chosen: list[Message]
    rejected: list[Message]

    def __post_init__(self) -> None:
        if not self.prompt or self.prompt[-1].role != "user":
            raise ValueError("prompt: must end with a user turn")
        for name, answer in (("chosen", self.chosen), ("rejected", self.rejected)):
            if len(answer) != 1 or answer[0].role != "assistant":
                raise ValueError(f"{name}: must be one assistant turn")


class PreferencePair(AnswerPair):
    """A pair of answers of one source, and where it comes from."""

    prompt_id: str
    dataset: str
    domain: Domain
    source: str
    chosen_rm_score: float | None = None
    rejected_rm_score: float | None = None


def normalised_text(text: str) -> str:
    """Text for identity and de-duplication: NFKC, lower case, runs of white space made one space."""
    return " ".join(unicodedata.normalize("NFKC", text).split()).lower()


def prompt_id_of(dataset: str, messages: list[Message]) -> str:
    """The id of a prompt: dataset's short name, dash, 16 hex digits of SHA-256 over its normalised turns.

    Selecting again gives the same id, whatever the order of the input.
    """
    turns = "\x1e".join(f"{message.role}\x1f{normalised_text(message.content)}" for message in messages)
    digest = hashlib.sha256(f"{dataset}\x1d{turns}".encode("utf-8", "surrogatepass")).hexdigest()
    short_name = re.sub(r"[^a-z0-9]+", "-", dataset.rsplit("/", 1)[-1].lower()).strip("-")
    return f"{short_name}-{digest[:16]}"


def response_id_of(prompt_id: str, source: str, sample_index: int) -> str:
    """`<prompt_id>:<source>:<sample_index>`."""
    return f"{prompt_id}:{source}:{sample_index}"
