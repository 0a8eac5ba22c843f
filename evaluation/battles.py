"""Arena-Hard's win rate from judged games: verdict labels, weighted battles, Bradley-Terry, bootstrap interval."""

import math
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Winner = Literal["model", "baseline", "tie"]

_LABEL = re.compile(r"\[\[([AB<>=]+)\]\]")
# What a label counts for the answer shown as A: (winner's side, number of identical battles).
LABELS: dict[str, tuple[Literal["A", "B", "tie"], int]] = {
    "A>>B": ("A", 3), "A>B": ("A", 1), "A=B": ("tie", 1), "B>A": ("B", 1), "B>>A": ("B", 3),
}  # fmt: skip
BOOTSTRAP_ROUNDS, BOOTSTRAP_SEED = 100, 42


def extract_label(judgment: str) -> tuple[str | None, bool]:
    """(the verdict, whether the judge should be asked again).

    One distinct label is the verdict; none asks again; two different ones are no verdict, and the game is dropped.
    """
    labels = set(_LABEL.findall(judgment))
    if not labels:
        return None, True
    if len(labels) > 1:
        return None, False
    return labels.pop(), False


def battles_of(label: str | None, model_side: Literal["A", "B"]) -> list[Winner]:
    """The battles that a verdict counts for; none for a label that is not one of the five."""
    if label is None or label not in LABELS:
        return []
    side, count = LABELS[label]
    winner: Winner = "tie" if side == "tie" else "model" if side == model_side else "baseline"
    return [winner] * count


@dataclass(frozen=True)
class BattleRate:
    """Win rate in percent with its bootstrap interval."""

    value: float
    interval_95: tuple[float, float]
    battles: int


def closed_form(battles: Sequence[Winner]) -> float:
    """100 (W + T/2) / (W + L + T)."""
    wins, ties = battles.count("model"), battles.count("tie")
    return 100 * (wins + ties / 2) / len(battles)


def bradley_terry(battles: Sequence[Winner]) -> float:
    """The same by maximum likelihood: rating difference R, 100 / (1 + 10^(-R/400)).

    With one common baseline the likelihood is that of a single coin, so Newton's method on its log-odds gives the
    unpenalised logistic fit. All wins or all losses have no finite rating: 100 or 0.
    """
    wins = battles.count("model") + battles.count("tie") / 2
    total = len(battles)
    if wins in (0, total):
        return 100.0 * wins / total
    log_odds = 0.0
    for _ in range(100):
        probability = 1 / (1 + math.exp(-log_odds))
        step = (wins / total - probability) / (probability * (1 - probability))
        log_odds += max(-1.0, min(1.0, step))
        if abs(step) < 1e-12:
            break
    rating = 400 * log_odds / math.log(10)
    return 100 / (1 + 10 ** (-rating / 400))


def win_rate(battles: Sequence[Winner]) -> BattleRate:
    """Win rate of the model against the baseline; both formulas must agree."""
    value = bradley_terry(battles)
    if abs(value - closed_form(battles)) > 0.01:
        raise RuntimeError(f"Bradley-Terry gives {value}, the closed form {closed_form(battles)}")
    rng = random.Random(BOOTSTRAP_SEED)
    rounds = sorted(closed_form(rng.choices(battles, k=len(battles))) for _ in range(BOOTSTRAP_ROUNDS))
    return BattleRate(value, (percentile(rounds, 2.5), percentile(rounds, 97.5)), len(battles))


def percentile(ordered: Sequence[float], share: float) -> float:
    """Percentile by linear interpolation of sorted values."""
    position = (len(ordered) - 1) * share / 100
    low = math.floor(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (position - low)
