"""`fedtrail stake`."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from ledger.cli.lazy import LazyGroup
from ledger.cli.output import format_option, print_record, print_rows, shorten
from ledger.cli.participants import Known, find_participant, load_owner, unique_key
from ledger.cli.progress import say
from ledger.cli.session import Session, project_options
from ledger.units import format_wei, parse_wei

if TYPE_CHECKING:
    from ledger.stake_history import Entry


@click.group(cls=LazyGroup)
def stake() -> None:
    """Show, deposit and withdraw stakes, and tell what became of them."""


client_argument = click.argument("name", metavar="CLIENT")


@stake.command()
@client_argument
@format_option
@project_options
def show(session: Session, name: str, fmt: str) -> None:
    """Show what CLIENT (key name or number) has at stake, how much of it is held, and what it may claim."""
    print_record("stake.show", _describe(session, find_participant(session, name), fmt), fmt=fmt)


@stake.command()
@client_argument
@click.argument("amount")
@format_option
@project_options
def deposit(session: Session, name: str, amount: str, fmt: str) -> None:
    """Add AMOUNT, such as 0.5ether, to the stake of CLIENT; the operator pays."""
    amount_wei, known = parse_wei(amount), find_participant(session, name)
    number = known.view.id
    key = unique_key(session, "deposit", number)
    session.chain.deposit(number, amount_wei, key=key, sender=session.operator())
    print_record("stake.deposit", _describe(session, find_participant(session, str(number)), fmt), fmt=fmt)


@stake.command()
@client_argument
@click.option("--wait", is_flag=True, help="Wait until unbonding is over; a devnet moves its clock.")
@format_option
@project_options
def withdraw(session: Session, name: str, wait: bool, fmt: str) -> None:
    """Take the whole stake of CLIENT out: ask to unbond, and once that is over, pay its owner.

    Call it twice: the first call starts the unbonding period, a later one pays. With --wait, once.
    """
    known = find_participant(session, name)
    number, owner = known.view.id, load_owner(session, known)
    if not known.view.unlock_at:
        session.chain.request_unbond(number, key=unique_key(session, "unbond", number), sender=owner)
        known = find_participant(session, str(number))
        say(f"unbonding until {_to_time(known.view.unlock_at)}")
    if wait:
        session.chain.wait_until(known.view.unlock_at)
    if wait or session.chain.now() >= known.view.unlock_at:
        session.chain.withdraw(number, key=unique_key(session, "withdraw", number), sender=owner)
        session.chain.claim(known.view.owner, key=unique_key(session, "claim", number), sender=owner)
    else:
        say(f"next, after that: fedtrail stake withdraw {name}")
    print_record("stake.withdraw", _describe(session, find_participant(session, str(number)), fmt), fmt=fmt)


@stake.command()
@click.argument("name", metavar="[CLIENT]", required=False)
@format_option
@project_options
def history(session: Session, name: str | None, fmt: str) -> None:
    """Tell every deposit, lock, slash, withdrawal and claim of CLIENT, in order; without CLIENT, of everybody."""
    from ledger.stake_history import WORDS, iter_entries

    participant = find_participant(session, name).view.id if name else None
    entries = iter_entries(session.chain.events(names=tuple(WORDS)), participant=participant)
    rows = [_describe_entry(entry, fmt) for entry in entries]
    amounts = [key for key in ("amount", "stake", "locked") if fmt == "table"] or _AMOUNTS
    columns = ("block", "id", "what", *amounts, "task_id", "round_id", "reason", "tx")
    print_rows("stake.history", rows, fmt=fmt, columns=columns, empty="nobody is registered")


_AMOUNTS = ("amount_wei", "stake_wei", "locked_wei")


def _describe_entry(entry: Entry, fmt: str) -> dict[str, Any]:
    row = {"id" if field.name == "participant" else field.name: getattr(entry, field.name) for field in fields(entry)}
    if fmt != "table":
        return row
    shown = {key.removesuffix("_wei"): format_wei(row[key]) for key in _AMOUNTS}
    return {**row, **shown, "tx": shorten(entry.tx)}


def _describe(session: Session, known: Known, fmt: str) -> dict[str, Any]:
    view = known.view
    amounts = {"stake": view.stake_wei, "locked": view.locked_wei}
    shown = {k: format_wei(v) for k, v in amounts.items()}
    exact = {f"{k}_wei": v for k, v in amounts.items()}
    unlock = _to_time(view.unlock_at) if view.unlock_at and fmt == "table" else view.unlock_at or None
    return {
        "id": view.id,
        "name": known.name,
        **(shown if fmt == "table" else exact),
        **_describe_credit(session.chain.get_credit(view.owner), fmt),
        "open_tasks": view.open_tasks,
        "unlock_at": unlock,
    }


def _describe_credit(credit_wei: int, fmt: str) -> dict[str, Any]:
    return {"owner_may_claim": format_wei(credit_wei)} if fmt == "table" else {"owner_may_claim_wei": credit_wei}


def _to_time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
