"""Scores that others have published come out of their judged outputs; see each data set's own public repository."""

import csv
import json
from pathlib import Path

import pytest

from evaluation.battles import Winner, battles_of, bradley_terry, closed_form, extract_label, win_rate
from evaluation.benchmarks.livecodebench_2408_2411 import in_window
from evaluation.contest_programs import first_fenced_block
from evaluation.length_control import gamed_rows, length_controlled_win_rate, plain_win_rate
from evaluation.livebench_means import category_means
from evaluation.ratings import extract_rating, means_by_turn


def test_alpaca_eval_gives_the_leaderboards_length_controlled_win_rate(reference_data: Path) -> None:
    folder = reference_data / "alpaca_eval"
    judged = json.loads(
        (folder / "FuseChat-Llama-3.2-1B-Instruct.annotations.json").read_text(encoding="utf-8")
    )
    with (folder / "df_gamed.csv").open(encoding="utf-8", newline="") as file:
        gamed = gamed_rows(list(csv.DictReader(file)))
    preferences = [row["preference"] for row in judged]
    lengths = [[len(row[name]) for row in judged] for name in ("output_1", "output_2")]
    rate, shares = length_controlled_win_rate(preferences, lengths[0], lengths[1], gamed)
    assert rate.value == pytest.approx(25.271, abs=0.05)
    assert len(shares) == 805
    assert plain_win_rate(preferences).value == pytest.approx(29.922, abs=0.001)


def test_a_stored_zero_is_a_tie_and_a_missing_preference_is_left_out() -> None:
    """Preferences 2, 0 (a tie, 1.5) and 1: shares 100, 50, 0, mean 50."""
    rate = plain_win_rate([2.0, 0, None, 1.0, float("nan")])
    assert (rate.value, rate.n) == (50.0, 3)


def test_arena_hard_battles_give_the_known_win_rates_by_both_formulas(reference_data: Path) -> None:
    lines = (reference_data / "arena_hard" / "battles.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    baseline = "claude-3-haiku-20240307"
    expected = {
        "claude-3-5-sonnet-20240620": 88.695, "gpt-4o": 86.823, "gpt-4o-mini": 80.057, "claude-3-opus": 75.973,
    }  # fmt: skip
    names = {name for row in rows for name in (row["model_a"], row["model_b"])} - {baseline}
    checked = 0
    for short, value in expected.items():
        (name,) = [name for name in names if name == short or (name.startswith(short + "-2"))]
        battles: list[Winner] = []
        for row in rows:
            if name in (row["model_a"], row["model_b"]):
                won = {"model_a": row["model_a"], "model_b": row["model_b"]}.get(row["winner"])
                battles.append("tie" if won is None else "model" if won == name else "baseline")
        assert closed_form(battles) == pytest.approx(value, abs=0.001)
        assert bradley_terry(battles) == pytest.approx(value, abs=0.001)
        low, high = win_rate(battles).interval_95
        assert low < value < high
        checked += len(battles)
    assert checked == len(rows) == 2136


@pytest.mark.parametrize(
    ("judgment", "label", "again"),
    [
        ("My final verdict is [[A>>B]].", "A>>B", False),
        ("[[A=B]] and again [[A=B]]", "A=B", False),
        ("[[A>B]] or [[B>A]]", None, False),
        ("no verdict [A>B]", None, True),
        ("", None, True),
    ],
)
def test_one_distinct_label_is_a_verdict(judgment: str, label: str | None, again: bool) -> None:
    assert extract_label(judgment) == (label, again)


def test_a_strong_verdict_counts_three_battles_and_an_unknown_label_none() -> None:
    assert battles_of("A>>B", "A") == ["model"] * 3
    assert battles_of("A>>B", "B") == ["baseline"] * 3
    assert battles_of("B>A", "B") == ["model"]
    assert battles_of("A=B", "A") == ["tie"]
    assert battles_of("A<B", "A") == battles_of(None, "A") == []


def test_mt_bench_ratings_equal_the_stored_ones(reference_data: Path) -> None:
    lines = (reference_data / "mt_bench" / "gpt-4_single.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    assert len(rows) == 800
    for row in rows:
        rating = extract_rating(row["judgment"])
        assert (-1 if rating is None else rating) == row["score"]
    llama = [
        (row["turn"], extract_rating(row["judgment"])) for row in rows if row["model"] == "llama2_chat_7b"
    ]
    means = means_by_turn(llama)
    assert means["turn 1"] == pytest.approx(6.7062, abs=5e-5)
    assert means["turn 2"] == pytest.approx(5.6750, abs=5e-5)
    assert means["all turns"] == pytest.approx(6.1906, abs=5e-5)


@pytest.mark.parametrize(
    ("judgment", "rating"),
    [
        ("Rating: [[8]]", 8.0),
        ("[[7.5]] not [[9]]", 7.5),
        ("Rating: [6]", 6.0),
        ("eight", None),
        ("[[x]]", None),
    ],
)
def test_ratings_stand_in_double_brackets_first(judgment: str, rating: float | None) -> None:
    assert extract_rating(judgment) == rating


def test_live_code_bench_window_and_pass_rate_are_the_published_ones(reference_data: Path) -> None:
    rows = json.loads(
        (reference_data / "livecodebench" / "o1_mini_submission.json").read_text(encoding="utf-8")
    )
    window = [row for row in rows if in_window(row["contest_date"])]
    assert len(window) == 223
    assert 100 * sum(row["pass@1"] for row in window) / len(window) == pytest.approx(52.018, abs=0.001)
    for row in rows:
        assert [first_fenced_block(text) for text in row["output_list"]] == row["code_list"]


def test_live_bench_means_are_those_of_the_public_table(reference_data: Path) -> None:
    folder = reference_data / "livebench"
    with (folder / "table_2024_08_31.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["model"]: row for row in csv.DictReader(file)}
    row = next(row for name, row in rows.items() if "llama-3.1-8b" in name and "turbo" in name)
    means, overall = category_means({name: float(value) for name, value in row.items() if name != "model"})
    assert [round(means[name], 2) for name in means] == [15.33, 19.74, 16.61, 32.15, 20.05, 56.53]
    assert overall == pytest.approx(26.74, abs=0.01)
    published = json.loads((folder / "categories_2024_08_31.json").read_text(encoding="utf-8"))
    tasks = {name: float(value) for name, value in row.items() if name != "model"}
    assert category_means(tasks, published)[1] == pytest.approx(overall)
