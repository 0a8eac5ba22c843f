"""The loop of both trainers: one optimizer step after the other, logged, with checkpoints to go on from.

What is trained for is an `Objective`, one in each script.
"""

import contextlib
import time
from collections.abc import Iterator, Mapping
from typing import Protocol

import torch

from fusechat.progress import Progress
from training.batch_plan import step_indices
from training.checkpoints import (
    list_checkpoints,
    load_checkpoint,
    prune_checkpoints,
    remove_unfinished,
    save_checkpoint,
)
from training.optimisation import learning_rate_factor, set_learning_rate
from training.packing import PackedBatch
from training.passes import (
    batches_of,
    clip_gradients,
    model_flops_utilisation,
    one_pass,
    peak_memory_gb,
    rank_passes,
    summed_over_ranks,
)
from training.reference import compute_logps
from training.run_setup import Run


class Objective(Protocol):
    """What a step minimises, and what is logged of it."""

    def loss_of_pass(
        self, members: list[int], batch: PackedBatch, indices: list[int]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """(this pass's share of the step's loss, a vector of sums from which the figures are made).

        The shares of all passes and ranks add up to the loss. An empty pass (no members) counts nothing, whatever
        it returns: every rank must run as many passes as the others.
        """

    def figures(self, sums: list[float], step: int, indices: list[int]) -> dict[str, float]:
        """What is logged, "loss" among it, from the sums over all passes and ranks; before the update."""

    def evaluate(self, logps: torch.Tensor) -> dict[str, float]:
        """Figures under eval/..., "eval/loss" among them, from the held-out examples' log-probabilities."""


def run_steps(run: Run, objective: Objective) -> None:
    """Trains from the newest checkpoint, or the start, to the last step."""
    take_up_checkpoint(run)
    with step_progress(run) as progress:
        for step in range(run.first_step, run.total_steps):
            start = time.monotonic()
            figures = take_step(run, objective, step)
            seconds = max(time.monotonic() - start, 1e-6)
            due = checkpoint_due(run, step + 1)
            evaluation = objective.evaluate(held_out_logps(run)) if due and run.held_out else {}
            log_step(run, step + 1, {**figures, **evaluation}, progress, seconds)
            if due:
                save_and_prune(run, step + 1, evaluation)


def take_step(run: Run, objective: Objective, step: int) -> dict[str, float]:
    """One optimizer step (counted from 0) over all ranks and micro-batches; returns its figures."""
    args, accelerator = run.args, run.accelerator
    indices = step_indices(step, len(run.train), args.batch_size, args.seed)
    learning_rate = args.learning_rate * learning_rate_factor(step, run.total_steps, args.warmup_ratio)
    set_learning_rate(run.optimizer, learning_rate)
    passes = rank_passes(accelerator, run.train, indices, args.tokens_per_microbatch)
    sums = []
    for place, (members, batch) in enumerate(passes):
        with one_pass(accelerator, run.policy, last=place == len(passes) - 1):
            loss, counted = objective.loss_of_pass(members, batch, indices)
            weight = 1.0 if members else 0.0
            # Gradients are averaged over ranks, the shares are to be summed.
            accelerator.backward(loss * (weight * accelerator.num_processes))
        sums.append(weight * counted.detach())
    grad_norm = clip_gradients(accelerator, run.policy, args.max_grad_norm)
    totals = summed_over_ranks(accelerator, torch.stack(sums).sum(dim=0))
    figures = objective.figures(totals, step, indices)
    run.check_finite(step + 1, loss=figures["loss"], grad_norm=grad_norm)
    run.optimizer.step()
    run.optimizer.zero_grad()
    examples = [run.train[index] for index in indices]
    return {
        **figures,
        "learning_rate": learning_rate,
        "grad_norm": grad_norm,
        "trained_tokens": sum(example.num_trained for example in examples),
        "tokens": sum(example.num_tokens for example in examples),
        "examples": len(examples),
    }


def held_out_logps(run: Run) -> torch.Tensor:
    """The policy's log-probabilities of the held-out examples, on every rank; see `compute_logps` for the shape."""
    batches = batches_of(len(run.held_out), run.args.batch_size)
    return compute_logps(
        run.accelerator, run.policy, run.held_out, batches, run.args.tokens_per_microbatch, "evaluation"
    )


def take_up_checkpoint(run: Run) -> None:
    """Loads the newest whole checkpoint, where there is one, and cuts metrics.jsonl back to it."""
    run.accelerator.wait_for_everyone()
    checkpoints = list_checkpoints(run.folder.checkpoints)
    if checkpoints:
        newest = checkpoints[-1]
        load_checkpoint(run.accelerator, run.policy, run.optimizer, newest)
        run.first_step = newest.step
        run.say(f"{newest.path}: going on after step {newest.step} of {run.total_steps}")
    if run.accelerator.is_main_process:
        remove_unfinished(run.folder.checkpoints)
        run.folder.open_metrics(run.first_step)


@contextlib.contextmanager
def step_progress(run: Run) -> Iterator[Progress | None]:
    """The progress line of the loop; the main process alone has one."""
    if not run.accelerator.is_main_process:
        yield None
        return
    with Progress(run.total_steps, unit="steps", description=run.stage, initial=run.first_step) as progress:
        yield progress


def log_step(
    run: Run, step: int, figures: Mapping[str, float], progress: Progress | None, seconds: float
) -> None:
    """One line of metrics.jsonl, the tracker's figures and the progress line; `step` counts from 1.

    `figures` may hold those of an evaluation, too; `seconds` are those of the step alone.
    """
    if progress is None:
        return
    line = {
        "step": step,
        **figures,
        "tokens_per_second": round(figures["tokens"] / seconds, 2),
        "examples_per_second": round(figures["examples"] / seconds, 4),
        "padding_share": 0.0,
        "peak_memory_gb": peak_memory_gb(run.accelerator),
    }
    mfu = model_flops_utilisation(run.accelerator, run.policy, figures["tokens"] / seconds)
    if mfu is not None:
        line["mfu"] = round(mfu, 4)
    run.folder.log(line)
    run.tracker.log({name: value for name, value in line.items() if name != "step"}, step=step)
    shown = {"loss": figures["loss"], "lr": figures["learning_rate"]}
    if "rewards/margins" in figures:
        shown |= {"margin": figures["rewards/margins"], "accuracy": figures["rewards/accuracies"]}
    progress.update(1, **shown, tok_s=line["tokens_per_second"], GB=line["peak_memory_gb"])


def checkpoint_due(run: Run, step: int) -> bool:
    """Whether a checkpoint follows optimizer step `step` (from 1)."""
    return step % run.args.checkpoint_every == 0 or step == run.total_steps


def save_and_prune(run: Run, step: int, evaluation: Mapping[str, float]) -> None:
    """Writes the checkpoint and removes older ones (the last two and the best stay)."""
    save_checkpoint(run.accelerator, run.policy, run.optimizer, run.folder.checkpoints, step, evaluation)
    if run.accelerator.is_main_process:
        prune_checkpoints(run.folder.checkpoints, max(2, run.args.keep_checkpoints))
