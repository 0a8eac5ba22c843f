"""Win rates from battles as Arena-Hard publishes them (arena_hard_battles.jsonl), of any number of models."""

import math
import random
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from evaluation.battles import (
    BOOTSTRAP_ROUNDS,
    BOOTSTRAP_SEED,
    LABELS,
    BattleRate,
    Winner,
    percentile,
    win_rate,
)  # fmt: skip
from fusechat.errors import BadInput

Battle = tuple[str, str, float]  # model a, model b, what a won: 1, 0, or 0.5 for a tie


def published_rates(rows: Sequence[Mapping[str, Any]], baseline: str | None = None) -> dict[str, BattleRate]:
    """See arena_hard.score_published."""
    battles = [battle for row in rows for battle in battles_of_row(row)]
    if not battles:
        raise BadInput("no battle has a winner that is known; rows need model_a, model_b and winner")
    names = {name for a, b, _ in battles for name in (a, b)}
    in_all = [name for name in sorted(names) if all(name in (a, b) for a, b, _ in battles)]
    if baseline is None and (len(in_all) != 1):
        raise BadInput(
            f"no single model is in every battle; name the baseline, one of: {', '.join(sorted(names))}"
        )
    baseline = baseline or in_all[0]
    if baseline not in names:
        raise BadInput(f"the baseline {baseline} is in no battle; it is one of: {', '.join(sorted(names))}")
    if baseline in in_all:
        rates = {name: win_rate(against(name, baseline, battles)) for name in names - {baseline}}
    else:
        rates = joint_rates(battles, baseline)
    return dict(sorted(rates.items(), key=lambda item: (-item[1].value, item[0])))


def battles_of_row(row: Mapping[str, Any]) -> list[Battle]:
    """The battles of one published row: none for a winner that is not known, three for a strong verdict."""
    a, b, winner = str(row["model_a"]), str(row["model_b"]), row.get("winner")
    if winner in LABELS:
        side, count = LABELS[str(winner)]
        return [(a, b, {"A": 1.0, "B": 0.0, "tie": 0.5}[side])] * count
    won = {a: 1.0, b: 0.0, "model_a": 1.0, "model_b": 0.0, "tie": 0.5, "tie (bothbad)": 0.5}.get(str(winner))
    return [] if won is None else [(a, b, won)]


def against(name: str, baseline: str, battles: Sequence[Battle]) -> list[Winner]:
    """One model's battles with the baseline, seen from the model."""
    words: dict[float, Winner] = {1.0: "model", 0.0: "baseline", 0.5: "tie"}
    found = [(won if a == name else 1 - won) for a, b, won in battles if {a, b} == {name, baseline}]
    return [words[won] for won in found]


def joint_rates(battles: Sequence[Battle], baseline: str) -> dict[str, BattleRate]:
    """Win rates against the baseline from one fit over all battles; bootstrap over battles."""
    rng = random.Random(BOOTSTRAP_SEED)
    whole = joint_fit(battles, baseline)
    rounds = [joint_fit(rng.choices(battles, k=len(battles)), baseline) for _ in range(BOOTSTRAP_ROUNDS)]
    rates = {}
    for name, value in whole.items():
        values = sorted(one[name] for one in rounds if name in one)
        count = sum(name in (a, b) for a, b, _ in battles)
        rates[name] = BattleRate(value, (percentile(values, 2.5), percentile(values, 97.5)), count)
    return rates


def joint_fit(battles: Sequence[Battle], baseline: str) -> dict[str, float]:
    """Win rate in percent against the baseline by unpenalised logistic regression, one column a model.

    A battle enters twice, won by each side with the weight of what it won, as ties do in the original.
    """
    import numpy as np
    from sklearn.linear_model import LogisticRegression

    names = sorted({name for a, b, _ in battles for name in (a, b)} | {baseline})
    column = {name: position for position, name in enumerate(names)}
    features = np.zeros((len(battles), len(names)))
    for row, (a, b, _) in enumerate(battles):
        features[row, column[a]], features[row, column[b]] = math.log(10), -math.log(10)
    won = np.array([battle[2] for battle in battles])
    model = LogisticRegression(C=math.inf, fit_intercept=False, tol=1e-8, max_iter=1000)
    labels = np.repeat([1, 0], len(battles))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a model that won or lost all of its battles has no finite rating
        model.fit(np.vstack([features, features]), labels, sample_weight=np.concatenate([won, 1 - won]))
    ratings = 400 * model.coef_[0]
    gap = {name: ratings[column[baseline]] - ratings[column[name]] for name in names if name != baseline}
    return {name: float(100 / (1 + 10 ** (difference / 400))) for name, difference in gap.items()}
