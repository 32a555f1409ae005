"""The blobs of an open bundle, as a content store that can only be read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from ledger.bundle.container import Container
from ledger.bundle.format import BLOBS, SEALED
from ledger.bundle.sealing import OVERHEAD_BYTES, get_public, unseal
from ledger.errors import BlobCorrupt, Oversized, Unavailable
from ledger.mapped import forget
from ledger.spec import Bytes
from ledger.spool import MAPPED_BYTES
from ledger.store import Cid, unixfs

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey


class BundleStore:
    """What `history.load_round` asks of a store, from a bundle.

    Args: key: opens sealed blobs; None leaves them unavailable. reader_key: opens updates that are encrypted to it.
    """

    def __init__(
        self,
        container: Container,
        key: X25519PrivateKey | None = None,
        *,
        reader_key: X25519PrivateKey | None = None,
    ) -> None:
        self._container = container
        self._key = key
        self._reader_key = reader_key

    @property
    def has_key(self) -> bool:
        """Whether sealed blobs can be opened."""
        return self._key is not None

    def find_key(self, public: bytes) -> X25519PrivateKey | None:
        """Return the reader's key if this is its public half."""
        return self._reader_key if self._reader_key is not None and get_public(self._reader_key) == public else None

    def get(self, cid: Cid, *, max_bytes: int) -> Bytes:
        """Return a blob, a large one as a view of the bundle; errors as of every content store.

        Raises: Unavailable: it is not in the bundle, or sealed. BlobCorrupt: the entry is not what the CID names.
        Oversized, NotCanonical, WrongLength: it is no blob that a round may have.
        """
        name = self._find(cid)
        size = self._container.entries[name].size_bytes
        if size > max(max_bytes, unixfs.MAX_BLOCK_BYTES) + OVERHEAD_BYTES:  # not to be held in memory
            self.verify(name)
            raise Oversized(got=size, want=max_bytes)
        is_open = name.startswith(BLOBS)
        data = self._container.view(name) if is_open and size > MAPPED_BYTES else self._read(cid, name)
        if cid.matches(data):  # a leaf, or blocks of what is no file of the profile
            return b"".join(unixfs.read_file(cid, self.get_block, max_bytes))
        verify_content(cid, unixfs.split_bytes(data))
        forget(data)
        if len(data) > max_bytes:
            raise Oversized(got=len(data), want=max_bytes)
        return data

    def get_block(self, cid: Cid) -> bytes:
        """Return a block that stands in the bundle by itself; errors as for `get`."""
        name = self._find(cid)
        size = self._container.entries[name].size_bytes
        if size > unixfs.MAX_BLOCK_BYTES + OVERHEAD_BYTES:
            raise Oversized(got=size, want=unixfs.MAX_BLOCK_BYTES)
        data = self._read(cid, name)
        if not cid.matches(data):
            raise BlobCorrupt(cid=cid, got=hashlib.sha256(data).hexdigest())
        return data

    def verify(self, name: str) -> None:
        """Return if an entry of `blobs/` or `sealed/` is what its CID names; open ones are never held in memory.

        Raises: BlobCorrupt.
        """
        cid = parse_blob_name(name)
        if name.startswith(SEALED):
            data = self._read(cid, name)
            if not cid.matches(data):
                verify_content(cid, unixfs.split_bytes(data))
            return
        digest = hashlib.sha256()
        for chunk in self._container.chunks(name):
            digest.update(chunk)
        if digest.digest() != cid.digest:
            verify_content(cid, self._iter_leaves(name))

    def _iter_leaves(self, name: str) -> Iterator[Bytes]:
        for chunk in self._container.chunks(name):
            yield from unixfs.split_bytes(chunk)  # a chunk is a whole number of leaves, but for the last

    def _find(self, cid: Cid) -> str:
        if (name := BLOBS + str(cid)) in self._container:
            return name
        is_sealed = (name := SEALED + str(cid)) in self._container
        if is_sealed and self._key is not None:
            return name
        where = "; it is sealed" if is_sealed else "; the bundle does not have it"
        raise Unavailable(cid=cid, found=0, stores=1, seconds=0.0, consequence=where)

    def _read(self, cid: Cid, name: str) -> bytes:
        data = b"".join(self._container.chunks(name))
        return unseal(data, cid, self._key) if name.startswith(SEALED) and self._key is not None else data


def parse_blob_name(name: str) -> Cid:
    """Return the identifier in the name of a blob's entry. Raises: NotAContentId."""
    return Cid.from_text(name.partition("/")[2])


def verify_content(cid: Cid, leaves: Iterable[Bytes]) -> None:
    """Return if the profile makes a CID of a content.

    Args: leaves: the content in pieces of the profile's length.
    Raises: BlobCorrupt: it makes another one.
    """
    got = unixfs.add_file(leaves, lambda _, __: None).cid
    if got != cid:
        raise BlobCorrupt(cid=cid, got=got.digest.hex())
