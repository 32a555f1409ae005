"""`fedtrail run replay` and `fedtrail audit fsck`: many rounds judged, one line each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from ledger.cli.failures import FailedWithData
from ledger.cli.indexed import keep_verdict
from ledger.cli.output import format_option, print_rows, printable
from ledger.cli.progress import progress_bar, say
from ledger.cli.runs import find_run, find_task, list_rounds
from ledger.cli.session import Session, project_options
from ledger.errors import EvidenceError, FedtrailError, NotFoundError
from ledger.records import Grade

if TYPE_CHECKING:
    from ledger.chain import Chain
    from ledger.replays import Replayed

COLUMNS = ("round", "round_id", "task_id", "phase", "committed", "included", "verdict", "grade")


@click.command("replay")
@click.argument("name", required=False)
@format_option
@project_options
def run_replay(session: Session, name: str | None, fmt: str) -> None:
    """Recompute every round of a run and compare it with the chain; without NAME, of the latest run.

    What a court has struck is shown and needs no pursuing. Exit status 7: something else is proved wrong. 8: evidence
    is missing, which accuses nobody.
    """
    task_id = find_task(session.chain, find_run(session, name))
    opened = list_rounds(session.chain, task_id) if task_id else {}
    round_ids = [int(args["round_id"]) for args in opened.values()]
    rows, errors = _replay(session, round_ids)
    _finish("run.replay", rows, errors, fmt)


@click.command("fsck")
@click.option("--task", "task_id", type=click.IntRange(min=1), help="Only the rounds of this task.")
@format_option
@project_options
def fsck(session: Session, task_id: int | None, fmt: str) -> None:
    """Recompute every round of the ledger, and hold stakes, slashes and the registry's ETH against the events.

    Needs the chain and the store, no index. Exit status 7: something is proved wrong. 8: evidence is missing.
    """
    from ledger.replays import check_books

    chain = session.chain
    if task_id is not None and task_id > chain.count_tasks():
        raise NotFoundError(kind="task", name=task_id, suggestion=f"; the ledger has {chain.count_tasks()}")
    rows, errors = _replay(session, list(_iter_rounds(chain, task_id)))
    wrong = check_books(chain)
    if fmt == "table":
        say("stakes, slashes and the registry's ETH: " + (f"{len(wrong)} wrong" if wrong else "as the events tell"))
    _finish("audit.fsck", rows, [*wrong, *errors], fmt, books="wrong" if wrong else "ok")


def _iter_rounds(chain: Chain, task_id: int | None) -> Iterator[int]:
    for event in chain.events(names=("RoundOpened",), task_id=task_id):
        yield int(event.args["round_id"])


def _replay(session: Session, round_ids: Sequence[int]) -> tuple[list[dict[str, Any]], list[FedtrailError]]:
    """Return a row of each round, and all errors that no court has dealt with."""
    from ledger.replays import replay_rounds

    rows: list[dict[str, Any]] = []
    found: list[FedtrailError] = []
    with progress_bar() as bar:
        bar.update(0, len(round_ids), "replay")
        for replayed in replay_rounds(session.chain, session.reader, round_ids):
            rows.append(_describe(replayed))
            keep_verdict(session, replayed.record, replayed.report)
            found += [finding.error for finding in replayed.unsettled]
            bar.update(len(rows), len(round_ids), f"replay of round {rows[-1]['round_id']}: {rows[-1]['verdict']}")
    return rows, found


def _describe(replayed: Replayed) -> dict[str, Any]:
    record, report = replayed.record, replayed.report
    return {
        "round": report.number,
        "round_id": report.round_id,
        "task_id": record.task_id,
        "phase": record.phase.name.lower(),
        "committed": report.committed,
        "included": report.included,
        "verdict": report.verdict,
        "grade": report.grade,
        "aggregate_root": report.aggregate_root if any(report.aggregate_root) else None,
        "findings": [{"check": each.clause, "code": each.error.code, **_say(each.error)} for each in report.findings],
        "attested": list(report.attested),
    }


def _say(error: FedtrailError) -> dict[str, Any]:
    return {"message": error.message, "detail": error.detail}


def _finish(schema: str, rows: list[dict[str, Any]], errors: list[FedtrailError], fmt: str, **more: object) -> None:
    """Print the rows, tell every error to people, and end with the first one that accuses, or else the first."""
    errors = sorted(errors, key=lambda error: isinstance(error, EvidenceError))
    if errors and fmt == "json":
        told = [{"code": error.code, **_say(error)} for error in errors]
        raise FailedWithData(errors[0], {"rounds": rows, **more, "errors": told})
    grade, empty = _grade(rows), "no round was opened yet"
    print_rows(schema, rows, fmt=fmt, columns=COLUMNS, empty=empty, grade=grade, envelope=more)
    if fmt == "table":
        for error in errors[1:]:
            say(printable(f"{error.code}: {error.message}"))
    if errors:
        raise errors[0]


def _grade(rows: Sequence[dict[str, Any]]) -> Grade:
    """Return the lowest grade of all rounds."""
    order = list(Grade)
    return max((row["grade"] for row in rows), key=order.index, default=Grade.PROVEN)
