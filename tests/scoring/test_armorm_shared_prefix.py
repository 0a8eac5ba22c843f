"""Answers behind one copy of their prompt: the same numbers as one by one, whatever the batch."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_models import Family
from tiny_reward_models import make_tiny_armorm

torch = pytest.importorskip("torch")

from fusechat.chat import load_tokenizer  # noqa: E402
from scoring.armorm import load_armorm  # noqa: E402
from scoring.hidden_states import StateReader, shares_prefix  # noqa: E402
from scoring.prefix_batches import PromptGroup, plan_padded, plan_rows, rows_of  # noqa: E402
from scoring.reward_models import RewardModel, load_reward_model  # noqa: E402


def groups_of(counts: list[tuple[int, list[int]]], vocabulary: int = 400) -> list[PromptGroup]:
    """Prompts of these lengths with answers of these lengths, tokens made up."""
    generator = torch.Generator().manual_seed(7)

    def tokens(length: int) -> tuple[int, ...]:
        return tuple(torch.randint(20, vocabulary, (length,), generator=generator).tolist())

    return [
        PromptGroup(
            tokens(prompt), tuple(tokens(n) for n in answers), tuple(f"{i}.{j}" for j in range(len(answers)))
        )
        for i, (prompt, answers) in enumerate(counts)
    ]


# Prompts longer than the tiny tokenizer's generation prompt, which is cut into single characters.
GROUPS = [(27, [5, 40, 12, 1]), (19, [30, 2]), (60, [33]), (22, [7, 7, 7])]


def published_way(folder: Path, reward_model: Any) -> Any:
    """The same checkpoint, loaded once more: nothing that the reward model does to its decoder reaches it."""
    model = load_armorm(folder, dtype=torch.float32, device="cpu")
    model.config.gate_token_offset = reward_model.model.config.gate_token_offset
    return model


def one_by_one(model: Any, groups: list[PromptGroup]) -> dict[str, float]:
    scores = {}
    with torch.inference_mode():
        for group in groups:
            for answer, key in zip(group.answers, group.keys, strict=True):
                ids = torch.tensor([[*group.prompt, *answer]])
                scores[key] = model(ids, prompt_lengths=torch.tensor([len(group.prompt)]))["score"].item()
    return scores


@pytest.mark.parametrize("family", ["llama", "qwen2", "gemma2"])
def test_scores_equal_those_one_by_one_for_every_budget_and_order(tmp_path: Path, family: Family) -> None:
    """Gemma-2: soft-capped attention, and windows of 8 tokens that reach from an answer into its prompt."""
    folder = make_tiny_armorm(tmp_path, family)
    reward_model = load_reward_model(folder, load_tokenizer(folder), dtype="float32", device="cpu")
    assert reward_model.reader is not None
    assert reward_model.reader.spared
    groups = groups_of(GROUPS)
    expected = one_by_one(published_way(folder, reward_model), groups)
    assert max(expected.values()) - min(expected.values()) > 1e-2
    for ordered in (groups, groups[::-1]):
        for budget in (1, 50, 128, 100_000):
            batches = reward_model.batches(ordered, budget)
            scores = {scored.key: scored.score for batch in batches for scored in reward_model.score(batch)}
            assert scores == pytest.approx(expected, abs=1e-5)


def test_capped_attention_is_really_felt_in_the_gemma_test(tmp_path: Path) -> None:
    """Without it the comparison above could not notice a lost soft cap."""
    folder = make_tiny_armorm(tmp_path, "gemma2", attn_logit_softcapping=0.05)
    reward_model = load_reward_model(folder, load_tokenizer(folder), dtype="float32", device="cpu")
    groups = groups_of(GROUPS)
    expected = one_by_one(published_way(folder, reward_model), groups)
    scores = {
        s.key: s.score for batch in reward_model.batches(groups, 128) for s in reward_model.score(batch)
    }
    assert scores == pytest.approx(expected, abs=1e-5)
    uncapped = published_way(folder, reward_model)
    uncapped.config._attn_implementation = "sdpa"  # drops the cap
    assert one_by_one(uncapped, groups) != pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("last_is_windowed", [False, True])
def test_windows_and_caps_hold_in_the_last_layer_too(tmp_path: Path, last_is_windowed: bool) -> None:
    """The last layer is computed at the places read alone, by code of its own."""
    kinds = ["full_attention", "sliding_attention"]
    folder = make_tiny_armorm(
        tmp_path, "gemma2", attn_logit_softcapping=0.05, layer_types=kinds if last_is_windowed else kinds[::-1]
    )  # fmt: skip
    reward_model = load_reward_model(folder, load_tokenizer(folder), dtype="float32", device="cpu")
    assert reward_model.reader is not None
    assert reward_model.reader.spared
    groups = groups_of(GROUPS)
    expected = one_by_one(published_way(folder, reward_model), groups)
    assert {s.key: s.score for s in reward_model.score(groups)} == pytest.approx(expected, abs=1e-5)


def test_the_last_layer_sees_the_places_read_alone_and_is_itself_again_afterwards(tmp_path: Path) -> None:
    folder = make_tiny_armorm(tmp_path)
    reward_model = load_reward_model(folder, load_tokenizer(folder), dtype="float32", device="cpu")
    decoder = reward_model.model.model
    seen: list[list[int]] = [[], []]
    watches = [
        layer.mlp.gate_proj.register_forward_pre_hook(
            lambda _module, arguments, index=index: seen[index].append(arguments[0].shape[1])
        )
        for index, layer in enumerate(decoder.layers)
    ]
    groups = groups_of(GROUPS)
    assert len(list(reward_model.score(groups))) == 10
    for watch in watches:
        watch.remove()
    assert seen == [[sum(group.num_tokens for group in groups)], [14]]  # 10 ends of answers, 4 gates
    # A token that the model does not have: an error in the middle of the decoder's call.
    with pytest.raises(IndexError):
        list(reward_model.score([PromptGroup(tuple(range(30)), ((10**6,),), ("a",))]))
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in decoder.modules())
    assert decoder.config._attn_implementation == "sdpa"


def moe_decoder() -> Any:
    """Mixtral: its last layer's experts work on several places at a time, under the usual name."""
    from transformers import MixtralConfig, MixtralModel

    return MixtralModel(
        MixtralConfig(
            vocab_size=64, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=2, num_local_experts=2,
        )
    )  # fmt: skip


def gpt2_decoder() -> Any:
    """GPT-2: its layers stand under another name, so that its last one is computed in full."""
    from transformers import GPT2Config, GPT2Model

    return GPT2Model(GPT2Config(vocab_size=64, n_embd=32, n_layer=2, n_head=4, n_positions=64))


@pytest.mark.parametrize(("make", "spared"), [(moe_decoder, True), (gpt2_decoder, False)])
def test_a_decoder_of_another_make_shares_prompts_as_far_as_it_can(make: Any, spared: bool) -> None:
    torch.manual_seed(0)
    decoder = make().eval()
    reader = StateReader(decoder, 2, 0)
    assert (reader.shared, reader.spared) == (True, spared)
    groups = groups_of([(12, [5, 9, 1]), (7, [3])], vocabulary=64)
    states = reader.read(groups)
    alone = [
        decoder(input_ids=torch.tensor([[*group.prompt, *answer]])).last_hidden_state[0].detach()
        for group in groups
        for answer in group.answers
    ]
    assert torch.allclose(states.last, torch.stack([hidden[-1] for hidden in alone]), atol=1e-5)
    assert torch.allclose(states.gate, torch.stack([alone[0][10], alone[3][5]]), atol=1e-5)


@pytest.mark.parametrize("spared", [False, True])
def test_a_recurrent_backbone_gets_padded_batches_instead(spared: bool) -> None:
    from transformers import MambaConfig, MambaModel

    torch.manual_seed(0)
    decoder = MambaModel(MambaConfig(vocab_size=64, hidden_size=16, num_hidden_layers=1)).eval()
    assert not shares_prefix(decoder, spared=spared)


@pytest.mark.parametrize("spared", [False, True])
def test_attention_sinks_are_noticed_not_left_out(spared: bool) -> None:
    from transformers import GptOssConfig, GptOssModel

    torch.manual_seed(0)
    config = GptOssConfig(
        vocab_size=64, hidden_size=32, intermediate_size=32, num_hidden_layers=1, num_attention_heads=4,
        num_key_value_heads=2, head_dim=8, num_local_experts=2, num_experts_per_tok=1,
    )  # fmt: skip
    assert not shares_prefix(GptOssModel(config).eval(), spared=spared)


def test_padded_batches_give_the_same_scores(tmp_path: Path) -> None:
    folder = make_tiny_armorm(tmp_path)
    reward_model = load_reward_model(folder, load_tokenizer(folder), dtype="float32", device="cpu")
    groups = groups_of(GROUPS)
    expected = one_by_one(published_way(folder, reward_model), groups)
    assert reward_model.reader is not None
    reward_model.reader.shared = False
    batches = reward_model.batches(groups, 150)
    assert len(batches) < sum(len(group.keys) for group in groups)
    assert {s.key: s.score for batch in batches for s in reward_model.score(batch)} == pytest.approx(
        expected, abs=1e-5
    )


def test_row_of_the_docstring() -> None:
    """Prompt of 3 with answers of 3 and 2; prompt of 2 with answers of 3 and 2: positions as drawn there."""
    (row,) = rows_of(
        [
            PromptGroup((1, 1, 1), ((2, 2, 2), (3, 3)), ("a", "b")),
            PromptGroup((4, 4), ((5, 5, 5), (6, 6)), ("c", "d")),
        ]
    )
    assert row.tokens == [1, 1, 1, 2, 2, 2, 3, 3, 4, 4, 5, 5, 5, 6, 6]
    assert row.positions == [0, 1, 2, 3, 4, 5, 3, 4, 0, 1, 2, 3, 4, 2, 3]
    assert [(span.start, span.prompt_end, span.answer_ends) for span in row.layout] == [
        (0, 3, (6, 8)),
        (8, 10, (13, 15)),
    ]


def test_a_group_too_large_for_a_row_goes_on_behind_its_kept_prompt() -> None:
    group = PromptGroup((1, 1, 1), ((2, 2, 2), (3, 3), (4, 4, 4), (5,)), ("a", "b", "c", "d"))
    (batch,) = plan_rows([group], 6)
    assert [(part.keys, part.continued) for part in batch] == [(("a",), False), (("b", "c", "d"), True)]
    first, second = rows_of(batch)
    assert (first.tokens, first.kept) == ([1, 1, 1, 2, 2, 2], 0)
    assert (second.tokens, second.kept) == ([3, 3, 4, 4, 4, 5], 3)
    assert second.positions == [3, 4, 3, 4, 5, 3]
    assert second.layout == ((0, 3, (5, 8, 9)),)


LENGTHS = st.lists(
    st.tuples(st.integers(1, 30), st.lists(st.integers(1, 40), min_size=1, max_size=6)), max_size=8
)


@given(LENGTHS, st.integers(1, 120))
def test_every_answer_is_in_one_row_behind_its_own_prompt_and_rows_keep_to_the_budget(
    counts: list[tuple[int, list[int]]], budget: int
) -> None:
    groups = groups_of(counts)
    for plan in (plan_rows, plan_padded):
        planned = plan(groups, budget)
        got = [
            (key, part.prompt, answer)
            for row in planned
            for part in row
            for key, answer in zip(part.keys, part.answers, strict=True)
        ]
        wanted = [(k, g.prompt, a) for g in groups for k, a in zip(g.keys, g.answers, strict=True)]
        assert sorted(got) == sorted(wanted)
    for batch in plan_rows(groups, budget):
        for row in rows_of(batch):
            assert len(row.tokens) <= budget or [len(span.answer_ends) for span in row.layout] == [1]
    for batch in plan_padded(groups, budget):
        assert len(batch) * max(part.num_tokens for part in batch) <= budget or len(batch) == 1


def test_padded_batches_hold_answers_of_like_length() -> None:
    batches = plan_padded(groups_of([(2, [50, 3, 20, 4, 49, 21])]), 110)
    lengths = [[part.num_tokens for part in batch] for batch in batches]
    assert lengths == [[52, 51], [23, 22, 6, 5]]
    assert all(first >= second for batch in lengths for first, second in pairwise(batch))


def test_a_classifier_scores_its_last_token_although_pad_is_the_end_of_turn(tmp_path: Path) -> None:
    """transformers' own pooling takes the last token that is not pad: here one too early."""
    from transformers import AutoModelForSequenceClassification, LlamaConfig

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=64, hidden_size=32, intermediate_size=32, num_hidden_layers=1, num_attention_heads=4,
        num_labels=1, pad_token_id=9, eos_token_id=9,
    )  # fmt: skip
    classifier: Any = AutoModelForSequenceClassification.from_config(config).eval()
    tokenizer: Any = type("Tokenizer", (), {"pad_token_id": 9, "eos_token_id": 9})()
    reward_model = RewardModel(classifier, tokenizer, decoder=classifier.base_model)
    group = PromptGroup((3, 4, 5), ((6, 7, 9), (8, 9)), ("a", "b"))
    scores = {scored.key: scored.score for scored in reward_model.score([group])}
    for answer, key in zip(group.answers, group.keys, strict=True):
        with torch.inference_mode():
            hidden = classifier.model(input_ids=torch.tensor([[*group.prompt, *answer]])).last_hidden_state
            expected = (hidden[0, -1] @ classifier.score.weight[0]).item()
        assert scores[key] == pytest.approx(expected, abs=1e-5)
