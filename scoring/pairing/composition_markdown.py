"""composition.md: the figures of composition.json as tables for people."""

from collections.abc import Mapping, Sequence
from typing import Any

from scoring.pairing.reported import REPORTED_TOTAL_DPO, REPORTED_TOTAL_ENTRIES, REPORTED_TOTAL_SFT

BAR_WIDTH = 30


def as_markdown(composition: Mapping[str, Any]) -> str:
    """The whole file."""
    parts = [
        "# Composition of the data set",
        composition_table(composition["datasets"], composition["total"]),
        _reasons(composition["datasets"]),
        _left_out(composition.get("left_out", {})),
        "## Sources",
        _source_table(composition["sources"]),
        "## Win share",
        "Share of common prompts in which the first source's best answer has the higher RM score; ties count half.",
        _win_table(composition["win_shares"]),
        "## Margin (RM score of chosen minus rejected)",
        _margins(composition["margins"]),
        _spread(composition["spread_within_source"]),
        "## Length",
        "In characters: sources count tokens with different tokenizers.",
        _length_bias_table(composition["length_bias"]),
        _lengths(composition["lengths_in_characters"]),
        "## Settings",
        _settings(composition),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def composition_table(rows: Sequence[Mapping[str, Any]], total: Mapping[str, Any]) -> str:
    """The report's table, with its own figures in brackets where it has any."""
    header = ["Dataset", "Prompts", "Selected", "SFT", "DPO", "Both", "Unused", "Category"]
    body = [
        [
            row["dataset"],
            _number(row["prompts"]),
            _beside(row, "selected"),
            _beside(row, "sft"),
            _beside(row, "dpo"),
            _number(row["both"]),
            _number(row["unused"]),
            row["category"],
        ]
        for row in rows
    ]
    last = [
        "Total",
        *(_number(total[name]) for name in ("prompts", "selected", "sft", "dpo", "both", "unused")),
    ]
    note = (
        "In brackets: the FuseChat-3.0 report's figures. Prompts: those given. Selected: with a usable answer, and "
        "for instruction data with a usable pair. Both: prompts that give an SFT row and a pair; "
        "selected = SFT + DPO prompts + unused - both. "
        f"Training entries: {_number(total['entries'])} (report: {_number(REPORTED_TOTAL_ENTRIES)} = "
        f"{_number(REPORTED_TOTAL_SFT)} SFT + {_number(REPORTED_TOTAL_DPO)} DPO)."
    )
    return f"{table(header, [*body, [*last, '']])}\n\n{note}"


def table(header: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """A Markdown table with aligned columns, so that it reads well as plain text too."""
    escaped = [[cell.replace("|", "\\|") for cell in row] for row in (header, *body)]
    widths = [max(len(row[column]) for row in escaped) for column in range(len(header))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in escaped
    ]
    rule = "| " + " | ".join("-" * max(width, 3) for width in widths) + " |"
    return "\n".join([lines[0], rule, *lines[1:]])


def _beside(row: Mapping[str, Any], name: str) -> str:
    reported = row["report"]
    return _number(row[name]) + (f" ({_number(reported[name])})" if reported else "")


def _number(value: int) -> str:
    return f"{value:,}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"


def _float(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _reasons(rows: Sequence[Mapping[str, Any]]) -> str:
    body = [
        [row["dataset"], what, reason, _number(count)]
        for row in rows
        for what, reasons in (
            ("not selected", row["not_selected_by_reason"]),
            ("unused", row["unused_by_reason"]),
        )
        for reason, count in reasons.items()
    ]
    return (
        "## Prompts that give nothing\n\n" + table(["Dataset", "", "Reason", "Prompts"], body) if body else ""
    )


def _left_out(figures: Mapping[str, int]) -> str:
    body = [[name.replace("_", " "), _number(count)] for name, count in figures.items() if count]
    return "## Left out before\n\n" + table(["What", "Number"], body) if body else ""


def _source_table(rows: Sequence[Mapping[str, Any]]) -> str:
    names = ("answers", "sft", "chosen", "rejected")
    body = [
        [row["source"], *(f"{_number(row[name])} ({_percent(row[f'{name}_share'])})" for name in names)]
        for row in rows
    ]
    return table(["Source", "Answers", "SFT rows", "Chosen", "Rejected"], body)


def _win_table(rows: Sequence[Mapping[str, Any]]) -> str:
    body = [
        [row["source"], row["against"], _number(row["prompts"]), _percent(row["win_share"])]
        for row in rows
        if row["prompts"]
    ]
    return (
        table(["Source", "Against", "Prompts", "Win share"], body)
        if body
        else "No two sources share a prompt."
    )


def _margins(margins: Mapping[str, Mapping[str, Any]]) -> str:
    parts = [
        f"{domain}: {_number(figures['pairs'])} pairs, mean {_float(figures['mean'], 4)}, "
        f"median {_float(figures['quantiles']['0.5'], 4)}\n\n"
        + _bars(figures["bin_edges"], figures["counts"])
        for domain, figures in margins.items()
        if figures["pairs"]
    ]
    return "\n\n".join(parts) or "No pairs."


def _spread(figures: Mapping[str, Any]) -> str:
    if not figures["prompts_and_sources"]:
        return ""
    cells = [_float(value, 4) for value in figures["quantiles"].values()]
    what = (
        f"Best minus worst RM score inside a source's answers to a prompt ({_number(figures['prompts_and_sources'])} "
        "prompts and sources), by quantile; the window belongs between two of these:"
    )
    return f"{what}\n\n{table(list(figures['quantiles']), [cells])}"


def _lengths(lengths: Mapping[str, Mapping[str, Any]]) -> str:
    parts = [
        f"{what}: {_number(figures['texts'])} texts, mean {figures['mean']:,.0f}, median {figures['median']:,.0f}\n\n"
        + _bars([*figures["bin_edges"], float("inf")], figures["counts"])
        for what, figures in lengths.items()
        if figures["texts"]
    ]
    return "\n\n".join(parts)


def _length_bias_table(rows: Mapping[str, Mapping[str, Any]]) -> str:
    body = [
        [
            domain,
            _number(row["pairs"]),
            _float(row["correlation_of_length_and_chosen"]),
            _percent(row["share_of_pairs_with_longer_chosen"]),
        ]
        for domain, row in rows.items()
    ]
    return table(["Domain", "Pairs", "Correlation of length and being chosen", "Chosen is longer"], body)


def _bars(edges: Sequence[float], counts: Sequence[int]) -> str:
    most = max(counts) or 1
    lines = [
        f"{_edge(low)} to {_edge(high)}".rjust(18)
        + f" {'#' * round(BAR_WIDTH * count / most)} {_number(count)}"
        for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True)
        if count
    ]
    return "```\n" + "\n".join(lines) + "\n```"


def _edge(value: float) -> str:
    return f"{value:g}" if value == int_or_inf(value) else f"{value:.4f}"


def int_or_inf(value: float) -> float:
    """The value itself for infinity, else its whole part."""
    return value if value == float("inf") else float(int(value))


def _settings(composition: Mapping[str, Any]) -> str:
    settings = {
        **composition.get("rules", {}),
        **{f"rm {k}": v for k, v in composition.get("rm_settings", {}).items()},
    }
    return (
        table(["Setting", "Value"], [[name, _plain(value)] for name, value in settings.items()])
        if settings
        else ""
    )


def _plain(value: Any) -> str:
    return ", ".join(map(str, value)) or "none" if isinstance(value, (list, tuple)) else str(value)
