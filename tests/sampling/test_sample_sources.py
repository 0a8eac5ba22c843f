"""sources.yaml and the plan of answers: what is sampled, how often, with which seed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fusechat.errors import BadInput
from fusechat.inputs import Shard
from fusechat.records import Message, Prompt
from sampling.answer_plan import AnswerPlan, answer_seed
from sampling.sources import find_source, load_sources


@pytest.fixture
def sources_file(tmp_path: Path) -> Callable[[str], Path]:
    """Writes a sources file."""

    def write(text: str) -> Path:
        path = tmp_path / "sources.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def make_prompts(*domains: Any) -> dict[str, Prompt]:
    """One prompt per domain given."""
    prompts = [
        Prompt(f"p{i}", "made/up", domain, [Message("user", f"Question {i}")])
        for i, domain in enumerate(domains)
    ]
    return {prompt.prompt_id: prompt for prompt in prompts}


def test_the_shipped_sources_are_those_of_the_reports_table_2(root: Path) -> None:
    sources = load_sources(root / "sampling" / "sources.yaml")
    parameters = {
        name: (source.model, source.temperature, source.top_p, source.repetition_penalty)
        for name, source in sources.items()
    }
    assert parameters == {
        "gemma-2-27b-it": ("google/gemma-2-27b-it", 0.8, 0.95, 1.0),
        "Mistral-Large-Instruct-2407": ("mistralai/Mistral-Large-Instruct-2407", 0.8, 0.95, 1.0),
        "Qwen2.5-72B-Instruct": ("Qwen/Qwen2.5-72B-Instruct", 0.7, 0.8, 1.05),
        "Llama-3.1-70B-Instruct": ("meta-llama/Llama-3.1-70B-Instruct", 0.8, 0.95, 1.0),
        "Qwen2.5-Math-72B-Instruct": ("Qwen/Qwen2.5-Math-72B-Instruct", 0.7, 0.8, 1.05),
    }


def test_each_domain_is_sampled_from_the_sources_that_the_report_names(root: Path) -> None:
    sources = load_sources(root / "sampling" / "sources.yaml")

    def samples(domain: Any) -> dict[str, int]:
        numbers = {name: source.samples_for(domain) for name, source in sources.items()}
        return {name: number for name, number in numbers.items() if number}

    general = [
        "gemma-2-27b-it", "Mistral-Large-Instruct-2407", "Qwen2.5-72B-Instruct", "Llama-3.1-70B-Instruct",
    ]  # fmt: skip
    assert samples("instruction") == dict.fromkeys(general, 5)
    assert samples("code") == dict.fromkeys(general, 8)
    assert samples("chinese") == {"Qwen2.5-72B-Instruct": 1}
    assert samples("math") == {"Qwen2.5-Math-72B-Instruct": 5}


def test_a_source_is_four_lines(sources_file: Callable[[str], Path]) -> None:
    source = find_source(sources_file("mine:\n  model: org/mine\n  temperature: 0.6\n  top_p: 0.9\n"), "mine")
    assert (source.model, source.temperature, source.top_p) == ("org/mine", 0.6, 0.9)
    assert [source.samples_for(domain) for domain in ("instruction", "math", "code", "chinese")] == [
        5,
        5,
        8,
        1,
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "names no source"),
        ("mine:\n  temperature: 1.0\n  top_p: 1.0\n", "mine: .*model"),
        (
            "mine: {model: a/b, temperature: 1, top_p: 1, temprature: 2}",
            "mine: temprature: is not a known key",
        ),
        ("mine: {model: a/b, temperature: warm, top_p: 1}", "mine: temperature: Expected `float`, got `str`"),
        ("mine: {model: a/b, temperature: 1, top_p: 1.5}", "mine: top_p: 1.5 is not above 0 and at most 1"),
        ("mine: {model: a/b, temperature: 1, top_p: 1, domains: [maths]}", "mine: domains.*maths"),
        ("mine: {model: a/b, temperature: 1, top_p: 1, samples_per_prompt: {math: 0}}", "math: 0 is below 1"),
        ("mine: {model: a/b, temperature: 1, top_p: 1, max_model_len: 2048}", "no room for a prompt"),
        ("a/b: {model: a/b, temperature: 1, top_p: 1}", "without '/' and ':'"),
        ("mine: [1", "not valid YAML"),
    ],
)
def test_a_wrong_sources_file_names_the_source_and_the_key(
    sources_file: Callable[[str], Path], text: str, message: str
) -> None:
    with pytest.raises(BadInput, match=message):
        load_sources(sources_file(text))


def test_an_unknown_source_is_told_with_those_that_are_there(sources_file: Callable[[str], Path]) -> None:
    path = sources_file("mine: {model: a/b, temperature: 1, top_p: 1}")
    with pytest.raises(BadInput, match=r"--source yours: is not in .*; known are: mine"):
        find_source(path, "yours")


def test_an_answers_seed_is_the_sha256_of_run_seed_prompt_and_index() -> None:
    """First 48 bits of `printf '0\\0p-1\\0000' | sha256sum` and of `printf '7\\0p-1\\0003' | sha256sum`."""
    assert answer_seed(0, "p-1", 0) == 229980020326652
    assert answer_seed(7, "p-1", 3) == 138950504875557


def test_the_plan_has_every_answer_in_prompt_order_and_none_of_other_domains() -> None:
    plan = AnswerPlan(
        make_prompts("math", "code", "math"),
        source="s",
        samples_per_prompt={"math": 2},
        run_seed=0,
        shard=Shard(0, 1),
    )
    assert [answer.response_id for answer in plan.answers()] == ["p0:s:0", "p0:s:1", "p2:s:0", "p2:s:1"]
    assert plan.num_answers == 4
    assert dict(plan.skipped) == {"other_domain": 1}


def test_shards_share_the_answers_without_overlap_and_with_the_same_seeds() -> None:
    prompts = make_prompts(*["math"] * 10)

    def answers(shard: Shard) -> dict[str, int]:
        plan = AnswerPlan(prompts, source="s", samples_per_prompt={"math": 3}, run_seed=5, shard=shard)
        return {answer.response_id: answer.seed for answer in plan.answers()}

    parts = [answers(Shard(index, 4)) for index in range(4)]
    assert sum(map(len, parts)) == 30
    assert parts[0] | parts[1] | parts[2] | parts[3] == answers(Shard(0, 1))


def test_only_missing_answers_are_asked_for_again() -> None:
    plan = AnswerPlan(
        make_prompts("math", "math"),
        source="s",
        samples_per_prompt={"math": 2},
        run_seed=0,
        shard=Shard(0, 1),
    )
    missing = [
        answer.response_id
        for _, answers in plan.missing({"p0:s:0", "p0:s:1", "p1:s:0"})
        for answer in answers
    ]
    assert missing == ["p1:s:1"]
