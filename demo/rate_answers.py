r"""Rate the demo's answers by rule, as training data for a reward model's head.

    python demo/rate_answers.py --prompts runs/demo/prompts.jsonl --responses runs/demo/responses \
        --code-tests runs/demo/code_tests.jsonl --math-checks runs/demo/math_checks.jsonl \
        --rated runs/demo/rm_training/rated.jsonl --pairs runs/demo/rm_training/pairs.jsonl

Reads: prompts, responses and the verdicts on them.
Writes: one line per answer {messages, labels, prompt_id, source} with the objectives of demo/objectives.yaml (null
where an objective says nothing about the answer), and pairs of a right and a wrong answer to the same prompt
{prompt, chosen, rejected, prompt_id}.
"""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Container, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import msgspec

from demo.constraints import is_kept
from fusechat.command_line import StepArgs, parse_args, run
from fusechat.errors import BadInput
from fusechat.jsonl import read_jsonl, read_prompts, read_responses
from fusechat.output_file import OutputFile
from fusechat.records import CodeVerdict, MathVerdict, Message, Prompt, Response
from fusechat.run_manifest import Manifest

Labels = dict[str, float | None]

# The last line of a maths answer, alone: "#### 12".
FINAL_LINE = re.compile(r"(?:^|\n)#### *-?\$?\d[\d,.]*\s*$")
CODE_BLOCK = re.compile(r"```python\n.+?\n```", re.DOTALL)
CHINESE = re.compile(r"[\u4e00-\u9fff]")


@dataclass(kw_only=True)
class Args(StepArgs):
    """Settings of the rating."""

    prompts: list[str]
    """Files, folders or globs of prompts."""
    responses: list[str]
    """Files, folders or globs of responses to them."""
    code_tests: list[str]
    """Files, folders or globs of code verdicts."""
    math_checks: list[str]
    """Files, folders or globs of maths verdicts."""
    rated: Path
    """File that gets one rated answer a line."""
    pairs: Path
    """File that gets one pair a line."""
    pairs_per_prompt: int = 8
    """Most pairs that one prompt gives."""
    seed: int = 0
    """Seed of the choice among a prompt's pairs."""


@dataclass(frozen=True)
class RatedAnswer:
    response: Response
    labels: Labels
    quality: float | None  # what pairs are made by; None: in no pair

    @property
    def row_id(self) -> str:
        return self.response.response_id


def format_rating(prompt: Prompt, response: Response) -> float:
    """1 where the answer ends by itself and has the form that its prompt asks for."""
    text = response.text.rstrip()
    if response.finish_reason != "stop" or not text:
        return 0.0
    if prompt.domain == "math":
        return float(bool(FINAL_LINE.search(text)) and text.count("####") == 1)
    if prompt.domain == "code":
        return float(len(CODE_BLOCK.findall(text)) == 1)
    if prompt.domain == "chinese":
        return float(len(CHINESE.findall(text)) >= len(text) / 2)
    return 1.0


def rate(
    prompt: Prompt, response: Response, code: CodeVerdict | None, math: MathVerdict | None
) -> RatedAnswer:
    """All labels of one answer; an objective of another domain is None."""
    labels: Labels = {
        "math-correctness": None,
        "code-pass-share": None,
        "instruction-following": None,
        "format": format_rating(prompt, response),
        "verbosity": float(min(response.num_tokens or len(response.text.split()), 120)),
    }
    main: str | None = None
    if prompt.domain == "math" and math is not None and math.correct is not None:
        main = "math-correctness"
        labels[main] = float(math.correct)
    elif prompt.domain == "code" and code is not None and code.verdict != "bad_tests":
        main = "code-pass-share"
        labels[main] = code.passed_tests / code.total_tests if code.total_tests else 0.0
    elif prompt.domain == "instruction" and "constraint" in prompt.meta:
        main = "instruction-following"
        labels[main] = float(is_kept(prompt.meta["constraint"], response.text))
    if main is None:
        return RatedAnswer(response, labels, None)
    # Of two equally right answers the one in the asked form is the better one, but form never outweighs content.
    quality = (labels[main] or 0.0) + 0.1 * (labels["format"] or 0.0)
    return RatedAnswer(response, labels, quality)


def pairs_of(answers: list[RatedAnswer], most: int, seed: int) -> list[tuple[RatedAnswer, RatedAnswer]]:
    """(better, worse) answers to one prompt: at most `most`, chosen by a seeded hash, no text against itself."""
    rated = [answer for answer in answers if answer.quality is not None and answer.response.text.strip()]
    candidates = [
        (better, worse)
        for better, worse in product(rated, rated)
        if (better.quality or 0.0) > (worse.quality or 0.0) and better.response.text != worse.response.text
    ]

    def place(pair: tuple[RatedAnswer, RatedAnswer]) -> str:
        return hashlib.sha256(f"{seed}:{pair[0].row_id}:{pair[1].row_id}".encode()).hexdigest()

    return sorted(candidates, key=place)[:most]


def rated_row(prompt: Prompt, answer: RatedAnswer) -> dict[str, Any]:
    answer_message = Message(role="assistant", content=answer.response.text)
    return {
        "response_id": answer.row_id,
        "messages": msgspec.to_builtins([*prompt.messages, answer_message]),
        "labels": answer.labels,
        "prompt_id": prompt.prompt_id,
        "source": answer.response.source,
    }


def pair_row(prompt: Prompt, better: RatedAnswer, worse: RatedAnswer) -> dict[str, Any]:
    return {
        "pair_id": f"{better.row_id}>{worse.row_id}",
        "prompt": msgspec.to_builtins(prompt.messages),
        "chosen": [{"role": "assistant", "content": better.response.text}],
        "rejected": [{"role": "assistant", "content": worse.response.text}],
        "prompt_id": prompt.prompt_id,
    }


def read_verdicts(args: Args) -> tuple[dict[str, CodeVerdict], dict[str, MathVerdict]]:
    code = {verdict.response_id: verdict for verdict in read_jsonl(args.code_tests, CodeVerdict)}
    math = {verdict.response_id: verdict for verdict in read_jsonl(args.math_checks, MathVerdict)}
    return code, math


def rate_all(args: Args) -> Iterator[tuple[Prompt, list[RatedAnswer]]]:
    """Every prompt with its rated answers; an answer without the verdict of its domain is an error."""
    prompts = read_prompts(args.prompts)
    code, math = read_verdicts(args)
    judged: dict[str, Container[str]] = {"code": code, "math": math}
    answers: dict[str, list[RatedAnswer]] = defaultdict(list)
    for response in read_responses(args.responses, prompts):
        prompt = prompts[response.prompt_id]
        known = judged.get(prompt.domain)
        if known is not None and response.response_id not in known:
            raise BadInput(
                f"no {prompt.domain} verdict for the answer {response.response_id}; run the checks on all responses"
            )
        answers[prompt.prompt_id].append(
            rate(prompt, response, code.get(response.response_id), math.get(response.response_id))
        )
    for prompt_id, group in answers.items():
        yield prompts[prompt_id], group


def write_rows(path: Path, rows: list[dict[str, Any]], id_field: str, args: Args) -> None:
    inputs = {name: getattr(args, name) for name in ("prompts", "responses", "code_tests", "math_checks")}
    manifest = Manifest(script=__file__, args=args, inputs=inputs, free=("rated", "pairs"))
    output = OutputFile(path, id_field=id_field, manifest=manifest, overwrite=args.overwrite)
    if output.is_complete:
        output.say_complete()
        return
    with output:
        for row in rows:
            if row[id_field] not in output.done:
                output.write(row)
        output.finish(counts={"rows": len(rows)})
    print(f"{path}: {len(rows)} rows")


def main() -> None:
    args = parse_args(Args)
    rated_rows: list[dict[str, Any]] = []
    pair_rows: list[dict[str, Any]] = []
    domains: Counter[str] = Counter()
    for prompt, answers in rate_all(args):
        rated_rows += [rated_row(prompt, answer) for answer in answers if answer.response.text.strip()]
        pairs = pairs_of(answers, args.pairs_per_prompt, args.seed)
        pair_rows += [pair_row(prompt, better, worse) for better, worse in pairs]
        domains[prompt.domain] += len(pairs)
    if not pair_rows:
        raise BadInput(
            "no prompt has a right and a wrong answer, so there is nothing to learn from; sample more answers"
        )
    print("pairs by domain:", ", ".join(f"{domain} {count}" for domain, count in sorted(domains.items())))
    write_rows(args.rated, rated_rows, "response_id", args)
    write_rows(args.pairs, pair_rows, "pair_id", args)


if __name__ == "__main__":
    run(main)
