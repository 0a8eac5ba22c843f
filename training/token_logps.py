"""Log-probabilities of chosen tokens without a (tokens x vocabulary) tensor, forward or backward.

    logits = cap * tanh(h W^T / cap)   (cap: Gemma-2's final soft-capping; without it logits = h W^T)
    logp_n = logits[n, target_n] - logsumexp(logits[n])

The head runs over chunks of tokens; only the log-sum-exp of each token is kept. The backward pass computes a
chunk's logits again and turns them in place into the gradient g_n * (onehot(target_n) - softmax(logits_n)).
"""

from typing import Any

import torch

LOGITS_PER_CHUNK = 1 << 25  # logits in memory at once: 128 MiB in float32, 256 tokens of a 128k vocabulary


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
    ) -> torch.Tensor:
        # Autocast reaches the head like any other linear layer: here by hand, since backward runs without it.
        device = hidden.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else hidden.dtype
        logps = torch.empty(targets.shape[0], dtype=torch.float32, device=hidden.device)  # (N,)
        logsumexp = torch.empty_like(logps)  # (N,)
        with torch.autocast(device, enabled=False):
            head = weight.to(dtype)  # (V, H)
            for start in range(0, targets.shape[0], chunk):
                part = slice(start, start + chunk)
                logits = _logits(hidden[part].to(dtype), head, cap)  # (chunk, V) float32
                logsumexp[part] = torch.logsumexp(logits, dim=-1)
                logps[part] = logits.gather(1, targets[part, None]).squeeze(1) - logsumexp[part]
        ctx.save_for_backward(hidden, weight, targets, logsumexp)
        ctx.cap, ctx.chunk, ctx.dtype = cap, chunk, dtype
        return logps

    @staticmethod
    def backward(ctx: Any, *grad_outputs: torch.Tensor) -> Any:
        (grad,) = grad_outputs
        hidden, weight, targets, logsumexp = ctx.saved_tensors
        needs_hidden, needs_weight = ctx.needs_input_grad[:2]
        grad_hidden = torch.empty_like(hidden) if needs_hidden else None  # (N, H)
        grad_weight: torch.Tensor | None = None  # (V, H), float32 while it is summed over chunks
        with torch.autocast(hidden.device.type, enabled=False):
            head = weight.to(ctx.dtype)
            for start in range(0, targets.shape[0], ctx.chunk):
                part = slice(start, start + ctx.chunk)
                inputs = hidden[part].to(ctx.dtype)
                grad_logits = _grad_logits(inputs, head, targets[part], logsumexp[part], grad[part], ctx.cap)
                grad_logits = grad_logits.to(ctx.dtype)  # (chunk, V)
                if grad_hidden is not None:
                    grad_hidden[part] = grad_logits @ head
                if needs_weight:
                    product = (grad_logits.T @ inputs).to(torch.float32)
                    grad_weight = product if grad_weight is None else grad_weight.add_(product)
        if grad_weight is not None:
            grad_weight = grad_weight.to(weight.dtype)
        return grad_hidden, grad_weight, None, None, None


def _logits(hidden: torch.Tensor, head: torch.Tensor, cap: float | None) -> torch.Tensor:
    logits = (hidden @ head.T).to(torch.float32)
    if cap is not None:
        logits = logits.div_(cap).tanh_().mul_(cap)
    return logits


def _grad_logits(
    hidden: torch.Tensor,
    head: torch.Tensor,
    targets: torch.Tensor,
    logsumexp: torch.Tensor,
    grad: torch.Tensor,
    cap: float | None,
) -> torch.Tensor:
    """d(sum_n g_n logp_n) / d(h W^T), in one buffer (two with soft-capping)."""
    logits = _logits(hidden, head, cap)
    # d/dx cap*tanh(x/cap) = 1 - tanh(x/cap)^2
    slope = None if cap is None else 1 - (logits / cap).square_()
    gradient = logits.sub_(logsumexp[:, None]).exp_().neg_()  # -softmax
    gradient.scatter_add_(1, targets[:, None], torch.ones_like(gradient[:, :1]))
    gradient.mul_(grad[:, None])
    return gradient if slope is None else gradient.mul_(slope)


def token_logps(
    hidden: torch.Tensor,
    weight: torch.Tensor,
    targets: torch.Tensor,
    *,
    softcap: float | None = None,
    chunk: int | None = None,
) -> torch.Tensor:
    """Log-probability of each target in nats, float32: hidden (N, H), weight (V, H), targets (N,) -> (N,)."""
    logps = _TokenLogps.apply(hidden, weight, targets, softcap, chunk or chunk_size(weight.shape[0]))
    assert isinstance(logps, torch.Tensor)
    return logps


def response_logps(logps: torch.Tensor, response_index: torch.Tensor, num_responses: int) -> torch.Tensor:
    """Sums token log-probabilities per response: (N,) -> (R,), nats per response."""
    return logps.new_zeros(num_responses).index_add(0, response_index, logps)
