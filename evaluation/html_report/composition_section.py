"""The composition of the data set, beside the FuseChat-3.0 report's own table."""

from evaluation.html_report.contents import Composition, DatasetRow
from evaluation.html_report.pieces import Link, Section, Table, count, links_to, percent, share_of
from evaluation.html_report.run_files import Part, RunFolder


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
    """One row a dataset; where the report has figures of it they stand beside this run's."""
    rows = [
        [
            row.dataset, row.category, count(row.prompts),
            *beside(row), count(row.both), count(row.unused),
        ]
        for row in composition.datasets
    ]  # fmt: skip
    reported = composition.reported
    ours = {row.dataset for row in composition.datasets}
    if reported is not None:
        for theirs in reported.datasets:
            if theirs.dataset not in ours:
                figures = (theirs.selected, theirs.sft, theirs.dpo)
                rows.append(
                    [
                        theirs.dataset,
                        theirs.category,
                        "–",
                        *(cell for n in figures for cell in ("–", count(n))),
                        "–",
                        "–",
                    ]
                )
    total = composition.total
    sums = reported_sums(composition)
    rows.append(
        [
            "Total", "", count(total.prompts),
            *(cell for mine, theirs in zip((total.selected, total.sft, total.dpo), sums, strict=True)
              for cell in (count(mine), theirs)),
            count(total.both), count(total.unused),
        ]
    )  # fmt: skip
    header = [
        "Dataset", "Category", "Prompts", "Selected", "Report: selected", "SFT", "Report: SFT", "DPO", "Report: DPO",
        "Both", "Unused",
    ]  # fmt: skip
    note = (
        "Report: the FuseChat-3.0 report's own counts. Selected: prompts with a usable answer, for instruction data "
        "with a usable pair. Both: prompts that give an SFT row and a pair."
    )
    return Table("Datasets", header, rows, links, note, frozenset({0, 1}), last_is_total=True)


def beside(row: DatasetRow) -> list[str]:
    """Selected, SFT and DPO of this run, each followed by the report's."""
    theirs = row.report
    cells = []
    for name in ("selected", "sft", "dpo"):
        cells += [count(getattr(row, name)), count(getattr(theirs, name)) if theirs else "–"]
    return cells


def reported_sums(composition: Composition) -> list[str]:
    """The sums of the report's columns, where composition.json holds the whole table."""
    if composition.reported is None:
        return ["–", "–", "–"]
    rows = composition.reported.datasets
    return [count(sum(getattr(row, name) for row in rows)) for name in ("selected", "sft", "dpo")]


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
