"""Margins of the pairs, lengths of the answers, and each source's part in the rows."""

from evaluation.html_report.charts import legend, step_chart
from evaluation.html_report.contents import Composition
from evaluation.html_report.pieces import Chart, Link, Section, Table, count, decimal, links_to, percent
from evaluation.html_report.run_files import Part, RunFolder


def margins_section(run: RunFolder, part: Part, composition: Composition | None) -> Section:
    """Margins of the pairs, lengths of the answers, shares of the sources, who wins against whom."""
    section = Section("margins", "Margins and lengths")
    if composition is None:
        section.missing.append(part.missing or "")
        return section
    links = links_to(run, [part])
    for domain, margins in composition.margins.items():
        if margins.pairs and (domain != "all" or len(composition.margins) > 2):
            title = "Margin, all pairs" if domain == "all" else f"Margin, {domain} pairs"
            svg = step_chart(
                title, margins.bin_edges, [("pairs", margins.counts)], "RM score of chosen minus rejected"
            )
            note = f"{margins.pairs:,} pairs, mean {decimal(margins.mean, 4)}, median {decimal(margins.quantiles.get('0.5'), 4)}."
            section.charts.append(Chart(title, svg, links, note))
    lengths = {name: one for name, one in composition.lengths_in_characters.items() if one.texts}
    if lengths:
        section.charts.append(length_chart(composition, links))
    section.tables.append(source_share_table(composition, links))
    section.tables.append(length_table(composition, links))
    if any(row.prompts for row in composition.win_shares):
        section.tables.append(win_table(composition, links))
    return section


def length_chart(composition: Composition, links: list[Link]) -> Chart:
    """Lengths in characters of SFT, chosen and rejected answers, in bins that double."""
    lengths = {name: one for name, one in composition.lengths_in_characters.items() if one.texts}
    edges = next(iter(lengths.values())).bin_edges
    used = max(place for one in lengths.values() for place, number in enumerate(one.counts) if number)
    labels = [*(f"{edge:g}" for edge in edges), "more"][: used + 2]
    series = [
        (name, [100 * number / one.texts for number in one.counts[: used + 1]])
        for name, one in lengths.items()
    ]
    title = "Length of the answers, percent of each kind"
    svg = step_chart(title, range(used + 2), series, "characters", edge_labels=labels)
    note = (
        "Percent of each kind. "
        + ", ".join(f"{name}: median {one.median:,.0f}" for name, one in lengths.items())
        + "."
    )
    return Chart("Length of the answers", svg, links, note, legend(list(lengths)))


def source_share_table(composition: Composition, links: list[Link]) -> Table:
    """Each source's part of the rows."""
    rows = [
        [
            row.source, count(row.answers),
            count(row.sft), percent(row.sft_share),
            count(row.chosen), percent(row.chosen_share),
            count(row.rejected), percent(row.rejected_share),
        ]
        for row in composition.sources
    ]  # fmt: skip
    header = [
        "Source",
        "Answers",
        "SFT rows",
        "of all SFT",
        "Chosen",
        "of all chosen",
        "Rejected",
        "of all rejected",
    ]
    return Table("Rows by source", header, rows, links)


def length_table(composition: Composition, links: list[Link]) -> Table:
    """How far being chosen goes with being longer."""
    rows = [
        [
            domain,
            count(row.pairs),
            percent(row.share_of_pairs_with_longer_chosen),
            decimal(row.correlation_of_length_and_chosen),
            "–" if row.mean_chosen_characters is None else count(row.mean_chosen_characters),
            "–" if row.mean_rejected_characters is None else count(row.mean_rejected_characters),
        ]
        for domain, row in composition.length_bias.items()
    ]
    header = ["Domain", "Pairs", "Chosen is longer", "Correlation", "Mean chosen", "Mean rejected"]
    note = "Correlation of length and being chosen; lengths in characters."
    return Table("Length and being chosen", header, rows, links, note)


def win_table(composition: Composition, links: list[Link]) -> Table:
    """Which source's best answer has the higher RM score, by pairs of sources."""
    rows = [
        [f"{row.source} against {row.against}", count(row.prompts), percent(row.win_share), count(row.ties)]
        for row in composition.win_shares
        if row.prompts
    ]
    note = "Share of common prompts in which the first source's best answer has the higher RM score; ties count half."
    return Table("Win shares", ["Sources", "Common prompts", "Win share", "Ties"], rows, links, note)
