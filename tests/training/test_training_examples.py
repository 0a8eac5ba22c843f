"""Rows as token ids: what is trained, what is dropped and counted, what is refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tiny_models import make_tiny_tokenizer

from fusechat.errors import BadInput
from training.examples import Example, LoadedExamples, hold_out, load_preference_examples, load_sft_examples

Write = Callable[..., Path]
ABOUT = {"prompt_id": "p", "dataset": "d", "domain": "math", "source": "s"}


def sft(answer: str, question: str = "How many?") -> dict[str, Any]:
    messages = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return {"messages": messages, "rm_score": 0.1, **ABOUT}


def pair(chosen: str, rejected: str, question: str = "How many?") -> dict[str, Any]:
    answers = {"chosen": chosen, "rejected": rejected}
    return {
        "prompt": [{"role": "user", "content": question}],
        **{name: [{"role": "assistant", "content": text}] for name, text in answers.items()},
        **ABOUT,
    }


def load_sft(
    path: Path, family: Any = "llama", max_length: int = 200, truncate: Any = "none"
) -> LoadedExamples:
    return load_sft_examples([path], make_tiny_tokenizer(family), max_length=max_length, truncate=truncate)


def load_pairs(
    path: Path, family: Any = "llama", max_length: int = 200, truncate: Any = "none"
) -> LoadedExamples:
    return load_preference_examples(
        [path], make_tiny_tokenizer(family), max_length=max_length, truncate=truncate
    )


@pytest.mark.parametrize(
    ("family", "prompt", "response"),
    [
        ("llama", "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nHow many?<|eot_id|>"
                  "<|start_header_id|>assistant<|end_header_id|>\n\n", "Seven.<|eot_id|>"),
        ("qwen2", "<|im_start|>user\nHow many?<|im_end|>\n<|im_start|>assistant\n", "Seven.<|im_end|>"),
        ("gemma2", "<bos><start_of_turn>user\nHow many?<end_of_turn>\n<start_of_turn>model\n", "Seven.<end_of_turn>"),
    ],
)  # fmt: skip
def test_the_answer_with_its_end_of_turn_is_trained_and_nothing_else(
    family: Any, prompt: str, response: str, write_jsonl: Write
) -> None:
    (example,) = load_sft(write_jsonl("sft.jsonl", [sft("Seven.")]), family).examples
    tokenizer = make_tiny_tokenizer(family)
    assert tokenizer.decode(example.prompt) == prompt
    assert [tokenizer.decode(ids) for ids in example.responses] == [response]


def test_of_several_assistant_turns_only_the_last_is_trained(write_jsonl: Write) -> None:
    row = sft("Eight.")
    row["messages"] = [
        *sft("Seven.")["messages"],
        {"role": "user", "content": "And now?"},
        row["messages"][1],
    ]
    (example,) = load_sft(write_jsonl("sft.jsonl", [row]), "qwen2").examples
    tokenizer = make_tiny_tokenizer("qwen2")
    assert "Seven.<|im_end|>" in tokenizer.decode(example.prompt)
    assert tokenizer.decode(example.responses[0]) == "Eight.<|im_end|>"


def test_long_rows_are_dropped_and_counted_never_cut_unasked(write_jsonl: Write) -> None:
    path = write_jsonl("sft.jsonl", [sft("Seven."), sft("apples " * 60), sft("Eight.")])
    loaded = load_sft(path, max_length=60)
    assert len(loaded.examples) == 2
    assert dict(loaded.dropped) == {"longer than --max-length": 1}
    assert f"1 dropped: longer than --max-length (first: {path}:2)" in loaded.summary()


def test_truncation_cuts_the_answer_at_its_end_and_never_the_prompt(write_jsonl: Write) -> None:
    path = write_jsonl("sft.jsonl", [sft("apples " * 60), sft("Seven.", question="apples " * 60)])
    whole = load_sft(path, max_length=1000).examples[0]
    loaded = load_sft(path, max_length=60, truncate="response")
    (cut,) = loaded.examples
    assert cut.prompt == whole.prompt
    assert len(cut.prompt) + len(cut.responses[0]) == 60
    assert cut.responses[0] == whole.responses[0][: 60 - len(cut.prompt)]
    assert loaded.cut == 1
    assert dict(loaded.dropped) == {"prompt alone fills --max-length": 1}


def test_empty_answers_and_equal_answers_are_dropped_and_counted(write_jsonl: Write) -> None:
    rows = [pair("Seven.", "Eight."), pair("Seven.", " \n"), pair("", "Eight."), pair("Seven.", "Seven.")]
    loaded = load_pairs(write_jsonl("dpo.jsonl", rows))
    assert len(loaded.examples) == 1
    assert dict(loaded.dropped) == {"empty response": 2, "chosen equals rejected": 1}
    assert load_sft(write_jsonl("sft.jsonl", [sft("Seven."), sft("  ")])).dropped["empty response"] == 1


def test_answers_that_become_equal_when_cut_are_dropped(write_jsonl: Write) -> None:
    same = "apples " * 60
    path = write_jsonl("dpo.jsonl", [pair(same + "seven", same + "eight"), pair("Seven.", "Eight.")])
    loaded = load_pairs(path, max_length=60, truncate="response")
    assert dict(loaded.dropped) == {"chosen equals rejected": 1}


def test_a_file_of_which_nothing_is_left_is_refused(write_jsonl: Write) -> None:
    path = write_jsonl("dpo.jsonl", [pair("Seven.", "Seven.")])
    with pytest.raises(BadInput, match=r"no row is left to train on.*chosen equals rejected"):
        load_pairs(path)


@pytest.mark.parametrize("loader", [load_sft, load_pairs])
def test_the_other_stages_file_is_named_as_what_it_is(loader: Any, write_jsonl: Write) -> None:
    row = pair("a", "b") if loader is load_sft else sft("a")
    with pytest.raises(BadInput, match=r"data\.jsonl:1: .*this is a file of the other stage"):
        loader(write_jsonl("data.jsonl", [row]))


def test_a_template_that_changes_the_prompt_once_the_answer_follows_is_refused_with_the_row(
    write_jsonl: Write,
) -> None:
    path = write_jsonl("sft.jsonl", [sft("Seven.")])
    tokenizer = make_tiny_tokenizer("qwen2")
    tokenizer.chat_template = (
        "{{ messages | length }}{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    with pytest.raises(BadInput, match=r"sft\.jsonl:1: .*template"):
        load_sft_examples([path], tokenizer, max_length=200, truncate="none")


def test_a_broken_line_is_named_by_file_and_line(write_jsonl: Write) -> None:
    path = write_jsonl("sft.jsonl", [sft("Seven."), json.dumps(sft("x"))[:-5]])
    with pytest.raises(BadInput, match=r"sft\.jsonl:2: is not valid JSON"):
        load_sft(path)


def examples(count: int, per_prompt: int = 1) -> list[Example]:
    return [Example(f"l{i}", f"p{i // per_prompt}", "math", "d", (1,), ((2,),)) for i in range(count)]


@pytest.mark.parametrize(("count", "expected"), [(30, 3), (100, 10), (640, 64), (2000, 64), (20000, 200)])
def test_one_percent_is_held_out_at_least_64_and_at_most_a_tenth(count: int, expected: int) -> None:
    train, held_out = hold_out(examples(count), None, 42)
    assert (len(train), len(held_out)) == (count - expected, expected)


def test_held_out_prompts_are_never_trained_on_and_do_not_depend_on_the_order() -> None:
    rows = examples(90, per_prompt=3)
    train, held_out = hold_out(rows, 10, 42)
    assert len(held_out) == 12  # whole prompts of 3
    assert not {row.prompt_id for row in train} & {row.prompt_id for row in held_out}
    _, from_the_back = hold_out(rows[::-1], 10, 42)
    assert {row.location for row in from_the_back} == {row.location for row in held_out}


def test_holding_everything_out_is_refused() -> None:
    with pytest.raises(BadInput, match="--eval-size 5 leaves nothing to train on"):
        hold_out(examples(5), 5, 42)
