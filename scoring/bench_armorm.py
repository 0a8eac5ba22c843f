"""Measures scoring against the published way (one answer at a time, the prompt again each time), with equal scores.

    python scoring/bench_armorm.py --model RUN/models/armorm --answers-per-prompt 20 --dtype float32

Reads an ArmoRM folder; writes nothing, prints a table. Prompts and answers are random tokens of chat-like
lengths (the quantiles of a log-normal around the medians given). `--stream N` instead scores N made-up answers with
score_armorm.py in a process of its own and prints its peak memory, which must not grow with N.
"""

import functools
import json
import math
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist, mean
from typing import TYPE_CHECKING, Any, Literal

from fusechat.chat import load_tokenizer
from fusechat.command_line import parse_args, run
from fusechat.errors import BadInput
from fusechat.model_folder import check_model_folder
from scoring.prefix_batches import DEFAULT_TOKENS_PER_BATCH, PromptGroup

if TYPE_CHECKING:
    from scoring.armorm import ArmoRM
    from scoring.reward_models import RewardModel

Way = Callable[[], dict[str, float]]
LENGTH_SIGMA = 0.5  # of the logarithm: the longest tenth is twice the median
STREAM_WORDS = [
    "the",
    "answer",
    "is",
    "one",
    "of",
    "many",
    "that",
    "people",
    "like",
    "and",
    "so",
    "it",
    "goes",
    "on",
    "for",
    "a",
    "while",
]


@dataclass(kw_only=True)
class Args:
    """Settings of the measurement."""

    model: str
    """Folder of an ArmoRM."""
    num_prompts: int = 2
    """Prompts to score."""
    answers_per_prompt: int = 20
    """Answers to each of them."""
    prompt_tokens: int = 1000
    """Median length of a prompt: that of a chat of several turns."""
    answer_tokens: int = 200
    """Median length of an answer."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Number format of the backbone."""
    tokens_per_batch: list[int] | None = None
    """Budgets to try (default: that of score_armorm.py)."""
    stream: int = 0
    """Score this many answers with score_armorm.py instead, and print its peak memory."""
    rounds: int = 2
    """How often each way is timed, in turns; the shortest time counts."""
    seed: int = 0
    """Seed of lengths and tokens."""


def made_up_groups(args: Args, vocabulary: int, longest: int) -> list[PromptGroup]:
    """Prompts and answers of random plain tokens."""
    generator = random.Random(args.seed)

    def sequences(count: int, median: int) -> list[tuple[int, ...]]:
        # Evenly spaced quantiles, not draws: two or three draws can miss the median by half of it.
        quantiles = [NormalDist().inv_cdf((index + 0.5) / count) for index in range(count)]
        lengths = [round(median * math.exp(LENGTH_SIGMA * quantile)) for quantile in quantiles]
        generator.shuffle(lengths)
        return [
            tuple(generator.choices(range(vocabulary // 2, vocabulary), k=max(32, min(length, longest))))
            for length in lengths
        ]

    return [
        PromptGroup(
            prompt,
            tuple(sequences(args.answers_per_prompt, args.answer_tokens)),
            tuple(f"{number}.{answer}" for answer in range(args.answers_per_prompt)),
        )
        for number, prompt in enumerate(sequences(args.num_prompts, args.prompt_tokens))
    ]


def one_at_a_time(model: "ArmoRM", groups: list[PromptGroup]) -> dict[str, float]:
    """The published way: every conversation alone, prompt and all, through transformers' own layers."""
    import torch

    scores: dict[str, float] = {}
    with torch.inference_mode():
        for group in groups:
            for answer, key in zip(group.answers, group.keys, strict=True):
                ids = torch.tensor([[*group.prompt, *answer]], device=model.device)
                output = model(ids, prompt_lengths=torch.tensor([len(group.prompt)]))
                scores[key] = output["score"].item()
    return scores


def shared(reward_model: "RewardModel", groups: list[PromptGroup], budget: int) -> dict[str, float]:
    """Our way."""
    batches = reward_model.batches(groups, budget)
    return {scored.key: scored.score for batch in batches for scored in reward_model.score(batch)}


def timed_in_turns(ways: dict[str, Way], rounds: int) -> dict[str, tuple[dict[str, float], float]]:
    """Each way's scores, and the shortest of its times: other work on the machine only ever slows one down."""
    results: dict[str, tuple[dict[str, float], float]] = {}
    for _ in range(rounds):
        for name, work in ways.items():
            start = time.perf_counter()
            scores = work()
            seconds = time.perf_counter() - start
            results[name] = (scores, min(seconds, results[name][1] if name in results else seconds))
    return results


def compare(args: Args) -> None:
    """Prints answers a second of both ways, and the largest difference of their scores."""
    import torch
    import transformers

    from scoring.armorm import ArmoRM, load_armorm
    from scoring.reward_models import DTYPES, load_reward_model

    transformers.utils.logging.disable_progress_bar()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    reward_model = load_reward_model(args.model, load_tokenizer(args.model), dtype=args.dtype, device=device)
    if not isinstance(reward_model.model, ArmoRM):
        raise BadInput(f"{args.model}: is no ArmoRM; the published way is that of ArmoRM alone")
    config = reward_model.model.config
    published = load_armorm(args.model, dtype=DTYPES[args.dtype], device=device)
    published.config.gate_token_offset = config.gate_token_offset
    groups = made_up_groups(args, config.vocab_size, config.max_position_embeddings // 2)
    answers = sum(len(group.keys) for group in groups)
    alone_tokens = sum(len(group.prompt) + len(answer) for group in groups for answer in group.answers)
    shared_tokens = sum(group.num_tokens for group in groups)
    print(
        f"{len(groups)} prompts of {mean(len(group.prompt) for group in groups):.0f} tokens, {answers} answers of "
        f"{mean(len(answer) for group in groups for answer in group.answers):.0f}: {alone_tokens} tokens one at a time, "
        f"{shared_tokens} with shared prompts; {args.dtype} on {device}, {torch.get_num_threads()} threads",
        flush=True,
    )
    alone = "one at a time"
    ways: dict[str, Way] = {alone: lambda: one_at_a_time(published, groups)}
    for budget in args.tokens_per_batch or [DEFAULT_TOKENS_PER_BATCH[device]]:
        ways[f"shared, {budget} tokens a batch"] = functools.partial(shared, reward_model, groups, budget)
    results = timed_in_turns(ways, args.rounds)
    expected, alone_s = results[alone]
    for name, (scores, seconds) in results.items():
        difference = max(abs(scores[key] - expected[key]) for key in expected)
        print(
            f"{name:<28}{answers / seconds:10.2f} answers/s   {alone_s / seconds:5.2f} x   "
            f"largest difference {difference:.1e}"
        )


def stream(args: Args) -> None:
    """Scores made-up answers through the script itself and prints what memory that took."""
    generator = random.Random(args.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        num_prompts = max(1, args.stream // args.answers_per_prompt)
        prompts: list[dict[str, Any]] = []
        with (folder / "responses.jsonl").open("w", encoding="utf-8") as file:
            for number in range(num_prompts):
                question = f"Question {number}: " + " ".join(generator.choices(STREAM_WORDS, k=30))
                message = {"role": "user", "content": question}
                prompts.append(
                    {"prompt_id": f"p{number}", "dataset": "d", "domain": "math", "messages": [message]}
                )
                for index in range(args.answers_per_prompt):
                    text = " ".join(generator.choices(STREAM_WORDS, k=generator.randint(5, 60)))
                    row = {"response_id": f"p{number}:s:{index}", "prompt_id": f"p{number}", "source": "s"}
                    row |= {"sample_index": index, "text": text, "finish_reason": "stop"}  # type: ignore[dict-item]
                    file.write(json.dumps(row) + "\n")
        (folder / "prompts.jsonl").write_text(
            "".join(json.dumps(row) + "\n" for row in prompts), encoding="utf-8"
        )
        command = [
            sys.executable, str(Path(__file__).with_name("score_armorm.py")), "--prompts", f"{name}/prompts.jsonl",
            "--responses", f"{name}/responses.jsonl", "--model", str(Path(args.model).absolute()), "--output",
            f"{name}/rm_scores.jsonl", "--dtype", args.dtype, "--report-to", "none",
        ]  # fmt: skip
        start = time.perf_counter()
        subprocess.run(command, check=True, env={**os.environ, "WANDB_MODE": "disabled"})
        seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024  # Linux counts in KiB
    count = num_prompts * args.answers_per_prompt
    print(
        f"{count} answers streamed in {seconds:.0f} s ({count / seconds:.0f}/s), peak memory {peak:.0f} MiB"
    )


def main() -> None:
    """Parses the command line and measures."""
    args = parse_args(Args)
    check_model_folder(args.model)
    if args.stream:
        stream(args)
    else:
        compare(args)


if __name__ == "__main__":
    run(main)
