"""ArmoRM as a transformers model: a decoder, 19 linear rewards, and a gate that mixes them by the prompt.

The published checkpoint (RLHFlow/ArmoRM-Llama3-8B-v0.1, Wang et al. 2024, "Interpretable Preferences via
Multi-Objective Reward Modeling and Mixture-of-Experts") loads as it is: the tensors have its names. Any other
decoder that transformers has may take the backbone's place, for heads fitted by fit_armorm.py.

    r = W h(last token of the answer)                          rewards, (objectives,)
    g = softmax(MLP(h(end of the prompt)) / temperature) * s   gating output; depends on the prompt alone
    score = g . (r T)                                          T takes the verbosity's share out of r

Departures from the published code: the last token comes from the attention mask instead of a search for the
pad token (which goes wrong where pad is also an end-of-turn token), the gate's place from the prompt's length
instead of a search for the header's tokens, and the heads are always computed in float32.
"""

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn
from transformers import AutoConfig, AutoModel, PretrainedConfig, PreTrainedModel
from transformers.utils import ModelOutput

from fusechat.errors import BadInput
from scoring.hidden_states import plain_attention

PUBLISHED_OBJECTIVES = (
    "helpsteer-helpfulness",
    "helpsteer-correctness",
    "helpsteer-coherence",
    "helpsteer-complexity",
    "helpsteer-verbosity",
    "ultrafeedback-overall_score",
    "ultrafeedback-instruction_following",
    "ultrafeedback-truthfulness",
    "ultrafeedback-honesty",
    "ultrafeedback-helpfulness",
    "beavertails-is_safe",
    "prometheus-score",
    "argilla-overall_quality",
    "argilla-judge_lm",
    "code-complexity",
    "code-style",
    "code-explanation",
    "code-instruction-following",
    "code-readability",
)
# Llama-3: <|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n; the gate reads at the first of the five.
PUBLISHED_GATE_OFFSET = 5
GATE_SETTINGS = ("num_objectives", "gating_temperature", "gating_hidden_dim", "gating_n_hidden")


class GatingNetwork(nn.Module):
    """MLP on the prompt's state: non-negative coefficients of the objectives that add up to `logit_scale`."""

    def __init__(
        self,
        hidden_size: int,
        num_objectives: int,
        *,
        temperature: float,
        hidden_dim: int,
        n_hidden: int,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        sizes = [hidden_size, *[hidden_dim] * n_hidden, num_objectives]
        self.temperature, self.dropout = temperature, dropout
        self.logit_scale = nn.Parameter(torch.ones(1))
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(sizes))

    def forward(self, prompt_states: torch.Tensor) -> torch.Tensor:
        """(B, d) -> (B, objectives)."""
        x = prompt_states
        for layer in self.layers[:-1]:
            x = nn.functional.dropout(torch.relu(layer(x)), self.dropout, training=self.training)
        return torch.softmax(self.layers[-1](x) / self.temperature, dim=-1) * self.logit_scale


@dataclass
class ArmoRMOutput(ModelOutput):
    """Named like the published model's output, for comparison."""

    rewards: torch.Tensor | None = None  # (B, objectives), before T
    hidden_state: torch.Tensor | None = None  # (B, d) at the last token
    prompt_embedding: torch.Tensor | None = None  # (B, d) at the gate's token
    gating_output: torch.Tensor | None = None  # (B, objectives)
    score: torch.Tensor | None = None  # (B,)
    logits: torch.Tensor | None = None  # (B,), the same as score


class ArmoRM(PreTrainedModel):
    """See the module's docstring. `config` is the backbone's, with `GATE_SETTINGS` beside its own fields."""

    config_class = PretrainedConfig
    base_model_prefix = "model"
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_flex_attn = True
    _supports_attention_backend = True
    _keep_in_fp32_modules_strict = ["regression_layer", "gating", "reward_transform_matrix"]  # noqa: RUF012

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.model = AutoModel.from_config(config)
        objectives = config.num_objectives
        self.regression_layer = nn.Linear(config.hidden_size, objectives, bias=False)
        self.gating = GatingNetwork(
            config.hidden_size,
            objectives,
            temperature=config.gating_temperature,
            hidden_dim=config.gating_hidden_dim,
            n_hidden=config.gating_n_hidden,
        )
        identity = torch.zeros(objectives, objectives)
        identity[range(objectives), range(objectives)] = 1
        self.reward_transform_matrix = nn.Parameter(identity, requires_grad=False)
        self.post_init()

    @classmethod
    def from_pretrained(cls, model: Any, *arguments: Any, config: Any = None, **settings: Any) -> Any:
        """Like any transformers model's; the config is read as the backbone's own. See also `load_armorm`."""
        return super().from_pretrained(model, *arguments, config=config or read_config(model), **settings)

    @classmethod
    def around(cls, decoder: Any, config: Any) -> "ArmoRM":
        """A model with this decoder as its backbone (not copied), and heads yet to be filled."""
        with torch.device("meta"):
            model = cls(config)
        model.model = decoder
        model.regression_layer.to_empty(device=decoder.device)
        model.gating.to_empty(device=decoder.device)
        matrix = torch.empty(model.reward_transform_matrix.shape, device=decoder.device)
        model.reward_transform_matrix = nn.Parameter(matrix, requires_grad=False)
        return model

    @property
    def objectives(self) -> list[str]:
        """Names of the rewards, in order."""
        return objective_names(self.config)

    def heads(self, last_states: torch.Tensor, prompt_states: torch.Tensor) -> ArmoRMOutput:
        """Everything behind the backbone, in float32: (B, d) states at the last and at the gate's token."""
        last, prompt = last_states.float(), prompt_states.float()
        rewards = self.regression_layer(last)
        gating = self.gating(prompt)
        score = (gating * (rewards @ self.reward_transform_matrix)).sum(dim=-1)
        return ArmoRMOutput(rewards, last, prompt, gating, score, score)

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        *,
        prompt_lengths: torch.Tensor,
    ) -> ArmoRMOutput:
        """Scores conversations that end with the answer's end-of-turn token, padded on either side.

        input_ids and attention_mask: (B, T). prompt_lengths (B,): tokens of each prompt with its generation
        prompt; the gate reads `gate_token_offset` tokens before that.
        """
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask.long()
        positions = (mask.cumsum(dim=1) - 1).clamp_min(0)
        hidden = self.model(
            input_ids=input_ids, attention_mask=mask, position_ids=positions, use_cache=False
        ).last_hidden_state  # (B, T, d)
        rows = torch.arange(len(input_ids), device=hidden.device)
        starts = mask.argmax(dim=1)  # the first 1 of each row
        last = mask.shape[1] - 1 - mask.flip(1).argmax(dim=1)
        gates = starts + prompt_lengths.to(starts) - gate_offset(self.config)
        return self.heads(hidden[rows, last], hidden[rows, gates])


def read_config(model: str | Path) -> Any:
    """The folder's or Hub id's config; BadInput where transformers cannot read it."""
    try:
        return AutoConfig.from_pretrained(model)
    except (OSError, ValueError, KeyError) as error:
        raise BadInput(f"{model}: its config cannot be read: {' '.join(str(error).split())[:300]}") from None


def is_armorm_config(config: Any) -> bool:
    """Whether a folder's config is that of an ArmoRM, published or fitted."""
    return all(getattr(config, name, None) is not None for name in GATE_SETTINGS)


def gate_offset(config: Any) -> int:
    """Tokens from the gate's place to the prompt's end; the published config does not say it, ours do."""
    return int(getattr(config, "gate_token_offset", None) or PUBLISHED_GATE_OFFSET)


def objective_names(config: Any) -> list[str]:
    """Names of the objectives; the published config has only their number."""
    names = getattr(config, "objectives", None)
    if names:
        return list(names)
    if config.num_objectives == len(PUBLISHED_OBJECTIVES):
        return list(PUBLISHED_OBJECTIVES)
    return [f"objective-{index}" for index in range(config.num_objectives)]


def load_armorm(model: str | Path, *, dtype: torch.dtype, device: torch.device | str = "cpu") -> ArmoRM:
    """Loads a published or fitted checkpoint; `dtype` is the backbone's, the heads stay in float32.

    BadInput where a tensor is missing, unexpected or of another shape: a reward model that starts with a
    random layer gives numbers that look like scores.
    """
    config = read_config(model)
    if not is_armorm_config(config):
        missing = [name for name in GATE_SETTINGS if getattr(config, name, None) is None]
        raise BadInput(f"{model}: config.json: is not that of an ArmoRM: {', '.join(missing)} missing")
    return load_whole(ArmoRM, model, config=config, dtype=dtype, **plain_attention(config)).to(device).eval()


def load_whole(model_class: Any, model: str | Path, *, extra_tensors: bool = False, **settings: Any) -> Any:
    """`from_pretrained` that does not put up with missing, unexpected or misshapen tensors, or broken files.

    extra_tensors: unexpected ones are all right (a language-model head, where only the decoder is wanted).
    """
    try:
        loaded, info = model_class.from_pretrained(
            model, output_loading_info=True, ignore_mismatched_sizes=True, **settings
        )
    except (OSError, SafetensorError) as error:
        raise BadInput(f"{model}: its weights cannot be read: {' '.join(str(error).split())[:300]}") from None
    check_loading(model, {**info, "unexpected_keys": []} if extra_tensors else info)
    return loaded


def check_loading(model: str | Path, info: dict[str, Any]) -> None:
    """BadInput naming what does not fit between a checkpoint's tensors and the model."""
    faults = []
    for kind, names in (
        ("missing", info["missing_keys"]),
        ("not expected", info["unexpected_keys"]),
        ("of another shape", info["mismatched_keys"]),
    ):
        flat = sorted(name if isinstance(name, str) else str(name[0]) for name in names)
        if flat:
            more = f" and {len(flat) - 3} more" if len(flat) > 3 else ""
            faults.append(f"{kind}: {', '.join(flat[:3])}{more}")
    if faults:
        raise BadInput(
            f"{model}: its weights do not fit its config: {'; '.join(faults)}; download or fit it again"
        )
