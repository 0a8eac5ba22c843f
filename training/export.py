"""The result: an ordinary Hugging Face folder in bf16."""

import copy
from pathlib import Path
from typing import Any

import torch

from fusechat.model_folder import written_whole


def export_model(accelerator: Any, policy: Any, tokenizer: Any, folder: Path, model_card: str) -> None:
    """Writes model (or, for QLoRA, adapter), tokenizer and model card into `folder`; all ranks call it."""
    unwrapped = accelerator.unwrap_model(policy)
    state = _full_state(accelerator, policy, unwrapped)
    if not accelerator.is_main_process:
        return
    language_model = unwrapped.language_model
    with written_whole(folder) as temporary:
        if unwrapped.model is not language_model:  # adapters
            unwrapped.model.save_pretrained(temporary, state_dict=state)
            (temporary / "README.md").unlink(missing_ok=True)  # PEFT's own card
        else:
            save_language_model(language_model, state, temporary)
        save_tokenizer_and_card(tokenizer, temporary, model_card)


def _full_state(accelerator: Any, policy: Any, unwrapped: Any) -> dict[str, torch.Tensor]:
    """Names as the inner model has them; bf16 for a full model, float32 for adapters; complete on the main rank."""
    if unwrapped.model is not unwrapped.language_model:
        return {
            name.removeprefix("model."): parameter.detach()
            for name, parameter in unwrapped.named_parameters()
            if parameter.requires_grad
        }
    state = accelerator.get_state_dict(policy)
    return {
        name.removeprefix("module.").removeprefix("model."): value.detach().to("cpu", torch.bfloat16)
        for name, value in (state or {}).items()
    }


def save_language_model(language_model: Any, state: dict[str, torch.Tensor], folder: Path) -> None:
    """config, generation config and safetensors of a full model in bf16, tied weights once."""
    tied = set(getattr(language_model, "all_tied_weights_keys", None) or {})
    if getattr(language_model.config, "tie_word_embeddings", False):
        state = {name: value for name, value in state.items() if name not in tied}
    language_model.save_pretrained(folder, state_dict=state, max_shard_size="5GB")
    # save_pretrained writes the dtype of the parameters in memory (float32) into the config: mend it.
    config = copy.deepcopy(language_model.config)
    config.dtype, config.use_cache = torch.bfloat16, True
    config.save_pretrained(folder)


def save_tokenizer_and_card(tokenizer: Any, folder: Path, model_card: str) -> None:
    """Tokenizer with its chat template, and README.md."""
    tokenizer.save_pretrained(folder)
    (folder / "README.md").write_text(model_card, encoding="utf-8")
