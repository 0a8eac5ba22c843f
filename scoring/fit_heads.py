"""From features to heads: the three fits on the right rows, and the assembled model."""

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from fusechat.errors import BadInput
from scoring.armorm import ArmoRM
from scoring.armorm_fit import (
    CORRELATION_THRESHOLD,
    GateSettings,
    Pairs,
    fit_gate,
    fit_ridge,
    transform_matrix,
    verbosity_penalties,
)
from scoring.fit_data import FitData, Ranges
from scoring.fit_features import Features


@dataclass(frozen=True)
class Heads:
    """Fitted tensors, and the figures that tell how the fits went."""

    regression: torch.Tensor  # (objectives, d)
    transform: torch.Tensor  # (objectives, objectives)
    gate: dict[str, torch.Tensor]  # the gating network's state
    objectives: dict[str, dict[str, Any]]
    gate_figures: dict[str, Any]
    gate_losses: list[float]


def check_data(data: FitData, split: np.ndarray) -> None:
    """BadInput where there is nothing to fit on. What is missing among held-out prompts is null in the report."""
    faults = []
    labelled = ~np.isnan(np.array(data.labels).reshape(-1, len(data.objectives)))
    fitted = labelled[split[data.prompt_of(data.rated)] != 2].sum(axis=0)
    for name, count in zip(data.objectives, fitted, strict=True):
        if count < 2:
            faults.append(f"objective {name}: {count} rated answers to fit on, at least 2 are needed")
    if not (split[data.prompt_of([chosen for chosen, _ in data.pairs])] != 2).any():
        faults.append("no pair to fit the gate on")
    if data.reference and not (split[data.prompt_of(data.reference)] != 2).any():
        faults.append("no reference pair outside the held-out prompts")
    if faults:
        raise BadInput(f"too little data: {'; '.join(faults)}; rate more answers, or leave the objective out")


@dataclass(frozen=True)
class Debias:
    """Which objective is taken out of the others, down to which rank correlation."""

    objective: str  # or none
    threshold: float = CORRELATION_THRESHOLD


def fit_heads(
    data: FitData, split: np.ndarray, features: Features, debias: Debias, settings: GateSettings
) -> Heads:
    """Stage 1, penalties and stage 2, on prompts that are not held out."""
    regression, objectives = _fit_rewards(data, split, features)
    pairs = torch.tensor(data.pairs, dtype=torch.long)
    pair_prompts = data.prompt_of([chosen for chosen, _ in data.pairs])
    trained = torch.tensor(split[pair_prompts] != 2)
    rewards = features.last @ regression.T  # (answers, objectives)
    penalties = verbosity = None
    if debias.objective != "none":
        verbosity = data.objectives.index(debias.objective)
        reference = _reference_answers(data, split, pairs[trained])
        penalties, report = verbosity_penalties(rewards[reference].numpy(), verbosity, debias.threshold)
        for name, row in zip(data.objectives, report, strict=True):
            objectives[name].update({"lambda": row["lambda"], "correlation_with_verbosity": row})
    transform = transform_matrix(len(data.objectives), verbosity, penalties)
    mixed = rewards @ transform if settings.rewards == "transformed" else rewards
    gate, losses = fit_gate(
        Pairs(
            features.prompt,
            torch.tensor(pair_prompts)[trained],
            mixed[pairs[trained, 0]],
            mixed[pairs[trained, 1]],
        ),
        settings,
    )
    last = losses[-max(1, len(losses) // 20) :]
    figures = {
        **dataclasses.asdict(settings),
        "first_loss": losses[0],
        "last_loss": sum(last) / len(last),
        "logit_scale": gate.logit_scale.item(),
    }
    state = {name: tensor.detach() for name, tensor in gate.state_dict().items()}
    return Heads(regression, transform, state, objectives, figures, losses)


def _reference_answers(data: FitData, split: np.ndarray, trained_pairs: torch.Tensor) -> torch.Tensor:
    """Answer numbers on which correlations are taken: of the reference pairs, or else of the pairs trained on."""
    if not data.reference:
        return trained_pairs.flatten().unique()
    usable = torch.tensor(split[data.prompt_of(data.reference)] != 2)
    return torch.tensor(data.reference)[usable].unique()


def _fit_rewards(
    data: FitData, split: np.ndarray, features: Features
) -> tuple[torch.Tensor, dict[str, dict[str, Any]]]:
    rated_split = split[data.prompt_of(data.rated)]
    labels = np.array(data.labels)  # (rated, objectives)
    x = features.last[data.rated].numpy()
    weights: list[np.ndarray] = []
    figures: dict[str, dict[str, Any]] = {}
    for number, name in enumerate(data.objectives):
        labelled = ~np.isnan(labels[:, number])
        rows = labelled & (rated_split != 2)
        fit = fit_ridge(x[rows], labels[rows, number], rated_split[rows] == 1)
        weights.append(fit.weights)
        figures[name] = {
            "rated": int(labelled.sum()),
            "alpha": fit.alpha,
            "alpha_chosen_by": "validation prompts" if (rated_split[rows] == 1).any() else "leaving one out",
            "validation_mse_by_alpha": {f"{alpha:g}": mse for alpha, mse in fit.validation_mse.items()},
        }
        tested = labelled & (rated_split == 2)
        y = labels[tested, number]
        mse = float(np.mean((x[tested].astype(np.float64) @ fit.weights - y) ** 2)) if len(y) else None
        variance = float(np.var(y)) if len(y) else 0.0
        figures[name] |= {
            "held_out_mse": mse,
            "held_out_r2": 1 - mse / variance if mse is not None and variance > 0 else None,
        }
    return torch.tensor(np.stack(weights), dtype=torch.float32), figures


def assemble(decoder: Any, heads: Heads, ranges: Ranges, gate_offset: int, debiased: str) -> ArmoRM:
    """One model of backbone and fitted heads; its config is the backbone's with the heads' fields beside."""
    config = decoder.config
    fields = {
        "num_objectives": len(ranges),
        "objectives": list(ranges),
        "objective_ranges": {name: list(bounds) for name, bounds in ranges.items()},
        "debiased_objective": debiased,
        "gate_token_offset": gate_offset,
        "gating_temperature": heads.gate_figures["temperature"],
        "gating_hidden_dim": heads.gate_figures["hidden_dim"],
        "gating_n_hidden": heads.gate_figures["n_hidden"],
    }
    for name, value in fields.items():
        setattr(config, name, value)
    model = ArmoRM.around(decoder, config)
    with torch.no_grad():
        model.regression_layer.weight.copy_(heads.regression)
        model.reward_transform_matrix.copy_(heads.transform)
        model.gating.load_state_dict(heads.gate)
    return model.eval()
