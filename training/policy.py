"""The policy: a causal language model whose forward takes a packed batch and returns response log-probabilities.

Decoder, chunked head and sums are one module on purpose: under FSDP2 only the module's own call gathers the
root's parameters (embeddings, head, final norm), so this module is what is prepared, trained and saved.
"""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from fusechat.errors import BadInput
from fusechat.row_layout import Span
from training.attention import check_attention, implementation_name, model_inputs
from training.choices import Attention
from training.gradients_in_place import add_gradients_in_place
from training.lean_layers import install
from training.token_logps import response_logps, token_logps

# Families whose packed log-probabilities are checked against one-by-one ones in the tests.
FAMILIES = ("llama", "qwen2", "gemma2")


class Policy(nn.Module):
    """Wraps a transformers causal language model, or a PEFT model around one."""

    def __init__(self, model: Any, attention: Attention = "segments", head_chunk: int | None = None) -> None:
        super().__init__()
        self.model = model
        self.attention: Attention = attention
        self.head_chunk = head_chunk
        self.adds_gradients_in_place = False
        install(self.language_model, own_attention=attention == "segments")
        self._no_split_modules = list(self.language_model._no_split_modules)  # FSDP's units

    @property
    def language_model(self) -> Any:
        """The transformers model itself, without a PEFT wrapper around it."""
        return self.model.get_base_model() if hasattr(self.model, "get_base_model") else self.model

    def add_gradients_in_place(self) -> None:
        """Lets the gradients of the weights go past autograd; for a process that trains alone."""
        self.adds_gradients_in_place = True
        add_gradients_in_place(self.language_model)

    def tie_weights(self) -> None:
        """Called by accelerate after it has moved parameters."""
        self.language_model.tie_weights()

    def forward(
        self,
        input_ids: torch.Tensor,
        position_ids: torch.Tensor,
        read_positions: torch.Tensor,
        targets: torch.Tensor,
        response_index: torch.Tensor,
        lengths: torch.Tensor,
        layout: tuple[Span, ...],
    ) -> torch.Tensor:
        """Log-probability of every response, summed over its trained tokens: (R,) float32, nats."""
        language_model = self.language_model
        config = language_model.config
        extra = model_inputs(self.attention, config, layout, position_ids)
        hidden = language_model.get_decoder()(
            input_ids=input_ids, position_ids=position_ids, use_cache=False, **extra
        ).last_hidden_state[0]  # (T, H)
        logps = token_logps(
            hidden[read_positions],  # (N, H): only positions that predict a trained token meet the head
            language_model.get_output_embeddings().weight,
            targets,
            softcap=getattr(config, "final_logit_softcapping", None),
            chunk=self.head_chunk,
            add_in_place=self.adds_gradients_in_place,
        )  # (N,)
        return response_logps(logps, response_index, lengths.shape[0])


def load_policy(model: str | Path, attention: Attention, device: torch.device, **loading: Any) -> Policy:
    """Loads a model (float32 unless `loading` says otherwise) ready to be trained; BadInput for other families."""
    from transformers import AutoConfig, AutoModelForCausalLM
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    config = AutoConfig.from_pretrained(model)
    if config.model_type not in FAMILIES:
        raise BadInput(
            f"{model}: model_type {config.model_type} is not among {', '.join(FAMILIES)}; packed training is "
            "checked for these only"
        )
    if getattr(config, "use_bidirectional_attention", None):
        raise BadInput(
            f"{model}: its config.json says use_bidirectional_attention: an encoder, which is not trained to answer"
        )
    check_attention(attention, config, device)
    # No dropout: reference and policy must be the same function at the start. So the model can stay in training
    # mode throughout, which bitsandbytes needs on CPU: one evaluation pass would turn its 4-bit weights into an
    # inference layout without gradients.
    config.attention_dropout = 0.0
    language_model = AutoModelForCausalLM.from_pretrained(
        model,
        config=config,
        **{"dtype": torch.float32, **loading},
        attn_implementation=implementation_name(attention),
    )
    language_model.config.use_cache = False
    return Policy(language_model, attention)
