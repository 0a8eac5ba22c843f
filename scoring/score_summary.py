"""What the scores look like: their scale by source and domain, spreads, and how they go with length.

The spread of a source's answers to one prompt decides how many preference pairs a margin window leaves, so
it is shown at the end of scoring, before any window is chosen.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fusechat.jsonl import read_jsonl
from fusechat.records import Prompt, RMScore
from fusechat.tracking import Tracker
from scoring.response_index import ResponseIndex

QUANTILES = (0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99)
SPREAD_QUANTILES = (0.1, 0.3, 0.5, 0.9, 0.99)
PAPER_WINDOW_START = 0.01  # FuseChat-3.0's smallest margin between chosen and rejected


@dataclass
class Summary:
    """Figures of one scored file."""

    counts: dict[str, Any]
    scores: list[list[Any]]  # rows: source or domain, answers, quantiles
    spreads: list[list[Any]]  # rows: source, prompts, quantiles, share that reaches 0.01
    length_correlation: dict[str, float | None]

    def text(self, path: Path) -> str:
        """The summary for people."""
        lines = [
            f"{path}: {self.counts['answers']} answers, {self.counts['scored']} scored, "
            f"{self.counts['truncated']} truncated, {self.counts['null']} without a score"
        ]
        lines += [f"  {count} x {reason}" for reason, count in self.counts["reasons"].items()]
        lines += ["", "Scores", _table(["", "answers", *_percent(QUANTILES)], self.scores)]
        heading = ["", "prompts", *_percent(SPREAD_QUANTILES), f"reach {PAPER_WINDOW_START}"]
        lines += ["", "Spread of one source's answers to one prompt", _table(heading, self.spreads), ""]
        lines += [
            f"Rank correlation of score and length, {name}: {'-' if value is None else format(value, '+.3f')}"
            for name, value in self.length_correlation.items()
        ]
        return "\n".join(lines)


def summarise(scores_file: Path, index: ResponseIndex, prompts: Mapping[str, Prompt]) -> Summary:
    """Reads a scored file back (a resumed run has not all scores in memory) and sums it up."""
    records = {record.response_id: record for record in _read(scores_file)} if index.num_answers else {}
    by_source: dict[str, list[float]] = defaultdict(list)
    by_domain: dict[str, list[float]] = defaultdict(list)
    spreads: dict[str, list[float]] = defaultdict(list)
    everything: list[tuple[float, int]] = []
    highest: list[tuple[float, int]] = []
    lowest: list[tuple[float, int]] = []
    for answers in index.prompts:
        of_source: dict[str, list[tuple[float, int]]] = defaultdict(list)
        for place in answers.places:
            score = records[place.response_id].rm_score
            if score is not None:
                of_source[place.source].append((score, place.num_characters))
        for source, values in of_source.items():
            by_source[source] += [score for score, _ in values]
            by_domain[prompts[answers.prompt_id].domain] += [score for score, _ in values]
            everything += values
            if len(values) > 1:
                best, worst = max(values), min(values)
                spreads[source].append(best[0] - worst[0])
                highest.append(best)
                lowest.append(worst)
    reasons = Counter(record.reason or "" for record in records.values() if record.rm_score is None)
    if spreads:
        spreads["all"] = [spread for source in sorted(spreads) for spread in spreads[source]]
    return Summary(
        counts={
            "answers": len(records),
            "scored": len(everything),
            "truncated": sum(record.rm_truncated for record in records.values()),
            "null": sum(reasons.values()),
            "reasons": dict(reasons.most_common()),
        },
        scores=[
            [name, len(values), *_quantiles(values, QUANTILES)]
            for table in (by_source, by_domain)
            for name, values in sorted(table.items())
        ],
        spreads=[
            [name, len(values), *_quantiles(values, SPREAD_QUANTILES), _share_reaching(values)]
            for name, values in spreads.items()
        ],
        length_correlation={
            "all answers": rank_correlation(everything),
            "best of each prompt and source": rank_correlation(highest),
            "worst of each prompt and source": rank_correlation(lowest),
        },
    )


def log_summary(tracker: Tracker, summary: Summary) -> None:
    """Sends the tables to the run's tracker."""
    tracker.table("score_quantiles", ["of", "answers", *_percent(QUANTILES)], summary.scores)
    columns = ["source", "prompts", *_percent(SPREAD_QUANTILES), "share_reaching_window"]
    tracker.table("spread_quantiles", columns, summary.spreads)
    figures = {f"length_correlation/{name}": value for name, value in summary.length_correlation.items()}
    tracker.log({**{k: v for k, v in summary.counts.items() if k != "reasons"}, **figures})


def rank_correlation(values: Sequence[tuple[float, float]]) -> float | None:
    """Spearman's rank correlation of the pairs, ties sharing their mean rank; None where it is undefined."""
    if len(values) < 3:
        return None
    first, second = (_ranks(np.array(column, dtype=np.float64)) for column in zip(*values, strict=True))
    if first.std() == 0 or second.std() == 0:
        return None
    return float(np.corrcoef(first, second)[0, 1])


def _ranks(values: np.ndarray) -> np.ndarray:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[inverse]


def _read(path: Path) -> list[RMScore]:
    return list(read_jsonl([path], RMScore))


def _quantiles(values: Sequence[float], at: Sequence[float]) -> list[float]:
    return [float(value) for value in np.quantile(np.array(values), at)]


def _share_reaching(values: Sequence[float]) -> float:
    return sum(value >= PAPER_WINDOW_START for value in values) / len(values)


def _percent(quantiles: Sequence[float]) -> list[str]:
    return [f"{quantile * 100:g} %" for quantile in quantiles]


def _table(heading: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    cells = [list(heading), *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(heading))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in cells
    )


def _cell(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)
