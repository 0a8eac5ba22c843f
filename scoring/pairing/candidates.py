"""An answer as the rules see it (no text, only its digest), a pair of them, and what becomes of a prompt."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import msgspec

from scoring.pairing.rules import PairRules

# Scores of a bfloat16 backbone lie on a grid, and 0.3 - 0.2 < 0.1 in floats: smaller differences are none.
SLACK = 1e-6


class Candidate(msgspec.Struct, frozen=True, gc=False):
    """One answer. Lists of candidates are always in the order that settles ties: source, then sample index."""

    row: int
    """Row in the table of answers, by which its text is found again."""
    source: str
    rm_score: float
    rank_score: float
    """What answers are ranked by: the RM score, with points for checks where --score asks for them."""
    text_digest: int
    """Two answers with the same digest read the same."""
    truncated: bool = False
    correct: bool | None = None
    """Right final answer (math), all tests passed (code), None elsewhere."""
    ran: bool = True
    """Code: it was run against the tests."""


class Pair(msgspec.Struct, frozen=True, gc=False):
    """A preference between two answers to one prompt."""

    chosen: Candidate
    rejected: Candidate

    @property
    def margin(self) -> float:
        """RM score of chosen minus RM score of rejected."""
        return self.chosen.rm_score - self.rejected.rm_score


@dataclass
class Decision:
    """What becomes of a prompt: an SFT row, pairs, both (where prompts may be reused), or neither and why."""

    sft: Candidate | None = None
    pairs: list[Pair] = field(default_factory=list)
    unused: str | None = None


def highest(candidates: Sequence[Candidate]) -> Candidate:
    """The best-ranked candidate; among equals the first."""
    top = max(candidate.rank_score for candidate in candidates)
    return next(candidate for candidate in candidates if candidate.rank_score >= top - SLACK)


def lowest(candidates: Sequence[Candidate]) -> Candidate:
    """The worst-ranked candidate; among equals the first."""
    bottom = min(candidate.rank_score for candidate in candidates)
    return next(candidate for candidate in candidates if candidate.rank_score <= bottom + SLACK)


def distinct(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Without answers that repeat an earlier one of the same source."""
    seen: set[tuple[str, int]] = set()
    kept = []
    for candidate in candidates:
        key = (candidate.source, candidate.text_digest)
        if key not in seen:
            seen.add(key)
            kept.append(candidate)
    return kept


def by_source(candidates: Iterable[Candidate]) -> dict[str, list[Candidate]]:
    """Candidates grouped by source, both in their order."""
    groups: dict[str, list[Candidate]] = {}
    for candidate in candidates:
        groups.setdefault(candidate.source, []).append(candidate)
    return groups


def usable_for_sft(candidates: Iterable[Candidate], rules: PairRules) -> list[Candidate]:
    """Candidates that are whole and not the target model's own."""
    return [
        candidate
        for candidate in candidates
        if not candidate.truncated and candidate.source not in rules.on_policy_sources
    ]


def opposing_pools(
    candidates: Sequence[Candidate], rules: PairRules
) -> Iterator[tuple[list[Candidate], list[Candidate]]]:
    """Pools that a pair may come from: (those to choose from, those to reject from), by --pairing.

    same-source: each source against itself. cross-source: each source against each other one.
    best-worst-overall: all against all. Where on-policy sources are named, they alone are rejected from and
    never chosen from.
    """
    on_policy = set(rules.on_policy_sources)
    groups = by_source(candidates)
    chosen_groups = {source: group for source, group in groups.items() if source not in on_policy}
    rejected_groups = (
        {source: group for source, group in groups.items() if source in on_policy} if on_policy else groups
    )
    if rules.pairing == "same-source":
        for group in chosen_groups.values():
            yield group, group
    elif rules.pairing == "cross-source":
        for chosen_source, chosen_group in chosen_groups.items():
            for rejected_source, rejected_group in rejected_groups.items():
                if chosen_source != rejected_source:
                    yield chosen_group, rejected_group
    else:
        chosen_pool = [candidate for group in chosen_groups.values() for candidate in group]
        rejected_pool = [candidate for group in rejected_groups.values() for candidate in group]
        if chosen_pool and rejected_pool:
            yield chosen_pool, rejected_pool
