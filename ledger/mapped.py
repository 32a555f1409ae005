"""Vectors larger than memory: blobs kept in files that have no name, and read through maps, a part at a time.

A mapped row is an ordinary array. Whoever goes over many of them does so in parts and forgets each part behind it, so
that resident memory stays that of a part; what the operating system keeps of the file is its own affair.
"""

from __future__ import annotations

import itertools
import mmap
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the command line starts without numpy
    from numpy.typing import NDArray

    from ledger.spec import Bytes

MAPPED_BYTES = 1 << 20
"""Blobs beyond it are kept in a file."""
_MAX_FILES = 1 << 16
_STEP = 64
"""Coordinates that slices are whole numbers of: those of the widest step of a kernel."""
SPAN_ENTRIES = 1 << 25
"""Coordinates over all rows that are read before they are forgotten: 128 MiB of int32."""


def join(pieces: Iterable[Bytes], folder: Path | None = None) -> Bytes:
    """Return all pieces as one: in memory, or beyond MAPPED_BYTES as a read-only map of a file without a name.

    Args: folder: of the file; None for the system's folder of temporary files.
    """
    held: list[Bytes] = []
    pieces, size = iter(pieces), 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size > MAPPED_BYTES:
            _allow_many_files()
            with tempfile.TemporaryFile(dir=folder) as file:
                file.writelines(itertools.chain(held, pieces))
                file.flush()
                return map_file(file.fileno())
    return b"".join(held)


@cache
def _allow_many_files() -> None:
    """Let this process have as many files open as it may: every map holds one, and a round has a thousand clients."""
    try:
        import resource
    except ModuleNotFoundError:  # a system without such limits
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _MAX_FILES if hard == resource.RLIM_INFINITY else min(hard, _MAX_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def map_file(descriptor: int) -> memoryview:
    """Return the content of a file that is open, read-only; it may be closed. The file must not be empty."""
    return memoryview(mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ))


def forget(data: Bytes | NDArray[Any]) -> None:
    """Let the pages of a mapped file that lie under some data leave memory; they come back when they are read.

    Nothing happens to what is not mapped, or where the system cannot do it.
    """
    import numpy as np

    array: NDArray[Any] = np.frombuffer(data, dtype=np.uint8) if isinstance(data, bytes | memoryview) else data
    source: object = array
    while isinstance(source, np.ndarray | memoryview):
        source = source.obj if isinstance(source, memoryview) else source.base
    if not array.size or not isinstance(source, mmap.mmap) or not hasattr(mmap, "MADV_DONTNEED"):
        return
    start = array.ctypes.data - np.frombuffer(source, dtype=np.uint8).ctypes.data
    first = start - start % mmap.PAGESIZE
    source.madvise(mmap.MADV_DONTNEED, first, start + array.nbytes - first)


def iter_parts(
    rows: Sequence[NDArray[Any]], entries: int = SPAN_ENTRIES, *, step: int | None = None
) -> Iterator[slice]:
    """Yield slices that cover the coordinates of rows; what was read of mapped rows is forgotten behind them.

    Args: rows: at least one, of equal length. entries: of a slice, over all rows, about. step: coordinates of a slice,
    where that is fixed.
    """
    size, forgotten = len(rows[0]), 0
    step = step or max(_STEP, entries // len(rows) // _STEP * _STEP)
    for start in range(0, size, step):
        part = slice(start, min(start + step, size))
        yield part
        if part.stop == size or (part.stop - forgotten) * len(rows) >= SPAN_ENTRIES:
            for row in rows:
                forget(row[forgotten : part.stop])
            forgotten = part.stop
