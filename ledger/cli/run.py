"""`fedtrail run list|show|replay`; `start` and `resume` come with the trainer's half."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from ledger.cli.lazy import LazyCommand, LazyGroup
from ledger.cli.output import format_option, print_rows, shorten
from ledger.cli.progress import say
from ledger.cli.runs import find_run, find_task, list_rounds, list_runs
from ledger.cli.session import Session, project_options

REPLAY = LazyCommand("ledger.cli.replays:run_replay", "Recompute every round of a run and compare it with the chain.")


@click.group(cls=LazyGroup, lazy={"replay": REPLAY})
def run() -> None:
    """Start, resume, list, show and replay runs."""


@run.command("list")
@format_option
@project_options
def list_(session: Session, fmt: str) -> None:
    """List the runs that were started in this project, on any deployment."""
    rows: list[dict[str, Any]] = []
    for known in list_runs(session):
        deployment = known.deployment if fmt != "table" else shorten(known.deployment)
        rows.append({"name": known.name, "deployment": deployment, "script": f".fedtrail/runs/{known.file}"})
    columns = ("name", "deployment", "script")
    print_rows("run.list", rows, fmt=fmt, columns=columns, empty="no runs yet; start one: fedtrail run start SCRIPT")


@run.command()
@click.argument("name", required=False)
@format_option
@project_options
def show(session: Session, name: str | None, fmt: str) -> None:
    """Show the rounds of a run as the ledger has them; without NAME, of the latest."""
    known = find_run(session, name)
    task_id = find_task(session.chain, known)
    paid = _sum_rewards(session)
    rows = [_describe_round(session, opened, paid) for opened in list_rounds(session.chain, task_id or 0).values()]
    if fmt == "table":
        say(f"run {known.name}, task {task_id}, script sha256 {shorten(known.script_digest)}")
    columns = ("round", "round_id", "phase", "committed", "excluded", *_show_paid(rows), "base_model")
    print_rows(
        "run.show", rows, fmt=fmt, columns=columns, empty="no round was opened yet", envelope={"run": known.name}
    )


def _sum_rewards(session: Session) -> dict[int, int]:
    """Return what rewards every round has paid, in wei."""
    paid: dict[int, int] = {}
    for event in session.chain.events(names=("RewardPaid",)):
        round_id = int(event.args["round_id"])
        paid[round_id] = paid.get(round_id, 0) + int(event.args["amount_wei"])
    return paid


def _show_paid(rows: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return the column of rewards, where any were paid."""
    return ("paid_wei",) if any(row["paid_wei"] for row in rows) else ()


def _describe_round(session: Session, opened: Mapping[str, Any], paid: Mapping[int, int]) -> dict[str, Any]:
    view = session.chain.get_round(opened["round_id"])
    return {
        "round": opened["number"],
        "round_id": view.round_id,
        "phase": view.phase.name.lower(),
        "committed": view.committed,
        "excluded": view.excluded,
        "paid_wei": paid.get(view.round_id, 0),
        "base_model": opened["base_model"],
    }
