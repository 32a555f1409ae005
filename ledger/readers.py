"""Whom the updates of a round are sealed to, and opening them where one of these readers' keys is at hand.

A store that also finds keys reads sealed updates as if they lay open: `KeyedStore`. With any other store they stay
closed, which is told as a gap (FT804) and accuses nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from ledger import spec
from ledger.errors import NotAReader
from ledger.layout import Layout
from ledger.records import Fetched
from ledger.sealed_updates import open_update
from ledger.spec.audience import (
    SEALED_ALLOWANCE_BYTES,
    TERM,
    Audience,
    Envelope,
    Reader,
    Readership,
    decode_audience,
    decode_sealed,
)
from ledger.spool import join

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    from ledger.store import Cid


@runtime_checkable
class KeyHolder(Protocol):
    """Whoever holds private encryption keys."""

    def find_key(self, public: bytes) -> X25519PrivateKey | None:
        """Return the private half of an X25519 key, 32 bytes; None if it is not here."""


class BlobReader(Protocol):
    """What a record needs of a store; every `ledger.store.ContentStore` is one, and so is an open bundle."""

    def get(self, cid: Cid, *, max_bytes: int) -> spec.Bytes:
        """Return a blob of at most max_bytes after hashing each of its blocks."""

    def get_block(self, cid: Cid) -> bytes:
        """Return one block after hashing it."""


class PrivateKeys:
    """Encryption keys in memory; a KeyHolder."""

    def __init__(self, private: Iterable[bytes]) -> None:
        """Args: private: X25519 private keys, 32 bytes each."""
        from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

        keys = [X25519PrivateKey.from_private_bytes(each) for each in private]
        self._keys = {key.public_key().public_bytes_raw(): key for key in keys}

    def find_key(self, public: bytes) -> X25519PrivateKey | None:
        """Return the private half of an X25519 key, 32 bytes; None if it is not here."""
        return self._keys.get(public)


@dataclass(frozen=True, slots=True)
class KeyedStore:
    """A store, and keys that open what it holds."""

    store: BlobReader
    """Where the blobs are."""
    keys: KeyHolder
    """Whose updates it reads."""

    def get(self, cid: Cid, *, max_bytes: int) -> spec.Bytes:
        """Return a blob as it is stored."""
        return self.store.get(cid, max_bytes=max_bytes)

    def get_block(self, cid: Cid) -> bytes:
        """Return a block as it is stored."""
        return self.store.get_block(cid)

    def find_key(self, public: bytes) -> X25519PrivateKey | None:
        """Return the private half of an X25519 key, 32 bytes; None if it is not here."""
        return self.keys.find_key(public)


def read_audience(layout: Layout | None) -> Audience | None:
    """Return who may read updates of a task; None where everybody may, or nobody here can tell (which replay says)."""
    text = None if layout is None else layout.term(TERM)
    try:
        return None if text is None else decode_audience(text)
    except spec.SpecError:
        return None


def find_readership(chain: Any, view: Any, audience: Audience, clients: Sequence[int], *, size: int) -> Readership:
    """Return whom the updates of a round are sealed to.

    Args: chain: a `history.ChainReader`. view: its view of the round. clients: authors of updates, or those to be.
    size: the task's coordinates.
    """
    numbers = {view.aggregator, *audience.attestors, *audience.auditors, *clients}
    found = chain.get_encryption_keys_at(sorted(numbers), view.opened_at)
    return Readership(
        audience=audience,
        aggregator=view.aggregator,
        keys={n: Reader(participant=n, epoch=each.epoch, key=each.key) for n, each in found.items()},
        domain_separator=chain.domain_separator,
        round_id=view.round_id,
        max_bytes=spec.compute_max_bytes(size),
    )


def get_max_update_bytes(task: spec.Task, readership: Readership | None) -> int:
    """Return the largest stored update of a task that is read (§3.1 check 1, §15.2)."""
    sealed = 0 if readership is None else SEALED_ALLOWANCE_BYTES
    return spec.compute_max_bytes(task.size, task.degree) + sealed


def open_fetched(fetched: Fetched, client: int, readership: Readership | None, store: object) -> Fetched:
    """Return an update as its author wrote it, from what is stored; or why that cannot be had.

    Args: readership: None where updates are stored as they are. store: opens it if it is a KeyHolder with a key of one
    of the readers.
    """
    if readership is None or fetched.data is None:
        return fetched
    envelope, sealed = readership.make_envelope(client), bytes(fetched.data)
    try:
        decode_sealed(sealed, envelope)  # what is no sealed update of this client is that to everybody
        if (key := _find_key(envelope, store)) is not None:
            return replace(fetched, data=join((open_update(sealed, envelope, key),)))
    except spec.SpecError as problem:
        return replace(fetched, data=None, problem=problem)
    closed = NotAReader(client=client, round_id=readership.round_id, readers=readership.name_readers(client))
    return replace(fetched, data=None, problem=closed)


def _find_key(envelope: Envelope, store: object) -> X25519PrivateKey | None:
    found = (store.find_key(reader.key) for reader in envelope.readers) if isinstance(store, KeyHolder) else iter(())
    return next((key for key in found if key is not None), None)
