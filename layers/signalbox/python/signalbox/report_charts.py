"""The report's plots as SVG: values in, markup out.

Colours are classes that the page's style sheet fills for light, dark and print, so one drawing
serves all three. Everything that is written into a drawing is escaped by markupsafe. Why no
plotting library: docs/decisions/0010.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from signalbox.report_curves import CalibrationBin, Histogram, Point, ticks

WIDTH, HEIGHT = 460, 330
LEFT, RIGHT, TOP, BOTTOM = 62, 14, 14, 50


@dataclass(frozen=True)
class Axis:
    """The range of one direction, and what it measures, with its unit."""

    label: str
    low: float
    high: float


@dataclass
class Frame:
    """A drawing with axes, grid and labels; shapes are added in the axes' units."""

    title: str
    x: Axis
    y: Axis
    shapes: list[Markup] = field(default_factory=list)

    def px(self, value: float) -> float:
        """Where an x value lies."""
        span = (self.x.high - self.x.low) or 1.0
        return LEFT + (value - self.x.low) / span * (WIDTH - LEFT - RIGHT)

    def py(self, value: float) -> float:
        """Where a y value lies; up is more."""
        span = (self.y.high - self.y.low) or 1.0
        return HEIGHT - BOTTOM - (value - self.y.low) / span * (HEIGHT - TOP - BOTTOM)

    def dots(self, points: Sequence[Point], kind: str) -> None:
        """A mark for each point; one path, so that thousands stay small."""
        moves = "".join(f"M{self.px(x):.1f} {self.py(y):.1f}h0" for x, y in points)
        self.shapes.append(Markup('<path class="dots {}" d="{}"/>').format(kind, moves))

    def line(self, points: Sequence[Point], kind: str) -> None:
        """A line through the points."""
        path = " ".join(f"{self.px(x):.1f},{self.py(y):.1f}" for x, y in points)
        self.shapes.append(Markup('<polyline class="line {}" points="{}"/>').format(kind, path))

    def bar(self, start: Point, end: Point, kind: str, tip: str) -> None:
        """A rectangle between two corners (left below, right above), with a tool tip."""
        left, top = self.px(start[0]), self.py(end[1])
        size = (max(self.px(end[0]) - left - 1, 1), max(self.py(start[1]) - top, 0))
        self.shapes.append(
            Markup(
                '<rect class="bar {}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}">'
                "<title>{}</title></rect>"
            ).format(kind, left, top, *size, tip)
        )

    def svg(self) -> Markup:
        """The finished drawing."""
        parts = [*self._grid(), *self.shapes, *self._labels()]
        return _svg(self.title, WIDTH, HEIGHT, parts)

    def _grid(self) -> list[Markup]:
        marks = []
        bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
        for value in ticks(self.x.low, self.x.high):
            at = self.px(value)
            marks.append(_segment("grid", (at, TOP), (at, bottom)))
            marks.append(_text(number(value), at, bottom + 17, "tick", "middle"))
        for value in ticks(self.y.low, self.y.high):
            at = self.py(value)
            marks.append(_segment("grid", (LEFT, at), (right, at)))
            marks.append(_text(number(value), LEFT - 7, at + 4, "tick", "end"))
        marks.append(_segment("axis", (LEFT, bottom), (right, bottom)))
        marks.append(_segment("axis", (LEFT, TOP), (LEFT, bottom)))
        return marks

    def _labels(self) -> list[Markup]:
        across = (LEFT + WIDTH - RIGHT) / 2
        middle = (TOP + HEIGHT - BOTTOM) / 2
        turned = Markup(
            '<text class="label" text-anchor="middle" transform="translate(15 {:.1f}) '
            'rotate(-90)">{}</text>'
        ).format(middle, self.y.label)
        return [_text(self.x.label, across, HEIGHT - 10, "label", "middle"), turned]


def _svg(title: str, width: float, height: float, parts: Sequence[Markup]) -> Markup:
    return Markup('<svg viewBox="0 0 {:.0f} {:.0f}" role="img" aria-label="{}">{}</svg>').format(
        width, height, title, Markup("").join(parts)
    )


def _text(text: str, x: float, y: float, kind: str, anchor: str = "start") -> Markup:
    return Markup('<text class="{}" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(
        kind, x, y, anchor, text
    )


def _segment(kind: str, start: Point, end: Point) -> Markup:
    return Markup('<line class="{}" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>').format(
        kind, *start, *end
    )


def number(value: float) -> str:
    """A number as a person reads it.

    >>> number(1234567.0), number(0.30000000000000004), number(-0.0), number(56.63)
    ('1.235e+06', '0.3', '0', '56.63')
    """
    return f"{value + 0.0:.4g}"


def scatter(
    title: str, x: Axis, y: Axis, points: Sequence[Point], *, guide: Sequence[Point]
) -> Markup:
    """Points, and the line on which they would ideally lie."""
    frame = Frame(title, x, y)
    frame.line(guide, "guide")
    frame.dots(points, "challenger")
    return frame.svg()


def bars(title: str, x_label: str, y_label: str, shown: Histogram) -> Markup:
    """A histogram."""
    top = max(shown.counts, default=0) or 1
    frame = Frame(title, Axis(x_label, shown.edges[0], shown.edges[-1]), Axis(y_label, 0, top))
    for low, high, count in zip(shown.edges, shown.edges[1:], shown.counts, strict=False):
        tip = f"{number(low)} to {number(high)}: {count}"
        frame.bar((low, 0), (high, count), "challenger", tip)
    return frame.svg()


def curves(
    title: str,
    labels: tuple[str, str],
    lines: Sequence[tuple[str, Sequence[Point]]],
    *,
    guide: Sequence[Point] = (),
    widest: float = 1.0,
) -> Markup:
    """Lines over shares, the later ones on top; `lines` holds (class, points)."""
    frame = Frame(title, Axis(labels[0], 0, widest), Axis(labels[1], 0, 1))
    if guide:
        frame.line(guide, "guide")
    for kind, points in lines:
        if points:
            frame.line(points, kind)
    return frame.svg()


def calibration_chart(
    lines: Sequence[tuple[str, Sequence[CalibrationBin]]], labels: tuple[str, str]
) -> Markup:
    """What came true against what was predicted; a mark for each bin."""
    frame = Frame("Calibration", Axis(labels[0], 0, 1), Axis(labels[1], 0, 1))
    frame.line(((0, 0), (1, 1)), "guide")
    for kind, bins in lines:
        points = [(one.predicted, one.observed) for one in bins]
        frame.line(points, kind)
        frame.dots(points, f"large {kind}")
    return frame.svg()


def confusion_chart(classes: Sequence[str], counts: Sequence[Sequence[int]]) -> Markup:
    """A table of actual by predicted class; a cell is as dark as its share of the actual class."""
    size = min(110.0, 260.0 / len(classes))
    whole = size * len(classes)
    left, top = max((WIDTH - whole) / 2, 120.0), 44.0
    parts = [
        _text("predicted class", left + whole / 2, 16, "label", "middle"),
        _text("actual class", left - 8, 36, "label", "end"),
    ]
    for row, name in enumerate(classes):
        middle = size * (row + 0.5)
        parts.append(_text(name[: int(size / 8)], left + middle, top - 8, "tick", "middle"))
        parts.append(_text(name[:15], left - 8, top + middle + 4, "tick", "end"))
        parts += _confusion_row(classes, row, counts[row], (left, top + size * row), size)
    return _svg("Confusion matrix", WIDTH, HEIGHT, parts)


def _confusion_row(
    classes: Sequence[str], row: int, counts: Sequence[int], corner: Point, size: float
) -> list[Markup]:
    parts, rows = [], sum(counts) or 1
    for column, count in enumerate(counts):
        x, y = corner[0] + size * column, corner[1]
        tip = f"actual {classes[row]}, predicted {classes[column]}: {count} rows"
        parts.append(_cell((x, y), size, count / rows, tip))
        kind = "count on" if count / rows > 0.5 else "count"
        parts.append(_text(str(count), x + size / 2 - 1, y + size / 2 + 5, kind, "middle"))
    return parts


def _cell(corner: Point, size: float, share: float, tip: str) -> Markup:
    return Markup(
        '<g><rect class="empty" x="{0:.1f}" y="{1:.1f}" width="{2:.1f}" height="{2:.1f}"/>'
        '<rect class="cell" x="{0:.1f}" y="{1:.1f}" width="{2:.1f}" height="{2:.1f}" '
        'fill-opacity="{3:.2f}"><title>{4}</title></rect></g>'
    ).format(*corner, size - 2, share * 0.85, tip)


@dataclass(frozen=True)
class Pair:
    """One metric of both models; None where a model has none."""

    name: str
    challenger: float
    champion: float | None


def metric_chart(pairs: Sequence[Pair]) -> Markup:
    """Two bars for each metric, as long as they compare; each metric has its own scale."""
    parts, y = [], 8.0
    for pair in pairs:
        longest = max(abs(pair.challenger), abs(pair.champion or 0.0)) or 1.0
        both = pair.champion is not None
        parts.append(_text(pair.name, 128, y + (20 if both else 12), "label", "end"))
        parts += _measured("challenger", pair.challenger, longest, y)
        if pair.champion is not None:
            parts += _measured("champion", pair.champion, longest, y + 17)
        y += 46 if both else 28
    return _svg("Metrics of both models", 700, y, parts)


def _measured(kind: str, value: float, longest: float, y: float) -> list[Markup]:
    length = abs(value) / longest * 470
    bar = Markup(
        '<rect class="bar {}" x="140" y="{:.1f}" width="{:.1f}" height="14" rx="2"/>'
    ).format(kind, y, max(length, 1))
    return [bar, _text(number(value), 148 + length, y + 11.5, "value")]


def spark(counts: Sequence[int]) -> Markup:
    """A histogram as small as a word."""
    top, width = max(counts, default=0) or 1, 120 / max(len(counts), 1)
    parts = [
        Markup(
            '<rect class="bar challenger" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>'
        ).format(i * width, 28 - 28 * n / top, max(width - 1, 0.5), 28 * n / top)
        for i, n in enumerate(counts)
    ]
    return _svg(f"histogram of {len(counts)} bins", 120, 28, parts)
