r"""Scores every answer with a reward model: ArmoRM by default, or any sequence-classification reward model.

    python scoring/score_armorm.py --prompts RUN/prompts.jsonl --responses RUN/responses \
        --model RLHFlow/ArmoRM-Llama3-8B-v0.1 --output RUN/rm_scores.jsonl

Reads prompts and responses; writes one line an answer: response_id, rm_score (or null with a reason),
rm_truncated, with --objectives also rewards. Under `accelerate launch` every process takes its share of the
prompts and writes its own shard. A killed run goes on by the same command. Ends with a table of the scale.
"""

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from fusechat.chat import load_tokenizer
from fusechat.command_line import ShardArgs, StepArgs, parse_args, run
from fusechat.errors import BadInput
from fusechat.inputs import resolve_shard
from fusechat.jsonl import read_prompts
from fusechat.model_folder import check_model_folder
from fusechat.output_file import OutputFile
from fusechat.progress import Progress
from fusechat.records import Prompt, RMScore
from fusechat.run_manifest import Manifest
from fusechat.tracking import start_tracking
from scoring.prefix_batches import DEFAULT_TOKENS_PER_BATCH, PromptGroup
from scoring.response_index import AnswersOfPrompt, index_responses, windows
from scoring.score_summary import log_summary, summarise

if TYPE_CHECKING:
    from scoring.reward_models import RewardModel, Scored


@dataclass(kw_only=True)
class Args(StepArgs, ShardArgs):
    """Settings of scoring."""

    prompts: list[str]
    """Files, folders or globs of prompts."""
    responses: list[str]
    """Files, folders or globs of responses to them."""
    model: str = "RLHFlow/ArmoRM-Llama3-8B-v0.1"
    """Folder or Hub id of an ArmoRM, or of any sequence classifier with one label."""
    output: Path
    """File to write, X.jsonl (X-00000-of-00002.jsonl and so on among several processes)."""
    max_length: int | None = None
    """Longest conversation in tokens, prompt and answer (default: 4096, or the model's limit if lower)."""
    objectives: bool = False
    """Write each answer's rewards by objective as well (ArmoRM only)."""
    dtype: Literal["float32", "bfloat16"] = "bfloat16"
    """Number format of the backbone; the heads are always float32. Never mix the scores of two formats."""
    tokens_per_batch: int | None = None
    """Tokens in one forward pass (default: 2048 on CPU, 16384 on a GPU); bounds the memory."""


def check_args(args: Args) -> None:
    """Reports all bad settings at once, before a model is loaded."""
    faults = [
        f"--{name.replace('_', '-')}: is {value}; it must be at least {lowest}"
        for name, value, lowest in (
            ("max_length", args.max_length, 8),
            ("tokens_per_batch", args.tokens_per_batch, 8),
        )
        if value is not None and value < lowest
    ]
    if args.output.suffix != ".jsonl":
        faults.append(f"--output: {args.output} must end in .jsonl")
    if faults:
        raise BadInput("; ".join(faults))
    check_model_folder(args.model)


def score_window(
    reward_model: "RewardModel",
    prompts: dict[str, Prompt],
    window: Sequence[AnswersOfPrompt],
    done: set[str],
    *,
    max_length: int,
    tokens_per_batch: int,
    objectives: bool,
) -> Iterator[list[RMScore]]:
    """Scores the answers to a few hundred prompts; yields the records of one batch at a time.

    The batches depend on the input alone, not on what is done, so that a run which was killed and goes on
    computes what an unbroken one does; a batch whose answers are all done is left out.
    """
    from scoring.rm_inputs import Refused, encode

    groups: list[PromptGroup] = []
    truncated: dict[str, bool] = {}
    copies: dict[str, list[str]] = {}  # response_id -> ids of answers with the same text
    refused: list[RMScore] = []
    for answers in window:
        by_prompt_ids: dict[tuple[int, ...], tuple[list[tuple[int, ...]], list[str]]] = {}
        for text, ids in answers.by_text():
            encoded = encode(reward_model.tokenizer, prompts[answers.prompt_id].messages, text, max_length)
            if isinstance(encoded, Refused):
                refused += [RMScore(response_id, None, reason=encoded.reason) for response_id in ids]
                continue
            truncated[ids[0]], copies[ids[0]] = encoded.truncated, ids
            answer_list, keys = by_prompt_ids.setdefault(encoded.prompt, ([], []))
            answer_list.append(encoded.answer)
            keys.append(ids[0])
        groups += [PromptGroup(prompt, tuple(a), tuple(k)) for prompt, (a, k) in by_prompt_ids.items()]
    yield [record for record in refused if record.response_id not in done]
    for batch in reward_model.batches(groups, tokens_per_batch):
        if all(copy in done for group in batch for key in group.keys for copy in copies[key]):
            continue
        yield [
            record_of(copy, scored, truncated[scored.key], objectives=objectives)
            for scored in reward_model.score(batch)
            for copy in copies[scored.key]
            if copy not in done
        ]


def record_of(response_id: str, scored: "Scored", truncated: bool, *, objectives: bool) -> RMScore:
    """One answer's record; what is no number (a bfloat16 overflow, say) becomes null, never a made-up score."""
    if not math.isfinite(scored.score):
        return RMScore(response_id, None, truncated, reason="the model's score is not a finite number")
    return RMScore(response_id, scored.score, truncated, rewards=scored.rewards if objectives else None)


def load_model(args: Args, manifest: Manifest) -> tuple["RewardModel", int, int]:
    """The reward model, the longest conversation and the tokens of a batch; the manifest learns what they are."""
    tokenizer = load_tokenizer(args.model)

    import torch
    import transformers

    from scoring.armorm import read_config
    from scoring.reward_models import load_reward_model
    from scoring.rm_inputs import resolve_max_length

    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()  # what does not fit is BadInput
    device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if torch.cuda.is_available() else "cpu"
    max_length = resolve_max_length(args.max_length, read_config(args.model))
    tokens_per_batch = args.tokens_per_batch or DEFAULT_TOKENS_PER_BATCH[device.split(":")[0]]
    reward_model = load_reward_model(args.model, tokenizer, dtype=args.dtype, device=device)
    manifest.extra |= {
        "max_length": max_length, "tokens_per_batch": tokens_per_batch, "prefix_shared": reward_model.shared,
    }  # fmt: skip
    return reward_model, max_length, tokens_per_batch


def main() -> None:
    """Parses the command line, scores, sums up."""
    args = parse_args(Args)
    check_args(args)
    shard = resolve_shard(args.num_shards, args.shard_index)
    manifest = Manifest(
        script=__file__,
        args=args,
        inputs={"prompts": args.prompts, "responses": args.responses},
        models={"model": args.model},
        free=("num_shards", "shard_index"),
    )
    manifest.extra["shard"] = f"{shard.index} of {shard.count}"
    output = OutputFile(
        shard.path(args.output), id_field="response_id", manifest=manifest, overwrite=args.overwrite
    )
    if output.is_complete:
        output.say_complete()
        return
    prompts = read_prompts(args.prompts)
    index = index_responses(args.responses, prompts, shard)
    output.check_writable()
    reward_model, max_length, tokens_per_batch = load_model(args, manifest)
    tracker = start_tracking(
        args.report_to if shard.index == 0 else "none",
        step="score",
        name=args.run_name,
        config=manifest.arguments,
        directory=args.output.parent,
    )
    with output:
        done_before = len(output.done)
        with Progress(
            index.num_answers, unit="answers", description="score", initial=done_before
        ) as progress:
            for window in windows(index):
                batches = score_window(
                    reward_model, prompts, window, output.done,
                    max_length=max_length, tokens_per_batch=tokens_per_batch, objectives=args.objectives,
                )  # fmt: skip
                for records in batches:
                    for record in records:
                        output.write(record)
                    progress.update(len(records))
        summary = summarise(output.partial, index, prompts)
        scored_now = index.num_answers - done_before
        output.finish(counts={**summary.counts, "scored_by_this_run": scored_now}, order=index.response_ids)
    print(summary.text(output.path))
    log_summary(tracker, summary)
    tracker.finish()


if __name__ == "__main__":
    run(main)
