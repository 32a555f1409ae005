"""Curves over a logarithmic axis as SVG, without a drawing library."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 640, 400, 60, 130, 40, 50
_COLOURS = ("#1b6ca8", "#b3541e", "#2f7d32", "#6a3d9a", "#555555")
_MARKS = ("circle", "square", "diamond")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One curve."""

    name: str
    """In the legend."""
    points: tuple[tuple[float, float], ...]
    """(x, y): x above 0, y from 0 to 1."""


def draw_curves(lines: Sequence[Line], *, title: str, x: str, y: str) -> str:
    """Return the curves as one SVG with axes, a legend and its numbers as text: y from 0 to 1, x logarithmic."""
    xs = [point[0] for line in lines for point in line.points]
    low, high = math.log(min(xs) * 0.9), math.log(max(xs) * 1.1)

    def place(px: float, py: float) -> tuple[float, float]:
        right = _LEFT + (math.log(px) - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT)
        return right, _TOP + (1 - py) * (_HEIGHT - _TOP - _BOTTOM)

    parts = [_text(_LEFT, 22, title, "start", "bold")]
    for tenth in range(0, 11, 2):
        _, at = place(min(xs), tenth / 10)
        parts.append(f'<path d="M{_LEFT} {at:.1f}H{_WIDTH - _RIGHT}" stroke="#ddd"/>')
        parts.append(_text(_LEFT - 8, at + 4, f"{tenth / 10:.1f}", "end"))
    for value in sorted({round(each, 1) for each in xs}):
        at, bottom = place(value, 0)
        parts.append(_text(at, bottom + 18, f"{value:g}", "middle"))
    parts += [_text((_WIDTH - _RIGHT + _LEFT) / 2, _HEIGHT - 8, x, "middle"), _text(8, _TOP - 8, y, "start")]
    for index, line in enumerate(lines):
        colour = _COLOURS[index % len(_COLOURS)]
        placed = [place(*point) for point in sorted(line.points)]
        path = " ".join(f"{px:.1f},{py:.1f}" for px, py in placed)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [_mark(index, px, py, colour) for px, py in placed]
        row = _TOP + 16 + 22 * index
        parts.append(_mark(index, _WIDTH - _RIGHT + 16, row - 4, colour))
        parts.append(_text(_WIDTH - _RIGHT + 28, row, line.name, "start"))
    size = f'width="{_WIDTH}" height="{_HEIGHT}" viewBox="0 0 {_WIDTH} {_HEIGHT}"'
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" font-family="system-ui, sans-serif" font-size="12">'
    )
    return "\n".join([head, f"<title>{html.escape(title)}</title>", *parts, "</svg>\n"])


def _mark(index: int, x: float, y: float, colour: str) -> str:
    """A shape a line, so that nobody needs the colours."""
    shape = _MARKS[index % len(_MARKS)]
    if shape == "circle":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>'
    turn = f' transform="rotate(45 {x:.1f} {y:.1f})"' if shape == "diamond" else ""
    return f'<rect x="{x - 4:.1f}" y="{y - 4:.1f}" width="8" height="8" fill="{colour}"{turn}/>'


def _text(x: float, y: float, text: str, anchor: str, weight: str = "normal") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}">{html.escape(text)}</text>'
