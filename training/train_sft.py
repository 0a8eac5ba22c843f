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
    import torch

    from training.packing import PackedBatch
    from training.run_setup import Run

STAGE = "sft"


@dataclass(kw_only=True)
class Args(TrainingArgs):
    """Settings of supervised fine-tuning."""

    epochs: float = 3.0
    """Passes over the training rows."""
    learning_rate: float = 5e-6
    """Peak learning rate of AdamW."""


class ImitateAnswers:
    """Mean negative log-likelihood per trained token, over all tokens of a step alike."""

    def __init__(self, run: Run) -> None:
        self.run = run

    def loss_of_pass(
        self, members: list[int], batch: PackedBatch, indices: list[int]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """This pass's share of the loss, twice: it is all that is logged."""
        from training.losses import sft_loss

        trained_tokens = sum(self.run.train[index].num_trained for index in indices)
        loss = sft_loss(self.run.policy(**vars(batch)), trained_tokens)
        return loss, loss[None]

    def figures(self, sums: list[float], step: int, indices: list[int]) -> dict[str, float]:
        """The loss."""
        return {"loss": sums[0]}

    def evaluate(self, logps: torch.Tensor) -> dict[str, float]:
        """The loss over the held-out rows."""
        from training.losses import sft_loss

        return {"eval/loss": float(sft_loss(logps, sum(row.num_trained for row in self.run.held_out)))}


def train(args: Args) -> None:
    """Everything between the command line and the finished model."""
    from training.examples import load_sft_examples
    from training.run_setup import begin_run, finish_run, load_prepared_policy
    from training.training_loop import run_steps

    run = begin_run(args, __file__, STAGE, load_sft_examples, default_eval_size=0)
    if run is None:
        return
    run.policy, run.optimizer = load_prepared_policy(run, args.model)
    run_steps(run, ImitateAnswers(run))
    finish_run(run, best_of_two=False)


def main() -> None:
    args = parse_args(Args)
    check_settings(args)
    train(args)


if __name__ == "__main__":
    run(main)
