"""Training curves from metrics.jsonl: which figures there are, and which of them share a chart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from evaluation.html_report.charts import Curve
from fusechat.errors import BadInput

# Title and the figures that share the chart; names are TRL's. A chart with no figure in the file is left out.
CHARTS: tuple[tuple[str, str, Mapping[str, str]], ...] = (
    ("Loss", "nats per token (SFT) or per pair (LN-DPO)", {"loss": "training", "eval/loss": "held out"}),
    (
        "Reward margin",
        "implicit reward of chosen minus rejected",
        {"rewards/margins": "training", "eval/rewards/margins": "held out"},
    ),
    (
        "Pairs ranked right",
        "share of pairs",
        {"rewards/accuracies": "training", "eval/rewards/accuracies": "held out"},
    ),
    (
        "Implicit rewards",
        "beta times log-ratio to the reference",
        {"rewards/chosen": "chosen", "rewards/rejected": "rejected"},
    ),
    ("Log-probabilities", "of the answers", {"logps/chosen": "chosen", "logps/rejected": "rejected"}),
    ("Learning rate", "", {"learning_rate": "learning rate"}),
    ("Gradient norm", "before clipping", {"grad_norm": "gradient norm"}),
    ("Speed", "tokens a second", {"tokens_per_second": "tokens a second"}),
)


@dataclass(frozen=True)
class CurveChart:
    """One chart of a training run."""

    title: str
    note: str
    curves: list[Curve]


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The whole lines of metrics.jsonl; a last line without its end belongs to a run that was killed or is at work.

    Raises BadInput, naming file and line, for a line that is no object with a number `step`.
    """
    data = path.read_bytes()
    rows = []
    for number, line in enumerate(data[: data.rfind(b"\n") + 1].split(b"\n")[:-1], start=1):
        try:
            row = msgspec.json.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BadInput(
                f"{path}:{number}: is not valid JSON: {error}; remove the line, or train again"
            ) from None
        if not isinstance(row, dict) or not isinstance(row.get("step"), int | float):
            raise BadInput(f"{path}:{number}: step: a number is needed; remove the line, or train again")
        rows.append(row)
    return rows


def curve_charts(rows: Sequence[Mapping[str, Any]]) -> list[CurveChart]:
    """The charts that a metrics file has figures for."""
    charts = []
    for title, note, names in CHARTS:
        curves = [Curve(shown, points_of(rows, name)) for name, shown in names.items()]
        curves = [curve for curve in curves if curve.points]
        if curves:
            charts.append(CurveChart(title, note, curves))
    return charts


def points_of(rows: Sequence[Mapping[str, Any]], name: str) -> list[tuple[float, float]]:
    """(step, value) of one figure, where it was logged."""
    return [(float(row["step"]), float(row[name])) for row in rows if isinstance(row.get(name), int | float)]
