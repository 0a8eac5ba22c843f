"""From the joined table to a decision per prompt: candidates in order, the domain's rule, the 4:6 deal."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from fusechat.records import Prompt
from scoring.pairing.answer_table import AnswerTable, Label
from scoring.pairing.candidates import Candidate, Decision
from scoring.pairing.chinese import decide_chinese
from scoring.pairing.coding import decide_code
from scoring.pairing.instruction import deal, decide_instruction
from scoring.pairing.mathematics import decide_math
from scoring.pairing.rules import PairRules

NO_ANSWER = "no usable answer"
# Plain numbers: looking a member up in an Enum costs more than all else that is done to an answer here.
RIGHT, DECIDED = int(Label.RIGHT), (int(Label.RIGHT), int(Label.WRONG))


@dataclass
class DatasetDecisions:
    """The decisions on one dataset's prompts (of one domain)."""

    dataset: str
    domain: str
    decisions: dict[str, Decision] = field(default_factory=dict)
    """By prompt id, for the prompts that are selected; the others are counted below."""
    prompts: int = 0
    not_selected: Counter[str] = field(default_factory=Counter)

    def sft(self) -> Iterator[tuple[str, Decision]]:
        """Prompts that give an SFT row."""
        return ((prompt_id, made) for prompt_id, made in self.decisions.items() if made.sft is not None)

    def dpo(self) -> Iterator[tuple[str, Decision]]:
        """Prompts that give pairs."""
        return ((prompt_id, made) for prompt_id, made in self.decisions.items() if made.pairs)


def candidates_by_prompt(
    table: AnswerTable, prompts: Mapping[str, Prompt], rules: PairRules
) -> Iterator[tuple[Prompt, list[Candidate]]]:
    """Yields every prompt with its usable candidates, in the order of sources and samples.

    Left out: empty answers, answers without score or verdict where one is needed, undecided verdicts, and cut
    answers where the rules say so.
    """
    response_ids = table.response_ids()
    rank = table.source_rank_column(rules.source_rank(table.sources))
    prompt_index = np.frombuffer(table.prompt_index, dtype=np.int32)
    by_prompt = np.argsort(prompt_index, kind="stable")
    ends = np.cumsum(np.bincount(prompt_index, minlength=len(table.prompt_ids))).tolist()
    start = 0
    for prompt_id, end in zip(table.prompt_ids, ends, strict=True):
        rows = by_prompt[start:end].tolist()
        start = end
        rows.sort(key=lambda row: (rank[row], table.sample_index[row], response_ids[row]))
        prompt = prompts[prompt_id]
        candidates = (candidate_at(table, row, prompt.domain, rules) for row in rows)
        yield prompt, [candidate for candidate in candidates if candidate is not None]


def candidate_at(table: AnswerTable, row: int, domain: str, rules: PairRules) -> Candidate | None:
    """The answer in a row as a candidate, or None where it cannot be used at all."""
    truncated = bool(table.truncated[row])
    if table.unfit[row] or (truncated and rules.truncated_answers == "leave-out"):
        return None
    score = float(table.rm_score[row])
    has_score = score == score
    label = int(table.label[row])
    checked = domain in ("math", "code")
    if checked and label not in DECIDED:
        return None
    if not has_score and domain != "chinese":
        return None
    points = float(table.points[row]) if domain == "code" and rules.score == "rm+points" else 0.0
    return Candidate(
        row=row,
        source=table.sources[table.source_index[row]],
        rm_score=score,
        rank_score=score + points,
        text_digest=table.text_digest[row],
        truncated=truncated,
        correct=label == RIGHT if checked else None,
        ran=bool(table.ran[row]),
    )


def decide(prompt: Prompt, candidates: list[Candidate], rules: PairRules) -> Decision:
    """The domain's rule applied to one prompt."""
    if prompt.domain == "instruction":
        return decide_instruction(candidates, rules)
    if prompt.domain == "math":
        return decide_math(candidates, rules)
    if prompt.domain == "code":
        return decide_code(candidates, rules, reuse_prompt=rules.reuses_code_prompts(prompt.dataset))
    return decide_chinese(candidates, rules)


def decide_all(table: AnswerTable, prompts: Mapping[str, Prompt], rules: PairRules) -> list[DatasetDecisions]:
    """Decides every prompt; one entry per dataset and domain, sorted by name.

    Selected means, as in the report's table: for instruction prompts, that a usable pair exists (only those are
    dealt to SFT and DPO); elsewhere, that the prompt has a usable answer.
    """
    datasets: dict[tuple[str, str], DatasetDecisions] = {}
    for prompt, candidates in candidates_by_prompt(table, prompts, rules):
        key = (prompt.dataset, prompt.domain)
        group = datasets.setdefault(key, DatasetDecisions(*key))
        group.prompts += 1
        if not candidates:
            group.not_selected[NO_ANSWER] += 1
            continue
        decision = decide(prompt, candidates, rules)
        if prompt.domain == "instruction" and decision.unused is not None:
            group.not_selected[decision.unused] += 1
        else:
            group.decisions[prompt.prompt_id] = decision
    for group in datasets.values():
        if group.domain == "instruction":
            sft_ids, dpo_ids = deal(group.decisions, rules)
            for prompt_id in sft_ids:
                group.decisions[prompt_id].pairs = []
            for prompt_id in dpo_ids:
                group.decisions[prompt_id].sft = None
    return [datasets[key] for key in sorted(datasets)]
