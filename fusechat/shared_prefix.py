"""Attention over a row of `row_layout`: each answer sees its prompt and itself, and nothing else of the row.

transformers calls it in every layer, for the trainers and the reward models alike. It works piece by piece, so no work
goes into masked blocks, and honours sliding windows and Gemma-2's attention soft-capping.
"""

import itertools
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F

from fusechat.row_layout import Span

ATTENTION_NAME = "fusechat_shared_prefix"  # under which transformers knows our function


class Masks:
    """Additive masks of one row's pieces, made once in a pass over the layers.

    What a query sees depends on its distance to the key alone, so the masks of all pieces are cut out of one.
    """

    def __init__(self, layout: Sequence[Span]) -> None:
        self._longest_first = max(span.answer_ends[0] - span.start for span in layout)
        self._longest_prompt = max(span.prompt_end - span.start for span in layout)
        self._longest_answer = max(
            end - start
            for span in layout
            for start, end in itertools.pairwise((span.prompt_end, *span.answer_ends))
        )
        self._made: dict[tuple[bool, int | None], torch.Tensor] = {}
        self._cut: dict[tuple[int, int, int | None], torch.Tensor] = {}

    def piece(self, query: torch.Tensor, num_keys: int, window: int | None) -> torch.Tensor:
        """(queries, keys): 0 where a query of a piece sees a key, -inf elsewhere; it does not see the future."""
        num_queries = query.shape[2]
        is_first = num_queries == num_keys  # a prompt and its first answer
        before = 0 if is_first else self._longest_prompt
        if (is_first, window) not in self._made:
            rows = self._longest_first if is_first else self._longest_answer
            self._made[is_first, window] = _by_distance(rows, before, window, query)
        skipped = before - (num_keys - num_queries)
        mask = self._made[is_first, window][:num_queries, skipped : skipped + num_keys]
        if not query.is_cuda:
            return mask
        # CUDA's kernels want the mask's first element aligned; a cut of its own always is.
        shape = (num_queries, num_keys, window)
        if shape not in self._cut:
            self._cut[shape] = mask.contiguous()
        return self._cut[shape]


def _by_distance(rows: int, before: int, window: int | None, like: torch.Tensor) -> torch.Tensor:
    """(rows, before + rows) for queries that stand `before` places behind the first key."""
    mask = like.new_zeros(rows, before + rows)
    hidden = torch.full_like(mask, float("-inf"))
    mask += hidden.triu(before + 1)
    return mask if window is None else mask + hidden.tril(before - window)


def register_attention() -> str:
    """Makes the attention known to transformers; returns its name, for `attn_implementation`."""
    from transformers import AttentionInterface

    AttentionInterface.register(ATTENTION_NAME, shared_prefix_attention)
    return ATTENTION_NAME


def shared_prefix_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    layout: Sequence[Span],
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """transformers' attention function; `layout` and its `masks` are keywords of the decoder's own call.

    query (1, heads, T, D), key and value (1, key heads, T, D) -> (1, T, heads, D). Where there are more keys than
    queries, `layout` is that of the keys, and the missing queries are those of its first prompt.
    """
    # Split, not sliced: the backward pass of a slice fills a tensor of the whole row with zeros, once per slice.
    sizes = [
        end - start
        for span in layout
        for start, end in zip((span.start, *span.answer_ends), span.answer_ends, strict=False)
    ]
    own_sizes = [sizes[0] - (key.shape[2] - query.shape[2]), *sizes[1:]]
    parts = zip(
        query.split(own_sizes, dim=2), key.split(sizes, dim=2), value.split(sizes, dim=2), strict=True
    )
    pieces: list[torch.Tensor] = []
    for span in layout:
        first_query, first_key, first_value = next(parts)  # the prompt and its first answer: one causal piece
        pieces.append(attend(first_query, first_key, first_value, **options))
        prompt = span.prompt_end - span.start
        for _ in span.answer_ends[1:]:
            own_query, own_key, own_value = next(parts)
            seen_key = torch.cat([first_key[:, :, :prompt], own_key], dim=2)
            seen_value = torch.cat([first_value[:, :, :prompt], own_value], dim=2)
            pieces.append(attend(own_query, seen_key, seen_value, **options))
    return torch.cat([piece.transpose(1, 2) for piece in pieces], dim=1), None


def attend(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    *,
    masks: Masks,
    scaling: float | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    dropout: float = 0.0,
    **_more: Any,
) -> torch.Tensor:
    """Causal attention of a sequence's last queries: query i stands at place (keys - queries + i).

    Keywords as transformers gives them to an attention function, whatever else it gives, and the row's `masks`.
    """
    num_queries, num_keys = query.shape[2], key.shape[2]
    groups = query.shape[1] // key.shape[1]
    window = sliding_window
    if window is not None and num_queries == 1:
        key, value = key[:, :, -window:], value[:, :, -window:]  # all that the last place sees
        window = None
    if window is not None and window >= num_keys:
        window = None
    if num_queries == num_keys and window is None and softcap is None:
        return F.scaled_dot_product_attention(
            query, key, value, is_causal=True, scale=scaling, dropout_p=dropout, enable_gqa=groups > 1
        )
    mask = None if num_queries == 1 else masks.piece(query, num_keys, window)
    # On CUDA no kernel takes both a mask and fewer key heads, and the fallback makes (heads, queries, keys) tensors.
    if groups > 1 and (softcap is not None or query.is_cuda):
        key, value = key.repeat_interleave(groups, dim=1), value.repeat_interleave(groups, dim=1)
        groups = 1
    if softcap is None:
        return F.scaled_dot_product_attention(
            query, key, value, attn_mask=mask, scale=scaling, dropout_p=dropout, enable_gqa=groups > 1
        )
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    scores = torch.tanh((query @ key.transpose(2, 3)) * (scale / softcap)) * softcap
    if mask is not None:
        scores = scores + mask
    probabilities = F.dropout(torch.softmax(scores, dim=-1, dtype=torch.float32), dropout).to(query.dtype)
    return probabilities @ value  # (1, heads, queries, D)
