"""Engines over the nodes of a Ray cluster, fed by Ray Data and used like one: `--ray`.

    ray start --head                          on one node
    ray start --address HEAD:6379             on the others; all with the same set-up and the same model path
    python sampling/sample_vllm.py --ray …    on any of them (with no cluster there, one of this machine alone)

Each engine lives in an actor of a Ray Data actor pool, with its own GPUs. A task is a handful of requests;
several tasks are in an actor at a time, so that none of the engine's places waits for the longest answer of
a task. Each answer leaves its actor as a block of its own and is written by the driver at once, so the files
are those of any other run, and a run goes on with or without `--ray`.

An engine that dies takes its actor along: Ray starts it again and repeats its tasks, with the same seeds. The
repeated tasks may finish their answers in another order, so the driver counts by request id, drops what it
has already, and asks once more for what is missing at the end.

Ray Data takes its input when it starts: all requests wait in Ray's object store, 2 kB for a prompt of 300
tokens with five answers, which makes 0.2 GB for 100,000 of them.
"""

import logging
import os
import pickle
import queue
import sys
import threading
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import groupby
from types import TracebackType
from typing import Any

from fusechat.errors import BadInput
from fusechat.generation import EngineFailure, GenerationRequest, GenerationResult

# Requests of one task, and tasks in one actor at a time: enough for twice the 256 places of a GPU's engine.
TASK_REQUESTS = 32
TASKS_AT_ONCE = 16
# How often an actor whose engine dies is started again, and a task repeated, before the run ends.
RESTARTS = 3
# Read by Ray when it is imported: no usage statistics to its makers, and no stack traces of its own inside
# for an engine that died. What the user has set stays.
ENVIRONMENT = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DATA_LOG_LEVEL": "CRITICAL"}


class EngineActor:
    """What Ray Data keeps in each actor: an engine in a thread of its own, asked by several tasks at a time."""

    def __init__(self, make_engine: Callable[[], AbstractContextManager[Any]]) -> None:
        """Starts the engine. Where that fails the process ends: Ray tries it again, on another node maybe."""
        self._incoming: queue.SimpleQueue[GenerationRequest] = queue.SimpleQueue()
        self._askers: dict[str, queue.SimpleQueue[GenerationResult | BadInput]] = {}
        started = threading.Event()
        threading.Thread(target=self._serve, args=(make_engine, started), daemon=True).start()
        started.wait()

    def __call__(self, tasks: Any) -> Iterator[Any]:
        """Answers one task (a table of one row): a table of one row for each answer, when it is finished."""
        import pyarrow

        for data in tasks.column("requests").to_pylist():
            requests: list[GenerationRequest] = pickle.loads(data)
            mine: queue.SimpleQueue[GenerationResult | BadInput] = queue.SimpleQueue()
            for request in requests:
                self._askers[request.request_id] = mine
                self._incoming.put(request)
            for _ in requests:
                result = mine.get()
                if isinstance(result, BadInput):
                    raise result
                yield pyarrow.Table.from_pylist([vars(result)])

    def _serve(
        self, make_engine: Callable[[], AbstractContextManager[Any]], started: threading.Event
    ) -> None:
        try:
            with make_engine() as engine:
                started.set()
                for result in engine.generate(self._requests()):
                    self._askers.pop(result.request_id).put(result)
        except BaseException as error:
            if isinstance(error, BadInput) and started.is_set():
                for asker in list(self._askers.values()):
                    asker.put(error)
                return
            print(f"engine: {_one_line(error)}", file=sys.stderr, flush=True)
            os._exit(1)  # Ray sees a dead actor, and starts it again

    def _requests(self) -> Iterator[GenerationRequest | None]:
        while True:
            if self._askers and self._incoming.empty():
                yield None  # nothing new: go on with what there is
            else:
                yield self._incoming.get()


class RayEngines:
    """A context manager with the `generate` of one engine over those of a Ray cluster."""

    def __init__(
        self,
        make_engine: Callable[[], AbstractContextManager[Any]],
        *,
        max_model_len: int,
        gpus_each: int,
        engines: int | None = None,
    ) -> None:
        """make_engine: picklable, called in each actor. engines: default as many as the cluster has room for.

        gpus_each: GPUs of one engine where the cluster has any; without GPUs an engine takes one CPU.
        """
        self._make_engine, self._gpus_each, self._engines = make_engine, gpus_each, engines
        self.max_model_len = max_model_len

    def __enter__(self) -> "RayEngines":
        for name, value in ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        import ray

        try:
            ray.init(logging_level=logging.WARNING)
        except (OSError, ValueError, RuntimeError) as error:
            raise BadInput(
                f"--ray: there is no cluster to work on: {_one_line(error)}; check RAY_ADDRESS and `ray status`"
            ) from None
        try:
            self._take_places([node["Resources"] for node in ray.nodes() if node["Alive"]])
        except BaseException:
            ray.shutdown()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        import ray

        ray.shutdown()

    def _take_places(self, nodes: list[dict[str, float]]) -> None:
        room, what = engine_places(nodes, self._gpus_each)
        self._gpus_each = self._gpus_each if what == "GPU" else 0
        self._engines = self._engines or room
        if not 0 < self._engines <= room:
            raise BadInput(
                f"--ray: the cluster's {len(nodes)} nodes have room for {room} engines of "
                f"{self._gpus_each or 1} {what} each, wanted are {self._engines or 'some'}; "
                "give a smaller --data-parallel or --tensor-parallel-size, or add nodes"
            )
        print(f"ray: {self._engines} engines on {len(nodes)} nodes", file=sys.stderr, flush=True)

    def generate(self, requests: Iterable[GenerationRequest]) -> Generator[GenerationResult, None, None]:
        """Yields every answer when any engine has finished it.

        Raises EngineFailure where an engine died too often, BadInput for a request that it refuses.
        """
        waiting = {request.request_id: request for request in requests}
        while waiting:
            before = len(waiting)
            for result in self._answers(list(waiting.values())):
                if waiting.pop(result.request_id, None) is not None:
                    yield result
            if len(waiting) == before:
                raise EngineFailure(f"Ray gave no answer to {before} requests, {next(iter(waiting))} first")

    def _answers(self, requests: list[GenerationRequest]) -> Iterator[GenerationResult]:
        import ray.data

        assert self._engines is not None
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.target_max_block_size = 1  # byte: each answer is a block of its own, and comes at once
        context.max_consecutive_actor_init_deaths = RESTARTS
        rows = [{"requests": pickle.dumps(task)} for task in tasks_of(requests, self._engines)]
        with warnings.catch_warnings():
            # Ray 2.60 has no other way to bound the restarts of an actor pool, and says that 2.64 will not take it.
            warnings.simplefilter("ignore", DeprecationWarning)
            tasks = ray.data.from_items(rows, override_num_blocks=len(rows))
            dataset = self._map(tasks, min(self._engines, len(rows)))
        try:
            for table in dataset.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0):
                for row in table.to_pylist():
                    yield GenerationResult(**row)
        except ray.exceptions.RayError as error:
            raise _failure(error) from error

    def _map(self, tasks: Any, engines: int) -> Any:
        import ray.data

        return tasks.map_batches(
            EngineActor,
            fn_constructor_args=(self._make_engine,),
            batch_size=None,
            batch_format="pyarrow",
            compute=ray.data.ActorPoolStrategy(
                size=engines,
                max_tasks_in_flight_per_actor=TASKS_AT_ONCE,
                max_concurrent_calls_per_actor=TASKS_AT_ONCE,
                enable_true_multi_threading=True,
            ),
            num_cpus=1,
            num_gpus=self._gpus_each,
            max_restarts=RESTARTS,
            max_task_retries=RESTARTS,
        )


def engine_places(nodes: Sequence[dict[str, float]], gpus_each: int) -> tuple[int, str]:
    """How many engines the nodes' resources have room for, and of what: GPUs where there are any, else CPUs.

    An engine does not span nodes: of 8 GPUs, engines of 3 use 6.
    """
    if any(node.get("GPU") for node in nodes):
        # Ray Data counts one CPU for each actor beside its GPUs.
        return sum(int(min(node.get("GPU", 0) // gpus_each, node.get("CPU", 0))) for node in nodes), "GPU"
    return sum(int(node.get("CPU", 0)) for node in nodes), "CPU"


def tasks_of(requests: Sequence[GenerationRequest], engines: int) -> Iterator[list[GenerationRequest]]:
    """The requests in tasks, smaller ones where few requests are to keep all engines busy.

    The answers of one prompt stay together, so that they share its prefill.
    """
    size = max(1, min(TASK_REQUESTS, len(requests) // (engines * TASKS_AT_ONCE)))
    task: list[GenerationRequest] = []
    for _, siblings in groupby(requests, key=lambda request: id(request.prompt_token_ids)):
        task += siblings
        if len(task) >= size:
            yield task
            task = []
    if task:
        yield task


def _failure(error: BaseException) -> Exception:
    """What ended the run in an actor, as the exception that the other engines raise for it."""
    import ray.exceptions

    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, BadInput):
            return BadInput(str(cause))
        cause = getattr(cause, "cause", None) or cause.__cause__
    if isinstance(error, ray.exceptions.ActorDiedError):
        return EngineFailure(
            f"an engine did not start, or died more than {RESTARTS} times; its last words stand above"
        )
    return EngineFailure(f"Ray Data ended: {type(error).__name__}: {_one_line(error)}")


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:500] or type(error).__name__
