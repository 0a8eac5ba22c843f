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


class LengthControl:
    """The controlled win rate of one model, and what it would be had its items been drawn otherwise.

    Items stand in the baseline file's order.
    """

    def __init__(
        self,
        preferences: Sequence[float | None],
        baseline_lengths: Sequence[int],
        model_lengths: Sequence[int],
        gamed: Sequence[GamedRow],
    ) -> None:
        import numpy as np

        difficulty = {row.index: row.difficulty for row in gamed}
        unknown = sorted(set(range(len(preferences))) - set(difficulty))
        if unknown:
            raise BadInput(
                f"df_gamed.csv has no difficulty for index {unknown[0]} ({len(unknown)} in all); "
                "are these the instructions of AlpacaEval in their order?"
            )
        values = [preference_value(preference) for preference in preferences]
        self.judged = [index for index, value in enumerate(values) if value is not None]
        self.difficulties = np.array([difficulty[index] for index in range(len(values))])
        self.differences = np.array(
            [baseline_lengths[index] - model_lengths[index] for index in self.judged], dtype=float
        )
        self.gamed_features = np.array([[math.tanh(row.std_delta_len), row.difficulty, 0.0] for row in gamed])
        self.labels = np.array(
            [row.preference for row in gamed] + [(values[index] or 0.0) - 1 for index in self.judged]
        )
        self.inverse_penalty: float | None = None

    def shares(self, counts: Any = None) -> Any:
        """The predicted share of each item in percent, length set aside; `counts`: how often each item was drawn.

        The penalty is chosen once, for the items as they are.
        """
        import numpy as np

        drawn = np.ones(len(self.judged)) if counts is None else counts[self.judged].astype(float)
        mean = np.average(self.differences, weights=drawn)
        variance = (drawn * (self.differences - mean) ** 2).sum() / (drawn.sum() - 1)
        # Answers all as much longer as each other tell nothing about length.
        spread = math.sqrt(variance) or 1.0
        own = [
            np.tanh(self.differences / spread),
            self.difficulties[self.judged],
            np.ones(len(self.judged)),
        ]
        features = np.vstack([self.gamed_features, np.column_stack(own)])
        weights = np.concatenate([np.full(len(self.gamed_features), GAMED_WEIGHT), drawn])
        if self.inverse_penalty is None:
            self.inverse_penalty = choose_penalty(features, self.labels, weights)
        coefficients = fit_soft_labels(features, self.labels, weights, self.inverse_penalty)
        return 100 / (1 + np.exp(-(self.difficulties * coefficients[1] + coefficients[2])))

    def rate(self, counts: Any) -> float | None:
        """The controlled win rate of items drawn so often; None where fewer than two of them are judged."""
        if counts[self.judged].sum() < 2:
            return None
        return float((self.shares(counts) * counts).sum() / counts.sum())


def length_controlled_win_rate(
    preferences: Sequence[float | None],
    baseline_lengths: Sequence[int],
    model_lengths: Sequence[int],
    gamed: Sequence[GamedRow],
) -> WinRate:
    """The controlled win rate over all items, in the baseline file's order; n is how many are judged."""
    control = LengthControl(preferences, baseline_lengths, model_lengths, gamed)
    shares = control.shares()
    return WinRate(
        float(shares.mean()), float(shares.std(ddof=1) / math.sqrt(len(shares))), len(control.judged)
    )


def doubled(features: Any, labels: Any, weights: Any) -> tuple[Any, Any, Any]:
    """Every row twice: as a 1 with weight w y, and as a 0 with weight w (1 - y)."""
    import numpy as np

    classes = np.concatenate([np.ones(len(labels)), np.zeros(len(labels))])
    return (
        np.vstack([features, features]),
        classes,
        np.concatenate([weights * labels, weights * (1 - labels)]),
    )


def fit_soft_labels(features: Any, labels: Any, weights: Any, inverse_penalty: float) -> Any:
    """L1 logistic regression without intercept on labels between 0 and 1."""
    import warnings

    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(
        C=inverse_penalty, l1_ratio=1.0, solver="liblinear", fit_intercept=False, random_state=123
    )
    rows, classes, row_weights = doubled(features, labels, weights)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(rows, classes, sample_weight=row_weights).coef_[0]


def choose_penalty(features: Any, labels: Any, weights: Any) -> float:
    """The inverse penalty with the lowest weighted log loss in cross-validation; both copies of a row are in one fold."""
    import numpy as np
    from sklearn.model_selection import GroupKFold

    groups = np.concatenate([np.arange(len(labels)), np.arange(len(labels))])
    candidates = np.logspace(-4, 4, 10)
    losses = np.zeros((FOLDS, len(candidates)))
    for fold, (train, validation) in enumerate(GroupKFold(FOLDS).split(groups, groups=groups)):
        # The first copies, then the second ones, as in the whole.
        kept, held = (np.unique(groups[rows]) for rows in (train, validation))
        for position, inverse_penalty in enumerate(candidates):
            coefficients = fit_soft_labels(features[kept], labels[kept], weights[kept], inverse_penalty)
            probability = np.clip(1 / (1 + np.exp(-(features[held] @ coefficients))), 1e-15, 1 - 1e-15)
            soft = labels[held]
            loss = -(soft * np.log(probability) + (1 - soft) * np.log(1 - probability))
            losses[fold, position] = float(np.mean(weights[held] * loss))
    return float(candidates[int(np.argmin(losses.mean(axis=0)))])
