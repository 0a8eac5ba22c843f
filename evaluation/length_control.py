"""AlpacaEval's win rates: plain, and length-controlled by a logistic model (AlpacaEval 2, "length_controlled_v1").

P(model preferred) = sigma(a tanh(z) + b g + c t): z is the length difference over its standard deviation, g the
instruction's difficulty, t marks the tested model's rows. Rows of a baseline rewritten to be longer and shorter
(`df_gamed.csv`) keep `a` honest. The controlled win rate is what the model predicts with the length term set to 0.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fusechat.errors import BadInput

GAMED_WEIGHT = 0.1  # 0.2 of the weight in all, over two rewritten baselines
FOLDS = 5


@dataclass(frozen=True)
class GamedRow:
    """A judged answer of the rewritten baseline."""

    index: int
    preference: float  # 0 to 1
    std_delta_len: float
    difficulty: float


@dataclass(frozen=True)
class WinRate:
    """In percent, with standard error, over n judged items."""

    value: float
    standard_error: float
    n: int


def gamed_rows(rows: Sequence[Mapping[str, Any]]) -> list[GamedRow]:
    """Rows of df_gamed.csv, in the file's order, which decides the folds."""
    return [
        GamedRow(
            int(row["index"]),
            float(row["preference"]),
            float(row["std_delta_len"]),
            float(row["instruction_difficulty"]),
        )
        for row in rows
    ]


def preference_value(preference: float | None) -> float | None:
    """A judgment in 1 to 2 (2: the model is preferred); a stored 0 means a tie, 1.5; None is missing."""
    if preference is None or math.isnan(preference):
        return None
    return 1.5 if preference == 0 else preference


def plain_win_rate(preferences: Sequence[float | None]) -> WinRate:
    """Mean preference for the model over the judged items."""
    values = [100 * (value - 1) for value in map(preference_value, preferences) if value is not None]
    if len(values) < 2:
        raise BadInput(
            f"{len(values)} of {len(preferences)} preferences are there; a win rate needs two or more"
        )
    return WinRate(statistics.fmean(values), statistics.stdev(values) / math.sqrt(len(values)), len(values))


def length_controlled_win_rate(
    preferences: Sequence[float | None],
    baseline_lengths: Sequence[int],
    model_lengths: Sequence[int],
    gamed: Sequence[GamedRow],
) -> tuple[WinRate, list[float]]:
    """The controlled win rate and its share of each item (percent); items in the baseline file's order."""
    import numpy as np

    difficulty = {row.index: row.difficulty for row in gamed}
    unknown = sorted(set(range(len(preferences))) - set(difficulty))
    if unknown:
        raise BadInput(
            f"df_gamed.csv has no difficulty for index {unknown[0]} ({len(unknown)} in all); "
            "are these the instructions of AlpacaEval in their order?"
        )
    values = [preference_value(preference) for preference in preferences]
    judged = [index for index, value in enumerate(values) if value is not None]
    differences = np.array([baseline_lengths[index] - model_lengths[index] for index in judged], dtype=float)
    spread = (
        differences.std(ddof=1) or 1.0
    )  # answers all as much longer as each other tell nothing about length
    model_features = np.column_stack(
        [
            np.tanh(differences / spread),
            [difficulty[index] for index in judged],
            np.ones(len(judged)),
        ]
    )
    gamed_features = np.array([[math.tanh(row.std_delta_len), row.difficulty, 0.0] for row in gamed])
    features = np.vstack([gamed_features, model_features])
    labels = np.array([row.preference for row in gamed] + [(values[index] or 0.0) - 1 for index in judged])
    weights = np.array([GAMED_WEIGHT] * len(gamed) + [1.0] * len(judged))
    coefficients = fit_soft_labels(features, labels, weights)
    everywhere = np.array([[0.0, difficulty[index], 1.0] for index in range(len(values))])
    shares = 100 / (1 + np.exp(-(everywhere @ coefficients)))
    rate = WinRate(float(shares.mean()), float(shares.std(ddof=1) / math.sqrt(len(shares))), len(judged))
    return rate, [float(share) for share in shares]


def fit_soft_labels(features: Any, labels: Any, weights: Any) -> Any:
    """L1 logistic regression on labels between 0 and 1; the penalty is chosen by grouped cross-validation.

    Every row enters twice, as a 1 with weight w y and as a 0 with weight w (1 - y); both copies are in one fold.
    """
    import warnings

    import numpy as np
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold

    rows = len(labels)
    doubled = np.vstack([features, features])
    classes = np.concatenate([np.ones(rows), np.zeros(rows)])
    doubled_weights = np.concatenate([weights * labels, weights * (1 - labels)])
    groups = np.concatenate([np.arange(rows), np.arange(rows)])

    def fitted(inverse_penalty: float, chosen: Any) -> Any:
        model = LogisticRegression(
            C=inverse_penalty, l1_ratio=1.0, solver="liblinear", fit_intercept=False, random_state=123
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return model.fit(doubled[chosen], classes[chosen], sample_weight=doubled_weights[chosen])

    candidates = np.logspace(-4, 4, 10)
    losses = np.zeros((FOLDS, len(candidates)))
    for fold, (train, validation) in enumerate(GroupKFold(FOLDS).split(doubled, classes, groups)):
        held = np.unique(groups[validation])
        for position, inverse_penalty in enumerate(candidates):
            logits = features[held] @ fitted(inverse_penalty, train).coef_[0]
            probability = np.clip(1 / (1 + np.exp(-logits)), 1e-15, 1 - 1e-15)
            soft = labels[held]
            loss = -(soft * np.log(probability) + (1 - soft) * np.log(1 - probability))
            losses[fold, position] = float(np.mean(weights[held] * loss))
    best = candidates[int(np.argmin(losses.mean(axis=0)))]
    return fitted(best, np.arange(2 * rows)).coef_[0]
