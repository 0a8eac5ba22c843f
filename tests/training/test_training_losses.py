"""The objectives, against numbers derived by hand."""

import math

import pytest
import torch

from training.losses import preference_loss, sft_loss


def test_lndpo_divides_each_log_ratio_by_its_own_length() -> None:
    """Chosen: 4 tokens, log-ratio -6 - -8 = 2, reward 10 * 2 / 4 = 5. Rejected: 5 tokens, log-ratio -9 - -7 = -2,
    reward 10 * -2 / 5 = -4. Margin 9, loss log(1 + e^-9) = 0.000123402."""
    result = preference_loss(
        torch.tensor([[-6.0, -9.0]]),
        torch.tensor([[-8.0, -7.0]]),
        torch.tensor([[4, 5]]),
        beta=10,
        length_normalize=True,
    )
    assert result.chosen_rewards.item() == pytest.approx(5)
    assert result.rejected_rewards.item() == pytest.approx(-4)
    assert result.losses.item() == pytest.approx(0.000123402, rel=1e-4)


def test_plain_dpo_ignores_the_lengths() -> None:
    """Same log-ratios 2 and -2, beta 0.1: rewards 0.2 and -0.2, margin 0.4, loss log(1 + e^-0.4) = 0.513015."""
    for lengths in ([[4, 5]], [[400, 5]]):
        result = preference_loss(
            torch.tensor([[-6.0, -9.0]]),
            torch.tensor([[-8.0, -7.0]]),
            torch.tensor(lengths),
            beta=0.1,
            length_normalize=False,
        )
        assert result.chosen_rewards.item() == pytest.approx(0.2)
        assert result.rejected_rewards.item() == pytest.approx(-0.2)
        assert result.losses.item() == pytest.approx(0.513015, rel=1e-5)


def test_a_policy_equal_to_its_reference_has_loss_ln_2() -> None:
    logps = torch.tensor([[-31.5, -2.25], [-7.0, -400.0]])
    result = preference_loss(logps, logps, torch.tensor([[3, 9], [1, 77]]), beta=10, length_normalize=True)
    assert result.losses.tolist() == pytest.approx([0.69314718] * 2)
    assert (result.chosen_rewards - result.rejected_rewards).tolist() == [0.0, 0.0]


def test_lndpo_gradient_is_minus_beta_over_length_times_the_sigmoid_of_the_negative_margin() -> None:
    """d loss / d logp(chosen) = -sigmoid(-margin) * beta / length; at margin 0: -0.5 * 10 / 4 = -1.25, and for the
    rejected +0.5 * 10 / 5 = 1."""
    logps = torch.tensor([[-6.0, -9.0]], requires_grad=True)
    preference_loss(
        logps, logps.detach(), torch.tensor([[4, 5]]), beta=10, length_normalize=True
    ).losses.sum().backward()
    assert logps.grad is not None
    assert logps.grad.tolist() == [pytest.approx([-1.25, 1.0])]


def test_a_very_wrong_pair_has_a_finite_loss() -> None:
    """Margin -2000: loss 2000, not infinity (log sigmoid is computed as one function)."""
    result = preference_loss(
        torch.tensor([[-200.0, 0.0]]),
        torch.tensor([[0.0, 0.0]]),
        torch.tensor([[1, 1]]),
        beta=10,
        length_normalize=True,
    )
    assert result.losses.item() == pytest.approx(2000)


def test_sft_shares_add_up_to_the_mean_over_the_tokens_of_the_whole_batch() -> None:
    """Responses of 1, 2 and 5 tokens with log-probabilities -1, -4 and -11: 16 nats over 8 tokens = 2, however split.
    A mean of micro-batch means would give (1 + 15/7) / 2 = 1.57."""
    logps = torch.tensor([-1.0, -4.0, -11.0])
    assert sft_loss(logps, 8).item() == pytest.approx(2)
    assert (sft_loss(logps[:1], 8) + sft_loss(logps[1:], 8)).item() == pytest.approx(2)
    assert math.isclose((sft_loss(logps[:2], 8) + sft_loss(logps[2:], 8)).item(), 2, rel_tol=1e-6)
