"""Training curves of every model of the run, and the evaluation's table and charts."""

from pathlib import Path
from typing import Any

from evaluation.html_report.bar_charts import Bar, Group, bar_chart, difference_chart
from evaluation.html_report.charts import legend, line_chart
from evaluation.html_report.contents import BenchmarkScores, ModelScore, Scores
from evaluation.html_report.pieces import Chart, Link, Number, Section, Table, count, link_to, links_to
from evaluation.html_report.run_files import WRITERS, Part, RunFolder, sidecar
from evaluation.html_report.training_curves import curve_charts, read_metrics
from evaluation.tables import average_cell, difference_rows, notes, table_rows


def training_sections(run: RunFolder) -> list[Section]:
    """One section a trained model; one that says what is missing where there is none."""
    sections = []
    for folder in run.model_folders():
        rows = read_metrics(folder / "metrics.jsonl")
        if rows:
            sections.append(model_section(run, folder, rows))
    if not sections:
        writer = WRITERS["models"]
        told = f"no models/*/metrics.jsonl is there yet; {writer} write them"
        return [Section("training", "Training", missing=[told])]
    return sections


def model_section(run: RunFolder, folder: Path, rows: list[dict[str, Any]]) -> Section:
    """One model: what it was trained with, and its curves."""
    link = link_to(run, folder / "metrics.jsonl")
    section = Section(f"training-{folder.name}", f"Training: {folder.name}")
    section.numbers = training_numbers(run, folder, rows, link)
    for chart in curve_charts(rows):
        several = len(chart.curves) > 1
        svg = line_chart(f"{folder.name}: {chart.title} by step", chart.curves, "step")
        names = [curve.name for curve in chart.curves]
        section.charts.append(
            Chart(chart.title, svg, [link], chart.note, legend(names) if several else legend([]))
        )
    return section


def training_numbers(run: RunFolder, folder: Path, rows: list[dict[str, Any]], link: Link) -> list[Number]:
    """Steps, rows trained on, rates, last figures."""
    record_path = folder / "run.json"
    record = sidecar(record_path)
    arguments, counts = record.get("arguments", {}), record.get("counts", {})
    numbers = [Number(count(rows[-1]["step"]), "steps", link)]
    if record.get("status") == "running":
        numbers[0] = Number(count(rows[-1]["step"]), "steps so far: not finished yet", link)
    if record_path.exists():
        record_link = link_to(run, record_path)
        for value, label in (
            (counts.get("trained_on"), "rows trained on"),
            (counts.get("held_out"), "rows held out"),
            (arguments.get("learning_rate"), "peak learning rate"),
            (arguments.get("beta"), "beta"),
            (record.get("seconds"), "seconds"),
        ):
            if isinstance(value, int | float):
                numbers.append(Number(plain(value), label, record_link))
    for name, label in (
        ("loss", "loss"),
        ("eval/loss", "held-out loss"),
        ("rewards/accuracies", "pairs ranked right"),
    ):
        values = [row[name] for row in rows if isinstance(row.get(name), int | float)]
        if len(values) > 1:
            numbers.append(Number(f"{values[0]:.3g} → {values[-1]:.3g}", f"{label}, first → last", link))
    return numbers


def plain(value: float) -> str:
    """A setting as it was given."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:g}"


def evaluation_section(run: RunFolder, part: Part, scores: Scores | None, content: dict[str, Any]) -> Section:
    """Table and charts of scores.json; `content` is the same file as plain data."""
    section = Section("evaluation", "Evaluation")
    if scores is None:
        section.missing.append(part.missing or "")
        return section
    links = links_to(run, [part])
    pictures = sorted(part.paths[0].parent.glob("scores_*.png"))
    others = [part.paths[0].with_name(name) for name in ("scores.md", "scores.tex")]
    files = [*links, *(link_to(run, path) for path in [*others, *pictures] if path.exists())]
    section.intro = " ".join(notes(content))
    header, *rows = table_rows(content)
    has_average = bool(scores.average)
    section.tables.append(
        Table("Scores", header, rows, files, "Score ± standard error.", last_is_total=has_average)
    )
    if len(scores.models) > 1:
        header, *rows = difference_rows(content)
        note = "Paired over the same items, in the benchmark's own scale, with the 95 % interval."
        section.tables.append(Table(f"Difference to {scores.models[0]}", header, rows, links, note))
    section.charts = evaluation_charts(scores, links)
    section.tables += breakdown_tables(scores, links)
    return section


def evaluation_charts(scores: Scores, links: list[Link]) -> list[Chart]:
    """Bars of all scores, in percent of the scale, and differences to the first model."""
    charts = []
    bars: list[Group] = []
    differences: list[Group] = []
    for benchmark in scores.benchmarks.values():
        group = [bar for model in scores.models if (bar := score_bar(model, benchmark))]
        if group:
            bars.append((benchmark.title, group))
        gains = [gain for model in scores.models[1:] if (gain := difference_bar(model, benchmark))]
        if gains:
            differences.append((benchmark.title, gains))
    if bars:
        note = "Percent of the benchmark's scale; lines: one standard error to either side."
        svg = bar_chart("Scores by benchmark and model", bars, "percent of the scale")
        charts.append(Chart("Scores", svg, links, note, legend(scores.models)))
    if differences:
        title = f"Difference to {scores.models[0]}"
        svg = difference_chart(title, differences, "points, percent of the scale")
        note = "Points with their 95 % interval; an interval that crosses zero may be noise."
        charts.append(Chart(title, svg, links, note, legend(scores.models[1:], first_colour=1)))
    return charts


def score_bar(model: str, benchmark: BenchmarkScores) -> Bar | None:
    """One model's bar, in percent of the scale; none where the benchmark is not complete."""
    one = benchmark.models[model]
    if one.score is None:
        return None
    score, error = (100 / benchmark.scale * (value or 0.0) for value in (one.score, one.standard_error))
    return Bar(model, score, score - error, score + error) if error else Bar(model, score)


def difference_bar(model: str, benchmark: BenchmarkScores) -> Bar | None:
    """One model's difference to the first."""
    gain = benchmark.models[model].difference_to_first
    if gain is None:
        return None
    factor = 100 / benchmark.scale
    low, high = gain.interval_95
    return Bar(model, factor * gain.difference, factor * low, factor * high)


def breakdown_tables(scores: Scores, links: list[Link]) -> list[Table]:
    """What some benchmarks say about groups of their items."""
    tables = []
    for benchmark in scores.benchmarks.values():
        ones: list[ModelScore] = [benchmark.models[model] for model in scores.models]
        names = list(dict.fromkeys(name for one in ones for name in one.breakdown))
        if names:
            rows = [[name, *(average_cell(one.breakdown.get(name)) for one in ones)] for name in names]
            title = f"{benchmark.title}, in groups"
            tables.append(Table(title, ["Group", *scores.models], rows, links, folded=True))
    return tables
