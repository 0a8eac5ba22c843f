"""Answers and RM scores by source."""

from collections.abc import Sequence

import numpy as np

from evaluation.html_report.answers import Answers, SourceFigures
from evaluation.html_report.bar_charts import Box, box_chart
from evaluation.html_report.charts import COLOURS, legend, step_chart
from evaluation.html_report.contents import FitReport
from evaluation.html_report.pieces import (
    Chart,
    Link,
    Number,
    Section,
    Table,
    count,
    links_to,
    percent,
    share_of,
)
from evaluation.html_report.run_files import Part, RunFolder

SCORE_BINS = 40
BOX_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def scores_section(run: RunFolder, answers: Answers, fit: FitReport | None, fit_part: Part) -> Section:
    """RM scores by source: outlines of their distributions, quantiles overall and by domain, a table."""
    section = Section("scores", "Answers and RM scores by source")
    part = answers.parts["rm_scores.jsonl"]
    links = links_to(run, [part, *answers.response_parts])
    if answers.sources:
        section.tables.append(sources_table(run, answers))
    else:
        section.missing += [one.missing for one in answers.response_parts if one.missing]
    if not part:
        section.missing.append(part.missing or "")
        return section
    scored = {name: all_scores(figures) for name, figures in answers.sources.items() if figures.scored}
    if scored:
        section.charts.append(score_outlines(scored, links[:1]))
        colours = {name: f"c{place % COLOURS}" for place, name in enumerate(scored)}
        note = "Line: 5 to 95 %; bar: middle half; mark: median; at the right: answers."
        section.charts.append(score_boxes("RM score by source", scored, colours, links[:1], note))
        section.charts += domain_boxes(answers, colours, links[:1])
    if fit is not None and fit.pair_accuracy.held_out is not None:
        label = "pairs of unseen prompts that the fitted reward model ranks right"
        section.numbers.append(
            Number(percent(fit.pair_accuracy.held_out), label, links_to(run, [fit_part])[0])
        )
    return section


def sources_table(run: RunFolder, answers: Answers) -> Table:
    """One row a source: answers, lengths, checks, scores."""
    rows = []
    for name, figures in answers.sources.items():
        characters = np.frombuffer(figures.characters, dtype=np.int32) if figures.characters else None
        scores = all_scores(figures)
        decided = figures.math["right"] + figures.math["wrong"]
        rows.append(
            [
                name,
                count(figures.answers.total()),
                percent(share_of(figures.cut_at_limit, figures.answers.total())),
                "–" if characters is None else count(float(np.median(characters))),
                "–"
                if not figures.answers_with_tokens
                else count(figures.tokens / figures.answers_with_tokens),
                percent(share_of(figures.math["right"], decided)),
                percent(share_of(figures.code["pass"], figures.code.total())),
                "–" if not len(scores) else f"{scores.mean():.4f}",
                "–" if not len(scores) else f"{scores.std():.4f}",
            ]
        )
    header = [
        "Source", "Answers", "Cut at the limit", "Median characters", "Mean tokens", "Maths right", "Code passing",
        "Mean RM score", "Standard deviation",
    ]  # fmt: skip
    names = ("rm_scores.jsonl", "math_checks.jsonl", "code_tests.jsonl")
    parts = [*answers.response_parts, *(answers.parts[name] for name in names)]
    note = "Tokens are each source's own: they do not compare. Maths right: of the answers that could be decided."
    return Table("Sources", header, rows, links_to(run, parts), note)


def all_scores(figures: SourceFigures) -> np.ndarray:
    """A source's RM scores over all domains, (answers,)."""
    columns = [np.frombuffer(column, dtype=np.float64) for column in figures.scores.values() if column]
    return np.concatenate(columns) if columns else np.empty(0)


def score_outlines(scored: dict[str, np.ndarray], links: Sequence[Link]) -> Chart:
    """How each source's scores are spread, as shares of its answers."""
    together = np.concatenate(list(scored.values()))
    low, high = float(together.min()), float(together.max())
    edges = np.linspace(low, high if high > low else low + 1, SCORE_BINS + 1)
    series = [
        (name, (np.histogram(values, bins=edges)[0] / len(values) * 100).tolist())
        for name, values in scored.items()
    ]
    title = "RM score by source, percent of its answers"
    svg = step_chart(title, edges.tolist(), series, "RM score")
    return Chart(
        "Distribution of RM scores",
        svg,
        links,
        "Percent of the source's answers in each bin.",
        legend(list(scored)),
    )


def score_boxes(
    title: str,
    scored: dict[str, np.ndarray],
    colours: dict[str, str],
    links: Sequence[Link],
    note: str = "",
) -> Chart:
    """Quantiles of each source's scores; a source has the same colour in every chart."""
    boxes = [
        Box(name, tuple(np.quantile(values, BOX_QUANTILES).tolist()), len(values), colours[name])
        for name, values in scored.items()
    ]
    return Chart(title, box_chart(title, boxes, "RM score"), links, note)


def domain_boxes(answers: Answers, colours: dict[str, str], links: Sequence[Link]) -> list[Chart]:
    """The same by domain, where there are several."""
    charts = []
    for domain in answers.domains if len(answers.domains) > 1 else ():
        scored = {
            name: np.frombuffer(figures.scores[domain], dtype=np.float64)
            for name, figures in answers.sources.items()
            if figures.scores.get(domain)
        }
        if scored:
            charts.append(score_boxes(f"RM score, {domain} prompts", scored, colours, links))
    return charts
