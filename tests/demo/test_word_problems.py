"""The generator of word problems: right answers, disjoint parts, the same problems for the same seed."""

import re
from typing import get_args

import pytest

from demo.word_problem_families import FAMILIES
from demo.word_problems import Difficulty, generate, part_of, problem_key


def numbers_in(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", text)]


def test_there_are_at_least_eight_families_of_one_and_two_steps_with_several_wordings() -> None:
    assert len({family.name for family in FAMILIES}) == len(FAMILIES) >= 8
    assert {family.steps for family in FAMILIES} == {1, 2}
    assert all(len(set(family.wordings)) >= 3 for family in FAMILIES)


@pytest.mark.parametrize(
    ("family", "numbers", "answer"),
    [
        ("gain", (5, 6), 11),
        ("loss", (9, 4), 5),
        ("groups", (3, 8), 24),
        ("share", (24, 6), 4),
        ("more_than", (7, 2), 9),
        ("difference", (10, 3), 7),
        ("fewer_than", (12, 5), 7),
        ("cost", (4, 9), 36),
        ("age", (8, 11), 19),
        ("gain_then_loss", (6, 4, 3), 7),
        ("three_sum", (2, 5, 8), 15),
        ("groups_and_extra", (3, 5, 4), 19),
        ("pair_total", (5, 2), 12),
    ],
)
def test_the_answer_of_a_family_is_what_a_person_works_out(
    family: str, numbers: tuple[int, ...], answer: int
) -> None:
    by_name = {family.name: family for family in FAMILIES}
    assert by_name[family].answer(*numbers) == answer


def test_every_family_has_a_worked_example_above() -> None:
    marks = test_the_answer_of_a_family_is_what_a_person_works_out.pytestmark  # type: ignore[attr-defined]
    worked = {row[0] for mark in marks if mark.name == "parametrize" for row in mark.args[1]}
    assert worked == {family.name for family in FAMILIES}


@pytest.mark.parametrize("difficulty", get_args(Difficulty))
def test_no_held_out_problem_shares_family_and_numbers_or_text_with_a_training_problem(
    difficulty: Difficulty,
) -> None:
    training = [
        problem for seed in range(5) for problem in generate(FAMILIES, "training", 160, difficulty, seed)
    ]
    heldout = [
        problem for seed in range(5) for problem in generate(FAMILIES, "heldout", 200, difficulty, seed)
    ]
    assert not {(p.family, p.numbers) for p in training} & {(p.family, p.numbers) for p in heldout}
    # 3 boxes of 8 against 8 boxes of 3 is no new problem either
    assert not {(p.family, *sorted(p.numbers)) for p in training} & {
        (p.family, *sorted(p.numbers)) for p in heldout
    }
    assert not {p.text for p in training} & {p.text for p in heldout}


def test_the_development_problems_share_no_numbers_with_the_held_out_ones() -> None:
    development = {problem.key for problem in generate(FAMILIES, "development", 200, "easy", 1)}
    heldout = {problem.key for problem in generate(FAMILIES, "heldout", 200, "easy", 0)}
    assert development and heldout and not development & heldout


def test_all_texts_are_different_and_hold_their_numbers() -> None:
    problems = generate(FAMILIES, "heldout", 200, "easy", 3)
    assert len({problem.text for problem in problems}) == 200
    for problem in problems:
        assert sorted(numbers_in(problem.text)) == sorted(problem.numbers), problem.text
        assert "{" not in problem.text
        assert problem.text.endswith("?")


def test_answers_are_positive_whole_numbers_at_every_difficulty() -> None:
    for difficulty in get_args(Difficulty):
        for problem in generate(FAMILIES, "training", 260, difficulty, 11):
            assert isinstance(problem.answer, int)
            assert problem.answer > 0, problem.text


def test_numbers_grow_with_the_difficulty() -> None:
    largest = [
        max(max(problem.numbers) for problem in generate(FAMILIES, "training", 130, difficulty, 0))
        for difficulty in ("easy", "medium", "hard")
    ]
    assert largest[0] < largest[1] < largest[2]


def test_the_same_seed_gives_the_same_problems_and_another_seed_others() -> None:
    first = [problem.text for problem in generate(FAMILIES, "training", 40, "easy", 0)]
    assert first == [problem.text for problem in generate(FAMILIES, "training", 40, "easy", 0)]
    assert first != [problem.text for problem in generate(FAMILIES, "training", 40, "easy", 1)]


def test_asking_for_more_problems_keeps_the_first_ones() -> None:
    few = generate(FAMILIES, "training", 20, "easy", 0)
    assert generate(FAMILIES, "training", 60, "easy", 0)[:20] == few


def test_a_family_without_new_numbers_is_named() -> None:
    with pytest.raises(ValueError, match="family share: no new problem"):
        share = next(family for family in FAMILIES if family.name == "share")
        one = type(share)(share.name, 1, lambda rng, limits: (4, 2), share.answer, ("Only {a} and {b}.",))
        # (4, 2) belongs to one part; a second problem with the same text cannot be made there
        generate((one,), part_of(problem_key("share", (4, 2))), 2, "easy", 0)
