"""Updates of a run that are encrypted to an audience: who reads them, and what each party can open."""

from __future__ import annotations

import secrets
from collections.abc import Iterable

from fl.federation.context import Context, Party, Roster, RoundPlan
from ledger import spec
from ledger.errors import NoEncryptionKey
from ledger.readers import BlobReader, KeyedStore, PrivateKeys, find_readership
from ledger.sealed_updates import UnusableKey, seal_update
from ledger.spec.audience import SEED_BYTES, TERM, Audience, Readership
from ledger.store import Content


def make_audience(ctx: Context, roster: Roster) -> Audience | None:
    """Return who may read the updates of the run's task; None where everybody may."""
    if ctx.script.audience is None:
        return None
    attestors = {party.participant for party in roster.attestors}
    auditors = {party.participant for party in roster.auditors} | set(ctx.script.audience.others)
    return Audience(attestors=tuple(sorted(attestors)), auditors=tuple(sorted(auditors - attestors)))


def make_terms(ctx: Context, roster: Roster) -> tuple[tuple[str, str], ...]:
    """Return the term of the task's layout; nothing where everybody may read updates."""
    audience = make_audience(ctx, roster)
    return () if audience is None else ((TERM, str(audience)),)


def find_readers(ctx: Context, roster: Roster, plan: RoundPlan) -> Readership | None:
    """Return whom the updates of a round are sealed to, with keys from the chain; None where everybody reads them."""
    audience = make_audience(ctx, roster)
    if audience is None:
        return None
    clients = [party.participant for party in roster.clients]
    view = ctx.chain.get_round(plan.round_id)
    return find_readership(ctx.chain, view, audience, clients, size=ctx.workload.layout.size)


def seal(readers: Readership | None, client: int, update: Iterable[spec.Bytes]) -> Content:
    """Return an update, given in pieces, as its client keeps and publishes it: sealed, where it has readers.

    Its seed is new every time and kept nowhere: what a client says again after a crash is what is in its outbox.
    Raises: NoEncryptionKey: a reader had none when the round opened. The client then stays out of the round.
    """
    if readers is None:
        return update
    try:
        return seal_update(b"".join(update), readers.make_envelope(client), secrets.token_bytes(SEED_BYTES))
    except UnusableKey as error:
        role = readers.audience.name_role(error.participant, aggregator=readers.aggregator)
        raise NoEncryptionKey(role=role, participant=error.participant, round_id=readers.round_id) from None


def read_as(ctx: Context, roster: Roster, parties: Iterable[Party]) -> BlobReader:
    """Return the store as parties read it, with their keys of the round."""
    held = (roster.encryption_keys.get(party.participant) for party in parties)
    return KeyedStore(ctx.store, PrivateKeys(key for key in held if key is not None))


def read_as_auditor(ctx: Context, roster: Roster, plan: RoundPlan) -> BlobReader:
    """Return the store as the run replays its rounds: as an auditor, or as the aggregator where there is none."""
    return read_as(ctx, roster, roster.auditors or (plan.aggregator,))
