"""Decoder layers with hand-written backward passes: the same functions as transformers', in fewer passes over memory.

With a bf16 matrix unit the products of a small model are cheap; what costs is everything between them. transformers'
layers write each intermediate result to memory, in float32, and keep most of them for the backward pass. Here

    norm      y = x / sqrt(mean(x^2) + eps) * (offset + w)    keeps x and one number per token
    gate      y = act(gate) * up                              keeps gate and up
    rotation  (a, b) -> (a cos - b sin, b cos + a sin)        keeps nothing but the angles; backward turns back

compute in float32 inside where transformers does, and hand on the number format that the next matrix product wants.
`install` puts them into a loaded Llama, Qwen2 or Gemma-2; names, parameters and saved files stay as they are.
"""

from collections.abc import Sequence
from types import MethodType
from typing import Any

import torch
import torch.nn.functional as F

from fusechat.row_layout import Span
from fusechat.shared_prefix import Masks, shared_prefix_attention

FAMILY_CLASSES = ("Llama", "Qwen2", "Gemma2")  # what their classes' names begin with


def compute_dtype(tensor: torch.Tensor) -> torch.dtype:
    """The number format of matrix products at this point: autocast's where it is on, else the tensor's own."""
    device = tensor.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else tensor.dtype


class _Norm(torch.autograd.Function):
    """x (1, T, H), weight (H,) -> (1, T, H) in `dtype`."""

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, weight: torch.Tensor, offset: float, eps: float, dtype: torch.dtype
    ) -> torch.Tensor:
        exact = x.float()
        # The norm reads x once and writes one number per token, where pow + mean would write x^2 as well.
        norm = torch.linalg.vector_norm(exact, dim=-1, keepdim=True)  # (1, T, 1)
        inverse = norm.square_().div_(x.shape[-1]).add_(eps).rsqrt_()  # (1, T, 1)
        ctx.save_for_backward(x, weight, inverse)
        ctx.offset = offset
        return (exact * inverse).mul_(weight.float() + offset).to(dtype)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: torch.Tensor) -> Any:
        x, weight, inverse = ctx.saved_tensors
        scale = weight.float() + ctx.offset  # (H,)
        grad, exact = grad_outputs[0].float(), x.float()  # (1, T, H)
        product = (grad * exact)[0]  # (T, H)
        grad_weight = (inverse[0].T @ product)[0] if ctx.needs_input_grad[1] else None  # (H,)
        # d/dx: w g / r - x (sum_h w g x) / (H r^3), with r = sqrt(mean(x^2) + eps)
        along = (product @ scale)[None, :, None].mul_(inverse**3).div_(x.shape[-1])  # (1, T, 1)
        grad_x = torch.mul(grad, scale, out=product[None]).mul_(inverse).addcmul_(exact, along, value=-1)
        return (
            grad_x.to(x.dtype),
            grad_weight.to(weight.dtype) if grad_weight is not None else None,
            None,
            None,
            None,
        )


class _Gate(torch.autograd.Function):
    """gate, up (1, T, I) -> act(gate) * up; act is silu, or gelu in its tanh form."""

    @staticmethod
    def forward(ctx: Any, gate: torch.Tensor, up: torch.Tensor, gelu: bool) -> torch.Tensor:
        ctx.save_for_backward(gate, up)
        ctx.gelu = gelu
        return gated(gate, up, gelu)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: torch.Tensor) -> Any:
        gate, up = ctx.saved_tensors
        return *gate_gradients(grad_outputs[0], gate, up, ctx.gelu), None


def _activation(gate: torch.Tensor, gelu: bool) -> torch.Tensor:
    return F.gelu(gate, approximate="tanh") if gelu else F.silu(gate)


def gated(gate: torch.Tensor, up: torch.Tensor, gelu: bool) -> torch.Tensor:
    """act(gate) * up, with one new tensor."""
    return _activation(gate, gelu).mul_(up)


def gate_gradients(
    grad: torch.Tensor, gate: torch.Tensor, up: torch.Tensor, gelu: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """The gradients of `gated` for gate and up."""
    grad_up = _activation(gate, gelu).mul_(grad)
    through = grad * up
    if gelu:
        return torch.ops.aten.gelu_backward(through, gate, approximate="tanh"), grad_up
    return torch.ops.aten.silu_backward(through, gate), grad_up


class _Rotation(torch.autograd.Function):
    """x (1, T, heads, D), cos and sin (T, 1, D/2) float32 -> x with each pair (i, i + D/2) turned by its angle."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(cos, sin)
        return _turn(x, cos, sin, 1)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: torch.Tensor) -> Any:
        cos, sin = ctx.saved_tensors
        return _turn(grad_outputs[0], cos, sin, -1), None, None


def _turn(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, sign: int) -> torch.Tensor:
    first, second = x.float().chunk(2, dim=-1)
    turned = torch.empty_like(x)
    half = x.shape[-1] // 2
    turned[..., :half] = (first * cos).addcmul_(second, sin, value=-sign)
    turned[..., half:] = (second * cos).addcmul_(first, sin, value=sign)
    return turned


def _norm_forward(module: Any, x: torch.Tensor) -> torch.Tensor:
    gemma = hasattr(module, "eps")  # Gemma's weights are differences from 1
    eps = module.eps if gemma else module.variance_epsilon
    result = _Norm.apply(x, module.weight, 1.0 if gemma else 0.0, eps, compute_dtype(x))
    assert isinstance(result, torch.Tensor)
    return result


def _mlp_forward(module: Any, x: torch.Tensor) -> Any:
    return module.down_proj(_Gate.apply(module.gate_proj(x), module.up_proj(x), uses_gelu(module)))


def uses_gelu(mlp: Any) -> bool | None:
    """Which activation of _Gate a family's MLP has; None for any other module and activation."""
    name = type(mlp).__name__
    if name not in {f"{family}MLP" for family in FAMILY_CLASSES}:
        return None
    activation = mlp.config.hidden_activation if name == "Gemma2MLP" else mlp.config.hidden_act
    # Plain "gelu" is another function.
    return {"silu": False, "swish": False, "gelu_pytorch_tanh": True}.get(activation)


def _attention_forward(
    module: Any,
    hidden_states: torch.Tensor,
    position_embeddings: tuple[torch.Tensor, torch.Tensor],
    layout: Sequence[Span],
    masks: Masks,
    **_more: Any,
) -> tuple[torch.Tensor, None]:
    """hidden_states (1, T, H); position_embeddings: (cos, sin), each (1, T, D), their halves equal."""
    shape = (*hidden_states.shape[:-1], -1, module.head_dim)
    cos, sin = (angle[0, :, None, : module.head_dim // 2].float() for angle in position_embeddings)
    query = _Rotation.apply(module.q_proj(hidden_states).view(shape), cos, sin)
    key = _Rotation.apply(module.k_proj(hidden_states).view(shape), cos, sin)
    value = module.v_proj(hidden_states).view(shape)
    attended, _ = shared_prefix_attention(
        module, query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2), None,
        layout=layout, masks=masks, scaling=module.scaling, sliding_window=getattr(module, "sliding_window", None),
        softcap=getattr(module, "attn_logit_softcapping", None),
    )  # fmt: skip
    return module.o_proj(attended.flatten(2)), None


def install(language_model: Any, *, own_attention: bool) -> None:
    """Gives the model's layers these forward passes; `own_attention` also for attention, over segments.

    Only layers of the three families' own classes: those of others have similar names and other functions (Qwen3
    norms queries and keys, Phi-3 has gate and up in one matrix), and keep what transformers gives them.
    """
    for module in language_model.modules():
        name = type(module).__name__
        kind = next((name.removeprefix(family) for family in FAMILY_CLASSES if name.startswith(family)), "")
        if kind == "RMSNorm":
            module.forward = MethodType(_norm_forward, module)
        elif uses_gelu(module) is not None:
            module.forward = MethodType(_mlp_forward, module)
        elif kind == "Attention" and own_attention:
            module.forward = MethodType(_attention_forward, module)
