"""Constraints of the instruction prompts are judged as a person would."""

from typing import Any

import pytest

from demo.constraints import CHECKS, count_sentences, is_kept
from demo.make_prompts import FOLDER
from fusechat.command_line import read_yaml


@pytest.mark.parametrize(
    ("constraint", "kept", "broken"),
    [
        ({"kind": "sentences", "count": 2}, "It is green. Birds live there.", "It is green and calm."),
        ({"kind": "list_items", "count": 3}, "- a\n- b\n- c", "- a\n- b"),
        ({"kind": "list_items", "count": 2}, "Here:\n1. red\n2) blue", "red, blue"),
        ({"kind": "max_words", "count": 4}, "Honey, mostly from flowers", "Bees make honey and some wax"),
        ({"kind": "min_words", "count": 5}, "The sea was very calm", "The sea was calm"),
        ({"kind": "mentions", "words": ["roses", "fence"]}, "Roses grow on the fence.", "Roses grow."),
        ({"kind": "avoids", "words": ["pet"]}, "A cat has petals of fur.", "A cat is a pet."),
        ({"kind": "starts_with", "text": "yes|no"}, "No, it is not.", "Nothing is better."),
        ({"kind": "starts_with", "text": "first of all"}, "First of all, boil it.", "Boil it first of all."),
        ({"kind": "ends_with", "text": "?"}, "What do you like?", "What do you like? Tell me."),
        ({"kind": "ends_with", "text": "see you soon"}, "Come at six, see you soon.", "See you soon, Ann"),
        ({"kind": "lower_case"}, "blue is calm.", "Blue is calm."),
    ],
)
def test_each_kind_of_constraint_tells_kept_from_broken(
    constraint: dict[str, Any], kept: str, broken: str
) -> None:
    assert is_kept(constraint, kept)
    assert not is_kept(constraint, broken)


@pytest.mark.parametrize("kind", sorted(CHECKS))
def test_an_empty_answer_keeps_no_constraint(kind: str) -> None:
    assert not is_kept({"kind": kind, "count": 0, "words": [], "text": "x"}, " \n")


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("One. Two! Three?", 3),
        ("It costs 3.5 dollars.", 1),
        ("Wait... what?", 2),
        ('She said "go."', 1),
        ("One. And a loose end", 2),
        ("", 0),
    ],
)
def test_sentences_are_counted_by_their_ends(text: str, count: int) -> None:
    assert count_sentences(text) == count


def test_every_instruction_prompt_has_a_constraint_of_a_known_kind() -> None:
    prompts = read_yaml(FOLDER / "instruction_prompts.yaml")["prompts"]
    assert len(prompts) == 40
    assert len({prompt["text"] for prompt in prompts}) == 40
    for prompt in prompts:
        constraint = prompt["constraint"]
        assert isinstance(is_kept(constraint, "Some answer."), bool)
        words = constraint.get("words", [])
        assert words == [word.lower() for word in words], "compared with lower-case words"
