"""Answers without a score or verdict, prompts without an answer: counted and named, and refused unless allowed."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fusechat.errors import BadInput
from fusechat.records import Prompt
from scoring.pairing.answer_table import AnswerTable, Label

NAMED = 3  # ids in a message
DOMAINS = ("instruction", "math", "code", "chinese")


def missing_figures(
    table: AnswerTable, prompts: Mapping[str, Prompt], null_reasons: Counter[str], *, allow: bool
) -> dict[str, int]:
    """How many answers and prompts lack something. BadInput names them all at once, unless `allow`."""
    domain_of_prompt = np.array([DOMAINS.index(prompt.domain) for prompt in prompts.values()], dtype=np.int8)
    prompt_index = np.frombuffer(table.prompt_index, dtype=np.int32)
    domain = domain_of_prompt[prompt_index]
    fit = np.frombuffer(table.unfit, dtype=np.uint8) == 0
    unlabelled = table.label == Label.MISSING
    needs_score = fit & (domain != DOMAINS.index("chinese")) & (table.label != Label.UNKNOWN)
    lacks_score = needs_score & np.isnan(table.rm_score)
    lacks_code_verdict = fit & (domain == DOMAINS.index("code")) & unlabelled
    lacks_math_verdict = fit & (domain == DOMAINS.index("math")) & unlabelled
    without_answer = np.flatnonzero(np.bincount(prompt_index, minlength=len(table.prompt_ids)) == 0)
    complaints = [
        _rows_complaint(table, lacks_score, _score_remedy(null_reasons)),
        _rows_complaint(table, lacks_code_verdict, "no code verdict (run scoring/run_code_tests.py)"),
        _rows_complaint(table, lacks_math_verdict, "no maths verdict (run scoring/check_math.py)"),
        _names("prompt", [table.prompt_ids[index] for index in without_answer], "no answer at all"),
    ]
    told = [complaint for complaint in complaints if complaint]
    if told and not allow:
        raise BadInput("; ".join(told) + "; give --allow-missing to go on without them")
    for complaint in told:
        print(f"note: {complaint}: left out", flush=True)
    return {
        "answers_without_rm_score": int(lacks_score.sum()),
        "answers_without_code_verdict": int(lacks_code_verdict.sum()),
        "answers_without_math_verdict": int(lacks_math_verdict.sum()),
        "answers_empty_or_not_chinese": int((~fit).sum()),
        "answers_with_undecided_verdict": int((fit & (table.label == Label.UNKNOWN)).sum()),
        "prompts_without_answer": len(without_answer),
    }


def _score_remedy(null_reasons: Counter[str]) -> str:
    if not null_reasons:
        return "no RM score (run scoring/score_armorm.py)"
    reasons = ", ".join(f"{count} null: {reason}" for reason, count in null_reasons.most_common(NAMED))
    return f"no RM score ({reasons})"


def _rows_complaint(table: AnswerTable, lacking: Any, what: str) -> str:
    rows = np.flatnonzero(lacking)
    if not len(rows):
        return ""
    ids = table.response_ids()
    per_source = Counter(table.sources[table.source_index[row]] for row in rows.tolist())
    sources = ", ".join(f"{source} {count:,}" for source, count in sorted(per_source.items()))
    return _names("answer", [ids[row] for row in rows.tolist()], what) + f", by source: {sources}"


def _names(kind: str, ids: Sequence[str], what: str) -> str:
    if not ids:
        return ""
    named = ", ".join(sorted(ids)[:NAMED]) + (" …" if len(ids) > NAMED else "")
    verb = f"{kind} has" if len(ids) == 1 else f"{kind}s have"
    return f"{len(ids):,} {verb} {what}: {named}"
