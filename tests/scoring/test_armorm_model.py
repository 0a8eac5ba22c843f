"""The ArmoRM class: published layout, positions, padding, precision."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from tiny_models import Family, make_tiny_tokenizer
from tiny_reward_models import make_published_armorm, make_tiny_armorm, published_tensors

torch = pytest.importorskip("torch")

from fusechat.chat import load_tokenizer  # noqa: E402
from fusechat.errors import BadInput  # noqa: E402
from fusechat.records import Message  # noqa: E402
from scoring.armorm import ArmoRM, GatingNetwork, load_armorm, objective_names  # noqa: E402
from scoring.rm_inputs import Encoded, derive_gate_offset, encode  # noqa: E402

CHATS = [
    ("What is 12 plus 7?", "The answer is 19."),
    (
        "Name three colours of the rainbow.",
        "Red, green and blue are three colours that many people like, and so do I.",
    ),
    ("What is 12 plus 7?", "She sells 15 books."),
    ("请用中文回答", "天空是蓝色的。"),
]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_published_armorm(tmp_path_factory.mktemp("published"))


def encoded(tokenizer: Any, prompt: str, text: str) -> Encoded:
    result = encode(tokenizer, [Message("user", prompt)], text, 512)
    assert isinstance(result, Encoded)
    return result


def published_way(tensors: dict[str, Any], folder: Path, ids: list[int], header: list[int]) -> dict[str, Any]:
    """The published class's steps for one conversation, written out: search for the header, heads by hand."""
    from transformers import LlamaConfig, LlamaModel

    config = LlamaConfig.from_pretrained(folder)
    llama = LlamaModel(config).eval()
    state = {
        name.removeprefix("model."): t.float() for name, t in tensors.items() if name.startswith("model.")
    }
    llama.load_state_dict(state)
    with torch.no_grad():
        hidden = llama(input_ids=torch.tensor([ids])).last_hidden_state[0]
    gate_place = max(i for i in range(len(ids)) if ids[i : i + len(header)] == header)
    rewards = tensors["regression_layer.weight"] @ hidden[-1]
    x = hidden[gate_place]
    for layer in range(3):
        x = torch.relu(tensors[f"gating.layers.{layer}.weight"] @ x + tensors[f"gating.layers.{layer}.bias"])
    logits = tensors["gating.layers.3.weight"] @ x + tensors["gating.layers.3.bias"]
    exponentials = torch.exp(logits / 10)
    gating = exponentials / exponentials.sum() * 1.7
    return {
        "rewards": rewards,
        "gating_output": gating,
        "prompt_embedding": hidden[gate_place],
        "hidden_state": hidden[-1],
        "score": (gating * (tensors["reward_transform_matrix"].T @ rewards)).sum(),
    }


def test_published_layout_loads_with_every_tensor_in_its_place(published: Path) -> None:
    model = load_armorm(published, dtype=torch.float32)
    loaded, stored = model.state_dict(), published_tensors()
    assert set(loaded) == set(stored)
    for name, tensor in stored.items():
        assert torch.equal(loaded[name].float(), tensor.float()), name
    assert model.objectives[4] == "helpsteer-verbosity"
    assert model.objectives[18] == "code-readability"


@pytest.mark.parametrize("chat", CHATS)
def test_output_equals_the_published_steps_done_by_hand(published: Path, chat: tuple[str, str]) -> None:
    tokenizer = load_tokenizer(published)
    row = encoded(tokenizer, *chat)
    ids = [*row.prompt, *row.answer]
    header = tokenizer(
        "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n", add_special_tokens=False
    )
    expected = published_way(published_tensors(), published, ids, header["input_ids"])
    model = load_armorm(published, dtype=torch.float32)
    model.config.gate_token_offset = derive_gate_offset(
        tokenizer
    )  # the tiny tokenizer cuts the header otherwise
    with torch.inference_mode():
        output = model(torch.tensor([ids]), prompt_lengths=torch.tensor([len(row.prompt)]))
    for name, value in expected.items():
        assert torch.allclose(output[name][0], value, atol=1e-5, rtol=1e-5), name
    assert output["score"].shape == (1,)


@pytest.mark.parametrize("family", ["llama", "qwen2", "gemma2"])
def test_padding_side_and_batch_order_do_not_change_a_score(tmp_path: Path, family: Family) -> None:
    folder = make_tiny_armorm(tmp_path, family)
    model, tokenizer = load_armorm(folder, dtype=torch.float32), load_tokenizer(folder)
    rows = [encoded(tokenizer, *chat) for chat in CHATS]
    alone = [
        model(torch.tensor([[*row.prompt, *row.answer]]), prompt_lengths=torch.tensor([len(row.prompt)]))[
            "score"
        ].item()
        for row in rows
    ]
    assert max(alone) - min(alone) > 1e-3
    longest = max(len(row.prompt) + len(row.answer) for row in rows) + 3
    for order in ([0, 1, 2, 3], [3, 1, 0, 2]):
        for side in ("left", "right"):
            ids, mask = [], []
            for index in order:
                tokens = [*rows[index].prompt, *rows[index].answer]
                # Padding with the end-of-turn token itself: the mask alone must decide.
                pad, ones = [tokens[-1]] * (longest - len(tokens)), [1] * len(tokens)
                zeros = [0] * len(pad)
                ids.append(pad + tokens if side == "left" else tokens + pad)
                mask.append(zeros + ones if side == "left" else ones + zeros)
            lengths = torch.tensor([len(rows[index].prompt) for index in order])
            output = model(torch.tensor(ids), torch.tensor(mask), prompt_lengths=lengths)
            assert output["score"].tolist() == pytest.approx([alone[index] for index in order], abs=1e-5)


def test_gate_depends_on_the_prompt_and_not_on_the_answer(published: Path) -> None:
    model, tokenizer = load_armorm(published, dtype=torch.float32), load_tokenizer(published)

    def gate(prompt: str, text: str) -> Any:
        row = encoded(tokenizer, prompt, text)
        ids = torch.tensor([[*row.prompt, *row.answer]])
        return model(ids, prompt_lengths=torch.tensor([len(row.prompt)]))["gating_output"][0]

    first = gate("What is 12 plus 7?", "The answer is 19.")
    assert torch.allclose(first, gate("What is 12 plus 7?", "Blue."), atol=1e-6)
    assert not torch.allclose(first, gate("Name three colours.", "Blue."), atol=1e-4)
    assert first.sum().item() == pytest.approx(1.7, abs=1e-5)  # the checkpoint's logit_scale
    assert (first >= 0).all()


def test_score_is_the_rewards_weighted_by_the_transformed_gate(published: Path) -> None:
    """score = g . (r T) = (g T') . r, the identity by which published examples explain a score."""
    model = load_armorm(published, dtype=torch.float32)
    states = torch.randn(5, 32, generator=torch.Generator().manual_seed(1))
    output = model.heads(states, states.flip(0))
    coefficients = output["gating_output"] @ model.reward_transform_matrix.T
    assert torch.allclose((coefficients * output["rewards"]).sum(dim=1), output["score"], atol=1e-4)


def test_gating_network_by_hand() -> None:
    """One hidden layer of one unit: relu(2 * 3 - 1) = 5; logits 5 and 0 over temperature 10; e^.5 : 1."""
    gate = GatingNetwork(1, 2, temperature=10.0, hidden_dim=1, n_hidden=1)
    with torch.no_grad():
        gate.layers[0].weight.fill_(2.0)
        gate.layers[0].bias.fill_(-1.0)
        gate.layers[1].weight.copy_(torch.tensor([[1.0], [0.0]]))
        gate.layers[1].bias.zero_()
        gate.logit_scale.fill_(3.0)
    share = math.exp(0.5) / (math.exp(0.5) + 1)
    assert gate(torch.tensor([[3.0]]))[0].tolist() == pytest.approx([3 * share, 3 * (1 - share)])


@pytest.mark.parametrize("family", ["llama", "qwen2", "gemma2"])
def test_gate_place_is_the_end_of_the_last_user_turn_also_in_long_chats(family: Family) -> None:
    tokenizer = make_tiny_tokenizer(family)
    end = {"llama": "<|eot_id|>", "qwen2": "<|im_end|>", "gemma2": "<end_of_turn>"}[family]
    end_id = tokenizer.convert_tokens_to_ids(end)
    offset = derive_gate_offset(tokenizer)
    chat = [Message("user", "Hi"), Message("assistant", "Hello."), Message("user", f"What is {end} here?")]
    row = encode(tokenizer, chat, f"A {end} token, and again {end}", 512)
    assert isinstance(row, Encoded)
    gate_place = len(row.prompt) - offset
    assert row.prompt[gate_place] == end_id
    assert row.prompt.count(end_id) == 3  # one for each turn of the prompt, none for the text inside
    assert end_id not in row.prompt[gate_place + 1 :]
    assert row.answer.count(end_id) == 1
    assert row.answer[-1] == end_id


def test_float32_heads_on_a_bfloat16_backbone_give_float32_scores(published: Path) -> None:
    model, tokenizer = load_armorm(published, dtype=torch.bfloat16), load_tokenizer(published)
    assert model.model.layers[0].mlp.up_proj.weight.dtype == torch.bfloat16
    assert model.regression_layer.weight.dtype == torch.float32
    assert model.gating.layers[0].weight.dtype == torch.float32
    stored = published_tensors()["regression_layer.weight"]
    assert torch.equal(model.regression_layer.weight, stored)  # not rounded on the way
    row = encoded(tokenizer, *CHATS[0])
    output = model(torch.tensor([[*row.prompt, *row.answer]]), prompt_lengths=torch.tensor([len(row.prompt)]))
    assert output["score"].dtype == torch.float32


@pytest.mark.parametrize("family", ["llama", "qwen2", "gemma2"])
def test_saving_and_loading_again_changes_nothing(tmp_path: Path, family: Family) -> None:
    first = load_armorm(make_tiny_armorm(tmp_path / "a", family), dtype=torch.float32)
    first.save_pretrained(tmp_path / "b")
    second = ArmoRM.from_pretrained(tmp_path / "b", dtype=torch.float32)
    assert first.state_dict().keys() == second.state_dict().keys()
    assert all(torch.equal(tensor, second.state_dict()[name]) for name, tensor in first.state_dict().items())


@pytest.mark.parametrize(
    "name", ["gating.logit_scale", "reward_transform_matrix", "regression_layer.weight", "model.norm.weight"]
)
def test_a_missing_tensor_is_named_not_made_up(tmp_path: Path, name: str) -> None:
    tensors = published_tensors()
    del tensors[name]
    with pytest.raises(BadInput, match=f"missing: {name}"):
        load_armorm(make_published_armorm(tmp_path, tensors), dtype=torch.float32)


def test_a_look_alike_with_another_gate_is_refused(tmp_path: Path) -> None:
    """QRM copies the class but puts batch normalisation into the gate; its tensors must not half load."""
    tensors = published_tensors() | {"gating.norms.0.weight": torch.ones(24)}
    with pytest.raises(BadInput, match=r"not expected: gating\.norms\.0\.weight"):
        load_armorm(make_published_armorm(tmp_path, tensors), dtype=torch.float32)


def test_a_tensor_of_another_shape_is_refused(tmp_path: Path) -> None:
    tensors = published_tensors() | {"regression_layer.weight": torch.zeros(18, 32)}
    with pytest.raises(BadInput, match=r"of another shape: regression_layer\.weight"):
        load_armorm(make_published_armorm(tmp_path, tensors), dtype=torch.float32)


def test_a_torn_weights_file_is_bad_input(tmp_path: Path) -> None:
    folder = make_published_armorm(tmp_path)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(BadInput, match="weights cannot be read"):
        load_armorm(folder, dtype=torch.float32)


def test_a_plain_language_model_is_not_taken_for_an_armorm(tmp_path: Path) -> None:
    folder = make_published_armorm(tmp_path)
    config = json.loads((folder / "config.json").read_text())
    del config["num_objectives"]
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(BadInput, match="num_objectives missing"):
        load_armorm(folder, dtype=torch.float32)


def test_objectives_of_a_fitted_head_have_its_own_names() -> None:
    from transformers import LlamaConfig

    assert objective_names(LlamaConfig(num_objectives=2, objectives=["right", "long"])) == ["right", "long"]
