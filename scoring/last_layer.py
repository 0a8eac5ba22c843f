"""Spares a decoder's last layer what no reward head reads.

The heads read two kinds of places: the end of every answer, and the gate's place in every prompt. In all layers but
the last, the other places are needed too, as keys and values of the next; in the last one their queries, output
projections and MLP go nowhere. That is one thirty-second of Llama-3-8B's work, and half of a two-layer model's.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch

# Parts of a layer that work on each place by itself, as most decoders name them; any other is computed in full.
PLACE_BY_PLACE = ("self_attn.q_proj", "self_attn.o_proj", "mlp")


@contextmanager
def last_layer_only_at(decoder: Any, places: Sequence[int]) -> Iterator[None]:
    """For the length of the block the last layer's PLACE_BY_PLACE parts see these places of a row, and no other.

    Elsewhere their output is zero. The decoder's call fails where a part takes or gives more than one tensor.
    """
    chosen = torch.tensor(places, device=decoder.device)
    length = 0

    def before(_part: torch.nn.Module, arguments: tuple[torch.Tensor, ...]) -> torch.Tensor:
        nonlocal length
        (states,) = arguments  # (1, T, d)
        length = states.shape[1]
        return states[:, chosen]

    def after(_part: torch.nn.Module, _arguments: Any, output: torch.Tensor) -> torch.Tensor:
        whole = output.new_zeros(1, length, output.shape[-1])
        return whole.index_copy_(1, chosen, output)

    parts = dict(decoder.layers[-1].named_modules())
    with ExitStack() as hooks:
        for part in (parts[name] for name in PLACE_BY_PLACE if name in parts):
            hooks.callback(part.register_forward_pre_hook(before).remove)
            hooks.callback(part.register_forward_hook(after).remove)
        yield
