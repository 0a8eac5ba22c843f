"""Reading a whole dataset: rows through its filter into a pool of candidates, in one process or several."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

from fusechat.progress import Progress
from sampling.selection.candidate_pool import CandidatePool, EncodedDraft, encode
from sampling.selection.data_files import Piece, pieces_of
from sampling.selection.drafts import Draft
from sampling.selection.hub_rows import read_hub_rows
from sampling.selection.layouts import BY_NAME, Layout
from sampling.selection.row_filters import ROW_FILTERS, Row
from sampling.selection.row_readers import read_rows
from sampling.selection.settings import DatasetSettings

# Rows as they come in blocks: a dataset whose rows repeat a problem tends to repeat it nearby.
REMEMBERED_ROWS = 20_000
ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


@dataclass(frozen=True)
class DataSource:
    """Where a dataset's rows come from: local files, or the Hub at a commit."""

    layout: Layout
    files: tuple[Path, ...] = ()
    commit: str | None = None
    splits: tuple[str, ...] = ()

    def pieces(self) -> list[Piece]:
        """The pieces of all local files."""
        return [piece for path in self.files for piece in pieces_of(path)]


@dataclass
class Tally:
    """What became of rows: how many were read, and how many dropped for which reason."""

    read: int = 0
    dropped: Counter[str] = field(default_factory=Counter)

    def add(self, other: "Tally") -> None:
        """Adds another tally's figures."""
        self.read += other.read
        self.dropped.update(other.dropped)


def gather(
    source: DataSource, settings: DatasetSettings, pool: CandidatePool, workers: int, progress: Progress
) -> Tally:
    """Reads all rows of a dataset into `pool` and says what was dropped."""
    total = Tally()
    for tally, drafts in _filtered_batches(source, settings, workers):
        for draft in drafts:
            pool.add(draft)
        total.add(tally)
        progress.update(tally.read)
    total.dropped["duplicate"] += pool.duplicates
    if pool.conflicts:
        total.dropped["contradicting gold answers"] += pool.conflicts
    return total


def _filtered_batches(
    source: DataSource, settings: DatasetSettings, workers: int
) -> Iterator[tuple[Tally, list[EncodedDraft]]]:
    row_filter = RowFilter(source.layout, settings)
    if source.commit is not None:
        for rows in read_hub_rows(source.layout, source.splits, source.commit):
            yield row_filter.apply(rows)
        return
    pieces = source.pieces()
    if workers <= 1 or len(pieces) <= 1:
        for piece in pieces:
            for rows in read_rows(piece, source.layout):
                yield row_filter.apply(rows)
        return
    jobs = ((piece, source.layout.dataset, settings) for piece in pieces)
    yield from in_processes(_filter_piece, jobs, workers)


def _filter_piece(job: tuple[Piece, str, DatasetSettings]) -> tuple[Tally, list[EncodedDraft]]:
    piece, dataset, settings = job
    row_filter = RowFilter(BY_NAME[dataset], settings)
    total, drafts = Tally(), []
    for rows in read_rows(piece, BY_NAME[dataset]):
        tally, found = row_filter.apply(rows)
        total.add(tally)
        drafts += found
    return total, drafts


class RowFilter:
    """A dataset's row filter with a memory of the rows just seen, whose outcome need not be worked out again."""

    def __init__(self, layout: Layout, settings: DatasetSettings) -> None:
        self._filter, self._settings = ROW_FILTERS[layout.dataset], settings
        self._response_position = (
            list(layout.all_columns).index(layout.response_column) if layout.response_column else None
        )
        self._seen: dict[Row, EncodedDraft | str] = {}

    def apply(self, rows: Iterable[Row]) -> tuple[Tally, list[EncodedDraft]]:
        """Tally and drafts of a batch."""
        tally, drafts = Tally(), []
        position = self._response_position
        for row in rows:
            tally.read += 1
            # The answers that a dataset brings along play no part in the choice of prompts.
            bare = row if position is None else (*row[:position], None, *row[position + 1 :])
            outcome = self._seen.get(bare)
            if outcome is None:
                made = self._filter(bare, self._settings)
                outcome = encode(made) if isinstance(made, Draft) else made
                if len(self._seen) >= REMEMBERED_ROWS:
                    self._seen.clear()
                self._seen[bare] = outcome
            if isinstance(outcome, str):
                tally.dropped[outcome] += 1
            else:
                drafts.append(outcome)
        return tally, drafts


def in_processes(
    function: Callable[[ItemT], ResultT], items: Iterable[ItemT], workers: int
) -> Iterator[ResultT]:
    """`map` over processes in order, with no more than two items per worker under way (bounded memory)."""
    items = iter(items)
    with ExitStack() as stack:
        pool = stack.enter_context(ProcessPoolExecutor(workers, mp_context=get_context("spawn")))
        stack.callback(pool.shutdown, wait=False, cancel_futures=True)
        waiting: list[Future[ResultT]] = [pool.submit(function, item) for item in islice(items, 2 * workers)]
        while waiting:
            result = waiting.pop(0).result()
            waiting += [pool.submit(function, item) for item in islice(items, 1)]
            yield result
