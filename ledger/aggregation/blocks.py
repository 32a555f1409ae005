"""Blocks of coordinates, clamped, and exact rounding division (docs/protocol.md §1.3, §1.4)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ledger import mapped

Int32Array = NDArray[np.int32]
Int64Array = NDArray[np.int64]
Rows = Sequence[Int32Array]
"""Updates, int32[d] each, wherever each of them is: in one array, in many, or in mapped files."""

BLOCK_ENTRIES = 1 << 18
"""Entries (clients × coordinates) of a block: 1 MiB of int32, small enough for the cache."""


def iter_blocks(d: int, n: int, *, entries: int = BLOCK_ENTRIES) -> Iterator[slice]:
    """Yield slices that cover d coordinates, each of about `entries` entries over n clients."""
    step = max(64, entries // n)
    for start in range(0, d, step):
        yield slice(start, min(start + step, d))


def iter_parts(rows: Rows, *, entries: int = BLOCK_ENTRIES) -> Iterator[slice]:
    """Yield slices that cover the coordinates of rows, as `iter_blocks` does; what was read of a file is forgotten."""
    return mapped.iter_parts(rows, entries)


def stack(rows: Rows, part: slice) -> Int32Array:
    """Return some coordinates of all rows, int32[n, width]."""
    return np.stack([row[part] for row in rows])


def clamp(block: Int32Array, bound: int) -> Int32Array:
    """Return block limited to [-bound, bound] (§1.4); the block itself when it already is.

    Args: block: int32, any shape. bound: 1 to 2**23 - 1.
    """
    if block.size == 0 or (block.min() >= -bound and block.max() <= bound):
        return block
    return np.clip(block, -bound, bound)


def rdiv(a: Int64Array, b: int) -> Int64Array:
    """Return floor((2a + b) / 2b) per entry (§1.3); numpy floors negatives, as the clause does.

    Args: a: int64 with |a| < 2**61. b: 1 to 2**37. Then |2a + b| < 2**62 + 2**37, within int64.
    """
    return (2 * a + b) // (2 * b)
