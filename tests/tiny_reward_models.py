"""Tiny random reward models for tests: ArmoRM in the published layout, and on other backbones.

    python tests/tiny_reward_models.py FOLDER

writes the one that scoring/bench_armorm.py was tried on: two Llama layers of width 64, conversations of 8,192 tokens.
"""

import json
import sys
from pathlib import Path
from typing import Any

from tiny_models import Family, make_tiny_model, make_tiny_tokenizer

# config.json as the published checkpoint has it, with its sizes scaled down.
PUBLISHED_CONFIG: dict[str, Any] = {
    "_name_or_path": "sfairXC/FsfairX-LLaMA3-RM-v0.1",
    "architectures": ["LlamaForRewardModelWithGating"],
    "attention_bias": False,
    "attention_dropout": 0.0,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "gating_hidden_dim": 24,
    "gating_n_hidden": 3,
    "gating_temperature": 10,
    "hidden_act": "silu",
    "hidden_size": 32,
    "id2label": {"0": "LABEL_0"},
    "initializer_range": 0.02,
    "intermediate_size": 64,
    "label2id": {"LABEL_0": 0},
    "max_position_embeddings": 512,
    "model_type": "llama",
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "num_key_value_heads": 2,
    "num_objectives": 19,
    "pad_token_id": 300,
    "pretraining_tp": 1,
    "rms_norm_eps": 1e-05,
    "rope_scaling": None,
    "rope_theta": 500000.0,
    "tie_word_embeddings": False,
    "torch_dtype": "float32",
    "transformers_version": "4.40.0",
    "use_cache": False,
    "vocab_size": 301,
}


def published_tensors(seed: int = 0) -> dict[str, Any]:
    """Random tensors under all names of the published checkpoint; backbone in bf16, heads in float32."""
    import torch

    hidden, inner, vocabulary, objectives, gate = 32, 64, 301, 19, 24
    shapes: dict[str, tuple[int, ...]] = {
        "model.embed_tokens.weight": (vocabulary, hidden),
        "model.norm.weight": (hidden,),
    }
    for layer in range(2):
        name = f"model.layers.{layer}."
        shapes |= {
            f"{name}self_attn.q_proj.weight": (hidden, hidden),
            f"{name}self_attn.k_proj.weight": (hidden // 2, hidden),
            f"{name}self_attn.v_proj.weight": (hidden // 2, hidden),
            f"{name}self_attn.o_proj.weight": (hidden, hidden),
            f"{name}mlp.gate_proj.weight": (inner, hidden),
            f"{name}mlp.up_proj.weight": (inner, hidden),
            f"{name}mlp.down_proj.weight": (hidden, inner),
            f"{name}input_layernorm.weight": (hidden,),
            f"{name}post_attention_layernorm.weight": (hidden,),
        }
    heads: dict[str, tuple[int, ...]] = {
        "regression_layer.weight": (objectives, hidden),
        "reward_transform_matrix": (objectives, objectives),
        "gating.logit_scale": (1,),
        "gating.layers.0.weight": (gate, hidden),
        "gating.layers.0.bias": (gate,),
        "gating.layers.1.weight": (gate, gate),
        "gating.layers.1.bias": (gate,),
        "gating.layers.2.weight": (gate, gate),
        "gating.layers.2.bias": (gate,),
        "gating.layers.3.weight": (objectives, gate),
        "gating.layers.3.bias": (objectives,),
    }
    generator = torch.Generator().manual_seed(seed)
    tensors = {
        name: (torch.randn(shape, generator=generator) * 0.3).bfloat16() for name, shape in shapes.items()
    }
    tensors |= {name: torch.randn(shape, generator=generator) for name, shape in heads.items()}
    tensors["gating.logit_scale"] = torch.tensor([1.7])
    return tensors


def make_published_armorm(folder: Path, tensors: dict[str, Any] | None = None, **config: Any) -> Path:
    """Writes a tiny checkpoint in the published layout: config.json, weights, a Llama-3 tokenizer."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({**PUBLISHED_CONFIG, **config}), encoding="utf-8")
    save_file(
        published_tensors() if tensors is None else tensors, folder / "model.safetensors", {"format": "pt"}
    )
    make_tiny_tokenizer("llama", vocab_size=300).save_pretrained(folder)
    return folder


def make_tiny_armorm(folder: Path, family: Family = "llama", *, seed: int = 0, **shape: Any) -> Path:
    """Writes an ArmoRM with three objectives and random heads on a tiny backbone of any family."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    from scoring.armorm import ArmoRM
    from scoring.rm_inputs import derive_gate_offset

    backbone = make_tiny_model(folder / "backbone", family, seed=seed, **shape)
    tokenizer = AutoTokenizer.from_pretrained(backbone)
    decoder = AutoModel.from_pretrained(backbone, dtype=torch.float32)
    config = decoder.config
    fields = {"num_objectives": 3, "gating_temperature": 10.0, "gating_hidden_dim": 16, "gating_n_hidden": 2}
    for name, value in {**fields, "gate_token_offset": derive_gate_offset(tokenizer)}.items():
        setattr(config, name, value)
    model = ArmoRM.around(decoder, config)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if not name.startswith("model."):  # rewards of about 0.1, as real ones are
                scale = 0.1 if name.startswith("regression") else 1.0
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * scale)
            elif "norm" not in name:  # default starts are so small that all states look alike
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.15)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


if __name__ == "__main__":
    make_tiny_armorm(Path(sys.argv[1]), max_position_embeddings=8192)
