"""Gradients that go past autograd, straight into .grad: the same as autograd's own."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from training.attention import implementation_name
from training.packing import pack
from training.policy import Policy

Maker = Callable[..., Any]
FAMILIES = ("llama", "qwen2", "gemma2")


def gradients(
    model: Any, examples: Any, *, in_place: bool, autocast: bool = False, passes: int = 2
) -> dict[str, torch.Tensor]:
    """Gradients of all parameters, added up over a few passes with other weights."""
    model.set_attn_implementation(implementation_name("segments"))
    policy = Policy(model, head_chunk=7)
    if in_place:
        policy.add_gradients_in_place()
    for number in range(1, passes + 1):
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            logps = policy(**vars(pack(examples)))
        (logps * torch.linspace(-number, 1, len(logps))).sum().backward()
    return {
        name: parameter.grad for name, parameter in model.named_parameters() if parameter.grad is not None
    }


def assert_same(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor], tolerance: float) -> None:
    assert found.keys() == expected.keys()
    for name, gradient in found.items():
        scale = expected[name].abs().max().item()
        torch.testing.assert_close(gradient, expected[name], rtol=tolerance, atol=tolerance * scale, msg=name)


@pytest.mark.parametrize("autocast", [False, True], ids=["float32", "bf16"])
@pytest.mark.parametrize("tied", [False, True], ids=["untied", "tied"])
@pytest.mark.parametrize("family", FAMILIES)
def test_gradients_added_in_place_are_autograd_s(
    family: str, tied: bool, autocast: bool, make_model: Maker, make_examples: Maker
) -> None:
    examples = make_examples(5, 2)
    first, second = (make_model(family, tie_word_embeddings=tied) for _ in range(2))
    expected = gradients(first, examples, in_place=False, autocast=autocast)
    found = gradients(second, examples, in_place=True, autocast=autocast)
    # bf16: products are added up in another order, each rounded to 8 bits.
    assert_same(found, expected, 2e-2 if autocast else 1e-5)


def test_activations_that_are_computed_again_change_no_gradient(
    make_model: Maker, make_examples: Maker
) -> None:
    examples = make_examples(5, 2)
    first, second = make_model("llama").train(), make_model("llama").train()
    second.gradient_checkpointing_enable({"use_reentrant": False})
    expected = gradients(first, examples, in_place=False)
    assert_same(gradients(second, examples, in_place=True), expected, 1e-5)


def test_frozen_weights_get_no_gradient_and_the_others_keep_theirs(
    make_model: Maker, make_examples: Maker
) -> None:
    examples = make_examples(5, 2)

    def frozen() -> Any:
        model = make_model("qwen2")
        for name, parameter in model.named_parameters():
            parameter.requires_grad_("layers.1" in name or name == "model.norm.weight")
        return model

    expected = gradients(frozen(), examples, in_place=False)
    found = gradients(frozen(), examples, in_place=True)
    assert found and all("layers.1" in name or name == "model.norm.weight" for name in found)
    assert_same(found, expected, 1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_in_bf16_the_layers_are_as_near_to_float32_as_transformers_own(
    family: str, make_model: Maker, make_examples: Maker
) -> None:
    """The error of the whole gradient is at most 1.5 times that of transformers' own layers under autocast."""
    examples = make_examples(6, 2)
    exact = gradients(make_model(family, std=0.1), examples, in_place=False, passes=1)
    ours = gradients(make_model(family, std=0.1), examples, in_place=True, autocast=True, passes=1)
    model = make_model(family, std=0.1)
    model.set_attn_implementation("eager")
    weights = iter(torch.linspace(-1, 1, 12))
    for example in examples:
        for response in example.responses:
            with torch.autocast("cpu", torch.bfloat16):
                logits = model(torch.tensor([example.prompt + response])).logits[0]
            logps = torch.log_softmax(logits.float(), dim=-1)[len(example.prompt) - 1 : -1]
            logp = logps.gather(1, torch.tensor(response)[:, None]).sum()
            (logp * next(weights)).backward()
    plain = {name: parameter.grad for name, parameter in model.named_parameters()}

    def error(found: dict[str, Any]) -> float:
        return torch.cat([(found[name] - exact[name]).flatten() for name in exact]).norm().item()

    assert error(ours) <= 1.5 * error(plain)
