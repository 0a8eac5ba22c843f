r"""Trains a model to prefer the chosen answers over the rejected ones by length-normalised DPO (dpo.jsonl).

    accelerate launch --config_file launch_configs/fsdp_8xa100.yaml training/train_lndpo.py \
        --config training/recipes/llama-3.1-8b-instruct/lndpo.yaml

Reads   --train-file (preference pairs), --model (the SFT model).
Writes  OUTPUT_DIR: the model as a Hugging Face folder, metrics.jsonl, checkpoints/, run.json, and
        reference_logps/ (the reference model's log-probabilities, computed once).

Departures from common DPO code: the prompt of a pair goes through the model once, for both answers; nothing is
padded; the reference model is never in memory beside the policy; of the last two checkpoints the one with the
lower held-out loss is exported. The same command goes on after a kill.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from fusechat.command_line import parse_args, run
from fusechat.errors import BadInput
from fusechat.model_folder import check_model_folder
from training.settings import TrainingArgs, check_settings

if TYPE_CHECKING:
    import torch

    from training.run_setup import Run

STAGE = "lndpo"
# A flag with a value, written as in YAML: --length-normalize false.
TRUE_OR_FALSE = tyro.constructors.PrimitiveConstructorSpec(
    nargs=1,
    metavar="true|false",
    instance_from_str=lambda words: words[0].lower() == "true",
    is_instance=lambda value: isinstance(value, bool),
    str_from_instance=lambda value: [str(value).lower()],
    choices=("true", "false", "True", "False"),
)


@dataclass(kw_only=True)
class Args(TrainingArgs):
    """Settings of length-normalised DPO."""

    learning_rate: float = 8e-7
    """Peak learning rate of AdamW."""
    beta: float = 10.0
    """Strength of the reference: 10 fits length-normalised log-ratios (nats per token), 0.01 plain ones."""
    length_normalize: Annotated[bool, tyro.conf.FlagConversionOff, TRUE_OR_FALSE] = True
    """true: log-ratios per token (LN-DPO); false: per response (DPO)."""
    reference_model: str | None = None
    """Reference model (default: --model as it is at the start)."""


def train(args: Args) -> None:
    """Everything between the command line and the finished model."""
    from training.batch_plan import step_indices
    from training.examples import load_preference_examples
    from training.run_setup import (
        StepTimer,
        begin_run,
        checkpoint_due,
        finish_run,
        load_prepared_policy,
        log_step,
        save_and_prune,
        step_progress,
        take_up_checkpoint,
    )

    this = begin_run(args, __file__, STAGE, load_preference_examples, default_eval_size=None)
    if this is None:
        return
    reference = reference_logps(this, args.reference_model) if args.reference_model else None
    this.policy, this.optimizer = load_prepared_policy(this, args.model)
    if reference is None:
        reference = reference_logps(this, None)
    train_reference, held_out_reference, tolerance = reference
    take_up_checkpoint(this)
    with step_progress(this) as progress:
        timer = StepTimer()
        for step in range(this.first_step, this.total_steps):
            indices = step_indices(step, len(this.train), args.batch_size, args.seed)
            figures = optimizer_step(this, step, indices, train_reference, tolerance)
            seconds = timer.lap()
            due = checkpoint_due(this, step + 1)
            evaluation = evaluate(this, held_out_reference) if due else {}
            log_step(this, step + 1, {**figures, **evaluation}, progress, seconds)
            if due:
                save_and_prune(this, step + 1, evaluation)
            timer.lap()
    finish_run(this, best_of_two=True)


def optimizer_step(
    this: Run, step: int, indices: list[int], reference: torch.Tensor, tolerance: float | None
) -> dict[str, float]:
    """One step on these pairs, over all ranks and micro-batches; returns its figures."""
    import torch

    from training.losses import preference_loss
    from training.optimisation import learning_rate_factor, set_learning_rate
    from training.passes import clip_gradients, one_pass, rank_passes, summed_over_ranks

    args: Any = this.args
    accelerator = this.accelerator
    learning_rate = args.learning_rate * learning_rate_factor(step, this.total_steps, args.warmup_ratio)
    set_learning_rate(this.optimizer, learning_rate)
    passes = rank_passes(accelerator, this.train, indices, args.tokens_per_microbatch)
    sums = torch.zeros(8, device=accelerator.device)
    for place, (members, batch) in enumerate(passes):
        with one_pass(accelerator, this.policy, last=place == len(passes) - 1):
            logps = this.policy(**vars(batch)).view(-1, 2)  # (pairs, 2), chosen first
            lengths = batch.lengths.view(-1, 2)
            # An empty pass compares the policy with itself and counts nothing.
            reference_part = reference[members].to(logps.device) if members else logps.detach()
            result = preference_loss(
                logps, reference_part, lengths, beta=args.beta, length_normalize=args.length_normalize
            )
            weight = 1.0 if members else 0.0
            # Gradients are averaged over ranks, the shares are to be summed.
            accelerator.backward(result.losses.sum() * (weight * accelerator.num_processes / len(indices)))
        sums += weight * pair_sums(result, logps.detach(), lengths)
    grad_norm = clip_gradients(accelerator, this.policy, args.max_grad_norm)
    figures = pair_figures(summed_over_ranks(accelerator, sums), len(indices))
    this.check_finite(step + 1, loss=figures["loss"], grad_norm=grad_norm)
    if step == 0 and tolerance is not None:
        check_first_loss(figures, tolerance)
    this.optimizer.step()
    this.optimizer.zero_grad()
    return {
        **figures,
        "learning_rate": learning_rate,
        "grad_norm": grad_norm,
        "trained_tokens": sum(this.train[index].num_trained for index in indices),
        "tokens": sum(this.train[index].num_tokens for index in indices),
        "examples": len(indices),
    }


def pair_sums(result: Any, logps: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Sums over a micro-batch's pairs of what is logged; see pair_figures for the order."""
    import torch

    return torch.stack(
        [
            result.losses.sum(),
            result.chosen_rewards.sum(),
            result.rejected_rewards.sum(),
            (result.chosen_rewards > result.rejected_rewards).float().sum(),
            *logps.sum(dim=0),
            *lengths.float().sum(dim=0),
        ]
    ).detach()


def pair_figures(sums: list[float], pairs: int) -> dict[str, float]:
    """Means over the pairs, under TRL's names. Rewards are in the units of the loss (see losses.py)."""
    loss, chosen, rejected, right, *rest = (value / pairs for value in sums)
    return {
        "loss": loss,
        "rewards/chosen": chosen,
        "rewards/rejected": rejected,
        "rewards/margins": chosen - rejected,
        "rewards/accuracies": right,
        "logps/chosen": rest[0],
        "logps/rejected": rest[1],
        "lengths/chosen": rest[2],
        "lengths/rejected": rest[3],
    }


def check_first_loss(figures: dict[str, float], tolerance: float) -> None:
    """Before any update policy and reference are one model: the loss is ln 2 and the margins are 0."""
    if abs(figures["loss"] - math.log(2)) > tolerance:
        raise RuntimeError(
            f"the first step's loss is {figures['loss']:.9g}, not ln 2 = {math.log(2):.9g}, and its margin is "
            f"{figures['rewards/margins']:.3g}: policy and reference log-probabilities do not agree at the start"
        )


def reference_logps(this: Run, other_model: str | None) -> tuple[torch.Tensor, torch.Tensor, float | None]:
    """The reference's log-probabilities, cached or computed: (training pairs, held-out pairs, tolerance).

    Each (n, 2), chosen first. The tolerance is that of the first loss against ln 2, None for another model.
    """
    from fusechat.model_folder import model_fingerprint
    from training.batch_plan import step_indices, steps_per_epoch
    from training.passes import batches_of
    from training.reference import compute_logps, load_reference, reference_key, save_reference
    from training.run_setup import load_prepared_policy

    args, accelerator = this.args, this.accelerator
    examples = this.train + this.held_out
    precision = accelerator.mixed_precision
    model = model_fingerprint(other_model or args.model)
    key = reference_key(model, examples, precision, args.attention, args.qlora)
    # Split as training will split it, so that bf16 rounds both sides alike.
    split = f"{accelerator.num_processes} ranks, {args.tokens_per_microbatch} tokens, {args.batch_size} pairs, seed {args.seed}"
    cached = load_reference(args.output_dir, key)
    if cached is None:
        policy = load_prepared_policy(this, other_model)[0] if other_model else this.policy
        count = len(this.train)
        batches = [
            step_indices(step, count, args.batch_size, args.seed)
            for step in range(steps_per_epoch(count, args.batch_size))
        ]
        batches += [
            [count + index for index in batch] for batch in batches_of(len(this.held_out), args.batch_size)
        ]
        logps = compute_logps(accelerator, policy, examples, batches, args.tokens_per_microbatch, "reference")
        if accelerator.is_main_process:
            save_reference(args.output_dir, key, logps, split)
        if other_model:
            accelerator.free_memory()
        cached = logps, split
    logps, made_by = cached
    exact, rounded = (1e-6, 1e-4) if precision == "no" else (1e-3, 1e-2)
    tolerance = None if other_model else (exact if made_by == split else rounded)
    return logps[: len(this.train)], logps[len(this.train) :], tolerance


def evaluate(this: Run, reference: torch.Tensor) -> dict[str, float]:
    """The training figures over the held-out pairs; a table of 20 of them goes to the tracker."""
    import torch

    from training.losses import preference_loss
    from training.passes import batches_of
    from training.reference import compute_logps

    args: Any = this.args
    if not this.held_out:
        return {}
    batches = batches_of(len(this.held_out), args.batch_size)
    logps = compute_logps(
        this.accelerator, this.policy, this.held_out, batches, args.tokens_per_microbatch, "evaluation"
    )
    lengths = torch.tensor([[len(response) for response in pair.responses] for pair in this.held_out])
    result = preference_loss(
        logps, reference, lengths, beta=args.beta, length_normalize=args.length_normalize
    )
    margins = (result.chosen_rewards - result.rejected_rewards).tolist()
    rows = [
        [pair.prompt_id, *(this.tokenizer.decode(ids) for ids in (pair.prompt, *pair.responses)), margin]
        for pair, margin in zip(this.held_out[:20], margins, strict=False)
    ]
    this.tracker.table("held_out_pairs", ["prompt_id", "prompt", "chosen", "rejected", "margin"], rows)
    figures = pair_figures(pair_sums(result, logps, lengths).tolist(), len(this.held_out))
    return {f"eval/{name}": value for name, value in figures.items()}


def check_own_settings(args: Args) -> None:
    """Raises BadInput with all that is wrong in the settings."""
    more = []
    if not (math.isfinite(args.beta) and args.beta > 0):
        more.append(f"--beta {args.beta}: must be a positive number")
    if args.reference_model is not None:
        try:
            check_model_folder(args.reference_model)
        except BadInput as error:
            more.append(str(error))
    check_settings(args, more=more)


def main() -> None:
    args = parse_args(Args)
    check_own_settings(args)
    train(args)


if __name__ == "__main__":
    run(main)
