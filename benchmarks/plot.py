"""Line charts on logarithmic axes, as SVG without a drawing library."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM, _GAP = 300, 260, 60, 40, 50, 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Points that belong together."""

    name: str
    points: Sequence[tuple[float, float]]
    """(x, y), both positive."""
    colour: str
    dash: str = ""
    """Of SVG: lengths of strokes and gaps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One chart."""

    title: str
    x_label: str
    lines: Sequence[Line]


def draw(title: str, panels: Sequence[Panel], *, y_label: str, columns: int = 3) -> str:
    """Return panels side by side, all over the same range of y."""
    ys = [y for panel in panels for line in panel.lines for _, y in line.points]
    low, high = floor(log10(min(ys))), ceil(log10(max(ys)))
    parts: list[str] = []
    for at, panel in enumerate(panels):
        x, y = at % columns * (_WIDTH + _LEFT + _GAP), at // columns * (_HEIGHT + _TOP + _BOTTOM)
        parts += [f'<g transform="translate({x + _LEFT} {y + _TOP})">', *_draw_panel(panel, low, high, y_label), "</g>"]
    known = {line.name: line for panel in panels for line in panel.lines}
    rows = -(-len(panels) // columns)
    width, top = min(columns, len(panels)) * (_WIDTH + _LEFT + _GAP), rows * (_HEIGHT + _TOP + _BOTTOM)
    for at, line in enumerate(known.values()):
        parts += _draw_key(line, 60 + at % 4 * 240, top + 20 + at // 4 * 20)
    height = top + 30 + 20 * -(-len(known) // 4)
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" font-family="sans-serif" font-size="12">'
    white = '<rect width="100%" height="100%" fill="#fff"/>'
    return "\n".join([head, f"<title>{html.escape(title)}</title>", white, *parts, "</svg>\n"])


def _draw_panel(panel: Panel, low: int, high: int, y_label: str) -> Iterator[str]:
    xs = [x for line in panel.lines for x, _ in line.points]
    left, right = log10(min(xs)), log10(max(xs))

    def place(x: float, y: float) -> tuple[float, float]:
        across = (log10(x) - left) / ((right - left) or 1)
        return across * _WIDTH, _HEIGHT - (log10(y) - low) / (high - low) * _HEIGHT

    yield f'<text x="0" y="-14" font-weight="bold">{html.escape(panel.title)}</text>'
    for power in range(low, high + 1):
        y = place(min(xs), 10.0**power)[1]
        yield f'<line x1="0" x2="{_WIDTH}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>'
        yield f'<text x="-6" y="{y + 4:.1f}" text-anchor="end">1e{power}</text>'
    for x in sorted(set(xs)):
        at = place(x, 10.0**low)[0]
        yield f'<text x="{at:.1f}" y="{_HEIGHT + 18}" text-anchor="middle">{x:g}</text>'
    yield f'<text x="{_WIDTH / 2}" y="{_HEIGHT + 36}" text-anchor="middle">{html.escape(panel.x_label)}</text>'
    turned = f'transform="translate(-44 {_HEIGHT / 2}) rotate(-90)" text-anchor="middle"'
    yield f"<text {turned}>{html.escape(y_label)}</text>"
    for line in panel.lines:
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in sorted(line.points)))
        style = f'fill="none" stroke="{line.colour}" stroke-width="2" stroke-dasharray="{line.dash}"'
        yield f'<polyline points="{points}" {style}/>'


def _draw_key(line: Line, x: float, y: float) -> Iterator[str]:
    style = f'stroke="{line.colour}" stroke-width="2" stroke-dasharray="{line.dash}"'
    yield f'<line x1="{x}" x2="{x + 34}" y1="{y}" y2="{y}" {style}/>'
    yield f'<text x="{x + 42}" y="{y + 4}">{html.escape(line.name)}</text>'
