"""Charts with one row a name: quantile boxes, bars with intervals, differences to zero."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from evaluation.html_report.charts import (
    BOTTOM,
    COLOURS,
    RIGHT,
    TOP,
    WIDTH,
    Axis,
    axis_name,
    drawing,
    element,
    x_ticks,
)  # fmt: skip

ROW_LEFT = 12.0
BOX_ROW, BAR_ROW, DIFFERENCE_ROW, GROUP_TITLE = 44.0, 17.0, 18.0, 24.0


@dataclass(frozen=True)
class Box:
    """Quantiles of one row of a box chart: 5, 25, 50, 75 and 95 %, how many values they are of, and its colour."""

    name: str
    quantiles: tuple[float, float, float, float, float]
    count: int
    colour: str


@dataclass(frozen=True)
class Bar:
    """A value with an optional interval."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None


Group = tuple[str, Sequence[Bar]]


def column_frame(x: Axis, height: float, x_name: str) -> list[Markup]:
    """Vertical grid lines, with ticks and the axis' name below."""
    bottom = height - BOTTOM
    lines = []
    for tick in x.ticks():
        kind = "zero" if abs(tick) < x.step / 1e6 and x.low < 0 else "grid"
        lines.append(element("line", class_=kind, x1=x.place(tick), x2=x.place(tick), y1=TOP, y2=bottom))
    axis = element("line", class_="axis", x1=x.start, x2=x.end, y1=bottom, y2=bottom)
    return [*lines, axis, *x_ticks(x, bottom), axis_name(x_name, height)]


def box_chart(label: str, boxes: Sequence[Box], x_name: str) -> Markup:
    """One row a box: thin line from 5 to 95 %, bar from 25 to 75 %, mark at the median, count at the right."""
    height = TOP + BOX_ROW * len(boxes) + BOTTOM
    low, high = min(box.quantiles[0] for box in boxes), max(box.quantiles[4] for box in boxes)
    x = Axis.widened(low, high, ROW_LEFT, WIDTH - RIGHT, most_ticks=6)
    parts = column_frame(x, height, x_name)
    for number, box in enumerate(boxes):
        parts += box_row(x, box, TOP + BOX_ROW * number + 30)
    return drawing(height, label, parts)


def box_row(x: Axis, box: Box, middle: float) -> list[Markup]:
    """One box with its name above."""
    five, quarter, median, three_quarters, ninety_five = map(x.place, box.quantiles)
    told = element(
        "title",
        f"{box.name}: median {box.quantiles[2]:.4g}, middle half {box.quantiles[1]:.4g} to {box.quantiles[3]:.4g}",
    )
    size = {"x": quarter, "y": middle - 8, "width": max(three_quarters - quarter, 1.5), "height": 16}
    return [
        element("text", box.name, class_="row", x=ROW_LEFT, y=middle - 14),
        element("text", f"{box.count:,}", class_="count", x=WIDTH - RIGHT, y=middle - 14, text_anchor="end"),
        element("line", class_=f"whisker {box.colour}", x1=five, x2=ninety_five, y1=middle, y2=middle),
        element("rect", told, class_=f"box {box.colour}", rx=2, **size),
        element("line", class_="median", x1=median, x2=median, y1=middle - 8, y2=middle + 8),
    ]


def bar_chart(label: str, groups: Sequence[Group], x_name: str) -> Markup:
    """Groups of horizontal bars from zero, the place in the group gives the colour; intervals where there are any."""
    height = TOP + sum(GROUP_TITLE + BAR_ROW * len(bars) + 8 for _, bars in groups) + BOTTOM
    most = max(bar.high or bar.value for _, bars in groups for bar in bars)
    x = Axis.widened(0, min(max(most, 1e-9), 100.0), ROW_LEFT, WIDTH - 56.0)
    parts = column_frame(x, height, x_name)
    top = TOP
    for name, bars in groups:
        parts.append(element("text", name, class_="row", x=ROW_LEFT, y=top + 16))
        top += GROUP_TITLE
        for number, bar in enumerate(bars):
            parts += bar_row(x, bar, f"c{number % COLOURS}", top)
            top += BAR_ROW
        top += 8
    return drawing(height, label, parts)


def bar_row(x: Axis, bar: Bar, colour: str, top: float) -> list[Markup]:
    """One bar, its interval, its number behind it."""
    end, middle = x.place(bar.value), top + BAR_ROW / 2
    told = element("title", f"{bar.name}: {bar.value:.1f}")
    size = {"x": x.start, "y": top + 1.5, "width": max(end - x.start, 0.5), "height": BAR_ROW - 3}
    parts = [element("rect", told, class_=f"bar {colour}", rx=1.5, **size)]
    if bar.low is not None and bar.high is not None:
        low, high = x.place(max(bar.low, x.low)), x.place(min(bar.high, x.high))
        parts.append(element("line", class_="interval", x1=low, x2=high, y1=middle, y2=middle))
        end = max(end, high)
    return [*parts, element("text", f"{bar.value:.1f}", class_="count", x=end + 5, y=middle + 4)]


def difference_chart(label: str, groups: Sequence[Group], x_name: str) -> Markup:
    """Differences to zero with their intervals; colours begin with the second, the first is what is compared with."""
    height = TOP + sum(GROUP_TITLE + DIFFERENCE_ROW * len(bars) + 6 for _, bars in groups) + BOTTOM
    ends = [end for _, bars in groups for bar in bars for end in (bar.low or 0.0, bar.high or 0.0, bar.value)]
    x = Axis.widened(min(0.0, *ends), max(0.0, *ends), ROW_LEFT, WIDTH - RIGHT, most_ticks=6)
    parts = column_frame(x, height, x_name)
    top = TOP
    for name, bars in groups:
        parts.append(element("text", name, class_="row", x=ROW_LEFT, y=top + 16))
        top += GROUP_TITLE
        for number, bar in enumerate(bars, start=1):
            parts += difference_row(x, bar, f"c{number % COLOURS}", top + DIFFERENCE_ROW / 2)
            top += DIFFERENCE_ROW
        top += 6
    return drawing(height, label, parts)


def difference_row(x: Axis, bar: Bar, colour: str, middle: float) -> list[Markup]:
    """A dot and the line of its interval."""
    low, high = (bar.value if end is None else end for end in (bar.low, bar.high))
    told = element("title", f"{bar.name}: {bar.value:+.1f} [{low:+.1f}, {high:+.1f}]")
    return [
        element("line", class_=f"whisker {colour}", x1=x.place(low), x2=x.place(high), y1=middle, y2=middle),
        element("circle", told, class_=f"dot {colour}", cx=x.place(bar.value), cy=middle, r=4.5),
    ]
