"""What every content store does, whatever is behind it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ledger.errors import NotFoundError
from ledger.spec import Bytes
from ledger.store import unixfs
from ledger.store.cid import Cid, Codec


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobStat:
    """The sizes of a blob, as its root states them."""

    cid: Cid
    """The root's identifier."""
    size_bytes: int
    """Length of the blob."""
    dag_bytes: int
    """Length of all its blocks together, repeated ones counted each time."""
    num_blocks: int
    """Number of its blocks, repeated ones counted each time."""


Content = Bytes | Path | Iterable[Bytes]
"""A blob: its bytes, the file that holds them, or pieces of any length."""


class ContentStore(Protocol):
    """A place for blobs that are named by what they hold.

    Errors of every store: Unavailable when a block cannot be had (try again, never an accusation), BlobCorrupt when
    other bytes came for it, NotCanonical when its blocks are no file of the profile, Oversized above `max_bytes`.
    """

    def put(self, data: Content) -> Cid:
        """Store and pin a blob; return its identifier."""

    def put_all(self, blobs: Iterable[Content]) -> list[Cid]:
        """Store and pin blobs; return their identifiers in that order."""

    def get(self, cid: Cid, *, max_bytes: int) -> Bytes:
        """Return a blob of at most max_bytes after hashing each of its blocks; a large one is a view of a file."""

    def stat(self, cid: Cid) -> BlobStat:
        """Return the sizes of a blob."""

    def pin(self, cid: Cid) -> None:
        """Keep a blob."""

    def unpin(self, cid: Cid) -> None:
        """Leave a blob to garbage collection."""

    def is_pinned(self, cid: Cid) -> bool:
        """Tell whether a blob is pinned by its root."""

    def put_block(self, block: bytes, codec: Codec = Codec.RAW) -> Cid:
        """Store one block, unpinned; return its identifier."""

    def get_block(self, cid: Cid) -> bytes:
        """Return one block after hashing it."""

    def export_car(self, cid: Cid, path: Path) -> None:
        """Write a blob as a CAR v1 archive."""

    def import_car(self, path: Path) -> Cid:
        """Store and pin the blob of a CAR v1 archive; return its root."""


def chunks_of(data: Content) -> Iterator[Bytes]:
    """Yield a blob in the profile's pieces, none of them copied where that can be.

    Raises: NotFoundError: no such file.
    """
    if not isinstance(data, Path):
        yield from _repack((data,) if isinstance(data, bytes | memoryview) else data)
        return
    try:
        file = data.open("rb")
    except (FileNotFoundError, IsADirectoryError):
        raise NotFoundError(kind="file", name=data, suggestion="") from None
    with file:
        while chunk := file.read(unixfs.CHUNK_BYTES):
            yield chunk


def _repack(pieces: Iterable[Bytes]) -> Iterator[Bytes]:
    rest = b""
    for piece in pieces:
        view = memoryview(piece)
        if rest:
            missing = unixfs.CHUNK_BYTES - len(rest)
            rest, view = rest + view[:missing], view[missing:]
            if len(rest) < unixfs.CHUNK_BYTES:
                continue
            yield rest
        whole = len(view) - len(view) % unixfs.CHUNK_BYTES
        yield from unixfs.split_bytes(view[:whole])
        rest = bytes(view[whole:])
    if rest:
        yield rest


def describe_blob(cid: Cid, root_block: bytes) -> BlobStat:
    """Return the sizes that a verified root block states.

    Raises: NotCanonical: it is no root of the profile.
    """
    tree = unixfs.describe_file(cid, root_block)
    return BlobStat(
        cid=cid,
        size_bytes=tree.size_bytes,
        dag_bytes=tree.dag_bytes,
        num_blocks=unixfs.DEFAULT_SHAPE.num_blocks(tree.size_bytes),
    )
