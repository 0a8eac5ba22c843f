"""Charts as inline SVG: no image files, readable from 400 pixels on, coloured by the page's style sheet.

Every function returns Markup. All text goes through escaping; all sizes are in units of a 400 wide drawing, which a
phone shows at nearly its own size. Classes `c0` to `c7` are the style sheet's colours of series.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 400.0, 52.0, 12.0, 12.0, 40.0
COLOURS = 8
DIGIT_WIDTH = 9.0  # of the labels, in the larger letters that narrow pages have
# More points than this do not show at 400 units; a curve is thinned to the lowest and highest of each stretch.
MOST_POINTS = 400


@dataclass(frozen=True)
class Curve:
    """One line of a line chart."""

    name: str
    points: Sequence[tuple[float, float]]


class Axis:
    """A linear scale from values to places on the drawing, with round numbers marked on it."""

    def __init__(self, low: float, high: float, start: float, end: float, most_ticks: int = 5) -> None:
        if high <= low:
            pad = abs(low) * 0.1 or 1.0
            low, high = low - pad, high + pad
        self.low, self.high, self.start, self.end = low, high, start, end
        self.step = round_step((high - low) / most_ticks)

    @classmethod
    def widened(cls, low: float, high: float, start: float, end: float, most_ticks: int = 5) -> "Axis":
        """An axis from round number to round number around the values."""
        axis = cls(low, high, start, end, most_ticks)
        low = math.floor(axis.low / axis.step + 1e-9) * axis.step
        high = math.ceil(axis.high / axis.step - 1e-9) * axis.step
        return cls(low, high, start, end, most_ticks)

    def place(self, value: float) -> float:
        """Where a value stands."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self) -> list[float]:
        """The round numbers on the axis."""
        first = math.ceil(self.low / self.step - 1e-9)
        last = math.floor(self.high / self.step + 1e-9)
        return [number * self.step for number in range(first, last + 1)]

    def label(self, value: float) -> str:
        """A tick as text, with the digits that the step needs."""
        return tick_text(value, self.step)


def round_step(rough: float) -> float:
    """The smallest of 1, 2, 5 times a power of ten that is not below a rough step."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))


def tick_text(value: float, step: float) -> str:
    """`1.5`, `20k`, `2e-06`: short, and with enough digits to tell neighbours apart."""
    if abs(value) < step / 1e6:
        return "0"
    if step < 1e-4:
        mantissa, _, exponent = f"{value:.1e}".partition("e")
        return f"{mantissa.removesuffix('.0')}e{int(exponent)}"
    if abs(value) >= 10_000 and step >= 1000:
        return f"{value / 1000:g}k"
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    return f"{value:.{digits}f}"


def element(name: str, content: object = "", /, **attributes: object) -> Markup:
    """One SVG element; `text_anchor` becomes `text-anchor`, `class_` becomes `class`; everything is escaped."""
    written = Markup("").join(
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), number_text(value))
        for key, value in attributes.items()
        if value is not None
    )
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(name), written, content)


def number_text(value: object) -> object:
    """Places on the drawing to a tenth of a unit."""
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else value


def drawing(height: float, label: str, parts: Sequence[Markup], data: object = None) -> Markup:
    """The svg element: named for screen readers; `data` is what the page's script shows under the pointer."""
    return element(
        "svg",
        Markup("").join([element("title", label), *parts]),
        class_="chart",
        viewBox=f"0 0 {WIDTH:g} {height:g}",
        role="img",
        aria_label=label,
        data_points=None if data is None else json.dumps(data, allow_nan=False),
    )


def frame(y: Axis, height: float, x_name: str, x_parts: Sequence[Markup]) -> list[Markup]:
    """Horizontal grid lines with their labels, the x axis with its ticks, and its name."""
    bottom = height - BOTTOM
    parts = []
    for value in y.ticks():
        place = y.place(value)
        parts.append(element("line", class_="grid", x1=LEFT, x2=WIDTH - RIGHT, y1=place, y2=place))
        parts.append(element("text", y.label(value), x=LEFT - 6, y=place + 4, text_anchor="end"))
    axis = element("line", class_="axis", x1=LEFT, x2=WIDTH - RIGHT, y1=bottom, y2=bottom)
    return [*parts, axis, *x_parts, axis_name(x_name, height)]


def x_ticks(x: Axis, bottom: float) -> list[Markup]:
    """Ticks and labels below a drawing."""
    parts = []
    for value in x.ticks():
        place = x.place(value)
        parts.append(element("line", class_="axis", x1=place, x2=place, y1=bottom, y2=bottom + 4))
        text = x.label(value)
        half = len(text) * DIGIT_WIDTH / 2
        inside = min(max(place, half), WIDTH - half)  # a long label of the outermost tick is not cut off
        parts.append(element("text", text, x=inside, y=bottom + 17, text_anchor="middle"))
    return parts


def axis_name(name: str, height: float) -> Markup:
    """What is counted along the x axis."""
    return element(
        "text", name, class_="name", x=(LEFT + WIDTH - RIGHT) / 2, y=height - 5, text_anchor="middle"
    )


def line_chart(label: str, curves: Sequence[Curve], x_name: str, height: float = 210.0) -> Markup:
    """Curves over a common x axis; a curve of one point is a dot."""
    xs = [x for curve in curves for x, _ in curve.points]
    ys = [y for curve in curves for _, y in curve.points]
    x = Axis(min(xs), max(xs), LEFT, WIDTH - RIGHT, most_ticks=6)
    if all(value == int(value) for value in xs):  # steps: no half ones
        x.step = max(1.0, x.step)
    y = Axis.widened(min(ys), max(ys), height - BOTTOM, TOP)
    parts = frame(y, height, x_name, x_ticks(x, height - BOTTOM))
    data = []
    for number, curve in enumerate(curves):
        points = thinned(curve.points)
        colour = f"c{number % COLOURS}"
        places = [(x.place(a), y.place(b)) for a, b in points]
        if len(places) == 1:
            parts.append(element("circle", class_=f"dot {colour}", cx=places[0][0], cy=places[0][1], r=3.5))
        else:
            path = " ".join(f"{a:.1f},{b:.1f}" for a, b in places)
            parts.append(element("polyline", class_=f"curve {colour}", points=path))
        data.append(
            {
                "name": curve.name,
                "values": [[a, b] for a, b in points],
                "places": [[round(a, 1), round(b, 1)] for a, b in places],
            }
        )
    return drawing(height, label, parts, data)


def thinned(points: Sequence[tuple[float, float]], most: int = MOST_POINTS) -> list[tuple[float, float]]:
    """At most about `most` points that look the same: first, last, and each stretch's lowest and highest."""
    if len(points) <= most:
        return list(points)
    stretch = math.ceil(2 * len(points) / most)
    kept = {0, len(points) - 1}
    for start in range(0, len(points), stretch):
        places = range(start, min(start + stretch, len(points)))
        kept.add(min(places, key=lambda place: points[place][1]))
        kept.add(max(places, key=lambda place: points[place][1]))
    return [points[place] for place in sorted(kept)]


def step_chart(
    label: str,
    edges: Sequence[float],
    series: Sequence[tuple[str, Sequence[float]]],
    x_name: str,
    *,
    edge_labels: Sequence[str] | None = None,
    height: float = 210.0,
) -> Markup:
    """Histograms over common bins as stepped outlines, the first one filled; values are counts or shares.

    With `edge_labels` all bins are drawn equally wide and every second edge is named by its label.
    """
    places = list(range(len(edges))) if edge_labels else list(edges)
    x = Axis(places[0], places[-1], LEFT, WIDTH - RIGHT, most_ticks=6)
    top = max((value for _, values in series for value in values), default=0) or 1
    y = Axis.widened(0, top, height - BOTTOM, TOP, most_ticks=4)
    bottom = height - BOTTOM
    x_parts = named_edges(x, edge_labels, bottom) if edge_labels else x_ticks(x, bottom)
    parts = frame(y, height, x_name, x_parts)
    for number, (name, values) in enumerate(series):
        corners = [(places[0], 0.0)]
        for left, right, value in zip(places[:-1], places[1:], values, strict=True):
            corners += [(left, value), (right, value)]
        corners.append((places[-1], 0.0))
        path = " ".join(f"{x.place(a):.1f},{y.place(b):.1f}" for a, b in corners)
        filled = " filled" if len(series) == 1 else ""
        parts.append(
            element(
                "polyline", element("title", name), class_=f"steps{filled} c{number % COLOURS}", points=path
            )
        )
    return drawing(height, label, parts)


def named_edges(x: Axis, labels: Sequence[str], bottom: float) -> list[Markup]:
    """Every second bin edge by its name."""
    return [
        element("text", text, x=x.place(number), y=bottom + 17, text_anchor="middle")
        for number, text in enumerate(labels)
        if number % 2 == 0
    ]


def share_bar(label: str, parts: Sequence[tuple[str, float, str]], whole: float | None = None) -> Markup:
    """A flat bar of stacked parts (name, value, colour class), stretched by the page; `whole` leaves room at its end."""
    total = whole or sum(value for _, value, _ in parts)
    start, pieces = 0.0, []
    for name, value, colour in parts:
        width = 100 * value / total if total else 0.0
        if width > 0:
            told = element("title", f"{name}: {value:,.0f}")
            size = {"x": f"{start:.3f}", "y": 0, "width": f"{width:.3f}", "height": 10}
            pieces.append(element("rect", told, class_=f"bar {colour}", **size))
        start += width
    return element(
        "svg",
        Markup("").join([element("title", label), *pieces]),
        class_="share",
        viewBox="0 0 100 10",
        preserveAspectRatio="none",
        role="img",
        aria_label=label,
    )


def legend(names: Sequence[str], first_colour: int = 0) -> Markup:
    """Names of series with their colours, as HTML above a chart."""
    items = Markup("").join(
        Markup('<li><span class="swatch c{}"></span>{}</li>').format(
            (first_colour + number) % COLOURS, escape(name)
        )
        for number, name in enumerate(names)
    )
    return Markup('<ul class="legend">{}</ul>').format(items)
