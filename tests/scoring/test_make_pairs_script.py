"""make_pairs.py as a script: rows, presets, going on, order and shards."""

import json
import random
import tracemalloc
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from pair_files import (
    Make,
    code_rows,
    math_rows,
    prompt_rows,
    read_rows,
    response_rows,
    score_rows,
    write_run,
)

from fusechat.command_line import StepArgs, parse_args
from fusechat.errors import BadInput
from fusechat.jsonl import read_prompts
from fusechat.records import PreferencePair, SFTRow
from scoring.pairing.answer_table import read_answers
from scoring.pairing.rules import PRESETS, PairRules


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Make:
    """Runs make_pairs.py in this process on a small run folder; returns the output folder."""
    return Make(monkeypatch, tmp_path)


def pairs_of(folder: Path) -> dict[str, tuple[str, str]]:
    """(chosen, rejected) response ids by prompt."""
    return {
        row["prompt_id"]: (row["chosen_response_id"], row["rejected_response_id"])
        for row in read_rows(folder / "dpo.jsonl")
    }


def sft_of(folder: Path) -> dict[str, str]:
    """SFT response ids by prompt."""
    return {row["prompt_id"]: row["response_id"] for row in read_rows(folder / "sft.jsonl")}


def test_the_small_run_gives_the_rows_that_were_worked_out_by_hand(make: Make) -> None:
    """ann's margins are 0.06 and bob's 0.04, all in the window: the larger, ann's, is taken; ann scores best.

    Maths: problem 0 pairs best right (sample 0) with worst wrong (2); 1 goes to SFT; 2 has no right answer; 3 is
    mixed with a negative margin: dropped. Code the same, but its prompt 3 falls back to SFT: the better of the two
    passing answers (sample 2: ann 0.14, bob 0.155) is bob's.
    """
    folder = make()
    pairs, sft = pairs_of(folder), sft_of(folder)
    instruction = {prompt for prompt in pairs if prompt.startswith("instruction")}
    assert len(instruction) == 6
    assert all(pairs[prompt] == (f"{prompt}:ann:0", f"{prompt}:ann:2") for prompt in instruction)
    assert {p: pairs[p] for p in pairs if p not in instruction} == {
        "math-0": ("math-0:ann:0", "math-0:ann:2"),
        "code-0": ("code-0:ann:0", "code-0:ann:2"),
    }
    others = {prompt: answer for prompt, answer in sft.items() if not prompt.startswith("instruction")}
    assert others == {
        "math-1": "math-1:ann:0",
        "code-1": "code-1:ann:0",
        "code-3": "code-3:bob:2",
        "chinese-0": "chinese-0:ann:0",
        "chinese-1": "chinese-1:ann:0",
    }
    dealt = {prompt: answer for prompt, answer in sft.items() if prompt.startswith("instruction")}
    assert dealt == {
        f"instruction-{n}": f"instruction-{n}:ann:0" for n in range(10) if f"instruction-{n}" not in pairs
    }


def test_rows_are_records_whose_texts_are_the_answers_own(make: Make) -> None:
    folder = make()
    texts = {row["response_id"]: row["text"] for row in response_rows()}
    messages = {row["prompt_id"]: row["messages"] for row in prompt_rows()}
    scores = {row["response_id"]: row["rm_score"] for row in score_rows()}
    for row in read_rows(folder / "sft.jsonl"):
        msgspec.convert(row, SFTRow)
        answer = {"role": "assistant", "content": texts[row["response_id"]]}
        assert row["messages"] == [*messages[row["prompt_id"]], answer]
        assert row["rm_score"] == (None if row["domain"] == "chinese" else scores[row["response_id"]])
    for row in read_rows(folder / "dpo.jsonl"):
        msgspec.convert(row, PreferencePair)
        assert row["prompt"] == messages[row["prompt_id"]]
        for side in ("chosen", "rejected"):
            assert row[side] == [{"role": "assistant", "content": texts[row[f"{side}_response_id"]]}]
            assert row[f"{side}_message"] == row[side][0]
            assert row[f"{side}_rm_score"] == scores[row[f"{side}_response_id"]]
        assert row["margin"] == pytest.approx(row["chosen_rm_score"] - row["rejected_rm_score"])
        assert row["source"] == row["rejected_source"]


def test_the_paper_preset_uses_leetcode_prompts_twice_and_flags_win_over_it(make: Make) -> None:
    """Without the preset code-0 gives a pair only; with it also the SFT row of its best passing answer."""
    assert "code-0" not in sft_of(make(folder="plain"))
    paper = make("--preset", "paper", folder="paper")
    assert sft_of(paper)["code-0"] == "code-0:ann:0"
    assert pairs_of(paper)["code-0"] == ("code-0:ann:0", "code-0:ann:2")
    narrow = make("--preset", "paper", "--margin", "0.03", "0.05", folder="narrow")
    assert sft_of(narrow)["code-0"] == "code-0:ann:0"
    assert pairs_of(narrow)["math-0"] == ("math-0:bob:0", "math-0:bob:2")


@dataclass(kw_only=True)
class RulesAlone(PairRules, StepArgs):
    """The rules as a command line."""


def test_the_yaml_holds_the_defaults_except_for_what_it_says(tmp_path: Path) -> None:
    from_yaml = parse_args(RulesAlone, ["--config", str(PRESETS["paper"])])
    plain = parse_args(RulesAlone, [])
    differing = {name for name, value in vars(plain).items() if vars(from_yaml)[name] != value}
    assert differing == {"config", "code_reuse_prompts"}
    assert from_yaml.code_reuse_prompts == ["greengerong/leetcode"]


def test_math_switches_turn_dropped_and_paired_prompts_into_sft_rows(make: Make, tmp_path: Path) -> None:
    config = tmp_path / "rules.yaml"
    config.write_text("math-margin-fail: sft\nmath-reuse-prompts: true\n", encoding="utf-8")
    sft = sft_of(make("--config", config))
    assert {p: a for p, a in sft.items() if p.startswith("math")} == {
        "math-0": "math-0:ann:0",
        "math-1": "math-1:ann:0",
        "math-3": "math-3:bob:2",
    }


def test_cross_source_pairs_name_both_sources(make: Make) -> None:
    rows = read_rows(make("--pairing", "cross-source") / "dpo.jsonl")
    instruction = [row for row in rows if row["domain"] == "instruction"]
    assert {(row["source"], row["rejected_source"]) for row in instruction} == {("bob", "ann")}


def test_best_and_worst_overall_pair_the_extremes_of_all_sources(make: Make) -> None:
    """Best of all is ann's sample 0 (0.20), worst ann's sample 2 (0.14); on-policy bob: his sample 2 (0.155)."""
    overall = pairs_of(make("--pairing", "best-worst-overall"))
    assert overall["math-0"] == ("math-0:ann:0", "math-0:ann:2")
    on_policy = pairs_of(
        make("--pairing", "best-worst-overall", "--on-policy-sources", "bob", folder="on-policy")
    )
    assert on_policy["math-0"] == ("math-0:ann:0", "math-0:bob:2")


def test_order_shards_and_repeated_rows_change_no_byte(make: Make, tmp_path: Path) -> None:
    plain = make(folder="plain")
    rng = random.Random(0)
    shuffled = {}
    for name, rows in (
        ("prompts", prompt_rows()),
        ("rm_scores", score_rows()),
        ("math_checks", math_rows()),
        ("code_tests", code_rows()),
    ):
        rows = rows if name == "prompts" else rows + rows[:5]
        rng.shuffle(rows)
        shuffled[name] = rows
    flags = write_run(tmp_path / "shards", **shuffled)
    responses = response_rows()
    responses += responses[10:20]
    rng.shuffle(responses)
    for part in range(4):
        path = tmp_path / "shards" / f"responses-{part:05d}-of-00004.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in responses[part::4]), encoding="utf-8")
    (tmp_path / "shards" / "responses.jsonl").unlink()
    make.on(flags)
    for name in ("sft.jsonl", "dpo.jsonl"):
        assert (plain / name).read_bytes() == (tmp_path / "shards" / "pairs" / name).read_bytes()
    figures = json.loads((tmp_path / "shards" / "pairs" / "composition.json").read_text())
    assert figures["left_out"]["repeated_response_rows"] == 10


def test_what_is_finished_is_so_without_its_inputs(
    make: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = write_run(tmp_path / "gone")
    make.on(flags)
    for path in (tmp_path / "gone").glob("*.jsonl"):
        path.unlink()
    make.on(flags)
    assert "dpo.jsonl: is complete already" in capsys.readouterr().out


def test_the_same_command_again_says_that_all_is_there(
    make: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make()
    before = (folder / "dpo.jsonl").stat().st_mtime_ns
    make()
    assert "dpo.jsonl: is complete already" in capsys.readouterr().out
    make("--margin", "0.02", "0.05")
    assert "was made with other settings: margin was [0.01, 0.1], is [0.02, 0.05]" in capsys.readouterr().err
    assert (folder / "dpo.jsonl").stat().st_mtime_ns == before


def test_overwrite_makes_the_files_anew(make: Make) -> None:
    make()
    rows = read_rows(make("--margin", "0.03", "0.05", "--overwrite") / "dpo.jsonl")
    assert {row["source"] for row in rows if row["domain"] == "instruction"} == {"bob"}


@pytest.mark.parametrize("cut", [0, 1, 700, 2500])
def test_a_killed_run_goes_on_to_the_same_bytes(make: Make, cut: int) -> None:
    folder = make()
    whole = {name: (folder / name).read_bytes() for name in ("sft.jsonl", "dpo.jsonl")}
    (folder / "composition.json").unlink()
    path, sidecar = folder / "dpo.jsonl", folder / "dpo.jsonl.run.json"
    path.rename(folder / "dpo.jsonl.partial")
    sidecar.rename(folder / "dpo.jsonl.partial.run.json")
    (folder / "dpo.jsonl.partial").write_bytes(whole["dpo.jsonl"][:cut])
    make()
    assert {name: (folder / name).read_bytes() for name in whole} == whole
    assert not list(folder.glob("*.partial*"))


def test_a_finished_half_of_other_settings_is_not_completed(make: Make) -> None:
    folder = make()
    (folder / "dpo.jsonl").unlink()
    with pytest.raises(BadInput, match=r"sft.jsonl: was made with other settings: seed was 0, is 1"):
        make("--seed", "1")
    assert not (folder / "dpo.jsonl").exists()


def test_a_purely_chinese_run_needs_no_scores(make: Make, tmp_path: Path) -> None:
    prompts = [row for row in prompt_rows() if row["domain"] == "chinese"]
    responses = [row for row in response_rows() if row["prompt_id"].startswith("chinese")]
    flags = write_run(tmp_path, prompts=prompts, responses=responses)
    make.on([*flags[:4], *flags[-4:]])
    assert len(read_rows(tmp_path / "pairs" / "sft.jsonl")) == 2
    assert read_rows(tmp_path / "pairs" / "dpo.jsonl") == []


def test_verdict_files_may_be_empty_where_there_was_nothing_to_check(make: Make) -> None:
    prompts = [row for row in prompt_rows() if row["domain"] == "instruction"]
    responses = [row for row in response_rows() if row["prompt_id"].startswith("instruction")]
    scores = [row for row in score_rows() if row["response_id"].startswith("instruction")]
    folder = make(prompts=prompts, responses=responses, rm_scores=scores, math_checks=[], code_tests=[])
    assert len(read_rows(folder / "dpo.jsonl")) == 6


def test_the_index_of_answers_holds_no_texts(tmp_path: Path) -> None:
    """2,000 answers of 20 kB are 40 MB; the index of them may take 2."""
    write_run(tmp_path, prompts=[{**prompt_rows()[0], "prompt_id": "p"}])
    line = '{"response_id": "p:ann:%d", "prompt_id": "p", "source": "ann", "sample_index": %d, "text": "%s", "finish_reason": "stop"}\n'
    with (tmp_path / "responses.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(line % (number, number, f"{number} " * 4000) for number in range(2000))
    prompts = read_prompts([tmp_path / "prompts.jsonl"])
    tracemalloc.start()
    table = read_answers([str(tmp_path / "responses.jsonl")], prompts, 0.5)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(table) == 2000
    assert peak < 5e6


def test_the_window_may_come_from_quantiles_of_the_spread_and_is_recorded(make: Make) -> None:
    """Spreads are 0.06 (ann) and 0.04 (bob), half and half: quantiles 0 and 0.4 are both bob's 0.04."""
    folder = make("--margin-quantiles", "0", "0.4")
    figures = json.loads((folder / "composition.json").read_text())
    assert figures["rules"]["margin"] == pytest.approx([0.04, 0.04])
    rows = read_rows(folder / "dpo.jsonl")
    assert {row["source"] for row in rows if row["domain"] == "instruction"} == {"bob"}
