"""Runs a coroutine to its end, also where an event loop of this thread is waiting for just that."""

import asyncio
from typing import Any


def run_inside(awaitable: Any) -> Any:
    """The result of a coroutine, run in an event loop of its own; one that runs already stands still meanwhile."""
    outer = asyncio._get_running_loop()
    asyncio._set_running_loop(None)
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(awaitable)
    finally:
        loop.close()
        asyncio._set_running_loop(outer)
