"""Joining RM scores and verdicts to the table of answers, by response_id."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec

from fusechat.errors import BadInput
from fusechat.inputs import expand_inputs
from fusechat.records import Verdict
from scoring.pairing.answer_table import AnswerTable, Label
from scoring.pairing.located_lines import Line, read_lines


class ScoreLine(msgspec.Struct, gc=False):
    """The fields of an RM score that are needed here."""

    response_id: str
    rm_score: float | None
    reason: str | None = None


class CodeLine(msgspec.Struct):
    """The fields of a code verdict that are needed here."""

    response_id: str
    verdict: Verdict
    reason: str | None = None
    static: dict[str, Any] | None = None


class MathLine(msgspec.Struct, gc=False):
    """The fields of a maths verdict that are needed here."""

    response_id: str
    correct: bool | None
    reason: str | None = None


def join_rm_scores(table: AnswerTable, inputs: Sequence[str]) -> Counter[str]:
    """Fills `table.rm_score`; returns how many scores are null, by reason."""
    null_reasons: Counter[str] = Counter()
    for record, line in read_lines(expand_inputs(inputs) if inputs else [], ScoreLine):
        row = _row_of(table, record.response_id, line)
        if record.rm_score is None:
            null_reasons[record.reason or "no reason given"] += 1
            continue
        if not math.isfinite(record.rm_score):
            raise BadInput(
                f"{line}: rm_score: is {record.rm_score}; a finite number, or null with a reason, is needed"
            )
        earlier = table.rm_score[row]
        if earlier == earlier and earlier != record.rm_score:
            raise BadInput(
                f"{line}: rm_score: {record.response_id} has {record.rm_score} here and {earlier} in an "
                "earlier line; keep the scores of one run"
            )
        table.rm_score[row] = record.rm_score
    return null_reasons


def join_code_verdicts(table: AnswerTable, inputs: Sequence[str], *, may_be_empty: bool = False) -> None:
    """Fills labels, static points and whether the code ran. Only `pass` is right."""
    paths = expand_inputs(inputs) if inputs else []
    for record, line in read_lines(paths, CodeLine, may_be_empty=may_be_empty):
        row = _row_of(table, record.response_id, line)
        _set_label(table, row, code_label(record), line, record.response_id)
        table.points[row] = int(static_check_is_clean(record)) + int(record.verdict == "pass")
        table.ran[row] = record.verdict in ("pass", "fail", "error", "timeout") and record.reason != "syntax"


def join_math_verdicts(table: AnswerTable, inputs: Sequence[str], *, may_be_empty: bool = False) -> None:
    """Fills labels; an answer that the check could not decide is neither right nor wrong."""
    paths = expand_inputs(inputs) if inputs else []
    for record, line in read_lines(paths, MathLine, may_be_empty=may_be_empty):
        row = _row_of(table, record.response_id, line)
        label = {True: Label.RIGHT, False: Label.WRONG, None: Label.UNKNOWN}[record.correct]
        _set_label(table, row, label, line, record.response_id)


def code_label(record: CodeLine) -> Label:
    """pass is right; fail, error, timeout and no_code are wrong; broken tests or a runner's fault say nothing."""
    if record.verdict == "bad_tests" or record.reason == "runner":
        return Label.UNKNOWN
    return Label.RIGHT if record.verdict == "pass" else Label.WRONG


def static_check_is_clean(record: CodeLine) -> bool:
    """There is code, it compiles, and it uses no name that it does not define."""
    undefined = (record.static or {}).get("undefined")
    return record.verdict != "no_code" and record.reason != "syntax" and not undefined


def _row_of(table: AnswerTable, response_id: str, line: Line) -> int:
    row = table.rows.get(response_id)
    if row is None:
        raise BadInput(
            f"{line}: response_id: {response_id} is not among the responses; "
            "give all the response files that this file was made from"
        )
    return row


def _set_label(table: AnswerTable, row: int, label: Label, line: Line, response_id: str) -> None:
    earlier = Label(table.label[row])
    if earlier not in (Label.MISSING, label):
        raise BadInput(
            f"{line}: {response_id} is {label.name.lower()} here and {earlier.name.lower()} in an earlier line; "
            "keep the verdicts of one run"
        )
    table.label[row] = label
