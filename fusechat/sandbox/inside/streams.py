"""Standard input and output of the answer's process where the tests replaced their own: `redirect_stdout`, `patch` ..."""

import builtins
import io
import sys
from collections.abc import Callable
from typing import Any


class AskingStream(io.TextIOBase):
    """Standard input where the tests replaced theirs: read over there."""

    def __init__(self, player: Any) -> None:
        self.player = player

    def read(self, size: int | None = -1, /) -> str:
        return str(self.player.ask("read", 0, "read", size))

    def readline(self, size: int = -1, /) -> str:  # type: ignore[override]
        return str(self.player.ask("read", 0, "readline", size))


class ReplacedStreams:
    """What the tests replaced for the time of a call, here too: what is printed goes to the checker, input comes from it."""

    def __init__(self, player: Any, output: bool, source: bool) -> None:
        self.player, self.output, self.source = player, output, source

    def __enter__(self) -> None:
        self.saved = sys.stdout, sys.stdin, builtins.input
        if self.output:
            sys.stdout = self.printed = io.StringIO()
        if self.source:
            sys.stdin = AskingStream(self.player)
            ask: Callable[..., str] = lambda *prompt: str(self.player.ask("read", 0, "input", *prompt))  # noqa: E731
            builtins.input = ask

    def __exit__(self, *exception: object) -> None:
        sys.stdout, sys.stdin, builtins.input = self.saved
        if self.output and (text := self.printed.getvalue()):
            self.player.reply("printed", text)
