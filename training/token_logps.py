"""Log-probabilities of chosen tokens without a (tokens x vocabulary) tensor, forward or backward.

    logits = cap * tanh(h W^T / cap)   (cap: Gemma-2's final soft-capping; without it logits = h W^T)
    logp_n = logits[n, target_n] - logsumexp(logits[n])

The head runs over chunks of tokens, whose logits stand in one buffer that is used again and again; only the
log-sum-exp of each token is kept. The backward pass computes a chunk's logits again and turns them in place into
the gradient g_n * (onehot(target_n) - softmax(logits_n)). In bf16 the products are rounded, all else is float32,
over so few rows at a time that they stay in the processor's cache.

A rounded logit of 20 is off by up to 0.06, which would be the error of its log-probability, and LN-DPO multiplies
differences of these by beta. So the targets' own logits, one dot product each, are taken in float32 and replace the
rounded ones, in the log-sum-exp as well, where the errors of all others average out.
"""

from collections.abc import Iterator
from typing import Any

import torch

LOGITS_PER_CHUNK = 1 << 25  # logits in memory at once: 64 MiB in bf16, 256 tokens of a 128k vocabulary
LOGITS_PER_BLOCK = 1 << 21  # of these in float32: 8 MiB
VOCABULARY_BLOCK = 8192  # rows of the head's gradient that are added at once


def chunk_size(vocabulary: int) -> int:
    """Tokens per chunk for a vocabulary."""
    return max(16, LOGITS_PER_CHUNK // vocabulary)


class _TokenLogps(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden: torch.Tensor,
        weight: torch.Tensor,
        targets: torch.Tensor,
        cap: float | None,
        chunk: int,
        add_in_place: bool,
    ) -> torch.Tensor:
        # Autocast reaches the head like any other linear layer: here by hand, since backward runs without it.
        device = hidden.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else hidden.dtype
        target_logits = torch.empty(targets.shape[0], dtype=torch.float32, device=hidden.device)  # (N,)
        logsumexp = torch.empty_like(target_logits)  # (N,)
        with torch.autocast(device, enabled=False):
            for part, logits in _chunks(hidden.to(dtype), weight.to(dtype), chunk):
                target_logits[part] = _target_logits(hidden[part], weight, targets[part], cap)
                for rows, exact in _blocks(logits, cap):
                    place = slice(part.start + rows.start, part.start + rows.stop)
                    exact.scatter_(1, targets[place, None], target_logits[place, None])
                    largest = exact.amax(dim=1, keepdim=True)
                    summed = exact.sub_(largest).exp_().sum(dim=1)
                    logsumexp[place] = summed.log_().add_(largest.squeeze(1))
        ctx.save_for_backward(hidden, weight, targets, target_logits, logsumexp)
        ctx.cap, ctx.chunk, ctx.dtype = cap, chunk, dtype
        ctx.leaf = weight if add_in_place and weight.requires_grad else None
        return target_logits - logsumexp

    @staticmethod
    def backward(ctx: Any, *grad_outputs: torch.Tensor) -> Any:
        (grad,) = grad_outputs
        hidden, weight, targets, target_logits, logsumexp = ctx.saved_tensors
        needs_hidden, needs_weight = ctx.needs_input_grad[:2]
        grad_hidden = torch.empty_like(hidden) if needs_hidden else None  # (N, H)
        grad_weight: torch.Tensor | None = None  # (V, H), float32 while it is summed over chunks
        with torch.autocast(hidden.device.type, enabled=False):
            inputs, head = hidden.to(ctx.dtype), weight.to(ctx.dtype)
            for part, logits in _chunks(inputs, head, ctx.chunk):
                for rows, exact in _blocks(logits, ctx.cap):
                    place = slice(part.start + rows.start, part.start + rows.stop)
                    exact.scatter_(1, targets[place, None], target_logits[place, None])
                    logits[rows] = _grad_logits(exact, targets[place], logsumexp[place], grad[place], ctx.cap)
                if grad_hidden is not None:
                    grad_hidden[part] = logits @ head
                if needs_weight:
                    if grad_weight is None:
                        grad_weight = _gradient_buffer(weight, ctx.leaf)
                    for start in range(0, weight.shape[0], VOCABULARY_BLOCK):
                        block = slice(start, start + VOCABULARY_BLOCK)
                        grad_weight[block] += logits[:, block].T @ inputs[part]
        if grad_weight is not None:
            grad_weight = None if ctx.leaf is not None else grad_weight.to(weight.dtype)
        return grad_hidden, grad_weight, None, None, None, None


def _gradient_buffer(weight: torch.Tensor, leaf: torch.Tensor | None) -> torch.Tensor:
    """Where the head's gradient is summed: leaf.grad itself, or a float32 tensor of zeros."""
    if leaf is None:
        return torch.zeros_like(weight, dtype=torch.float32)
    if leaf.grad is None:
        leaf.grad = torch.zeros_like(leaf)
    return leaf.grad


def _chunks(hidden: torch.Tensor, head: torch.Tensor, chunk: int) -> Iterator[tuple[slice, torch.Tensor]]:
    """Places of a chunk's tokens and their logits before soft-capping, (chunk, V); the next ones overwrite them."""
    count = hidden.shape[0]
    buffer = hidden.new_empty(min(chunk, count), head.shape[0])
    for start in range(0, count, chunk):
        part = slice(start, min(start + chunk, count))
        yield part, torch.mm(hidden[part], head.T, out=buffer[: part.stop - start])


def _target_logits(
    hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor, cap: float | None
) -> torch.Tensor:
    """The soft-capped logits of the targets in float32: (n, H), (V, H), (n,) -> (n,)."""
    logits = torch.linalg.vecdot(hidden.float(), weight[targets].float())
    return logits if cap is None else logits.div_(cap).tanh_().mul_(cap)


def _blocks(logits: torch.Tensor, cap: float | None) -> Iterator[tuple[slice, torch.Tensor]]:
    """Rows of a chunk and their soft-capped logits in float32, free to be overwritten."""
    count, vocabulary = logits.shape
    block = max(1, LOGITS_PER_BLOCK // vocabulary)
    work = torch.empty(min(block, count), vocabulary, dtype=torch.float32, device=logits.device)
    for start in range(0, count, block):
        rows = slice(start, min(start + block, count))
        exact = work[: rows.stop - start].copy_(logits[rows])
        if cap is not None:
            exact.div_(cap).tanh_().mul_(cap)
        yield rows, exact


def _grad_logits(
    logits: torch.Tensor,
    targets: torch.Tensor,
    logsumexp: torch.Tensor,
    grad: torch.Tensor,
    cap: float | None,
) -> torch.Tensor:
    """d(sum_n g_n logp_n) / d(h W^T), in the buffer of the soft-capped logits (one more with soft-capping)."""
    # d/dx cap*tanh(x/cap) = 1 - tanh(x/cap)^2
    slope = None if cap is None else 1 - (logits / cap).square_()
    gradient = logits.sub_(logsumexp[:, None]).exp_().mul_(-grad[:, None])  # -g softmax
    gradient.scatter_add_(1, targets[:, None], grad[:, None])
    return gradient if slope is None else gradient.mul_(slope)


def token_logps(
    hidden: torch.Tensor,
    weight: torch.Tensor,
    targets: torch.Tensor,
    *,
    softcap: float | None = None,
    chunk: int | None = None,
    add_in_place: bool = False,
) -> torch.Tensor:
    """Log-probability of each target in nats, float32: hidden (N, H), weight (V, H), targets (N,) -> (N,).

    `add_in_place`: weight's gradient goes straight into `weight.grad`, past autograd: one (V, H) tensor less in
    memory. Not where somebody waits for autograd's own (DDP, FSDP, torch.autograd.grad).
    """
    logps = _TokenLogps.apply(
        hidden, weight, targets, softcap, chunk or chunk_size(weight.shape[0]), add_in_place
    )
    assert isinstance(logps, torch.Tensor)
    return logps


def response_logps(logps: torch.Tensor, response_index: torch.Tensor, num_responses: int) -> torch.Tensor:
    """Sums token log-probabilities per response: (N,) -> (R,), nats per response."""
    return logps.new_zeros(num_responses).index_add(0, response_index, logps)
