"""Encryption keys of a run's participants: X25519, private halves in the keystore, public halves on the chain."""

from __future__ import annotations

from collections.abc import Mapping

from fl.federation.context import Context, Party, Roster
from ledger.encryption_keys import EncryptionKeys
from ledger.errors import KeyMissing
from ledger.keys import Keystore
from ledger.rotation import announce_next_key


def announce_keys(ctx: Context, keys: Keystore, password: str, parties: Mapping[str, Party]) -> dict[int, bytes]:
    """Return private keys by participant; who has announced none that this machine holds announces one."""
    private_keys = {}
    for done, (name, party) in enumerate(parties.items(), start=1):
        held, at = EncryptionKeys(keys.path, name), ctx.chain.now() + 1
        private = _find_private(ctx, held, password, party.participant, at)
        if private is None:
            public = announce_next_key(ctx.chain, held, party.participant, password=password, sender=party.account)
            private = held.load(public, password).private_bytes_raw()
        private_keys[party.participant] = private
        ctx.tell("set-up", 0, done, len(parties), f"announce the encryption key of {name}")
    return private_keys


def load_keys(ctx: Context, keys: Keystore, password: str, roster: Roster, at: int) -> dict[int, bytes]:
    """Return private keys by participant, of the keys that were in force in a second.

    Who has another one in force than this machine holds is left out: it can read nothing.
    """
    private_keys = dict(roster.encryption_keys)
    for party in (*roster.aggregators, *roster.clients, *roster.attestors, *roster.auditors):
        held = EncryptionKeys(keys.path, party.name)
        if party.participant not in private_keys or held.count() == 1:
            continue  # it has one key only
        private = _find_private(ctx, held, password, party.participant, at)
        if private is None:
            del private_keys[party.participant]
        else:
            private_keys[party.participant] = private
    return private_keys


def _find_private(ctx: Context, held: EncryptionKeys, password: str, participant: int, at: int) -> bytes | None:
    in_force = ctx.chain.get_encryption_key(participant, at)
    if in_force is None:
        return None
    try:
        return held.load(in_force.key, password).private_bytes_raw()
    except KeyMissing:
        return None
