"""The three fits of an ArmoRM head, on features: ridge rewards, verbosity penalties, the gate. No files, no models.

After Wang et al. 2024 and the training scripts of RLHFlow/RLHF-Reward-Modeling, with one fault of these mended:
they build the transformed rewards r T but train the gate on r, while the shipped model applies T. Here the
gate is trained on what it will mix (`--gate-rewards plain` trains it as the scripts do).
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from scoring.armorm import GatingNetwork
from scoring.score_summary import rank_correlation

ALPHAS = (1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0, 100.0, 1e3, 1e4)
PENALTIES = (0.0, 0.01, 0.025, 0.05, 0.075, 0.1, 0.125, *(step / 20 for step in range(3, 20)))
CORRELATION_THRESHOLD = 0.03
UNMET_PENALTY = 1.0  # what the published code leaves where no penalty of the grid suffices


@dataclass(frozen=True)
class RidgeFit:
    """Weights of one objective and how it was chosen."""

    weights: np.ndarray  # (d,)
    alpha: float
    validation_mse: dict[float, float]  # by alpha


def fit_ridge(features: np.ndarray, labels: np.ndarray, validation: np.ndarray) -> RidgeFit:
    """Ridge regression without intercept: (X'X + alpha I)^-1 X'y in float64, one eigen-decomposition for all alphas.

    features (N, d), labels (N,), validation (N,) boolean. Alpha is the one with the lowest error on the
    validation rows, or, without any, when each row is left out in turn; the weights are then fitted on all N
    rows. (The published script keeps the weights of its 80 %; its validation rows are our held-out ones,
    which are not among these N.)
    """
    x, y = features.astype(np.float64), labels.astype(np.float64)
    whole = _Ridge(x, y)
    if validation.any() and not validation.all():
        part = _Ridge(x[~validation], y[~validation])
        errors = {a: float(np.mean((x[validation] @ part.weights(a) - y[validation]) ** 2)) for a in ALPHAS}
    else:
        errors = {alpha: float(np.mean(whole.residuals_left_out(alpha) ** 2)) for alpha in ALPHAS}
    best = min(ALPHAS, key=lambda alpha: errors[alpha])
    return RidgeFit(whole.weights(best), best, errors)


class _Ridge:
    """Solutions for any alpha from one eigen-decomposition X'X = V diag(e) V'."""

    def __init__(self, x: np.ndarray, y: np.ndarray) -> None:
        self.x, self.y = x, y
        eigenvalues, self.vectors = np.linalg.eigh(x.T @ x)
        self.eigenvalues = eigenvalues.clip(min=0)  # rounding makes tiny negative ones
        self.projected = self.vectors.T @ (x.T @ y)

    def weights(self, alpha: float) -> np.ndarray:
        """(X'X + alpha I)^-1 X'y."""
        return self.vectors @ (self.projected / (self.eigenvalues + alpha))

    def residuals_left_out(self, alpha: float) -> np.ndarray:
        """Error on each row of the fit without it: residual / (1 - leverage)."""
        rotated = self.x @ self.vectors
        leverage = (rotated**2 / (self.eigenvalues + alpha)).sum(axis=1)
        return (self.x @ self.weights(alpha) - self.y) / (1 - leverage).clip(min=1e-9)


def verbosity_penalties(
    rewards: np.ndarray, verbosity: int, threshold: float = CORRELATION_THRESHOLD
) -> tuple[np.ndarray, list[dict[str, float | bool | None]]]:
    """How much of the predicted verbosity to take out of each objective; rewards (N, objectives).

    The smallest penalty p of the grid for which Spearman(r_j - p r_v, r_v) <= threshold; signed, so an
    objective that goes against verbosity keeps penalty 0. Returns penalties, and correlations before and after.
    """
    verbose = rewards[:, verbosity]
    penalties = np.full(rewards.shape[1], UNMET_PENALTY)
    report: list[dict[str, float | bool | None]] = []
    for objective in range(rewards.shape[1]):
        if objective == verbosity:
            report.append({"lambda": UNMET_PENALTY, "before": 1.0, "after": None, "met": True})
            continue
        before = after = rank_correlation(list(zip(rewards[:, objective], verbose, strict=True)))
        met = False
        for penalty in PENALTIES:
            remaining = rewards[:, objective] - penalty * verbose
            after = rank_correlation(list(zip(remaining, verbose, strict=True)))
            if after is None or after <= threshold:
                penalties[objective], met = penalty, True
                break
        if not met:
            after = rank_correlation(
                list(zip(rewards[:, objective] - UNMET_PENALTY * verbose, verbose, strict=True))
            )
        report.append({"lambda": float(penalties[objective]), "before": before, "after": after, "met": met})
    return penalties, report


def transform_matrix(
    num_objectives: int, verbosity: int | None, penalties: np.ndarray | None
) -> torch.Tensor:
    """T of r T: r'_j = r_j - lambda_j r_verbosity, and r'_verbosity = 0. Identity where nothing is debiased."""
    matrix = torch.zeros(num_objectives, num_objectives)
    matrix[range(num_objectives), range(num_objectives)] = 1
    if verbosity is not None and penalties is not None:
        row = -torch.tensor(penalties, dtype=torch.float32)
        row[verbosity] = 0.0
        matrix[verbosity] = row
    return matrix


@dataclass(frozen=True)
class GateSettings:
    """The gate's shape and training; the defaults are the published ones."""

    temperature: float = 10.0
    hidden_dim: int = 1024
    n_hidden: int = 3
    dropout: float = 0.2
    logit_scale: float = 1.0  # where it starts; it is learned as well
    learning_rate: float = 1e-3
    steps: int = 2000
    batch_size: int = 1024
    seed: int = 0
    rewards: Literal["transformed", "plain"] = "transformed"  # r T, or r as the published script trains it


@dataclass(frozen=True)
class Pairs:
    """Preference pairs as features; `prompt_index` points into `prompts`."""

    prompts: torch.Tensor  # (G, d)
    prompt_index: torch.Tensor  # (N,)
    chosen: torch.Tensor  # (N, objectives) rewards that the gate mixes
    rejected: torch.Tensor  # (N, objectives)


def fit_gate(pairs: Pairs, settings: GateSettings) -> tuple[GatingNetwork, list[float]]:
    """Trains the gate with the Bradley-Terry loss -log sigmoid(s_chosen - s_rejected); returns the losses too.

    Batches are drawn with replacement, the learning rate falls to 0 along a cosine. A prompt that several
    pairs of a batch share goes through the gate once (and so has one dropout mask), which is all the same
    to the expected gradient.

    The start of `logit_scale` matters: while scores differ by much less than 1, the loss is nearly linear in
    them, and the best the gate can do with its fixed sum is to put all on one objective. A scale of about one
    over the rewards' differences makes it mix. The published start is 1.
    """
    generator = torch.Generator().manual_seed(settings.seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        gate = GatingNetwork(
            pairs.prompts.shape[1],
            pairs.chosen.shape[1],
            temperature=settings.temperature,
            hidden_dim=settings.hidden_dim,
            n_hidden=settings.n_hidden,
            dropout=settings.dropout,
        )
        gate.logit_scale.data.fill_(settings.logit_scale)
        optimizer = torch.optim.AdamW(gate.parameters(), lr=settings.learning_rate, weight_decay=0.0)
        difference = pairs.chosen - pairs.rejected
        losses: list[float] = []
        for step in range(settings.steps):
            for group in optimizer.param_groups:
                group["lr"] = settings.learning_rate * 0.5 * (1 + math.cos(math.pi * step / settings.steps))
            batch = torch.randint(len(difference), (settings.batch_size,), generator=generator)
            prompts, place = pairs.prompt_index[batch].unique(return_inverse=True)
            coefficients = gate(pairs.prompts[prompts])[place]
            loss = -torch.nn.functional.logsigmoid((coefficients * difference[batch]).sum(dim=1)).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return gate.eval(), losses


def pair_accuracy(scores_chosen: torch.Tensor, scores_rejected: torch.Tensor) -> float | None:
    """Share of pairs whose chosen answer scores higher; a tie counts half. None without pairs."""
    if len(scores_chosen) == 0:
        return None
    wins = (scores_chosen > scores_rejected).double() + 0.5 * (scores_chosen == scores_rejected).double()
    return float(wins.mean())
