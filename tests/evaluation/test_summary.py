"""Means, standard errors and paired differences, against numbers worked out by hand."""

import pytest

from evaluation.benchmark import ItemScore
from evaluation.report_figures import report_average, report_columns
from evaluation.summary import mean_summary, paired_difference
from evaluation.tables import latex_table, markdown_table


def scores(*values: float | None, **groups: str) -> list[ItemScore]:
    return [ItemScore(f"i{index}", value, groups=dict(groups)) for index, value in enumerate(values)]


def test_a_share_of_one_half_of_four_has_the_standard_error_of_its_sample() -> None:
    """Values 1, 1, 0, 0: mean 0.5, sample variance 4 * 0.25 / 3 = 1/3, standard error sqrt(1/3 / 4) = 0.288675."""
    summary = mean_summary(scores(1, 1, 0, 0, subject="law"), 100)
    assert summary.score == 50
    assert summary.standard_error == pytest.approx(28.8675, abs=1e-4)
    assert summary.breakdown == {"subject: law": 50}


def test_the_paired_difference_takes_the_items_difficulty_out() -> None:
    """Differences 1, 0, 0, 0: mean 25, sample sd 0.5, so the half-width is 1.959964 * 0.5 / 2 * 100 = 48.999."""
    difference = paired_difference(scores(1, 1, 0, 0), scores(0, 1, 0, 0), 100)
    assert difference is not None
    assert difference["difference"] == 25
    assert difference["interval_95"] == pytest.approx([-23.999, 73.999], abs=1e-3)
    assert difference["more_than_noise"] is False and difference["n"] == 4


def test_a_difference_on_every_item_is_more_than_noise() -> None:
    difference = paired_difference(scores(*[1] * 9, 0), scores(*[0] * 10), 100)
    assert difference is not None and difference["more_than_noise"] is True


def test_missing_items_are_left_out_of_the_pairs() -> None:
    difference = paired_difference(scores(1, None, 1), scores(0, 1, 0), 100)
    assert difference is not None and difference["n"] == 2


def test_an_incomplete_benchmark_shows_no_score_in_the_table() -> None:
    entry = {"score": None, "n": 4, "n_missing": 1, "standard_error": None, "complete": False}
    table = markdown_table({"models": ["m"], "benchmarks": {"x": {"title": "X", "models": {"m": entry}}}})
    assert "incomplete (1 missing)" in table


def test_the_reports_average_is_the_plain_mean_of_its_14_rows() -> None:
    """The report's own average row for Llama: 40.486 before, 47.264 at the end."""
    columns = report_columns("llama")
    assert report_average(columns["report base"]) == pytest.approx(40.486, abs=5e-4)
    assert report_average(columns["report final"]) == pytest.approx(47.264, abs=5e-4)


def test_the_reports_figures_stand_beside_ones_own_in_both_tables() -> None:
    entry = {"score": 81.25, "n": 4, "n_missing": 0, "standard_error": 1.5, "complete": True}
    results = {
        "models": ["my_model"],
        "benchmarks": {"gsm8k": {"title": "GSM8K", "models": {"my_model": entry}}},
        "compare_report": "llama",
    }
    assert "| GSM8K | 4 | 81.2 ± 1.5 | 85.9 | 87.0 | 88.0 |" in markdown_table(results)
    assert r"GSM8K & 4 & 81.2 $\pm$ 1.5 & 85.9 & 87.0 & 88.0 \\" in latex_table(results)
    assert r"my\_model" in latex_table(results)
