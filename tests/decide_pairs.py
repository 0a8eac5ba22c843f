"""Runs the pair rules on generated answers, from files to ids, in the form of the brute force."""

import json
import random
from pathlib import Path
from typing import Any

from brute_force_pairs import STEP, Answer

from fusechat.jsonl import read_prompts
from scoring.pairing.answer_table import AnswerTable, read_answers
from scoring.pairing.decisions import DatasetDecisions, decide_all
from scoring.pairing.joins import join_code_verdicts, join_math_verdicts, join_rm_scores
from scoring.pairing.rules import PairRules


def write_files(
    folder: Path, prompts: list[dict[str, Any]], answers: list[Answer], shuffle_seed: int
) -> None:
    """Writes the data in a random order, some answers and scores twice, answers over three files."""
    rng = random.Random(shuffle_seed)

    def write(name: str, rows: list[dict[str, Any]]) -> None:
        rng.shuffle(rows)
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / name).write_text(text, encoding="utf-8")

    responses = [
        {
            "response_id": answer.id,
            "prompt_id": answer.prompt_id,
            "source": answer.source,
            "sample_index": answer.sample,
            "text": answer.text,
            "finish_reason": "length" if answer.truncated else "stop",
        }
        for answer in answers
        for _ in range(rng.choice([1, 1, 1, 2]))
    ]
    rng.shuffle(responses)
    for part in range(3):
        write(f"answers-{part:05d}-of-00003.jsonl", responses[part::3])
    noise = {answer.id: rng.uniform(-2e-7, 2e-7) for answer in answers}
    scores = [
        {"response_id": answer.id, "rm_score": answer.steps * STEP + noise[answer.id]}
        for answer in answers
        for _ in range(rng.choice([1, 1, 2]))
    ]
    write("scores.jsonl", scores)
    domain_of = {prompt["prompt_id"]: prompt["domain"] for prompt in prompts}
    correct = {"right": True, "wrong": False, "undecided": None}
    write(
        "math.jsonl",
        [
            {"response_id": answer.id, "correct": correct[str(answer.verdict)]}
            for answer in answers
            if domain_of[answer.prompt_id] == "math"
        ],
    )
    write(
        "code.jsonl",
        [
            {"response_id": answer.id, "verdict": answer.verdict}
            for answer in answers
            if domain_of[answer.prompt_id] == "code"
        ],
    )
    write("prompts.jsonl", list(prompts))


def decide_files(folder: Path, rules: PairRules) -> tuple[AnswerTable, list[DatasetDecisions]]:
    """The code under test, from the files to the decisions."""
    prompts = read_prompts([folder / "prompts.jsonl"])
    table = read_answers([str(folder / "answers.jsonl")], prompts, rules.chinese_min_cjk_share)
    for join, name in (
        (join_rm_scores, "scores"),
        (join_math_verdicts, "math"),
        (join_code_verdicts, "code"),
    ):
        if (folder / f"{name}.jsonl").stat().st_size:
            join(table, [str(folder / f"{name}.jsonl")])
    return table, decide_all(table, prompts, rules)


def ids_of(
    table: AnswerTable, datasets: list[DatasetDecisions]
) -> tuple[dict[str, str], set[tuple[str, str]]]:
    """Decisions as ids, in the form of the brute force."""
    ids = table.response_ids()
    sft = {
        prompt_id: ids[decision.sft.row]
        for group in datasets
        for prompt_id, decision in group.decisions.items()
        if decision.sft
    }
    dpo = {
        (ids[pair.chosen.row], ids[pair.rejected.row])
        for group in datasets
        for decision in group.decisions.values()
        for pair in decision.pairs
    }
    return sft, dpo
