"""Layers that are not Llama's, Qwen2's or Gemma-2's keep transformers' own forward: similar names, other functions."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from training.attention import implementation_name
from training.packing import pack
from training.policy import Policy

Maker = Callable[..., Any]
SHAPE: dict[str, Any] = {
    "vocab_size": 97, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3,
    "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 256, "pad_token_id": 0,
}  # fmt: skip


def make_other(family: str) -> Any:
    """A tiny model with large random weights, so that a norm or a window left out shows in its outputs."""
    import transformers

    changes: dict[str, dict[str, Any]] = {
        "Qwen3": {"head_dim": 8},  # norms of queries and keys
        "Gemma3": {"head_dim": 8, "query_pre_attn_scalar": 8, "sliding_window": 5},  # those, two rotations
        "Phi3": {},  # one matrix for gate and up, one for queries, keys and values
    }
    config_class = getattr(transformers, "Gemma3TextConfig" if family == "Gemma3" else f"{family}Config")
    torch.manual_seed(0)
    model = getattr(transformers, f"{family}ForCausalLM")(config_class(**{**SHAPE, **changes[family]}))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return model.eval()


def plain_logps(model: Any, examples: Any) -> torch.Tensor:
    """Each response after its prompt alone, by transformers' eager attention."""
    model.set_attn_implementation("eager")
    found = []
    with torch.no_grad():
        for example in examples:
            for response in example.responses:
                logits = model(torch.tensor([example.prompt + response])).logits[0]
                logps = torch.log_softmax(logits.float(), dim=-1)[len(example.prompt) - 1 : -1]
                found.append(logps.gather(1, torch.tensor(response)[:, None]).sum())
    return torch.stack(found)


def packed_logps(model: Any, examples: Any) -> torch.Tensor:
    model.set_attn_implementation(implementation_name("segments"))
    with torch.no_grad():
        result = Policy(model, head_chunk=7)(**vars(pack(examples)))
    assert isinstance(result, torch.Tensor)
    return result


@pytest.mark.parametrize("family", ["Qwen3", "Gemma3", "Phi3"])
def test_other_families_give_what_transformers_gives(family: str, make_examples: Maker) -> None:
    model, examples = make_other(family), make_examples(5, 2)
    expected = plain_logps(model, examples)
    torch.testing.assert_close(packed_logps(model, examples), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("activation", ["silu", "gelu", "gelu_pytorch_tanh", "relu"])
def test_an_activation_is_the_one_of_the_config(
    activation: str, make_model: Maker, make_examples: Maker
) -> None:
    """Weights so large that gelu in place of its tanh form changes a log-probability by 4e-4 of it."""
    model, examples = make_model("llama", std=1.0, hidden_act=activation), make_examples(5, 2)
    expected = plain_logps(model, examples)
    torch.testing.assert_close(packed_logps(model, examples), expected, rtol=1e-5, atol=0)


@pytest.mark.parametrize("family", ["llama", "qwen2", "gemma2", "Qwen3", "Gemma3", "Phi3"])
def test_gradients_are_those_of_transformers_own_layers(
    family: str, make_model: Maker, make_examples: Maker
) -> None:
    """In float32, packed and past autograd on our side; one response at a time and plain autograd on theirs."""
    examples = make_examples(5, 2)
    ours, plain = (make_model(family) if family.islower() else make_other(family) for _ in range(2))
    plain.set_attn_implementation("eager")
    for example in examples:
        for response in example.responses:
            logits = plain(torch.tensor([example.prompt + response])).logits[0]
            logps = torch.log_softmax(logits.float(), dim=-1)[len(example.prompt) - 1 : -1]
            logps.gather(1, torch.tensor(response)[:, None]).sum().backward()
    ours.set_attn_implementation(implementation_name("segments"))
    policy = Policy(ours, head_chunk=7)
    policy.add_gradients_in_place()
    policy(**vars(pack(examples))).sum().backward()
    found = dict(ours.named_parameters())
    for name, parameter in plain.named_parameters():
        scale = parameter.grad.abs().max().item()
        assert scale > 0, name
        torch.testing.assert_close(found[name].grad, parameter.grad, rtol=1e-4, atol=1e-4 * scale, msg=name)


def test_4_bit_layers_keep_their_own_forward(make_model: Maker) -> None:
    """Their weights are packed nibbles: our product over them would be nonsense."""
    quantised = pytest.importorskip("bitsandbytes").nn.Linear4bit
    model = make_model("llama")
    layer = model.model.layers[0].mlp
    layer.up_proj = quantised(32, 48, bias=False)
    layer.up_proj.weight.requires_grad_(False)
    Policy(model).add_gradients_in_place()
    assert "forward" not in vars(layer.up_proj)
    assert "forward" in vars(layer.gate_proj)
