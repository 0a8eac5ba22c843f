"""A few made-up items of each of the 14 benchmarks, in the files and columns that the published datasets have."""

import csv
import json
from pathlib import Path
from typing import Any

from livebench_rows import coding_rows, livebench_rows

SUBJECTS = (
    "algebra", "counting_and_probability", "geometry", "intermediate_algebra", "number_theory", "prealgebra",
    "precalculus",
)  # fmt: skip
CHOICES = ["dog", "red", "six", "up"]


def write_benchmark_files(root: Path) -> Path:
    """Writes everything below `root`, as a download of all benchmarks leaves it; returns it."""
    for name, rows in hub_tables().items():
        write_table(root / name, rows)
    write_alpaca_eval(root / "tatsu-lab" / "alpaca_eval")
    write_arena_hard(root / "lmarena" / "arena-hard-auto")
    write_mt_bench(root)
    write_align_bench(root / "THUDM" / "AlignBench")
    write_prompt_sources(root)
    return root


def hub_tables() -> dict[str, list[dict[str, Any]]]:
    """Rows of the datasets that are tables on the Hub, by path."""
    problem = {"level": "Level 2", "type": "Algebra", "solution": r"So $\boxed{\frac{1}{2}}$."}
    tables: dict[str, list[dict[str, Any]]] = {
        "openai/gsm8k/main/test-00000-of-00001.parquet": [
            {"question": f"Tom has {n} apples and buys 2. How many?", "answer": f"{n}+2\n#### {n + 2}"} for n in range(3)
        ],
        "openai/gsm8k/main/train-00000-of-00001.parquet": [{"question": "not this one", "answer": "#### 1"}],
        "math-ai/amc23/data/test-00000-of-00001.parquet": [
            {"id": n, "question": f"What is {n}^2?", "answer": float(n * n), "url": "u"} for n in range(2)
        ],
        "TIGER-Lab/MMLU-Pro/data/test-00000-of-00001.parquet": [
            {
                "question_id": n, "question": "Which is a colour?", "options": [*CHOICES, "N/A"], "answer": "B",
                "answer_index": 1, "cot_content": "", "category": category, "src": "s",
            }
            for n, category in enumerate(("law", "law", "math"))
        ],
        "WildEval/ZeroEval/mmlu-redux/test-00000-of-00001.parquet": [
            {
                "id": f"a#{n}", "question": "Which is a colour?", "choices": CHOICES, "correct_answer": "red", "source": "s",
                "config": "anatomy", "task_type": "mcqa",
            }
            for n in range(2)
        ],
        "jeggers/gpqa_formatted/diamond/train-00000-of-00001.parquet": [
            {"Question": f"SECRET-QUESTION-{n}?", "options": CHOICES, "answer": 1, "Canary String": "c"} for n in range(2)
        ],
        "openai/openai_humaneval/openai_humaneval/test-00000-of-00001.parquet": [humaneval_row("", "twice(2) == 4")],
        "evalplus/humanevalplus/data/test-00000-of-00001-5973903632b82d40.parquet": [
            humaneval_row("", "twice(3) == 6")
        ],
        "evalplus/mbppplus/data/test-00000-of-00001-d5781c9c51e02795.parquet": [
            {
                "task_id": 2, "code": "def twice(a):\n  return 2 * a\n", "prompt": "Write a function that doubles.",
                "source_file": "f", "test_imports": ["import math"], "test_list": ["assert twice(2) == 4"],
                "test": "assert twice(3) == 6",
            }
        ],
    }  # fmt: skip
    for subject in SUBJECTS:
        path = f"EleutherAI/hendrycks_math/{subject}/test-00000-of-00001.parquet"
        tables[path] = [{"problem": f"A problem of {subject}", **problem}]
    for name, rows in livebench_rows().items():
        tables[f"livebench/{name}/data/test-00000-of-00001.parquet"] = rows
    for part, day in (("test", "2024-07-31T23:00:00"), ("test5", "2024-11-30T18:30:00")):
        tables[f"livecodebench/code_generation_lite/{part}.jsonl"] = [contest_row(part, day)]
    return tables


def humaneval_row(more: str, test: str) -> dict[str, Any]:
    """One HumanEval task."""
    return {
        "task_id": "HumanEval/0", "prompt": f'def twice(a):\n    """Doubles.{more}"""\n', "entry_point": "twice",
        "canonical_solution": "    return 2 * a\n", "test": f"def check(candidate):\n    assert {test}\n",
    }  # fmt: skip


def contest_row(part: str, day: str) -> dict[str, Any]:
    """One LiveCodeBench problem with packed private tests."""
    tests = {name: value for name, value in coding_rows()[0].items() if name.endswith("test_cases")}
    return {
        "question_title": "t", "question_content": "Add two numbers.", "platform": "atcoder", "question_id": part,
        "contest_id": "c", "contest_date": day, "starter_code": "", "difficulty": "easy", "metadata": "{}", **tests,
    }  # fmt: skip


def write_table(path: Path, rows: list[dict[str, Any]]) -> None:
    """Rows as parquet or JSONL, by the path's ending."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        import pyarrow
        import pyarrow.parquet

        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    else:
        path.write_text("".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows), encoding="utf-8")


def write_alpaca_eval(folder: Path) -> None:
    """Twelve instructions; two rewritten baselines with their difficulties; the judge's prompt where GitHub has it."""
    folder.mkdir(parents=True, exist_ok=True)
    baseline = [
        {"instruction": f"Do {n}", "output": f"base {n} " + "x" * n, "generator": "g", "dataset": "koala"}
        for n in range(12)
    ]
    (folder / "alpaca_eval_gpt4_baseline.json").write_text(json.dumps(baseline), encoding="utf-8")
    with (folder / "df_gamed.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(
            ["preference", "index", "std_delta_len", "instruction_difficulty", "not_gamed_baseline", "model"]
        )
        for copy in (0, 1):
            for n in range(12):
                table.writerow([0.8 if copy else 0.2, n, copy - 0.5, n / 10, False, f"c{copy}"])
    prompt = folder / "src/alpaca_eval/evaluators_configs/alpaca_eval_clf_gpt4_turbo/alpaca_eval_clf.txt"
    prompt.parent.mkdir(parents=True)
    parts = "<|im_start|>system\nChoose.<|im_end|>\n<|im_start|>user\n{instruction}|{output_1}|{output_2}<|im_end|>"
    prompt.write_text(parts, encoding="utf-8")


def write_arena_hard(folder: Path) -> None:
    """Two prompts in the layout of v0.1."""
    data = folder / "data" / "arena-hard-v0.1"
    questions = [
        {"question_id": f"q{n}", "category": "c", "cluster": "c", "turns": [{"content": f"Task {n}"}]}
        for n in range(2)
    ]
    answers = [{"question_id": f"q{n}", "choices": [{"turns": [{"content": f"base {n}"}]}]} for n in range(2)]
    write_table(data / "question.jsonl", questions)
    write_table(data / "model_answer" / "gpt-4-0314.jsonl", answers)
    (folder / "config").mkdir(parents=True)
    template = "U: {question_1} FIRST: {answer_1} SECOND: {answer_2}"
    (folder / "config" / "judge_config.yaml").write_text(
        f'system_prompt: "S"\nprompt_template: ["{template}"]\n', encoding="utf-8"
    )


def write_mt_bench(root: Path) -> None:
    """A writing and a maths question; the corrected reference differs from FastChat's."""
    data = root / "lm-sys" / "FastChat" / "fastchat" / "llm_judge" / "data"
    questions = [
        {"question_id": 81, "category": "writing", "turns": ["Write", "Again"]},
        {"question_id": 111, "category": "math", "turns": ["Add", "More"]},
    ]
    write_table(data / "mt_bench" / "question.jsonl", questions)
    for path, word in (
        (data / "mt_bench/reference_answer/gpt-4.jsonl", "old"),
        (
            root / "fanqiwan/FuseAI/FuseChat-3.0/FuseEval/IF-Eval/MT-Bench/data/gpt-4-0125-preview.jsonl",
            "mended",
        ),
    ):
        write_table(path, [{"question_id": 111, "choices": [{"turns": [f"{word} one", f"{word} two"]}]}])
    prompts = []
    for name in ("single-v1", "single-v1-multi-turn", "single-math-v1", "single-math-v1-multi-turn"):
        turns = (
            "{question_1} {answer_1} {question_2} {answer_2}" if "multi" in name else "{question} {answer}"
        )
        references = " {ref_answer_1} {ref_answer_2}" if "multi" in name else " {ref_answer_1}"
        template = turns + (references if "math" in name else "")
        prompts.append({"name": name, "system_prompt": name, "prompt_template": template})
    write_table(data / "judge_prompts.jsonl", prompts)


def write_align_bench(folder: Path) -> None:
    """One question of each half."""
    rows = [
        {"question_id": n, "category": category, "subcategory": "s", "question": f"问 {n}", "reference": "r", "evidences": []}
        for n, category in enumerate(("数学计算", "文本写作"))
    ]  # fmt: skip
    write_table(folder / "data" / "data_v1.1_release.jsonl", rows)
    (folder / "config").mkdir()
    for name, content in (
        ("subcategory_question_mapping", {"s": "kind"}),
        ("dimension_set", {"kind": ["d1", "d2"]}),
        ("dimension_definition", {"d1": "one", "d2": "two"}),
    ):
        (folder / "config" / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    source = 'def prompt_construct():\n    base_prompt = "{category}|{dimensions}" \\\n        "{{k}}|{question}|{reference}|{answer}"\n'
    (folder / "judge.py").write_text(f"import no_such_module\n{source}", encoding="utf-8")


def write_prompt_sources(root: Path) -> None:
    """Made-up prompt texts in source files of the shapes that the published repositories have."""
    sources = {
        "QwenLM/Qwen2.5-Math/evaluation/utils.py": (
            'import nothing\nPROMPTS = {"qwen25-math-cot": ("<|im_start|>system\\nBox it in {{}}.<|im_end|>\\n", "o", "n")}\n'
        ),
        "LiveCodeBench/LiveCodeBench/lcb_runner/prompts/code_generation.py": (
            "import nothing\nclass PromptConstants:\n"
            '    SYSTEM_MESSAGE_GENERIC = f"Be a programmer."\n'
            '    FORMATTING_MESSAGE_WITH_STARTER_CODE = "Use the starter."\n'
            '    FORMATTING_WITHOUT_STARTER_CODE = "Read stdin."\n'
            "def get_generic_question_template_answer(question):\n"
            '    return f"### Question {question}" + f"### Answer: (here)\\n\\n"\n'
        ),
        "WildEval/ZeroEval/src/templates/MCQA.py": 'MCQA = """\nAsk {question}\nOf\n{choices}\nAs {"answer": "_"}\n"""\n',
        "EleutherAI/lm-evaluation-harness/lm_eval/tasks/llama3/instruct/mmlu_cot/_mmlu_cot_llama_template_yaml": (
            'doc_to_text: "Q {{question}}\\nD. {{choices[3]}}\\n\\n- Be brief.\\nwhere the [x] is one of A, B, C or D.\\n\\nThink."\n'
        ),
    }
    for path, text in sources.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
