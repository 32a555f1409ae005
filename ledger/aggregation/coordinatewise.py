"""Rules that treat every coordinate by itself: sums, means, median, trimmed mean (docs/protocol.md §5.1 to §5.5).

Large rounds are left to compiled kernels where there are any (`ledger.kernels`).

Ranges, with n < 2**16 updates, |x| <= bound < 2**23 after clamping and weights < 2**20: a sum stays below
2**16 * 2**23 = 2**39, a weighted sum below 2**16 * 2**20 * 2**23 = 2**59, a sum of weights below 2**36. All of
it, doubled for rounding too, fits int64. Every result lies between the smallest and the largest x, thus fits int32.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ledger import kernels
from ledger.aggregation.blocks import Int32Array, Int64Array, Rows, clamp, iter_parts, rdiv, stack

_COLUMN_ENTRIES = 1 << 15
"""Coordinates that are summed at a time."""


def compute_sum32(updates: Rows) -> Int32Array:
    """Return the sums modulo 2**32, signed (§5.1).

    Args: updates: n rows int32[d]. Unsigned 32-bit addition wraps modulo 2**32 by definition.
    """
    fast = kernels.find_for_entries(_count_entries(updates))
    compiled = None if fast is None else fast.sum32(updates)
    if compiled is not None:
        return compiled
    sums: NDArray[np.uint32] = np.zeros(len(updates[0]), dtype=np.uint32)
    for part in iter_parts(updates):
        for row in updates:
            sums[part] += row[part].view(np.uint32)
    return sums.view(np.int32)


def compute_mean(updates: Rows, bound: int, *, slots: Sequence[int] | None = None) -> Int32Array:
    """Return rdiv(sum, n) per coordinate (§5.2), over the given slots if any (§5.6).

    Args: updates: n rows int32[d]. bound: 1 to 2**23 - 1. slots: at least one row number; None for every row.
    """
    rows = updates if slots is None else [updates[slot] for slot in slots]
    fast = kernels.find_for_entries(_count_entries(rows))
    compiled = None if fast is None else fast.reduce_middle(rows, bound=bound, trim=0, divisor=len(rows))
    return _compute_weighted(rows, bound, [1] * len(rows)) if compiled is None else compiled


def compute_weighted_mean(updates: Rows, bound: int, weights: Sequence[int]) -> Int32Array:
    """Return rdiv(sum of w x, sum of w) per coordinate, zeros where nobody weighs anything (§5.3).

    Args: updates: n rows int32[d]. bound: 1 to 2**23 - 1. weights: n integers of 0 to 2**20 - 1.
    """
    if not any(weights):
        return np.zeros(len(updates[0]), dtype=np.int32)
    fast, total = kernels.find_for_entries(_count_entries(updates)), sum(weights)
    compiled = None if fast is None else fast.reduce_weighted(updates, bound=bound, weights=weights, divisor=total)
    return _compute_weighted(updates, bound, weights) if compiled is None else compiled


def _compute_weighted(rows: Rows, bound: int, weights: Sequence[int]) -> Int32Array:
    result = np.empty(len(rows[0]), dtype=np.int32)
    total = sum(weights)
    for part in iter_parts(rows, entries=_COLUMN_ENTRIES * len(rows)):
        sums = np.zeros(part.stop - part.start, dtype=np.int64)
        for row, weight in zip(rows, weights, strict=True):
            sums += _scale(clamp(row[part], bound), weight)
        result[part] = rdiv(sums, total)
    return result


def _count_entries(rows: Rows) -> int:
    return len(rows) * len(rows[0])


def _scale(row: Int32Array, weight: int) -> Int32Array | Int64Array:
    return row if weight == 1 else np.multiply(row, weight, dtype=np.int64)


def compute_median(updates: Rows, bound: int) -> Int32Array:
    """Return the middle value per coordinate, or rdiv of the two middle values' sum by 2 (§5.4).

    Args: updates: n rows int32[d]. bound: 1 to 2**23 - 1.
    """
    n = len(updates)
    return _compute_trimmed(updates, bound, (n - 1) // 2)


def compute_trimmed_mean(updates: Rows, bound: int, trim: int) -> Int32Array:
    """Return rdiv of what is left without the `trim` lowest and highest values (§5.5).

    Args: updates: n rows int32[d], n > 2 * trim. bound: 1 to 2**23 - 1.
    """
    return _compute_trimmed(updates, bound, trim)


def _compute_trimmed(updates: Rows, bound: int, trim: int) -> Int32Array:
    n = len(updates)
    fast = kernels.find_for_entries(_count_entries(updates))
    compiled = None if fast is None else fast.reduce_middle(updates, bound=bound, trim=trim, divisor=n - 2 * trim)
    if compiled is not None:
        return compiled
    result = np.empty(len(updates[0]), dtype=np.int32)
    for part in iter_parts(updates):
        # Clients side by side: numpy sorts short contiguous rows fastest. Equal integers are interchangeable,
        # so that no sort, stable or not, can give another sum.
        columns = np.ascontiguousarray(clamp(stack(updates, part), bound).T)
        columns.sort(axis=1)
        kept = columns[:, trim : n - trim]
        result[part] = rdiv(kept.sum(axis=1, dtype=np.int64), n - 2 * trim)
    return result
