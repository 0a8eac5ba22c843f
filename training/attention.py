"""Attention over a packed row: every example by itself, every response of a pair by itself.

"segments" (the default, `fusechat/shared_prefix.py`) calls attention once per piece, so no work goes into masked blocks,
on CPU and GPU alike. The others give the whole row one mask to transformers' own
implementations: "sdpa", "eager" (both quadratic in the row) and "flex_attention" (CUDA only: no backward on CPU).
"""

from collections.abc import Sequence
from typing import Any

import torch

from fusechat.errors import BadInput
from fusechat.row_layout import Span
from fusechat.shared_prefix import Masks, register_attention
from training.choices import Attention


def check_attention(attention: Attention, config: Any, device: torch.device) -> None:
    """Refuses what would be silently wrong (soft-capping dropped by sdpa) or would fail late."""
    if attention == "sdpa" and getattr(config, "attn_logit_softcapping", None):
        raise BadInput(
            f"--attention sdpa: {config.model_type} caps its attention logits at {config.attn_logit_softcapping}, "
            "which sdpa silently leaves out; use segments, eager, or flex_attention on a GPU"
        )
    if attention == "flex_attention" and device.type == "cpu":
        raise BadInput("--attention flex_attention: has no backward pass on CPU; use segments or eager")


def implementation_name(attention: Attention) -> str:
    """What to give transformers as `attn_implementation`; registers ours."""
    return register_attention() if attention == "segments" else attention


def visible(layout: Sequence[Span], device: torch.device) -> torch.Tensor:
    """(T, T) boolean: whether the row's token sees the column's, in causal order within each piece."""
    length = layout[-1].answer_ends[-1]
    example = torch.empty(length, dtype=torch.long, device=device)
    response = torch.zeros(length, dtype=torch.long, device=device)  # 0 for prompt tokens
    for number, span in enumerate(layout):
        example[span.start : span.answer_ends[-1]] = number
        starts = (span.prompt_end, *span.answer_ends)
        for place, (start, end) in enumerate(zip(starts, span.answer_ends, strict=False), start=1):
            response[start:end] = place
    order = torch.arange(length, device=device)
    same_example = example[:, None] == example[None, :]
    same_response = (response[:, None] == response[None, :]) | (response[None, :] == 0)
    return same_example & same_response & (order[:, None] >= order[None, :])


def model_inputs(
    attention: Attention, config: Any, layout: Sequence[Span], position_ids: torch.Tensor
) -> dict[str, Any]:
    """The keywords that tell a transformers decoder which token sees which."""
    if attention == "segments":
        return {"layout": layout, "masks": Masks(layout), "attention_mask": None}
    mask = visible(layout, position_ids.device)
    if "sliding_attention" not in (getattr(config, "layer_types", None) or ()):
        return {"attention_mask": _mask_for(attention, mask)}
    # One mask for all layers would lose the sliding windows. Positions, not places: a rejected response
    # stands behind the chosen one in the row, but continues the prompt.
    distance = position_ids[0][:, None] - position_ids[0][None, :]
    windowed = mask & (distance < config.sliding_window)
    return {
        "attention_mask": {
            "full_attention": _mask_for(attention, mask),
            "sliding_attention": _mask_for(attention, windowed),
        }
    }


def _mask_for(attention: Attention, mask: torch.Tensor) -> Any:
    if attention == "sdpa":
        return mask[None, None]
    if attention == "eager":
        # eager adds the mask: 0 or the lowest number; a boolean one would be nonsense without an error.
        lowest = torch.full(mask.shape, torch.finfo(torch.float32).min, device=mask.device)
        return lowest.masked_fill_(mask, 0)[None, None]
    from torch.nn.attention.flex_attention import create_block_mask

    def sees(batch: Any, head: Any, query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        return mask[query, key]

    length = mask.shape[0]
    return create_block_mask(sees, None, None, length, length, device=str(mask.device))
