"""Preference pairs and SFT rows, packed so that a browser can filter and page through 100,000 of them.

A small index (numbers and codes, one list a column) answers every filter; the texts lie in chunks of a few hundred
kilobytes that are unpacked only when a page or a search needs them. Index and chunks are JSON, gzip, base64.
"""

import base64
import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from evaluation.html_report.answers import PromptFacts, RowChecks
from evaluation.html_report.run_files import read_rows
from fusechat.records import CodeVerdict, MathVerdict, Message, PreferencePair, SFTRow

# Larger chunks pack better, smaller ones make a page of scattered rows faster: at this size ten chunks take the
# browser some 0.1 s.
CHUNK_CHARACTERS = 400_000
PAIR, SFT = 0, 1


class PairRow(PreferencePair):
    """A pair with the fields that make_pairs.py adds to it."""

    rejected_source: str | None = None
    margin: float | None = None
    chosen_response_id: str | None = None
    rejected_response_id: str | None = None


class AnswerRow(SFTRow):
    """An SFT row with the id of its answer."""

    response_id: str | None = None


@dataclass
class PackedRows:
    """What the page carries of the rows."""

    index: str = ""
    chunks: list[str] = field(default_factory=list)
    pairs: int = 0
    sft: int = 0
    left_out: dict[str, int] = field(default_factory=dict)  # rows beyond --max-rows, by file

    @property
    def count(self) -> int:
        """Rows that are packed."""
        return self.pairs + self.sft


def answer_ids(pair_paths: Sequence[Path], sft_paths: Sequence[Path], max_rows: int | None) -> set[str]:
    """The response ids of the rows that will be packed: whose verdicts are worth keeping."""
    ids: set[str | None] = set()
    for pair in first_rows(pair_paths, PairRow, max_rows):
        ids |= {pair.chosen_response_id, pair.rejected_response_id}
    for row in first_rows(sft_paths, AnswerRow, max_rows):
        ids.add(row.response_id)
    return {response_id for response_id in ids if response_id is not None}


def first_rows(paths: Sequence[Path], row_type: type[Any], max_rows: int | None) -> Iterator[Any]:
    """The first rows of some files, all of them where no number is given."""
    for number, (row, _) in enumerate(read_rows(paths, row_type)):
        if max_rows is not None and number >= max_rows:
            return
        yield row


class Codes:
    """Gives every text a small number, in order of appearance."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def of(self, text: str) -> int:
        """The number of a text."""
        return self.numbers.setdefault(text, len(self.numbers))


class RowPacker:
    """Collects rows into index columns and text chunks."""

    def __init__(self, prompts: Mapping[str, PromptFacts], checks: Mapping[str, RowChecks]) -> None:
        self._prompts, self._checks = prompts, checks
        self._codes = {name: Codes() for name in ("dataset", "domain", "source")}
        self._columns: dict[str, list[Any]] = {
            name: []
            for name in (
                "kind", "dataset", "domain", "source", "rejectedSource", "score", "rejectedScore", "margin",
                "right", "rejectedRight", "characters", "rejectedCharacters", "chunk", "place",
            )
        }  # fmt: skip
        self._open: list[str] = []
        self._open_characters = 0
        self.packed = PackedRows()

    def add_pair(self, row: PairRow) -> None:
        """Packs one preference pair."""
        margin = row.margin
        if margin is None and row.chosen_rm_score is not None and row.rejected_rm_score is not None:
            margin = row.chosen_rm_score - row.rejected_rm_score
        chosen, rejected = self._check(row.chosen_response_id), self._check(row.rejected_response_id)
        self._append(
            kind=PAIR,
            row=row,
            rejectedSource=self._codes["source"].of(row.rejected_source or row.source),
            score=rounded(row.chosen_rm_score),
            rejectedScore=rounded(row.rejected_rm_score),
            margin=rounded(margin),
            right=is_right(chosen),
            rejectedRight=is_right(rejected),
            characters=len(row.chosen[0].content),
            rejectedCharacters=len(row.rejected[0].content),
        )
        self._add_text(
            row.prompt_id,
            turns(row.prompt),
            answer=row.chosen[0].content,
            check=check_facts(chosen),
            rejected=row.rejected[0].content,
            rejectedCheck=check_facts(rejected),
        )
        self.packed.pairs += 1

    def add_sft(self, row: AnswerRow) -> None:
        """Packs one SFT row."""
        check = self._check(row.response_id)
        answer = row.messages[-1].content
        self._append(
            kind=SFT,
            row=row,
            rejectedSource=None,
            score=rounded(row.rm_score),
            rejectedScore=None,
            margin=None,
            right=is_right(check),
            rejectedRight=None,
            characters=len(answer),
            rejectedCharacters=None,
        )
        self._add_text(row.prompt_id, turns(row.messages[:-1]), answer=answer, check=check_facts(check))
        self.packed.sft += 1

    def leave_out(self, paths: Sequence[Path]) -> None:
        """Counts a row that is not packed."""
        name = paths[0].name
        self.packed.left_out[name] = self.packed.left_out.get(name, 0) + 1

    def finish(self) -> PackedRows:
        """Closes the last chunk and the index."""
        self._close_chunk()
        names = {name: list(codes.numbers) for name, codes in self._codes.items()}
        self.packed.index = packed_json(json.dumps({"names": names, "columns": self._columns}))
        return self.packed

    def _append(self, *, kind: int, row: PairRow | AnswerRow, **values: Any) -> None:
        values |= {"kind": kind, "chunk": len(self.packed.chunks), "place": len(self._open)}
        for name, codes in self._codes.items():
            values[name] = codes.of(getattr(row, name))
        for name, column in self._columns.items():
            column.append(values[name])

    def _add_text(self, prompt_id: str, messages: list[list[str]], **texts: Any) -> None:
        facts = self._prompts.get(prompt_id)
        record = {"promptId": prompt_id, "messages": messages, **texts}
        if facts is not None and facts.gold_answer is not None:
            record["gold"] = facts.gold_answer
        # Not ASCII: a search looks for its words in this very text before it takes it apart.
        text = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
        self._open.append(text)
        self._open_characters += len(text)
        if self._open_characters >= CHUNK_CHARACTERS:
            self._close_chunk()

    def _close_chunk(self) -> None:
        if self._open:
            self.packed.chunks.append(packed_json(f"[{','.join(self._open)}]"))
            self._open, self._open_characters = [], 0

    def _check(self, response_id: str | None) -> RowChecks:
        return self._checks.get(response_id or "", RowChecks())


def pack_rows(
    pair_paths: Sequence[Path],
    sft_paths: Sequence[Path],
    prompts: Mapping[str, PromptFacts],
    checks: Mapping[str, RowChecks],
    max_rows: int | None,
) -> PackedRows:
    """Packs the rows of dpo.jsonl and sft.jsonl, of each at most the first `max_rows`; counts the others."""
    packer = RowPacker(prompts, checks)
    for number, (pair, _) in enumerate(read_rows(pair_paths, PairRow)):
        if max_rows is None or number < max_rows:
            packer.add_pair(pair)
        else:
            packer.leave_out(pair_paths)
    for number, (row, _) in enumerate(read_rows(sft_paths, AnswerRow)):
        if max_rows is None or number < max_rows:
            packer.add_sft(row)
        else:
            packer.leave_out(sft_paths)
    return packer.finish()


def packed_json(text: str) -> str:
    """JSON text as base64 of gzip; the same text gives the same letters whenever it is packed."""
    data = text.encode("utf-8", "replace")
    return base64.b64encode(gzip.compress(data, 6, mtime=0)).decode("ascii")


def turns(messages: Sequence[Message]) -> list[list[str]]:
    """[role, content] of every turn."""
    return [[message.role, message.content] for message in messages]


def rounded(value: float | None) -> float | None:
    """Six digits behind the point: what the page shows, at half the size."""
    return None if value is None else round(value, 6)


def is_right(check: RowChecks) -> bool | None:
    """Whether the check found the answer right; None where it was not asked or did not know."""
    if check.code is not None:
        return check.code.verdict == "pass"
    return check.math.correct if check.math is not None else None


def check_facts(check: RowChecks) -> dict[str, Any] | None:
    """What a card shows of a verdict."""
    return code_facts(check.code) if check.code else math_facts(check.math) if check.math else None


def code_facts(verdict: CodeVerdict) -> dict[str, Any]:
    """Verdict, tests passed, and what failed first."""
    facts: dict[str, Any] = {
        "kind": "code",
        "word": verdict.verdict,
        "passed": verdict.passed_tests,
        "total": verdict.total_tests,
        "reason": verdict.reason,
    }
    if verdict.first_failure:
        facts["failure"] = {name: brief(value) for name, value in verdict.first_failure.items()}
    return facts


def math_facts(verdict: MathVerdict) -> dict[str, Any]:
    """Right, wrong or undecided, and the value that was read from the answer."""
    word = {True: "right", False: "wrong", None: "undecided"}[verdict.correct]
    return {"kind": "math", "word": word, "extracted": verdict.extracted, "reason": verdict.reason}


def brief(value: Any, most: int = 600) -> str:
    """A value of a failed test as text, cut where it is long."""
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode("utf-8")
    return text if len(text) <= most else f"{text[:most]} …"
