"""LiveCodeBench, problems of contests from 2024-08-01 to 2024-11-30 (223 in release 5); pass@1 over 10 samples.

Data: DATA_ROOT/livecodebench/code_generation_lite (test.jsonl to test6.jsonl, one part a release), else
DATA_ROOT/lighteval/code_generation_lite, else the former's files from the Hub. The request is LiveCodeBench's where a
copy of its prompts is below DATA_ROOT, else in words of our own. Every sample must pass the public and the private tests; score: mean share of passing samples, also by
difficulty. Beginning and end are dates, not times: an end at midnight would lose contests of the last day.
`score_published` scores the submissions of other models.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluation.benchmark import Generating, Generation, Item, ItemScore, Tools
from evaluation.code_runs import Program, run_programs
from evaluation.contest_programs import (
    contest_program,
    contest_tests,
    first_fenced_block,
    last_fenced_block,
)  # fmt: skip
from evaluation.dataset_files import Sources, check_columns, iterate_rows
from evaluation.downloads import GitHubFiles, HubFiles
from evaluation.published_texts import assigned_text, text_beginning
from evaluation.switches import FIRST_DAY, LAST_DAY
from fusechat.errors import BadInput

TITLE = "LiveCodeBench 2408-2411"
SCALE = 100.0
PROBLEMS = 223  # in the report's window
PARTS = ("test.jsonl", "test2.jsonl", "test3.jsonl", "test4.jsonl", "test5.jsonl", "test6.jsonl")
SAMPLES = 10
REPOSITORY, TWIN = "livecodebench/code_generation_lite", "lighteval/code_generation_lite"
RUNNER, PROMPTS = "LiveCodeBench/LiveCodeBench", "lcb_runner/prompts/code_generation.py"
DOWNLOADS = (
    HubFiles(REPOSITORY, PARTS[:5]),  # release 5; the sixth part's contests are later
    GitHubFiles(RUNNER, "28fef95ea8c9f7a547c8329f2cd3d32b92c1fa24", (PROMPTS,)),
)
COLUMNS = (
    "question_content", "question_id", "contest_date", "starter_code", "difficulty", "public_test_cases",
    "private_test_cases", "metadata",
)  # fmt: skip


@dataclass(frozen=True)
class Wording:
    """The sentences around a problem; those of our own where LiveCodeBench's file is not there."""

    system: str = (
        "You are an experienced Python programmer. You get a problem statement and write a correct program that passes "
        "all tests."
    )
    with_starter: str = "Complete the following starter code, and put the whole program into a Python fence."
    with_stdin: str = (
        "The program reads its input from stdin and prints its answer to stdout. Put it into a Python fence."
    )
    cue: str = "### Answer"


def load(sources: Sources) -> list[Item]:
    """The window's problems in the data's order."""
    first_day, last_day = sources.switches.first_day, sources.switches.last_day
    rows = [row for row in all_rows(sources) if in_window(row["contest_date"], first_day, last_day)]
    if not rows:
        raise BadInput(
            f"livecodebench: no problem from {first_day} to {last_day}; release 5 has those up to 2025-01, release 6 later ones"
        )
    is_the_reports = (first_day, last_day) == (FIRST_DAY, LAST_DAY)
    if is_the_reports and len(rows) != PROBLEMS:
        print(
            f"note: livecodebench: {len(rows)} problems in the window; release 5 has {PROBLEMS}", flush=True
        )
    words = wording(sources)
    return [item_of(row, words) for row in rows]


def wording(sources: Sources) -> Wording:
    """LiveCodeBench's own generic prompt where its file is below DATA_ROOT."""
    folder = sources.local_folder(RUNNER)
    if folder is None or not (folder / PROMPTS).is_file():
        return Wording()
    path = folder / PROMPTS
    return Wording(
        assigned_text(path, "SYSTEM_MESSAGE_GENERIC"),
        assigned_text(path, "FORMATTING_MESSAGE_WITH_STARTER_CODE"),
        assigned_text(path, "FORMATTING_WITHOUT_STARTER_CODE"),
        text_beginning(path, "get_generic_question_template_answer", "### Answer"),
    )


def all_rows(sources: Sources) -> Iterator[dict[str, Any]]:
    """Rows of all releases up to the newest that is there, one by one: the parts are gigabytes of packed tests."""
    folder = sources.local_folder(REPOSITORY)
    if folder is None and sources.local_folder(TWIN):
        return iter(sources.rows(TWIN, config="release_v5", split="test", columns=COLUMNS))
    if folder is not None:
        files = [folder / name for name in PARTS if (folder / name).is_file()]
        if not files:
            raise BadInput(f"{folder}: holds none of {', '.join(PARTS)}; download the dataset again")
    else:
        files = [sources.hub_file(REPOSITORY, name) for name in PARTS]
    return checked_rows(files)


def checked_rows(files: Iterable[Path]) -> Iterator[dict[str, Any]]:
    """Rows of the files, their columns looked at once a file."""
    for path in files:
        for number, row in enumerate(iterate_rows(path)):
            if number == 0:
                check_columns([row], COLUMNS, str(path))
            yield row


def in_window(contest_date: object, first_day: str = FIRST_DAY, last_day: str = LAST_DAY) -> bool:
    """Whether a contest's day lies in the window, both ends included; the date may be a text or a time."""
    return first_day <= str(contest_date)[:10] <= last_day


def item_of(row: dict[str, Any], words: Wording) -> Item:
    """One problem with its tests, in LiveCodeBench's layout."""
    starter = row["starter_code"]
    form = (
        f"{words.with_starter}\n```python\n{starter}"
        if starter
        else f"{words.with_stdin}\n```python\n# YOUR CODE HERE"
    )
    text = f"### Question:\n{row['question_content']}\n\n### Format: {form}\n```\n\n{words.cue}"
    messages = ({"role": "system", "content": words.system}, {"role": "user", "content": text})
    # The tests stay packed until they are run.
    fields = {"row": row, "groups": {"difficulty": row["difficulty"]}}
    return Item(item_id=f"lcb-{row['question_id']}", messages=messages, fields=fields)


def generating(item: Item, family: str) -> Generating:
    """Ten samples at a low temperature."""
    return Generating(max_tokens=2000, temperature=0.2, top_p=0.95, samples=SAMPLES, stop=("###",))


def score(
    items: Sequence[Item], answers: Mapping[str, Sequence[Generation]], tools: Tools
) -> list[ItemScore]:
    """Share of the samples that pass all tests."""
    program_of = last_fenced_block if tools.switches.code_fence == "last" else first_fenced_block
    codes = {
        one.generation_id: code
        for item in items
        for one in answers[item.item_id]
        if (code := program_of(one.text)).strip()
    }

    def programs() -> Iterator[Program]:
        for item in items:
            keys = [one.generation_id for one in answers[item.item_id] if one.generation_id in codes]
            if keys:
                tests = contest_tests(item.fields["row"])
                yield from (contest_program(key, codes[key], tests) for key in keys)

    outcomes = run_programs(programs(), tools, len(codes))
    scores = []
    for item in items:
        results = [outcomes.get(one.generation_id) for one in answers[item.item_id]]
        unknown = [result.reason for result in results if result and result.score is None]
        share = sum(result.score or 0.0 for result in results if result) / len(results)
        scores.append(
            ItemScore(
                item.item_id, None if unknown else share, reason=unknown[0] if unknown else None,
                groups=dict(item.fields["groups"]),
            )
        )  # fmt: skip
    return scores


def score_published(
    submission: Iterable[Mapping[str, Any]], first_day: str = FIRST_DAY, last_day: str = LAST_DAY
) -> dict[str, float]:
    """pass@1 in percent of a published submission in the window: overall, by difficulty, and the problems counted.

    Rows hold question_id, contest_date, difficulty and graded_list (one verdict a sample; `pass@1` where it is not
    there). A problem that comes twice counts once, the later row.
    """
    rows = {row["question_id"]: row for row in submission}
    window = [row for row in rows.values() if in_window(row["contest_date"], first_day, last_day)]
    if not window:
        raise BadInput(f"livecodebench: the submission has no problem from {first_day} to {last_day}")
    shares: dict[str, list[float]] = {}
    for row in window:
        graded = row.get("graded_list")
        share = sum(map(bool, graded)) / len(graded) if graded else float(row.get("pass@1") or 0.0)
        for name in ("pass@1", f"difficulty: {row.get('difficulty')}"):
            shares.setdefault(name, []).append(share)
    means = {name: 100 * sum(values) / len(values) for name, values in sorted(shares.items())}
    return {**means, "problems": float(len(window))}
