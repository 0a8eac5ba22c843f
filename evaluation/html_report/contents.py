"""The JSON files that the report shows, as typed records: a wrong or missing field is told with its name.

composition.json is scoring/make_pairs.py's, scores.json evaluation/run_evals.py's, fit_report.json
scoring/fit_armorm.py's. Fields that the report does not show are not named here.
"""

from typing import Any

import msgspec


class ReportedRow(msgspec.Struct):
    """The FuseChat-3.0 report's counts of one dataset."""

    selected: int
    sft: int
    dpo: int


class ReportedDataset(ReportedRow, kw_only=True):
    """One row of the report's whole table."""

    dataset: str
    category: str


class Reported(msgspec.Struct):
    """The report's whole table."""

    datasets: list[ReportedDataset]


class DatasetRow(msgspec.Struct):
    """One dataset of composition.json."""

    dataset: str
    domain: str
    category: str
    prompts: int
    not_selected: int
    not_selected_by_reason: dict[str, int]
    selected: int
    sft: int
    dpo: int
    dpo_prompts: int
    both: int
    unused: int
    unused_by_reason: dict[str, int]
    report: ReportedRow | None = None


class Totals(msgspec.Struct):
    """The sums over all datasets."""

    prompts: int
    not_selected: int
    selected: int
    sft: int
    dpo: int
    dpo_prompts: int
    both: int
    unused: int
    entries: int


class SourceRow(msgspec.Struct):
    """One source's part in the data set."""

    source: str
    answers: int
    sft: int
    chosen: int
    rejected: int
    sft_share: float | None = None
    chosen_share: float | None = None
    rejected_share: float | None = None


class Margins(msgspec.Struct):
    """Histogram and quantiles of the margins; only `pairs` where there is none."""

    pairs: int
    mean: float | None = None
    quantiles: dict[str, float] = {}
    bin_edges: list[float] = []
    counts: list[int] = []


class Lengths(msgspec.Struct):
    """Histogram of lengths in characters; the last bin is open."""

    texts: int
    mean: float | None = None
    median: float | None = None
    bin_edges: list[float] = []
    counts: list[int] = []


class LengthBias(msgspec.Struct):
    """How far being chosen goes with being longer."""

    pairs: int
    correlation_of_length_and_chosen: float | None = None
    share_of_pairs_with_longer_chosen: float | None = None
    mean_chosen_characters: float | None = None
    mean_rejected_characters: float | None = None


class WinShare(msgspec.Struct):
    """In what share of common prompts one source's best answer scores higher than another's."""

    source: str
    against: str
    prompts: int
    ties: int = 0
    win_share: float | None = None


class Composition(msgspec.Struct):
    """composition.json."""

    total: Totals
    datasets: list[DatasetRow]
    sources: list[SourceRow]
    margins: dict[str, Margins]
    lengths_in_characters: dict[str, Lengths]
    length_bias: dict[str, LengthBias]
    win_shares: list[WinShare]
    reported: Reported | None = None


class Difference(msgspec.Struct):
    """Paired difference to the first model."""

    difference: float
    interval_95: tuple[float, float]
    more_than_noise: bool


class ModelScore(msgspec.Struct):
    """One model's score on one benchmark."""

    score: float | None
    standard_error: float | None
    n: int
    n_missing: int
    breakdown: dict[str, float] = {}
    difference_to_first: Difference | None = None


class BenchmarkScores(msgspec.Struct):
    """All models' scores on one benchmark; `scale` is 100 (percent) or 10."""

    title: str
    scale: float
    models: dict[str, ModelScore]


class Scores(msgspec.Struct):
    """scores.json."""

    models: list[str]
    benchmarks: dict[str, BenchmarkScores]
    average: dict[str, float] | None = None
    limit: int | None = None
    judge: str | None = None
    other_judges: dict[str, str] = {}
    compare_report: str | None = None


class PairAccuracy(msgspec.Struct):
    """Share of pairs that a fitted reward model ranks right."""

    held_out: float | None = None
    trained: float | None = None


class FitReport(msgspec.Struct):
    """fit_report.json."""

    pair_accuracy: PairAccuracy
    counts: dict[str, Any] = {}
