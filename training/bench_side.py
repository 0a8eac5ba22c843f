"""One side of a training measurement, in a process of its own, so that its peak memory is its own.

    python training/bench_side.py --side trl-lndpo --model FOLDER --data FOLDER --result-file FILE

bench_training.py starts it; by hand it serves to look closer at one side (`--profile` prints where the time goes).
Reads   DATA/dpo.jsonl or DATA/sft.jsonl, and the model.
Writes  --result-file: one JSON object (seconds, steps, tokens, padded tokens, losses, peak memory in GB).

What is timed: the reference pass and the optimizer steps. Loading, tokenising, checkpoints and the export are not,
on either side.
"""

from __future__ import annotations

import json
import os
import random
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from fusechat.command_line import parse_args, run

Side = Literal["ours-lndpo", "trl-lndpo", "ours-sft", "trl-sft", "trl-sft-packed"]
LEARNING_RATE, BETA, PACKED_LENGTH = 1e-6, 10.0, 1024


@dataclass(kw_only=True)
class Args:
    """Settings of one measurement."""

    side: Side
    """What to run."""
    model: Path
    """Folder of the model."""
    data: Path
    """Folder with dpo.jsonl and sft.jsonl."""
    result_file: Path
    """Gets the measurement."""
    examples_per_step: int = 8
    """Pairs or rows in one optimizer step."""
    max_length: int = 2048
    """Longest prompt + response in tokens."""
    tokens_per_microbatch: int = 4096
    """Ours: tokens packed into one pass."""
    trl_microbatch: int | None = None
    """TRL: pairs or rows in one pass (default: all of a step)."""
    trl_checkpointing: bool = True
    """TRL: activations computed again in the backward pass, as by its default."""
    precision: Literal["bf16", "no"] = "bf16"
    """bf16: autocast over float32 weights; no: float32 throughout."""
    random_ids: tuple[int, int, int] | None = None
    """Ours: instead of the file COUNT examples of random ids with PROMPT and RESPONSE tokens."""
    profile: bool = False
    """Print the operations that take the most time."""


def made_up_loader(count: int, prompt: int, response: int, vocabulary: int) -> Callable[..., Any]:
    """A loader of pairs of random ids, all of one shape: for tables over lengths."""
    from training.examples import Example, LoadedExamples

    generator = random.Random(0)

    def ids(length: int) -> tuple[int, ...]:
        return tuple(generator.randrange(vocabulary) for _ in range(length))

    def load(*_: Any, **__: Any) -> LoadedExamples:
        examples = [
            Example("", f"p{number}", "math", "made-up", ids(prompt), (ids(response), ids(response)))
            for number in range(count)
        ]
        return LoadedExamples(examples, read=count)

    return load


def ours(args: Args, stage: str, output_dir: Path) -> dict[str, Any]:
    """The trainers' own functions, in the order of their train()."""
    import training.examples as examples
    from training.run_setup import begin_run, load_prepared_policy
    from training.training_loop import take_step

    script: Any = __import__(f"training.train_{stage}", fromlist=["Args"])
    settings = script.Args(
        model=str(args.model), train_file=[str(args.data / {"sft": "sft.jsonl", "lndpo": "dpo.jsonl"}[stage])],
        output_dir=output_dir, eval_size=0, epochs=1, batch_size=args.examples_per_step, report_to="none",
        max_length=args.max_length, tokens_per_microbatch=args.tokens_per_microbatch, learning_rate=LEARNING_RATE,
    )  # fmt: skip
    load = {"sft": examples.load_sft_examples, "lndpo": examples.load_preference_examples}[stage]
    if args.random_ids is not None:
        load = made_up_loader(
            *args.random_ids, json.loads((args.model / "config.json").read_text())["vocab_size"]
        )
    this = begin_run(settings, script.__file__, stage, load, default_eval_size=0)
    assert this is not None
    this.policy, this.optimizer = load_prepared_policy(this, str(args.model))
    start = time.perf_counter()
    if stage == "lndpo":
        objective = script.PreferChosen(this, *script.reference_logps(this, None))
    else:
        objective = script.ImitateAnswers(this)
    reference_s = time.perf_counter() - start
    losses = [take_step(this, objective, step)["loss"] for step in range(this.total_steps)]
    return {
        "seconds": time.perf_counter() - start,
        "reference_s": reference_s,
        "steps": len(losses),
        "examples": len(this.train),
        "processed_tokens": sum(example.num_tokens for example in this.train),
        "loss": sum(losses) / len(losses),
    }


def trl(args: Args, work: str, output_dir: Path) -> dict[str, Any]:
    """TRL's trainers as their documentation starts them, with our batch size."""
    from datasets import Dataset, load_dataset
    from transformers import AutoTokenizer
    from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer

    microbatch = args.trl_microbatch or args.examples_per_step
    shared: dict[str, Any] = {
        "output_dir": str(output_dir), "per_device_train_batch_size": microbatch, "num_train_epochs": 1,
        "gradient_accumulation_steps": args.examples_per_step // microbatch, "learning_rate": LEARNING_RATE,
        "bf16": args.precision == "bf16", "use_cpu": True, "report_to": "none", "save_strategy": "no",
        "logging_steps": 1, "disable_tqdm": True, "max_length": args.max_length, "max_grad_norm": 1.0,
        "model_init_kwargs": {"dtype": "float32"}, "gradient_checkpointing": args.trl_checkpointing,
    }  # fmt: skip
    name = "dpo.jsonl" if work == "lndpo" else "sft.jsonl"
    rows = load_dataset(
        "json", data_files=str(args.data / name), split="train", cache_dir=str(output_dir / "cache")
    )
    assert isinstance(rows, Dataset)
    common = {"model": str(args.model), "processing_class": AutoTokenizer.from_pretrained(args.model)}
    trainer: Any
    if work == "lndpo":
        rows = rows.select_columns(["prompt", "chosen", "rejected"])
        config: Any = DPOConfig(**shared, loss_type=["sigmoid_norm"], beta=BETA)
        trainer = DPOTrainer(**common, args=config, train_dataset=rows)
    else:
        packed = {"packing": True} if work == "sft-packed" else {}
        shared |= {"max_length": PACKED_LENGTH, "per_device_train_batch_size": 1} if packed else {}
        rows = rows.select_columns(["messages"])
        config = SFTConfig(**shared, **packed)
        trainer = SFTTrainer(**common, args=config, train_dataset=rows)
    processed = CountedTokens(trainer)
    start = time.perf_counter()
    result = trainer.train()
    return {
        "seconds": time.perf_counter() - start,
        "reference_s": None,
        "steps": result.global_step,
        "examples": len(rows),
        "processed_tokens": processed.tokens,
        "loss": result.training_loss,
    }


class CountedTokens:
    """Counts the tokens, padding included, that a trainer's batches hold."""

    def __init__(self, trainer: Any) -> None:
        self.tokens = 0
        collate = trainer.data_collator

        def counted(features: Any) -> Any:
            batch = collate(features)
            self.tokens += batch["input_ids"].numel()
            return batch

        trainer.data_collator = counted


def profiled(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Runs the work under torch's profiler and prints its table."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU], record_shapes=True) as profiler:
        result = work()
    print(
        profiler.key_averages(group_by_input_shape=True).table(
            sort_by="self_cpu_time_total", row_limit=400, max_name_column_width=60
        )
    )
    return result


def measure(args: Args) -> dict[str, Any]:
    """Runs the side in a temporary folder and adds the peak memory of this process."""
    os.environ["ACCELERATE_MIXED_PRECISION"] = args.precision
    kind, work = args.side.split("-", 1)
    with tempfile.TemporaryDirectory() as folder:
        side = {"ours": ours, "trl": trl}[kind]

        def action() -> dict[str, Any]:
            return side(args, work, Path(folder))

        result = profiled(action) if args.profile else action()
    from accelerate import Accelerator

    # Not before: this package asks torch for huge pages, which TRL alone would not have.
    from training.passes import peak_memory_gb

    return {**result, "peak_memory_gb": peak_memory_gb(Accelerator(cpu=True))}


def main() -> None:
    args = parse_args(Args)
    args.result_file.write_text(json.dumps(measure(args)), encoding="utf-8")


if __name__ == "__main__":
    run(main)
