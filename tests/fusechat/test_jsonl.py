"""Reading JSONL names every fault by file, line and field."""

import json

import pytest

from fusechat.errors import BadInput
from fusechat.jsonl import count_answers, read_jsonl, read_prompts, read_responses
from fusechat.records import PreferencePair, Prompt, Response, RMScore, SFTRow


def prompt(prompt_id="p1", **changes):
    return {
        "prompt_id": prompt_id,
        "dataset": "org/name",
        "domain": "math",
        "messages": [{"role": "user", "content": "1 + 1?"}],
        "gold_answer": "2",
        **changes,
    }


def response(prompt_id="p1", index=0, **changes):
    return {
        "response_id": f"{prompt_id}:s:{index}",
        "prompt_id": prompt_id,
        "source": "s",
        "sample_index": index,
        "text": "2",
        "finish_reason": "stop",
        **changes,
    }


def test_a_good_file_is_read_with_unknown_fields_ignored(write_jsonl):
    path = write_jsonl("prompts.jsonl", [prompt(extra=[1, 2]), prompt("p2", gold_answer=None)])
    prompts = read_prompts([path])
    assert list(prompts) == ["p1", "p2"]
    assert prompts["p1"].messages[0].content == "1 + 1?"


def without(field):
    row = prompt()
    del row[field]
    return row


BAD_PROMPTS = {
    "broken JSON": ('{"prompt_id": "p1",', "is not valid JSON"),
    "not an object": ("[1]", "expected `object`"),
    "an empty line": ("", "empty line"),
    "a missing field": (without("dataset"), "dataset: this field is missing"),
    "a wrong type": (prompt(gold_answer=2), "gold_answer: expected `str | null`, got `int`"),
    "a wrong type inside": (
        prompt(messages=[{"role": "user", "content": None}]),
        "messages[0].content: expected `str`, got `null`",
    ),
    "an unknown domain": (prompt(domain="maths"), "domain: invalid enum value 'maths'"),
    "an unknown role": (
        prompt(messages=[{"role": "human", "content": "x"}]),
        "messages[0].role: invalid enum value",
    ),
    "no messages": (prompt(messages=[]), "messages: is empty"),
    "an assistant's turn at the end": (
        prompt(messages=[{"role": "assistant", "content": "x"}]),
        "messages: ends with a turn of assistant",
    ),
    "a duplicate prompt_id": (prompt(), "prompt_id: p1 stands already at"),
}


@pytest.mark.parametrize("fault", BAD_PROMPTS)
def test_a_bad_prompt_line_is_named_by_file_line_and_field(write_jsonl, fault):
    row, expected = BAD_PROMPTS[fault]
    path = write_jsonl("prompts.jsonl", [prompt(), row])
    with pytest.raises(BadInput) as caught:
        read_prompts([path])
    message = str(caught.value)
    assert message.startswith(f"{path}:2: ")
    assert expected.lower() in message.lower()
    assert "\n" not in message


def test_latin_1_bytes_are_a_clear_error(tmp_path):
    path = tmp_path / "prompts.jsonl"
    path.write_bytes(json.dumps(prompt(gold_answer="X")).encode().replace(b"X", b"\xe9") + b"\n")
    with pytest.raises(BadInput, match=r"prompts\.jsonl:1: .*(UTF-8|utf-8)"):
        read_prompts([path])


def test_a_line_separator_inside_a_text_does_not_split_the_line(write_jsonl):
    path = write_jsonl("prompts.jsonl", [prompt(gold_answer="a\u2028b\u0085c")])
    assert read_prompts([path])["p1"].gold_answer == "a\u2028b\u0085c"


def test_an_empty_file_and_a_missing_file_are_clear_errors(tmp_path, write_jsonl):
    with pytest.raises(BadInput, match=r"prompts\.jsonl: is empty"):
        read_prompts([write_jsonl("prompts.jsonl", [])])
    with pytest.raises(BadInput, match=r"nowhere\.jsonl: no such file"):
        read_prompts([tmp_path / "nowhere.jsonl"])


def test_a_response_of_an_unknown_prompt_is_named(write_jsonl):
    prompts = read_prompts([write_jsonl("prompts.jsonl", [prompt()])])
    path = write_jsonl("responses.jsonl", [response(), response("p9")])
    with pytest.raises(BadInput, match=r"responses\.jsonl:2: prompt_id: p9 is not among the prompts"):
        list(read_responses([path], prompts))


def test_a_response_id_that_comes_twice_is_named(write_jsonl):
    prompts = read_prompts([write_jsonl("prompts.jsonl", [prompt()])])
    path = write_jsonl("responses.jsonl", [response(), response()])
    with pytest.raises(BadInput, match=r"responses\.jsonl:2: response_id: p1:s:0 comes twice"):
        list(read_responses([path], prompts))


@pytest.mark.parametrize(
    ("record_type", "row", "field"),
    [
        (Response, response(finish_reason="eos"), "finish_reason"),
        (RMScore, {"response_id": "a", "rm_score": "0.1"}, "rm_score"),
        (RMScore, '{"response_id": "a", "rm_score": NaN}', "is not valid JSON"),
        (RMScore, '{"response_id": "a", "rm_score": 1e999}', "out of range"),
        (SFTRow, {"messages": [{"role": "user", "content": "x"}], "prompt_id": "p", "dataset": "d", "domain": "math", "source": "s"}, "messages"),
        (PreferencePair, {"prompt": [{"role": "user", "content": "x"}], "chosen": [], "rejected": [], "prompt_id": "p", "dataset": "d", "domain": "math", "source": "s"}, "chosen"),
    ],
)  # fmt: skip
def test_the_other_records_check_their_fields(write_jsonl, record_type, row, field):
    path = write_jsonl("rows.jsonl", [row])
    with pytest.raises(BadInput, match=rf"rows\.jsonl:1: .*{field}"):
        list(read_jsonl([path], record_type))


def test_prompt_ids_depend_on_dataset_and_normalised_text_only():
    from fusechat.records import Message, prompt_id_of

    one = prompt_id_of("org/My Set", [Message("user", "What  is\nthis?")])
    assert one == prompt_id_of("org/My Set", [Message("user", "what is this? ")])
    assert one != prompt_id_of("org/Other", [Message("user", "what is this?")])
    assert one != prompt_id_of("org/My Set", [Message("user", "what was this?")])
    assert one.startswith("my-set-") and len(one) == len("my-set-") + 16


def test_a_prompt_record_survives_a_round_trip(write_jsonl):
    import msgspec

    tests = {"asserts": ["assert f(1) == 2"], "setup": "import math", "entry_point": "f"}
    path = write_jsonl("prompts.jsonl", [prompt(domain="code", tests=tests)])
    record = read_prompts([path])["p1"]
    again = write_jsonl("again.jsonl", [msgspec.to_builtins(record)])
    assert read_prompts([again])["p1"] == record
    assert isinstance(record, Prompt)


def test_a_byte_order_mark_is_named(tmp_path):
    path = tmp_path / "prompts.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(prompt()).encode() + b"\n")
    with pytest.raises(BadInput, match=r"prompts\.jsonl:1: begins with a byte order mark"):
        read_prompts([path])


def test_windows_line_ends_and_a_last_line_without_one_are_read(tmp_path):
    path = tmp_path / "prompts.jsonl"
    path.write_bytes(json.dumps(prompt()).encode() + b"\r\n" + json.dumps(prompt("p2")).encode())
    assert list(read_prompts([path])) == ["p1", "p2"]


@pytest.mark.parametrize("surrogate", ['"a\\ud800"', b'"a\xed\xa0\x80"'])
def test_a_lone_surrogate_is_named_by_file_and_line(tmp_path, surrogate):
    path = tmp_path / "prompts.jsonl"
    text = surrogate if isinstance(surrogate, bytes) else surrogate.encode()
    path.write_bytes(json.dumps(prompt(gold_answer="X")).encode().replace(b'"X"', text) + b"\n")
    with pytest.raises(BadInput, match=r"prompts\.jsonl:1: "):
        read_prompts([path])


def test_json_nested_beyond_reason_is_a_clear_error(write_jsonl):
    row = json.dumps(prompt(meta={"x": 0})).replace(": 0}", ": " + "[" * 100_000 + "]" * 100_000 + "}")
    with pytest.raises(BadInput, match=r"prompts\.jsonl:1: its lists and objects are nested too deeply"):
        read_prompts([write_jsonl("prompts.jsonl", [row])])


def test_sample_indexes_count_from_0(write_jsonl):
    with pytest.raises(BadInput, match=r"rows\.jsonl:1: sample_index: expected `int` >= 0"):
        list(read_jsonl([write_jsonl("rows.jsonl", [response(sample_index=-1)])], Response))


def test_answers_of_a_domain_are_counted_and_every_line_is_checked(write_jsonl):
    prompts = read_prompts([write_jsonl("prompts.jsonl", [prompt(), prompt("p2", domain="code")])])
    rows = [response(), response(index=1), response("p2")]
    assert count_answers([write_jsonl("r.jsonl", rows)], prompts, "math") == 2
    with pytest.raises(BadInput, match=r"r\.jsonl:4: is not valid JSON"):
        count_answers([write_jsonl("r.jsonl", [*rows, "{"])], prompts, "math")
