"""Vectors larger than memory: rows that are maps of files, and reading them a part at a time.

A mapped row is an ordinary array. Whoever goes over many of them does so in parts and forgets each part behind it, so
that resident memory stays that of a part; what the operating system keeps of the file is its own affair. Files are
`ledger.spool`'s: what judges reaches none.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the command line starts without numpy
    from numpy.typing import NDArray

    from ledger.spec import Bytes

_STEP = 64
"""Coordinates that slices are whole numbers of: those of the widest step of a kernel."""
SPAN_ENTRIES = 1 << 25
"""Coordinates over all rows that are read before they are forgotten: 128 MiB of int32."""

Keep = Callable[["Iterable[Bytes]"], "Bytes"]


def _keep_in_memory(pieces: Iterable[Bytes]) -> Bytes:
    return b"".join(pieces)


_keep: Keep = _keep_in_memory


def install(keep: Keep) -> None:
    """Say where what is made is kept. Args: keep: returns all pieces as one."""
    global _keep
    _keep = keep


def keep(pieces: Iterable[Bytes]) -> Bytes:
    """Return pieces that are made one after the other as one: in memory, or where `install` said."""
    return _keep(pieces)


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
