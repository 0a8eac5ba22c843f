"""Which engine a run gets: one in this process, several on this node, or those of a Ray cluster."""

import functools
import importlib.util
import os
from typing import Any

from fusechat.errors import BadInput
from sampling.sources import Source


def make_engine(source: Source, *, engines: int | None, seed: int, ray: bool) -> Any:
    """A context manager with `generate` and `max_model_len`.

    engines: how many copies of the model; None is one, with `ray` as many as the cluster has room for.
    """
    from fusechat.vllm_engine import VLLMEngine, context_length
    from sampling.parallel_engines import ParallelEngines, environments_for, visible_gpus
    from sampling.ray_engines import RayEngines

    make = functools.partial(
        VLLMEngine,
        source.model,
        max_model_len=source.max_model_len,
        tensor_parallel_size=source.tensor_parallel_size,
        seed=seed,
    )
    if ray:
        max_model_len = source.max_model_len or context_length(source.model)
        make = functools.partial(make, max_model_len=max_model_len)
        return RayEngines(
            make, max_model_len=max_model_len, gpus_each=source.tensor_parallel_size, engines=engines
        )
    if engines is None or engines == 1:
        return make()
    environments = environments_for(
        engines, source.tensor_parallel_size, visible_gpus(), len(os.sched_getaffinity(0))
    )
    return ParallelEngines(make, environments)


def check_ray(ray: bool, server: str | None) -> None:
    """Raises BadInput where --ray cannot be."""
    if ray and server is not None:
        raise BadInput("--ray and --server: choose one; a server does its own share of the work")
    if ray and importlib.util.find_spec("ray") is None:
        raise BadInput("--ray: Ray is not installed; pip install -r requirements-ray.txt, on every node")


def check_context(source: Source) -> None:
    """Raises BadInput where the model's context cannot hold the answer and some prompt."""
    from fusechat.vllm_engine import context_length

    context = context_length(source.model)
    wanted = source.max_model_len or context
    if wanted > context:
        raise BadInput(f"--max-model-len {wanted}: {source.model} allows {context} tokens at most")
    if source.max_tokens >= wanted:
        raise BadInput(
            f"--max-tokens {source.max_tokens}: leaves no room for a prompt in {source.model}'s context of "
            f"{wanted} tokens; give a smaller one"
        )
