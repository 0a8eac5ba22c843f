"""IFEval's 25 checks, each on an answer that keeps the instruction and on one that does not, worked out by hand."""

from typing import Any

import pytest

from evaluation.livebench.instruction_following import CHECKS, follows, score_instructions
from fusechat.errors import BadInput

ENGLISH = "This is a long enough sentence in plain English that nobody could take for another language"
KEPT_AND_NOT: list[tuple[str, dict[str, Any], str, str]] = [
    ("keywords:existence", {"keywords": ["sea", "Sun"]}, "The SEA under the sun.", "The sea."),
    ("keywords:frequency", {"keyword": "sea", "frequency": 2, "relation": "at least"}, "Sea, sea.", "One sea."),
    ("keywords:frequency", {"keyword": "sea", "frequency": 2, "relation": "less than"}, "One sea.", "Sea, sea."),
    ("keywords:forbidden_words", {"forbidden_words": ["sea"]}, "The seaside.", "The Sea!"),
    ("keywords:letter_frequency", {"letter": "a", "let_frequency": 3, "let_relation": "at least"}, "Aaa", "Aa"),
    ("keywords:letter_frequency", {"letter": "a", "let_frequency": 3, "let_relation": "less than"}, "Aa", "Aaa"),
    ("language:response_language", {"language": "de"}, "Das ist ein ganz gewöhnlicher deutscher Satz.", ENGLISH),
    (
        "length_constraints:number_sentences", {"num_sentences": 2, "relation": "at least"},
        "Dr. Smith went home. He was tired.", "Dr. Smith met Mr. Jones.",
    ),
    ("length_constraints:number_sentences", {"num_sentences": 2, "relation": "less than"}, "One.", "One. Two."),
    ("length_constraints:number_paragraphs", {"num_paragraphs": 2}, "one\n***\ntwo\n***", "one\n\ntwo"),
    ("length_constraints:number_paragraphs", {"num_paragraphs": 2}, "one *** two", "one *** *** two"),
    ("length_constraints:number_words", {"num_words": 3, "relation": "at least"}, "well-known man", "two words"),
    ("length_constraints:number_words", {"num_words": 3, "relation": "less than"}, "two words", "one two three"),
    (
        "length_constraints:nth_paragraph_first_word", {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "sea"},
        "One.\n\n\"Sea!\" he said.", "One.\n\nThe sea.",
    ),
    (
        "length_constraints:nth_paragraph_first_word", {"num_paragraphs": 2, "nth_paragraph": 1, "first_word": "one"},
        "One.\n\nTwo.", "One.\n\nTwo.\n\nThree.",
    ),
    ("detectable_content:number_placeholders", {"num_placeholders": 2}, "[name] at [place]", "[name] at home"),
    ("detectable_content:postscript", {"postscript_marker": "P.S."}, "Bye.\np. s. more", "Bye. PS more"),
    ("detectable_content:postscript", {"postscript_marker": "P.P.S"}, "Bye.\nP.P.S. more", "Bye.\nP.S. more"),
    ("detectable_format:number_bullet_lists", {"num_bullets": 2}, "* one\n - two", "* one\n** two"),
    ("detectable_format:constrained_response", {}, "Well: My answer is maybe.", "Maybe."),
    ("detectable_format:number_highlighted_sections", {"num_highlights": 2}, "*one* and *two*", "*one* and * *"),
    (
        "detectable_format:multiple_sections", {"section_spliter": "Section", "num_sections": 2},
        "Section 1\na\nSection 2\nb", "Section 1\na\nSection two\nb",
    ),
    ("detectable_format:json_format", {}, '```json\n{"a": [1]}\n```', '{"a": 1'),
    ("detectable_format:title", {}, "<<A title>>\ntext", "<< >>\ntext"),
    ("combination:two_responses", {}, "one\n******\ntwo", "one\n******\none"),
    ("combination:two_responses", {}, "one ****** two", "one ****** two ****** three"),
    ("combination:repeat_prompt", {"prompt_to_repeat": "Say It."}, "say it. Done.", "Done: say it."),
    ("startend:end_checker", {"end_phrase": "Any more questions?"}, 'Hi. "any more questions?"', "Any more questions? No."),
    ("startend:quotation", {}, ' "all of it" ', '"half" of it'),
    (
        "change_case:capital_word_frequency", {"capital_frequency": 2, "capital_relation": "at least"},
        "NASA and the WELL-KNOWN man", "NASA and Nasa",
    ),
    ("change_case:capital_word_frequency", {"capital_frequency": 1, "capital_relation": "less than"}, "none", "ONE"),
    ("change_case:english_capital", {}, ENGLISH.upper(), ENGLISH),
    ("change_case:english_lowercase", {}, ENGLISH.lower(), "das ist ein ganz gewöhnlicher deutscher satz."),
    ("punctuation:no_comma", {}, "one and two", "one, two"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "settings", "kept", "broken"), KEPT_AND_NOT)
def test_an_instruction_is_kept_or_not(name: str, settings: dict[str, Any], kept: str, broken: str) -> None:
    assert follows(name, settings, "the prompt", kept)
    assert not follows(name, settings, "the prompt", broken)
    assert not follows(name, settings, "the prompt", " \n")


def test_every_instruction_is_tried_here() -> None:
    assert {name for name, *_ in KEPT_AND_NOT} == set(CHECKS) and len(CHECKS) == 25


def test_the_score_is_half_for_all_and_half_for_the_share() -> None:
    """Three instructions: all kept is 1; two of three are (0 + 2/3) / 2 = 1/3; none is 0."""
    names = ["punctuation:no_comma", "startend:quotation", "detectable_format:title"]
    assert score_instructions(names, [{}, {}, {}], "p", '"<<T>> one"') == (1.0, [True, True, True])
    score, kept = score_instructions(names, [None, {}, {}], "p", "<<T>> one")
    assert score == pytest.approx(1 / 3) and kept == [True, False, True]
    assert score_instructions(names, [{}, {}, {}], "p", "")[0] == 0


def test_settings_of_other_instructions_are_empty_and_do_not_count() -> None:
    settings = {"num_words": 2, "relation": "at least", "keywords": None, "language": None}
    assert follows("length_constraints:number_words", settings, "p", "two words")
    assert follows("combination:repeat_prompt", {"keywords": None}, "Say it.", "Say it. Yes.")


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("made:up", {}, "not one of IFEval's"),
        ("length_constraints:number_words", {"relation": "at least"}, "do not fit"),
        ("length_constraints:number_words", {"num_words": 2, "relation": "about"}, "relation 'about'"),
        ("keywords:existence", {"keywords": ["(c"]}, "do not fit"),
    ],
)
def test_unknown_instructions_and_settings_are_refused(
    name: str, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(BadInput, match=message):
        follows(name, settings, "p", "an answer")


def test_the_language_is_told_the_same_way_each_time() -> None:
    text = "Ja. No. Si. Oui."
    assert len({follows("language:response_language", {"language": "it"}, "p", text) for _ in range(20)}) == 1
