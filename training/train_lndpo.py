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

    from training.losses import PreferenceLoss
    from training.packing import PackedBatch
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


class PreferChosen:
    """LN-DPO or DPO against a reference whose log-probabilities are given, each (n, 2), chosen first.

    `tolerance`: how far the first step's loss may be from ln 2; None: not checked.
    """

    def __init__(
        self, run: Run, reference: torch.Tensor, held_out_reference: torch.Tensor, tolerance: float | None
    ) -> None:
        self.run, self.reference, self.held_out_reference = run, reference, held_out_reference
        self.tolerance = tolerance

    def _compare(self, logps: torch.Tensor, reference: torch.Tensor, lengths: torch.Tensor) -> PreferenceLoss:
        from training.losses import preference_loss

        args: Any = self.run.args
        return preference_loss(
            logps, reference, lengths, beta=args.beta, length_normalize=args.length_normalize
        )

    def loss_of_pass(
        self, members: list[int], batch: PackedBatch, indices: list[int]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """This pass's share of the mean over the step's pairs, and what `pair_sums` counts."""
        logps = self.run.policy(**vars(batch)).view(-1, 2)  # (pairs, 2), chosen first
        lengths = batch.lengths.view(-1, 2)
        # An empty pass compares the policy with itself.
        reference = self.reference[members].to(logps.device) if members else logps.detach()
        result = self._compare(logps, reference, lengths)
        return result.losses.sum() / len(indices), pair_sums(result, logps, lengths)

    def figures(self, sums: list[float], step: int, indices: list[int]) -> dict[str, float]:
        """Means over the step's pairs; RuntimeError where the first loss is not ln 2."""
        figures = pair_figures(sums, len(indices))
        if step == 0 and self.tolerance is not None:
            check_first_loss(figures, self.tolerance)
        return figures

    def evaluate(self, logps: torch.Tensor) -> dict[str, float]:
        """The same over the held-out pairs; a table of 20 of them goes to the tracker."""
        import torch

        run, pairs = self.run, self.run.held_out
        lengths = torch.tensor([[len(response) for response in pair.responses] for pair in pairs])
        result = self._compare(logps, self.held_out_reference, lengths)
        margins = (result.chosen_rewards - result.rejected_rewards).tolist()
        rows = [
            [pair.prompt_id, *(run.tokenizer.decode(ids) for ids in (pair.prompt, *pair.responses)), margin]
            for pair, margin in zip(pairs[:20], margins, strict=False)
        ]
        run.tracker.table("held_out_pairs", ["prompt_id", "prompt", "chosen", "rejected", "margin"], rows)
        figures = pair_figures(pair_sums(result, logps, lengths).tolist(), len(pairs))
        return {f"eval/{name}": value for name, value in figures.items()}


def pair_sums(result: PreferenceLoss, logps: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
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


def reference_logps(run: Run, other_model: str | None) -> tuple[torch.Tensor, torch.Tensor, float | None]:
    """The reference's log-probabilities, cached or computed: (training pairs, held-out pairs, tolerance).

    Each (n, 2), chosen first. The tolerance is that of the first loss against ln 2, None for another model.
    """
    from fusechat.model_folder import model_fingerprint
    from training.batch_plan import step_indices, steps_per_epoch
    from training.passes import batches_of
    from training.reference import compute_logps, load_reference, reference_key, save_reference
    from training.run_setup import load_prepared_policy

    args, accelerator = run.args, run.accelerator
    examples = run.train + run.held_out
    precision = accelerator.mixed_precision
    model = model_fingerprint(other_model or args.model)
    key = reference_key(model, examples, precision, args.attention, args.qlora)
    # Split as training will split it, so that bf16 rounds both sides alike.
    split = f"{accelerator.num_processes} ranks, {args.tokens_per_microbatch} tokens, {args.batch_size} pairs, seed {args.seed}"
    cached = load_reference(args.output_dir, key)
    if cached is None:
        policy = load_prepared_policy(run, other_model)[0] if other_model else run.policy
        count = len(run.train)
        batches = [
            step_indices(step, count, args.batch_size, args.seed)
            for step in range(steps_per_epoch(count, args.batch_size))
        ]
        batches += [
            [count + index for index in batch] for batch in batches_of(len(run.held_out), args.batch_size)
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
    return logps[: len(run.train)], logps[len(run.train) :], tolerance


def train(args: Args) -> None:
    """Everything between the command line and the finished model."""
    from training.examples import load_preference_examples
    from training.run_setup import begin_run, finish_run, load_prepared_policy
    from training.training_loop import run_steps

    run = begin_run(args, __file__, STAGE, load_preference_examples, default_eval_size=None)
    if run is None:
        return
    reference = reference_logps(run, args.reference_model) if args.reference_model else None
    run.policy, run.optimizer = load_prepared_policy(run, args.model)
    if reference is None:
        reference = reference_logps(run, None)
    run_steps(run, PreferChosen(run, *reference))
    finish_run(run, best_of_two=True)


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
