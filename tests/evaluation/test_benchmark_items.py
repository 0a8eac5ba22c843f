"""Benchmarks read data in the layout of the published datasets, build prompts, extract and score answers.

The rows here are made up; their columns and files are those of the Hub's datasets.
"""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from evaluation.benchmark import KNOWN, REPORT_ORDER, Generation, Item, Tools, load_benchmark
from evaluation.dataset_files import Sources
from evaluation.evalplus_protocol import evalplus_sentences, longest_parsing_span, needed_code, solution_of
from evaluation.multiple_choice import extract_letter
from fusechat.errors import BadInput

DATASETS: dict[str, list[dict[str, Any]]] = {
    "openai/gsm8k/main/test-00000-of-00001.jsonl": [
        {"question": "Tom has 3 apples and buys 1,000 more. How many?", "answer": "3+1000\n#### 1,003"},
        {"question": "Ann has 2 pens and loses one. How many?", "answer": "one\n#### 1"},
    ],
    "math-ai/amc23/test.jsonl": [{"id": 0, "question": "What is 3^3?", "answer": 27.0, "url": "u"}],
    "TIGER-Lab/MMLU-Pro/data/test-00000-of-00001.jsonl": [
        {
            "question_id": 7, "question": "Which is a colour?", "options": ["dog", "red", "N/A"], "answer": "B",
            "answer_index": 1, "cot_content": "", "category": "other", "src": "s",
        }
    ],
    "WildEval/ZeroEval/mmlu-redux/test-00000-of-00001.jsonl": [
        {
            "id": "0", "question": "Which is a colour?", "choices": ["dog", "red", "six", "up"], "correct_answer": "red",
            "source": "s", "config": "anatomy", "task_type": "mcqa",
        }
    ],
    "jeggers/gpqa_formatted/diamond/train-00000-of-00001.jsonl": [
        {"Question": "Which is a colour?", "options": ["dog", "up", "red", "six"], "answer": 2, "Canary String": "c"}
    ],
    "evalplus/mbppplus/data/test-00000-of-00001.jsonl": [
        {
            "task_id": 2, "code": "def twice(a):\n  return 2 * a\n", "prompt": "Write a function that doubles.",
            "source_file": "f", "test_imports": ["import math"], "test_list": ["assert twice(2) == 4"],
            "test": "assert twice(3) == 6",
        }
    ],
}  # fmt: skip
SUBJECTS = (
    "algebra counting_and_probability geometry intermediate_algebra number_theory prealgebra precalculus"
)


@pytest.fixture
def hub(write_jsonl: Callable[[str, Iterable[Any]], Path], tmp_path: Path) -> Path:
    for name, rows in DATASETS.items():
        write_jsonl(f"hub/{name}", rows)
    for subject in SUBJECTS.split():
        row = {
            "problem": f"A problem of {subject}", "level": "Level 2", "type": subject,
            "solution": r"First \boxed{1}, at last $\boxed{\frac{1}{2}}$.",
        }  # fmt: skip
        write_jsonl(f"hub/EleutherAI/hendrycks_math/{subject}/test-00000-of-00001.jsonl", [row])
    return tmp_path / "hub"


def answered(items: list[Item], *texts: str) -> dict[str, list[Generation]]:
    return {
        item.item_id: [Generation(f"{item.item_id}:0", item.item_id, 0, 0, text, "stop", 5)]
        for item, text in zip(items, texts, strict=True)
    }


def test_every_known_benchmark_has_what_a_benchmark_needs() -> None:
    for name in KNOWN:
        module = load_benchmark(name)
        assert module.TITLE and module.SCALE in (10.0, 100.0)
        for function in ("load", "generating", "score"):
            assert callable(getattr(module, function))


def test_an_unknown_benchmark_is_refused_with_the_known_names() -> None:
    with pytest.raises(BadInput, match="gsm8k"):
        load_benchmark("glue")


def test_gsm8k_gold_answers_stand_behind_the_hashes(hub: Path) -> None:
    gsm8k = load_benchmark("gsm8k")
    items = gsm8k.load(Sources(data_root=hub))
    assert [item.gold for item in items] == ["1003", "1"]
    scores = gsm8k.score(items, answered(items, r"\boxed{1{,}003}", "The answer is 2."), Tools())
    assert [(score.score, score.extracted) for score in scores] == [(1.0, "1{,}003"), (0.0, "2")]


def test_math_takes_the_last_box_of_the_solution_and_scores_by_level_and_type(hub: Path) -> None:
    items = load_benchmark("math").load(Sources(data_root=hub))
    assert len(items) == 7 and {item.gold for item in items} == {r"\frac{1}{2}"}
    scores = load_benchmark("math").score(items[:1], answered(items[:1], "0.5 it is: \\boxed{0.5}"), Tools())
    assert scores[0].score == 1.0 and scores[0].groups == {"level": "Level 2", "type": "algebra"}


def test_the_maths_sentence_is_that_of_the_published_file_where_it_is_there(hub: Path) -> None:
    gsm8k = load_benchmark("gsm8k")
    assert "boxed" in gsm8k.load(Sources(data_root=hub))[0].messages[0]["content"]
    folder = hub / "QwenLM" / "Qwen2.5-Math" / "evaluation"
    folder.mkdir(parents=True)
    template = '"<|im_start|>system\\nSay it in {{}}.<|im_end|>\\n" "<|im_start|>user\\n{input}<|im_end|>\\n"'
    source = f'import nothing_there\nT = {{"qwen25-math-cot": ({template}, "o", "n")}}\n'
    (folder / "utils.py").write_text(source, encoding="utf-8")
    assert gsm8k.load(Sources(data_root=hub))[0].messages[0] == {"role": "system", "content": "Say it in {}."}
    (folder / "utils.py").write_text("T = {}\n", encoding="utf-8")
    with pytest.raises(BadInput, match="qwen25-math-cot"):
        gsm8k.load(Sources(data_root=hub))


def test_both_words_stand_behind_a_question_whose_answer_is_one_of_them(
    write_jsonl: Callable[[str, Iterable[Any]], Path], tmp_path: Path
) -> None:
    rows = [
        {"problem": "P?", "answer": gold, "subject": "Algebra", "level": 1, "unique_id": gold}
        for gold in ("\\text{No}", "False", "3")
    ]
    write_jsonl("hub/HuggingFaceH4/MATH-500/test.jsonl", rows)
    items = load_benchmark("math_500").load(Sources(data_root=tmp_path / "hub"))
    asked = [item.messages[1]["content"] for item in items]
    assert asked == ["P? (Yes or No)", "P? (True or False)", "P?"]


def test_amc_answers_stored_as_floats_are_whole_numbers(hub: Path) -> None:
    (item,) = load_benchmark("amc23").load(Sources(data_root=hub))
    assert item.gold == "27"


def test_mmlu_pro_drops_options_that_are_none_and_scores_the_letter(hub: Path) -> None:
    module = load_benchmark("mmlu_pro")
    items = module.load(Sources(data_root=hub))
    prompt = items[0].messages[0]["content"]
    assert "A. dog\nB. red" in prompt and "N/A" not in prompt
    assert module.score(items, answered(items, "The best answer is B."), Tools())[0].score == 1.0
    no_letter = module.score(items, answered(items, "no idea"), Tools())[0]
    assert no_letter.score == 0.0 and no_letter.reason == "no answer found"
    # Two options: the constant guess of the older script is the second one, which is right here.
    assert no_letter.figures == {"with a constant guess for no answer": 1.0}


def test_mmlu_redux_reads_the_letter_from_json_or_from_what_is_left_of_it(hub: Path) -> None:
    module = load_benchmark("mmlu_redux")
    items = module.load(Sources(data_root=hub))
    assert items[0].gold == "B"
    for text, right in [
        ('{"reasoning": "it is", "answer": "B"}', 1.0),
        ('```json\n{"reasoning": "a\nb", "answer": "B) red"}\n```', 1.0),
        ('{"reasoning": "cut "quotes" here", "answer": "B"}', 1.0),
        ('{"reasoning": "no", "answer": "C"}', 0.0),
        ("B", 0.0),
    ]:
        assert module.score(items, answered(items, text), Tools())[0].score == right, text
    # A box is an answer of Llama models only.
    boxed = answered(items, "so it is $\\boxed{B}$")
    by_family = [module.score(items, boxed, Tools(family=name))[0].score for name in ("llama", "qwen2", "")]
    assert by_family == [1.0, 0.0, 0.0]


def test_mmlu_redux_is_built_from_the_re_annotated_set_where_only_that_is_there(
    write_jsonl: Callable[[str, Iterable[Any]], Path], tmp_path: Path
) -> None:
    """Kept: the faultless one with its key (B), the wrong key with a letter as its correction (D). Not kept: a correction
    in words, a letter that is no choice, several right choices."""
    choices = ["dog", "red", "six", "up"]
    kinds = [("ok", None), ("wrong_groundtruth", "D"), ("wrong_groundtruth", "up"), ("wrong_groundtruth", "F"),
             ("multiple_correct_answers", "A")]  # fmt: skip
    rows = [
        {"question": "Q", "choices": choices, "answer": 1, "error_type": kind, "correct_answer": correction}
        for kind, correction in kinds
    ]
    for name, module in (("mmlu-redux", "mmlu_redux"), ("mmlu-redux-2.0", "mmlu_redux_2")):
        write_jsonl(f"hub/edinburgh-dawg/{name}/anatomy/test-00000-of-00001.jsonl", rows)
        write_jsonl(f"hub/edinburgh-dawg/{name}/README.md", ["no rows"])
        items = load_benchmark(module).load(Sources(data_root=tmp_path / "hub"))
        assert [(item.item_id, item.gold) for item in items] == [
            (f"{module}-anatomy#0", "B"), (f"{module}-anatomy#1", "D"),
        ]  # fmt: skip
        assert items[0].fields["groups"] == {"subject": "anatomy"}
    # The request is ZeroEval's where only its template is there; the folder alone is no ready set.
    template = tmp_path / "hub" / "WildEval" / "ZeroEval" / "src" / "templates" / "MCQA.py"
    template.parent.mkdir(parents=True)
    template.write_text('MCQA = """Ask {question} of {choices}"""\n', encoding="utf-8")
    (first, _) = load_benchmark("mmlu_redux").load(Sources(data_root=tmp_path / "hub"))
    assert first.messages[0]["content"].startswith("Ask Q of - (A) dog")


def test_arrow_files_are_read_as_datasets_saves_them(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    rows = [{"question": "Q", "choices": ["a", "b"], "answer": 0, "error_type": "ok", "correct_answer": None}]
    folder = tmp_path / "edinburgh-dawg" / "mmlu-redux-2.0" / "virology"
    datasets.Dataset.from_list(rows).save_to_disk(folder)
    (item,) = load_benchmark("mmlu_redux_2").load(Sources(data_root=tmp_path))
    assert (item.item_id, item.gold) == ("mmlu_redux_2-virology#0", "A")


def test_mmlu_and_math_500_are_sets_of_their_own(
    write_jsonl: Callable[[str, Iterable[Any]], Path], tmp_path: Path
) -> None:
    question = {"question": "Q", "subject": "virology", "choices": ["a", "b", "c", "d"], "answer": 2}
    write_jsonl("hub/cais/mmlu/all/test-00000-of-00001.jsonl", [question])
    (item,) = load_benchmark("mmlu").load(Sources(data_root=tmp_path / "hub"))
    assert item.gold == "C" and "C. c" in item.messages[0]["content"]
    (scored,) = load_benchmark("mmlu").score([item], answered([item], "The best answer is C."), Tools())
    assert (scored.score, scored.groups) == (1.0, {"subject": "virology"})
    problem = {
        "problem": "P", "solution": "s", "answer": "\\frac{1}{2}", "subject": "Algebra", "level": 3, "unique_id": "u/1.json",
    }  # fmt: skip
    write_jsonl("hub/HuggingFaceH4/MATH-500/test.jsonl", [problem])
    (item,) = load_benchmark("math_500").load(Sources(data_root=tmp_path / "hub"))
    (scored,) = load_benchmark("math_500").score([item], answered([item], "\\boxed{0.5}"), Tools())
    assert (scored.score, scored.groups) == (1.0, {"level": "Level 3", "type": "Algebra"})
    assert {"mmlu", "math_500", "mmlu_redux_2"} <= set(KNOWN) - set(REPORT_ORDER)


def test_gpqa_items_are_private_and_the_original_is_shuffled_the_same_way_each_time(
    hub: Path, write_jsonl: Callable[[str, Iterable[Any]], Path], tmp_path: Path
) -> None:
    (item,) = load_benchmark("gpqa_diamond").load(Sources(data_root=hub))
    assert item.private and item.gold == "C"
    row = {"Question": "q", "Correct Answer": "yes", "Incorrect Answer 1": "a", "Incorrect Answer 2": "b", "Incorrect Answer 3": "c"}  # fmt: skip
    write_jsonl("original/Idavidrein/gpqa/gpqa_diamond/train.jsonl", [row] * 8)
    twice = [load_benchmark("gpqa_diamond").load(Sources(data_root=tmp_path / "original")) for _ in range(2)]
    assert twice[0] == twice[1]
    for item in twice[0]:
        assert f"{item.gold}. yes" in item.messages[0]["content"]
    assert len({item.gold for item in twice[0]}) > 1


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("The best answer is C. Not that the answer is D.", "C"),
        ("the answer is (J)", "J"),
        ("Answer: A or answer: B\nAnswer: C", "B"),
        ("between A and D, I take D, I think", "I"),
        ("Perhaps B, perhaps (D)", "D"),
        ("answer is b", None),
        ("", None),
    ],
)
def test_letters_are_extracted_in_the_order_of_the_rules(text: str, letter: str | None) -> None:
    assert extract_letter(text) == letter


def test_mbpp_prompts_show_one_assertion_and_tests_hold_all(hub: Path) -> None:
    (item,) = load_benchmark("mbpp").load(Sources(data_root=hub))
    assert item.fields["entry_point"] == "twice"
    assert "Write a function that doubles.\nassert twice(2) == 4" in item.messages[0]["content"]
    assert (
        item.fields["base"].asserts == ["assert twice(2) == 4"] and item.fields["base"].setup == "import math"
    )


def test_humaneval_has_its_164_tasks_with_an_opened_fence() -> None:
    items = load_benchmark("humaneval").load(Sources())
    assert len(items) == 164 and items[0].item_id == "HumanEval/0"
    assert items[0].prefill.endswith("\n```python\n") and evalplus_sentences()[1] in items[0].prefill
    assert items[0].fields["base"].asserts[0].endswith("check(has_close_elements)")


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        ("import os\ndef f():\n\treturn 1\n```\nmore", "import os\ndef f():\n    return 1"),
        ("def f():\n    return g()\n\ndef g():\n    return 1\n\ndef h():\n    return 2",
         "def f():\n    return g()\ndef g():\n    return 1"),
        ("X = 3\ndef f():\n    return X\nprint(f())", "X = 3\ndef f():\n    return X"),
        ("def f():\n    return 1\n\ndef broken(:\n    retu", "def f():\n    return 1"),
        ("Here it is:\ndef f():\n    return 1", "def f():\n    return 1"),
        ("@cache\ndef f():\n    return 1", "@cache\ndef f():\n    return 1"),
        ("    return 1", "    return 1"),
    ],
)  # fmt: skip
def test_of_an_answer_stays_what_the_entry_point_needs(answer: str, kept: str) -> None:
    assert solution_of(answer, "f") == kept


def test_reduced_code_is_that_of_evalplus_for_its_own_kind_of_answer() -> None:
    sanitize = pytest.importorskip("evalplus.sanitize").sanitize
    for code in (
        "import math\n\ndef f(x):\n    return g(x)\n\ndef g(x):\n    return math.sqrt(x)\n\ndef unused():\n    return 0\n",
        "from typing import List\n\nclass A:\n    pass\n\ndef f(x: List[int]):\n    return A\n\nf([1])\n",
        "LIMIT = 5\n\ndef f(x):\n    return LIMIT\n\nassert f(1) == 5\n",
        "def f(x):\n    return 1\n\nthis is no code\nat all (\n",
    ):
        expected = [line for line in sanitize(code, "f").split("\n") if line.strip()]
        assert [line for line in needed_code(code, "f").split("\n") if line.strip()] == expected


def test_the_longest_span_is_found_soon_in_a_long_broken_answer() -> None:
    code = "def f():\n" + "    x = 1\n" * 300 + "    return x\n" + "    y = (\n"
    assert longest_parsing_span(code).strip().endswith("return x")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"question": "q"}], "lacks the column answer"),
        ([], "holds no rows"),
        (["{broken"], "is not valid JSON"),
    ],
)
def test_data_of_another_shape_are_refused_with_their_place(
    rows: list[Any], message: str, write_jsonl: Callable[[str, Iterable[Any]], Path], tmp_path: Path
) -> None:
    write_jsonl("hub/openai/gsm8k/main/test.jsonl", rows)
    with pytest.raises(BadInput, match=message):
        load_benchmark("gsm8k").load(Sources(data_root=tmp_path / "hub"))


def test_parquet_files_are_read_like_jsonl(tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    folder = tmp_path / "openai" / "gsm8k" / "main"
    folder.mkdir(parents=True)
    table = pyarrow.table({"question": ["q"], "answer": ["#### 5"]})
    pyarrow.parquet.write_table(table, folder / "test-00000-of-00001.parquet")
    assert load_benchmark("gsm8k").load(Sources(data_root=tmp_path))[0].gold == "5"


def test_heldout_problems_need_gold_answers(write_jsonl: Callable[[str, Iterable[Any]], Path]) -> None:
    row = {"prompt_id": "p", "dataset": "d", "domain": "math", "messages": [{"role": "user", "content": "q"}]}
    path = write_jsonl("heldout.jsonl", [row])
    with pytest.raises(BadInput, match="gold_answer"):
        load_benchmark("demo_word_problems").load(Sources(heldout=path))
    path.write_text(json.dumps({**row, "gold_answer": "5", "meta": {"family": "sums"}}) + "\n")
    (item,) = load_benchmark("demo_word_problems").load(Sources(heldout=path))
    assert item.gold == "5" and item.fields["groups"] == {"family": "sums"}
