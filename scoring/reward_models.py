"""Loads whatever reward model a folder holds and scores groups of answers with it.

Three kinds: ArmoRM (published or fitted), decoders with one linear score (transformers' ...ForSequence-
Classification of a decoder), and any other sequence classifier. The first two share a prompt's tokens among
its answers where the decoder's attention allows it; the last is given padded batches of like length.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from fusechat.errors import BadInput
from scoring.armorm import ArmoRM, is_armorm_config, load_armorm, load_whole, read_config
from scoring.hidden_states import (
    StateReader,
    plain_attention,
    right_padded,
)
from scoring.prefix_batches import PromptGroup, plan_padded
from scoring.rm_inputs import check_chat, check_template

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
        self.model, self.tokenizer = model, tokenizer
        self.reader = None if decoder is None else StateReader(decoder, gate_offset, self.pad_id)

    @property
    def shared(self) -> bool:
        """Whether a prompt's tokens are computed once for all its answers."""
        return self.reader is not None and self.reader.shared

    @property
    def pad_id(self) -> int:
        """What fills padded rows: the config's own, by which encoders count positions and look for the end."""
        for pad in (self.model.config.get_text_config().pad_token_id, self.tokenizer.pad_token_id):
            if pad is not None and pad >= 0:  # early Llama configs say -1
                return int(pad)
        return int(self.tokenizer.eos_token_id)

    def batches(self, groups: Sequence[PromptGroup], tokens_per_batch: int) -> list[list[PromptGroup]]:
        """Splits groups into batches that `score` takes; the same groups always make the same batches."""
        if self.reader is None:
            return plan_padded(groups, tokens_per_batch)
        return self.reader.batches(groups, tokens_per_batch)

    @torch.inference_mode()
    def score(self, batch: Sequence[PromptGroup]) -> Iterator[Scored]:
        """Scores every answer of one batch."""
        keys = [key for group in batch for key in group.keys]
        if self.reader is None:
            sequences = [group.prompt + group.answers[0] for group in batch]
            input_ids, mask = right_padded(sequences, self.pad_id, self.model.device)
            scores = self.model(input_ids=input_ids, attention_mask=mask).logits.float()[:, 0]
            return map(Scored, keys, scores.tolist())
        states = self.reader.read(batch)
        if isinstance(self.model, ArmoRM):
            output = self.model.heads(states.last, states.gate[states.group_of_answer])
            return map(Scored, keys, output["score"].tolist(), output["rewards"].tolist())
        return map(Scored, keys, self.model.score(states.last)[:, 0].tolist())


def load_reward_model(model: str | Path, tokenizer: Any, *, dtype: str, device: str) -> RewardModel:
    """Loads a folder or Hub id by its config. BadInput where it is no reward model, or not a whole one."""
    config = read_config(model)
    check_chat(str(model), tokenizer)
    if is_armorm_config(config):
        armorm = load_armorm(model, dtype=DTYPES[dtype], device=device)
        vocabulary = armorm.get_input_embeddings().weight.shape[0]
        offset = check_template(str(model), tokenizer, config, vocabulary)
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

    if config.num_labels != 1:
        raise BadInput(
            f"{model}: gives {config.num_labels} numbers an answer; a reward model gives one (num_labels 1)"
        )
    classifier = load_whole(AutoModelForSequenceClassification, model, dtype=dtype, **plain_attention(config))
    classifier = classifier.to(device).eval()
    if not scores_last_token(classifier):
        return RewardModel(classifier, tokenizer, decoder=None)
    classifier.score.float()  # heads are computed in float32
    return RewardModel(classifier, tokenizer, decoder=classifier.base_model)


def scores_last_token(classifier: Any) -> bool:
    """Whether a classifier is a decoder with one linear `score` on its last token.

    Their own way to find that token searches for the pad token, and goes wrong where pad is also the
    end-of-turn token or is not set; the score layer on the state at the last token is the same model without
    the search. Tried on two tokens that are not pad, so that nothing is taken on trust.
    """
    if (
        not isinstance(getattr(classifier, "score", None), torch.nn.Linear)
        or classifier.base_model is classifier
    ):
        return False
    pad = classifier.config.get_text_config().pad_token_id
    tokens = [token for token in range(3) if token != pad][:2]
    input_ids = torch.tensor([tokens], device=classifier.device)
    with torch.inference_mode():
        own = classifier(input_ids=input_ids).logits.float().flatten()
        states = classifier.base_model(input_ids=input_ids).last_hidden_state  # (1, 2, d)
        last = classifier.score(states[:, -1]).float().flatten()
    return bool(torch.equal(own, last) or torch.allclose(own, last, rtol=1e-2, atol=1e-3))
