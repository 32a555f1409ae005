"""Encryption keys of a run's participants: X25519, private halves in the keystore, public halves on the chain."""

from __future__ import annotations

from collections.abc import Mapping

from fl.federation.context import Context, Party
from fl.privacy.secagg.keys import compute_public_key
from ledger.keys import Keystore

_SUFFIX = "-x25519"


def announce_keys(ctx: Context, keys: Keystore, password: str, parties: Mapping[str, Party]) -> dict[int, bytes]:
    """Return private keys by participant; each public half is announced unless it is the one in force.

    A key is kept beside the signing key of its participant, in a file of the same form: any 32 bytes are a private key
    of X25519.
    """
    private_keys = {}
    for done, (name, party) in enumerate(parties.items(), start=1):
        if f"{name}{_SUFFIX}" not in keys.names():
            keys.new(f"{name}{_SUFFIX}", password)
        private = bytes(keys.load(f"{name}{_SUFFIX}", password).key)
        private_keys[party.participant] = private
        _announce(ctx, party, compute_public_key(private))
        ctx.tell("set-up", 0, done, len(parties), f"announce the encryption key of {name}")
    return private_keys


def _announce(ctx: Context, party: Party, public: bytes) -> None:
    in_force = ctx.chain.get_encryption_key(party.participant, ctx.chain.now() + 1)
    if in_force is None or in_force.key != public:
        key = f"{ctx.chain.fingerprint}/encryption-key/{party.participant}/{public.hex()}"
        ctx.chain.announce_key(party.participant, public, key=key, sender=party.account)
