"""A second implementation of the pair rules for tests: brute force on whole numbers, no code shared.

Scores are steps on a grid of 0.005 (the files get step * 0.005 plus noise far below the slack), so margins, ties
and the window's ends are exact here: 0.01 to 0.1 is 2 to 20 steps. Every pair of answers is tried against the
words of the rules.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Any

STEP = 0.005


@dataclass(frozen=True)
class Answer:
    """One generated answer."""

    prompt_id: str
    source: str
    sample: int
    steps: int
    text: str
    truncated: bool
    verdict: str | None = None

    @property
    def id(self) -> str:
        """Its response_id."""
        return f"{self.prompt_id}:{self.source}:{self.sample}"

    @property
    def right(self) -> bool:
        """Right final answer, or all tests passed."""
        return self.verdict in ("right", "pass")

    @property
    def wrong(self) -> bool:
        """Known to be wrong."""
        return self.verdict in ("wrong", "fail", "error", "timeout", "no_code")


@dataclass
class Switches:
    """The switches that the brute force knows."""

    window: tuple[int, int] = (2, 20)
    pairing: str = "same-source"
    source_choice: str = "largest-margin"
    on_policy: list[str] = field(default_factory=list)
    math_margin_fail: str = "drop"
    math_reuse: bool = False
    code_margin_fail: str = "sft"
    code_reuse: bool = False
    code_positive: bool = True
    seed: int = 0


def outcome(
    prompts: list[dict[str, Any]], answers: list[Answer], switches: Switches
) -> tuple[dict[str, str], set[tuple[str, str]]]:
    """({prompt_id: response_id of the SFT answer}, {(chosen id, rejected id)})."""
    sft: dict[str, str] = {}
    dpo: set[tuple[str, str]] = set()
    to_deal: dict[str, list[str]] = {}
    for prompt in prompts:
        own = [
            answer for answer in answers if answer.prompt_id == prompt["prompt_id"] and answer.text.strip()
        ]
        own.sort(key=lambda answer: (answer.source, answer.sample))
        if prompt["domain"] == "chinese":
            whole = [
                answer for answer in own if not answer.truncated and answer.source not in switches.on_policy
            ]
            if whole:
                sft[prompt["prompt_id"]] = whole[0].id
            continue
        if prompt["domain"] in ("math", "code"):
            own = [answer for answer in own if answer.right or answer.wrong]
        own = [
            answer
            for place, answer in enumerate(own)
            if not any(
                e.source == answer.source and e.text.strip() == answer.text.strip() for e in own[:place]
            )
        ]
        best, pairs, mixed = _consider(prompt["domain"], own, switches)
        ids = {(chosen.id, rejected.id) for chosen, rejected in pairs}
        if prompt["domain"] == "instruction":
            if pairs and best:
                to_deal.setdefault(prompt["dataset"], []).append(prompt["prompt_id"])
                sft[prompt["prompt_id"]] = best.id
                dpo |= ids
            continue
        reuse = switches.math_reuse if prompt["domain"] == "math" else switches.code_reuse
        fail = switches.math_margin_fail if prompt["domain"] == "math" else switches.code_margin_fail
        dpo |= ids
        if best and (reuse if pairs else not (mixed and fail == "drop")):
            sft[prompt["prompt_id"]] = best.id
    for ids_of_dataset in to_deal.values():
        ids_of_dataset.sort(key=lambda i: hashlib.sha256(f"{switches.seed}:{i}".encode()).hexdigest())
        first = (4 * len(ids_of_dataset)) // 10
        for prompt_id in ids_of_dataset[:first]:
            dpo = {pair for pair in dpo if not pair[0].startswith(f"{prompt_id}:")}
        for prompt_id in ids_of_dataset[first:]:
            del sft[prompt_id]
    return sft, dpo


def _consider(
    domain: str, own: list[Answer], switches: Switches
) -> tuple[Answer | None, list[tuple[Answer, Answer]], bool]:
    """The SFT answer, the pairs after the choice among sources, and whether any two pools were mixed."""
    labelled = domain != "instruction"
    sft_pool = [
        answer
        for answer in own
        if not answer.truncated and answer.source not in switches.on_policy and (answer.right or not labelled)
    ]
    best = min(sft_pool, key=lambda answer: -answer.steps, default=None)
    pairs: list[tuple[Answer, Answer]] = []
    mixed = False
    for chosen in own:
        for rejected in own:
            chosen_pool, rejected_pool = _pools(own, chosen, rejected, switches)
            if chosen not in chosen_pool or rejected not in rejected_pool:
                continue
            if labelled:
                if not chosen.right or not rejected.wrong:
                    continue
                mixed = True
                chosen_pool = [answer for answer in chosen_pool if answer.right and not answer.truncated]
                rejected_pool = [answer for answer in rejected_pool if answer.wrong]
            if chosen.truncated or not _is_first_extreme(chosen, chosen_pool, 1):
                continue
            if (
                not _is_first_extreme(rejected, rejected_pool, -1)
                or chosen.text.strip() == rejected.text.strip()
            ):
                continue
            margin = chosen.steps - rejected.steps
            if domain == "code":
                fits = margin > 0 or not switches.code_positive
            else:
                fits = switches.window[0] <= margin <= switches.window[1]
            if fits:
                pairs.append((chosen, rejected))
    if switches.source_choice == "all" or not pairs:
        return best, pairs, mixed

    def merit(pair: tuple[Answer, Answer]) -> tuple[int, ...]:
        margin = pair[0].steps - pair[1].steps
        return (margin, pair[0].steps) if switches.source_choice == "largest-margin" else (pair[0].steps,)

    top = max(map(merit, pairs))
    return best, [next(pair for pair in pairs if merit(pair) == top)], mixed


def _pools(
    own: list[Answer], chosen: Answer, rejected: Answer, switches: Switches
) -> tuple[list[Answer], list[Answer]]:
    may_choose = [answer for answer in own if answer.source not in switches.on_policy]
    may_reject = [answer for answer in own if answer.source in switches.on_policy or not switches.on_policy]
    if switches.pairing == "same-source" and chosen.source != rejected.source:
        return [], []
    if switches.pairing == "cross-source" and chosen.source == rejected.source:
        return [], []
    if switches.pairing == "best-worst-overall":
        return may_choose, may_reject
    return (
        [answer for answer in may_choose if answer.source == chosen.source],
        [answer for answer in may_reject if answer.source == rejected.source],
    )


def _is_first_extreme(answer: Answer, pool: list[Answer], sign: int) -> bool:
    place = pool.index(answer)
    return all(sign * other.steps < sign * answer.steps for other in pool[:place]) and all(
        sign * other.steps <= sign * answer.steps for other in pool[place:]
    )
