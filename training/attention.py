"""Attention over a packed row: every example by itself, every response of a pair by itself.

"segments" (the default) calls attention once per piece, so no work goes into masked blocks, on CPU and GPU
alike: prompt + first response causally, each further response against prompt + itself. It honours sliding
windows and Gemma-2's attention soft-capping. The others give the whole row one mask to transformers' own
implementations: "sdpa", "eager" (both quadratic in the row) and "flex_attention" (CUDA only: no backward on CPU).
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F

from fusechat.errors import BadInput
from training.choices import Attention
from training.packing import Span

SEGMENTS = "fusechat_segments"  # the name under which transformers knows our function


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
    """What to give transformers as `attn_implementation`; registers ours on first use."""
    if attention != "segments":
        return attention
    from transformers import AttentionInterface

    AttentionInterface.register(SEGMENTS, segment_attention)
    return SEGMENTS


def segment_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    layout: Sequence[Span],
    scaling: float | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    dropout: float = 0.0,
    **_more: Any,
) -> tuple[torch.Tensor, None]:
    """transformers' attention function for a packed row; the row's layout comes along as a keyword.

    query (1, heads, T, D), key and value (1, key heads, T, D) -> (1, T, heads, D).
    """
    options: dict[str, Any] = {
        "scaling": scaling,
        "window": sliding_window,
        "softcap": softcap,
        "dropout": dropout,
    }
    # Split, not sliced: the backward pass of a slice fills a tensor of the whole row with zeros, once per slice.
    sizes = [
        end - start
        for span in layout
        for start, end in zip((span.start, *span.response_ends), span.response_ends, strict=False)
    ]
    parts = zip(*(tensor.split(sizes, dim=2) for tensor in (query, key, value)), strict=True)
    pieces: list[torch.Tensor] = []
    for span in layout:
        first_query, first_key, first_value = next(parts)  # prompt and first response
        pieces.append(_attend(first_query, first_key, first_value, **options))
        prompt = span.prompt_end - span.start
        for _ in span.response_ends[1:]:
            own_query, own_key, own_value = next(parts)
            seen_key = torch.cat([first_key[:, :, :prompt], own_key], dim=2)
            seen_value = torch.cat([first_value[:, :, :prompt], own_value], dim=2)
            pieces.append(_attend(own_query, seen_key, seen_value, **options))
    return torch.cat([piece.transpose(1, 2) for piece in pieces], dim=1), None


def _attend(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    *,
    scaling: float | None,
    window: int | None,
    softcap: float | None,
    dropout: float,
) -> torch.Tensor:
    """Causal attention of the last queries of a sequence: query i stands at place (keys - queries + i)."""
    num_queries, num_keys = query.shape[2], key.shape[2]
    mask: torch.Tensor | None = None
    if num_queries != num_keys or softcap is not None or (window is not None and window < num_keys):
        places = torch.arange(num_keys, device=query.device)
        distance = places[num_keys - num_queries :, None] - places[None, :]  # (queries, keys)
        mask = distance >= 0
        if window is not None:
            mask = mask & (distance < window)
    if softcap is None:
        return F.scaled_dot_product_attention(
            query, key, value, attn_mask=mask, is_causal=mask is None, scale=scaling, dropout_p=dropout,
            enable_gqa=query.shape[1] != key.shape[1],
        )  # fmt: skip
    assert mask is not None
    groups = query.shape[1] // key.shape[1]
    if groups > 1:
        key, value = key.repeat_interleave(groups, dim=1), value.repeat_interleave(groups, dim=1)
    scale = scaling if scaling is not None else query.shape[-1] ** -0.5
    scores = (
        torch.tanh((query @ key.transpose(2, 3)) * (scale / softcap)) * softcap
    )  # (1, heads, queries, keys)
    scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    probabilities = F.dropout(torch.softmax(scores, dim=-1, dtype=torch.float32), dropout).to(query.dtype)
    return probabilities @ value


def visible(layout: Sequence[Span], device: torch.device) -> torch.Tensor:
    """(T, T) boolean: whether the row's token sees the column's, in causal order within each piece."""
    length = layout[-1].response_ends[-1]
    example = torch.empty(length, dtype=torch.long, device=device)
    response = torch.zeros(length, dtype=torch.long, device=device)  # 0 for prompt tokens
    for number, span in enumerate(layout):
        example[span.start : span.response_ends[-1]] = number
        starts = (span.prompt_end, *span.response_ends)
        for place, (start, end) in enumerate(zip(starts, span.response_ends, strict=False), start=1):
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
        return {"layout": layout, "attention_mask": None}
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
