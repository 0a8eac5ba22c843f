"""The composition of the data set, beside the FuseChat-3.0 report's own table."""

from markupsafe import Markup

from evaluation.html_report.contents import Composition, ReportedRow
from evaluation.html_report.pieces import Link, Section, Table, count, links_to, percent, share_of
from evaluation.html_report.run_files import Part, RunFolder

COUNTS = ("selected", "sft", "dpo")


def composition_section(run: RunFolder, part: Part, composition: Composition | None) -> Section:
    """The table of datasets with the report's own figures, and categories as shares."""
    section = Section("composition", "Composition, beside the report's table")
    if composition is None:
        section.missing.append(part.missing or "")
        return section
    links = links_to(run, [part])
    section.tables.append(composition_table(composition, links))
    section.tables.append(category_table(composition, links))
    return section


def composition_table(composition: Composition, links: list[Link]) -> Table:
    """One row a dataset, then the report's datasets that this run has not; the report's figures stand below ours."""
    rows: list[list[str | Markup]] = []
    for row in composition.datasets:
        counts = [beside(getattr(row, name), row.report, name) for name in COUNTS]
        rows.append(
            [row.dataset, row.category, count(row.prompts), *counts, count(row.both), count(row.unused)]
        )
    reported = composition.reported.datasets if composition.reported else []
    ours = {row.dataset for row in composition.datasets}
    for theirs in reported:
        if theirs.dataset not in ours:
            counts = [beside(None, theirs, name) for name in COUNTS]
            rows.append([theirs.dataset, theirs.category, "–", *counts, "–", "–"])
    total = composition.total
    sums = (
        ReportedRow(*(sum(getattr(row, name) for row in reported) for name in COUNTS)) if reported else None
    )
    counts = [beside(getattr(total, name), sums, name) for name in COUNTS]
    rows.append(["Total", "", count(total.prompts), *counts, count(total.both), count(total.unused)])
    header = ["Dataset", "Category", "Prompts", "Selected", "SFT rows", "Pairs", "Both", "Unused"]
    note = (
        "The small figures are the FuseChat-3.0 report's. Selected: prompts with a usable answer, for instruction "
        "data with a usable pair. Both: prompts that give an SFT row and a pair."
    )
    return Table("Datasets", header, rows, links, note, frozenset({0, 1}), last_is_total=True)


def beside(ours: int | None, theirs: ReportedRow | None, name: str) -> str | Markup:
    """This run's figure with the report's below it, where there is one."""
    mine = "–" if ours is None else count(ours)
    if theirs is None:
        return mine
    return Markup('<span>{} <span class="theirs">report {}</span></span>').format(
        mine, count(getattr(theirs, name))
    )


def category_table(composition: Composition, links: list[Link]) -> Table:
    """Shares of the categories among SFT rows and pairs, this run's and the report's."""
    ours: dict[str, list[int]] = {}
    for row in composition.datasets:
        sums = ours.setdefault(row.category, [0, 0])
        sums[0] += row.sft
        sums[1] += row.dpo
    theirs: dict[str, list[int]] = {}
    for reported in composition.reported.datasets if composition.reported else ():
        sums = theirs.setdefault(reported.category, [0, 0])
        sums[0] += reported.sft
        sums[1] += reported.dpo
    categories = list(dict.fromkeys([*theirs, *ours]))
    rows = []
    for category in categories:
        cells: list[str] = [category]
        for column in (0, 1):
            for table in (ours, theirs):
                whole = sum(sums[column] for sums in table.values())
                cells.append(percent(share_of(table.get(category, [0, 0])[column], whole)))
        rows.append(cells)
    header = ["Category", "Share of SFT rows", "Report: SFT", "Share of pairs", "Report: pairs"]
    return Table("Categories", header, rows, links)
