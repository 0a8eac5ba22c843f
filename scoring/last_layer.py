"""Spares a decoder's last layer what no reward head reads.

The heads read two kinds of places: the end of every answer, and the gate's place in every prompt. In all layers but
the last, the other places are needed too, as keys and values of the next; in the last one their queries, output
projections and MLP go nowhere. That is one thirty-second of Llama-3-8B's work, and half of a two-layer model's.
"""

import itertools
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch

from fusechat.row_layout import Span
from fusechat.shared_prefix import Masks, attend, shared_prefix_attention

ATTENTION_NAME = "fusechat_places_read"  # under which transformers knows our function
# Parts of a layer that work on each place by itself, as most decoders name them; any other is computed in full.
PLACE_BY_PLACE = ("self_attn.q_proj", "self_attn.o_proj", "mlp")


def register_attention() -> str:
    """Makes the attention known to transformers; returns its name, for `attn_implementation`."""
    from transformers import AttentionInterface

    AttentionInterface.register(ATTENTION_NAME, places_read_attention)
    return ATTENTION_NAME


@contextmanager
def last_layer_only_at(decoder: Any, places: Sequence[int]) -> Iterator[None]:
    """For the length of the block the last layer's PLACE_BY_PLACE parts see these places of a row, and no other.

    Elsewhere their output is zero. TypeError in the decoder's call where a part gives more than a tensor.
    """
    chosen = torch.tensor(places, device=decoder.device)
    length = 0

    def before(_module: torch.nn.Module, arguments: tuple[torch.Tensor, ...]) -> torch.Tensor:
        nonlocal length
        (states,) = arguments  # (1, T, d)
        length = states.shape[1]
        return states[:, chosen]

    def after(_module: torch.nn.Module, _arguments: Any, output: torch.Tensor) -> torch.Tensor:
        whole = output.new_zeros(1, length, output.shape[-1])
        return whole.index_copy_(1, chosen, output)

    parts = dict(decoder.layers[-1].named_modules())
    with ExitStack() as hooks:
        for part in (parts[name] for name in PLACE_BY_PLACE if name in parts):
            hooks.callback(part.register_forward_pre_hook(before).remove)
            hooks.callback(part.register_forward_hook(after).remove)
        yield


def places_read_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    layout: Sequence[Span],
    masks: Masks,
    gates: Sequence[int],
    last_layer: int,
    scaling: float | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    **more: Any,
) -> tuple[torch.Tensor, None]:
    """`shared_prefix_attention`, but in the last layer for the places read alone; the output is zero elsewhere.

    gates: the gate's place in the row, by prompt. query (1, heads, T, D), key and value (1, key heads, T, D) ->
    (1, T, heads, D).
    """
    if getattr(module, "layer_idx", None) != last_layer:
        return shared_prefix_attention(
            module, query, key, value, attention_mask, layout=layout, masks=masks, scaling=scaling,
            sliding_window=sliding_window, softcap=softcap, **more,
        )  # fmt: skip
    output = torch.zeros_like(query).transpose(1, 2)
    for span, gate in zip(layout, gates, strict=True):
        prompt = slice(span.start, span.prompt_end)
        seen_by = {gate: [slice(span.start, gate + 1)]}
        seen_by[span.answer_ends[0] - 1] = [slice(span.start, span.answer_ends[0])]
        for start, end in itertools.pairwise(span.answer_ends):
            seen_by[end - 1] = [prompt, slice(start, end)]
        for place, seen in seen_by.items():
            output[:, place : place + 1] = attend(
                query[:, :, place : place + 1],
                torch.cat([key[:, :, part] for part in seen], dim=2),
                torch.cat([value[:, :, part] for part in seen], dim=2),
                masks=masks, scaling=scaling, window=sliding_window, softcap=softcap, dropout=0.0,
            ).transpose(1, 2)  # fmt: skip
    return output, None
