"""Tables of scores.json's content: Markdown for people, LaTeX for papers."""

from collections.abc import Mapping
from typing import Any

from evaluation.report_figures import report_average, report_columns

_LATEX_SPECIAL = {"&": r"\&", "%": r"\%", "_": r"\_", "#": r"\#", "±": r"$\pm$", "—": "--"}


def table_rows(results: Mapping[str, Any]) -> list[list[str]]:
    """Header and rows of the score table: benchmark, n, one column a model, the report's columns where asked for."""
    models = results["models"]
    published = report_columns(results["compare_report"]) if results.get("compare_report") else {}
    rows = [["benchmark", "n", *models, *published]]
    for name, entry in results["benchmarks"].items():
        ones = [entry["models"][model] for model in models]
        counts = "/".join(str(count) for count in sorted({one["n"] for one in ones}))
        theirs = [f"{column[name]:.1f}" if name in column else "—" for column in published.values()]
        rows.append([entry["title"], counts, *map(score_cell, ones), *theirs])
    if results.get("average"):
        ours = [average_cell(results["average"].get(model)) for model in models]
        theirs = [average_cell(report_average(column)) for column in published.values()]
        rows.append(["Average", "", *ours, *theirs])
    return rows


def difference_rows(results: Mapping[str, Any]) -> list[list[str]]:
    """Header and rows of the paired differences to the first model."""
    others = results["models"][1:]
    rows = [["benchmark", *others]]
    for entry in results["benchmarks"].values():
        cells = [difference_cell(entry["models"][model].get("difference_to_first")) for model in others]
        rows.append([entry["title"], *cells])
    return rows


def markdown_table(results: Mapping[str, Any]) -> str:
    """scores.md: scores, differences, and what is to be known about them."""
    lines = ["# Scores", "", *markdown(table_rows(results), plain_columns=1), ""]
    lines += ["Score ± standard error. A benchmark that is not complete has no score.", ""]
    if len(results["models"]) > 1:
        lines += [f"Paired difference to {results['models'][0]}, with its 95 % interval:", ""]
        lines += [*markdown(difference_rows(results), plain_columns=1), ""]
    return "\n".join([*lines, *notes(results), ""])


def notes(results: Mapping[str, Any]) -> list[str]:
    """Limits of what the scores say."""
    lines = []
    if results.get("limit"):
        lines.append(
            f"Only the first {results['limit']} items of each benchmark: these are no benchmark scores."
        )
    lines += [
        f"Left out of {name} of {model}: {one['n_dropped']} of {one['n']} items, on which the judge gave no verdict."
        for name, entry in results["benchmarks"].items()
        for model, one in entry["models"].items()
        if one.get("n_dropped")
    ]
    if results.get("switches"):
        chosen = ", ".join(f"{name} {value}" for name, value in results["switches"].items())
        lines.append(f"Switches: {chosen}.")
    if results.get("judge"):
        lines.append(f"Judge: {results['judge']}. Scores under another judge are not comparable.")
        others = results["other_judges"].items()
        lines += [f"Warning: {name} was judged by {asked} in the report." for name, asked in others]
    return lines


def markdown(rows: list[list[str]], plain_columns: int) -> list[str]:
    """Lines of a Markdown table; all but the first columns stand to the right."""
    rule = ["---"] * plain_columns + ["---:"] * (len(rows[0]) - plain_columns)
    return ["| " + " | ".join(row) + " |" for row in (rows[0], rule, *rows[1:])]


def latex_table(results: Mapping[str, Any]) -> str:
    """scores.tex: a booktabs table of the scores."""
    rows = table_rows(results)
    lines = [r"\begin{tabular}{l" + "r" * (len(rows[0]) - 1) + "}", r"\toprule"]
    for index, row in enumerate(rows):
        lines.append(" & ".join(latex(cell) for cell in row) + r" \\")
        if index == 0:
            lines.append(r"\midrule")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def latex(text: str) -> str:
    """Plain text with LaTeX's special characters escaped."""
    return "".join(_LATEX_SPECIAL.get(character, character) for character in text)


def score_cell(entry: Mapping[str, Any]) -> str:
    """`42.1 ± 3.5`, or what is missing."""
    if entry["score"] is None:
        return f"incomplete ({entry['n_missing']} missing)" if entry["n_missing"] else "incomplete"
    error = entry["standard_error"]
    return f"{entry['score']:.1f}" + (f" ± {error:.1f}" if error is not None else "")


def average_cell(value: float | None) -> str:
    """The average, or a dash where a benchmark is not complete."""
    return "—" if value is None else f"{value:.1f}"


def difference_cell(difference: Mapping[str, Any] | None) -> str:
    """`+5.7 [+1.2, +10.2], more than noise`."""
    if difference is None:
        return "—"
    low, high = difference["interval_95"]
    verdict = "more than noise" if difference["more_than_noise"] else "within noise"
    return f"{difference['difference']:+.1f} [{low:+.1f}, {high:+.1f}], {verdict}"
