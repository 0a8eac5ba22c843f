"""Attention over the rows that a reward model reads: `fusechat/shared_prefix.py`, and what scoring alone can spare.

A group of answers too large for one pass is read in several, and its prompt in the first of them only: its keys and
values are kept. And the last layer answers at the places read alone; see `last_layer`.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from fusechat.row_layout import Span
from fusechat.shared_prefix import attend, shared_prefix_attention

ATTENTION_NAME = "fusechat_scoring_row"  # under which transformers knows our function


class KeptPrompt:
    """A prompt's keys and values in every layer, taken in the first pass and put in front of the later ones'."""

    def __init__(self, length: int) -> None:
        self.length = length
        self._layers: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

    def in_front(
        self, layer: int, key: torch.Tensor, value: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """(1, key heads, T, D) each -> the same in the first pass, where the prompt leads; else length + T places."""
        if layer not in self._layers:
            self._layers[layer] = key[:, :, : self.length].clone(), value[:, :, : self.length].clone()
            return key, value
        kept_key, kept_value = self._layers[layer]
        return torch.cat([kept_key, key], dim=2), torch.cat([kept_value, value], dim=2)


def register_attention() -> str:
    """Makes the attention known to transformers; returns its name, for `attn_implementation`."""
    from transformers import AttentionInterface

    AttentionInterface.register(ATTENTION_NAME, row_attention)
    return ATTENTION_NAME


def row_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    layout: Sequence[Span],
    kept_prompt: KeptPrompt | None,
    places: Sequence[tuple[int, list[slice]]],
    spared_layer: int | None,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """transformers' attention function; `layout` to `spared_layer` are keywords of the decoder's own call.

    layout: of all keys, those of a kept prompt in front. places: what `places_read` says of it. spared_layer: the layer
    that answers at these places alone, with zero elsewhere. options: those of `attend`.
    query (1, heads, T, D), key and value (1, key heads, T, D) -> (1, T, heads, D).
    """
    layer: Any = getattr(module, "layer_idx", None)
    if kept_prompt is not None:
        key, value = kept_prompt.in_front(layer, key, value)
    if spared_layer is None or layer != spared_layer:
        return shared_prefix_attention(module, query, key, value, attention_mask, layout=layout, **options)
    ahead = key.shape[2] - query.shape[2]
    output = torch.zeros_like(query).transpose(1, 2)
    for place, seen in places:
        own = slice(place - ahead, place - ahead + 1)
        output[:, own] = attend(
            query[:, :, own],
            torch.cat([key[:, :, part] for part in seen], dim=2),
            torch.cat([value[:, :, part] for part in seen], dim=2),
            **options,
        ).transpose(1, 2)
    return output, None


def places_read(layout: Sequence[Span], gate_offset: int | None) -> Iterator[tuple[int, list[slice]]]:
    """The places that the heads read, and which keys each of them sees: each prompt's gate, then each answer's end.

    gate_offset: how many tokens before the prompt's end the gate reads; None leaves the gates out.
    """
    if gate_offset is not None:
        for span in layout:
            gate = span.prompt_end - gate_offset
            yield gate, [slice(span.start, gate + 1)]
    for span in layout:
        for start, end in itertools.pairwise((span.prompt_end, *span.answer_ends)):
            yield end - 1, [slice(span.start, span.prompt_end), slice(start, end)]
