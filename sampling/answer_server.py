"""Sampling from an OpenAI-compatible server: a running vLLM, or a hosted model too large for the cluster.

Used like the engine: `generate(requests)` yields each answer when it is finished, with at most `concurrency`
requests on their way. 429, 5xx and broken connections are tried again with growing pauses (or those the
server asks for); a request that the server refuses for good (400, 413, 422) is given back as refused.
"""

import email.utils
import os
import queue
import random
import threading
import time
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal

import httpx

from fusechat.errors import BadInput
from fusechat.generation import EngineFailure

RETRIED = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
REFUSED = frozenset({400, 413, 422})
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0


@dataclass(frozen=True)
class ServerRequest:
    """The body of one POST to /chat/completions."""

    request_id: str
    body: dict[str, Any] = field(hash=False)


@dataclass(frozen=True)
class ServerAnswer:
    """A finished answer; `num_tokens` is None where the server does not tell."""

    request_id: str
    text: str
    num_tokens: int | None
    finish_reason: Literal["stop", "length"]


@dataclass(frozen=True)
class RefusedRequest:
    """A request that the server will never answer."""

    request_id: str
    reason: str
    message: str


class AnswerServer:
    """A server as a context manager with the engine's `generate`."""

    def __init__(
        self,
        url: str,
        *,
        api_key_variable: str = "OPENAI_API_KEY",
        concurrency: int = 64,
        attempts: int = 8,
        timeout_s: float = 1800.0,
        first_pause_s: float = FIRST_PAUSE_S,
    ) -> None:
        """url: what comes before /chat/completions, with or without /v1. attempts: tries of one request.

        api_key_variable: environment variable with the key; without it no key is sent.
        """
        base = url.rstrip("/")
        self.url = base if base.endswith("/v1") else f"{base}/v1"
        self.concurrency, self.attempts, self.first_pause_s = concurrency, attempts, first_pause_s
        self._timeout = httpx.Timeout(timeout_s, connect=30.0)
        self._key = os.environ.get(api_key_variable)
        self._key_variable = api_key_variable
        self._ended = threading.Event()
        self._client: httpx.Client | None = None

    def __enter__(self) -> "AnswerServer":
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        limits = httpx.Limits(max_connections=self.concurrency, max_keepalive_connections=self.concurrency)
        self._client = httpx.Client(headers=headers, timeout=self._timeout, limits=limits)
        self._ended.clear()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._client is not None:
            self._client.close()
            self._client = None

    def generate(
        self, requests: Iterable[ServerRequest]
    ) -> Generator[ServerAnswer | RefusedRequest, None, None]:
        """Yields every answer or refusal as it comes.

        Raises EngineFailure where a request failed in all its attempts, and BadInput where the server wants
        another key, model or address.
        """
        todo: queue.SimpleQueue[ServerRequest | None] = queue.SimpleQueue()
        finished: queue.SimpleQueue[ServerAnswer | RefusedRequest | Exception] = queue.SimpleQueue()
        # Daemon threads: an interrupted script does not wait for answers that take minutes.
        threads = [
            threading.Thread(target=self._work, args=(todo, finished), daemon=True)
            for _ in range(self.concurrency)
        ]
        for thread in threads:
            thread.start()
        waiting, in_flight, exhausted = iter(requests), 0, False
        try:
            while True:
                while not exhausted and in_flight < self.concurrency:
                    request = next(waiting, None)
                    if request is None:
                        exhausted = True
                    else:
                        todo.put(request)
                        in_flight += 1
                if in_flight == 0:
                    return
                result = finished.get()
                in_flight -= 1
                if isinstance(result, Exception):
                    raise result
                yield result
        finally:
            for _ in threads:
                todo.put(None)

    def _work(self, todo: Any, finished: Any) -> None:
        while (request := todo.get()) is not None:
            try:
                finished.put(self._answer(request))
            except Exception as error:
                finished.put(error)

    def _answer(self, request: ServerRequest) -> ServerAnswer | RefusedRequest:
        """One request with its retries."""
        trouble = ""
        for attempt in range(self.attempts):
            asked_pause = None
            try:
                if self._client is None or self._ended.is_set():
                    raise EngineFailure("the run has ended")
                reply = self._client.post(f"{self.url}/chat/completions", json=request.body)
                if reply.status_code == 200:
                    return read_answer(request.request_id, reply)
                if reply.status_code in REFUSED:
                    return RefusedRequest(request.request_id, "refused_by_server", error_text(reply))
                if reply.status_code not in RETRIED:
                    raise self._wrong_set_up(reply)
                trouble, asked_pause = f"HTTP {reply.status_code}: {error_text(reply)}", pause_wanted(reply)
            except httpx.TransportError as error:
                trouble = f"{type(error).__name__}: {error}"
            if attempt + 1 < self.attempts:
                self._ended.wait(pause_before(attempt + 1, self.first_pause_s, asked_pause))
        raise EngineFailure(f"{self.url}: {request.request_id} failed {self.attempts} times; last: {trouble}")

    def _wrong_set_up(self, reply: httpx.Response) -> BadInput:
        advice = {
            401: f"set the environment variable {self._key_variable} to a valid key",
            403: f"the key in {self._key_variable} may not use this model",
            404: "check --server (the address before /chat/completions) and --model (a name the server knows)",
        }.get(reply.status_code, "check --server and --model")
        return BadInput(f"{self.url}: HTTP {reply.status_code}: {error_text(reply)}; {advice}")


def read_answer(request_id: str, reply: httpx.Response) -> ServerAnswer | RefusedRequest:
    """The answer in a reply; one that a filter or a tool call ended is no answer to learn from."""
    try:
        body = reply.json()
        choice = body["choices"][0]
        text, reason = choice["message"].get("content") or "", choice.get("finish_reason")
        num_tokens = (body.get("usage") or {}).get("completion_tokens")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        raise EngineFailure(
            f"{reply.url}: {request_id}: the reply is not a chat completion: {reply.text[:200]!r}"
        ) from None
    if reason not in ("stop", "length"):
        return RefusedRequest(request_id, f"ended_by_{reason}", "")
    return ServerAnswer(request_id, text, num_tokens, reason)


def error_text(reply: httpx.Response) -> str:
    """What the server says is wrong, in one line."""
    try:
        body = reply.json()
        error = body.get("error", body)
        message = error.get("message", error) if isinstance(error, dict) else error
    except (ValueError, AttributeError):
        message = reply.text
    return " ".join(str(message).split())[:300] or reply.reason_phrase


def pause_wanted(reply: httpx.Response) -> float | None:
    """Seconds of a Retry-After header (a number, or a date), None without one."""
    wanted = reply.headers.get("retry-after")
    if wanted is None:
        return None
    try:
        return max(float(wanted), 0.0)
    except ValueError:
        pass
    try:
        return max(email.utils.parsedate_to_datetime(wanted).timestamp() - time.time(), 0.0)
    except ValueError:
        return None


def pause_before(attempt: int, first_pause_s: float, asked_s: float | None) -> float:
    """Seconds to wait before the `attempt`-th retry: doubling, with jitter so that requests spread out."""
    if asked_s is not None:
        return min(asked_s, LONGEST_PAUSE_S)
    return min(first_pause_s * 2 ** (attempt - 1), LONGEST_PAUSE_S) * random.uniform(0.5, 1.0)
