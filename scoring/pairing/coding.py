"""Code: a high-scoring answer that passes all tests against a low-scoring one that fails."""

from collections.abc import Sequence

from scoring.pairing.candidates import Candidate, Decision, distinct, highest, usable_for_sft
from scoring.pairing.pair_choice import CUT_OFF, best_against_worst, choose_among, nearest_miss
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
    pairs, faults = best_against_worst(
        candidates,
        rules,
        rules.code_margin,
        may_be_chosen=lambda candidate: candidate.correct is True,
        may_be_rejected=lambda candidate: _may_be_rejected(candidate, rules),
        require_positive=rules.code_require_positive_margin,
    )
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
