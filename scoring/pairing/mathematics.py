"""Maths: best right against worst wrong answer of a source to DPO; prompts without such a pair to SFT."""

from collections.abc import Sequence

from scoring.pairing.candidates import Candidate, Decision, distinct, highest, usable_for_sft
from scoring.pairing.pair_choice import CUT_OFF, best_against_worst, choose_among, nearest_miss
from scoring.pairing.rules import PairRules

NO_CORRECT = "no correct answer"


def decide_math(candidates: Sequence[Candidate], rules: PairRules) -> Decision:
    """What becomes of one maths prompt, whose candidates are labelled right or wrong and scored."""
    candidates = distinct(candidates)
    right = [c for c in candidates if c.correct and c.source not in rules.on_policy_sources]
    whole_right = usable_for_sft(right, rules)
    sft = highest(whole_right) if whole_right else None
    # Per source with right and wrong answers: best-scored right against worst-scored wrong.
    pairs, faults = best_against_worst(
        candidates,
        rules,
        rules.margin,
        may_be_chosen=lambda candidate: candidate.correct is True,
        may_be_rejected=lambda candidate: candidate.correct is False,
    )
    # A source with its margin in the window: DPO, and that is all (unless prompts may be used twice).
    if pairs:
        return Decision(sft=sft if rules.math_reuse_prompts else None, pairs=choose_among(pairs, rules))
    # Mixed, but no margin in the window.
    if faults and rules.math_margin_fail == "drop":
        return Decision(unused=nearest_miss(faults))
    # The left data: the best-scored right answer over all sources.
    if sft is not None:
        return Decision(sft=sft)
    return Decision(unused=CUT_OFF if right else NO_CORRECT)
