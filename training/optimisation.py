"""The optimizer and its learning rate: AdamW without weight decay, warm-up from above 0, cosine to 0."""

import math
from typing import Any

import torch

BETAS, EPS, WEIGHT_DECAY = (0.9, 0.999), 1e-8, 0.0


def make_optimizer(parameters: list[torch.nn.Parameter], learning_rate: float, *, paged_8bit: bool) -> Any:
    """AdamW over the trained parameters; `paged_8bit` (QLoRA on CUDA) takes bitsandbytes' paged 8-bit one."""
    options: dict[str, Any] = {"lr": learning_rate, "betas": BETAS, "eps": EPS, "weight_decay": WEIGHT_DECAY}
    if paged_8bit:
        from bitsandbytes.optim import PagedAdamW8bit

        return PagedAdamW8bit(parameters, **options)
    return torch.optim.AdamW(parameters, **options, fused=True)


def learning_rate_factor(step: int, total_steps: int, warmup_ratio: float) -> float:
    """Factor on the peak learning rate at optimizer step `step` (from 0).

    With w = ceil(warmup_ratio * total) warm-up steps it is (step + 1) / (w + 1) below w, so that no step is made
    with a learning rate of 0, then (1 + cos(pi * (step - w) / (total - w))) / 2.
    """
    warmup = math.ceil(warmup_ratio * total_steps)
    if step < warmup:
        return (step + 1) / (warmup + 1)
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, total_steps - warmup)))


def set_learning_rate(optimizer: Any, learning_rate: float) -> None:
    """Gives every parameter group this learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate
