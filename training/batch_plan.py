"""Which examples make up each optimizer step, and how ranks and micro-batches share them. Pure functions.

The plan depends on the seed and the number of examples alone, so that a resumed run knows its place from
the step's number, and every rank knows the whole plan without talking to the others.
"""

import math
from collections.abc import Sequence

import numpy as np


def count_steps(num_examples: int, batch_size: int, epochs: float, max_steps: int | None) -> int:
    """Optimizer steps of the run; `max_steps` wins over `epochs`. An epoch's last batch may be smaller."""
    if max_steps is not None:
        return max_steps
    return max(1, round(epochs * steps_per_epoch(num_examples, batch_size)))


def steps_per_epoch(num_examples: int, batch_size: int) -> int:
    """Optimizer steps that see every example once."""
    return math.ceil(num_examples / batch_size)


def step_indices(step: int, num_examples: int, batch_size: int, seed: int) -> list[int]:
    """The examples of optimizer step `step` (from 0): a slice of the epoch's own permutation."""
    epoch, place = divmod(step, steps_per_epoch(num_examples, batch_size))
    order = np.random.default_rng([seed, epoch]).permutation(num_examples)
    return [int(index) for index in order[place * batch_size : (place + 1) * batch_size]]


def split_batch(
    indices: Sequence[int], costs: Sequence[int], world_size: int, tokens_per_microbatch: int
) -> list[list[list[int]]]:
    """Splits one batch: result[rank][pass] lists examples; every rank gets the same number of passes.

    `costs[index]` is an example's number of tokens. Longest first, each to the emptiest micro-batch; one more
    pass per rank until no micro-batch of several examples exceeds the budget (a single one may). A
    micro-batch may be empty, where there are fewer examples than ranks.
    """
    if not indices:
        raise ValueError("a batch needs at least one example")
    longest_first = sorted(indices, key=lambda index: (-costs[index], index))
    passes = max(1, math.ceil(sum(costs[index] for index in indices) / (world_size * tokens_per_microbatch)))
    while True:
        bins: list[list[int]] = [[] for _ in range(passes * world_size)]
        loads = [0] * len(bins)
        for index in longest_first:
            emptiest = min(range(len(bins)), key=loads.__getitem__)
            bins[emptiest].append(index)
            loads[emptiest] += costs[index]
        if all(
            len(members) <= 1 or load <= tokens_per_microbatch
            for members, load in zip(bins, loads, strict=True)
        ):
            break
        passes += 1
    # Bins were filled so that bin 0 holds the longest: deal them round robin, so the passes of all ranks match.
    return [
        [sorted(bins[place * world_size + rank]) for place in range(passes)] for rank in range(world_size)
    ]
