"""The zip of a bundle, in which names, sizes and contents fix every byte (docs/bundle.md, The container).

Own code instead of zipfile: a reader must refuse everything that a writer does not write, so that no byte of a bundle
is read by one program and overlooked by another. Source: APPNOTE 6.3.10.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from ledger.errors import BadProof, NotCanonical, NotFoundError, Oversized, WrongLength
from ledger.spec import Bytes
from ledger.spool import map_file

MAX_BUNDLE_BYTES = (1 << 32) - 1
MAX_ENTRIES = 65_534
CHUNK_BYTES = 1 << 20

_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_VERSION, _MADE_BY, _DATE, _MODE = 20, 0x0314, 0x0021, 0x81A40000
_MAX_NAME_BYTES = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A file in a bundle."""

    name: str
    """ASCII."""
    size_bytes: int
    """Length of its content."""
    crc: int
    """CRC-32 of its content."""
    offset: int
    """Where its local header is."""

    @property
    def start(self) -> int:
        """Where its content is."""
        return self.offset + _LOCAL.size + len(self.name)

    def encode_local(self) -> bytes:
        """Return the header in front of the content."""
        sizes = (self.crc, self.size_bytes, self.size_bytes)
        return _LOCAL.pack(b"PK\3\4", _VERSION, 0, 0, 0, _DATE, *sizes, len(self.name), 0) + self.name.encode()

    def encode_central(self) -> bytes:
        """Return the line of the central directory."""
        kind = (_MADE_BY, _VERSION, 0, 0, 0, _DATE)
        lengths = (self.crc, self.size_bytes, self.size_bytes, len(self.name), 0, 0, 0, 0, _MODE, self.offset)
        return _CENTRAL.pack(b"PK\1\2", *kind, *lengths) + self.name.encode()


def encode_end(entries: Sequence[Entry]) -> bytes:
    """Return the central directory and the end record behind these entries."""
    directory = b"".join(entry.encode_central() for entry in entries)
    offset = entries[-1].start + entries[-1].size_bytes if entries else 0
    count = len(entries)
    return directory + _END.pack(b"PK\5\6", 0, 0, count, count, len(directory), offset, 0)


class Container:
    """An open bundle, of which only the structure is checked. Contents are what `chunks` and `read` then give.

    Raises: NotFoundError: no such file. Oversized: more bytes or entries than a bundle has. NotCanonical, WrongLength:
    it is not what `write_container` makes of any files.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._file: BinaryIO = path.open("rb")
        except (FileNotFoundError, IsADirectoryError):
            raise NotFoundError(kind="bundle", name=path, suggestion="") from None
        try:
            self.entries = {entry.name: entry for entry in self._read_entries()}
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Container:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()

    def __contains__(self, name: str) -> bool:
        return name in self.entries

    def chunks(self, name: str) -> Iterator[bytes]:
        """Yield the content of an entry in pieces of at most 1 MiB.

        Raises: NotFoundError: there is none of that name.
        """
        if name not in self.entries:
            raise NotFoundError(kind="entry", name=name, suggestion="")
        at, left = self.entries[name].start, self.entries[name].size_bytes
        while left:
            self._file.seek(at)
            chunk = self._file.read(min(CHUNK_BYTES, left))
            if not chunk:
                raise WrongLength(got=at, want=at + left)
            yield chunk
            at, left = at + len(chunk), left - len(chunk)

    def view(self, name: str) -> memoryview:
        """Return the content of an entry as a view of the file, which may be closed then.

        Raises: NotFoundError: there is none of that name.
        """
        if name not in self.entries:
            raise NotFoundError(kind="entry", name=name, suggestion="")
        entry = self.entries[name]
        return map_file(self._file.fileno())[entry.start : entry.start + entry.size_bytes]

    def read(self, name: str, *, max_bytes: int) -> bytes:
        """Return the content of an entry.

        Raises: NotFoundError: there is none of that name. Oversized: it is larger.
        """
        if name in self.entries and self.entries[name].size_bytes > max_bytes:
            raise Oversized(got=self.entries[name].size_bytes, want=max_bytes)
        return b"".join(self.chunks(name))

    def compute_digest(self, name: str) -> str:
        """Return the SHA-256 of an entry's content, in hex.

        Raises: BadProof: its CRC-32 is not the one in the directory.
        """
        digest, crc = hashlib.sha256(), 0
        for chunk in self.chunks(name):
            digest.update(chunk)
            crc = zlib.crc32(chunk, crc)
        if crc != self.entries[name].crc:
            raise BadProof(what=f"{name} has CRC-32 {crc:08x}, the directory says {self.entries[name].crc:08x}")
        return digest.hexdigest()

    def _read_entries(self) -> list[Entry]:
        size = os.fstat(self._file.fileno()).st_size
        if size > MAX_BUNDLE_BYTES:
            raise Oversized(got=size, want=MAX_BUNDLE_BYTES)
        if size < _END.size:
            raise WrongLength(got=size, want=_END.size)
        magic, _, _, _, count, length, offset, _ = _END.unpack(self._read_at(size - _END.size, _END.size))
        if magic != b"PK\5\6":
            raise NotCanonical(what="not a bundle: it does not end as a zip archive without a comment does")
        if count > MAX_ENTRIES:
            raise Oversized(got=count, want=MAX_ENTRIES)
        if offset + length + _END.size != size or length > count * (_CENTRAL.size + _MAX_NAME_BYTES):
            raise NotCanonical(what="a bundle whose central directory is not where it belongs")
        tail = self._read_at(offset, size - offset)
        entries = list(_decode_directory(tail, count))
        self._verify_layout(entries)
        if encode_end(entries) != tail:
            raise NotCanonical(what="a bundle whose central directory is not the one that its entries have")
        return entries

    def _verify_layout(self, entries: Sequence[Entry]) -> None:
        at, before = 0, ""
        for entry in entries:
            if entry.name <= before:
                raise NotCanonical(what=f"entry {entry.name!r} follows {before!r}")
            header = entry.encode_local()
            if entry.offset != at or self._read_at(at, len(header)) != header:
                raise NotCanonical(what=f"entry {entry.name!r} is not where and how a bundle has it")
            at, before = entry.start + entry.size_bytes, entry.name

    def _read_at(self, at: int, count: int) -> bytes:
        self._file.seek(at)
        return self._file.read(count)


def _decode_directory(tail: bytes, count: int) -> Iterator[Entry]:
    """Yield the entries that a central directory names; everything else is checked by encoding again."""
    at = 0
    for _ in range(count):
        if at + _CENTRAL.size > len(tail):
            raise NotCanonical(what="a bundle with a truncated central directory")
        fields = _CENTRAL.unpack_from(tail, at)
        crc, size, length, offset = fields[7], fields[9], fields[10], fields[16]
        at += _CENTRAL.size
        try:
            name = tail[at : at + length].decode("ascii")
        except UnicodeDecodeError:
            raise NotCanonical(what="a bundle with a name that is not ASCII") from None
        at += length
        yield Entry(name=name, size_bytes=size, crc=crc, offset=offset)


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """A file that waits to be put into a bundle."""

    path: Path
    """Where its content is."""
    size_bytes: int
    """Its length."""
    crc: int
    """CRC-32."""
    sha256: str
    """Hex."""


class Staging:
    """A folder in which a bundle is put together, so that it appears whole or not at all.

    Args: folder: exists and is empty; on the file system of the bundle.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.files: dict[str, Staged] = {}

    def add(self, name: str, chunks: Iterable[Bytes]) -> Staged:
        """Keep a file under a name, in place of an earlier one."""
        path = self._folder / f"{len(self.files):06}"
        digest, crc, size = hashlib.sha256(), 0, 0
        with path.open("wb") as file:
            for chunk in chunks:
                file.write(chunk)
                digest.update(chunk)
                crc, size = zlib.crc32(chunk, crc), size + len(chunk)
        self.files[name] = Staged(path=path, size_bytes=size, crc=crc, sha256=digest.hexdigest())
        return self.files[name]

    def write(self, target: Path) -> None:
        """Write the bundle; its name appears when all of it is on disk.

        Raises: Oversized: it would be too large, or have too many entries.
        """
        entries, offset = [], 0
        for name, staged in sorted(self.files.items()):
            entry = Entry(name=name, size_bytes=staged.size_bytes, crc=staged.crc, offset=offset)
            entries.append(entry)
            offset = entry.start + entry.size_bytes
        end = b"" if offset > MAX_BUNDLE_BYTES or len(entries) > MAX_ENTRIES else encode_end(entries)
        if not end or offset + len(end) > MAX_BUNDLE_BYTES:
            raise Oversized(
                f"the bundle would have {len(entries)} entries and {offset} bytes; "
                f"at most {MAX_ENTRIES} and {MAX_BUNDLE_BYTES} fit",
                hint="make one bundle for each task: --task ID",
            )
        whole = self._folder / "whole"
        with whole.open("wb") as file:
            for entry in entries:
                file.write(entry.encode_local())
                with self.files[entry.name].path.open("rb") as content:
                    shutil.copyfileobj(content, file, CHUNK_BYTES)
            file.write(end)
            file.flush()
            os.fsync(file.fileno())
        whole.replace(target)
        _sync_folder(target.parent)


@contextmanager
def stage(target: Path) -> Iterator[Staging]:
    """Yield a staging folder beside a bundle that is to be written; it is gone afterwards.

    What a killed process left behind for the same bundle is removed first.
    """
    for leftover in target.parent.glob(f".{target.name}.*.partial"):
        if not _is_alive(leftover.name.split(".")[-2]):
            shutil.rmtree(leftover, ignore_errors=True)
    folder = target.parent / f".{target.name}.{os.getpid()}.partial"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield Staging(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _is_alive(pid: str) -> bool:
    if not pid.isdecimal() or int(pid) == os.getpid():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
