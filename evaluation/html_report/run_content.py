"""Everything that the page shows of a run, read from its files, and put together for the template."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from evaluation.html_report.answers import Answers, paths_of, read_answers
from evaluation.html_report.composition_section import composition_section
from evaluation.html_report.contents import Composition, FitReport, Scores
from evaluation.html_report.funnel import funnel_section, funnel_stages
from evaluation.html_report.margin_section import margins_section
from evaluation.html_report.pieces import Link, Number, Table, anchor, count, link_to, links_to
from evaluation.html_report.rows import PackedRows, answer_ids, pack_rows
from evaluation.html_report.run_files import Part, RunFolder, read_json, sidecar
from evaluation.html_report.score_section import scores_section
from evaluation.html_report.training_sections import evaluation_section, training_sections

ContentT = TypeVar("ContentT")

NAMED_PARTS = (
    "pairs/composition.json",
    "pairs/dpo.jsonl",
    "pairs/sft.jsonl",
    "models/armorm/fit_report.json",
    "evaluation/scores.json",
)


@dataclass
class RunContent:
    """A run as it was read."""

    answers: Answers
    parts: dict[str, Part]
    composition: Composition | None
    fit: FitReport | None
    scores: Scores | None
    plain_scores: dict[str, Any]
    rows: PackedRows

    def all_parts(self) -> list[Part]:
        """All parts of the run but the trained models."""
        return [*self.answers.parts.values(), *self.answers.response_parts, *self.parts.values()]

    def paths(self, run: RunFolder) -> list[Path]:
        """All files that the page was made from."""
        return [*paths_of(self.all_parts()), *(folder / "metrics.jsonl" for folder in run.model_folders())]

    def missing(self) -> list[str]:
        """What the run does not have yet, one line a part."""
        # Only runs that fit a reward model of their own have its report.
        return [
            part.missing
            for part in self.all_parts()
            if part.missing and part.name != "models/armorm/fit_report.json"
        ]


def read_run(run: RunFolder, max_rows: int | None) -> RunContent:
    """Reads all parts that are there. BadInput names file and line, or field, of what is broken."""
    parts = {name: run.part(name) for name in NAMED_PARTS}
    pairs, sft = parts["pairs/dpo.jsonl"].paths, parts["pairs/sft.jsonl"].paths
    answers = read_answers(run, answer_ids(pairs, sft, max_rows))
    scores = parts["evaluation/scores.json"]
    return RunContent(
        answers=answers,
        parts=parts,
        composition=content_of(parts["pairs/composition.json"], Composition),
        fit=content_of(parts["models/armorm/fit_report.json"], FitReport),
        scores=content_of(scores, Scores),
        plain_scores=content_of(scores, dict) or {},
        rows=pack_rows(pairs, sft, answers.prompts, answers.checks, max_rows),
    )


def content_of(part: Part, content_type: type[ContentT]) -> ContentT | None:
    """The content of a JSON file that may not be there yet."""
    return read_json(part.paths[0], content_type) if part else None


def page_context(run: RunFolder, content: RunContent, max_rows: int | None) -> dict[str, Any]:
    """The template's variables."""
    composed = content.parts["pairs/composition.json"]
    row_parts = [content.parts["pairs/dpo.jsonl"], content.parts["pairs/sft.jsonl"]]
    evaluated = content.parts["evaluation/scores.json"]
    fit_part = content.parts["models/armorm/fit_report.json"]
    return {
        "run_name": run.root.resolve().name,
        "headline": headline(run, content),
        "funnel": funnel_section(run, composed, content.composition),
        "stages": funnel_stages(run, content.answers, composed, content.composition),
        "composition": composition_section(run, composed, content.composition),
        "scores": scores_section(run, content.answers, content.fit, fit_part),
        "margins": margins_section(run, composed, content.composition),
        "training": training_sections(run),
        "evaluation": evaluation_section(run, evaluated, content.scores, content.plain_scores),
        "rows": content.rows,
        "rows_missing": [part.missing for part in row_parts if part.missing],
        "row_links": links_to(run, row_parts),
        "max_rows": max_rows,
        "files": files_table(run, content),
    }


def headline(run: RunFolder, content: RunContent) -> list[Number]:
    """The few numbers that say what the run came to."""
    numbers = []
    answers, parts = content.answers, content.parts
    if answers.prompts:
        numbers.append(
            Number(count(len(answers.prompts)), "prompts", links_to(run, [answers.parts["prompts.jsonl"]])[0])
        )
    if paths_of(answers.response_parts):
        total = sum(figures.answers.total() for figures in answers.sources.values())
        link = links_to(run, answers.response_parts)[0]
        numbers.append(Number(count(total), f"answers of {len(answers.sources)} sources", link))
    if content.composition is not None:
        link = links_to(run, [parts["pairs/composition.json"]])[0]
        numbers.append(Number(count(content.composition.total.sft), "SFT rows", link))
        numbers.append(Number(count(content.composition.total.dpo), "preference pairs", link))
    if content.scores is not None:
        numbers += score_numbers(content.scores, links_to(run, [parts["evaluation/scores.json"]])[0])
    return numbers


def score_numbers(scores: Scores, link: Link) -> list[Number]:
    """First and last model on each of the first three benchmarks, with the difference's interval."""
    numbers = []
    first, last = scores.models[0], scores.models[-1]
    for benchmark in list(scores.benchmarks.values())[:3]:
        before, after = benchmark.models[first], benchmark.models[last]
        if before.score is None or after.score is None or first == last:
            continue
        gain = after.difference_to_first
        note = ""
        if gain is not None:
            low, high = gain.interval_95
            note = f"{gain.difference:+.1f} [{low:+.1f}, {high:+.1f}]"
        value = f"{before.score:.1f} → {after.score:.1f}"
        numbers.append(Number(value, f"{benchmark.title}, {first} → {last}", link, note))
    return numbers


def files_table(run: RunFolder, content: RunContent) -> Table:
    """All files that the page was made from: rows, size, and the step that made each."""
    rows = []
    for part in content.all_parts():
        for path in part.paths:
            rows.append(file_row(run, path, rows_in(part, path, content)))
    for folder in run.model_folders():
        rows.append(file_row(run, folder / "metrics.jsonl", None, folder / "run.json"))
    header = ["File", "Rows", "Size", "Made by", "Begun", "Seconds", "Commit"]
    return Table("", header, rows, [], text_columns=frozenset({0, 3, 4, 6}))


def rows_in(part: Part, path: Path, content: RunContent) -> int | None:
    """How many rows were read of a file, where it is one of rows and not one shard of many."""
    if path.suffix != ".jsonl" or len(part.paths) > 1:
        return None
    if part.name in ("pairs/dpo.jsonl", "pairs/sft.jsonl"):
        kept = content.rows.pairs if part.name == "pairs/dpo.jsonl" else content.rows.sft
        return kept + content.rows.left_out.get(path.name, 0)
    return content.answers.rows_of[part.name]


def file_row(run: RunFolder, path: Path, rows: int | None, record_path: Path | None = None) -> list[Any]:
    """One file: link, rows, size, and what its run.json says of how it was made."""
    record = sidecar(record_path or path.with_name(path.name + ".run.json"))
    link = link_to(run, path)
    commit = str(record.get("git_commit") or "–")
    seconds = record.get("seconds")
    return [
        anchor(link),
        "–" if rows is None else count(rows),
        size_text(path.stat().st_size),
        str(record.get("script", "–")),
        str(record.get("started", "–")).replace("T", " ").removesuffix("Z"),
        count(seconds) if isinstance(seconds, int | float) else "–",
        commit[:10] + ("-dirty" if commit.endswith("-dirty") else ""),
    ]


def size_text(size: int) -> str:
    """Bytes for people."""
    return (
        f"{size / 1e9:.2f} GB"
        if size >= 1e9
        else f"{size / 1e6:.2f} MB"
        if size >= 1e6
        else f"{size / 1e3:.1f} kB"
    )
