"""Several examples in one row without padding: the prompt once, followed by all its responses.

    tokens     p p p c c c r r | p p c c r r r        p prompt, c chosen, r rejected (SFT: only c)
    positions  0 1 2 3 4 5 3 4 | 0 1 2 3 2 3 4        every response continues its own prompt's positions

Which token sees which (the attention) follows from the layout: see attention.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from fusechat.row_layout import Span, lay_out
from training.examples import Example


@dataclass
class PackedBatch:
    """One row of T tokens with R responses, N trained tokens in all."""

    input_ids: torch.Tensor  # (1, T)
    position_ids: torch.Tensor  # (1, T)
    read_positions: torch.Tensor  # (N,) where in the row each trained token is predicted
    targets: torch.Tensor  # (N,) ids of the trained tokens
    response_index: torch.Tensor  # (N,) which response, 0..R-1, each trained token belongs to
    lengths: torch.Tensor  # (R,) trained tokens of each response
    layout: tuple[Span, ...]

    def to(self, device: torch.device) -> "PackedBatch":
        """The same batch on a device."""
        moved = {
            name: value.to(device) for name, value in vars(self).items() if isinstance(value, torch.Tensor)
        }
        return PackedBatch(**moved, layout=self.layout)


def pack(examples: Sequence[Example]) -> PackedBatch:
    """Packs examples into one row. Responses are numbered in order: of pair i, 2i is chosen, 2i + 1 rejected."""
    tokens, positions, layout = lay_out((example.prompt, example.responses) for example in examples)
    read_positions: list[int] = []
    targets: list[int] = []
    response_index: list[int] = []
    lengths: list[int] = []
    for example, span in zip(examples, layout, strict=True):
        starts = (span.prompt_end, *span.answer_ends)
        for response, first in zip(example.responses, starts, strict=False):
            # The first trained token is predicted from the prompt's last token, each other from the one before it.
            read_positions.append(span.prompt_end - 1)
            read_positions.extend(range(first, first + len(response) - 1))
            targets.extend(response)
            response_index.extend([len(lengths)] * len(response))
            lengths.append(len(response))
    return PackedBatch(
        input_ids=torch.tensor([tokens]),
        position_ids=torch.tensor([positions]),
        read_positions=torch.tensor(read_positions),
        targets=torch.tensor(targets),
        response_index=torch.tensor(response_index),
        lengths=torch.tensor(lengths),
        layout=layout,
    )


def empty_pass(like: Example) -> PackedBatch:
    """The smallest batch with as many responses as `like`: for a rank that has nothing left while others have.

    With sharded parameters every rank must make the same number of passes, or all of them hang. Its
    log-probabilities are multiplied by 0.
    """
    token = like.prompt[0]
    return pack([Example("", "", "", "", (token,), tuple((token,) for _ in like.responses))])
