"""A line chart made of characters, for terminals and logs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

MARKS = "●○▲△■□"
ASCII_MARKS = "*o+x#@"


def draw_lines(
    series: Mapping[str, Sequence[float]], *, width: int = 56, height: int = 11, ascii_only: bool = False
) -> list[str]:
    """Return the lines of a chart of values from 0 to 1 over rounds 1 to n.

    Args: series: values by name, at most six, drawn in order: where two meet, the first one shows. width, height:
    of the plotting area in characters, at least 2. ascii_only: for terminals without Unicode.
    """
    marks, dot = (ASCII_MARKS, ".") if ascii_only else (MARKS, "·")
    grid = [[" "] * width for _ in range(height)]
    longest = max((len(values) for values in series.values()), default=0)
    for mark, values in reversed(list(zip(marks, series.values(), strict=False))):
        points = [(_column(i, longest, width), _row(value, height)) for i, value in enumerate(values)]
        for start, end in pairwise(points):
            _connect(grid, start, end, dot)
        for x, y in points:
            grid[y][x] = mark
    lines = [f"{_label(i, height):>5} |{''.join(row).rstrip()}" for i, row in enumerate(grid)]
    axis = "      +" + "-" * width
    legend = "   ".join(f"{mark} {name}" for mark, name in zip(marks, series, strict=False))
    return [*lines, axis, f"       round 1 to {longest}     {legend}"]


def _column(index: int, count: int, width: int) -> int:
    return round(index * (width - 1) / max(count - 1, 1))


def _row(value: float, height: int) -> int:
    return round((1 - min(max(value, 0.0), 1.0)) * (height - 1))


def _label(row: int, height: int) -> str:
    return f"{1 - row / (height - 1):.1f}" if row % 2 == 0 or row == height - 1 else ""


def _connect(grid: list[list[str]], start: tuple[int, int], end: tuple[int, int], dot: str) -> None:
    (x0, y0), (x1, y1) = start, end
    for x in range(x0 + 1, x1):
        y = round(y0 + (y1 - y0) * (x - x0) / (x1 - x0))
        grid[y][x] = dot
