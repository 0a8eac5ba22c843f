"""The pair rules against a brute-force second implementation, on generated data, and their stated arithmetic."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from brute_force_pairs import STEP, Answer, Switches, outcome
from decide_pairs import decide_files, ids_of, write_files
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from scoring.pairing.instruction import deal
from scoring.pairing.reported import (
    REPORTED,
    REPORTED_TOTAL_DPO,
    REPORTED_TOTAL_ENTRIES,
    REPORTED_TOTAL_SFT,
    reported_row,
)
from scoring.pairing.rules import PairRules

DOMAINS = ("instruction", "math", "code", "chinese")
VERDICTS: dict[str, list[str | None]] = {
    "instruction": [None],
    "chinese": [None],
    "math": ["right", "wrong", "undecided"],
    "code": ["pass", "fail", "error", "timeout", "no_code", "bad_tests"],
}
SOURCES = ("ann", "bob", "cid")


@st.composite
def data_sets(draw: st.DrawFn) -> tuple[list[dict[str, Any]], list[Answer], int]:
    """Up to 14 prompts of all domains, up to 3 sources with up to 4 answers, few score steps and few texts."""
    prompts, answers = [], []
    for number in range(draw(st.integers(1, 14))):
        domain = draw(st.sampled_from(DOMAINS))
        prompt = {
            "prompt_id": f"p{number}",
            "dataset": f"d-{domain}-{draw(st.integers(0, 1))}",
            "domain": domain,
            "messages": [{"role": "user", "content": f"question {number}"}],
        }
        prompts.append(prompt)
        for source in draw(st.lists(st.sampled_from(SOURCES), unique=True, max_size=3)):
            for sample in range(draw(st.integers(1, 4))):
                answers.append(
                    Answer(
                        prompt_id=f"p{number}",
                        source=source,
                        sample=sample,
                        steps=draw(st.integers(0, 24)),
                        text=draw(st.sampled_from(["好的", "你好 ", "可以", "不", "回答", "答案", " "])),
                        truncated=draw(st.integers(0, 4)) == 0,
                        verdict=draw(st.sampled_from(VERDICTS[domain])),
                    )
                )
    assume(answers)
    return prompts, answers, draw(st.integers(0, 1000))


switches_of_all_kinds = st.builds(
    Switches,
    pairing=st.sampled_from(["same-source", "cross-source", "best-worst-overall"]),
    source_choice=st.sampled_from(["largest-margin", "best-chosen", "all"]),
    math_margin_fail=st.sampled_from(["drop", "sft"]),
    math_reuse=st.booleans(),
    code_margin_fail=st.sampled_from(["drop", "sft"]),
    code_reuse=st.booleans(),
    code_positive=st.booleans(),
    seed=st.integers(0, 3),
)


def rules_of_switches(switches: Switches) -> PairRules:
    """The same switches in the words of the code under test."""
    return PairRules(
        margin=(switches.window[0] * STEP, switches.window[1] * STEP),
        pairing=switches.pairing,
        source_choice=switches.source_choice,
        on_policy_sources=switches.on_policy,
        math_margin_fail=switches.math_margin_fail,
        math_reuse_prompts=switches.math_reuse,
        code_margin_fail=switches.code_margin_fail,
        code_reuse_prompts=["all"] if switches.code_reuse else [],
        code_require_positive_margin=switches.code_positive,
        seed=switches.seed,
    )


@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
@given(data_sets(), switches_of_all_kinds)
def test_rules_agree_with_brute_force_for_every_switch_order_shard_and_repeated_row(
    data: tuple[list[dict[str, Any]], list[Answer], int], switches: Switches
) -> None:
    prompts, answers, shuffle_seed = data
    with TemporaryDirectory() as name:
        write_files(Path(name), prompts, answers, shuffle_seed)
        assert ids_of(*decide_files(Path(name), rules_of_switches(switches))) == outcome(
            prompts, answers, switches
        )


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data_sets(), st.sampled_from(["cross-source", "best-worst-overall"]))
def test_on_policy_answers_are_all_of_the_rejected_and_none_of_the_chosen(
    data: tuple[list[dict[str, Any]], list[Answer], int], pairing: str
) -> None:
    prompts, answers, shuffle_seed = data
    switches = Switches(pairing=pairing, on_policy=["bob"])
    with TemporaryDirectory() as name:
        write_files(Path(name), prompts, answers, shuffle_seed)
        sft, dpo = ids_of(*decide_files(Path(name), rules_of_switches(switches)))
    assert (sft, dpo) == outcome(prompts, answers, switches)
    assert all(":bob:" in rejected and ":bob:" not in chosen for chosen, rejected in dpo)
    assert not any(":bob:" in answer for answer in sft.values())


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(data_sets(), st.integers(0, 5))
def test_what_the_report_promises_of_every_pair_holds(
    data: tuple[list[dict[str, Any]], list[Answer], int], seed: int
) -> None:
    prompts, answers, shuffle_seed = data
    by_id = {answer.id: answer for answer in answers}
    with TemporaryDirectory() as name:
        write_files(Path(name), prompts, answers, shuffle_seed)
        table, datasets = decide_files(Path(name), PairRules(seed=seed))
    ids = table.response_ids()
    for group in datasets:
        sft_prompts = {prompt_id for prompt_id, _ in group.sft()}
        dpo_prompts = {prompt_id for prompt_id, _ in group.dpo()}
        assert not sft_prompts & dpo_prompts
        selected = len(group.decisions)
        if group.domain == "instruction":
            assert (len(sft_prompts), len(dpo_prompts)) == (4 * selected // 10, selected - 4 * selected // 10)
        unused = sum(decision.unused is not None for decision in group.decisions.values())
        assert selected == len(sft_prompts) + len(dpo_prompts) + unused
        for _, decision in group.dpo():
            for pair in decision.pairs:
                chosen, rejected = by_id[ids[pair.chosen.row]], by_id[ids[pair.rejected.row]]
                assert chosen.source == rejected.source
                assert not chosen.truncated
                assert chosen.text.strip() != rejected.text.strip()
                if group.domain in ("instruction", "math"):
                    assert 2 <= chosen.steps - rejected.steps <= 20
                if group.domain in ("math", "code"):
                    assert chosen.right
                    assert rejected.wrong
        for _, decision in group.sft():
            assert decision.sft is not None
            assert not by_id[ids[decision.sft.row]].truncated


@pytest.mark.parametrize(
    ("selected", "sft", "dpo"), [(51_098, 20_439, 30_659), (20_374, 8_149, 12_225), (9_435, 3_774, 5_661)]
)
def test_the_deal_gives_the_counts_of_the_reports_table(selected: int, sft: int, dpo: int) -> None:
    ids = [f"prompt-{number}" for number in range(selected)]
    sft_ids, dpo_ids = deal(ids, PairRules())
    assert (len(sft_ids), len(dpo_ids)) == (sft, dpo)
    assert sorted(sft_ids + dpo_ids) == sorted(ids)


def test_the_deal_depends_on_the_seed_and_not_on_the_order() -> None:
    ids = [f"prompt-{number}" for number in range(200)]
    first = deal(ids, PairRules(seed=1))
    assert deal(reversed(ids), PairRules(seed=1)) == first
    assert deal(ids, PairRules(seed=2)) != first


def test_the_reports_table_adds_up_as_it_is_kept_here() -> None:
    assert sum(row.sft for row in REPORTED) == REPORTED_TOTAL_SFT == 94_539
    assert sum(row.dpo for row in REPORTED) == REPORTED_TOTAL_DPO == 64_245
    assert REPORTED_TOTAL_SFT + REPORTED_TOTAL_DPO == REPORTED_TOTAL_ENTRIES == 158_784
    assert sum(row.selected for row in REPORTED) == 166_214
    found = reported_row("somebody/helpsteer2")
    assert found is not None
    assert found.selected == 9_435
