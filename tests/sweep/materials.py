"""Inputs of every step of the recipe, small, all made here: prompts, answers, scores, verdicts, rows, models, datasets."""

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import selection_fixtures
from pair_files import DATASETS, SOURCES
from tiny_models import make_tiny_model
from tiny_reward_models import make_tiny_armorm

COUNTS = {"instruction": 30, "math": 90, "code": 8, "chinese": 8}
SAMPLES = 3
Row = dict[str, Any]


def write_rows(path: Path, rows: Iterable[Row | str]) -> Path:
    """Writes rows, or lines as they are, to a JSONL file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def prompt_rows() -> list[Row]:
    """Prompts of all domains; one gold answer in 30 needs symbolic comparison."""
    rows = []
    for domain, count in COUNTS.items():
        for number in range(count):
            gold = rf"\frac{{{number}}}{{7}}" if number % 30 == 0 else str(number)
            tests = {
                "asserts": [f"assert f({number}) == {number + 1}", f"assert f(0) == {1}"],
                "entry_point": "f",
            }
            rows.append({
                "prompt_id": f"{domain}-{number}", "dataset": DATASETS[domain], "domain": domain,
                "messages": [{"role": "user", "content": f"{domain} question {number}\u2028 of the sweep"}],
                "gold_answer": gold if domain == "math" else None, "tests": tests if domain == "code" else None,
            })  # fmt: skip
    return rows


def answer_text(domain: str, number: int, source: str, sample: int) -> str:
    """An answer that is right for sample 0, and not for the others."""
    if domain == "math":
        right = rf"\boxed{{{2 * number}/14}}" if number % 30 == 0 else f"#### {number}"
        return f"{source} says{'.' * sample} " + (right if sample == 0 else "#### 99999")
    if domain == "code":
        body = (
            f"return x + 1  # {source} {number}"
            if sample == 0
            else f"return x - {sample}  # {source} {number}"
        )
        return f"```python\ndef f(x):\n    {body}\n```"
    if domain == "chinese":
        return f"回答回答回答回答回答\u2028 {number}"
    return f"Answer {number} by {source}" + "." * sample


def response_rows(source: str) -> list[Row]:
    """All answers of a source; only the first source answers in Chinese, once."""
    rows = []
    for prompt in prompt_rows():
        domain, number = prompt["domain"], int(prompt["prompt_id"].rsplit("-", 1)[1])
        samples = SAMPLES if domain != "chinese" else int(source == SOURCES[0])
        for sample in range(samples):
            rows.append({
                "response_id": f"{prompt['prompt_id']}:{source}:{sample}", "prompt_id": prompt["prompt_id"],
                "source": source, "sample_index": sample, "finish_reason": "stop", "num_tokens": 7, "seed": 1,
                "text": answer_text(domain, number, source, sample),
            })  # fmt: skip
    return rows


def verdict_rows() -> tuple[list[Row], list[Row], list[Row]]:
    """(RM scores, code verdicts, maths verdicts) of all answers."""
    scores: list[Row] = []
    code: list[Row] = []
    maths: list[Row] = []
    for source in SOURCES:
        for row in response_rows(source):
            response_id, sample, domain = (
                row["response_id"],
                row["sample_index"],
                row["prompt_id"].split("-")[0],
            )
            if domain != "chinese":
                scores.append(
                    {"response_id": response_id, "rm_score": 0.2 - 0.03 * sample, "rm_truncated": False}
                )
            if domain == "code":
                code.append(
                    {"response_id": response_id, "verdict": "fail" if sample else "pass", "static": {}}
                )
            if domain == "math":
                maths.append({"response_id": response_id, "correct": sample == 0, "extracted": "1"})
    return scores, code, maths


def training_rows(count: int) -> tuple[list[Row], list[Row]]:
    """(SFT rows, preference pairs) of small sums."""
    sft_rows, pairs = [], []
    for number in range(count):
        prompt = [{"role": "user", "content": f"What is {number} plus {2 * number}?"}]
        right, wrong = ([{"role": "assistant", "content": f"It is {3 * number + off}."}] for off in (0, 1))
        about = {"prompt_id": f"p{number}", "dataset": "made/sums", "domain": "math", "source": "ann"}
        sft_rows.append({"messages": [*prompt, *right], "rm_score": 0.1, **about})
        pairs.append({
            "prompt": prompt, "chosen": right, "rejected": wrong, "chosen_rm_score": 0.1, "rejected_rm_score": 0.0,
            **about,
        })  # fmt: skip
    return sft_rows, pairs


def rated_rows(count: int) -> tuple[list[Row], list[Row]]:
    """(rated answers, preference pairs) to fit a reward model's head on."""
    rated = [
        {
            "messages": [
                {"role": "user", "content": f"question {number // 3}"},
                {"role": "assistant", "content": f"answer {number} " + "and more " * (number % 3)},
            ],
            "labels": {"correctness": number % 2, "verbosity": 1 + number % 3},
        }
        for number in range(3 * count)
    ]
    pairs = [
        {
            "prompt": [{"role": "user", "content": f"question {number}"}],
            "chosen": [{"role": "assistant", "content": f"answer {3 * number} "}],
            "rejected": [{"role": "assistant", "content": f"wrong {number}"}],
        }
        for number in range(count)
    ]
    return rated, pairs


def make_materials(folder: Path) -> Path:
    """Writes everything into `folder` (and a run folder for the report into it); returns it."""
    write_rows(folder / "prompts.jsonl", prompt_rows())
    for source in SOURCES:
        write_rows(folder / "responses" / f"{source}.jsonl", response_rows(source))
    for name, rows in zip(("rm_scores", "code_tests", "math_checks"), verdict_rows(), strict=True):
        write_rows(folder / f"{name}.jsonl", rows)
    for name, rows in zip(("sft", "dpo"), training_rows(24), strict=True):
        write_rows(folder / f"{name}.jsonl", rows)
    for name, rows in zip(("rated", "rated_pairs"), rated_rows(30), strict=True):
        write_rows(folder / f"{name}.jsonl", rows)
    write_rows(folder / "heldout.jsonl", [row for row in prompt_rows() if row["domain"] == "math"][:40])
    selection_fixtures.write_all(folder / "datasets")
    make_tiny_model(folder / "model", hidden_size=32)
    make_tiny_armorm(folder / "armorm", hidden_size=32)
    sources = (
        "tiny: {model: nowhere/tiny, temperature: 1.0, top_p: 1.0, max_tokens: 20, max_model_len: 512}\n"
    )
    (folder / "sources.yaml").write_text(sources, encoding="utf-8")
    _make_broken_models(folder)
    run = folder / "run"
    for name in ("prompts.jsonl", "rm_scores.jsonl", "code_tests.jsonl", "math_checks.jsonl"):
        (run / name).parent.mkdir(exist_ok=True)
        shutil.copy(folder / name, run / name)
    shutil.copytree(folder / "responses", run / "responses")
    for name in ("sft.jsonl", "dpo.jsonl"):
        (run / "pairs").mkdir(exist_ok=True)
        shutil.copy(folder / name, run / "pairs" / name)
    return folder


def _make_broken_models(folder: Path) -> None:
    """model-without-weights and model-without-template, of both models."""
    for name in ("model", "armorm"):
        bare = shutil.copytree(folder / name, folder / f"{name}-without-weights")
        (bare / "model.safetensors").unlink()
        mute = shutil.copytree(folder / name, folder / f"{name}-without-template")
        (mute / "chat_template.jinja").unlink()
