"""How good a fitted head is on prompts that it never saw, and which margins its scores suggest."""

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from scoring.armorm import ArmoRM
from scoring.armorm_fit import pair_accuracy
from scoring.fit_data import SPLITS, FitData
from scoring.fit_features import Features
from scoring.fit_heads import Heads

SPREAD_QUANTILES = (0.1, 0.3, 0.5, 0.9, 0.99)
# The window of margins between chosen and rejected: too close to tell apart below, outliers above.
WINDOW_QUANTILES = (0.3, 0.99)


def make_report(
    model: ArmoRM, data: FitData, split: np.ndarray, features: Features, heads: Heads
) -> dict[str, Any]:
    """All figures of a fit, computed with the heads as they are shipped."""
    device = model.regression_layer.weight.device
    prompt_of = data.prompt_of(range(len(data.answers)))
    with torch.inference_mode():
        output = model.heads(features.last.to(device), features.prompt[prompt_of].to(device))
    scores = output["score"].double().cpu()  # (answers,)
    rewards = (output["rewards"] @ model.reward_transform_matrix).double().cpu()
    pairs = torch.tensor(data.pairs, dtype=torch.long)
    pair_split = torch.tensor(split[prompt_of[pairs[:, 0].numpy()]])
    held_out = pairs[pair_split == 2]

    def accuracy(values: torch.Tensor, chosen: torch.Tensor) -> float | None:
        return pair_accuracy(values[chosen[:, 0]], values[chosen[:, 1]])

    for number, name in enumerate(data.objectives):
        heads.objectives[name]["held_out_pair_accuracy_alone"] = accuracy(rewards[:, number], held_out)
    spreads = spreads_of(data, scores.numpy())
    low, high = (
        (float(value) for value in np.quantile(spreads, WINDOW_QUANTILES)) if spreads else (None, None)
    )
    return {
        "counts": {
            "prompts": len(data.prompts),
            **{f"{name}_prompts": int((split == number).sum()) for number, name in enumerate(SPLITS)},
            "conversations": len(data.answers),
            "rated": len(data.rated),
            "pairs": len(data.pairs),
            "held_out_pairs": len(held_out),
            "reference_pairs": len(data.reference) // 2,
            "skipped": dict(data.skipped),
        },
        "objectives": heads.objectives,
        "gate": heads.gate_figures,
        "pair_accuracy": {
            "held_out": accuracy(scores, held_out),
            "trained": accuracy(scores, pairs[pair_split != 2]),
            "held_out_plain_mean_of_rewards": accuracy(rewards.mean(dim=1), held_out),
        },
        "spread": {
            "prompts_and_sources": len(spreads),
            "quantiles": {f"{q:g}": float(np.quantile(spreads, q)) for q in SPREAD_QUANTILES}
            if spreads
            else {},
        },
        "margin": {"low": low, "high": high, "quantiles": list(WINDOW_QUANTILES)},
    }


def spreads_of(data: FitData, scores: np.ndarray) -> list[float]:
    """Highest minus lowest score among one source's different rated answers to one prompt."""
    answers: dict[tuple[int, str], set[int]] = defaultdict(set)
    for answer, source in zip(data.rated, data.sources, strict=True):
        answers[(data.answers[answer][0], source)].add(answer)
    return [
        float(max(scores[list(members)]) - min(scores[list(members)]))
        for members in answers.values()
        if len(members) > 1
    ]


def report_text(report: dict[str, Any], output_dir: Path) -> str:
    """The report for people."""
    counts, accuracy, spread, margin = (
        report[key] for key in ("counts", "pair_accuracy", "spread", "margin")
    )
    lines = [
        f"{output_dir}: fitted on {counts['train_prompts']} + {counts['validation_prompts']} prompts, tested on "
        f"{counts['held_out_prompts']} others ({counts['rated']} rated answers, {counts['pairs']} pairs)",
        *(f"  skipped: {count} x {reason}" for reason, count in counts["skipped"].items()),
        f"{'objective':<32}{'rated':>8}{'alpha':>9}{'MSE':>9}{'R2':>8}{'lambda':>8}{'pairs right alone':>19}",
    ]
    for name, row in report["objectives"].items():
        lines.append(
            f"{name:<32}{row['rated']:>8}{row['alpha']:>9g}{_figure(row['held_out_mse'], 9)}"
            f"{_figure(row['held_out_r2'], 8)}{_figure(row.get('lambda'), 8)}"
            f"{_figure(row['held_out_pair_accuracy_alone'], 19)}"
        )
    lines += [
        f"pair accuracy on {counts['held_out_pairs']} held-out pairs: {_figure(accuracy['held_out'])} "
        f"(plain mean of rewards {_figure(accuracy['held_out_plain_mean_of_rewards'])}, "
        f"on pairs it was fitted on {_figure(accuracy['trained'])})",
        f"gate: loss {_figure(report['gate']['first_loss'])} -> {_figure(report['gate']['last_loss'])}, "
        f"scale {_figure(report['gate']['logit_scale'])}",
    ]
    if spread["quantiles"]:
        quantiles = ", ".join(f"{float(q) * 100:g} % {value:.5f}" for q, value in spread["quantiles"].items())
        lines += [
            f"spread of one source's answers to one prompt ({spread['prompts_and_sources']}): {quantiles}",
            f"margin window (30th to 99th percentile): --margin {margin['low']:.6g} {margin['high']:.6g}",
        ]
    else:
        lines.append("no prompt has two rated answers of one source: no margin window can be suggested")
    return "\n".join(lines)


def model_card(report: dict[str, Any], backbone: str) -> str:
    """README.md of a fitted reward model."""
    margin, accuracy = report["margin"], report["pair_accuracy"]["held_out"]
    objectives = "\n".join(
        f"- {name} (R2 {_figure(row['held_out_r2'])})" for name, row in report["objectives"].items()
    )
    window = "unknown" if margin["low"] is None else f"{margin['low']:.6g} to {margin['high']:.6g}"
    return (
        f"# ArmoRM head on {Path(backbone).name}\n\n"
        "A multi-objective reward model with a prompt-dependent gate, in the layout of "
        "RLHFlow/ArmoRM-Llama3-8B-v0.1. Score with `scoring/score_armorm.py --model <this folder>`; scores compare "
        f"only between answers to one prompt.\n\nObjectives, with R2 on held-out prompts:\n{objectives}\n\n"
        f"Held-out pair accuracy: {_figure(accuracy)}. Suggested margin window of preference pairs: {window}. "
        "All figures: fit_report.json.\n"
    )


def _figure(value: float | None, width: int = 0) -> str:
    text = "-" if value is None else f"{value:.4f}"
    return text.rjust(width)
