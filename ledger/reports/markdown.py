"""Reports as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ledger.reports.assembling import MEANINGS, Part, Report
from ledger.reports.running import Row
from ledger.reports.words import (
    MAX_ROWS,
    SIGNOFF_COLUMNS,
    clean,
    describe_part,
    describe_time,
    list_signoff,
    to_words,
)

_SPECIAL = re.compile(r"([\\`*_\[\]<>|&~])")


def render(report: Report) -> str:
    """Return a report as Markdown."""
    return "\n".join(_lines(report)).rstrip() + "\n"


def _lines(report: Report) -> Iterator[str]:
    yield f"# {_escape(report.profile.title)}\n"
    yield f"{_escape(report.scope)}. As of {describe_time(report)}.\n"
    yield f"{report.findings} rows to look at. Grades: " + "; ".join(f"{g} = {m}" for g, m in MEANINGS.items()) + ".\n"
    for warning in report.warnings:
        yield f"> **Note.** {_escape(warning)}\n"
    for section, parts in report.sections:
        yield f"## {_escape(section.title)}\n"
        yield f"{section.text}\n"
        for part in parts:
            yield from _part_lines(part)
    yield "## Signatures\n"
    yield from _signoff_lines(report)
    yield "## Not in ledger\n"
    yield from (f"- {_escape(item)}" for item in report.profile.not_in_ledger)
    yield "\n## Proofs\n"
    yield from _table(("no.", "block", "transaction", "command"), _proof_rows(report))


def _part_lines(part: Part) -> Iterator[str]:
    query = part.answer.query
    yield f"### {query.name} {query.question}\n"
    yield f"{_escape(describe_part(part))}\n"
    if part.rows:
        cells = [
            (*(_cell(column, row, mark) for column in part.columns), str(number or "–"))
            for row, number, mark in part.list_first(MAX_ROWS)
        ]
        yield from _table((*(column.replace("_", " ") for column in part.columns), "proof"), cells)
        if len(part.rows) > MAX_ROWS:
            command = f"fedtrail audit run {query.name} --format csv"
            yield f"\nThe first {MAX_ROWS} of {len(part.rows)} rows; all: `{command}`\n"
        yield ""


def _cell(column: str, row: Row, mark: bool) -> str:
    return _escape(to_words(row.get(column))) + (" **look**" if mark and column == "grade" else "")


def _signoff_lines(report: Report) -> Iterator[str]:
    if not report.signoffs:
        yield "Nobody has signed anything about this.\n"
        return
    cells = [tuple(_escape(cell) for cell in list_signoff(row)) for row in report.signoffs]
    yield from _table(SIGNOFF_COLUMNS, cells)
    yield ""


def _proof_rows(report: Report) -> list[tuple[str, ...]]:
    return [(str(p.number), str(p.block or "–"), p.tx or "–", f"`{p.command}`") for p in report.proofs]


def _table(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(columns)} |"
    yield f"|{'---|' * len(columns)}"
    yield from (f"| {' | '.join(row)} |" for row in rows)


def _escape(text: str) -> str:
    """Return text that Markdown shows as it is."""
    return _SPECIAL.sub(r"\\\1", clean(text))
