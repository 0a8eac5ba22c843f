"""What the page's sections are made of: links to files, figures to a file, tables, charts."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from markupsafe import Markup

from evaluation.html_report.run_files import Part, RunFolder

NOTHING = Markup("")


@dataclass(frozen=True)
class Link:
    """A relative link to a file of the run, shown by the file's name in the run."""

    text: str
    href: str


@dataclass(frozen=True)
class Number:
    """A number with what it counts and the file that it was read from."""

    value: str
    label: str
    link: Link | None = None
    note: str = ""


@dataclass(frozen=True)
class Table:
    """A table; the first column names the row. `links` are the files that its numbers come from."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str | Markup]]
    links: Sequence[Link]
    note: str = ""
    text_columns: frozenset[int] = frozenset({0})
    last_is_total: bool = False
    folded: bool = False  # shown only when it is opened


@dataclass(frozen=True)
class Chart:
    """A chart with its legend, and the files that it is drawn from."""

    title: str
    svg: Markup
    links: Sequence[Link]
    note: str = ""
    legend: Markup = NOTHING


@dataclass
class Section:
    """One section of the page: what is there, and what is not there yet."""

    key: str
    title: str
    intro: str = ""
    numbers: list[Number] = field(default_factory=list)
    charts: list[Chart] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def links_to(run: RunFolder, parts: Sequence[Part]) -> list[Link]:
    """Links to all files of some parts; of a set of shards to the first alone, named with their number."""
    links = []
    for part in parts:
        if part:
            shards = f" (1 of {len(part.paths)} shards)" if len(part.paths) > 1 else ""
            links.append(Link(run.name(part.paths[0]) + shards, run.href(part.paths[0])))
    return links


def link_to(run: RunFolder, path: Path) -> Link:
    """A link to one file."""
    return Link(run.name(path), run.href(path))


def count(value: float) -> str:
    """`12,345`."""
    return f"{value:,.0f}"


def percent(share: float | None) -> str:
    """`12.3 %` that stays on one line, or a dash where there is nothing to divide by."""
    return "–" if share is None else f"{100 * share:.1f}\N{NARROW NO-BREAK SPACE}%"


def decimal(value: float | None, digits: int = 3) -> str:
    """A number with some digits, or a dash."""
    return "–" if value is None else f"{value:.{digits}f}"


def share_of(part: float, whole: float) -> float | None:
    """A share; None of nothing."""
    return part / whole if whole else None


def anchor(link: Link) -> Markup:
    """A link inside a table's cell."""
    return Markup('<a href="{}">{}</a>').format(link.href, link.text)
