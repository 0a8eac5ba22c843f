"""Run folders for the tests of evaluation/report.py: every step's files in the contract's places.

The pairs come from the real scoring/make_pairs.py; the answers hold code, formulas, and text that tries to become part
of the page.
"""

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ("ann", "bob <i>")
DATASETS = {
    "instruction": "openbmb/UltraFeedback",
    "math": "nvidia/OpenMathInstruct-2",
    "code": "greengerong/leetcode",
    "chinese": "llamafactory/alpaca_gpt4_zh",
}
PROMPTS = {"instruction": 20, "math": 12, "code": 8, "chinese": 2}
SAMPLES = 3
HOSTILE = (
    "</script><script>document.title='owned'</script>",
    "<img src=x onerror=\"document.title='owned'\">",
    "--><svg onload=document.title='owned'>",
    "$\\href{javascript:document.title='owned'}{x}$ and $\\class{top}{y}$",
    "{{ 7 * 191 }} {% raw %} \u2028 \x07 ]]>",
)
PROSE = "Plain prose, **bold words**, `inline code`, and $5 for two or $6 for three."
FORMULAS = (
    "# A heading\nThe root is $\\frac{-b \\pm \\sqrt{b^2-4ac}}{2a}$, so\n\\[ x = \\boxed{7} \\]\n"
    "\\begin{align*} a &= 1 \\\\ b &= 2 \\end{align*}\nand $\\notacommand{1}$ stays."
)
CODE = "Try this:\n```python\ndef add(a, b):\n    # adds <two> numbers\n    return a + b\n```\nIt works."
SEARCHED = "Zwetschgenknödel"


def write_jsonl(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """One object a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def prompt_rows() -> list[dict[str, Any]]:
    """42 prompts; every instruction prompt tries to break out of the page."""
    rows = []
    for domain, number_of_prompts in PROMPTS.items():
        for number in range(number_of_prompts):
            text = f"{domain} question {number}"
            if domain == "instruction":
                text += f"\n{HOSTILE[number % len(HOSTILE)]}"
            rows.append(
                {
                    "prompt_id": f"{domain}-{number}",
                    "dataset": DATASETS[domain],
                    "domain": domain,
                    "messages": [{"role": "user", "content": text}],
                    "gold_answer": "7" if domain == "math" else None,
                    "tests": {"asserts": ["assert add(1, 2) == 3"]} if domain == "code" else None,
                }
            )
    return rows


def answer_text(domain: str, number: int, source: str, sample: int) -> str:
    """An answer that is told apart from all others."""
    text = {
        "instruction": f"{PROSE} {HOSTILE[(number + sample) % len(HOSTILE)]}",
        "math": FORMULAS,
        "code": CODE,
        "chinese": "回答回答回答回答回答",
    }[domain]
    word = SEARCHED if (domain, number, sample) == ("math", 3, 0) else ""
    return f"{text}\n{source} {number} {sample} {word}"


def response_rows(source: str) -> list[dict[str, Any]]:
    """Three answers to each prompt; the Chinese ones have one, of the first source alone."""
    rows = []
    for prompt in prompt_rows():
        chinese = prompt["domain"] == "chinese"
        if chinese and source != SOURCES[0]:
            continue
        for sample in range(1 if chinese else SAMPLES):
            number = int(prompt["prompt_id"].rsplit("-", 1)[1])
            rows.append(
                {
                    "response_id": f"{prompt['prompt_id']}:{source}:{sample}",
                    "prompt_id": prompt["prompt_id"],
                    "source": source,
                    "sample_index": sample,
                    "text": answer_text(prompt["domain"], number, source, sample),
                    "finish_reason": "stop",
                    "num_tokens": 40 + sample,
                    "seed": 1,
                }
            )
    return rows


def domain_of(row: dict[str, Any]) -> str:
    """The domain that a response's prompt is of."""
    return str(row["prompt_id"]).split("-", 1)[0]


def write_steps(run: Path) -> None:
    """Prompts, responses, scores and verdicts. Sample 0 is right and scores highest; bob is a little ahead in odd prompts."""
    write_jsonl(run / "prompts.jsonl", prompt_rows())
    scores, code, math = [], [], []
    for place, source in enumerate(SOURCES):
        rows = response_rows(source)
        write_jsonl(run / "responses" / f"source{place}.jsonl", rows)
        for row in rows:
            response_id, sample = row["response_id"], row["sample_index"]
            if domain_of(row) != "chinese":
                number = int(row["prompt_id"].rsplit("-", 1)[1])
                ahead = 0.005 if number % 2 else -0.005
                score = 0.2 - (0.03 + number / 1000) * sample + ahead * place
                scores.append({"response_id": response_id, "rm_score": score, "rm_truncated": False})
            if domain_of(row) == "code":
                code.append(code_verdict(response_id, passes=sample == 0))
            if domain_of(row) == "math":
                math.append(
                    {"response_id": response_id, "correct": sample == 0, "extracted": str(7 + sample)}
                )
    write_jsonl(run / "rm_scores.jsonl", scores)
    write_jsonl(run / "code_tests.jsonl", code)
    write_jsonl(run / "math_checks.jsonl", math)
    record = {"script": "scoring/score_armorm.py", "settings": {"model": "tiny"}, "seconds": 12.5}
    (run / "rm_scores.jsonl.run.json").write_text(json.dumps(record), encoding="utf-8")


def code_verdict(response_id: str, *, passes: bool) -> dict[str, Any]:
    """A verdict as run_code_tests.py writes it; a failing one names the first failed test."""
    failure = None if passes else {"test": "assert add(1, 2) == 3", "got": "<b>4</b>"}
    return {
        "response_id": response_id,
        "verdict": "pass" if passes else "fail",
        "reason": None if passes else "assertion failed",
        "passed_tests": int(passes),
        "total_tests": 1,
        "first_failure": failure,
    }


def make_pairs(run: Path) -> None:
    """sft.jsonl, dpo.jsonl and composition.json by the real step."""
    command = [sys.executable, str(ROOT / "scoring" / "make_pairs.py"), "--preset", "paper"]
    for flag, name in (
        ("--prompts", "prompts.jsonl"),
        ("--responses", "responses"),
        ("--rm-scores", "rm_scores.jsonl"),
        ("--code-tests", "code_tests.jsonl"),
        ("--math-checks", "math_checks.jsonl"),
        ("--output-dir", "pairs"),
    ):
        command += [flag, str(run / name)]
    subprocess.run([*command, "--report-to", "none"], check=True, capture_output=True, text=True)


def write_training(run: Path, steps: int = 30) -> None:
    """metrics.jsonl of both trainers, with held-out figures at the end."""
    for name in ("sft", "lndpo"):
        folder = run / "models" / name
        rows = []
        for step in range(1, steps + 1):
            row = {"step": step, "loss": 2 / step, "learning_rate": 1e-6 * step, "grad_norm": 1.0}
            if name == "lndpo":
                row |= {"rewards/margins": 0.1 * step, "rewards/accuracies": min(1.0, step / steps)}
            rows.append(row)
        rows.append({"step": steps, "eval/loss": 0.5})
        write_jsonl(folder / "metrics.jsonl", rows)
        started = "2026-01-01T00:00:00Z" if name == "sft" else "2026-01-02T00:00:00Z"
        record = {
            "script": f"training/train_{name}.py", "status": "complete", "started": started,
            "arguments": {"learning_rate": 1e-6}, "counts": {"trained_on": 20, "held_out": 2}, "seconds": 99.0,
        }  # fmt: skip
        (folder / "run.json").write_text(json.dumps(record), encoding="utf-8")


def model_score(score: float | None, gain: float | None = None) -> dict[str, Any]:
    """One model's entry of scores.json."""
    difference = None
    if gain is not None:
        difference = {
            "difference": gain, "interval_95": [gain - 2, gain + 2], "more_than_noise": abs(gain) > 2, "n": 50,
        }  # fmt: skip
    return {
        "score": score, "standard_error": None if score is None else 1.5, "n": 50,
        "n_missing": 0 if score is not None else 3, "complete": score is not None, "missing": [],
        "breakdown": {"level: 1": 40.0} if score is not None else {}, "difference_to_first": difference,
    }  # fmt: skip


def write_evaluation(run: Path) -> None:
    """scores.json: two benchmarks that are complete, one of which counts to 10, and one that is not."""
    base_and_sft = {"base": model_score(20.0), "sft <b>": model_score(31.5, 11.5)}
    ten = {"base": model_score(5.0), "sft <b>": model_score(4.5, -0.5)}
    content = {
        "models": ["base", "sft <b>"],
        "benchmarks": {
            "gsm8k": {"title": "GSM8K", "scale": 100.0, "models": base_and_sft},
            "mt_bench": {"title": "MT-Bench", "scale": 10.0, "models": ten},
            "math": {
                "title": "MATH", "scale": 100.0,
                "models": {"base": model_score(None), "sft <b>": model_score(None)},
            },
        },
        "average": None, "limit": 50, "seed": 0, "judge": None, "other_judges": {}, "compare_report": None,
    }  # fmt: skip
    (run / "evaluation").mkdir(parents=True, exist_ok=True)
    (run / "evaluation" / "scores.json").write_text(json.dumps(content), encoding="utf-8")


def write_run(run: Path) -> Path:
    """A whole run."""
    write_steps(run)
    make_pairs(run)
    write_training(run)
    write_evaluation(run)
    return run


def many_pairs(run: Path, count: int) -> None:
    """`count` pairs in pairs/dpo.jsonl and nothing else, as a run of the report's full size has them, but short."""

    def row(number: int) -> dict[str, Any]:
        chosen, rejected = 0.1 + (number % 1000) / 10_000, 0.1
        return {
            "prompt": [{"role": "user", "content": f"Question {number}: what is {number} + 1?"}],
            "chosen": [{"role": "assistant", "content": f"It is {number + 1}."}],
            "rejected": [{"role": "assistant", "content": f"It is {number}."}],
            "prompt_id": f"p-{number}",
            "dataset": f"set-{number % 4}",
            "domain": "math",
            "source": f"source-{number % 5}",
            "chosen_rm_score": chosen,
            "rejected_rm_score": rejected,
            "margin": chosen - rejected,
        }

    write_jsonl(run / "pairs" / "dpo.jsonl", map(row, range(count)))
