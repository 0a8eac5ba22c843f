"""Loads whatever reward model a folder holds and scores groups of answers with it.

Three kinds: ArmoRM (published or fitted), decoders with one linear score (transformers' ...ForSequence-
Classification of a decoder), and any other sequence classifier. The first two share a prompt's tokens among
its answers; the last is given padded batches of like length.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from fusechat.errors import BadInput
from scoring.armorm import ArmoRM, is_armorm_config, load_armorm, load_whole, read_config
from scoring.prefix_batches import PromptGroup, lay_out, plan_padded, plan_rows
from scoring.rm_inputs import check_template
from scoring.shared_prefix import (
    HiddenStates,
    plain_attention,
    read_padded,
    read_row,
    right_padded,
    shares_prefix,
)

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class Scored:
    """One answer's score; `rewards` are an ArmoRM's objectives."""

    key: str
    score: float
    rewards: list[float] | None = None


class RewardModel:
    """A reward model ready to score; `batches` plans, `score` runs one planned batch."""

    def __init__(self, model: Any, tokenizer: Any, *, decoder: Any | None, gate_offset: int = 1) -> None:
        self.model, self.tokenizer, self.decoder, self.gate_offset = model, tokenizer, decoder, gate_offset
        self.shared = decoder is not None and shares_prefix(decoder)

    @property
    def pad_id(self) -> int:
        """What fills padded rows; masked everywhere, so any id will do for decoders."""
        pad = self.tokenizer.pad_token_id
        return int(self.tokenizer.eos_token_id if pad is None else pad)

    def batches(self, groups: Sequence[PromptGroup], tokens_per_batch: int) -> list[list[PromptGroup]]:
        """Splits groups into batches that `score` takes; the same groups always make the same batches."""
        return (plan_rows if self.shared else plan_padded)(groups, tokens_per_batch)

    def read(self, batch: Sequence[PromptGroup]) -> HiddenStates:
        """The decoder's states that heads read, answers in the order of the batch."""
        if self.shared:
            return read_row(self.decoder, lay_out(batch), self.gate_offset)
        return read_padded(self.decoder, batch, self.gate_offset, self.pad_id)

    @torch.inference_mode()
    def score(self, batch: Sequence[PromptGroup]) -> Iterator[Scored]:
        """Scores every answer of one batch."""
        keys = [key for group in batch for key in group.keys]
        if self.decoder is None:
            sequences = [group.prompt + group.answers[0] for group in batch]
            input_ids, mask = right_padded(sequences, self.pad_id, self.model.device)
            scores = self.model(input_ids=input_ids, attention_mask=mask).logits.float()[:, 0]
            return map(Scored, keys, scores.tolist())
        states = self.read(batch)
        if isinstance(self.model, ArmoRM):
            output = self.model.heads(states.last, states.gate[states.group_of_answer])
            return map(Scored, keys, output["score"].tolist(), output["rewards"].tolist())
        return map(Scored, keys, self.model.score(states.last)[:, 0].tolist())


def load_reward_model(model: str | Path, tokenizer: Any, *, dtype: str, device: str) -> RewardModel:
    """Loads a folder or Hub id by its config. BadInput where it is no reward model, or not a whole one."""
    config = read_config(model)
    if is_armorm_config(config):
        armorm = load_armorm(model, dtype=DTYPES[dtype], device=device)
        vocabulary = armorm.get_input_embeddings().weight.shape[0]
        expected = getattr(config, "gate_token_offset", None)
        offset = check_template(str(model), tokenizer, expected, vocabulary)
        armorm.config.gate_token_offset = offset
        return RewardModel(armorm, tokenizer, decoder=armorm.model, gate_offset=offset)
    architectures = getattr(config, "architectures", None) or ["none"]
    if not str(architectures[0]).endswith("ForSequenceClassification"):
        raise BadInput(
            f"{model}: is a {architectures[0]}, not a reward model; give an ArmoRM (scoring/fit_armorm.py makes one) "
            "or a model saved as ...ForSequenceClassification"
        )
    return _load_classifier(model, tokenizer, config, DTYPES[dtype], device)


def _load_classifier(
    model: str | Path, tokenizer: Any, config: Any, dtype: torch.dtype, device: str
) -> RewardModel:
    from transformers import AutoModelForSequenceClassification
    from transformers.modeling_layers import GenericForSequenceClassification

    if config.num_labels != 1:
        raise BadInput(
            f"{model}: gives {config.num_labels} numbers an answer; a reward model gives one (num_labels 1)"
        )
    classifier = load_whole(AutoModelForSequenceClassification, model, dtype=dtype, **plain_attention(config))
    classifier = classifier.to(device).eval()
    # A decoder's own pooling searches for the pad token and goes wrong where pad is an end-of-turn token;
    # its score layer on the state at the last token is the same model without the search.
    if isinstance(classifier, GenericForSequenceClassification):
        classifier.score.float()  # heads are computed in float32
        return RewardModel(classifier, tokenizer, decoder=classifier.base_model)
    return RewardModel(classifier, tokenizer, decoder=None)
