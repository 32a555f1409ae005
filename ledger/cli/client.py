"""`fedtrail client`."""

from __future__ import annotations

from typing import Any

import click

from ledger.cli.lazy import LazyGroup
from ledger.cli.output import format_option, print_record, print_rows, shorten
from ledger.cli.participants import Known, find_participant, name_signers, owner_name, to_address, to_text
from ledger.cli.progress import say
from ledger.cli.session import Session, project_options
from ledger.units import format_wei, parse_wei

ROLES = ("client", "aggregator", "attestor")
NEVER = (1 << 40) - 1


@click.group(cls=LazyGroup)
def client() -> None:
    """Register, list and show participants: clients, aggregators, attestors."""


@client.command()
@click.argument("name")
@click.option("--role", default="client", show_default=True, type=click.Choice(ROLES), help="Fixed for ever.")
@click.option("--stake", default="1 ether", show_default=True, metavar="AMOUNT", help="Such as '2 ether'.")
@format_option
@project_options
def register(session: Session, name: str, role: str, stake: str, fmt: str) -> None:
    """Register key NAME with a stake; NAME and its cold key NAME-owner are made when there are none.

    The operator pays: on a devnet its first account, elsewhere the key `operator`.
    """
    from ledger.chain.views import Role

    stake_wei, password = parse_wei(stake), session.password()
    for each in (name, owner_name(name)):
        if each not in session.keys.names():
            say(f"new key {each}: {session.keys.new(each, password)}")
    signer = session.keys.load(name, password)
    session.chain.register(
        role=Role[role.upper()],
        owner=to_address(session.keys.address(owner_name(name))),
        signer=signer,
        stake_wei=stake_wei,
        key=f"{session.network.ledger}/register/{signer.address}",
        sender=session.operator(),
    )
    print_record("client.register", _describe(find_participant(session, name), fmt), fmt=fmt)


@client.command("list")
@format_option
@project_options
def list_(session: Session, fmt: str) -> None:
    """List every participant of the registry."""
    names = name_signers(session)
    rows = [_describe(Known(name=names.get(view.signer), view=view), fmt) for view in session.chain.participants()]
    columns = ("id", "name", "role", "stake", "status", "signer", "owner")
    empty = "nobody is registered; next: fedtrail client register NAME"
    print_rows("client.list", [_fit(row, fmt) for row in rows], fmt=fmt, columns=columns, empty=empty)


@client.command()
@click.argument("name")
@format_option
@project_options
def show(session: Session, name: str, fmt: str) -> None:
    """Show a participant by key NAME or by its number."""
    known = find_participant(session, name)
    more = {
        "key_epoch": known.view.key_epoch,
        "key_since": known.view.key_since,
        "active_from": None if known.view.active_from == NEVER else known.view.active_from,
        "locked_wei": known.view.locked_wei,
        "open_tasks": known.view.open_tasks,
        "unlock_at": known.view.unlock_at or None,
    }
    print_record("client.show", {**_describe(known, fmt), **more}, fmt=fmt)


def _describe(known: Known, fmt: str) -> dict[str, Any]:
    view = known.view
    stake = {"stake": format_wei(view.stake_wei)} if fmt == "table" else {"stake_wei": view.stake_wei}
    return {
        "id": view.id,
        "name": known.name,
        "role": view.role,
        **stake,
        "status": "unbonding" if view.unlock_at else "inactive" if view.active_from == NEVER else "active",
        "signer": to_text(view.signer),
        "owner": to_text(view.owner),
    }


def _fit(row: dict[str, Any], fmt: str) -> dict[str, Any]:
    if fmt != "table":
        return {"stake": row["stake_wei"], **row} if fmt == "csv" else row
    return {**row, "signer": shorten(row["signer"]), "owner": shorten(row["owner"])}
