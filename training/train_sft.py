r"""Fine-tunes a model on the answers that were chosen for imitation (sft.jsonl), every trained token alike.

    accelerate launch --config_file launch_configs/fsdp_8xa100.yaml training/train_sft.py \
        --config training/recipes/llama-3.1-8b-instruct/sft.yaml

Reads   --train-file (SFT rows), --model.
Writes  OUTPUT_DIR: the model as a Hugging Face folder, metrics.jsonl, checkpoints/, run.json.

Departures from common SFT code: rows are packed without padding and without seeing each other; the loss is
the mean over the trained tokens of the whole batch, not a mean of micro-batch means; only the last assistant
turn is trained. The same command goes on after a kill.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fusechat.command_line import parse_args, run
from training.settings import TrainingArgs, check_settings

if TYPE_CHECKING:
    from training.run_setup import Run

STAGE = "sft"


@dataclass(kw_only=True)
class Args(TrainingArgs):
    """Settings of supervised fine-tuning."""

    epochs: float = 3.0
    """Passes over the training rows."""
    learning_rate: float = 5e-6
    """Peak learning rate of AdamW."""


def train(args: Args) -> None:
    """Everything between the command line and the finished model."""
    from training.batch_plan import step_indices
    from training.examples import load_sft_examples
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

    this = begin_run(args, __file__, STAGE, load_sft_examples, default_eval_size=0)
    if this is None:
        return
    this.policy, this.optimizer = load_prepared_policy(this, args.model)
    take_up_checkpoint(this)
    with step_progress(this) as progress:
        timer = StepTimer()
        for step in range(this.first_step, this.total_steps):
            indices = step_indices(step, len(this.train), args.batch_size, args.seed)
            figures = optimizer_step(this, step, indices)
            seconds = timer.lap()
            due = checkpoint_due(this, step + 1)
            evaluation = evaluate(this) if due else {}
            log_step(this, step + 1, {**figures, **evaluation}, progress, seconds)
            if due:
                save_and_prune(this, step + 1, evaluation)
            timer.lap()
    finish_run(this, best_of_two=False)


def optimizer_step(this: Run, step: int, indices: list[int]) -> dict[str, float]:
    """One step on these examples, over all ranks and micro-batches; returns its figures."""
    import torch

    from training.losses import sft_loss
    from training.optimisation import learning_rate_factor, set_learning_rate
    from training.passes import clip_gradients, one_pass, rank_passes, summed_over_ranks

    args, accelerator = this.args, this.accelerator
    learning_rate = args.learning_rate * learning_rate_factor(step, this.total_steps, args.warmup_ratio)
    set_learning_rate(this.optimizer, learning_rate)
    trained_tokens = sum(this.train[index].num_trained for index in indices)
    passes = rank_passes(accelerator, this.train, indices, args.tokens_per_microbatch)
    loss_sum = torch.zeros(1, device=accelerator.device)
    for place, (members, batch) in enumerate(passes):
        with one_pass(accelerator, this.policy, last=place == len(passes) - 1):
            logps = this.policy(**vars(batch))  # (responses,)
            loss = sft_loss(logps, trained_tokens) * (1.0 if members else 0.0)
            # Gradients are averaged over ranks, the shares are to be summed.
            accelerator.backward(loss * accelerator.num_processes)
        loss_sum += loss.detach()
    grad_norm = clip_gradients(accelerator, this.policy, args.max_grad_norm)
    (loss_total,) = summed_over_ranks(accelerator, loss_sum)
    this.check_finite(step + 1, loss=loss_total, grad_norm=grad_norm)
    this.optimizer.step()
    this.optimizer.zero_grad()
    return {
        "loss": loss_total,
        "learning_rate": learning_rate,
        "grad_norm": grad_norm,
        "trained_tokens": trained_tokens,
        "tokens": sum(this.train[index].num_tokens for index in indices),
        "examples": len(indices),
    }


def evaluate(this: Run) -> dict[str, float]:
    """Mean negative log-likelihood per trained token of the held-out rows; nothing where there are none."""
    from training.losses import sft_loss
    from training.passes import batches_of
    from training.reference import compute_logps

    if not this.held_out:
        return {}
    batches = batches_of(len(this.held_out), this.args.batch_size)
    logps = compute_logps(
        this.accelerator, this.policy, this.held_out, batches, this.args.tokens_per_microbatch, "evaluation"
    )
    return {"eval/loss": float(sft_loss(logps, sum(example.num_trained for example in this.held_out)))}


def main() -> None:
    args = parse_args(Args)
    check_settings(args)
    train(args)


if __name__ == "__main__":
    run(main)
