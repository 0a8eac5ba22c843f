"""Scores that others have published come out of their judged outputs; see each data set's own public repository.

Each file is scored as it is, and then changed in a way that other published files are: rows missing, twice, in another
order, without a preference, with the sides exchanged.
"""

import csv
import json
import math
import random
from pathlib import Path
from typing import Any

import pytest

from evaluation.battles import battles_of, bradley_terry, closed_form, extract_label
from evaluation.benchmarks import align_bench, alpaca_eval_2, arena_hard, livecodebench_2408_2411, mt_bench
from evaluation.benchmarks.livecodebench_2408_2411 import in_window
from evaluation.contest_programs import first_fenced_block
from evaluation.length_control import plain_win_rate
from evaluation.livebench_means import category_means, judgment_means, table_means
from evaluation.maths_protocol import grade
from evaluation.published_battles import against, battles_of_row, joint_fit, published_rates
from evaluation.ratings import extract_rating
from fusechat.errors import BadInput

BASELINE = "claude-3-haiku-20240307"


def lines_of(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


@pytest.fixture(scope="module")
def annotations(reference_data: Path) -> list[dict[str, Any]]:
    path = reference_data / "alpaca_eval" / "FuseChat-Llama-3.2-1B-Instruct.annotations.json"
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def gamed(reference_data: Path) -> list[dict[str, str]]:
    with (reference_data / "alpaca_eval" / "df_gamed.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_alpaca_eval_gives_the_leaderboards_length_controlled_win_rate(
    annotations: list[dict[str, Any]], gamed: list[dict[str, str]]
) -> None:
    score = alpaca_eval_2.score_published(annotations, gamed)
    assert score.length_controlled == pytest.approx(25.271, abs=0.05)
    assert score.win_rate == pytest.approx(29.922, abs=0.001)
    assert (score.n, score.n_missing, score.is_final) == (805, 0, True)
    # The order of the rows, doubled rows and exchanged sides change nothing where the instructions' order is known.
    order = [row["instruction"] for row in annotations]
    others = [turned(row) if number % 3 == 0 else row for number, row in enumerate(annotations)]
    others = [*others, *others[:7]]
    random.Random(0).shuffle(others)
    assert alpaca_eval_2.score_published(others, gamed, order) == score


def turned(row: dict[str, Any]) -> dict[str, Any]:
    """The same judgment with the baseline as the second generator."""
    return {
        **row, "output_1": row["output_2"], "output_2": row["output_1"], "generator_1": row["generator_2"],
        "generator_2": row["generator_1"], "preference": 3 - row["preference"],
    }  # fmt: skip


def test_alpaca_eval_rows_without_a_preference_are_left_out_and_the_run_is_not_final(
    annotations: list[dict[str, Any]], gamed: list[dict[str, str]]
) -> None:
    order = [row["instruction"] for row in annotations]
    holes = [
        {**row, "preference": [None, math.nan][n % 2]} if n < 6 else row for n, row in enumerate(annotations)
    ]
    score = alpaca_eval_2.score_published(holes, gamed)
    assert (score.n, score.n_missing, score.is_final) == (799, 6, False)
    assert score.win_rate == pytest.approx(100 * sum(row["preference"] - 1 for row in annotations[6:]) / 799)
    assert score.length_controlled == pytest.approx(25.271, abs=1.0)
    # Rows that are not there at all are missing in the same way.
    assert alpaca_eval_2.score_published(annotations[6:], gamed, order) == score
    with pytest.raises(BadInput, match="799 of 805 instructions"):
        alpaca_eval_2.score_published(annotations[6:], gamed)


def test_annotations_of_other_instructions_and_impossible_preferences_are_refused(
    annotations: list[dict[str, Any]], gamed: list[dict[str, str]]
) -> None:
    order = [row["instruction"] for row in annotations]
    with pytest.raises(BadInput, match="no known instruction"):
        alpaca_eval_2.score_published([{**annotations[0], "instruction": "Another."}], gamed, order)
    with pytest.raises(BadInput, match="from 1 to 2"):
        alpaca_eval_2.score_published([{**annotations[0], "preference": 7}, *annotations[1:]], gamed)
    with pytest.raises(BadInput, match="0 of 805 preferences"):
        alpaca_eval_2.score_published([{**row, "preference": None} for row in annotations], gamed)


def test_a_stored_zero_is_a_tie_and_a_missing_preference_is_left_out() -> None:
    """Preferences 2, 0 (a tie, 1.5) and 1: shares 100, 50, 0, mean 50."""
    rate = plain_win_rate([2.0, 0, None, 1.0, float("nan")])
    assert (rate.value, rate.n) == (50.0, 3)


def test_arena_hard_battles_give_the_known_win_rates_by_all_formulas(reference_data: Path) -> None:
    rows = lines_of(reference_data / "arena_hard" / "battles.jsonl")
    expected = {
        "claude-3-5-sonnet-20240620": 88.695, "gpt-4o": 86.823, "gpt-4o-mini": 80.057, "claude-3-opus-20240229": 75.973,
    }  # fmt: skip
    rates = arena_hard.score_published(rows)
    assert list(rates) == list(expected)  # best first
    battles = [battle for row in rows for battle in battles_of_row(row)]
    joint = joint_fit(battles, BASELINE)
    for name, value in expected.items():
        assert rates[name].value == pytest.approx(value, abs=0.001)
        assert rates[name].interval_95[0] < value < rates[name].interval_95[1]
        won = against(name, BASELINE, battles)
        assert closed_form(won) == pytest.approx(value, abs=0.001)
        assert bradley_terry(won) == pytest.approx(value, abs=0.001)
        assert joint[name] == pytest.approx(value, abs=0.01)
    assert sum(rate.battles for rate in rates.values()) == len(rows) == 2136


def test_battles_may_have_the_sides_exchanged_and_winners_by_name_or_label(reference_data: Path) -> None:
    rows = lines_of(reference_data / "arena_hard" / "battles.jsonl")
    exchanged = {"model_a": "model_b", "model_b": "model_a"}
    words = {"model_a": "A>B", "model_b": "B>A", "tie": "A=B"}
    others = []
    for number, row in enumerate(rows):
        a, b, winner = row["model_a"], row["model_b"], row["winner"]
        others.append(
            [
                {**row, "model_a": b, "model_b": a, "winner": exchanged.get(winner, winner)},
                {**row, "winner": {"model_a": a, "model_b": b}.get(winner, "tie (bothbad)")},
                {**row, "winner": words[winner]},
            ][number % 3]
        )
    others += [{**rows[0], "winner": winner} for winner in ("A<B", None, "", "error")]
    ours, theirs = arena_hard.score_published(others, BASELINE), arena_hard.score_published(rows)
    assert {name: rate.value for name, rate in ours.items()} == {
        name: rate.value for name, rate in theirs.items()
    }


def test_models_that_met_each_other_are_rated_together() -> None:
    """b beats the base 3 to 1 (odds 3), c beats b 2 to 1 (odds 2) and never met the base: odds 6, 100 * 6 / 7 = 85.714."""
    rows = [{"model_a": "base", "model_b": "b", "winner": winner} for winner in ["model_b"] * 3 + ["model_a"]]
    rows += [{"model_a": "c", "model_b": "b", "winner": winner} for winner in ["model_a"] * 2 + ["model_b"]]
    rates = published_rates(rows, "base")
    assert rates["b"].value == pytest.approx(75, abs=0.01)
    assert rates["c"].value == pytest.approx(85.714, abs=0.01)
    with pytest.raises(BadInput, match="name the baseline"):
        published_rates([*rows, {"model_a": "base", "model_b": "c", "winner": "tie"}])
    with pytest.raises(BadInput, match="is in no battle"):
        published_rates(rows, "d")
    with pytest.raises(BadInput, match="no battle has a winner"):
        published_rates([{"model_a": "base", "model_b": "b", "winner": None}])


def test_arena_hard_judgments_are_two_games_a_question() -> None:
    """q1: B>>A as B (3 wins), A=B (a tie); q2 comes twice, the later counts: A>B as B (a loss), no label. 3.5 of 5."""
    early = {"model": "m", "question_id": "q2", "games": [{"score": "B>>A"}, {"score": "A>>B"}]}
    first = {"model": "m", "question_id": "q1", "games": [{"score": "B>>A"}, {"judgment": "So [[A=B]]."}]}
    later = {**early, "games": [{"score": "A>B"}, {"score": None}]}
    rate = arena_hard.score_judgments([early, first, later])["m"]
    assert rate.value == pytest.approx(70) and rate.battles == 5


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
    rows = lines_of(reference_data / "mt_bench" / "gpt-4_single.jsonl")
    assert len(rows) == 800
    for row in rows:
        rating = extract_rating(row["judgment"])
        assert (-1 if rating is None else rating) == row["score"]
    means = mt_bench.score_published(rows)
    assert len(means) == 5
    assert means["llama2_chat_7b"]["turn 1"] == pytest.approx(6.7062, abs=5e-5)
    assert means["llama2_chat_7b"]["turn 2"] == pytest.approx(5.6750, abs=5e-5)
    assert means["llama2_chat_7b"]["all turns"] == pytest.approx(6.1906, abs=5e-5)
    # Without the texts the stored scores give the same.
    stored = [{name: value for name, value in row.items() if name != "judgment"} for row in rows]
    assert mt_bench.score_published(stored) == means


def test_mt_bench_leaves_out_judgments_without_a_rating_and_means_what_is_there() -> None:
    """Writing (81) 8 and none; maths (111) 4 and 6: mean 6, turn 1 (8 + 4) / 2, turn 2 6."""
    rows = [
        {"model": "m", "question_id": 81, "turn": 1, "judgment": "[[8]]", "score": 8},
        {"model": "m", "question_id": 81, "turn": 2, "judgment": "I will not rate it.", "score": -1},
        {"model": "m", "question_id": 111, "turn": 1, "score": 4},
        {"model": "m", "question_id": 111, "turn": 2, "judgment": None, "score": 6},
        {"model": "n", "question_id": 81, "turn": 1, "judgment": "", "score": -1},
        {"model": "m", "question_id": 82, "turn": 1, "score": -1},
    ]
    means = mt_bench.score_published(rows)
    assert means == {
        "m": {
            "all turns": 6, "turn 1": 6, "turn 2": 6, "category: writing": 8, "category: math": 5,
            "texts without a rating": 2,
        }
    }  # fmt: skip


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


def align_row(question: int, category: str, judgment: str | None, score: float = -1) -> dict[str, Any]:
    """A row as AlignBench's judge.py writes it."""
    return {
        "question_id": question, "category": category, "subcategory": "s", "question": "q", "reference": "r", "answer": "a",
        "model_id": "m", "dimensions": [], "judge_prompt": "p", "judgment": judgment, "rating": {}, "score": score,
    }  # fmt: skip


def test_align_bench_judgments_give_the_mean_of_two_halves() -> None:
    """Maths 4, logic 8: reasoning 6. Writing 8 and 6, roles 5: language (7 + 5) / 2 = 6. One text without a rating: left
    out, or as -1: roles (5 - 1) / 2 = 2, language 4.5, in all 5.25. The row of question 1 stands twice; the later counts."""
    rows = [
        align_row(1, "数学计算", "{'综合得分': 9}", 9),
        align_row(2, "逻辑推理", None, 8),
        align_row(3, "文本写作", "{'事实正确性': 1} {'事实正确性': 9, '综合得分': 8}"),
        align_row(4, "文本写作", "so '综合得分': 6.0"),
        align_row(5, "角色扮演", "{'综合得分': 5}"),
        align_row(6, "角色扮演", "{“综合得分”：7}"),
        align_row(1, "数学计算", "{'综合得分': 4}", 4),
    ]
    expected = {
        "overall": 6, "half: reasoning": 6, "half: language": 6, "category: 数学计算": 4, "category: 逻辑推理": 8,
        "category: 文本写作": 7, "category: 角色扮演": 5, "texts without a rating": 1,
    }  # fmt: skip
    assert align_bench.score_published(rows) == {"m": expected}
    low = align_bench.score_published(rows, minus_one=True)["m"]
    assert (low["category: 角色扮演"], low["half: language"], low["overall"]) == (2, 4.5, 5.25)
    bare = [{name: value for name, value in row.items() if name != "category"} for row in rows]
    categories = {row["question_id"]: row["category"] for row in rows}
    assert align_bench.score_published(bare, categories) == {"m": expected}
    with pytest.raises(BadInput, match="question 1 has no category"):
        align_bench.score_published(bare)


def test_published_maths_solutions_are_graded_as_they_were(reference_data: Path) -> None:
    """Ten of the hundred problems here; all of them in the tests of the maths check itself."""
    rows = lines_of(reference_data / "math" / "math_cot_100.jsonl")[::10]
    solutions = [((row["idx"], k), text, row["gt"]) for row in rows for k, text in enumerate(row["code"])]
    grades = grade(solutions, workers=2)
    stored = {
        (row["idx"], k): (row["pred"][k], row["score"][k]) for row in rows for k in range(len(row["code"]))
    }
    assert len(stored) == 80
    assert {key: (one.extracted, one.correct) for key, one in grades.items()} == stored


def test_live_code_bench_window_and_pass_rate_are_the_published_ones(reference_data: Path) -> None:
    rows = json.loads(
        (reference_data / "livecodebench" / "o1_mini_submission.json").read_text(encoding="utf-8")
    )
    assert sum(in_window(row["contest_date"]) for row in rows) == 223
    score = livecodebench_2408_2411.score_published([*rows, *rows[-5:]])
    assert score["pass@1"] == pytest.approx(52.018, abs=0.001) and score["problems"] == 223
    by_month = [
        livecodebench_2408_2411.score_published(rows, f"2024-{month}-01", f"2024-{month}-31")["problems"]
        for month in ("08", "09", "10", "11")
    ]
    assert by_month == [66, 47, 53, 57]
    for row in rows:
        assert [first_fenced_block(text) for text in row["output_list"]] == row["code_list"]
    with pytest.raises(BadInput, match="no problem from"):
        livecodebench_2408_2411.score_published(rows, "2030-01-01", "2030-12-31")


def test_a_submission_counts_the_share_of_its_samples() -> None:
    """Two of four samples right on the easy problem, none on the hard one: 50 and 0, 25 in all."""
    rows: list[dict[str, Any]] = [
        {"question_id": "a", "contest_date": "2024-08-01", "difficulty": "easy", "graded_list": [True, False, True, False]},
        {"question_id": "b", "contest_date": "2024-11-30T23:00:00", "difficulty": "hard", "graded_list": [], "pass@1": 0.0},
    ]  # fmt: skip
    assert livecodebench_2408_2411.score_published(rows) == {
        "difficulty: easy": 50, "difficulty: hard": 0, "pass@1": 25, "problems": 2,
    }  # fmt: skip


def test_live_bench_means_are_those_of_the_public_table(reference_data: Path) -> None:
    folder = reference_data / "livebench"
    with (folder / "table_2024_08_31.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    means = table_means(rows)
    assert len(means) == 59
    (name,) = [name for name in means if "llama-3.1-8b" in name and "turbo" in name]
    found = means[name]
    assert found is not None
    assert [round(value, 2) for value in found[0].values()] == [15.33, 19.74, 16.61, 32.15, 20.05, 56.53]
    assert found[1] == pytest.approx(26.74, abs=0.01)
    published = json.loads((folder / "categories_2024_08_31.json").read_text(encoding="utf-8"))
    by_published = table_means(rows, published)[name]
    assert by_published is not None and by_published[1] == pytest.approx(found[1])
    assert set(by_published[0]) == set(published)


def test_a_table_row_with_an_empty_cell_has_no_mean_and_one_without_a_number_is_named() -> None:
    categories = {"one": ["a", "b"], "two": ["c"]}
    rows = [{"model": "m", "a": "10", "b": "20", "c": "45"}, {"model": "n", "a": "1", "b": "", "c": "nan"}]
    assert table_means(rows, categories) == {"m": ({"one": 15, "two": 45}, 30), "n": None}
    with pytest.raises(BadInput, match="model m"):
        table_means([{**rows[0], "c": "high"}], categories)
    with pytest.raises(BadInput, match="task b"):
        category_means({"a": 1.0, "c": 2.0}, categories)


def test_published_judgments_count_once_the_later_row() -> None:
    """Task a: 1 and 0 (its first row of q2 is older), task c: 0.5. One: 50, two: 50."""
    rows = [
        {"question_id": q, "model": "m", "task": task, "score": score}
        for q, task, score in [("q1", "a", 1), ("q2", "a", 1), ("q2", "a", 0), ("q3", "c", 0.5)]
    ]
    assert judgment_means(rows, {"one": ["a"], "two": ["c"]}) == {"m": ({"one": 50, "two": 50}, 50)}
