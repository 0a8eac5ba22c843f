"""The answers that a dataset brings along (OpenMathInstruct-2's, by Llama-3.1-405B-Instruct) as Response rows.

The dataset is read a second time, for the chosen prompts only: keeping all its answers would take many times
the room of what is chosen.
"""

import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from fusechat.records import Message, Response, prompt_id_of, response_id_of
from sampling.selection.candidate_pool import append
from sampling.selection.data_files import Piece
from sampling.selection.drafts import digest
from sampling.selection.gathering import DataSource, in_processes
from sampling.selection.hub_rows import read_hub_rows
from sampling.selection.layouts import BY_NAME
from sampling.selection.row_readers import Rows, read_rows

SOURCE = "Llama-3.1-405B-Instruct"
Answers = list[tuple[str, str]]


def dataset_responses(
    source: DataSource, prompt_ids: Sequence[str], folder: Path, limit: int | None, workers: int
) -> Iterator[Response]:
    """The dataset's answers to these prompts, in their order; several to one prompt in the order of their hashes.

    `limit` is the most answers a prompt gets (None: all). An answer that comes twice is taken once. Texts wait in
    an unnamed file in `folder`, so memory holds three numbers an answer.
    """
    places: dict[str, dict[int, tuple[int, int]]] = {prompt_id: {} for prompt_id in prompt_ids}
    with tempfile.TemporaryFile(dir=folder, prefix=".select_prompts.") as file:
        size = 0
        for answers in _answers(source, frozenset(places), workers):
            fresh = []
            for prompt_id, text in answers:
                known = places[prompt_id]
                data = text.encode("utf-8", "surrogatepass")
                content = digest(data)
                if content not in known:
                    known[content] = (size, len(data))
                    fresh.append(data)
                    size += len(data)
            append(file, fresh)
        for prompt_id in prompt_ids:
            ordered = sorted(places[prompt_id].items())[:limit]
            for sample_index, (_, (offset, length)) in enumerate(ordered):
                text = os.pread(file.fileno(), length, offset).decode("utf-8", "surrogatepass")
                yield Response(
                    response_id=response_id_of(prompt_id, SOURCE, sample_index),
                    prompt_id=prompt_id,
                    source=SOURCE,
                    sample_index=sample_index,
                    text=text,
                    finish_reason="stop",
                )


def _answers(source: DataSource, wanted: frozenset[str], workers: int) -> Iterator[Answers]:
    dataset = source.layout.dataset
    if source.commit is not None:
        for rows in read_hub_rows(source.layout, source.splits, source.commit):
            yield _wanted_answers(rows, dataset, wanted)
        return
    pieces = source.pieces()
    if workers <= 1 or len(pieces) <= 1:
        for piece in pieces:
            for rows in read_rows(piece, source.layout):
                yield _wanted_answers(rows, dataset, wanted)
        return
    yield from in_processes(_answers_of_piece, ((piece, dataset, wanted) for piece in pieces), workers)


def _answers_of_piece(job: tuple[Piece, str, frozenset[str]]) -> Answers:
    piece, dataset, wanted = job
    return [
        answer
        for rows in read_rows(piece, BY_NAME[dataset])
        for answer in _wanted_answers(rows, dataset, wanted)
    ]  # fmt: skip


def _wanted_answers(rows: Rows, dataset: str, wanted: frozenset[str]) -> Answers:
    found: Answers = []
    ids: dict[str, str] = {}
    for problem, solution, *_ in rows:
        if problem is None or solution is None or not problem.strip() or not solution.strip():
            continue
        prompt_id = ids.get(problem)
        if prompt_id is None:
            prompt_id = ids[problem] = prompt_id_of(dataset, [Message("user", problem.strip())])
        if prompt_id in wanted:
            found.append((prompt_id, solution.strip()))
    return found
