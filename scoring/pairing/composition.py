"""The composition of the data set, as plain figures: counts, shares of sources, margins, lengths, win shares."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from scoring.pairing.answer_table import AnswerTable
from scoring.pairing.candidates import SLACK, Pair
from scoring.pairing.decisions import DatasetDecisions
from scoring.pairing.reported import CATEGORIES, REPORTED, reported_row
from scoring.pairing.spread import spread_figures

MARGIN_BINS = 20
LENGTH_BIN_EDGES = (0, *(2**power for power in range(5, 16)))  # characters
MARGIN_QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


def dataset_figures(group: DatasetDecisions) -> dict[str, Any]:
    """One row of the table. selected = sft + dpo + unused - both, where all four count prompts."""
    decisions = group.decisions.values()
    unused = Counter(decision.unused for decision in decisions if decision.unused is not None)
    reported = reported_row(group.dataset)
    return {
        "dataset": group.dataset,
        "domain": group.domain,
        "category": reported.category if reported else CATEGORIES[group.domain],
        "prompts": group.prompts,
        "not_selected": sum(group.not_selected.values()),
        "not_selected_by_reason": dict(sorted(group.not_selected.items())),
        "selected": len(group.decisions),
        "sft": sum(decision.sft is not None for decision in decisions),
        "dpo": sum(len(decision.pairs) for decision in decisions),
        "dpo_prompts": sum(bool(decision.pairs) for decision in decisions),
        "both": sum(bool(decision.pairs) and decision.sft is not None for decision in decisions),
        "unused": sum(unused.values()),
        "unused_by_reason": dict(sorted(unused.items())),
        "report": {"selected": reported.selected, "sft": reported.sft, "dpo": reported.dpo}
        if reported
        else None,
    }


def total_figures(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """The last row of the table, and the number of training entries."""
    names = ("prompts", "not_selected", "selected", "sft", "dpo", "dpo_prompts", "both", "unused")
    totals = {name: sum(row[name] for row in rows) for name in names}
    return {**totals, "entries": totals["sft"] + totals["dpo"]}


def source_figures(table: AnswerTable, datasets: Sequence[DatasetDecisions]) -> list[dict[str, Any]]:
    """Each source's number and share among answers, SFT rows, chosen and rejected."""
    answers = Counter(
        {
            table.sources[index]: count
            for index, count in enumerate(
                np.bincount(
                    np.frombuffer(table.source_index, dtype=np.int16), minlength=len(table.sources)
                ).tolist()
            )
        }
    )
    sft: Counter[str] = Counter()
    chosen: Counter[str] = Counter()
    rejected: Counter[str] = Counter()
    for group in datasets:
        for decision in group.decisions.values():
            if decision.sft is not None:
                sft[decision.sft.source] += 1
            for pair in decision.pairs:
                chosen[pair.chosen.source] += 1
                rejected[pair.rejected.source] += 1
    columns = {"answers": answers, "sft": sft, "chosen": chosen, "rejected": rejected}
    return [
        {"source": source}
        | {name: column[source] for name, column in columns.items()}
        | {f"{name}_share": _share(column[source], column.total()) for name, column in columns.items()}
        for source in sorted(table.sources)
    ]


def all_pairs(datasets: Sequence[DatasetDecisions], domain: str | None = None) -> list[Pair]:
    """The pairs of one domain, or all."""
    return [
        pair
        for group in datasets
        if domain in (None, group.domain)
        for decision in group.decisions.values()
        for pair in decision.pairs
    ]


def margin_figures(pairs: Sequence[Pair]) -> dict[str, Any]:
    """Histogram and quantiles of the margins."""
    margins = np.array([pair.margin for pair in pairs])
    if not len(margins):
        return {"pairs": 0}
    counts, edges = np.histogram(margins, bins=MARGIN_BINS)
    return {
        "pairs": len(margins),
        "mean": float(margins.mean()),
        "quantiles": dict(
            zip(map(str, MARGIN_QUANTILES), np.quantile(margins, MARGIN_QUANTILES).tolist(), strict=True)
        ),
        "bin_edges": edges.tolist(),
        "counts": counts.tolist(),
    }


def length_histogram(lengths: np.ndarray) -> dict[str, Any]:
    """How many texts fall between two bin edges (characters; the last bin is open), with mean and median."""
    if not len(lengths):
        return {"texts": 0}
    counts, _ = np.histogram(lengths, bins=[*LENGTH_BIN_EDGES, np.inf])
    return {
        "texts": len(lengths),
        "mean": float(lengths.mean()),
        "median": float(np.median(lengths)),
        "bin_edges": list(LENGTH_BIN_EDGES),
        "counts": counts.tolist(),
    }


def chosen_lengths(table: AnswerTable, pairs: Sequence[Pair]) -> tuple[np.ndarray, np.ndarray]:
    """Characters of chosen and of rejected answers."""
    characters = np.frombuffer(table.characters, dtype=np.int32)
    chosen = characters[np.array([pair.chosen.row for pair in pairs], dtype=np.int64)]
    rejected = characters[np.array([pair.rejected.row for pair in pairs], dtype=np.int64)]
    return chosen, rejected


def length_bias(table: AnswerTable, pairs: Sequence[Pair]) -> dict[str, Any]:
    """How far being chosen goes with being longer, over the answers of the pairs.

    Characters, not tokens: sources count tokens with different tokenizers.
    """
    chosen, rejected = chosen_lengths(table, pairs)
    is_chosen = np.concatenate([np.ones(len(chosen)), np.zeros(len(rejected))])
    longer = float((chosen > rejected).mean() + (chosen == rejected).mean() / 2) if len(chosen) else None
    return {
        "pairs": len(pairs),
        "correlation_of_length_and_chosen": correlation(np.concatenate([chosen, rejected]), is_chosen),
        "share_of_pairs_with_longer_chosen": longer,
        "mean_chosen_characters": float(chosen.mean()) if len(chosen) else None,
        "mean_rejected_characters": float(rejected.mean()) if len(rejected) else None,
    }


def correlation(first: np.ndarray, second: np.ndarray) -> float | None:
    """Pearson's correlation; None where one of the two does not vary."""
    if len(first) < 2 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    return float(np.corrcoef(first, second)[0, 1])


def win_shares(table: AnswerTable) -> list[dict[str, Any]]:
    """For each two sources: in what share of their common prompts the first one's best RM score is higher.

    Ties count half. Answers to all prompts that have a score take part, right or wrong.
    """
    scored = ~np.isnan(table.rm_score)
    best = np.full((len(table.prompt_ids), len(table.sources)), -np.inf)
    prompt_index = np.frombuffer(table.prompt_index, dtype=np.int32)[scored]
    source_index = np.frombuffer(table.source_index, dtype=np.int16)[scored]
    np.maximum.at(best, (prompt_index, source_index), table.rm_score[scored])
    shares = []
    index_of = {source: index for index, source in enumerate(table.sources)}
    for source, against in combinations(sorted(table.sources), 2):
        ours, theirs = best[:, index_of[source]], best[:, index_of[against]]
        common = np.isfinite(ours) & np.isfinite(theirs)
        difference = ours[common] - theirs[common]
        ties = np.abs(difference) <= SLACK
        wins = float((difference > SLACK).sum() + ties.sum() / 2)
        shares.append(
            {
                "source": source,
                "against": against,
                "prompts": int(common.sum()),
                "ties": int(ties.sum()),
                "win_share": _share(wins, int(common.sum())),
            }
        )
    return shares


def compose(table: AnswerTable, datasets: Sequence[DatasetDecisions]) -> dict[str, Any]:
    """All figures of composition.json that come from the data."""
    rows = [dataset_figures(group) for group in datasets]
    domains = sorted({group.domain for group in datasets})
    pairs_of = {domain: all_pairs(datasets, domain) for domain in domains}
    pairs_of = {"all": all_pairs(datasets)} | {domain: pairs for domain, pairs in pairs_of.items() if pairs}
    chosen, rejected = chosen_lengths(table, pairs_of["all"])
    characters = np.frombuffer(table.characters, dtype=np.int32)
    sft_rows = [decision.sft.row for group in datasets for _, decision in group.sft() if decision.sft]
    return {
        "total": total_figures(rows),
        "datasets": rows,
        "sources": source_figures(table, datasets),
        "spread_within_source": spread_figures(table),
        "margins": {domain: margin_figures(pairs) for domain, pairs in pairs_of.items()},
        "lengths_in_characters": {
            "sft": length_histogram(characters[np.array(sft_rows, dtype=np.int64)]),
            "chosen": length_histogram(chosen),
            "rejected": length_histogram(rejected),
        },
        "length_bias": {domain: length_bias(table, pairs) for domain, pairs in pairs_of.items()},
        "win_shares": win_shares(table),
        # The report's whole table, for whoever shows this one beside it.
        "reported": {"datasets": [row._asdict() for row in REPORTED]},
    }


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None
