"""Prompts of benchmark items as token ids, with tiny tokenizers of three families."""

from typing import Any

import pytest
from tiny_models import Family, make_tiny_tokenizer

from evaluation.benchmark import Generating, Item
from evaluation.prompting import Prompter, merge_system

SYSTEM_ITEM = Item("i", ({"role": "system", "content": "Box it."}, {"role": "user", "content": "What is 3?"}))


def text_of(tokenizer: Any, ids: list[int]) -> str:
    return tokenizer.decode(ids, skip_special_tokens=False)


@pytest.mark.parametrize("family", ["llama", "gemma2"])
def test_a_prompt_has_one_bos(family: Family) -> None:
    tokenizer = make_tiny_tokenizer(family)
    for style in ("template", "bare"):
        ids = Prompter(tokenizer).token_ids(SYSTEM_ITEM, Generating(max_tokens=5, chat_style=style))
        assert ids[0] == tokenizer.bos_token_id and ids.count(tokenizer.bos_token_id) == 1


def test_a_template_without_system_turns_gets_the_text_with_the_question() -> None:
    tokenizer = make_tiny_tokenizer("gemma2")
    prompter = Prompter(tokenizer)
    before = text_of(tokenizer, prompter.token_ids(SYSTEM_ITEM, Generating(max_tokens=5)))
    assert "<start_of_turn>user\nBox it.\n\nWhat is 3?<end_of_turn>" in before
    behind = Item("i", SYSTEM_ITEM.messages, fields={"system_behind": True})
    after = text_of(tokenizer, prompter.token_ids(behind, Generating(max_tokens=5)))
    assert "<start_of_turn>user\nWhat is 3?\n\nBox it.<end_of_turn>" in after


def test_the_prefill_stands_behind_the_opened_turn() -> None:
    tokenizer = make_tiny_tokenizer("qwen2")
    item = Item("i", ({"role": "user", "content": "Write."},), prefill="Sure:\n```python\n")
    text = text_of(tokenizer, Prompter(tokenizer).token_ids(item, Generating(max_tokens=5)))
    assert text.endswith("<|im_start|>assistant\nSure:\n```python\n")


def test_what_a_template_adds_by_itself_is_left_out_of_the_bare_style() -> None:
    tokenizer = make_tiny_tokenizer("qwen2")
    tokenizer.chat_template = (
        "{% if messages[0].role != 'system' %}<|im_start|>system\nDefault.<|im_end|>\n{% endif %}"
        + (tokenizer.chat_template)
    )
    item = Item("i", ({"role": "user", "content": "Hi"},))
    prompter = Prompter(tokenizer)
    assert "Default." in text_of(tokenizer, prompter.token_ids(item, Generating(max_tokens=5)))
    assert "Default." not in text_of(
        tokenizer, prompter.token_ids(item, Generating(max_tokens=5, chat_style="bare"))
    )


def test_a_second_turn_has_the_models_own_first_answer() -> None:
    tokenizer = make_tiny_tokenizer("llama")
    item = Item("i", ({"role": "user", "content": "One"},), later_turns=("Two",))
    text = text_of(
        tokenizer, Prompter(tokenizer).token_ids(item, Generating(max_tokens=5), ["mine <|eot_id|>"])
    )
    assert "One" in text and "mine" in text and text.index("mine") < text.index("Two")


def test_end_tokens_of_the_family_stop_an_answer() -> None:
    tokenizer = make_tiny_tokenizer("qwen2")
    stops = Prompter(tokenizer).stop_token_ids
    assert tokenizer.convert_tokens_to_ids("<|im_end|>") in stops
    assert tokenizer.convert_tokens_to_ids("<|endoftext|>") in stops


def test_messages_without_a_system_turn_stay_as_they_are() -> None:
    messages = [{"role": "user", "content": "a"}]
    assert merge_system(messages) == messages
