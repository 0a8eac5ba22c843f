"""A chat server on 127.0.0.1 that answers by a script: which status comes for which prompt, and how often."""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

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

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

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
            try:
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(data))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)
            except OSError:
                pass  # the client was killed; that is what some tests are about

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    seen.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield seen
    finally:
        server.shutdown()
        server.server_close()
