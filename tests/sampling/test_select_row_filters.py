"""What each dataset's row becomes: a prompt, or the reason why not."""

import pytest

from fusechat.records import Message, normalised_text
from sampling.selection import row_filters
from sampling.selection.drafts import Draft, normalised
from sampling.selection.layouts import BY_NAME, LAYOUTS, chosen_layouts
from sampling.selection.row_filters import ROW_FILTERS, chinese_share, split_turns
from sampling.selection.settings import DEFAULT_SETTINGS, DatasetSettings, load_settings, merged

EXCLUDING = DatasetSettings(excluded_topics=["code", "math"], input_qualities=["good", "excellent"])
MARKER = "\n<extra_id_1>"


def test_helpsteer2_turns_become_messages() -> None:
    assert split_turns(f"Hi.{MARKER}Assistant\nHello!\nHow are you?{MARKER}User\nFine.") == [
        Message("user", "Hi."),
        Message("assistant", "Hello!\nHow are you?"),
        Message("user", "Fine."),
    ]


def test_a_first_turn_with_a_marker_of_its_own_is_the_same() -> None:
    assert split_turns("<extra_id_1>User\nHi.") == [Message("user", "Hi.")]


@pytest.mark.parametrize(
    "prompt",
    [
        f"Hi.{MARKER}Assistant\nHello!",
        f"Hi.{MARKER}User\nAgain.",
        f"Hi.{MARKER}Assistant\n{MARKER}User\nAgain.",
        f"{MARKER}Assistant\nHello!{MARKER}User\nHi.",
    ],
)
def test_turns_that_do_not_alternate_or_are_empty_are_refused(prompt: str) -> None:
    assert split_turns(prompt) is None


def test_a_marker_inside_a_line_is_text() -> None:
    assert split_turns("What does <extra_id_1>User mean?") == [
        Message("user", "What does <extra_id_1>User mean?")
    ]


@pytest.mark.parametrize(
    ("label", "quality", "outcome"),
    [
        ("Coding & Debugging", "good", "code by label"),
        (" coding & debugging", "Good ", "code by label"),
        ("Math", "excellent", "math by label"),
        ("Data analysis", "good", None),
        (None, "good", "code by text"),
        ("Something new", "good", "code by text"),
        ("Others", "average", "input quality"),
        ("Others", None, "input quality"),
    ],
)
def test_a_known_label_decides_and_otherwise_the_text(
    label: str | None, quality: str | None, outcome: str | None
) -> None:
    row = ("Write a Python function that adds two lists.", label, quality, "easy")
    result = row_filters.magpie_pro_dpo(row, EXCLUDING)
    assert (result if isinstance(result, str) else None) == outcome


def test_an_alpaca_prompt_is_the_instruction_and_its_input_on_a_new_line() -> None:
    settings = DatasetSettings(min_chinese_share=0.5)
    result = row_filters.alpaca_zh(("把下面的句子翻译成法语。 ", " 今天下雨。"), settings)
    assert isinstance(result, Draft)
    assert result.prompt.messages[0].content == "把下面的句子翻译成法语。\n今天下雨。"
    assert row_filters.alpaca_zh(("Translate into French:", "The rain."), settings) == "not Chinese"


def test_lengths_are_bounded_on_both_sides() -> None:
    settings = DatasetSettings(min_characters=5, max_characters=10)
    assert row_filters.ultrafeedback(("1234", None), settings) == "too short"
    assert isinstance(row_filters.ultrafeedback(("1234567890", None), settings), Draft)
    assert row_filters.ultrafeedback(("12345678901", None), settings) == "too long"


def test_rows_with_nulls_in_every_column_are_dropped_by_reason() -> None:
    for layout in LAYOUTS:
        outcome = ROW_FILTERS[layout.dataset](tuple(None for _ in layout.all_columns), DatasetSettings())
        assert outcome in {"empty", "broken turns"}, layout.dataset


def test_problem_sources_can_be_restricted() -> None:
    settings = DatasetSettings(problem_sources=["gsm8k"])
    assert isinstance(row_filters.openmathinstruct2(("Add 1 and 1.", None, "2", "gsm8k"), settings), Draft)
    assert (
        row_filters.openmathinstruct2(("Add 1 and 1.", None, "2", "augmented_math"), settings)
        == "problem source"
    )


def test_ids_depend_on_dataset_and_normalised_text_alone() -> None:
    first = row_filters.ultrafeedback(("Name a  river.", "flan"), DatasetSettings())
    second = row_filters.ultrafeedback((" name a river. ", "sharegpt"), DatasetSettings())
    other = row_filters.helpsteer2(("Name a river.",), DatasetSettings())
    assert isinstance(first, Draft) and isinstance(second, Draft) and isinstance(other, Draft)
    assert first.prompt.prompt_id == second.prompt.prompt_id
    assert first.prompt.prompt_id != other.prompt.prompt_id


def test_chinese_share_counts_letters_only() -> None:
    assert chinese_share("你好, 123!") == 1.0
    assert chinese_share("你好 ab") == 0.5
    assert chinese_share("123") == 0.0


def test_datasets_go_by_their_full_or_short_names_in_the_tables_order() -> None:
    names = [layout.dataset for layout in chosen_layouts(["leetcode", "nvidia/helpsteer2"])]
    assert names == ["nvidia/HelpSteer2", "greengerong/leetcode"]


def test_the_shipped_settings_name_all_eight_datasets_and_the_paper_preset_has_the_reports_sizes() -> None:
    plain = load_settings(DEFAULT_SETTINGS, None, list(BY_NAME))
    assert set(plain.datasets) == set(BY_NAME)
    paper = load_settings(DEFAULT_SETTINGS, "paper", list(BY_NAME))
    caps = [paper.datasets[layout.dataset].max_prompts for layout in LAYOUTS]
    assert caps == [51098, 20374, 9435, 58546, 3113, 13696, 2471, 7481]
    assert paper.datasets["nvidia/HelpSteer2"].excluded_topics == ["code", "math"]


def test_a_preset_changes_only_what_it_names() -> None:
    base = {"a": {"x": 1, "y": 2}, "b": 3}
    assert merged(base, {"a": {"y": 5}}) == {"a": {"x": 1, "y": 5}, "b": 3}
    assert base == {"a": {"x": 1, "y": 2}, "b": 3}


def test_the_fast_normalisation_is_the_projects_for_every_character() -> None:
    for point in range(0x110000):
        text = f" A{chr(point)}\tB\u2028\u00a0c{chr(point)}"
        assert normalised(text) == normalised_text(text), hex(point)
