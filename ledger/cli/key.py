"""`fedtrail key`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from ledger.cli.lazy import LazyGroup
from ledger.cli.output import format_option, print_record, print_rows
from ledger.cli.session import Session, project_options


@click.group(cls=LazyGroup)
def key() -> None:
    """Make, rotate and revoke signing keys; announce keys by which others encrypt to a participant.

    A participant has a hot key NAME that signs commitments, and a cold key NAME-owner that its stake returns to.
    Keys lie encrypted in .fedtrail/keys; on a devnet their password is public, since they protect nothing there.
    """


@key.command()
@click.argument("name")
@format_option
@project_options
def new(session: Session, name: str, fmt: str) -> None:
    """Make a key; its password comes from the environment or the terminal."""
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
def revoke(session: Session, name: str, fmt: str) -> None:
    """Shut out whoever else has CLIENT's keys: replace its signing key, then its encryption key if it has one.

    The owner's key does both, so it must not be lost, too. Rounds that are open already still take the old signing
    key: they are listed. What was signed or encrypted with the old keys stays so (docs/keys.md).
    """
    from ledger.cli.participants import find_participant, load_owner
    from ledger.rotation import find_exposed_rounds, revoke_keys

    known = find_participant(session, name)
    number, chain, password = known.view.id, session.chain, session.password()
    owner = load_owner(session, known)
    account, public = revoke_keys(chain, session.keys, name, number, password=password, owner=owner)
    since = chain.get_participant(number).key_since
    told = {
        "id": number,
        "name": name,
        "address": account.address,
        "public_key": public.hex() if public else None,
        "since": since,
        "open_rounds": find_exposed_rounds(chain, since),
    }
    print_record("key.revoke", told, fmt=fmt)


@key.command()
@click.argument("name", metavar="CLIENT")
@format_option
@project_options
def history(session: Session, name: str, fmt: str) -> None:
    """List every signing and encryption key that CLIENT (key name or number) has had, as the chain holds them.

    `since` and `until` are seconds since 1970: rounds that opened then took the key. `held` says whether this project
    has the private half.
    """
    from ledger.cli.participants import find_participant
    from ledger.encryption_keys import EncryptionKeys

    known = find_participant(session, name)
    signing = session.chain.list_signing_keys(known.view.id)
    encryption = [(each.key, each.since) for each in session.chain.list_encryption_keys(known.view.id)]
    ours = {address for each in session.keys.names() for address in session.keys.list_addresses(each)}
    held = EncryptionKeys(session.project.keys_dir, known.name or "")
    rows = [*_list_epochs("signing", signing), *_list_epochs("encryption", encryption)]
    mine = held.list_public(session.password()) if known.name and encryption else []
    rows = [{**row, "held": row["key"] in ours or row["key"][2:] in mine} for row in rows]
    columns = ("kind", "epoch", "key", "since", "until", "held")
    print_rows("key.history", rows, fmt=fmt, columns=columns)


def _list_epochs(kind: str, keys: Sequence[tuple[bytes, int]]) -> list[dict[str, Any]]:
    ends = [*(since - 1 for _, since in keys[1:]), None]
    return [
        {"kind": kind, "epoch": epoch, "key": f"0x{key.hex()}", "since": since, "until": ends[epoch]}
        for epoch, (key, since) in enumerate(keys)
    ]


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
    from ledger.rotation import announce_next_key

    known = find_participant(session, name)
    number, held = known.view.id, EncryptionKeys(session.project.keys_dir, known.name or name)
    sender, password = load_sender(session, known), session.password(confirm=True)
    public = announce_next_key(session.chain, held, number, password=password, sender=sender)
    told = session.chain.list_encryption_keys(number)[-1]
    record = {"id": number, "name": known.name, "epoch": told.epoch, "public_key": public.hex(), "since": told.since}
    print_record("key.announce", {**record, "file": f"{held.name}.{held.count() - 1}.x25519.pem"}, fmt=fmt)


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
