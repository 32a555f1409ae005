"""`fedtrail audit org`: names of organisations, on this machine only."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress

import click

from ledger.cli.indexed import Place, find_path, log_access, name_keys, open_place, place_options
from ledger.cli.lazy import LazyGroup
from ledger.cli.output import format_option, print_rows, shorten
from ledger.cli.progress import say
from ledger.cli.session import Session, project_options
from ledger.errors import NotFoundError, UsageError


@click.group(cls=LazyGroup)
def org() -> None:
    """Name organisations on this machine, and erase the names; the chain knows keys only.

    A name belongs to the owner's key of a participant, which never changes.
    """


participant_argument = click.argument("who", metavar="PARTICIPANT")


@org.command("set")
@participant_argument
@click.argument("label")
@click.option("--contact", metavar="TEXT", help="How to reach it.")
@place_options
@project_options
def set_(session: Session, who: str, label: str, contact: str | None, place: Place) -> None:
    """Call PARTICIPANT (number or key name), and whoever has the same owner, LABEL."""
    from ledger.index.opening import open_index, writing

    if not label.isprintable() or not 1 <= len(label) <= 100:
        raise UsageError(f"a label is 1 to 100 printable characters, not {label!r}")
    owner = _find_owner(session, who, place)
    change = (
        "INSERT INTO org(org, label, contact) VALUES (?, ?, ?) ON CONFLICT(org)"
        " DO UPDATE SET label = excluded.label, contact = excluded.contact, erased_at = NULL"
    )
    with closing(open_index(find_path(session))) as index, writing(index):
        index.execute(change, (owner, label, contact))
    log_access(session, "org set", owner, "ok")


@org.command()
@participant_argument
@click.option("--yes", is_flag=True, help="Do not ask.")
@place_options
@project_options
def erase(session: Session, who: str, yes: bool, place: Place) -> None:
    """Forget the name and contact of PARTICIPANT's organisation: their bytes are overwritten in the index."""
    from ledger.index.opening import open_index

    owner = _find_owner(session, who, place)
    if not yes:
        click.confirm(f"erase the name behind {owner}?", abort=True, err=True)
    with closing(open_index(find_path(session))) as index:
        found = _erase(index, owner)
    # `fedtrail index rebuild` leaves the index as it was before beside the new one.
    for copy in find_path(session).parent.glob("index.*.sqlite"):
        with closing(sqlite3.connect(copy, isolation_level=None)) as index, suppress(sqlite3.OperationalError):
            _erase(index, owner)
    if not found:
        raise NotFoundError(
            kind="organisation", name=who, suggestion=" that has a name", hint="fedtrail audit org list"
        )
    log_access(session, "org erase", owner, "ok")
    say("erased here; exports and reports that were made before still have the name")


def _erase(index: sqlite3.Connection, owner: str) -> int:
    """Overwrite a name and contact, in the file and in its log of writes; return how many there were."""
    from ledger.index.opening import now

    index.execute("PRAGMA secure_delete=ON")
    change = "UPDATE org SET label = NULL, contact = NULL, salt = NULL, erased_at = ? WHERE org = ?"
    found = index.execute(change, (now(), owner)).rowcount
    index.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return found


@org.command("list")
@place_options
@format_option
@project_options
def list_(session: Session, place: Place, fmt: str) -> None:
    """List participants with the names of their organisations."""
    with open_place(session, place) as reader:
        rows = reader.query(
            "SELECT client, role, org AS owner, label, contact, erased_at FROM members ORDER BY client"
        ).to_dicts()
    shown = [{**row, "owner": shorten(str(row["owner"]))} for row in rows] if fmt == "table" else rows
    columns = ("client", "role", "owner", "label", "contact", "erased_at")
    print_rows("audit.org.list", shown, fmt=fmt, columns=columns, empty="nobody is registered")


def _find_owner(session: Session, who: str, place: Place) -> str:
    """Return the owner's address of a participant. Raises: NotFoundError."""
    with open_place(session, place) as reader:
        members = reader.query("SELECT client, signer, org FROM members").rows
    signers = {name: address for address, name in name_keys(session).items()}
    for client, signer, owner in members:
        if who in (str(client), str(signer)) or signers.get(who) == signer:
            return str(owner)
    raise NotFoundError(kind="participant", name=who, suggestion=" in the index", hint="fedtrail audit org list")
