"""The computed figures stand on parameter counts that transformers and PEFT give, too."""

from pathlib import Path
from typing import Any

import pytest
import torch

from training.gpu_estimates import TARGETS, Shape, fsdp_table, qlora_table

ROOT = Path(__file__).resolve().parent.parent.parent


def language_model(shape: Shape) -> Any:
    """The same shape as transformers builds it, without memory for its weights."""
    from transformers import AutoConfig, AutoModelForCausalLM

    family = "gemma2" if "gemma" in shape.name else "qwen2" if "Qwen" in shape.name else "llama"
    config = AutoConfig.for_model(
        family, hidden_size=shape.hidden, intermediate_size=shape.inner, num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads, num_key_value_heads=shape.key_heads, head_dim=shape.head_size,
        vocab_size=shape.vocabulary, tie_word_embeddings=shape.tied,
    )  # fmt: skip
    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(config)


@pytest.mark.parametrize("shape", TARGETS, ids=lambda shape: shape.name)
def test_parameters_are_those_that_transformers_counts(shape: Shape) -> None:
    assert shape.parameters == language_model(shape).num_parameters()


def test_adapters_are_those_that_peft_counts() -> None:
    from peft import LoraConfig, get_peft_model

    shape = TARGETS[-1]
    model = get_peft_model(language_model(shape), LoraConfig(r=64, target_modules="all-linear"))
    assert model.get_nb_trainable_parameters()[0] == shape.lora(64)


def test_the_page_carries_the_tables_as_they_are_computed() -> None:
    page = (ROOT / "docs/training-costs.md").read_text(encoding="utf-8")
    for table in (fsdp_table(), qlora_table()):
        assert "\n".join(table) in page
