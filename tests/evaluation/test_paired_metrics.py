"""Differences to the first model are those of the metric itself, not of the items' plain means."""

import random
from pathlib import Path
from typing import Any

import pytest
from benchmark_files import write_benchmark_files

from evaluation.benchmark import Item, ItemScore, load_benchmark
from evaluation.benchmarks import align_bench, alpaca_eval_2, arena_hard, mt_bench
from evaluation.dataset_files import Sources
from evaluation.results import Loaded, difference_of
from evaluation.summary import bootstrap_difference, paired_difference, ratio


def test_arena_hards_difference_weighs_battles() -> None:
    """Three wins and a tie on one prompt, two losses on the other: 3.5 of 6, 58.33. Ties alone: 50. The difference is
    +8.33, where the mean over prompts would say (0.875 + 0) / 2 - 0.5 = -6.25 points."""

    def scored(*battles: list[str]) -> list[ItemScore]:
        return [ItemScore(f"q{n}", None, {"labels": [], "battles": won}) for n, won in enumerate(battles)]

    ours = scored(["model"] * 3 + ["tie"], ["baseline"] * 2)
    theirs = scored(["tie"] * 2, ["tie"] * 2)
    difference = arena_hard.paired(ours, theirs, [])
    assert difference is None  # no item, no difference
    items = [Item("q0", ()), Item("q1", ())]
    difference = arena_hard.paired(ours, theirs, items)
    assert difference is not None and difference["difference"] == pytest.approx(100 * 3.5 / 6 - 50)
    # Drawn again: the first prompt twice (87.5), the second twice (0), or one of each.
    assert difference["interval_95"] == pytest.approx([-50, 37.5]) and not difference["more_than_noise"]


def test_mt_benchs_difference_is_over_all_ratings() -> None:
    """Ratings 8, none, 4, 6: mean 6. All ratings 5: the difference is 1, not (8 + 5) / 2 - 5 = 1.5."""

    def scored(*ratings: list[float | None]) -> list[ItemScore]:
        return [ItemScore(f"q{n}", None, {"ratings": pair}) for n, pair in enumerate(ratings)]

    items = [Item("q0", ()), Item("q1", ())]
    difference = mt_bench.paired(scored([8, None], [4, 6]), scored([5, 5], [5, 5]), items)
    assert difference is not None and difference["difference"] == pytest.approx(1.0)


def test_align_benchs_difference_gives_reasoning_half_of_the_weight() -> None:
    """Maths gains 2, writing 0, understanding 4: (2 + (0 + 4) / 2) / 2 = 2; over the seven questions it would be 16 / 7."""
    gains = {"数学计算": (0.2, 0.2), "文本写作": (0.0, 0.0), "中文理解": (0.4, 0.4, 0.4)}
    ours, theirs = [], []
    for category, values in gains.items():
        for number, gain in enumerate(values):
            groups = align_bench.groups_of(category)
            key = f"{category}{number}"
            theirs.append(ItemScore(key, 0.3, groups=groups))
            ours.append(ItemScore(key, 0.3 + gain, groups=groups))
    one = Loaded("align_bench", load_benchmark("align_bench"), [])
    difference = difference_of(one, ours, theirs)
    assert difference is not None and difference["difference"] == pytest.approx(2.0)


def test_alpaca_evals_difference_is_that_of_the_controlled_win_rates(tmp_path: Path) -> None:
    """The same preferences for answers of other lengths: plain win rates are equal, the controlled ones are not."""
    items = alpaca_eval_2.load(Sources(data_root=write_benchmark_files(tmp_path)))
    dice = random.Random(0)
    preferences = [dice.uniform(1.2, 1.9) for _ in items]

    def scored(lengths: list[int]) -> list[ItemScore]:
        return [
            ItemScore(item.item_id, preference - 1, {"preference": preference, "length": length})
            for item, preference, length in zip(items, preferences, lengths, strict=True)
        ]

    long = scored([round(40 + 400 * (preference - 1)) for preference in preferences])
    short = scored([12] * len(items))
    rates = [alpaca_eval_2.summarise(scores, items).score for scores in (long, short)]
    difference = alpaca_eval_2.paired(long, short, items)
    assert difference is not None and abs(rates[0] - rates[1]) > 0.5
    assert difference["difference"] == pytest.approx(rates[0] - rates[1])
    assert difference["interval_95"][0] < difference["difference"] < difference["interval_95"][1]
    assert paired_difference(long, short, 100)["difference"] == 0  # type: ignore[index]
    same = alpaca_eval_2.paired(long, long, items)
    assert same is not None and same["interval_95"] == [0, 0] and not same["more_than_noise"]


def test_drawing_items_again_agrees_with_the_normal_interval_of_a_plain_mean() -> None:
    dice = random.Random(3)
    ours, theirs = ([ItemScore(f"i{n}", dice.random() ** power) for n in range(400)] for power in (1, 2))

    def rate(scores: list[ItemScore]) -> Any:
        return ratio([score.score or 0.0 for score in scores], [1] * len(scores), 100)

    drawn = bootstrap_difference(rate(ours), rate(theirs), 400)
    normal = paired_difference(ours, theirs, 100)
    assert drawn is not None and normal is not None
    assert drawn["difference"] == pytest.approx(normal["difference"])
    assert drawn["interval_95"] == pytest.approx(normal["interval_95"], abs=0.6)
    assert drawn["more_than_noise"] is normal["more_than_noise"] is True
