"""Exact squared distances for Krum and Multi-Krum through a Gram matrix in double precision (docs/protocol.md §5.6).

Each clamped coordinate is split as x = 2**12 h + l with 0 <= l < 2**12 and, since |x| < 2**23, |h| <= 2**11. The
products of two limbs are integers below 2**24, so that the sum of a block of at most 2**16 coordinates, and every
partial sum of it, is an integer below 2**40. Doubles represent integers exactly up to 2**53: whatever the order, the
fused operations or the threads of the BLAS, each step is exact. Blocks are added in int64 (below 2**24 * 2**32 =
2**56 for any size d < 2**32) and recombined in Python's integers.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ledger.aggregation.blocks import Int32Array, Int64Array, clamp, iter_blocks

_LIMB_BITS = 12
_BLOCK_COORDINATES = 1 << 16
_BLOCK_ENTRIES = 1 << 18


def compute_distances(updates: Int32Array, bound: int) -> list[list[int]]:
    """Return the n × n exact squared distances of the clamped updates.

    Args: updates: int32[n, d], d < 2**32. bound: 1 to 2**23 - 1.
    """
    gram = compute_gram(clamp(updates, bound))
    norms = [gram[i][i] for i in range(len(gram))]
    return [[norms[i] + norms[j] - 2 * g for j, g in enumerate(row)] for i, row in enumerate(gram)]


def compute_gram(updates: Int32Array) -> list[list[int]]:
    """Return the n × n exact inner products of updates. Args: updates: int32[n, d] below 2**23 in magnitude."""
    n, d = updates.shape
    limbs = np.zeros((2 * n, 2 * n), dtype=np.int64)
    for part in iter_blocks(d, n, entries=min(_BLOCK_ENTRIES, n * _BLOCK_COORDINATES)):
        limbs += _compute_block(updates[:, part])
    high, mixed, low = limbs[:n, :n], limbs[:n, n:], limbs[n:, n:]
    mixed = mixed + mixed.T
    return _recombine(high, mixed, low)


def _compute_block(block: Int32Array) -> Int64Array:
    n, width = block.shape
    limbs: NDArray[np.float64] = np.empty((2 * n, width))
    limbs[:n] = block >> _LIMB_BITS
    limbs[n:] = block & ((1 << _LIMB_BITS) - 1)
    return (limbs @ limbs.T).astype(np.int64)


def _recombine(high: Int64Array, mixed: Int64Array, low: Int64Array) -> list[list[int]]:
    rows = zip(high.tolist(), mixed.tolist(), low.tolist(), strict=True)
    return [[((h << _LIMB_BITS) + m << _LIMB_BITS) + rest for h, m, rest in zip(*row, strict=True)] for row in rows]
