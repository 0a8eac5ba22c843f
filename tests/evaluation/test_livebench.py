"""LiveBench's scorers by the rules of August 2024, on answers written by hand, and the whole benchmark on made-up rows."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from livebench_rows import livebench_rows, right_answers

from evaluation.benchmark import Generation, Item, Tools
from evaluation.benchmarks import livebench_0831
from evaluation.dataset_files import Sources
from evaluation.livebench import data_analysis, language, mathematics, reasoning
from evaluation.livebench.boxed import last_box
from evaluation.livebench.edit_distance import edit_distance
from evaluation.livebench.latex_worker import equal_expressions
from fusechat.errors import BadInput

Write = Callable[[str, Iterable[Any]], Path]


@pytest.mark.parametrize(
    ("answer", "score"),
    [
        ("So **yes, no, yes**", 1.0),
        ("**no** then **Yes, No, Yes**", 1.0),
        ("**The answers are yes, no, yes.**", 1.0),
        ("**yes, no, yes, no**", 0.0),
        ("**yes, no, yes** but **no**", 0.0),
        ("yes, no, yes", 0.0),
        ("**I know it: yes, no, yes**", 0.0),  # know holds a fourth "no"
    ],
)
def test_web_of_lies_reads_the_last_bold_span(answer: str, score: float) -> None:
    assert reasoning.web_of_lies("yes, no, yes", answer) == score


@pytest.mark.parametrize(
    ("truth", "answer", "score"),
    [
        ("Cricket", "***tennis*** no ***cricket***", 1.0),
        ("cricket", "it is ***tennis***, not cricket", 0.0),
        ("cricket", "I am sure it is Cricket.", 1.0),
        ("three", "***3***", 1.0),
        ("3", "***three***", 0.0),
        ("horror movies", "***horror***", 1.0),
        ("cricket", "", 0.0),
    ],
)
def test_zebra_puzzles_read_the_last_word_in_three_stars_else_the_last_word(
    truth: str, answer: str, score: float
) -> None:
    assert reasoning.zebra_puzzle(truth, answer) == score


@pytest.mark.parametrize(
    ("truth", "answer", "score"),
    [
        ("4", "**4**", 1.0),
        ("4", "**four**, **as said**, **indeed**", 1.0),
        ("4", "**4**, **a**, **b**, **c**", 0.0),
        ("triangle", "an **equilateral triangle**", 1.0),
        ("triangle", "**circle, square, triangle**", 0.0),
        ("square", r"so \boxed{square}", 1.0),
        ("5", r"**4** or \boxed{5}", 1.0),
        ("5", "5", 0.0),
    ],
)
def test_spatial_answers_stand_in_one_of_the_last_three_bold_spans_or_in_a_box(
    truth: str, answer: str, score: float
) -> None:
    assert reasoning.spatial(truth, answer) == score


@pytest.mark.parametrize(
    ("text", "box"),
    [
        (r"\boxed{1} and \boxed{\frac{1}{2}}", r"\frac{1}{2}"),
        (r"$\boxed 7$ more", "7"),
        (r"\fbox{3}", "3"),
        (r"\boxed{$x$}", "x"),
        (r"\boxed{1", None),
        ("none", None),
    ],
)
def test_the_last_box_is_found_as_livebench_finds_it(text: str, box: str | None) -> None:
    assert last_box(text) == box


def test_connections_count_whole_groups_of_the_best_bold_span() -> None:
    """Two groups of four: the first bold span holds none whole, the second one of the two, in another order."""
    truth = "a, b, c, d, e, f, g, h"
    assert language.connections(truth, "**a, b, c, e, d, f, g, h** or **D, c, b, a, e, f, g, x**") == 0.5
    assert language.connections(truth, "**e, f, g, h, a, b, c, d**") == 1.0
    assert language.connections(truth, "a, b, c, d, e, f, g, h") == 0.0


def test_plots_count_how_far_the_order_is_from_the_true_one() -> None:
    """Four sentences; with the first two exchanged the distance is 2, so 1 - 2/4; nothing at all: 1 - 4/4."""
    truth = "Ann wakes up. Bob arrives late. They fight bitterly. Peace returns."
    swapped = "Bob arrives late. Ann wakes up. They fight bitterly. Peace returns."
    assert language.plot_unscrambling(truth, f"Sure. <PLOT_SUMMARY> {truth}") == 1.0
    assert language.plot_unscrambling(truth, f"<PLOT_SUMMARY>{swapped}") == 0.5
    assert language.plot_unscrambling(truth, "") == 0.0


def test_typos_look_at_the_last_line_that_is_not_empty() -> None:
    assert language.typos("We test models.", "Here:\nWe test models.\n\n") == 1.0
    assert language.typos("We test models.", "We test models.\nThat is it.") == 0.0
    assert language.typos("x", "") == 0.0


def test_the_edit_distance_is_that_of_the_textbook() -> None:
    assert edit_distance("kitten", "sitting") == 3
    assert edit_distance([], [1, 2]) == 2
    assert edit_distance([1, 2], [1, 2]) == 0


def test_column_types_ignore_case_and_signs_of_the_whole_answer() -> None:
    assert data_analysis.column_type("State/Province", " state province. ") == 1.0
    assert data_analysis.column_type("State", "It is State") == 0.0


def test_table_joins_are_scored_by_f1_over_pairs() -> None:
    """Truth of three pairs. One right, one wrong partner, one too many: tp 1, fp 2, fn 1 + 1: 2 / (2 + 2 + 2) = 0.33."""
    truth = {"a": "A", "b": "B", "c": "C"}
    assert data_analysis.table_join(truth, "```python\n{'a': 'A', 'b': 'X', 'z': 'Z'}\n```") == 0.33
    assert data_analysis.table_join(str(truth), "{'a': 'A',\n 'b': 'B', 'c': 'C'}") == 1.0
    assert data_analysis.table_join(truth, "```python\n{}\n```\nbetter:\n```python\n{'a': 'A'}\n```") == 0.5
    for unreadable in ("{'a': open('x')}", "['a']", "{'a': 'A'", "", "[" * 5000):
        assert data_analysis.table_join(truth, unreadable) == 0.0


QUESTION = "Please convert the Input Table from {} format to {} format. Please respond only with the table."
TABLES = {
    "csv": "Name,Count\nx,1\ny,2\n",
    "tsv": "Name\tCount\nx\t1\ny\t2\n",
    "jsonl": '{"Name": "x", "Count": 1}\n{"Name": "y", "Count": 2}\n',
    "json": '{"0": {"Name": "x", "Count": 1}, "1": {"Name": "y", "Count": 2}}',
    "html": "<table><thead><tr><th>Name</th><th>Count</th></tr></thead>"
    "<tbody><tr><td>x</td><td>1</td></tr><tr><td>y</td><td>2</td></tr></tbody></table>",
}


@pytest.mark.parametrize("name", TABLES)
def test_tables_are_equal_with_rows_and_columns_in_any_order(name: str) -> None:
    question, truth = QUESTION.format("X", name.upper()), TABLES[name]
    assert data_analysis.table_reformat(question, truth, truth) == 1.0
    assert data_analysis.table_reformat(question, truth, f"```{name}\n{truth}\n```") == 1.0
    assert data_analysis.table_reformat(question, truth, f"Here is the new table:\n{truth}") == 1.0
    assert data_analysis.table_reformat(question, truth, truth.replace("2", "3")) == 0.0
    assert data_analysis.table_reformat(question, truth, "no table") == 0.0


def test_markdown_tables_never_match_as_in_august_2024() -> None:
    """Their outer columns are all missing values, which equal nothing; no published model is above 70 of 100."""
    table = "| Name | Count |\n|:--|--:|\n| x | 1 |\n| y | 2 |"
    assert data_analysis.table_reformat(QUESTION.format("CSV", "Markdown"), table, table) == 0.0


def test_table_columns_may_stand_in_another_order_but_must_be_the_same() -> None:
    question = QUESTION.format("JSON", "CSV")
    assert data_analysis.table_reformat(question, TABLES["csv"], "count,name\n2,y\n1,x") == 1.0
    assert data_analysis.table_reformat(question, TABLES["csv"], "name\ny\nx") == 0.0
    assert data_analysis.table_reformat(question, TABLES["csv"], "count,name\n2,y\n1,x\n1,x") == 0.0
    with pytest.raises(BadInput, match="no two formats"):
        data_analysis.table_reformat("Convert it.", "a", "a")


@pytest.mark.parametrize(
    ("answer", "expression"),
    [
        (r"\boxed{f(x) = x^2 + C}", "x^2 "),
        (r"so $\boxed{\text{about }\frac12}$", r"about \frac{1}{2}"),
        (r"\boxed{1,000}", "1000"),
        (r"\boxed{\sqrt2}", r"\sqrt{2}"),
        ("no box", None),
    ],
)
def test_expressions_are_tidied_before_they_are_compared(answer: str, expression: str | None) -> None:
    found = mathematics.amps_expression(answer)
    assert (found.lstrip() if found else found) == expression


def test_expressions_are_equal_by_algebra_and_a_hopeless_comparison_ends() -> None:
    """One pair asks for a number of 370 million digits: its limit ends it, and the rest is compared."""
    pairs = [
        (r"x^2+2x+1", "(x+1)^2"),
        (r"\frac{1}{2}", "0.5"),
        ("x", "y"),
        ("1", r"\frac{"),
        ("0", "0.0009"),
        ("0", "0.002"),
        ("1", "9^{9^{9}}"),
        ("7", "7"),
    ]
    assert equal_expressions(pairs, workers=2) == [True, True, False, False, True, False, None, True]
    assert equal_expressions([]) == []


def test_competition_letters_are_repeated_boxed_or_their_option_written_out() -> None:
    question = r"Find x. $\textbf{(A)}\ 12 \qquad\textbf{(B)}\ 15 \qquad\textbf{(C)}\ 18$"
    assert mathematics.competition_choice("B", "so BBBBB", question) == 1.0
    assert mathematics.competition_choice("B", "so BBB", question) == 0.0
    assert mathematics.competition_choice("B", r"\boxed{B}", question) == 1.0
    assert mathematics.option_text(question, "B") == r"\ 15"
    assert mathematics.competition_choice("B", r"the result is \ 15.", question) == 1.0
    assert mathematics.competition_choice("B", r"\ 15 was my first idea, but it is wrong", question) == 0.0
    assert mathematics.competition_choice("E", "", question) == 0.0


def test_competition_numbers_stand_in_the_last_twenty_characters() -> None:
    assert mathematics.competition_number("025", "The answer is 025.") == 1.0
    assert mathematics.competition_number("025", "025 it is, after all this work") == 0.0


def test_proof_orders_are_the_numbers_behind_the_last_answer() -> None:
    """Order 1 2 3 4 against 2 1 3 4: distance 2 of 4. One number too many: distance 1 of 5."""
    assert mathematics.order_in("Answer: 9\nso Answer: 2, 1, 3, 4. Done, 7") == [2, 1, 3, 4]
    assert mathematics.proof_order("1,2,3,4", "Answer: 2,1,3,4") == 0.5
    assert mathematics.proof_order("1,2,3,4", "Answer: 1,2,3,4,5") == pytest.approx(0.8)
    assert mathematics.proof_order("1,2", "I give up") == 0.0


def answered(items: list[Item], texts: dict[str, str]) -> dict[str, list[Generation]]:
    return {
        item.item_id: [Generation(f"{item.item_id}:0", item.item_id, 0, 0, texts[item.item_id], "stop", 5)]
        for item in items
    }


def written(write_jsonl: Write, tmp_path: Path, rows: dict[str, list[dict[str, Any]]]) -> Sources:
    for category, some in rows.items():
        write_jsonl(f"hub/livebench/{category}/data/test-00000-of-00001.jsonl", some)
    return Sources(data_root=tmp_path / "hub")


def test_right_answers_to_all_18_tasks_score_full_and_empty_ones_nearly_nothing(
    write_jsonl: Write, tmp_path: Path
) -> None:
    items = livebench_0831.load(written(write_jsonl, tmp_path, livebench_rows()))
    assert {item.fields["groups"]["task"] for item in items} == set(livebench_0831.QUESTIONS)
    # The first eighteen are of all tasks, so that a limit leaves none out.
    assert len({item.fields["groups"]["task"] for item in items[:18]}) == 18
    texts = {f"livebench-{key}": text for key, text in right_answers().items()}
    scores = livebench_0831.score(items, answered(items, texts), Tools(workers=2))
    assert [(score.item_id, score.score) for score in scores if score.score != 1.0] == []
    summary = livebench_0831.summarise(scores, items)
    assert summary.score == pytest.approx(100) and summary.breakdown["category: coding"] == 100
    nothing = livebench_0831.score(items, answered(items, dict.fromkeys(texts, "")), Tools(workers=2))
    assert [score.item_id for score in nothing if score.score] == []


def test_only_questions_of_the_three_releases_that_were_not_removed_by_then_count(
    write_jsonl: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = livebench_rows()
    for number, (released, removed) in enumerate(
        [
            ("2024-11-25", ""),
            ("2024-06-24", "2024-07-26"),
            ("2024-06-24T00:00:00", "2024-08-31"),
            ("2024-07-26 00:00:00", "2024-11-25"),
            ("2024-08-31", None),
        ]
    ):
        dates = {"livebench_release_date": released, "livebench_removal_date": removed}
        rows["language"].append({**rows["language"][0], **dates, "question_id": f"dated-{number}"})
    items = livebench_0831.load(written(write_jsonl, tmp_path, rows))
    assert [item.item_id for item in items if "dated" in item.item_id] == [
        "livebench-dated-3",
        "livebench-dated-4",
    ]
    assert "AMPS_Hard 1, not 100" in capsys.readouterr().out


def test_the_score_is_the_mean_of_categories_of_tasks(write_jsonl: Write, tmp_path: Path) -> None:
    """All right but typos: language is (1 + 1 + 0) / 3, the whole (5 + 2/3) / 6 = 94.444."""
    items = livebench_0831.load(written(write_jsonl, tmp_path, livebench_rows()))
    texts = {f"livebench-{key}": text for key, text in right_answers().items()}
    texts |= {item.item_id: "?" for item in items if item.fields["groups"]["task"] == "typos"}
    summary = livebench_0831.summarise(livebench_0831.score(items, answered(items, texts), Tools()), items)
    assert summary.score == pytest.approx(94.4444, abs=1e-3)
    assert summary.breakdown["category: language"] == pytest.approx(66.6667, abs=1e-3)
    assert summary.breakdown["task: typos"] == 0


@pytest.mark.parametrize(
    ("category", "changes", "message"),
    [
        ("math", {"ground_truth": None, "task": "olympiad"}, "math-2 .olympiad. cannot be scored"),
        ("data_analysis", {"turns": ["Convert it."]}, "data_analysis-2 .tablereformat. cannot be scored"),
        ("instruction_following", {"instruction_id_list": ["made:up"]}, "instruction made:up"),
        ("language", {"task": "haiku"}, "unknown task haiku"),
        ("coding", {"private_test_cases": "nonsense"}, "coding-1: its tests cannot be read"),
    ],
)
def test_questions_of_another_form_are_named(
    category: str, changes: dict[str, Any], message: str, write_jsonl: Write, tmp_path: Path
) -> None:
    rows = livebench_rows()
    place = {"math": 2, "data_analysis": 2, "coding": 1}.get(category, 0)
    rows[category][place] |= changes
    with pytest.raises(BadInput, match=message):
        items = livebench_0831.load(written(write_jsonl, tmp_path, rows))
        livebench_0831.score(
            items, answered(items, dict.fromkeys((i.item_id for i in items), "```\nx\n```")), Tools()
        )


def test_a_missing_category_is_refused(write_jsonl: Write, tmp_path: Path) -> None:
    rows = livebench_rows()
    del rows["language"]
    with pytest.raises(BadInput, match="livebench/language"):
        livebench_0831.load(written(write_jsonl, tmp_path, rows))
