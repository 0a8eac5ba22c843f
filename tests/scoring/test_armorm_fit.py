"""The stages of fitting a head: each recovers a known rule."""

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from scoring.armorm_fit import (  # noqa: E402
    GateSettings,
    Pairs,
    fit_gate,
    fit_ridge,
    pair_accuracy,
    transform_matrix,
    verbosity_penalties,
)
from scoring.fit_data import FitData, split_prompts  # noqa: E402
from scoring.rm_inputs import Encoded  # noqa: E402
from scoring.score_summary import rank_correlation  # noqa: E402

SMALL_GATE = GateSettings(hidden_dim=64, steps=400, batch_size=256, logit_scale=20.0, seed=0)


def test_ridge_without_noise_recovers_the_weights() -> None:
    generator = np.random.default_rng(0)
    x, weights = generator.normal(size=(400, 16)), generator.normal(size=16)
    fit = fit_ridge(x, x @ weights, np.arange(400) % 5 == 0)
    assert fit.alpha == 1e-4
    assert np.abs(fit.weights - weights).max() < 1e-4


def test_ridge_solves_its_normal_equations() -> None:
    """X = diag(1, 2), y = (3, 4), alpha 1: w = (1*3/(1+1), 2*4/(4+1)) = (1.5, 1.6).

    With labels that are pure noise on the validation rows only the shape of the solution matters, so alpha
    is read off the result: X'X + alpha I has the same closed form for every alpha.
    """
    x = np.array([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]])
    fit = fit_ridge(x, np.array([3.0, 4.0, 3.0]), np.array([False, False, True]))
    gram = x.T @ x + fit.alpha * np.eye(2)
    assert gram @ fit.weights == pytest.approx(x.T @ np.array([3.0, 4.0, 3.0]))


def test_noisy_labels_choose_a_strong_ridge() -> None:
    generator = np.random.default_rng(1)
    fit = fit_ridge(generator.normal(size=(60, 40)), generator.normal(size=60), np.arange(60) % 3 == 0)
    assert fit.alpha >= 100


def test_rank_correlation_by_hand_with_ties() -> None:
    """Ranks 1.5, 1.5, 3 and 1, 2, 3: covariance 0.5, deviations sqrt(0.5) and sqrt(2/3): 0.8660."""
    assert rank_correlation([(5.0, 1.0), (5.0, 7.0), (9.0, 8.0)]) == pytest.approx(0.8660254)
    assert rank_correlation([(1.0, 1.0), (1.0, 2.0), (1.0, 3.0)]) is None


def test_penalties_take_the_correlation_with_verbosity_below_the_threshold() -> None:
    generator = np.random.default_rng(2)
    verbosity = generator.normal(size=3000)
    independent = generator.normal(size=3000)
    rewards = np.stack([0.6 * verbosity + independent, -0.3 * verbosity + independent, verbosity], axis=1)
    penalties, report = verbosity_penalties(rewards, 2)
    assert penalties[0] == pytest.approx(0.6, abs=0.051)
    assert penalties[1] == 0.0  # goes against verbosity already: the rule is signed
    assert report[0]["before"] > 0.4  # type: ignore[operator]
    after = rewards[:, 0] - penalties[0] * verbosity
    assert rank_correlation(list(zip(after, verbosity, strict=True))) <= 0.03  # type: ignore[operator]
    one_step_less = rewards[:, 0] - (penalties[0] - 0.05) * verbosity
    assert rank_correlation(list(zip(one_step_less, verbosity, strict=True))) > 0.03  # type: ignore[operator]


def test_a_higher_threshold_leaves_more_of_the_correlation() -> None:
    generator = np.random.default_rng(2)
    verbosity = generator.normal(size=3000)
    rewards = np.stack([0.6 * verbosity + generator.normal(size=3000), verbosity], axis=1)
    strict, _ = verbosity_penalties(rewards, 1, 0.0)
    lax, report = verbosity_penalties(rewards, 1, 0.3)
    assert lax[0] < strict[0]
    assert 0.2 < report[0]["after"] <= 0.3  # type: ignore[operator]
    assert verbosity_penalties(rewards, 1, 1.0)[0][0] == 0.0


def test_a_reward_that_is_verbosity_twice_over_keeps_penalty_one_and_says_so() -> None:
    verbosity = np.random.default_rng(3).normal(size=500)
    penalties, report = verbosity_penalties(np.stack([2 * verbosity, verbosity], axis=1), 1)
    assert penalties[0] == 1.0
    assert report[0]["met"] is False


def test_transform_subtracts_the_penalised_verbosity_and_zeroes_it() -> None:
    """r = (1, 2, 4), verbosity is the last, lambda = (0.5, 0.25): r T = (1 - 2, 2 - 1, 0)."""
    matrix = transform_matrix(3, 2, np.array([0.5, 0.25, 1.0]))
    assert (torch.tensor([1.0, 2.0, 4.0]) @ matrix).tolist() == pytest.approx([-1.0, 1.0, 0.0])
    assert torch.equal(transform_matrix(3, None, None), torch.diag(torch.ones(3)))


def synthetic_pairs(seed: int, count: int) -> Pairs:
    """Preference = a fixed mix of four objectives, 0.7, 0.2, 0.1 and 0."""
    generator = torch.Generator().manual_seed(seed)
    prompts = torch.randn(count, 8, generator=generator)
    first, second = torch.rand(count, 4, generator=generator), torch.rand(count, 4, generator=generator)
    better = ((first - second) @ torch.tensor([0.7, 0.2, 0.1, 0.0])) > 0
    chosen, rejected = (
        torch.where(better[:, None], first, second),
        torch.where(better[:, None], second, first),
    )
    return Pairs(prompts, torch.arange(count), chosen, rejected)


def test_gate_learns_a_fixed_mix_of_objectives() -> None:
    gate, losses = fit_gate(synthetic_pairs(0, 2000), SMALL_GATE)
    held_out = synthetic_pairs(1, 1000)
    with torch.inference_mode():
        coefficients = gate(held_out.prompts)
    accuracy = pair_accuracy(
        (coefficients * held_out.chosen).sum(1), (coefficients * held_out.rejected).sum(1)
    )
    assert accuracy is not None
    assert accuracy > 0.95
    assert losses[-1] < losses[0]
    assert coefficients[:, 0].mean() > coefficients[:, 1].mean() > coefficients[:, 2].mean()


def test_gate_of_the_published_scale_puts_all_on_the_strongest_objective() -> None:
    """Why --gate-logit-scale exists: with a sum near 1 the loss is nearly linear, and mixing does not pay."""
    gate, _ = fit_gate(synthetic_pairs(0, 2000), replace(SMALL_GATE, logit_scale=1.0))
    with torch.inference_mode():
        coefficients = gate(synthetic_pairs(1, 100).prompts).mean(0)
    assert coefficients[0] > 0.99 * coefficients.sum()


def test_gate_learns_which_objective_a_kind_of_prompt_asks_for() -> None:
    """The sign of the prompt's first feature says which of two objectives decides."""
    generator = torch.Generator().manual_seed(4)
    prompts = torch.randn(300, 6, generator=generator)
    index = torch.randint(300, (3000,), generator=generator)
    first, second = torch.rand(3000, 2, generator=generator), torch.rand(3000, 2, generator=generator)
    column = (prompts[index, 0] > 0).long()
    better = (first - second).gather(1, column[:, None])[:, 0] > 0
    chosen, rejected = (
        torch.where(better[:, None], first, second),
        torch.where(better[:, None], second, first),
    )
    gate, _ = fit_gate(Pairs(prompts, index, chosen, rejected), SMALL_GATE)
    coefficients = gate(torch.tensor([[3.0, 0, 0, 0, 0, 0], [-3.0, 0, 0, 0, 0, 0]]))
    assert coefficients[0, 1] > 3 * coefficients[0, 0]
    assert coefficients[1, 0] > 3 * coefficients[1, 1]


def test_the_same_seed_gives_the_same_gate() -> None:
    settings = GateSettings(hidden_dim=8, steps=5, batch_size=16)
    first, _ = fit_gate(synthetic_pairs(0, 50), settings)
    torch.rand(3)  # other random numbers drawn in between must not matter
    second, _ = fit_gate(synthetic_pairs(0, 50), settings)
    assert all(
        torch.equal(a, b)
        for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    )


def test_pair_accuracy_counts_a_tie_as_half() -> None:
    assert pair_accuracy(torch.tensor([2.0, 1.0, 1.0]), torch.tensor([1.0, 1.0, 3.0])) == 0.5
    assert pair_accuracy(torch.tensor([]), torch.tensor([])) is None


def split_data(prompts: list[tuple[int, ...]]) -> FitData:
    """One rated answer a prompt: objective a for even prompts, b for odd ones."""
    data = FitData(["a", "b"])
    for prompt in prompts:
        data.rated.append(data.add(Encoded(prompt, (1, 2), False)))
        data.labels.append([0.0, float("nan")] if prompt[0] % 2 == 0 else [float("nan"), 0.0])
        data.sources.append("")
    return data


def test_split_does_not_depend_on_the_order_of_prompts_and_serves_every_objective() -> None:
    prompts: list[tuple[int, ...]] = [(number, number + 1) for number in range(50)]
    split = split_prompts(split_data(prompts), held_out=0.2, validation=0.16, seed=42)
    for kind in (split[::2], split[1::2]):
        assert [int((kind == part).sum()) for part in range(3)] == [16, 4, 5]
    turned = split_prompts(split_data(prompts[::-1]), held_out=0.2, validation=0.16, seed=42)
    assert split.tolist() == turned[::-1].tolist()
    other = split_prompts(split_data(prompts), held_out=0.2, validation=0.16, seed=43)
    assert split.tolist() != other.tolist()


def test_two_prompts_of_a_kind_are_both_trained_on() -> None:
    data = split_data([(0,), (2,), (4,), (6,), (8,), (1,), (3,)])
    split = split_prompts(data, held_out=0.2, validation=0.16, seed=42)
    assert split[5:].tolist() == [0, 0]
    assert sorted(split[:5].tolist()) == [0, 0, 0, 1, 2]


def test_leaving_one_out_equals_fitting_without_each_row() -> None:
    generator = np.random.default_rng(5)
    x, y = generator.normal(size=(12, 4)), generator.normal(size=12)
    fit = fit_ridge(x, y, np.zeros(12, dtype=bool))
    for alpha, error in fit.validation_mse.items():
        errors = []
        for row in range(12):
            kept = np.arange(12) != row
            gram = x[kept].T @ x[kept] + alpha * np.eye(4)
            errors.append((x[row] @ np.linalg.solve(gram, x[kept].T @ y[kept]) - y[row]) ** 2)
        assert error == pytest.approx(np.mean(errors), rel=1e-6)
