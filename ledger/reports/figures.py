"""Figures of reports as SVG: small, self-contained, and readable without colours."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from itertools import groupby

from ledger.reports.running import Row
from ledger.reports.words import clean

LETTERS = {"accepted": "A", "rejected": "R", "dropped": "D", "struck": "S", "pending": "…"}
"""Letter of each outcome in the figure of participation; an empty cell is a client that did not commit."""
_CELL, _LEFT, _TOP = 22, 110, 24
_WIDTH, _HEIGHT, _MARGIN = 640, 220, 44


def draw_participation(rows: Sequence[Row], names: Mapping[int, str]) -> str:
    """Return a table of clients by rounds as SVG, one letter a cell; nothing where nobody committed.

    Args: rows: task, round, client, outcome, phase.
    """
    clients = sorted({row["client"] for row in rows})
    rounds = sorted({(row["task"], row["round"]) for row in rows})
    if not rows:
        return ""
    outcomes = {(row["client"], (row["task"], row["round"])): _judge(row) for row in rows}
    several = len({task for task, _ in rounds}) > 1
    parts = [
        _text(_LEFT + _CELL * (at + 0.5), _TOP - 8, f"{task}/{number}" if several else str(number), "middle")
        for at, (task, number) in enumerate(rounds)
    ]
    for line, client in enumerate(clients):
        y = _TOP + _CELL * line
        parts.append(_text(_LEFT - 8, y + 15, names.get(client) or f"client {client}", "end"))
        parts += [
            _cell(
                _LEFT + _CELL * at, y, outcomes.get((client, round_)), f"{names.get(client, client)}, round {round_[1]}"
            )
            for at, round_ in enumerate(rounds)
        ]
    counts = {word: sum(1 for outcome in outcomes.values() if outcome == word) for word in LETTERS}
    told = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    label = f"Participation of {len(clients)} clients in {len(rounds)} rounds: {told}"
    return _svg(_LEFT + _CELL * len(rounds) + 8, _TOP + _CELL * len(clients) + 8, label, parts)


def _judge(row: Row) -> str:
    return "struck" if row["outcome"] == "accepted" and row["phase"] == "voided" else str(row["outcome"])


def _cell(x: float, y: float, outcome: str | None, whose: str) -> str:
    kind = outcome or "absent"
    title = f"<title>{_escape(whose)}: {kind}</title>"
    box = f'<rect x="{x:g}" y="{y:g}" width="{_CELL - 2}" height="{_CELL - 2}" class="cell {kind}"/>'
    letter = _text(x + _CELL / 2 - 1, y + 15, LETTERS.get(kind, ""), "middle")
    return f"<g>{title}{box}{letter}</g>"


def draw_series(rows: Sequence[Row], metric: str) -> str:
    """Return one metric over the rounds as SVG, a line for each task and split; nothing without values.

    Args: rows: task, round, split, metric, value.
    """
    chosen = [row for row in rows if row["metric"] == metric]
    if not chosen:
        return ""
    rounds = [row["round"] for row in chosen]
    values = [row["value"] for row in chosen]
    low, high = min(values), max(values)
    lines = groupby(sorted(chosen, key=lambda row: (str(row["task"]), str(row["split"]), row["round"])), _line_of)
    parts = [
        _text(_MARGIN - 6, _HEIGHT - _MARGIN + 4, f"{low:.3g}", "end"),
        _text(_MARGIN - 6, _MARGIN / 2 + 4, f"{high:.3g}", "end"),
        _text(_MARGIN, _HEIGHT - _MARGIN + 20, f"round {min(rounds):g}", "middle"),
        _text(_WIDTH - _MARGIN * 2, _HEIGHT - _MARGIN + 20, f"round {max(rounds):g}", "middle"),
    ]
    for place, ((task, split), points) in enumerate(lines):
        spots = [
            (
                _scale(p["round"], min(rounds), max(rounds), _MARGIN, _WIDTH - _MARGIN * 2),
                _scale(p["value"], low, high, _HEIGHT - _MARGIN, _MARGIN / 2),
            )
            for p in points
        ]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
        parts.append(f'<polyline points="{path}" class="line line{place % 4}"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in spots]
        parts.append(
            _text(spots[-1][0] + 8, spots[-1][1] + 4, f"{split}" + (f", task {task}" if task != "1" else ""), "start")
        )
    label = f"{metric} by round, between {low:.3g} and {high:.3g}, as signed by evaluators"
    return _svg(_WIDTH, _HEIGHT, label, parts)


def _line_of(row: Row) -> tuple[str, str]:
    return str(row["task"]), str(row["split"])


def _scale(value: float, low: float, high: float, start: float, end: float) -> float:
    return start if high == low else start + (value - low) / (high - low) * (end - start)


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}">{_escape(words)}</text>'


def _svg(width: float, height: float, label: str, parts: Sequence[str]) -> str:
    head = f'<svg role="img" aria-label="{_escape(label)}" viewBox="0 0 {width:g} {height:g}" width="{width:g}">'
    return f"{head}<title>{_escape(label)}</title>{''.join(parts)}</svg>"


def _escape(text: str) -> str:
    return html.escape(clean(text))
