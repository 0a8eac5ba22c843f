"""Runs a decoder over a row in which several answers stand behind one copy of their prompt.

A custom attention function, which transformers calls in every layer, lets each answer see its prompt and
itself and nothing else. It works on pieces of the row, so no work goes into masked blocks, and honours
sliding windows and Gemma-2's attention soft-capping. What else an architecture may do (attention sinks,
recurrent layers) cannot be known, so `shares_prefix` tries every model before it is trusted.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F

from scoring.prefix_batches import PromptGroup, Row, Span, lay_out

ATTENTION_NAME = "fusechat_shared_prefix"
# Additive masks by (queries, keys, window): the same in every layer, made once in a forward pass.
Masks = dict[tuple[int, int, int | None], torch.Tensor]
# Hidden states of a bf16 model differ by its own rounding; a wrong mask changes them completely.
PROBE_TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 0.1, torch.float16: 0.05}


class HiddenStates:
    """Last hidden states of a row at the places that reward heads read, in float32."""

    def __init__(self, last: torch.Tensor, gate: torch.Tensor, group_of_answer: torch.Tensor) -> None:
        self.last = last  # (N, d) at the end-of-turn token of each answer
        self.gate = gate  # (G, d) at the end-of-turn token of each prompt
        self.group_of_answer = group_of_answer  # (N,) index into gate


def plain_attention(config: Any) -> dict[str, Any]:
    """Keywords for `from_pretrained`: Gemma-2 caps its attention logits, which sdpa silently leaves out."""
    return {"attn_implementation": "eager"} if getattr(config, "attn_logit_softcapping", None) else {}


def read_row(decoder: Any, row: Row, gate_offset: int) -> HiddenStates:
    """One forward pass over a row.

    gate_offset: how many tokens before the prompt's end (generation prompt included) the gate reads.
    """
    device = decoder.device
    with torch.inference_mode(), _attention(decoder):
        hidden = decoder(
            input_ids=torch.tensor([row.tokens], device=device),
            position_ids=torch.tensor([row.positions], device=device),
            attention_mask=None,
            use_cache=False,
            spans=row.spans,
            masks={},
        ).last_hidden_state[0]  # (T, d)
    ends = [end - 1 for span in row.spans for end in span.ends]
    gates = [span.prompt_end - gate_offset for span in row.spans]
    owners = [index for index, span in enumerate(row.spans) for _ in span.ends]
    return HiddenStates(hidden[ends].float(), hidden[gates].float(), torch.tensor(owners, device=device))


def read_padded(decoder: Any, singles: Sequence[PromptGroup], gate_offset: int, pad_id: int) -> HiddenStates:
    """The same for one conversation per row, right-padded: for models that `shares_prefix` refuses."""
    input_ids, mask = right_padded(
        [single.prompt + single.answers[0] for single in singles], pad_id, decoder.device
    )
    with torch.inference_mode():
        hidden = decoder(
            input_ids=input_ids, attention_mask=mask, use_cache=False
        ).last_hidden_state  # (B, T, d)
    rows = torch.arange(len(singles), device=hidden.device)
    gates = torch.tensor([len(single.prompt) - gate_offset for single in singles], device=hidden.device)
    return HiddenStates(hidden[rows, mask.sum(dim=1) - 1].float(), hidden[rows, gates].float(), rows)


def right_padded(
    sequences: Sequence[Sequence[int]], pad_id: int, device: Any
) -> tuple[torch.Tensor, torch.Tensor]:
    """(input_ids, attention_mask), both (B, T)."""
    longest = max(map(len, sequences))
    ids = [[*sequence, *[pad_id] * (longest - len(sequence))] for sequence in sequences]
    mask = [[1] * len(sequence) + [0] * (longest - len(sequence)) for sequence in sequences]
    return torch.tensor(ids, device=device), torch.tensor(mask, device=device)


def shares_prefix(decoder: Any) -> bool:
    """Whether this decoder gives the same hidden states for a shared row as for each conversation alone."""
    vocabulary = int(decoder.get_input_embeddings().weight.shape[0])
    window = getattr(decoder.config, "sliding_window", None)
    # Long enough to reach past a short window, and two prompts, so that every boundary is crossed.
    length = 12 if not isinstance(window, int) or window > 64 else window + 12

    def made_up(count: int, salt: int) -> tuple[int, ...]:
        return tuple((salt + 7 * place) % vocabulary for place in range(count))

    groups = [
        PromptGroup(
            made_up(length, 3), (made_up(5, 11), made_up(length, 12), made_up(3, 13)), ("a", "b", "c")
        ),
        PromptGroup(made_up(6, 5), (made_up(4, 14), made_up(7, 15)), ("d", "e")),
    ]
    try:
        shared = read_row(decoder, lay_out(groups), 2).last
    except (TypeError, ValueError, AttributeError, RuntimeError, KeyError):
        return False
    alone = [
        read_padded(decoder, [PromptGroup(group.prompt, (answer,), ("",))], 2, 0).last
        for group in groups
        for answer in group.answers
    ]
    expected = torch.cat(alone)
    difference = (shared - expected).norm(dim=1) / expected.norm(dim=1).clamp_min(1e-6)
    return bool(difference.max() < PROBE_TOLERANCE.get(decoder.dtype, 1e-3))


class _attention:
    """Switches a decoder to the shared-prefix attention for the length of a block."""

    def __init__(self, decoder: Any) -> None:
        from transformers import AttentionInterface

        AttentionInterface.register(ATTENTION_NAME, shared_prefix_attention)
        self._decoder = decoder
        self._before = decoder.config._attn_implementation

    def __enter__(self) -> None:
        self._decoder.config._attn_implementation = ATTENTION_NAME

    def __exit__(self, *_: object) -> None:
        self._decoder.config._attn_implementation = self._before


def shared_prefix_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    spans: Sequence[Span],
    masks: Masks,
    scaling: float | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """transformers' attention function. query (1, heads, T, D), key and value (1, key heads, T, D)."""
    repeats = query.shape[1] // key.shape[1]
    if repeats > 1:
        key, value = key.repeat_interleave(repeats, dim=1), value.repeat_interleave(repeats, dim=1)
    output = torch.empty(
        (query.shape[0], query.shape[2], query.shape[1], value.shape[3]),
        dtype=query.dtype,
        device=query.device,
    )  # (1, T, heads, D)

    def attend(first: int, last: int, seen_key: torch.Tensor, seen_value: torch.Tensor) -> None:
        piece = _causal(
            query[:, :, first:last], seen_key, seen_value, masks, scaling, sliding_window, softcap
        )
        output[:, first:last] = piece.transpose(1, 2)

    for span in spans:
        # The prompt and its first answer are one causal piece; each further answer sees the prompt and itself.
        whole = slice(span.start, span.ends[0])
        attend(span.start, span.ends[0], key[:, :, whole], value[:, :, whole])
        prompt = slice(span.start, span.prompt_end)
        for first, last in zip(span.ends, span.ends[1:], strict=False):
            attend(
                first,
                last,
                torch.cat([key[:, :, prompt], key[:, :, first:last]], dim=2),
                torch.cat([value[:, :, prompt], value[:, :, first:last]], dim=2),
            )
    return output, None


def _causal(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    masks: Masks,
    scaling: float | None,
    window: int | None,
    softcap: float | None,
) -> torch.Tensor:
    """Causal attention of a sequence's last queries: query i stands at place (keys - queries + i)."""
    num_queries, num_keys = query.shape[2], key.shape[2]
    if window is not None and window >= num_keys:
        window = None
    if num_queries == num_keys and softcap is None and window is None:
        return F.scaled_dot_product_attention(query, key, value, is_causal=True, scale=scaling)
    shape = (num_queries, num_keys, window)
    if shape not in masks:
        places = torch.arange(num_keys, device=query.device)
        distance = places[num_keys - num_queries :, None] - places[None, :]  # (queries, keys)
        hidden = distance < 0 if window is None else (distance < 0) | (distance >= window)
        masks[shape] = torch.zeros_like(hidden, dtype=query.dtype).masked_fill_(hidden, float("-inf"))
    mask = masks[shape]
    if softcap is None:
        return F.scaled_dot_product_attention(query, key, value, attn_mask=mask, scale=scaling)
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    scores = torch.tanh((query @ key.transpose(2, 3)) * (scale / softcap)) * softcap + mask
    return torch.softmax(scores, dim=-1, dtype=torch.float32).to(query.dtype) @ value
