"""This rank's forward and backward passes over a batch, and the small things around them."""

import contextlib
import ctypes
import resource
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from training.batch_plan import split_batch
from training.examples import Example
from training.packing import PackedBatch, empty_pass, pack


def rank_passes(
    accelerator: Any, examples: Sequence[Example], indices: Sequence[int], tokens_per_microbatch: int
) -> list[tuple[list[int], PackedBatch]]:
    """This rank's share of a batch: (members, packed batch) per pass, the same number of passes on every rank.

    A pass without members is an empty one: run it with weight 0.
    """
    costs = {index: examples[index].num_tokens for index in indices}
    cost_list = _Costs(costs)
    shares = split_batch(indices, cost_list, accelerator.num_processes, tokens_per_microbatch)
    passes = []
    for members in shares[accelerator.process_index]:
        batch = pack([examples[index] for index in members]) if members else empty_pass(examples[indices[0]])
        passes.append((members, batch.to(accelerator.device)))
    return passes


class _Costs(Sequence[int]):
    """Costs by example index, without a list over the whole data set."""

    def __init__(self, costs: dict[int, int]) -> None:
        self._costs = costs

    def __getitem__(self, index: Any) -> Any:
        return self._costs[index]

    def __len__(self) -> int:
        return len(self._costs)


@contextlib.contextmanager
def one_pass(accelerator: Any, policy: Any, *, last: bool) -> Iterator[None]:
    """Around a forward and backward pass; `last`: of a step.

    Under DDP gradients are averaged over ranks in the last pass only. Under FSDP2 in every pass: keeping them back
    would hold a whole unsharded gradient on each card.
    """
    if last or accelerator.is_fsdp2 or accelerator.num_processes == 1:
        yield
    else:
        with accelerator.no_sync(policy):
            yield
    if accelerator.device.type == "cpu":
        return_freed_memory()


def return_freed_memory() -> None:
    """Gives what a pass has freed back to the system: glibc keeps it, in pieces that the next pass does not fit into.

    A tenth of the peak with a model of 135M parameters, for no time that could be measured.
    """
    with contextlib.suppress(AttributeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)


def batches_of(count: int, batch_size: int) -> list[list[int]]:
    """0..count-1 in order, in slices: the batches of an evaluation."""
    return [list(range(start, min(count, start + batch_size))) for start in range(0, count, batch_size)]


def summed_over_ranks(accelerator: Any, sums: torch.Tensor) -> list[float]:
    """The element-wise sum of every rank's vector, as numbers."""
    total = accelerator.reduce(sums.to(accelerator.device), reduction="sum")
    return [float(value) for value in total.tolist()]


def clip_gradients(accelerator: Any, policy: Any, max_norm: float) -> float:
    """Scales the gradients down to `max_norm`; returns the norm that they had."""
    norm: Any = accelerator.clip_grad_norm_(policy.parameters(), max_norm)
    norm = norm.full_tensor() if hasattr(norm, "full_tensor") else norm
    return float(norm)


def peak_memory_gb(accelerator: Any) -> float:
    """Peak memory of this process in GB: of the card where there is one, else resident."""
    if accelerator.device.type == "cuda":
        return round(torch.cuda.max_memory_allocated() / 1e9, 3)
    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9, 3)


# Dense bf16 peaks from the makers' data sheets, in FLOP/s.
PEAK_FLOPS = {"A100": 312e12, "H100": 989e12, "H200": 989e12}


def model_flops_utilisation(
    accelerator: Any, policy: torch.nn.Module, tokens_per_second: float
) -> float | None:
    """Share of the cards' bf16 peak that 6 FLOP per parameter and token make up; None on other devices.

    Recomputed activations (2 more FLOP) are not counted: they are work, but not the model's.
    """
    if accelerator.device.type != "cuda":
        return None
    card = torch.cuda.get_device_name()
    peak = next((flops for name, flops in PEAK_FLOPS.items() if name in card), None)
    if peak is None:
        return None
    parameters = sum(parameter.numel() for parameter in policy.parameters())
    return 6 * parameters * tokens_per_second / (peak * accelerator.num_processes)
