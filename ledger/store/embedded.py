"""The embedded content store: real IPFS identifiers and blocks in a folder, no daemon."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from ledger import spool
from ledger.errors import BadConfiguration
from ledger.spec import Bytes
from ledger.store import unixfs
from ledger.store.car import CarFile, write_car
from ledger.store.cid import Cid, Codec
from ledger.store.content import BlobStat, Content, chunks_of, describe_blob
from ledger.store.flatfs import Flatfs, block_key
from ledger.store.pins import Pins, WriterLock


class EmbeddedStore:
    """A folder of content-addressed blocks, safe for several threads and processes at once.

    What `put` returned is on disk and pinned, whatever happens to the process afterwards. Every read hashes what it
    reads. The folder may be a Kubo repository: blocks lie where Kubo's flatfs looks for them.

    Args: path: the store's folder; created if absent.
    Raises: BadConfiguration: the path holds something else.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._blocks = Flatfs(self.path)
        self._pins = Pins(self.path / "pins")
        self._lock = WriterLock(self.path / "lock")
        with self._lock.alone_if_free() as nobody_writes:
            if nobody_writes:
                self._blocks.clear_tmp()

    def put(self, data: Content) -> Cid:
        """Store and pin a blob; return its identifier once it is durable.

        Args: data: the bytes, the file that holds them (read in pieces, never whole), or pieces of any length.
        Raises: NotFoundError: no such file.
        """
        return self.put_all([data])[0]

    def put_all(self, blobs: Iterable[Content]) -> list[Cid]:
        """Store and pin blobs that wait for the disk together; return their identifiers once all are durable.

        Args: blobs: as for `put`.
        Raises: NotFoundError: no such file; nothing was stored.
        """
        with self._lock.writing():
            with self._blocks.writing() as put_block:
                roots = [unixfs.add_file(chunks_of(blob), put_block).cid for blob in blobs]
            self._pins.add(*roots)
        return roots

    def get(self, cid: Cid, *, max_bytes: int) -> Bytes:
        """Return a blob after hashing each of its blocks; a large one is a view of a file without a name.

        Args: max_bytes: largest blob to read; checked before anything but the root is.
        Raises: Unavailable: a block is absent. BlobCorrupt: a block is not what its identifier names. Oversized:
        the blob is larger. NotCanonical: the blocks are intact and no file of the profile.
        """
        return spool.join(self.read(cid, max_bytes=max_bytes), self._blocks.tmp)

    def read(self, cid: Cid, *, max_bytes: int) -> Iterator[bytes]:
        """Yield a blob in verified pieces of at most 256 KiB; arguments and errors as for `get`."""
        return unixfs.read_file(cid, self._blocks.get, max_bytes)

    def stat(self, cid: Cid) -> BlobStat:
        """Return what the root states about a blob; its other blocks are not read.

        Raises: Unavailable, BlobCorrupt, NotCanonical: as for `get`, about the root.
        """
        return describe_blob(cid, self._blocks.get(cid))

    def pin(self, cid: Cid) -> None:
        """Keep a blob from garbage collection, after reading all of it.

        Raises: Unavailable, BlobCorrupt, NotCanonical: as for `get`; nothing is pinned then.
        """
        with self._lock.writing():
            for _ in unixfs.walk_distinct(cid, self._blocks.get, unixfs.NO_LIMIT):
                pass
            self._pins.add(cid)

    def unpin(self, cid: Cid) -> None:
        """Leave a blob to the next garbage collection; nothing happens if it was not pinned."""
        self._pins.remove(cid)

    def is_pinned(self, cid: Cid) -> bool:
        """Tell whether a blob is pinned by its root."""
        return cid in self._pins

    def list_pins(self) -> list[Cid]:
        """Return the pinned roots in the order of their text."""
        return list(self._pins)

    def put_block(self, block: bytes, codec: Codec = Codec.RAW) -> Cid:
        """Store one block, durably but unpinned; return its identifier."""
        cid = Cid.of(block, codec)
        with self._lock.writing(), self._blocks.writing() as put_block:
            put_block(cid, block)
        return cid

    def get_block(self, cid: Cid) -> bytes:
        """Return one block after hashing it.

        Raises: Unavailable: it is absent. BlobCorrupt: it is not what its identifier names.
        """
        return self._blocks.get(cid)

    def block_path(self, cid: Cid) -> Path:
        """Return where a block's file is, or would be: for messages that name what to replace."""
        return self._blocks.block_path(cid)

    def export_car(self, cid: Cid, path: Path) -> None:
        """Write a blob as a CAR v1 archive: complete, or not at all.

        Raises: Unavailable, BlobCorrupt, NotCanonical: as for `get`.
        """
        write_car(path, cid, unixfs.walk_distinct(cid, self._blocks.get, unixfs.NO_LIMIT))

    def import_car(self, path: Path, *, max_bytes: int = unixfs.NO_LIMIT) -> Cid:
        """Store and pin the blob of a CAR v1 archive: all of it, or nothing.

        Args: max_bytes: largest archive to read.
        Raises: Oversized, WrongLength, NotCanonical, BlobCorrupt: the archive is malformed. Unavailable: it lacks a
        block of its root. NotFoundError: no such file.
        """
        with CarFile(path, max_bytes=max_bytes) as archive, self._lock.writing():
            archive.verify_complete()
            with self._blocks.writing() as put_block:
                for cid in archive.cids:
                    put_block(cid, archive.get_block(cid))
            self._pins.add(archive.root)
            return archive.root

    def gc(self) -> int:
        """Remove every block that no pin needs; return how many were removed.

        Raises: Unavailable, BlobCorrupt, NotCanonical: a pinned blob is damaged; nothing was removed then.
        BadConfiguration: the folder is a Kubo repository, whose own pins are not known here.
        """
        if (self.path / "datastore_spec").exists():
            raise BadConfiguration(file=self.path, what="a Kubo repository; its garbage is collected by ipfs repo gc")
        with self._lock.alone():
            self._blocks.clear_tmp()
            kept = {
                block_key(cid)
                for root in self._pins
                for cid, _ in unixfs.walk_distinct(root, self._blocks.get, unixfs.NO_LIMIT)
            }
            return self._blocks.remove_except(kept)
