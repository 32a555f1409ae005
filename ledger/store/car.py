"""CAR v1 archives: one file that holds a DAG, as `ipfs dag export` writes and `ipfs dag import` reads it.

An archive is a header with the root's identifier, then sections of varint(length), identifier, block. Every block is
hashed while it is indexed, before anything of the archive is used.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from ledger.errors import BlobCorrupt, NotAContentId, NotCanonical, NotFoundError, Oversized, Unavailable, WrongLength
from ledger.spec import Bytes
from ledger.store.cid import CID_BYTES, Cid
from ledger.store.unixfs import MAX_BLOCK_BYTES, NO_LIMIT, Subtree, add_file, walk_distinct
from ledger.store.varint import MAX_VARINT_BYTES, decode_varint, encode_varint

# DAG-CBOR: {"roots": [CID], "version": 1}; a CID is tag 42 around a byte string that starts with 0.
_ROOTS, _VERSION = b"\xa2eroots\x81\xd8\x2a\x58", b"gversion\x01"
_BLOCKS_PER_BYTE = 1 / 4096  # nodes have some 8 kB and leaves 256 KiB: more blocks than this only cost memory
_FEW_BLOCKS = 64


def encode_header(root: Cid) -> bytes:
    """Return the archive's first bytes."""
    link = b"\0" + root.to_bytes()
    body = _ROOTS + bytes([len(link)]) + link + _VERSION
    return encode_varint(len(body)) + body


HEADER_BYTES = len(encode_header(Cid.of(b"")))


def encode_section(cid: Cid, block: Bytes) -> bytes:
    """Return one block as it stands in an archive."""
    return encode_varint(CID_BYTES + len(block)) + cid.to_bytes() + block


def write_car(path: Path, root: Cid, blocks: Iterable[tuple[Cid, bytes]]) -> None:
    """Write an archive, or nothing: the file appears under its name when it is complete and on disk."""
    with _complete_or_absent(path) as file:
        file.write(encode_header(root))
        for cid, block in blocks:
            file.write(encode_section(cid, block))


def pack_file(path: Path, chunks: Iterable[Bytes]) -> Subtree:
    """Cut a file into blocks and write them as an archive in one pass; the root is the last block, not the first."""

    def keep(cid: Cid, block: Bytes) -> None:
        if cid not in kept:
            kept.add(cid)
            file.write(encode_section(cid, block))

    kept: set[Cid] = set()
    with path.open("wb") as file:
        file.seek(HEADER_BYTES)  # the header names the root, which is known last; its length is fixed
        tree = add_file(chunks, keep)
        file.seek(0)
        file.write(encode_header(tree.cid))
    return tree


class CarFile:
    """An open archive whose every block has been hashed.

    Args: path: the file. max_bytes: largest archive to read, in bytes.
    Raises: Oversized: the archive or a block is too large. WrongLength: it ends early. BlobCorrupt: a block is not
    what its identifier names. NotCanonical: header, varint or identifier is malformed. NotFoundError: no such file.
    """

    def __init__(self, path: Path, *, max_bytes: int) -> None:
        try:
            self._file: BinaryIO = path.open("rb")
        except (FileNotFoundError, IsADirectoryError):
            raise NotFoundError(kind="file", name=path, suggestion="") from None
        try:
            self._size_bytes = os.fstat(self._file.fileno()).st_size
            if self._size_bytes > max_bytes:
                raise Oversized(got=self._size_bytes, want=max_bytes)
            self.root = self._read_header()
            self._places = self._index()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> CarFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()

    @property
    def cids(self) -> set[Cid]:
        """The identifiers of all blocks in the archive."""
        return set(self._places)

    def get_block(self, cid: Cid) -> bytes:
        """Return a block, hashed again.

        Raises: Unavailable: the archive does not hold it. BlobCorrupt: the file was changed since it was opened.
        """
        if cid not in self._places:
            raise Unavailable(cid=cid, found=0, stores=1, seconds=0.0, consequence="; the archive does not hold it")
        start, length = self._places[cid]
        self._file.seek(start)
        return _checked(cid, self._file.read(length))

    def verify_complete(self) -> None:
        """Check that the archive holds the blob of its root and nothing else.

        Raises: Unavailable: a block is missing. NotCanonical: blocks are no file of the profile, or do not belong.
        """
        needed = {cid for cid, _ in walk_distinct(self.root, self.get_block, NO_LIMIT)}
        extra = self.cids - needed
        if extra:
            raise NotCanonical(what=f"{len(extra)} blocks of the archive do not belong to its root {self.root}")

    def _read_header(self) -> Cid:
        header = self._file.read(HEADER_BYTES)
        if len(header) < HEADER_BYTES:
            raise WrongLength(got=len(header), want=HEADER_BYTES)
        start = len(encode_varint(HEADER_BYTES)) + len(_ROOTS) + 2
        try:
            root = Cid.from_bytes(header[start : start + CID_BYTES])
        except NotAContentId as error:
            raise NotCanonical(what=f"not a CAR v1 with one root: {error.message}") from None
        if header != encode_header(root):
            raise NotCanonical(what="not a CAR v1 with one root")
        return root

    def _index(self) -> dict[Cid, tuple[int, int]]:
        """Hash every block and return where each one lies."""
        places: dict[Cid, tuple[int, int]] = {}
        at = HEADER_BYTES
        while at < self._size_bytes:
            cid, start, length = self._read_section(at)
            places[cid] = (start, length)
            at = start + length
            if len(places) > _FEW_BLOCKS + self._size_bytes * _BLOCKS_PER_BYTE:
                raise NotCanonical(what=f"{len(places)} blocks within {at} bytes: not the archive of a file")
        return places

    def _read_section(self, at: int) -> tuple[Cid, int, int]:
        """Check the section at an offset; return its identifier and where its block starts and how long it is."""
        start, length = self._section_bounds(at)
        self._file.seek(start)
        section = self._file.read(length)
        try:
            cid = Cid.from_bytes(section[:CID_BYTES])
        except NotAContentId as error:
            raise NotCanonical(what=f"the section at offset {at}: {error.message}") from None
        _checked(cid, section[CID_BYTES:])
        return cid, start + CID_BYTES, length - CID_BYTES

    def _section_bounds(self, at: int) -> tuple[int, int]:
        self._file.seek(at)
        prefix = self._file.read(MAX_VARINT_BYTES)
        try:
            length, prefix_bytes = decode_varint(prefix, 0)
        except WrongLength:
            raise WrongLength(got=self._size_bytes, want=self._size_bytes + 1) from None
        if length < CID_BYTES:
            raise NotCanonical(what=f"the section at offset {at} has {length} bytes, too few for an identifier")
        if length > CID_BYTES + MAX_BLOCK_BYTES:
            raise Oversized(got=length - CID_BYTES, want=MAX_BLOCK_BYTES)
        start = at + prefix_bytes
        if start + length > self._size_bytes:
            raise WrongLength(got=self._size_bytes, want=start + length)
        return start, length


def _checked(cid: Cid, block: bytes) -> bytes:
    got = Cid.of(block, cid.codec)
    if got != cid:
        raise BlobCorrupt(cid=cid, got=got.digest.hex())
    return block


@contextmanager
def _complete_or_absent(path: Path) -> Iterator[BinaryIO]:
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
