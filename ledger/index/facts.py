"""What every event says, as rows of the fact tables of facts.sql. Pure: an event goes in, rows come out.

A row is (table, columns); whoever stores it adds `ev`, the number of its event. Digests and addresses are 0x hex in
lower case, amounts decimal text in wei with an integer in gwei beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from eth_utils.crypto import keccak

from ledger import spec
from ledger.chain.views import Event
from ledger.errors import FedtrailError
from ledger.history import to_cid
from ledger.index import dispute_facts, round_facts, statement_facts
from ledger.index.columns import Maker, Row, to_hex
from ledger.index.round_facts import make_commitment

SILENT = frozenset({"BondReleased", "CallSalt", "EIP712DomainChanged", "RoleAdminChanged"})
"""Events that hold no fact of their own: Unlocked tells the bond that BondReleased is about."""

_MAKERS: dict[str, Maker] = {**round_facts.MAKERS, **dispute_facts.MAKERS, **statement_facts.MAKERS}


def rows_of(event: Event) -> Iterator[Row]:
    """Yield what one event says; nothing for events that hold no fact, or that a later release adds."""
    if (make := _MAKERS.get(event.name)) is not None:
        yield from make(event.args)


def rows_of_manifest(
    event: Event, manifest: spec.Manifest, updates: Mapping[int, spec.Bytes] | None = None
) -> Iterator[Row]:
    """Yield what the manifest of a Proposed or Abandoned event says: where blobs are, what clients published.

    Args: manifest: whose digest the event has. updates: blobs of clients that are at hand, from which their number of
    examples and the digest of their coordinates are read; bytes that are no update are passed over.
    """
    for kind in ("base", "aggregate", "model"):
        cid = to_cid(getattr(manifest, kind))
        if cid is not None:
            yield "x_blob", {"round_id": manifest.round_id, "kind": kind, "cid": str(cid)}
    for entry in manifest.entries:
        cid = to_cid(entry.content)
        if cid is not None:
            read = _read_update((updates or {}).get(entry.client))
            published = {"client": entry.client, "stage": "published", "cid": str(cid), **read}
            yield "x_update", {"round_id": event.args["round_id"], **published}


def rows_of_list(event: Event, members: Iterable[spec.SignedMember]) -> Iterator[Row]:
    """Yield the commitments of a root-only round, from the list that its RootCommitted event names."""
    for member in members:
        yield "x_update", make_commitment(event.args["round_id"], member.client, member.commitment)


def _read_update(data: spec.Bytes | None) -> dict[str, object]:
    if data is None:
        return {}
    try:
        blob = spec.decode_vector(data, max_bytes=len(data))
    except FedtrailError:
        return {}
    # Over the coordinates alone: the header names client and round, so no two whole blobs are equal.
    return {"n_samples": blob.header.num_examples, "digest": to_hex(keccak(bytes(blob.payload)))}
