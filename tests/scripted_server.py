"""A chat server on 127.0.0.1 that answers by a script: which status comes for which prompt, and how often."""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from local_server import QuietHandler, serving

# (body of the request, how often this very request has come before) -> (status, headers, reply)
Script = Callable[[dict[str, Any], int], tuple[int, dict[str, str], Any]]


def completion(text: str, finish_reason: str = "stop", tokens: int | None = 3) -> dict[str, Any]:
    """A reply as OpenAI-compatible servers give it."""
    reply: dict[str, Any] = {
        "choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": finish_reason}]
    }
    if tokens is not None:
        reply["usage"] = {"completion_tokens": tokens}
    return reply


class ScriptedServer:
    """What the server has seen."""

    def __init__(self, script: Script, delay_s: float) -> None:
        self.script, self.delay_s = script, delay_s
        self.bodies: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.at_once = self.most_at_once = 0
        self.times: Counter[str] = Counter()
        self.lock = threading.Lock()
        self.url = ""


@contextmanager
def scripted_server(script: Script, delay_s: float = 0.0) -> Iterator[ScriptedServer]:
    """Runs a server in this process while the block lasts."""
    seen = ScriptedServer(script, delay_s)

    class Handler(QuietHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            key = json.dumps(body, sort_keys=True)
            with seen.lock:
                seen.bodies.append(body)
                seen.keys.append(self.headers.get("Authorization"))
                earlier = seen.times[key]
                seen.times[key] += 1
                seen.at_once += 1
                seen.most_at_once = max(seen.most_at_once, seen.at_once)
            time.sleep(seen.delay_s)
            status, headers, reply = seen.script(body, earlier)
            with seen.lock:
                seen.at_once -= 1
            if self.path != "/v1/chat/completions":
                status, reply = 404, {"error": {"message": f"no route {self.path}"}}
            data = reply.encode() if isinstance(reply, str) else json.dumps(reply).encode()
            self.send(status, data, headers)

    with serving(Handler) as url:
        seen.url = f"{url}/v1"
        yield seen
