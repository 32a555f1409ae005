"""`fedtrail score`: what was recorded of clients, and what their updates give."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from ledger.cli.failures import FailedWithData
from ledger.cli.lazy import LazyGroup
from ledger.cli.output import format_option, print_rows, printable
from ledger.cli.progress import progress_bar, say
from ledger.cli.runs import find_run, find_task, list_rounds, name_participants
from ledger.cli.session import Session, project_options
from ledger.errors import FedtrailError, NotFoundError, UsageError
from ledger.records import Grade
from ledger.scoring import KINDS, ONE, RoundScores

if TYPE_CHECKING:
    from ledger.scorekeeping import Comparison, RecordedSheet, ScoredRound

SHOWN = ("round", "client", "name", "kind", "value", "scorer", "block", "grade")
RECOMPUTED = ("round", "client", "name", "kind", "value", "recorded", "scorer", "grade")
WORD = "recorded scores are the word of who recorded them; fedtrail score recompute shows what the updates give"
Row = dict[str, Any]


@click.group("score", cls=LazyGroup)
def score() -> None:
    """Show the scores of clients, and compute them again."""


def which_options(command: Any) -> Any:
    """Add what picks the task, and the rows of it."""
    for option in (
        click.option("--kind", type=click.Choice(KINDS), help="Only this kind of score."),
        click.option("--client", type=click.IntRange(min=1), metavar="ID", help="Only this client (participant id)."),
        click.option("--task", "task_id", type=click.IntRange(min=1), metavar="ID", help="The task, by its number."),
        click.option("--run", "run_name", metavar="NAME", help="The run; default: the latest."),
    ):
        command = option(command)
    return command


@score.command()
@which_options
@format_option
@project_options
def show(
    session: Session, run_name: str | None, task_id: int | None, client: int | None, kind: str | None, fmt: str
) -> None:
    """Show the scores that were recorded on the ledger: ATTESTED, the word of who recorded them."""
    from ledger.scorekeeping import list_recorded

    rounds = {int(args["round_id"]): number for number, args in _list_rounds(session, run_name, task_id).items()}
    sheets = [sheet for sheet in list_recorded(session.chain) if sheet.round_id in rounds]
    rows = [row for sheet in sheets for row in _show_sheet(sheet, rounds[sheet.round_id])]
    rows = _pick(session, rows, client, kind)
    empty = "no scores were recorded; fedtrail score recompute computes them"
    print_rows("score.show", rows, fmt=fmt, columns=SHOWN, empty=empty, grade=Grade.ATTESTED)
    if rows and fmt == "table":
        say(WORD)


@score.command()
@which_options
@format_option
@project_options
def recompute(
    session: Session, run_name: str | None, task_id: int | None, client: int | None, kind: str | None, fmt: str
) -> None:
    """Replay every finalised round, compute all scores from it, and compare them with what was recorded.

    What comes out the same is PROVEN, and no longer somebody's word. Exit status 7: something else was recorded, or a
    replay failed. 8: evidence is missing.
    """
    task_id = _find_task_id(session, run_name, task_id)
    rows, errors = _recompute(session, task_id, len(list_rounds(session.chain, task_id)))
    rows = _pick(session, rows, client, kind)
    if errors and fmt == "json":
        raise FailedWithData(errors[0], rows)
    grade = max((row["grade"] for row in rows), key=list(Grade).index, default=None)
    print_rows("score.recompute", rows, fmt=fmt, columns=RECOMPUTED, empty="no round has scores yet", grade=grade)
    if fmt == "table":
        for error in errors[1:]:
            say(printable(f"{error.code}: {error.message}"))
    if errors:
        raise errors[0]
    if fmt == "table" and rows:
        recorded = sum(row["recorded"] is not None for row in rows)
        say(f"{len(rows)} scores computed from replayed rounds; {recorded} of them were recorded, and recorded right")


def _find_task_id(session: Session, run_name: str | None, task_id: int | None) -> int:
    if run_name is not None and task_id is not None:
        raise UsageError("--run and --task name the same thing; give one of them")
    if task_id is None:
        run = find_run(session, run_name)
        task_id = find_task(session.chain, run)
        if task_id is None:
            raise NotFoundError(f"run '{run.name}' has no task in the ledger yet", hint="fedtrail run resume")
    if not 1 <= task_id <= (count := session.chain.count_tasks()):
        raise NotFoundError(kind="task", name=task_id, suggestion=f"; the ledger has {count}")
    return task_id


def _list_rounds(session: Session, run_name: str | None, task_id: int | None) -> dict[int, Any]:
    return dict(list_rounds(session.chain, _find_task_id(session, run_name, task_id)))


def _pick(session: Session, rows: list[Row], client: int | None, kind: str | None) -> list[Row]:
    """Return the rows that were asked for, with the names of those whose keys are here."""
    rows = [row for row in rows if client in (None, row["client"]) and kind in (None, row["kind"])]
    names = name_participants(session, sorted({row["client"] for row in rows}))
    return [{**row, "name": names.get(row["client"])} for row in rows]


def _show_sheet(sheet: RecordedSheet, number: int) -> Iterator[Row]:
    for client, value in sheet.values.items():
        yield {
            "round": number,
            "round_id": sheet.round_id,
            "client": client,
            "kind": sheet.kind,
            "value": value / ONE,
            "units": value,
            "scorer": sheet.scorer,
            "block": sheet.block,
            "tx": sheet.tx,
            "grade": Grade.ATTESTED,
        }


def _recompute(session: Session, task_id: int, count: int) -> tuple[list[Row], list[FedtrailError]]:
    """Return a row of each score, and what is wrong. A round that does not replay ends it: trust needs them all."""
    from ledger.scorekeeping import compare, list_recorded, score_task

    recorded = list_recorded(session.chain)
    rows: list[Row] = []
    errors: list[FedtrailError] = []
    with progress_bar() as bar:
        bar.update(0, count, "replay")
        try:
            for scored in score_task(session.chain, session.reader, task_id):
                sheets = [sheet for sheet in recorded if sheet.round_id == scored.scores.round_id]
                comparisons = [compare(sheet, scored.scores) for sheet in sheets]
                rows += _describe(scored, comparisons)
                errors += [found.wrong for found in comparisons if found.wrong is not None]
                bar.update(scored.scores.number, count, f"round {scored.scores.number}")
        except FedtrailError as error:
            errors.append(error)
    return rows, errors


def _describe(scored: ScoredRound, comparisons: list[Comparison]) -> Iterator[Row]:
    """Yield a row for each recorded value; of kinds that nobody recorded, for each computed one."""
    known: set[str] = set()
    for found in comparisons:
        known |= {found.sheet.kind} if found.recomputed else set()
        for client in sorted({*found.sheet.values, *found.recomputed}):
            units = found.recomputed.get(client), found.sheet.values.get(client)
            # A value that a replay cannot reach, since its words are unknown here, stays somebody's word.
            grade = scored.report.grade if found.recomputed else Grade.ATTESTED
            yield _row(scored.scores, client, found.sheet.kind, *units, grade, found.sheet.scorer)
    for kind in KINDS:
        if kind not in known:
            for client, value in scored.scores.sheets[kind].items():
                yield _row(scored.scores, client, kind, value, None, scored.report.grade, None)


def _row(
    scores: RoundScores, client: int, kind: str, value: int | None, recorded: int | None, grade: Grade, by: int | None
) -> Row:
    return {
        "round": scores.number,
        "round_id": scores.round_id,
        "client": client,
        "kind": kind,
        "value": None if value is None else value / ONE,
        "units": value,
        "recorded": None if recorded is None else recorded / ONE,
        "recorded_units": recorded,
        "scorer": by,
        "grade": grade,
    }
