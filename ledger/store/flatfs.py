"""Blocks as plain files in the layout of Kubo's flatfs, so that the folder can be a Kubo repository's block folder.

A block lies in `blocks/KE/KEY.data`: KEY is its multihash in upper-case base32, KE the next-to-last two characters.
"""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ledger.errors import BadConfiguration, BlobCorrupt, Oversized, Unavailable
from ledger.spec import Bytes
from ledger.store.cid import Cid
from ledger.store.unixfs import MAX_BLOCK_BYTES

_SHARDING = "/repo/flatfs/shard/v1/next-to-last/2\n"
_SUFFIX = ".data"


def block_key(cid: Cid) -> str:
    """Return the name under which flatfs keeps a block: its multihash, whatever the codec."""
    return base64.b32encode(cid.multihash).decode().rstrip("=")


class Flatfs:
    """The block folder of a store.

    Args: path: folder that holds `blocks/` and, while blocks are written, `tmp/`. Created if absent.
    Raises: BadConfiguration: something else is there, or another sharding.
    """

    def __init__(self, path: Path) -> None:
        self._blocks = path / "blocks"
        self.tmp = path / "tmp"
        sharding = self._blocks / "SHARDING"
        try:
            for folder in (self._blocks, self.tmp):
                folder.mkdir(parents=True, exist_ok=True)
            if not sharding.exists():
                partial = self.tmp / _make_name()
                partial.write_text(_SHARDING)
                sync_path(partial)
                partial.replace(sharding)
        except (FileExistsError, NotADirectoryError):
            raise BadConfiguration(file=path, what="the store's path is a file, not a folder") from None
        if sharding.read_text().strip() != _SHARDING.strip():
            raise BadConfiguration(file=sharding, what=f"another sharding than {_SHARDING.strip()}")

    def block_path(self, cid: Cid) -> Path:
        """Return where a block's file is, or would be."""
        key = block_key(cid)
        return self._blocks / key[-3:-1] / (key + _SUFFIX)

    @contextmanager
    def writing(self) -> Iterator[Callable[[Cid, Bytes], None]]:
        """Yield what writes a block unless an intact copy is there; all of them are durable once this is left.

        The blocks of a batch wait for the disk together: for all bytes, then for all names. When something raises
        before the names, none of them is there.
        """
        partials: dict[Path, Path] = {}
        folders = {self._blocks}

        def put(cid: Cid, block: Bytes) -> None:
            path = self.block_path(cid)
            folders.add(path.parent)
            if path not in partials and not _holds(path, block):
                partials[path] = self.tmp / _make_name()
                partials[path].write_bytes(block)

        try:
            yield put
            for partial in partials.values():
                sync_path(partial)
            for path, partial in partials.items():
                path.parent.mkdir(exist_ok=True)
                partial.replace(path)
        except BaseException:
            for partial in partials.values():
                partial.unlink(missing_ok=True)
            raise
        for folder in folders:
            sync_path(folder)

    def get(self, cid: Cid) -> bytes:
        """Return a block after hashing it.

        Raises: Unavailable: it is not here. BlobCorrupt: other bytes are under its name. Oversized: it is no block
        that IPFS would carry.
        """
        try:
            with self.block_path(cid).open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                block = file.read(min(size, MAX_BLOCK_BYTES) + 1)
                if not cid.matches(block):
                    file.seek(0)
                    raise BlobCorrupt(cid=cid, got=hashlib.file_digest(file, "sha256").hexdigest())
        except FileNotFoundError:
            raise Unavailable(cid=cid, found=0, stores=1, seconds=0.0, consequence="") from None
        if len(block) > MAX_BLOCK_BYTES:
            raise Oversized(got=len(block), want=MAX_BLOCK_BYTES)
        return block

    def remove_except(self, kept: set[str]) -> int:
        """Remove every block whose key is not in `kept`; return how many were removed."""
        removed = 0
        for path in self._files():
            if path.name.removesuffix(_SUFFIX) not in kept:
                path.unlink()
                removed += 1
        return removed

    def clear_tmp(self) -> None:
        """Remove what killed writers left behind. Only while nobody writes."""
        for path in self.tmp.iterdir():
            path.unlink(missing_ok=True)

    def _files(self) -> Iterator[Path]:
        return self._blocks.glob(f"??/*{_SUFFIX}")


def _make_name() -> str:
    return f"{os.getpid()}-{secrets.token_hex(8)}"


def sync_path(path: Path) -> None:
    """Make the bytes of a file, or the names in a folder, durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _holds(path: Path, block: Bytes) -> bool:
    try:
        return path.stat().st_size == len(block) and path.read_bytes() == block
    except FileNotFoundError:
        return False
