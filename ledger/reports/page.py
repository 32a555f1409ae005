"""Reports as one HTML file: no script, nothing from elsewhere, opens from disk, prints."""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator, Sequence
from importlib import resources

from ledger.reports import figures
from ledger.reports.assembling import MEANINGS, Part, Report
from ledger.reports.words import (
    MAX_ROWS,
    SIGNOFF_COLUMNS,
    clean,
    describe_part,
    describe_time,
    list_signoff,
    to_words,
)

_STYLE = resources.files("ledger.reports").joinpath("report.css").read_text("utf-8")


def render(report: Report) -> str:
    """Return a report as an HTML document."""
    title = _escape(report.profile.title)
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en"><head><meta charset="utf-8">',
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{title}</title><style>{_STYLE}</style></head><body>",
            '<a class="skip" href="#main">To the content</a>',
            f'<main id="main"><h1>{title}</h1>',
            *_head(report),
            *_figures(report),
            *_sections(report),
            *_signatures(report),
            "<h2>Not in ledger</h2>",
            f"<ul>{''.join(f'<li>{_escape(item)}</li>' for item in report.profile.not_in_ledger)}</ul>",
            *_proofs(report),
            "</main></body></html>\n",
        ]
    )


def _head(report: Report) -> Iterator[str]:
    yield "<dl>"
    for name, value in (
        ("About", report.scope),
        ("As of", describe_time(report)),
        ("To look at", f"{report.findings} rows"),
    ):
        yield f"<dt>{name}</dt><dd>{_escape(value)}</dd>"
    for grade, meaning in MEANINGS.items():
        yield f"<dt>{_badge(grade)}</dt><dd>{meaning}</dd>"
    yield "</dl>"
    for warning in report.warnings:
        yield f'<p class="note"><strong>Note.</strong> {_escape(warning)}</p>'


def _figures(report: Report) -> Iterator[str]:
    drawn = [(figures.draw_participation(report.participation, report.names), _key())]
    metrics = sorted({str(row["metric"]) for row in report.evaluations})
    drawn += [
        (figures.draw_series(report.evaluations, metric), f"{metric}, as evaluators signed it") for metric in metrics
    ]
    for svg, caption in drawn:
        if svg:
            yield f'<figure><div class="scroll">{svg}</div><figcaption>{_escape(caption)}</figcaption></figure>'


def _key() -> str:
    letters = ", ".join(f"{letter} {word}" for word, letter in figures.LETTERS.items())
    return f"Clients by rounds: {letters}; an empty cell: did not commit; struck: accepted, and then voided by a court"


def _sections(report: Report) -> Iterator[str]:
    for section, parts in report.sections:
        yield f"<section><h2>{_escape(section.title)}</h2><p>{_escape(section.text)}</p>"
        for part in parts:
            yield from _part(part)
        yield "</section>"


def _part(part: Part) -> Iterator[str]:
    query = part.answer.query
    yield f"<h3>{query.name} {_escape(query.question)}</h3>"
    grade, _, rest = describe_part(part).partition(": ")
    yield f"<p>{_badge(grade)} {_escape(rest)}</p>"
    if not part.rows:
        return
    columns = [*(column.replace("_", " ") for column in part.columns), "proof"]
    body = (
        _row([*(_cell(column, row.get(column), is_finding) for column in part.columns), _link(number)], is_finding)
        for row, number, is_finding in part.list_first(MAX_ROWS)
    )
    yield from _table(f"{query.name} {query.slug}", columns, body)
    if len(part.rows) > MAX_ROWS:
        command = f"fedtrail audit run {query.name} --format csv"
        yield f"<p>The first {MAX_ROWS} of {len(part.rows)} rows; all: <code>{command}</code></p>"


def _signatures(report: Report) -> Iterator[str]:
    yield "<h2>Signatures</h2>"
    if not report.signoffs:
        yield "<p>Nobody has signed anything about this.</p>"
        return
    rows = (_row([f"<td>{_escape(cell)}</td>" for cell in list_signoff(row)]) for row in report.signoffs)
    yield from _table("Statements that people signed", SIGNOFF_COLUMNS, rows)


def _proofs(report: Report) -> Iterator[str]:
    yield "<h2>Proofs</h2>"
    rows = (
        f'<tr id="proof-{p.number}"><td>{p.number}</td><td>{p.block if p.block is not None else "–"}</td>'
        f"<td><code>{_escape(p.tx or '–')}</code></td><td><code>{_escape(p.command)}</code></td></tr>"
        for p in report.proofs
    )
    yield from _table("What proves the rows above", ("no.", "block", "transaction", "command"), rows)


def _table(caption: str, columns: Sequence[str], rows: Iterable[str]) -> Iterator[str]:
    heads = "".join(f'<th scope="col">{_escape(column)}</th>' for column in columns)
    yield f'<div class="scroll"><table><caption>{_escape(caption)}</caption><thead><tr>{heads}</tr></thead><tbody>'
    yield from rows
    yield "</tbody></table></div>"


def _row(cells: Sequence[str], is_finding: bool = False) -> str:
    kind = ' class="finding"' if is_finding else ""
    return f"<tr{kind}>{''.join(cells)}</tr>"


def _cell(column: str, value: object, is_finding: bool) -> str:
    text = to_words(value)
    if column == "grade":
        return f"<td>{_badge(text)}{' <strong>look</strong>' if is_finding else ''}</td>"
    if isinstance(value, (int, float)):
        return f'<td class="number">{_escape(text)}</td>'
    full = str(value)
    return (
        f'<td title="{_escape(full)}">{_escape(text)}</td>' if text != full and value else f"<td>{_escape(text)}</td>"
    )


def _link(number: int) -> str:
    return f'<td><a href="#proof-{number}">{number}</a></td>' if number else "<td>–</td>"


def _badge(grade: str) -> str:
    return f'<span class="grade {_escape(grade)}">{_escape(grade)}</span>'


def _escape(text: str) -> str:
    return html.escape(clean(text))
