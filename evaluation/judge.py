"""A judge model behind an OpenAI-compatible chat server, with every answer kept on disk.

Answers are appended to judgments/<model>/<benchmark>.jsonl, keyed by a hash of the request, so that no call is paid for
twice; the later of two lines counts. A call that fails for good, and a reply that is empty or a refusal, is missing,
never a low score. The key comes from OPENAI_API_KEY.
"""

import concurrent.futures
import hashlib
import json
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from fusechat.errors import BadInput
from fusechat.output_file import encode_line
from fusechat.progress import Progress

PROBE_TIMEOUT_S = 20.0
RETRIED_STATUS = {408, 409, 425, 429}


@dataclass(frozen=True)
class JudgeSettings:
    """How the server is called."""

    model: str
    base_url: str
    concurrency: int = 16
    tries: int = 16
    wait_s: float = 10.0
    timeout_s: float = 300.0


@dataclass(frozen=True)
class Question:
    """One call: a chat and its sampling settings."""

    messages: tuple[dict[str, str], ...]
    max_tokens: int | None = None
    temperature: float = 0.0
    top_logprobs: int = 0

    def body(self, model: str) -> dict[str, Any]:
        """The request's JSON."""
        body: dict[str, Any] = {
            "model": model,
            "messages": list(self.messages),
            "temperature": self.temperature,
        }
        if self.max_tokens is not None:
            body["max_tokens"] = self.max_tokens
        if self.top_logprobs:
            body |= {"logprobs": True, "top_logprobs": self.top_logprobs}
        return body


class Judgment(msgspec.Struct):
    """One line of judgments/<model>/<benchmark>.jsonl."""

    judgment_id: str
    judge: str
    text: str
    # The first token's alternatives with their log probabilities, where they were asked for.
    first_token: dict[str, float] | None = None


class CallFailed(Exception):
    """A call that gave no answer; the message says why."""


@dataclass
class Judge:
    """The judge for one model's answers to one benchmark. Without settings only kept judgments are given."""

    path: Path
    judge_model: str
    settings: JudgeSettings | None = None
    known: dict[str, Judgment] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.path.exists():
            self.known = read_judgments(self.path)

    def ask_all(
        self,
        questions: Sequence[Question],
        description: str,
        is_usable: Callable[[Judgment], bool] | None = None,
    ) -> list[Judgment | None]:
        """The judgment of each question; None where the call failed or, without settings, was never made.

        A kept judgment that is not usable is asked for once more.
        """
        ids = [question_id(question, self.judge_model) for question in questions]
        missing = {
            key: question
            for key, question in zip(ids, questions, strict=True)
            if key not in self.known or (is_usable is not None and not is_usable(self.known[key]))
        }
        if missing and self.settings is not None:
            self._call(missing, self.settings, description)
        return [self.known.get(key) for key in ids]

    def why_missing(self, question: Question) -> str:
        """The reason of a failed call."""
        return self.failures.get(question_id(question, self.judge_model), "no judgment")

    def _call(self, missing: dict[str, Question], settings: JudgeSettings, description: str) -> None:
        import httpx

        headers = {"Authorization": f"Bearer {os.environ.get('OPENAI_API_KEY', 'none')}"}
        stop = threading.Event()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with (
            httpx.Client(timeout=settings.timeout_s, headers=headers) as client,
            self.path.open("ab") as file,
            concurrent.futures.ThreadPoolExecutor(settings.concurrency) as pool,
            Progress(len(missing), unit="judgments", description=description) as progress,
        ):
            if fault := fault_of_server(client, settings):
                self.failures |= dict.fromkeys(missing, fault)
                return
            calls = {pool.submit(call, client, settings, one, stop): key for key, one in missing.items()}
            try:
                for done in concurrent.futures.as_completed(calls):
                    key = calls[done]
                    try:
                        text, first_token = done.result()
                    except CallFailed as error:
                        self.failures[key] = str(error)
                    else:
                        judgment = Judgment(key, settings.model, text, first_token)
                        file.write(encode_line(msgspec.to_builtins(judgment)))
                        file.flush()
                        self.known[key] = judgment
                    progress.update(1, failed=len(self.failures))
            finally:
                stop.set()
                for one in calls:
                    one.cancel()


def question_id(question: Question, model: str) -> str:
    """SHA-256 of the request: the same question is never asked twice."""
    text = json.dumps(question.body(model), sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def read_judgments(path: Path) -> dict[str, Judgment]:
    """Kept judgments; a torn last line (a killed run) is cut off."""
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if len(whole) < len(data):
        with path.open("r+b") as file:
            file.truncate(len(whole))
    decoder = msgspec.json.Decoder(Judgment)
    judgments = {}
    for number, line in enumerate(whole.splitlines(), start=1):
        try:
            judgment = decoder.decode(line)
        except msgspec.DecodeError as error:
            raise BadInput(f"{path}:{number}: {error}; remove the line to have it judged again") from None
        judgments[judgment.judgment_id] = judgment
    return judgments


def fault_of_server(client: Any, settings: JudgeSettings) -> str | None:
    """What is wrong with a server that is down or refuses the key: then no call is tried; None for one that answers."""
    import httpx

    url = f"{settings.base_url.rstrip('/')}/models"
    try:
        status = client.get(url, timeout=PROBE_TIMEOUT_S).status_code
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return (
            f"--judge-base-url {settings.base_url}: does not answer ({type(error).__name__}: {error}); "
            "start the server, or mend the URL (it ends in /v1 mostly)"
        )
    if status in (401, 403):
        return f"--judge-base-url {settings.base_url}: refuses the key; set OPENAI_API_KEY"
    return None


def call(
    client: Any, settings: JudgeSettings, question: Question, stop: threading.Event
) -> tuple[str, dict[str, float] | None]:
    """One answer, tried again where that can help."""
    import httpx

    reason = "not tried"
    for attempt in range(settings.tries):
        if stop.is_set() or (attempt and stop.wait(settings.wait_s)):
            raise CallFailed("interrupted")
        try:
            response = client.post(
                f"{settings.base_url.rstrip('/')}/chat/completions", json=question.body(settings.model)
            )
        except httpx.HTTPError as error:
            reason = f"judge: {type(error).__name__}"
            continue
        if response.status_code == 200:
            try:
                return parse_answer(response.json(), question.top_logprobs > 0)
            except (ValueError, KeyError, IndexError, TypeError):
                reason = "judge: an answer of another form"
                continue
        reason = f"judge: HTTP {response.status_code}{error_text(response)}"
        if response.status_code < 500 and response.status_code not in RETRIED_STATUS:
            break
    raise CallFailed(reason)


def error_text(response: Any) -> str:
    """What the server says of an error, in brackets; nothing where it says nothing."""
    try:
        message = " ".join(str(response.json()["error"]["message"]).split())
    except (ValueError, KeyError, TypeError):
        return ""
    return f" ({message[:100]})" if message else ""


def parse_answer(answer: Any, wants_logprobs: bool) -> tuple[str, dict[str, float] | None]:
    """Text and, where asked for, the first token's alternatives.

    Raises CallFailed for a reply without them: an empty one and a refusal are no judgment.
    """
    choice = answer["choices"][0]
    message = choice["message"]
    text = message.get("content") or ""
    if not isinstance(text, str):
        raise TypeError("content")
    if message.get("refusal"):
        raise CallFailed("judge: refused to answer")
    if not wants_logprobs:
        if not text.strip():
            raise CallFailed("judge: an empty answer")
        return text, None
    content = (choice.get("logprobs") or {}).get("content") or []
    if not content:
        raise CallFailed("judge: an answer without log probabilities")
    return text, {str(one["token"]): float(one["logprob"]) for one in content[0]["top_logprobs"]}


def fill(template: str, values: Mapping[str, str]) -> str:
    """Put values at {name}; braces inside the values stay as they are."""
    parts = [template]
    for name, value in values.items():
        split: list[str] = []
        for position, part in enumerate(parts):
            # Odd positions are values that were put in already.
            pieces = [part] if position % 2 else part.split("{" + name + "}")
            for count, piece in enumerate(pieces):
                split += [value, piece] if count else [piece]
        parts = split
    return "".join(parts)
