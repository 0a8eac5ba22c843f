"""Several engines on one node, each in a process of its own with its own GPUs, used like one.

A common list of requests feeds them, so uneven work keeps none of them waiting. An engine that dies does not
end the others: its unanswered requests go to them, with the same seeds. vLLM's own data-parallel mode ends
all ranks with the first (vllm-project/vllm issue 23534), which is why these engines know nothing of each
other. When the parent ends, in whatever way, their pipes close, and they end too.
"""

import contextlib
import multiprocessing
import os
import queue
import signal
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Any

from fusechat.errors import BadInput
from fusechat.generation import EngineFailure, GenerationRequest, GenerationResult

END_TIMEOUT_S = 30.0


@dataclass
class Worker:
    """One engine's process, as its parent sees it."""

    number: int
    process: BaseProcess
    pipe: Connection
    places: int = 0  # 0 until the engine is ready
    in_flight: dict[str, GenerationRequest] = field(default_factory=dict)


class ParallelEngines:
    """A context manager with the `generate` of one engine over `count` of them."""

    def __init__(
        self, make_engine: Callable[[], AbstractContextManager[Any]], environments: list[dict[str, str]]
    ) -> None:
        """make_engine: picklable, called in each process. environments: one per engine, over the parent's own."""
        self._make_engine, self._environments = make_engine, environments
        self._workers: list[Worker] = []
        self._last_words = ""
        self.max_model_len = 0

    def __enter__(self) -> "ParallelEngines":
        try:
            for number, environment in enumerate(self._environments):
                self._workers.append(self._start(number, environment))
            while not any(worker.places for worker in self._workers):
                self._receive(deque())
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def generate(self, requests: Iterable[GenerationRequest]) -> Generator[GenerationResult, None, None]:
        """Yields every answer when any engine has finished it; EngineFailure when no engine is left."""
        waiting: Iterator[GenerationRequest] = iter(requests)
        returned: deque[GenerationRequest] = deque()  # of engines that died
        exhausted = False
        while True:
            for worker in self._by_load():
                while len(worker.in_flight) < worker.places:
                    request = returned.popleft() if returned else next(waiting, None)
                    if request is None:
                        exhausted = True
                        break
                    worker.in_flight[request.request_id] = request
                    # A worker that has just died shows at its pipe, where its requests are taken back.
                    with contextlib.suppress(OSError):
                        worker.pipe.send(request)
            # With nothing in flight but requests left, an engine is still starting: wait for it.
            if exhausted and not returned and not any(worker.in_flight for worker in self._workers):
                return
            yield from self._receive(returned)

    def _by_load(self) -> list[Worker]:
        return sorted(self._workers, key=lambda worker: len(worker.in_flight))

    def _start(self, number: int, environment: dict[str, str]) -> Worker:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        before = {name: os.environ.get(name) for name in environment}
        os.environ.update(environment)  # a spawned process takes the environment of this moment
        try:
            process = context.Process(
                target=serve, args=(theirs, self._make_engine), name=f"engine-{number}", daemon=False
            )
            process.start()
        finally:
            theirs.close()
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value
        return Worker(number, process, ours)

    def _receive(self, returned: "deque[GenerationRequest]") -> list[GenerationResult]:
        """Waits for news and takes all that is there; requests of dead engines go to `returned`."""
        if not self._workers:
            raise EngineFailure(f"no engine is left; the last one ended with: {self._last_words}")
        results = []
        for pipe in wait([worker.pipe for worker in self._workers]):
            worker = next(worker for worker in self._workers if worker.pipe is pipe)
            try:
                while worker.pipe.poll():
                    kind, content = worker.pipe.recv()
                    if kind == "ready":
                        worker.places, self.max_model_len = content
                    elif kind == "failed":
                        self._last_words = content
                    else:
                        del worker.in_flight[content.request_id]
                        results.append(content)
            except (EOFError, OSError):
                self._bury(worker, returned)
        return results

    def _bury(self, worker: Worker, returned: "deque[GenerationRequest]") -> None:
        worker.process.join(END_TIMEOUT_S)
        self._workers.remove(worker)
        worker.pipe.close()
        self._last_words = self._last_words or f"exit code {worker.process.exitcode}"
        returned.extend(worker.in_flight.values())
        print(
            f"note: engine {worker.number} ended ({self._last_words}); its {len(worker.in_flight)} requests go "
            f"to the other {len(self._workers)}",
            file=sys.stderr,
            flush=True,
        )

    def _end(self) -> None:
        for worker in self._workers:
            worker.pipe.close()
        for worker in self._workers:
            worker.process.join(END_TIMEOUT_S)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
        self._workers = []


def serve(pipe: Connection, make_engine: Callable[[], AbstractContextManager[Any]]) -> None:
    """One engine's process: answers the requests of its pipe until that closes, or until Ctrl-C."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    incoming: queue.SimpleQueue[GenerationRequest] = queue.SimpleQueue()
    # Read by a thread of its own: with both ends sending, each waiting for the other to read, all would stop.
    threading.Thread(target=_read, args=(pipe, incoming), daemon=True).start()
    in_flight = 0

    def requests() -> Iterator[GenerationRequest | None]:
        nonlocal in_flight
        while True:
            if in_flight and incoming.empty():
                yield None  # nothing new: go on with what there is
                continue
            request = incoming.get()
            in_flight += 1
            yield request

    try:
        with make_engine() as engine:
            pipe.send(("ready", (engine.max_in_flight, engine.max_model_len)))
            for result in engine.generate(requests()):
                in_flight -= 1
                pipe.send(("answer", result))
    except (BrokenPipeError, KeyboardInterrupt):
        return
    except Exception as error:
        if not isinstance(error, (EngineFailure, BadInput)):
            traceback.print_exc()
        with contextlib.suppress(OSError):
            pipe.send(("failed", " ".join(str(error).split())[:500]))


def _read(pipe: Connection, incoming: "queue.SimpleQueue[GenerationRequest]") -> None:
    """Takes requests off the pipe; when it closes, the parent is done or dead, and this process ends."""
    try:
        while True:
            incoming.put(pipe.recv())
    except (EOFError, OSError):
        main_thread = threading.main_thread().ident
        if main_thread is not None:
            signal.pthread_kill(main_thread, signal.SIGINT)


def environments_for(engines: int, gpus_each: int, visible: list[str], cores: int) -> list[dict[str, str]]:
    """Each engine's share of the node: `gpus_each` of the visible GPUs, or of the cores where there is none."""
    if not visible:
        return [{"OMP_NUM_THREADS": str(max(cores // engines, 1))} for _ in range(engines)]
    if engines * gpus_each > len(visible):
        raise BadInput(
            f"--data-parallel {engines} with tensor parallel size {gpus_each} needs {engines * gpus_each} GPUs, "
            f"and {len(visible)} are visible; give fewer engines, or a smaller --tensor-parallel-size"
        )
    shares = [visible[number * gpus_each : (number + 1) * gpus_each] for number in range(engines)]
    return [{"CUDA_VISIBLE_DEVICES": ",".join(share)} for share in shares]


def visible_gpus() -> list[str]:
    """The GPUs this process may use, as CUDA_VISIBLE_DEVICES names them."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [name for name in named.split(",") if name]
    import torch

    return [str(number) for number in range(torch.cuda.device_count())]
