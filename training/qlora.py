"""QLoRA (arXiv:2305.14314): 4-bit weights that stay as they are, and adapters that are trained."""

from pathlib import Path
from typing import Any

import torch

from fusechat.errors import BadInput


def quantised_loading(device: torch.device) -> dict[str, Any]:
    """How to load the weights: nf4, double quantisation, bf16 compute."""
    try:
        import bitsandbytes  # noqa: F401
        import peft  # noqa: F401
    except ImportError as error:
        raise BadInput(f"--qlora needs {error.name}: pip install peft bitsandbytes") from None
    from transformers import BitsAndBytesConfig

    quantisation = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
    return {"quantization_config": quantisation, "dtype": torch.bfloat16, "device_map": {"": device}}


def add_adapters(language_model: Any, rank: int) -> Any:
    """The model with fresh float32 LoRA adapters on all linear layers but the head; nothing else is trained."""
    from peft import LoraConfig, get_peft_model

    for parameter in language_model.parameters():
        parameter.requires_grad_(False)
    config = LoraConfig(
        r=rank,
        lora_alpha=rank,
        lora_dropout=0.0,
        target_modules="all-linear",
        bias="none",
        task_type="CAUSAL_LM",
    )
    model = get_peft_model(language_model, config)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            assert "lora_" in name, name
            parameter.data = parameter.data.float()
    return model


def merge_adapters(base_model: str | Path, adapter: Path, device: torch.device) -> Any:
    """The base model's 4-bit weights, dequantised, with the adapters of a folder added to them; bf16.

    The dequantised weights are those that the adapters were trained on, so the merged model is the trained one
    up to bf16 rounding; adding the adapters to the original weights would give another model.
    """
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    model: Any = AutoModelForCausalLM.from_pretrained(base_model, **quantised_loading(device))
    model = model.dequantize().to("cpu", torch.float32)
    merged: Any = PeftModel.from_pretrained(model, adapter).merge_and_unload()
    return merged.to(torch.bfloat16)
