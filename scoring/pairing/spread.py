"""How far the best and the worst answer of a source to a prompt lie apart: the scale of a reward model.

The report's window of 0.01 to 0.1 belongs to ArmoRM; with another reward model, or a head fitted by us, the window
is set by quantiles of this spread (`--margin-quantiles 0.3 0.99`, say).
"""

import numpy as np

from fusechat.errors import BadInput
from scoring.pairing.answer_table import AnswerTable

QUANTILES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)


def spreads_within_source(table: AnswerTable) -> np.ndarray:
    """Highest minus lowest RM score of every prompt and source with at least two scored answers."""
    usable = ~np.isnan(table.rm_score) & (np.frombuffer(table.unfit, dtype=np.uint8) == 0)
    prompt_index = np.frombuffer(table.prompt_index, dtype=np.int32)[usable].astype(np.int64)
    source_index = np.frombuffer(table.source_index, dtype=np.int16)[usable]
    group = prompt_index * len(table.sources) + source_index
    groups = len(table.prompt_ids) * len(table.sources)
    highest, lowest = np.full(groups, -np.inf), np.full(groups, np.inf)
    np.maximum.at(highest, group, table.rm_score[usable])
    np.minimum.at(lowest, group, table.rm_score[usable])
    several = np.bincount(group, minlength=groups) >= 2
    spreads: np.ndarray = highest[several] - lowest[several]
    return spreads


def window_from_quantiles(table: AnswerTable, quantiles: tuple[float, float]) -> tuple[float, float]:
    """The window between two quantiles of the spread. BadInput where no source has two scored answers."""
    spreads = spreads_within_source(table)
    if not len(spreads):
        raise BadInput(
            "--margin-quantiles: no source has two scored answers to a prompt; give --margin LO HI instead"
        )
    low, high = np.quantile(spreads, quantiles).tolist()
    return low, high


def spread_figures(table: AnswerTable) -> dict[str, object]:
    """Quantiles of the spread, for composition.json."""
    spreads = spreads_within_source(table)
    if not len(spreads):
        return {"prompts_and_sources": 0}
    values = np.quantile(spreads, QUANTILES).tolist()
    return {
        "prompts_and_sources": len(spreads),
        "quantiles": dict(zip(map(str, QUANTILES), values, strict=True)),
    }
