"""`fedtrail privacy`: what rounds cost the clients of a run, from its terms and the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ledger.cli.lazy import LazyGroup
from ledger.cli.output import format_option, print_record, print_rows, printable
from ledger.cli.progress import say
from ledger.cli.runs import find_run, find_task, list_rounds, name_participants
from ledger.cli.session import Session, project_options
from ledger.errors import NotFoundError, WrongSpend
from ledger.records import Grade

if TYPE_CHECKING:
    from ledger.spec.noise import Noise
    from ledger.spending import Statement

ATTESTED = "ATTESTED: the ledger proves the terms and who sent an update; that noise was drawn is each client's word"


@click.group("privacy", cls=LazyGroup)
def privacy() -> None:
    """Show what rounds cost in privacy, what is left, and plan for it."""


run_argument = click.argument("run_name", metavar="[RUN]", required=False)


@privacy.command()
@run_argument
@format_option
@project_options
def show(session: Session, run_name: str | None, fmt: str) -> None:
    """Account for every client of RUN again, from its terms and the chain, and compare with what was recorded.

    Exit status 7: something else was recorded than the terms and the history of rounds give.
    """
    from ledger.accounting import compute_spend
    from ledger.spending import list_statements

    task_id, noise, size = _read_terms(session, run_name)
    statements = list_statements(session.chain, session.store, task_id, noise, size)
    latest = {statement.client: statement for statement in statements}
    names = name_participants(session, list(latest))
    numbers = {args["round_id"]: number for number, args in list_rounds(session.chain, task_id).items()}
    alone = _read_alone(noise)
    rows = []
    for client, told in latest.items():
        spend = told.spend
        row: dict[str, Any] = {
            "client": client,
            "name": names.get(client, ""),
            "rounds": told.rounds,
            "round": numbers[told.round_id],
            "eps": _round(spend.epsilon),
            "rdp": _round(spend.rdp),
            "delta": f"{spend.delta:g}" if fmt == "table" else spend.delta,
            "budget": noise.epsilon_budget,
            "recorded": _tell(told),
            "grade": Grade.ATTESTED,
        }
        if alone is not None:
            row["eps_store"] = _round(compute_spend(alone, told.rounds, size).epsilon)
        rows.append(row)
    store = [] if alone is None else ["eps_store"]
    columns = ["client", "name", "rounds", "eps", *store, "rdp", "delta", "budget", "recorded", "grade"]
    print_rows(
        "privacy.show", rows, fmt=fmt, columns=columns, empty="no client has sent an update yet", grade="ATTESTED"
    )
    if fmt == "table":
        _explain(noise, alone)
    if wrong := next((each for each in statements if each.is_wrong), None):
        raise WrongSpend(
            round_id=numbers[wrong.round_id],
            client=wrong.client,
            speaker=wrong.recorded.speaker if wrong.recorded else 0,
            got=wrong.recorded.epsilon / 1e6 if wrong.recorded else 0.0,
            want=wrong.spend.epsilon,
        )


@privacy.command()
@run_argument
@format_option
@project_options
def budget(session: Session, run_name: str | None, fmt: str) -> None:
    """Show what each client of RUN may still spend, and for how many rounds that is enough."""
    from ledger.accounting import count_affordable_rounds
    from ledger.spending import compute_spends, count_uses

    task_id, noise, size = _read_terms(session, run_name)
    uses = count_uses(session.chain, session.store, task_id)
    affordable = count_affordable_rounds(noise, size)
    names = name_participants(session, sorted(uses))
    rows = [
        {
            "client": client,
            "name": names.get(client, ""),
            "eps": _round(spend.epsilon),
            "budget": noise.epsilon_budget,
            "left": _round(max(0.0, noise.epsilon_budget - spend.epsilon)),
            "rounds_left": max(0, affordable - uses[client]),
        }
        for client, spend in compute_spends(noise, uses, size).items()
    ]
    if not rows:
        nobody = {"budget": noise.epsilon_budget, "rounds_left": affordable}
        return print_record("privacy.budget", nobody, fmt=fmt)
    columns = ("client", "name", "eps", "budget", "left", "rounds_left")
    return print_rows("privacy.budget", rows, fmt=fmt, columns=columns)


def _read_terms(session: Session, run_name: str | None) -> tuple[int, Noise, int]:
    """Return a run's task, what it says of noise, and the coordinates of an update."""
    from ledger.history import raw_cid
    from ledger.layout import decode_layout
    from ledger.spec.noise import TERM, decode_noise

    run = find_run(session, run_name)
    task_id = find_task(session.chain, run)
    if task_id is None:
        raise NotFoundError(f"run '{run.name}' has no task yet", hint=f"fedtrail run resume {run.name}")
    task = session.chain.get_task(task_id)
    text = decode_layout(session.store.get_block(raw_cid(task.layout_digest))).term(TERM)
    if text is None:
        raise NotFoundError(f"run '{run.name}' adds no noise, so it promises no privacy", hint="docs/privacy.md")
    return task_id, decode_noise(text), task.size


def _read_alone(noise: Noise) -> Noise | None:
    """Return what one share protects by itself, where the models are protected better than the updates are."""
    from dataclasses import replace

    return replace(noise, shares=1) if noise.mechanism == "distributed" and noise.against != "everybody" else None


def _explain(noise: Noise, alone: Noise | None) -> None:
    say(printable(f"terms: {noise}"))
    if alone is not None or noise.mechanism == "central":
        say("eps speaks of who reads models; updates in the store carry one share of the noise (eps_store) or none")
    say(ATTESTED)


def _tell(statement: Statement) -> str:
    if statement.recorded is None:
        return "missing"
    return f"{statement.recorded.epsilon / 1e6:.6f} " + ("differs" if statement.is_wrong else "agrees")


def _round(value: float) -> float:
    return round(value, 6)
