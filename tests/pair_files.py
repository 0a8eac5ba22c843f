"""A small run folder for tests of make_pairs.py: prompts of all domains, answers of two sources, scores, verdicts."""

import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from scoring import make_pairs

SOURCES = ("ann", "bob")
DATASETS = {
    "instruction": "openbmb/UltraFeedback",
    "math": "nvidia/OpenMathInstruct-2",
    "code": "greengerong/leetcode",
    "chinese": "llamafactory/alpaca_gpt4_zh",
}
PROMPTS = {"instruction": 10, "math": 4, "code": 4, "chinese": 2}
SAMPLES = 3


def prompt_rows() -> list[dict[str, Any]]:
    """20 prompts; the first instruction prompt has several turns."""
    rows = []
    for domain, count in PROMPTS.items():
        for number in range(count):
            messages = [
                {"role": "user", "content": f"{domain} question {number}\u2028 with a line separator"}
            ]
            if domain == "instruction" and number == 0:
                messages = [
                    *messages,
                    {"role": "assistant", "content": "Go on."},
                    {"role": "user", "content": "So?"},
                ]
            rows.append(
                {
                    "prompt_id": f"{domain}-{number}",
                    "dataset": DATASETS[domain],
                    "domain": domain,
                    "messages": messages,
                    "gold_answer": "1" if domain == "math" else None,
                    "meta": {"n": number},
                }
            )
    return rows


def response_rows() -> list[dict[str, Any]]:
    """Three answers of two sources to each prompt, one to the Chinese ones; all texts differ."""
    rows = []
    for prompt in prompt_rows():
        chinese = prompt["domain"] == "chinese"
        for source in SOURCES[:1] if chinese else SOURCES:
            for sample in range(1 if chinese else SAMPLES):
                response_id = f"{prompt['prompt_id']}:{source}:{sample}"
                rows.append(
                    {
                        "response_id": response_id,
                        "prompt_id": prompt["prompt_id"],
                        "source": source,
                        "sample_index": sample,
                        "text": f"回答回答回答回答回答\u2028 {sample}"
                        if chinese
                        else f'Answer \u2028 "{response_id}"' + "." * sample,
                        "finish_reason": "stop",
                        "num_tokens": 7,
                        "seed": 1,
                    }
                )
    return rows


def _sampled(domain: str | None = None) -> Iterable[tuple[dict[str, Any], str]]:
    domains = {prompt["prompt_id"]: prompt["domain"] for prompt in prompt_rows()}
    for row in response_rows():
        of = domains[row["prompt_id"]]
        if domain == of or (domain is None and of != "chinese"):
            yield row, of


def score_rows() -> list[dict[str, Any]]:
    """0.20, 0.17, 0.14 for samples 0, 1, 2 of ann; 0.005 less and 0.02 apart for bob."""
    return [
        {
            "response_id": row["response_id"],
            "rm_score": 0.20 - 0.03 * row["sample_index"]
            if row["source"] == "ann"
            else 0.195 - 0.02 * row["sample_index"],
            "rm_truncated": False,
        }
        for row, _ in _sampled()
    ]


def math_rows() -> list[dict[str, Any]]:
    """Problem 0: sample 0 is right. 1: all are right. 2: none is. 3: the worst-scored alone is right."""

    def correct(row: dict[str, Any]) -> bool:
        sample = row["sample_index"]
        return {"0": sample == 0, "1": True, "2": False, "3": sample == 2}[row["prompt_id"][-1]]

    return [
        {"response_id": row["response_id"], "correct": correct(row), "extracted": "1"}
        for row, _ in _sampled("math")
    ]


def code_rows() -> list[dict[str, Any]]:
    """The same for code: mixed, all pass, none passes, mixed but the failing ones score higher."""

    def verdict(row: dict[str, Any]) -> str:
        sample = row["sample_index"]
        passes = {"0": sample == 0, "1": True, "2": False, "3": sample == 2}[row["prompt_id"][-1]]
        return "pass" if passes else "fail"

    return [
        {"response_id": row["response_id"], "verdict": verdict(row), "static": {}}
        for row, _ in _sampled("code")
    ]


FILES: dict[str, Callable[[], list[dict[str, Any]]]] = {
    "prompts": prompt_rows,
    "responses": response_rows,
    "rm_scores": score_rows,
    "math_checks": math_rows,
    "code_tests": code_rows,
}


def write_run(folder: Path, **replaced: list[Any]) -> list[str]:
    """Writes the five files (rows by name replace the made ones; strings are lines as they are); returns the flags."""
    folder.mkdir(parents=True, exist_ok=True)
    flags = []
    for name, make_rows in FILES.items():
        rows = replaced.get(name)
        rows = make_rows() if rows is None else rows
        lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
        path = folder / f"{name}.jsonl"
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        flags += [f"--{name.replace('_', '-')}", str(path)]
    return [*flags, "--output-dir", str(folder / "pairs"), "--report-to", "none"]


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a JSONL file (split at LF only: texts hold U+2028)."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


class Make:
    """Runs the script's main() in this process on a small run folder."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.monkeypatch, self.folder = monkeypatch, folder

    def __call__(self, *flags: object, folder: str = "run", **replaced: list[Any]) -> Path:
        """Writes the run folder (rows by name replace the made ones), runs, returns the output folder."""
        self.on([*write_run(self.folder / folder, **replaced), *map(str, flags)])
        return self.folder / folder / "pairs"

    def on(self, flags: list[str]) -> None:
        """Runs with these flags alone."""
        self.monkeypatch.setattr(sys, "argv", ["make_pairs.py", *flags])
        make_pairs.main()


def changed(rows: list[dict[str, Any]], index: int, **fields: Any) -> list[Any]:
    """The rows with some fields of one row replaced."""
    return [{**row, **fields} if place == index else row for place, row in enumerate(rows)]
