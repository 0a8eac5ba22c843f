"""The table of answers: a few numbers per answer, its text left on disk at a known byte offset.

At two million answers of 2 kB the texts are 4 GB and this table is 0.6 GB: ids in a dictionary, everything else
in typed arrays. A text is in memory only while its line is read, and again when its row is written.
"""

import hashlib
from array import array
from collections.abc import Mapping, Sequence
from enum import IntEnum
from pathlib import Path

import msgspec
import numpy as np

from fusechat.errors import BadInput
from fusechat.inputs import expand_inputs
from fusechat.progress import Progress
from fusechat.records import FinishReason, Prompt
from scoring.pairing.chinese import is_mostly_chinese
from scoring.pairing.located_lines import Line, LineReader, line_number_at, read_lines

MEGABYTE = 1_000_000


class Label(IntEnum):
    """What a check said about an answer."""

    MISSING = 0
    RIGHT = 1
    WRONG = 2
    UNKNOWN = 3
    """The check could not decide: broken tests, a fault of the runner, no gold answer."""


class AnswerLine(msgspec.Struct, gc=False):
    """The fields of a response that are needed here."""

    response_id: str
    prompt_id: str
    source: str
    sample_index: int
    text: str
    finish_reason: FinishReason


class AnswerTable:
    """All answers, column by column; row numbers join the columns."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = list(paths)
        self.rows: dict[str, int] = {}
        self.sources: list[str] = []
        self.prompt_ids: list[str] = []
        self.prompt_index, self.source_index, self.sample_index = array("i"), array("h"), array("q")
        self.file_index, self.offset, self.line_length = array("h"), array("q"), array("i")
        self.exact_digest, self.text_digest = array("Q"), array("Q")
        self.characters = array("i")
        self.truncated, self.unfit = bytearray(), bytearray()
        self.repeated_rows = 0
        # Filled by the joins.
        self.rm_score: np.ndarray = np.empty(0)
        self.label: np.ndarray = np.empty(0, dtype=np.int8)
        self.points: np.ndarray = np.empty(0, dtype=np.int8)
        self.ran: np.ndarray = np.empty(0, dtype=np.bool_)

    def __len__(self) -> int:
        return len(self.offset)

    def response_ids(self) -> list[str]:
        """Response ids by row."""
        return list(self.rows)

    def source_rank_column(self, rank: Mapping[str, int]) -> list[int]:
        """Each answer's position in the order of sources, by row."""
        rank_of_index = np.array([rank[source] for source in self.sources], dtype=np.int32)
        ranks: list[int] = rank_of_index[np.frombuffer(self.source_index, dtype=np.int16)].tolist()
        return ranks

    def place(self, row: int) -> str:
        """`file:line` of an answer; reads its file up to there, for messages only."""
        path = self.paths[self.file_index[row]]
        return f"{path}:{line_number_at(path, self.offset[row])}"

    def read_text(self, row: int, reader: LineReader) -> str:
        """The text of one answer, from disk. BadInput where the file was changed since it was indexed."""
        raw = reader.read(self.file_index[row], self.offset[row], self.line_length[row])
        try:
            text = msgspec.json.decode(raw, type=AnswerLine).text
        except (msgspec.DecodeError, UnicodeDecodeError):
            text = None
        if text is None or digest_of(text) != self.exact_digest[row]:
            path = self.paths[self.file_index[row]]
            raise BadInput(f"{path}: was changed while it was being read; give the same command again")
        return text

    def add(self, answer: AnswerLine, line: Line, prompt_index: int, source_index: int) -> None:
        """Appends one answer."""
        stripped = answer.text.strip()
        exact = digest_of(answer.text)
        self.rows[answer.response_id] = len(self.offset)
        self.prompt_index.append(prompt_index)
        self.source_index.append(source_index)
        self.sample_index.append(answer.sample_index)
        self.file_index.append(line.file_index)
        self.offset.append(line.offset)
        self.line_length.append(line.length)
        self.exact_digest.append(exact)
        # Templates trim answers, so two that differ in outer white space only are the same answer.
        self.text_digest.append(exact if len(stripped) == len(answer.text) else digest_of(stripped))
        self.characters.append(len(stripped))
        self.truncated.append(answer.finish_reason == "length")
        self.unfit.append(not stripped)

    def check_repeats(self, answer: AnswerLine, line: Line, prompt_index: int, source: str) -> None:
        """A row that comes twice changes nothing if it is the same row; otherwise it is BadInput."""
        row = self.rows[answer.response_id]
        differing = [
            name
            for name, earlier, now in (
                ("text", self.exact_digest[row], digest_of(answer.text)),
                ("prompt_id", self.prompt_index[row], prompt_index),
                ("source", self.sources[self.source_index[row]], source),
                ("sample_index", self.sample_index[row], answer.sample_index),
                ("finish_reason", bool(self.truncated[row]), answer.finish_reason == "length"),
            )
            if earlier != now
        ]
        if differing:
            raise BadInput(
                f"{line}: response_id: {answer.response_id} stands already at {self.place(row)} with another "
                f"{' and '.join(differing)}; keep one of the two answers, or give them different ids"
            )
        self.repeated_rows += 1


def digest_of(text: str) -> int:
    """64 bits of a text's BLAKE2b."""
    raw = text.encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(raw, digest_size=8).digest(), "little")


def read_answers(
    inputs: Sequence[str], prompts: Mapping[str, Prompt], least_chinese_share: float
) -> AnswerTable:
    """Indexes all responses. BadInput for unknown prompts and for two different answers under one id."""
    table = AnswerTable(expand_inputs(inputs))
    table.prompt_ids = list(prompts)
    prompt_index_of = {prompt_id: index for index, prompt_id in enumerate(table.prompt_ids)}
    is_chinese = [prompt.domain == "chinese" for prompt in prompts.values()]
    source_index_of: dict[str, int] = {}
    megabytes = sum(path.stat().st_size for path in table.paths) // MEGABYTE
    with Progress(megabytes, unit="MB", description="read answers") as progress:
        read = told = 0
        for answer, line in read_lines(table.paths, AnswerLine):
            added = _add_checked(table, answer, line, prompt_index_of, source_index_of)
            if added and is_chinese[table.prompt_index[-1]]:
                table.unfit[-1] |= not is_mostly_chinese(answer.text, least_chinese_share)
            read += line.length
            if read - told * MEGABYTE >= MEGABYTE:
                progress.update(read // MEGABYTE - told, answers=len(table))
                told = read // MEGABYTE
    count = len(table)
    if count == 0:
        raise BadInput(f"{', '.join(inputs)}: no answers; run sampling/sample_vllm.py first")
    table.rm_score = np.full(count, np.nan)
    table.label = np.zeros(count, dtype=np.int8)
    table.points = np.zeros(count, dtype=np.int8)
    table.ran = np.zeros(count, dtype=np.bool_)
    return table


def _add_checked(
    table: AnswerTable,
    answer: AnswerLine,
    line: Line,
    prompt_index_of: Mapping[str, int],
    source_index_of: dict[str, int],
) -> bool:
    """Adds an answer to a known prompt; returns False for a row that was there already."""
    prompt_index = prompt_index_of.get(answer.prompt_id)
    if prompt_index is None:
        raise BadInput(
            f"{line}: prompt_id: {answer.prompt_id} is not among the prompts; "
            "give the prompts file that these responses were sampled from"
        )
    if answer.response_id in table.rows:
        table.check_repeats(answer, line, prompt_index, answer.source)
        return False
    source_index = source_index_of.get(answer.source)
    if source_index is None:
        source_index = source_index_of[answer.source] = len(table.sources)
        table.sources.append(answer.source)
    table.add(answer, line, prompt_index, source_index)
    return True
