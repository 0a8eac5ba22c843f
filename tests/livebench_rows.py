"""One made-up question of each of LiveBench's 18 tasks, in the columns of the six datasets, and right answers to them."""

import base64
import json
import pickle
import zlib
from typing import Any

DATES = {"livebench_release_date": "2024-06-24", "livebench_removal_date": ""}


def livebench_rows() -> dict[str, list[dict[str, Any]]]:
    """Rows by dataset name."""
    return {
        "reasoning": [
            question("reasoning", 0, "web_of_lies_v2", "Who lies?", "yes, no, yes"),
            question("reasoning", 1, "zebra_puzzle", "Who plays?", "cricket"),
            question("reasoning", 2, "spatial", "How many?", "4"),
        ],
        "coding": coding_rows(),
        "math": [
            question("math", 0, "AMPS_Hard", "Integrate x.", r"\frac{x^2}{2}", subtask="amps_hard_integrals"),
            question("math", 1, "math_comp", "Find x.", "025", subtask="aime_i_2024"),
            question("math", 2, "olympiad", "Order the proof.", "2,1,3", subtask="imo"),
            question("math", 3, "math_comp", r"Pick. $\textbf{(A)} 1 \qquad\textbf{(B)} 2$", "B", subtask="amc_12a"),
        ],
        "data_analysis": [
            question("data_analysis", 0, "cta", "Which column?", "Country"),
            question("data_analysis", 1, "tablejoin", "Join.", "{'a': 'A', 'b': 'B'}"),
            question(
                "data_analysis", 2, "tablereformat",
                "Please convert the Input Table from JSON format to CSV format.", "Name,Count\nx,1\n",
            ),
        ],
        "language": [
            question("language", 0, "connections", "Group.", "a, b, c, d, e, f, g, h"),
            question("language", 1, "plot_unscrambling", "Order.", "Ann wakes. Bob comes. They talk."),
            question("language", 2, "typos", "Mend.", "We test models."),
        ],
        "instruction_following": instruction_rows(),
    }  # fmt: skip


def right_answers() -> dict[str, str]:
    """An answer by question id that keeps all rules."""
    program = "```python\na, b = map(int, input().split())\nprint(a + b)\n```"
    method = "Go on:\n```python\n        return [*a, b]\n```"
    return {
        "reasoning-0": "**yes, no, yes**",
        "reasoning-1": "***cricket***",
        "reasoning-2": "**four**",
        "coding-0": program,
        "coding-1": method,
        "math-0": r"$\boxed{\frac{1}{2}x^2 + C}$",
        "math-1": "It is 025.",
        "math-2": "Answer: 2, 1, 3",
        "math-3": "BBBBB",
        "data_analysis-0": "country",
        "data_analysis-1": "```python\n{'b': 'B', 'a': 'A'}\n```",
        "data_analysis-2": "count,name\n1,x",
        "language-0": "**h, g, f, e, d, c, b, a**",
        "language-1": "<PLOT_SUMMARY>Ann wakes. Bob comes. They talk.",
        "language-2": "Here:\nWe test models.",
        **{f"instruction_following-{number}": "<<Title>>\n\nA short text. It ends." for number in range(4)},
    }


def question(category: str, number: int, task: str, turn: str, truth: str, **more: Any) -> dict[str, Any]:
    """One row; `more` are the columns of its dataset."""
    return {
        "question_id": f"{category}-{number}", "category": category, "task": task, "turns": [turn],
        "ground_truth": truth, **DATES, **more,
    }  # fmt: skip


def coding_rows() -> list[dict[str, Any]]:
    """A whole program and a method to complete; the private tests of the first are packed."""
    pairs = [{"input": "1 2\n", "output": "3\n", "testtype": "stdin"}]
    packed = base64.b64encode(zlib.compress(pickle.dumps(json.dumps(pairs)))).decode()
    calls = json.dumps([{"input": "[1, 2]\n5", "output": "[1, 2, 5]", "testtype": "functional"}])
    given = "class Solution:\n    def put(self, a: List[int], b: int):"
    whole = {
        "public_test_cases": json.dumps(pairs), "private_test_cases": packed, "partial_solution": "",
        "original_json": {"metadata": "{}"},
    }  # fmt: skip
    part = {
        "public_test_cases": calls, "private_test_cases": calls, "partial_solution": given,
        "original_json": {"metadata": json.dumps({"func_name": "put"})},
    }  # fmt: skip
    return [
        question("coding", 0, "LCB_generation", "Add two numbers.", "", **whole),
        question("coding", 1, "coding_completion", "Complete this.", "", **part),
    ]


def instruction_rows() -> list[dict[str, Any]]:
    """Two instructions each; a dataset's kwargs have every setting of all instructions, the others' empty."""
    empty = dict.fromkeys(("num_sentences", "relation", "keywords", "num_words"))
    settings = [dict(empty), {**empty, "num_sentences": 2, "relation": "at least"}]
    names = ["detectable_format:title", "length_constraints:number_sentences"]
    return [
        question(
            "instruction_following", number, task, "Write.", "", instruction_id_list=names, kwargs=settings
        )
        for number, task in enumerate(("paraphrase", "simplify", "story_generation", "summarize"))
    ]
