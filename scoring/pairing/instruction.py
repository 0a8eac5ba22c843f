"""Instruction following: best against worst answer inside the window; 4 of 10 usable prompts go to SFT."""

import hashlib
from collections.abc import Iterable, Sequence

from scoring.pairing.candidates import Candidate, Decision, distinct, highest, usable_for_sft
from scoring.pairing.pair_choice import best_against_worst, choose_among, nearest_miss
from scoring.pairing.rules import PairRules


def decide_instruction(candidates: Sequence[Candidate], rules: PairRules) -> Decision:
    """The pair and the SFT answer of one prompt; `deal` says later which of the two it gives."""
    # The different answers of each source, each with its score.
    candidates = distinct(candidates)
    # Per source: highest and lowest score. It qualifies if they differ in text, the highest is not cut off,
    # and the difference is in the window.
    pairs, faults = best_against_worst(candidates, rules, rules.margin, skip_cut_off=False)
    # A prompt is selected if at least one source qualifies.
    if not pairs:
        return Decision(unused=nearest_miss(faults))
    # SFT takes the best whole answer over all sources, which may be another source's than the pair's.
    sft = highest(usable_for_sft(candidates, rules))
    return Decision(sft=sft, pairs=choose_among(pairs, rules))


def seeded_order(prompt_ids: Iterable[str], seed: int) -> list[str]:
    """Prompt ids in an order that depends on the seed and on nothing else."""

    def key(prompt_id: str) -> tuple[bytes, str]:
        digest = hashlib.sha256(f"{seed}:{prompt_id}".encode("utf-8", "surrogatepass")).digest()
        return digest, prompt_id

    return sorted(prompt_ids, key=key)


def deal(selected: Iterable[str], rules: PairRules) -> tuple[list[str], list[str]]:
    """Splits one dataset's selected prompts: floor(4n/10) to SFT, the rest to DPO."""
    ordered = seeded_order(selected, rules.seed)
    sft_count = rules.instruction_sft_tenths * len(ordered) // 10
    return ordered[:sft_count], ordered[sft_count:]
