"""`fedtrail key`."""

from __future__ import annotations

import click

from ledger.cli.lazy import LazyGroup
from ledger.cli.output import format_option, print_record, print_rows
from ledger.cli.session import Session, project_options


@click.group(cls=LazyGroup)
def key() -> None:
    """Make, list and rotate signing keys; announce keys by which others encrypt to a participant.

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


@key.command()
@click.argument("name", metavar="CLIENT")
@format_option
@project_options
def announce(session: Session, name: str, fmt: str) -> None:
    """Make an encryption key (X25519) for CLIENT and announce it; called again, the next one takes its place.

    Its private half stays encrypted in .fedtrail/keys. The one that was made and not announced is announced first.
    """
    from ledger.cli.participants import find_participant, load_sender
    from ledger.encryption_keys import EncryptionKeys

    known = find_participant(session, name)
    number, held = known.view.id, EncryptionKeys(session.project.keys_dir, known.name or name)
    announced = [each.key for each in session.chain.list_encryption_keys(number)]
    file, public = held.next(announced, session.password(confirm=True))
    journal_key = f"{session.network.ledger}/announce/{number}/{public.hex()}"
    receipt = session.chain.announce_key(number, public, key=journal_key, sender=load_sender(session, known))
    told = receipt.find("EncryptionKeyAnnounced").args
    record = {"id": number, "name": known.name, "epoch": told["epoch"], "public_key": public.hex()}
    print_record("key.announce", {**record, "since": told["since"], "file": file.name}, fmt=fmt)


@key.command()
@click.argument("name", metavar="CLIENT")
@format_option
@project_options
def announced(session: Session, name: str, fmt: str) -> None:
    """List the encryption keys that CLIENT (key name or number) has announced, oldest first."""
    from ledger.cli.participants import find_participant

    number = find_participant(session, name).view.id
    rows = [
        {"epoch": each.epoch, "public_key": each.key.hex(), "since": each.since}
        for each in session.chain.list_encryption_keys(number)
    ]
    columns = ("epoch", "public_key", "since")
    print_rows("key.announced", rows, fmt=fmt, columns=columns, empty="no key was announced")
