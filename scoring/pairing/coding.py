"""Code: a high-scoring answer that passes all tests against a low-scoring one that fails."""

from collections.abc import Sequence

from scoring.pairing.candidates import (
    SLACK,
    Candidate,
    Decision,
    Pair,
    distinct,
    highest,
    opposing_pools,
    usable_for_sft,
)
from scoring.pairing.pair_choice import (
    CUT_OFF,
    NEGATIVE,
    choose_among,
    nearest_miss,
    pair_fault,
    rejected_for,
)
from scoring.pairing.rules import PairRules

ALL_FAIL = "no answer passes"


def decide_code(candidates: Sequence[Candidate], rules: PairRules, *, reuse_prompt: bool) -> Decision:
    """What becomes of one code prompt, whose candidates were run against its tests and scored."""
    candidates = distinct(candidates)
    passing = [c for c in candidates if c.correct and c.source not in rules.on_policy_sources]
    # All candidates fail: unused.
    if not passing:
        return Decision(unused=ALL_FAIL)
    whole_passing = usable_for_sft(passing, rules)
    sft = highest(whole_passing) if whole_passing else None
    # Per source with passing and failing candidates: best-scored passing against worst-scored failing.
    pairs, faults = [], []
    for chosen_pool, rejected_pool in opposing_pools(candidates, rules):
        passing_here = [candidate for candidate in chosen_pool if candidate.correct]
        failing_here = [candidate for candidate in rejected_pool if _may_be_rejected(candidate, rules)]
        if not passing_here or not failing_here:
            continue
        whole_here = [candidate for candidate in passing_here if not candidate.truncated]
        if not whole_here:
            faults.append(CUT_OFF)
            continue
        chosen = highest(whole_here)
        pair = Pair(chosen, rejected_for(chosen, failing_here, rules.code_margin, rules))
        fault = code_pair_fault(pair, rules)
        if fault is None:
            pairs.append(pair)
        else:
            faults.append(fault)
    # A usable source: DPO, and SFT as well where the dataset's prompts may be used twice.
    if pairs:
        return Decision(sft=sft if reuse_prompt else None, pairs=choose_among(pairs, rules))
    # Mixed, but no usable pair.
    if faults and rules.code_margin_fail == "drop":
        return Decision(unused=nearest_miss(faults))
    # The best-scored passing answer over all sources.
    if sft is not None:
        return Decision(sft=sft)
    return Decision(unused=CUT_OFF)


def _may_be_rejected(candidate: Candidate, rules: PairRules) -> bool:
    return candidate.correct is False and (rules.code_rejected == "any-failure" or candidate.ran)


def code_pair_fault(pair: Pair, rules: PairRules) -> str | None:
    """Why a passing and a failing answer make no pair, or None."""
    not_above = pair.chosen.rank_score <= pair.rejected.rank_score + SLACK
    if rules.code_require_positive_margin and not_above:
        return NEGATIVE
    return pair_fault(pair, rules.code_margin)
