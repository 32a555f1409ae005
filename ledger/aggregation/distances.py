"""Exact squared distances and inner products through matrix products in double precision (docs/protocol.md §5.6).

The clamped coordinates of a block are integers below 2**bits in magnitude, bits <= 23 and often less. A run of at most
2**(53 - 2 bits) coordinates, at least 128, is multiplied at once: every partial sum of such a product is an integer
below 2**53, which doubles represent exactly, whatever the order, the fused operations or the threads of the BLAS. The
runs of a block are added in int64 (below 2**46 a coordinate, at most 2**16 of them), blocks in two halves of 26 bits
(below 2**52 for any size d < 2**32), and these in Python's integers.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ledger import kernels
from ledger.aggregation.blocks import Int32Array, Int64Array, Rows, clamp, iter_parts, stack

_EXACT_BITS = 53
_HALF_BITS = 26
_BLOCK_COORDINATES = 1 << 16
_BLOCK_ENTRIES = 1 << 18


def compute_distances(updates: Rows, bound: int) -> list[list[int]]:
    """Return the n × n exact squared distances of the clamped updates.

    Args: updates: n rows int32[d], d < 2**32. bound: 1 to 2**23 - 1.
    """
    gram = compute_gram(updates, bound)
    norms = [gram[i][i] for i in range(len(gram))]
    return [[norms[i] + norms[j] - 2 * g for j, g in enumerate(row)] for i, row in enumerate(gram)]


def compute_gram(updates: Rows, bound: int = (1 << 23) - 1) -> list[list[int]]:
    """Return the n × n exact inner products of the clamped updates.

    Memory beyond the updates is a block of doubles, 2 MiB up to n = 4096.

    Args: updates: n rows int32[d], d < 2**32. bound: 1 to 2**23 - 1.
    """
    n = len(updates)
    fast = kernels.find_for_entries(n * len(updates[0]))
    compiled = None if fast is None else fast.compute_gram(updates, bound=bound)
    if compiled is not None:
        return compiled
    high, low = np.zeros((n, n), dtype=np.int64), np.zeros((n, n), dtype=np.int64)
    for part in iter_parts(updates, entries=min(_BLOCK_ENTRIES, n * _BLOCK_COORDINATES)):
        products = _multiply_block(clamp(stack(updates, part), bound))
        high += products >> _HALF_BITS
        low += products & ((1 << _HALF_BITS) - 1)
    rows = zip(high.tolist(), low.tolist(), strict=True)
    return [[(h << _HALF_BITS) + rest for h, rest in zip(*row, strict=True)] for row in rows]


def _multiply_block(block: Int32Array) -> Int64Array:
    """Return the inner products of a block of at most 2**16 coordinates."""
    n, width = block.shape
    bits = max(int(block.max()), -int(block.min())).bit_length()
    run = min(width, 1 << _EXACT_BITS - 2 * bits)
    doubles: NDArray[np.float64] = block.astype(np.float64)
    whole = width - width % run
    runs = doubles[:, :whole].reshape(n, -1, run).swapaxes(0, 1)
    products: Int64Array = (runs @ runs.swapaxes(1, 2)).astype(np.int64).sum(axis=0)
    if rest := width - whole:
        products += (doubles[:, -rest:] @ doubles[:, -rest:].T).astype(np.int64)
    return products
