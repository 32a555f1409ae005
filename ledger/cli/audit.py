"""`fedtrail audit`."""

from __future__ import annotations

import sqlite3
import sys
from typing import TYPE_CHECKING, Any

import click

from ledger.cli.failures import FailedWithData
from ledger.cli.indexed import (
    Place,
    describe_as_of,
    fail_option,
    find_failures,
    find_scope,
    log_access,
    name_keys,
    open_place,
    parse_parameters,
    place_options,
    read_warnings,
    scope_options,
)
from ledger.cli.lazy import LazyCommand, LazyGroup
from ledger.cli.output import format_option, print_rows, print_table, shorten
from ledger.cli.progress import say
from ledger.cli.session import Session, project_options
from ledger.errors import UsageError

if TYPE_CHECKING:
    from ledger.index.reading import Reader, Table
    from ledger.reports.running import Answer

HIDDEN = ("finding", "log", "round_id")
"""Columns that people do not need beside the others; JSON and CSV have them."""
MORE = {
    "fsck": LazyCommand("ledger.cli.replays:fsck", "Recompute every round, and hold the books against the events."),
    "org": LazyCommand("ledger.cli.organisations:org", "Name organisations on this machine, and erase the names."),
    "report": LazyCommand("ledger.cli.audit_report:report", "Write a report for one kind of reader."),
    "review": LazyCommand("ledger.cli.audit_report:review", "Examine who used the index, and sign that."),
}


@click.group(cls=LazyGroup, lazy=MORE)
def audit() -> None:
    """Ask the index: 25 questions, six reports, or SQL of your own. Nothing here writes to the chain.

    `fedtrail index sync` makes the index. Every row has its grade, and says which command proves it.
    """


@audit.command("list")
@format_option
def list_(fmt: str) -> None:
    """List the questions: who asks them, how well the answer is known at best, their parameters."""
    from ledger.reports.catalogue import load_all

    rows = [
        {
            "q": query.name,
            "slug": query.slug,
            "question": query.question,
            "grade": query.grade,
            "rows": "findings" if query.finds else "facts",
            "asked_by": list(query.asked_by),
            "parameters": [f"{p.name}={'' if p.default is None else p.default}" for p in query.parameters],
        }
        for query in load_all()
    ]
    print_rows("audit.list", rows, fmt=fmt, columns=("q", "slug", "question", "grade", "rows", "parameters"))


@audit.command("run")
@click.argument("names", metavar="Q...", nargs=-1, required=True)
@scope_options
@click.option("--param", "parameters", multiple=True, metavar="NAME=VALUE", help="Parameter of a question.")
@fail_option
@place_options
@format_option
@project_options
def run_(
    session: Session,
    names: tuple[str, ...],
    run_name: str | None,
    task_id: int | None,
    parameters: tuple[str, ...],
    fail_on: str | None,
    place: Place,
    fmt: str,
) -> None:
    """Answer questions by number or name, such as Q4 or completeness."""
    from ledger.reports import catalogue, running

    queries = [catalogue.find(name) for name in names]
    if fmt == "csv" and len(queries) > 1:
        raise UsageError("CSV has one table: ask one question at a time")
    given = parse_parameters(parameters)
    known = {parameter.name for query in queries for parameter in query.parameters}
    if unknown := set(given) - known:
        raise UsageError(f"no parameter {', '.join(sorted(unknown))}", hint="fedtrail audit list")
    with open_place(session, place) as reader:
        task, _ = find_scope(session, reader, run_name, task_id)
        scoped = {**given, "task": task} if task else given
        answers = {query.name: running.ask(reader, query, scoped) for query in queries}
        called = running.read_names(reader, name_keys(session))
    warnings = read_warnings(session, reader.as_of, place)
    for name, answer in answers.items():
        log_access(session, "run", f"{name} task={task or 'all'}", f"{len(answer.rows)} rows")
    failure = find_failures(answers, fail_on)
    data = [_describe(answer, called) for answer in answers.values()]
    if failure and fmt == "json":
        raise FailedWithData(failure, data)
    _print(reader, answers, data, called, warnings, fmt)
    if failure:
        raise failure


def _describe(answer: Answer, names: dict[int, str]) -> dict[str, Any]:
    from ledger.reports.running import add_names

    query = answer.query
    rows = [
        {**named, "proof": answer.get_proof(row) or None}
        for named, row in zip(add_names(answer, names), answer.rows, strict=True)
    ]
    return {
        "query": query.name,
        "slug": query.slug,
        "question": query.question,
        "grade": answer.grade,
        "attested": list(query.attested),
        "parameters": dict(answer.parameters),
        "findings": len(answer.findings),
        "missing": {"count": answer.missing, "what": query.gap} if answer.missing else None,
        "rows": rows,
    }


def _print(
    reader: Reader,
    answers: dict[str, Answer],
    data: list[dict[str, Any]],
    names: dict[int, str],
    warnings: list[str],
    fmt: str,
) -> None:
    from ledger.reports.running import ORDER, list_columns

    if fmt == "json":
        grade = max((answer.grade for answer in answers.values()), key=ORDER.index)
        envelope = {"asof": describe_as_of(reader.as_of), "warnings": warnings}
        print_rows("audit.run", data, fmt=fmt, columns=(), grade=grade, envelope=envelope)
        return
    for warning in warnings:
        say(f"note: {warning}")
    for answer, told in zip(answers.values(), data, strict=True):
        columns = list_columns(answer, names)
        if fmt == "table":
            _print_answer(answer, told["rows"], [column for column in columns if column not in HIDDEN])
        else:
            rows = told["rows"] if fmt == "csv" else [{"query": answer.query.name, **row} for row in told["rows"]]
            print_rows("audit.run", rows, fmt=fmt, columns=(*columns, "proof"))


def _print_answer(answer: Answer, rows: list[dict[str, Any]], columns: list[str]) -> None:
    query = answer.query
    lacks = f"   {answer.missing} {query.gap}" if answer.missing else ""
    count = f"{len(rows)} row{'' if len(rows) == 1 else 's'}"
    click.echo(f"{query.name:<4}{query.slug:<22}{count:>9}  {answer.grade}{lacks}")
    if rows:
        print_table([_shorten(row) for row in rows], columns)
        if proof := rows[0]["proof"]:
            click.echo(f"  prove the first row: {proof}")
        click.echo()


def _shorten(row: dict[str, Any]) -> dict[str, Any]:
    return {k: shorten(v) if isinstance(v, str) and v.startswith(("0x", "baf")) else v for k, v in row.items()}


@audit.command()
@click.argument("statement", metavar="SQL")
@click.option("--param", "parameters", multiple=True, metavar="NAME=VALUE", help="Value for :NAME, as text.")
@place_options
@format_option
@project_options
def sql(session: Session, statement: str, parameters: tuple[str, ...], place: Place, fmt: str) -> None:
    """Run one SELECT of your own on the index, read-only, as of any block.

    Values go into parameters: --param name=value gives :name in the SQL.
    """
    with open_place(session, place) as reader:
        table = _run_logged(session, reader, statement, parse_parameters(parameters))
    for warning in read_warnings(session, reader.as_of, place):
        say(f"note: {warning}")
    _print_rows(reader, table, fmt)


def _run_logged(session: Session, reader: Reader, statement: str, parameters: dict[str, Any]) -> Table:
    try:
        table = reader.query(statement, parameters)
    except UsageError:
        log_access(session, "sql", statement, "refused")
        raise
    log_access(session, "sql", statement, f"{len(table.rows)} rows")
    return table


def _print_rows(reader: Reader, table: Table, fmt: str) -> None:
    rows = table.to_dicts()
    envelope = {"asof": describe_as_of(reader.as_of)}
    print_rows("audit.sql", rows, fmt=fmt, columns=table.columns, empty="no rows", envelope=envelope)


@audit.command()
@place_options
@format_option
@project_options
def schema(session: Session, place: Place, fmt: str) -> None:
    """List the views and tables of the index with their columns: views first, which are what people want."""
    from ledger.index.reading import list_tables

    with open_place(session, place) as reader:
        rows = [{"name": name, "columns": list(columns)} for name, columns in list_tables(reader)]
    print_rows("audit.schema", rows, fmt=fmt, columns=("name", "columns"))


@audit.command()
@place_options
@project_options
def shell(session: Session, place: Place) -> None:
    """Type SELECTs, each ended by a semicolon, and see tables; an empty line or Ctrl-D ends it."""
    with open_place(session, place) as reader:
        say(f"as of block {reader.as_of.block}; fedtrail audit schema lists what there is")
        while statement := _read_statement():
            try:
                _print_rows(reader, _run_logged(session, reader, statement, {}), "table")
            except UsageError as problem:
                click.echo(f"{problem.code}: {problem.message}", err=True)


def _read_statement() -> str:
    """Return the next statement; nothing at the end of input."""
    statement = ""
    while not sqlite3.complete_statement(statement):
        line = sys.stdin.readline()
        if not line or (not statement and not line.strip()):
            return ""
        statement += line
    return statement
