"""Each switch of the pair rules on a case small enough to be worked out by hand."""

from pathlib import Path
from typing import Any

import pytest
from brute_force_pairs import Answer
from decide_pairs import decide_files, ids_of, write_files

from scoring.pairing.candidates import Candidate, Pair
from scoring.pairing.chinese import is_mostly_chinese
from scoring.pairing.joins import CodeLine, code_label, static_check_is_clean
from scoring.pairing.pair_choice import HIGH, LOW, NEGATIVE, margin_fault
from scoring.pairing.rules import PairRules


def one_prompt(domain: str, prompt_id: str = "p") -> dict[str, Any]:
    return {
        "prompt_id": prompt_id,
        "dataset": "d",
        "domain": domain,
        "messages": [{"role": "user", "content": "q"}],
    }


@pytest.mark.parametrize(
    ("margin", "fault"),
    [
        (0.01, None),
        (0.1, None),
        (0.3 - 0.2, None),
        (0.11 - 0.1, None),
        (0.0099, LOW),
        (0.0, LOW),
        (0.1001, HIGH),
        (-0.02, NEGATIVE),
    ],
)
def test_the_windows_ends_are_inside_under_float_noise(margin: float, fault: str | None) -> None:
    assert margin_fault(margin, (0.01, 0.1)) == fault


@pytest.mark.parametrize(
    ("record", "label", "clean"),
    [
        ({"verdict": "pass"}, "RIGHT", True),
        ({"verdict": "fail", "reason": "assertion"}, "WRONG", True),
        ({"verdict": "error", "reason": "syntax"}, "WRONG", False),
        ({"verdict": "error", "reason": "runner"}, "UNKNOWN", True),
        ({"verdict": "timeout"}, "WRONG", True),
        ({"verdict": "no_code"}, "WRONG", False),
        ({"verdict": "bad_tests"}, "UNKNOWN", True),
        ({"verdict": "error", "static": {"undefined": ["np"]}}, "WRONG", False),
    ],
)
def test_code_verdicts_become_labels_and_static_points(
    record: dict[str, Any], label: str, clean: bool
) -> None:
    line = CodeLine(response_id="r", **record)
    assert code_label(line).name == label
    assert static_check_is_clean(line) is clean


def test_points_rank_a_failing_answer_without_code_below_one_that_ran(tmp_path: Path) -> None:
    """RM score alone rejects the answer that ran (0.1 < 0.2); with points, no code (0.2) ranks below it (1.1)."""
    prompts = [one_prompt("code")]
    answers = [
        Answer("p", "ann", 0, 60, "passes", False, "pass"),
        Answer("p", "ann", 1, 20, "ran and failed", False, "fail"),
        Answer("p", "ann", 2, 40, "no code at all", False, "no_code"),
    ]
    write_files(tmp_path, prompts, answers, 0)
    assert ids_of(*decide_files(tmp_path, PairRules()))[1] == {("p:ann:0", "p:ann:1")}
    assert ids_of(*decide_files(tmp_path, PairRules(score="rm+points")))[1] == {("p:ann:0", "p:ann:2")}
    assert ids_of(*decide_files(tmp_path, PairRules(score="rm+points", code_rejected="failed-tests")))[1] == {
        ("p:ann:0", "p:ann:1")
    }


def test_search_within_source_finds_a_milder_rejected_answer(tmp_path: Path) -> None:
    """30 steps apart is outside 2..20; the answer 12 steps below the best one is inside."""
    prompts = [one_prompt("instruction", f"p{n}") for n in range(2)]
    answers = [
        Answer(f"p{n}", "ann", sample, steps, f"text {sample}", False)
        for n in range(2)
        for sample, steps in enumerate((30, 18, 0))
    ]
    write_files(tmp_path, prompts, answers, 0)
    _, plain = decide_files(tmp_path, PairRules())
    assert plain[0].not_selected == {HIGH: 2}
    _, dpo = ids_of(*decide_files(tmp_path, PairRules(search_within_source=True)))
    assert dpo == {("p0:ann:0", "p0:ann:1"), ("p1:ann:0", "p1:ann:1")}


def test_a_code_window_refuses_a_pair_that_has_none_otherwise(tmp_path: Path) -> None:
    prompts = [one_prompt("code")]
    answers = [Answer("p", "ann", 0, 60, "a", False, "pass"), Answer("p", "ann", 1, 20, "b", False, "fail")]
    write_files(tmp_path, prompts, answers, 0)
    assert ids_of(*decide_files(tmp_path, PairRules())) == ({}, {("p:ann:0", "p:ann:1")})
    assert ids_of(*decide_files(tmp_path, PairRules(code_margin=(0.01, 0.1)))) == ({"p": "p:ann:0"}, set())
    windowed = PairRules(code_margin=(0.01, 0.1), code_margin_fail="drop")
    _, datasets = decide_files(tmp_path, windowed)
    assert datasets[0].decisions["p"].unused == HIGH


def test_cut_answers_may_be_rejected_or_left_out(tmp_path: Path) -> None:
    prompts = [one_prompt("instruction", f"p{n}") for n in range(2)]
    answers = [
        Answer(f"p{n}", "ann", sample, steps, f"text {sample}", sample == 2)
        for n in range(2)
        for sample, steps in enumerate((20, 14, 8))
    ]
    write_files(tmp_path, prompts, answers, 0)
    assert ids_of(*decide_files(tmp_path, PairRules()))[1] == {
        ("p0:ann:0", "p0:ann:2"),
        ("p1:ann:0", "p1:ann:2"),
    }
    left_out = PairRules(truncated_answers="leave-out")
    assert ids_of(*decide_files(tmp_path, left_out))[1] == {
        ("p0:ann:0", "p0:ann:1"),
        ("p1:ann:0", "p1:ann:1"),
    }


def test_ties_go_by_the_order_of_sources_that_was_given(tmp_path: Path) -> None:
    prompts = [one_prompt("math")]
    answers = [Answer("p", source, 0, 10, "same score", False, "right") for source in ("ann", "bob", "cid")]
    write_files(tmp_path, prompts, answers, 0)
    assert ids_of(*decide_files(tmp_path, PairRules()))[0] == {"p": "p:ann:0"}
    assert ids_of(*decide_files(tmp_path, PairRules(source_order=["cid", "bob"])))[0] == {"p": "p:cid:0"}


@pytest.mark.parametrize(
    ("text", "chinese"),
    [
        ("你好,世界!", True),
        ("hello", False),
        ("123 + 4 = 127", False),
        ("用 Python 写", False),
        ("用 Go 写一个程序", True),
    ],
)
def test_chinese_answers_are_told_by_the_share_of_chinese_characters(text: str, chinese: bool) -> None:
    assert is_mostly_chinese(text, 0.5) is chinese


def test_margin_of_a_pair_is_in_rm_scores_even_with_points() -> None:
    def candidate(row: int, rm_score: float, points: float) -> Candidate:
        return Candidate(row, "ann", rm_score, rm_score + points, row)

    assert Pair(candidate(0, 0.3, 2.0), candidate(1, 0.2, 0.0)).margin == pytest.approx(0.1)
