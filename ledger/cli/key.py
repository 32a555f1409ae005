"""`fedtrail key`."""

from __future__ import annotations

import click

from ledger.cli.lazy import LazyGroup
from ledger.cli.output import format_option, print_record, print_rows
from ledger.cli.session import Session, project_options


@click.group(cls=LazyGroup)
def key() -> None:
    """Make, list and rotate signing keys.

    A participant has a hot key NAME that signs commitments, and a cold key NAME-owner that its stake returns to.
    Keys lie encrypted in .fedtrail/keys; on a devnet their password is public, since they protect nothing there.
    """


@key.command()
@click.argument("name")
@format_option
@project_options
def new(session: Session, name: str, fmt: str) -> None:
    """Make a key; the password comes from FEDTRAIL_KEY_PASSWORD or the terminal."""
    address = session.keys.new(name, session.password(confirm=True))
    print_record("key.new", {"name": name, "address": address}, fmt=fmt)


@key.command("list")
@format_option
@project_options
def list_(session: Session, fmt: str) -> None:
    """List the project's keys."""
    keys = session.keys
    rows = [
        {"name": name, "address": keys.address(name), "earlier": keys.count_versions(name)} for name in keys.names()
    ]
    columns = ("name", "address", "earlier")
    print_rows("key.list", rows, fmt=fmt, columns=columns, empty="no keys; make one: fedtrail key new NAME")


@key.command()
@click.argument("name")
@project_options
def address(session: Session, name: str) -> None:
    """Print the address of a key."""
    click.echo(session.keys.address(name))


@key.command()
@click.argument("name")
@click.option("--local", is_flag=True, help="Change the file only, not the registry.")
@format_option
@project_options
def rotate(session: Session, name: str, local: bool, fmt: str) -> None:
    """Replace a key by a new one, in the registry too when it is registered; earlier rounds keep the earlier key."""
    from ledger.cli.participants import rotate_key

    address, participant = rotate_key(session, name, local=local)
    print_record("key.rotate", {"name": name, "address": address, "participant": participant}, fmt=fmt)
