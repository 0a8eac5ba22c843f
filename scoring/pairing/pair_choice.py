"""From two opposing pools to at most one pair, and from several pairs to the one that a prompt gives."""

from collections.abc import Callable, Iterable, Sequence

from scoring.pairing.candidates import SLACK, Candidate, Pair, highest, lowest, opposing_pools
from scoring.pairing.rules import PairRules

IDENTICAL = "no two different answers"
CUT_OFF = "best answer cut off"
NEGATIVE = "margin negative"
LOW = "margin low"
HIGH = "margin high"
# A prompt whose sources fail for different reasons is counted once, under the first of these.
NEAREST_MISS_FIRST = (HIGH, LOW, NEGATIVE, CUT_OFF, IDENTICAL)

Window = tuple[float, float]


def margin_fault(margin: float, window: Window) -> str | None:
    """Why a margin is outside the window (ends included, up to float noise), or None."""
    low, high = window
    if margin > high + SLACK:
        return HIGH
    if margin < low - SLACK:
        return NEGATIVE if margin < -SLACK else LOW
    return None


def rejected_for(
    chosen: Candidate, pool: Sequence[Candidate], window: Window | None, rules: PairRules
) -> Candidate:
    """The lowest answer of the pool; with `search_within_source`, the lowest that is inside the window."""
    if rules.search_within_source and window is not None:
        inside = [
            candidate
            for candidate in pool
            if candidate.text_digest != chosen.text_digest
            and margin_fault(chosen.rm_score - candidate.rm_score, window) is None
        ]
        if inside:
            return lowest(inside)
    return lowest(pool)


def pair_fault(pair: Pair, window: Window | None, *, require_positive: bool = False) -> str | None:
    """Why two answers make no pair, or None; `require_positive`: chosen must rank above rejected."""
    if pair.chosen.text_digest == pair.rejected.text_digest:
        return IDENTICAL
    if pair.chosen.truncated:
        return CUT_OFF
    if require_positive and pair.chosen.rank_score <= pair.rejected.rank_score + SLACK:
        return NEGATIVE
    return margin_fault(pair.margin, window) if window is not None else None


def best_against_worst(
    candidates: Sequence[Candidate],
    rules: PairRules,
    window: Window | None,
    *,
    may_be_chosen: Callable[[Candidate], bool] = lambda candidate: True,
    may_be_rejected: Callable[[Candidate], bool] = lambda candidate: True,
    skip_cut_off: bool = True,
    require_positive: bool = False,
) -> tuple[list[Pair], list[str]]:
    """The usable pairs of a prompt, and why pools that hold answers of both kinds give none.

    In every two opposing pools (the same source twice, by default): the best answer that may be chosen against the
    worst that may be rejected. `skip_cut_off`: an answer that was cut off makes way for the best whole one.
    """
    pairs, faults = [], []
    for chosen_pool, rejected_pool in opposing_pools(candidates, rules):
        choosable = [candidate for candidate in chosen_pool if may_be_chosen(candidate)]
        rejectable = [candidate for candidate in rejected_pool if may_be_rejected(candidate)]
        if not choosable or not rejectable:
            continue
        whole = [candidate for candidate in choosable if not candidate.truncated]
        chosen = highest(whole if whole and skip_cut_off else choosable)
        pair = Pair(chosen, rejected_for(chosen, rejectable, window, rules))
        fault = pair_fault(pair, window, require_positive=require_positive)
        if fault is None:
            pairs.append(pair)
        else:
            faults.append(fault)
    return pairs, faults


def choose_among(pairs: Sequence[Pair], rules: PairRules) -> list[Pair]:
    """The pair that a prompt gives where several pools have one; with `source_choice: all`, all of them.

    Ties go on to the better chosen answer and then to the order of sources, which is that of `pairs`.
    """
    if rules.source_choice == "all" or len(pairs) < 2:
        return list(pairs)
    finalists = list(pairs)
    if rules.source_choice == "largest-margin":
        widest = max(pair.margin for pair in finalists)
        finalists = [pair for pair in finalists if pair.margin >= widest - SLACK]
    best = max(pair.chosen.rank_score for pair in finalists)
    return [next(pair for pair in finalists if pair.chosen.rank_score >= best - SLACK)]


def nearest_miss(faults: Iterable[str]) -> str:
    """The one reason under which a prompt without a pair is counted."""
    found = set(faults)
    return next((fault for fault in NEAREST_MISS_FIRST if fault in found), IDENTICAL)
