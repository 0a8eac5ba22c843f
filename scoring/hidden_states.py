"""Runs a decoder over rows with shared prompts, or over padded batches, and takes the states that reward heads read.

What an architecture may do beside attention as we know it (attention sinks, recurrent layers) cannot be known, so
`shares_prefix` tries every model before it is trusted.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import torch

from fusechat.shared_prefix import Masks
from scoring.last_layer import last_layer_only_at
from scoring.prefix_batches import PromptGroup, Row, plan_padded, plan_rows, rows_of
from scoring.row_attention import KeptPrompt, places_read, register_attention

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


class StateReader:
    """Reads the states of whole batches: rows with shared prompts where the decoder's attention allows it."""

    def __init__(self, decoder: Any, gate_offset: int, pad_id: int) -> None:
        self.decoder, self.gate_offset, self.pad_id = decoder, gate_offset, pad_id
        self.spared = shares_prefix(decoder, spared=True)
        self.shared = self.spared or shares_prefix(decoder, spared=False)

    def batches(self, groups: Sequence[PromptGroup], tokens_per_batch: int) -> list[list[PromptGroup]]:
        """Splits groups into batches that `read` takes; the same groups always make the same batches."""
        return (plan_rows if self.shared else plan_padded)(groups, tokens_per_batch)

    def read(self, batch: Sequence[PromptGroup]) -> HiddenStates:
        """The states of one batch, answers in its order."""
        if self.shared:
            return read_rows(self.decoder, batch, self.gate_offset, spared=self.spared)
        return read_padded(self.decoder, batch, self.gate_offset, self.pad_id)


def read_rows(decoder: Any, batch: Sequence[PromptGroup], gate_offset: int, *, spared: bool) -> HiddenStates:
    """One forward pass over the row of a batch, or one for each part of its only group.

    gate_offset: how many tokens before the prompt's end (generation prompt included) the gate reads.
    spared: the last layer is computed at the places read alone.
    """
    rows = rows_of(batch)
    kept_prompt = KeptPrompt(len(batch[0].prompt)) if len(rows) > 1 else None
    states = [_read_row(decoder, row, gate_offset, kept_prompt, spared=spared) for row in rows]
    owners = [index for index, group in enumerate(batch) for _ in group.answers]
    gate = torch.cat([gate for _, gate in states])
    if len(rows) > 1:
        gate = gate.expand(len(batch), -1)  # the parts have one prompt
    return HiddenStates(
        torch.cat([last for last, _ in states]), gate, torch.tensor(owners, device=decoder.device)
    )


def _read_row(
    decoder: Any, row: Row, gate_offset: int, kept_prompt: KeptPrompt | None, *, spared: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """States at the answers' ends and at the gates: (N, d) and (G, d), or (0, d) where the prompt is a kept one."""
    device = decoder.device
    places = list(places_read(row.layout, None if row.kept else gate_offset))
    num_gates = 0 if row.kept else len(row.layout)
    in_row = [place - row.kept for place, _ in places]
    with torch.inference_mode(), _attention(decoder), ExitStack() as stack:
        if spared:
            stack.enter_context(last_layer_only_at(decoder, in_row))
        hidden = decoder(
            input_ids=torch.tensor([row.tokens], device=device),
            position_ids=torch.tensor([row.positions], device=device),
            attention_mask=None,
            use_cache=False,
            layout=row.layout,
            masks=Masks(row.layout),
            kept_prompt=kept_prompt,
            places=places,
            spared_layer=len(decoder.layers) - 1 if spared else None,
        ).last_hidden_state[0]  # (T, d)
    read = hidden[in_row].float()
    return read[num_gates:], read[:num_gates]


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


def shares_prefix(decoder: Any, *, spared: bool) -> bool:
    """Whether this decoder gives the same hidden states for a shared row as for each conversation alone.

    spared: with the last layer computed at the places read alone.
    """
    vocabulary = int(decoder.get_input_embeddings().weight.shape[0])
    window = getattr(decoder.config, "sliding_window", None)
    # Long enough to reach past a short window, and several prompts, so that every boundary is crossed.
    length = 12 if not isinstance(window, int) or window > 64 else window + 12

    def made_up(count: int, salt: int) -> tuple[int, ...]:
        return tuple((salt + 7 * place) % vocabulary for place in range(count))

    groups = [
        PromptGroup(made_up(6, 5), (made_up(4, 14), made_up(7, 15)), ("a", "b")),
        PromptGroup(made_up(5, 6), (made_up(3, 16),), ("c",)),
        # Too long for a row with the others, or by itself: in two parts.
        PromptGroup(
            made_up(length, 3), (made_up(5, 11), made_up(length, 12), made_up(3, 13)), ("d", "e", "f")
        ),
    ]
    try:
        read = [
            read_rows(decoder, batch, 2, spared=spared)
            for batch in plan_rows(groups, groups[2].num_tokens - 1)
        ]
    except (TypeError, ValueError, AttributeError, RuntimeError, KeyError):
        return False
    alone = [
        read_padded(decoder, [PromptGroup(group.prompt, (answer,), ("",))], 2, 0)
        for group in groups
        for answer in group.answers
    ]
    expected = torch.cat([*(states.last for states in alone), *(states.gate for states in alone)])
    given = torch.cat(
        [*(states.last for states in read), *(states.gate[states.group_of_answer] for states in read)]
    )
    difference = (given - expected).norm(dim=1) / expected.norm(dim=1).clamp_min(1e-6)
    return bool(difference.max() < PROBE_TOLERANCE.get(decoder.dtype, 1e-3))


class _attention:
    """Switches a decoder to our attention for the length of a block."""

    def __init__(self, decoder: Any) -> None:
        self._decoder = decoder
        self._before = decoder.config._attn_implementation

    def __enter__(self) -> None:
        self._decoder.config._attn_implementation = register_attention()

    def __exit__(self, *_: object) -> None:
        self._decoder.config._attn_implementation = self._before
