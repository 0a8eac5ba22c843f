"""Settings of both training stages; what can be wrong with them is told at once, before anything is loaded."""

import math
from dataclasses import dataclass, field
from pathlib import Path

from fusechat.command_line import StepArgs
from fusechat.errors import BadInput
from fusechat.inputs import expand_inputs
from fusechat.model_folder import check_model_folder
from training.choices import Attention, Truncate


@dataclass(kw_only=True)
class TrainingArgs(StepArgs):
    """What SFT and LN-DPO share."""

    model: str
    """Model to start from: a Hugging Face folder or a Hub id."""
    train_file: list[str]
    """JSONL files, folders or globs to train on (several shards are one set)."""
    output_dir: Path
    """Gets the trained model, metrics.jsonl and checkpoints/; the same command goes on from there."""
    eval_file: list[str] = field(default_factory=list)
    """JSONL files to evaluate on at every checkpoint (default: a held-out part, see --eval-size)."""
    eval_size: int | None = None
    """Rows held out of --train-file for evaluation, whole prompts at a time, where no --eval-file is given."""
    learning_rate: float
    """Peak learning rate of AdamW."""
    epochs: float = 1.0
    """Passes over the training rows."""
    max_steps: int | None = None
    """Optimizer steps; wins over --epochs, and the learning rate's schedule spans them."""
    batch_size: int = 128
    """Examples in one optimizer step, over all ranks and micro-batches, whatever their number."""
    tokens_per_microbatch: int = 4096
    """Tokens packed into one forward and backward pass of one rank; a longer example gets a pass of its own."""
    max_length: int = 2048
    """Longest prompt + response in tokens; longer rows are dropped and counted, or cut (--truncate)."""
    truncate: Truncate = "none"
    """What becomes of rows longer than --max-length: none = dropped, response = cut at the end, never the prompt."""
    warmup_ratio: float = 0.1
    """Share of all steps over which the learning rate rises; cosine to 0 after that."""
    max_grad_norm: float = 1.0
    """Gradients are scaled down to this norm."""
    seed: int = 42
    """Order of the rows, choice of the held-out ones, initial LoRA weights."""
    checkpoint_every: int = 100
    """Optimizer steps between checkpoints; one more comes at the end."""
    keep_checkpoints: int = 2
    """Checkpoints kept at the end, beside the best; 0 removes all once the model is exported."""
    attention: Attention = "segments"
    """segments: no work for masked tokens, any device; sdpa, eager, flex_attention (GPU): one mask over the row."""
    activation_checkpointing: bool = False
    """Compute each layer's activations again in the backward pass (FSDP configs switch this on by themselves)."""
    qlora: bool = False
    """Train LoRA adapters over 4-bit weights (nf4, double quantisation) instead of all weights."""
    lora_rank: int = 64
    """Rank of the adapters, on all linear layers but the head; alpha is the same number."""
    merge: bool = False
    """With --qlora: also write the merged model to OUTPUT_DIR/merged."""


# Settings that change how the work is done or what is kept, not what is computed.
FREE_SETTINGS = ("tokens_per_microbatch", "keep_checkpoints", "activation_checkpointing", "merge")


def check_settings(args: TrainingArgs, *, more: list[str] | None = None) -> None:
    """Raises BadInput with all that is wrong at once; `more` brings the script's own findings."""
    wrong = list(more or [])
    if not (math.isfinite(args.learning_rate) and args.learning_rate > 0):
        wrong.append(f"--learning-rate {args.learning_rate}: must be a positive number")
    if not (math.isfinite(args.epochs) and args.epochs > 0):
        wrong.append(f"--epochs {args.epochs}: must be a positive number")
    for name in ("batch_size", "tokens_per_microbatch", "checkpoint_every", "lora_rank"):
        if getattr(args, name) < 1:
            wrong.append(f"{_flag(name)} {getattr(args, name)}: must be at least 1")
    if args.max_steps is not None and args.max_steps < 1:
        wrong.append(f"--max-steps {args.max_steps}: must be at least 1")
    if args.max_length < 2:
        wrong.append(f"--max-length {args.max_length}: must be at least 2")
    if not 0 <= args.warmup_ratio < 1:
        wrong.append(f"--warmup-ratio {args.warmup_ratio}: must be at least 0 and below 1")
    if not args.max_grad_norm > 0:
        wrong.append(f"--max-grad-norm {args.max_grad_norm}: must be positive")
    for name in ("keep_checkpoints", "seed"):
        if getattr(args, name) < 0:
            wrong.append(f"{_flag(name)} {getattr(args, name)}: must not be negative")
    if args.eval_size is not None and args.eval_size < 0:
        wrong.append(f"--eval-size {args.eval_size}: must not be negative")
    if args.eval_file and args.eval_size is not None:
        wrong.append("--eval-size: has no meaning with --eval-file; give one of them")
    if args.merge and not args.qlora:
        wrong.append("--merge: only a --qlora run has adapters to merge")
    for step in (lambda: check_model_folder(args.model), lambda: expand_inputs(args.train_file)):
        try:
            step()
        except BadInput as error:
            wrong.append(str(error))
    if args.eval_file:
        try:
            expand_inputs(args.eval_file)
        except BadInput as error:
            wrong.append(str(error))
    if Path(args.model).is_dir() and args.output_dir.resolve() == Path(args.model).resolve():
        wrong.append(f"--output-dir {args.output_dir}: is the folder of --model; give another one")
    if wrong:
        raise BadInput("\n".join(wrong))


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
