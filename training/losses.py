"""The two objectives, as pure functions of log-probabilities (nats per response, float32)."""

from typing import NamedTuple

import torch
import torch.nn.functional as F


def sft_loss(logps: torch.Tensor, global_tokens: int) -> torch.Tensor:
    """This micro-batch's share of the mean negative log-likelihood per trained token.

    logps (R,): sums over each response's trained tokens. `global_tokens` counts the trained tokens of the whole
    batch, over all ranks and micro-batches, so the shares add up to the batch's loss, however it is split.
    """
    return -logps.sum() / global_tokens


class PreferenceLoss(NamedTuple):
    """Per pair, (B,): the loss, and the implicit rewards that it compares."""

    losses: torch.Tensor
    chosen_rewards: torch.Tensor
    rejected_rewards: torch.Tensor


def preference_loss(
    policy_logps: torch.Tensor,
    reference_logps: torch.Tensor,
    lengths: torch.Tensor,
    *,
    beta: float,
    length_normalize: bool,
) -> PreferenceLoss:
    """LN-DPO of the FuseChat-3.0 report; with `length_normalize=False` plain DPO (arXiv:2305.18290, Eq. 7).

        -log sigmoid( beta/|y_w| log(policy(y_w|x)/reference(y_w|x)) - beta/|y_l| log(policy(y_l|x)/reference(y_l|x)) )

    All inputs (B, 2): column 0 chosen, column 1 rejected; lengths are trained tokens. Rewards are beta times
    nats per token if length-normalised, else beta times nats per response: never compare the two.
    """
    rewards = beta * (policy_logps - reference_logps)  # (B, 2)
    if length_normalize:
        rewards = rewards / lengths
    chosen, rejected = rewards.unbind(dim=1)
    return PreferenceLoss(-F.logsigmoid(chosen - rejected), chosen, rejected)
