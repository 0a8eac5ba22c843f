"""Loss and gradients against TRL's DPOTrainer, on the same pairs, models and float32."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_models import make_tiny_tokenizer

from training.attention import implementation_name
from training.examples import Example
from training.losses import preference_loss, sft_loss
from training.packing import pack
from training.policy import Policy

Maker = Callable[..., Any]


def trl_loss_and_gradients(
    model: Any, reference: Any, pairs: list[Example], loss_type: str, beta: float, folder: Path
) -> tuple[float, dict[str, torch.Tensor]]:
    from datasets import Dataset
    from trl import DPOConfig, DPOTrainer

    rows = [
        {"prompt": "a", "chosen": "b", "rejected": "c"}
    ] * 2  # only to make the trainer; the batch is ours
    config = DPOConfig(
        output_dir=str(folder), loss_type=[loss_type], beta=beta, bf16=False, gradient_checkpointing=False,
        report_to="none", use_cpu=True, max_length=None, disable_dropout=True,
    )  # fmt: skip
    trainer = DPOTrainer(
        model=model, ref_model=reference, args=config, train_dataset=Dataset.from_list(rows),
        processing_class=make_tiny_tokenizer("qwen2"),
    )  # fmt: skip
    batch = trainer.data_collator(
        [
            {
                "prompt_ids": list(pair.prompt),
                "chosen_ids": list(pair.responses[0]),
                "rejected_ids": list(pair.responses[1]),
            }
            for pair in pairs
        ]
    )
    loss = trainer.compute_loss(trainer.model, dict(batch))
    loss.backward()
    return loss.item(), {name: p.grad for name, p in trainer.model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize(
    ("loss_type", "beta", "normalised"), [("sigmoid_norm", 10.0, True), ("sigmoid", 0.1, False)]
)
@pytest.mark.parametrize("family", ["llama", "qwen2", "gemma2"])
def test_preference_loss_and_gradients_equal_trl(
    family: str,
    loss_type: str,
    beta: float,
    normalised: bool,
    make_model: Maker,
    make_examples: Maker,
    tmp_path: Path,
) -> None:
    # The vocabulary covers the tokenizer that TRL insists on.
    size = {"vocab_size": 600, "std": 0.1}
    model, reference, pairs = (
        make_model(family, **size),
        make_model(family, seed=1, **size),
        make_examples(5, 2),
    )
    ours = copy.deepcopy(model)
    expected_loss, expected = trl_loss_and_gradients(
        model, copy.deepcopy(reference), pairs, loss_type, beta, tmp_path
    )
    batch = pack(pairs)
    for each in (ours, reference):
        each.set_attn_implementation(implementation_name("segments"))
    with torch.no_grad():
        reference_logps = Policy(reference)(**vars(batch)).view(-1, 2)
    logps = Policy(ours)(**vars(batch)).view(-1, 2)
    lengths = batch.lengths.view(-1, 2)
    loss = preference_loss(
        logps, reference_logps, lengths, beta=beta, length_normalize=normalised
    ).losses.mean()
    loss.backward()
    assert abs(expected_loss - 0.6931) > 0.001  # policy and reference do differ
    assert loss.item() == pytest.approx(expected_loss, abs=1e-5)
    for name, parameter in ours.named_parameters():
        difference = (parameter.grad - expected[name]).norm() / expected[name].norm()
        assert difference < 1e-4, (name, float(difference))


@pytest.mark.parametrize("family", ["llama", "qwen2", "gemma2"])
def test_sft_loss_and_gradients_equal_transformers_own(
    family: str, make_model: Maker, make_examples: Maker
) -> None:
    """transformers' loss on a padded batch with labels -100 outside the answers is the mean over trained tokens."""
    model, rows = make_model(family), make_examples(5, 1)
    ours = copy.deepcopy(model)
    longest = max(row.num_tokens for row in rows)
    tokens, labels, mask = (torch.full((5, longest), value) for value in (0, -100, 0))
    for number, row in enumerate(rows):
        ids = torch.tensor(row.prompt + row.responses[0])
        tokens[number, : len(ids)], mask[number, : len(ids)] = ids, 1
        labels[number, len(row.prompt) : len(ids)] = ids[len(row.prompt) :]
    expected = model(tokens, attention_mask=mask, labels=labels).loss
    expected.backward()
    ours.set_attn_implementation(implementation_name("segments"))
    loss = sft_loss(Policy(ours)(**vars(pack(rows))), sum(row.num_trained for row in rows))
    loss.backward()
    assert loss.item() == pytest.approx(expected.item(), abs=1e-5)
    for (name, parameter), (_, other) in zip(ours.named_parameters(), model.named_parameters(), strict=True):
        assert (parameter.grad - other.grad).norm() / other.grad.norm() < 1e-4, name
