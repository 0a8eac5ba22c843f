"""Embedding and linear layers whose gradients go straight into `.grad`, past autograd: for one process that trains alone.

Autograd makes a weight's gradient as a tensor of its own and then adds it, and autocast keeps a bf16 copy of every weight
until the backward pass is through. DDP and FSDP wait for autograd's own gradients; a process alone does without.
"""

from types import MethodType
from typing import Any

import torch
import torch.nn.functional as F

from training.lean_layers import compute_dtype, gate_gradients, gated, uses_gelu


def add_gradient(parameter: torch.Tensor, gradient: torch.Tensor) -> None:
    """Adds to a parameter's gradient in place, in its own number format."""
    if parameter.grad is None:
        parameter.grad = gradient.to(parameter.dtype)
    else:
        parameter.grad.add_(gradient)


class _Embedding(torch.autograd.Function):
    """ids (1, T), weight (V, H) -> (1, T, H); the gradient goes straight into the rows of weight.grad that it touches.

    Autograd's own makes a (V, H) tensor of zeros for a few rows, and then adds all of it.
    """

    @staticmethod
    def forward(ctx: Any, ids: torch.Tensor, weight: torch.Tensor, padding: int | None) -> torch.Tensor:
        ctx.ids, ctx.leaf, ctx.padding = ids, weight, padding
        return F.embedding(ids, weight)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: torch.Tensor) -> Any:
        if ctx.leaf.grad is None:
            ctx.leaf.grad = torch.zeros_like(ctx.leaf)
        grad = grad_outputs[0][0].to(ctx.leaf.dtype)  # (T, H)
        if ctx.padding is not None:  # as torch.nn.Embedding has it
            grad = grad.masked_fill(ctx.ids[0, :, None] == ctx.padding, 0)
        ctx.leaf.grad.index_add_(0, ctx.ids[0], grad)
        return None, None, None


class _Linear(torch.autograd.Function):
    """x (1, T, I), weight (O, I), bias (O,) or None -> (1, T, O); the gradients go straight into .grad.

    Autocast would keep every weight's bf16 copy until the backward pass is through; here it is made twice and kept
    only while it is used. Making it costs a fiftieth of the product.
    """

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, dtype: torch.dtype
    ) -> torch.Tensor:
        inputs = x.to(dtype)
        ctx.save_for_backward(inputs)
        ctx.weight, ctx.bias, ctx.dtype = weight, bias, x.dtype
        return _product(inputs, weight, bias)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: torch.Tensor) -> Any:
        (inputs,) = ctx.saved_tensors
        (grad,) = grad_outputs
        _add_linear_gradients(ctx.weight, ctx.bias, grad, inputs)
        needs_input = ctx.needs_input_grad[0]
        grad_x = (grad @ ctx.weight.to(grad.dtype)).to(ctx.dtype) if needs_input else None
        return grad_x, None, None, None


class _GatedLinear(torch.autograd.Function):
    """The last product of a gated MLP: gate, up (1, T, I), weight (O, I), bias (O,) or None -> (1, T, O).

    Keeps gate and up alone: what is multiplied, act(gate) * up, is made again in the backward pass, where it costs little.
    """

    @staticmethod
    def forward(
        ctx: Any,
        gate: torch.Tensor,
        up: torch.Tensor,
        gelu: bool,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
    ) -> torch.Tensor:
        ctx.save_for_backward(gate, up)
        ctx.weight, ctx.bias, ctx.gelu = weight, bias, gelu
        return _product(gated(gate, up, gelu), weight, bias)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: torch.Tensor) -> Any:
        gate, up = ctx.saved_tensors
        (grad,) = grad_outputs
        _add_linear_gradients(ctx.weight, ctx.bias, grad, gated(gate, up, ctx.gelu))
        return *gate_gradients(grad @ ctx.weight.to(grad.dtype), gate, up, ctx.gelu), None, None, None


def _product(inputs: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    """The linear layer in the inputs' number format."""
    return F.linear(inputs, weight.to(inputs.dtype), None if bias is None else bias.to(inputs.dtype))


def _add_linear_gradients(weight: Any, bias: Any, grad: torch.Tensor, inputs: torch.Tensor) -> None:
    add_gradient(weight, grad.flatten(0, -2).T @ inputs.flatten(0, -2))
    if bias is not None:
        add_gradient(bias, grad.flatten(0, -2).sum(0))


def _embedding_forward(module: Any, ids: torch.Tensor) -> Any:
    return _Embedding.apply(ids, module.weight, module.padding_idx)


def _linear_forward(module: Any, x: torch.Tensor) -> Any:
    return _Linear.apply(x, module.weight, module.bias, compute_dtype(x))


def _mlp_forward(module: Any, x: torch.Tensor) -> Any:
    down = module.down_proj
    return _GatedLinear.apply(
        module.gate_proj(x), module.up_proj(x), uses_gelu(module), down.weight, down.bias
    )


def add_gradients_in_place(language_model: Any) -> None:
    """Lets the gradients of embedding and linear layers go past autograd.

    For one process alone: DDP and FSDP wait for autograd's own gradients.
    """
    head = language_model.get_output_embeddings()
    for module in language_model.modules():
        if uses_gelu(module) is not None and _is_trained_linear(module.down_proj):
            module.forward = MethodType(_mlp_forward, module)
        if module is head or not any(
            parameter.requires_grad for parameter in module.parameters(recurse=False)
        ):
            continue
        if type(module) is torch.nn.Embedding:  # Gemma-2 has one of its own, which scales
            module.forward = MethodType(_embedding_forward, module)
        elif _is_trained_linear(module):
            module.forward = MethodType(_linear_forward, module)


def _is_trained_linear(module: Any) -> bool:
    return type(module) is torch.nn.Linear and module.weight.requires_grad
