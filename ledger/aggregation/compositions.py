"""Composed rules on arrays (docs/protocol.md §5.9, §5.10): the stages of `spec.compositions` with faster vectors.

The inner products of the clamped updates are computed once, exactly (`distances`); every later stage that mixes or
leaves out vectors is an n × n matrix of integers, so that coordinates are read again only where a vector is clipped and
at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from math import isqrt

import numpy as np

from ledger import kernels, mapped
from ledger.aggregation.blocks import (
    BLOCK_ENTRIES,
    Int32Array,
    Int64Array,
    Rows,
    clamp,
    iter_blocks,
    iter_parts,
    rdiv,
    stack,
)
from ledger.aggregation.distances import compute_gram
from ledger.spec import compositions
from ledger.spec.compositions import Composition, Context
from ledger.spec.gram import KEPT_BITS, SQUARINGS, Gram, Mixture, ceil_sqrt
from ledger.spec.numbers import MAX_BOUND
from ledger.spec.numbers import rdiv as rdiv_one

_MAX_DIVISOR = 1 << 60
_MAX_RESULT = 1 << 48
"""Up to here a double finds a quotient to within one, and the remainder fits int64."""


def aggregate_composed(composition: Composition, context: Context, updates: Rows, bound: int) -> Int32Array:
    """Return what `spec.compositions.evaluate` returns for the same input, bit for bit.

    Args: context: clients, weights and seed. updates: n rows int32[d], clients in rising id. bound: 1 to 2**23 - 1.
    Returns: int32[d].
    """
    rows = ArrayRows(_clamp(updates, bound))
    values = compositions.evaluate(composition, rows, context, bound)
    return np.asarray(values, dtype=np.int32)


def choose_updates(composition: Composition, context: Context, updates: Rows, bound: int) -> list[int]:
    """Return the slots that a composition which only selects is the mean of, rising."""
    return compositions.select(composition, ArrayRows(_clamp(updates, bound)), context)


def _clamp(updates: Rows, bound: int) -> Rows:
    rows = []
    for row in updates:
        rows.append(np.ascontiguousarray(clamp(row, bound)))
        mapped.forget(row)
    return rows


class ArrayRows:
    """m vectors: rows, or integer mixtures of them. The rows themselves are never copied."""

    def __init__(
        self,
        base: Rows,
        slots: Sequence[int] | None = None,
        *,
        mixture: Mixture | None = None,
        gram: Gram | None = None,
    ) -> None:
        """Args: base: n rows int32[d], below 2**23 in magnitude. slots: which of them count; None for all. mixture: m
        rows of one integer a slot; None for the slots themselves. gram: of the slots, where it is known.
        """
        self.base = base
        self.slots = list(range(len(base))) if slots is None else list(slots)
        self._mixture = mixture
        self._known = gram

    def __len__(self) -> int:
        return len(self.slots) if self._mixture is None else len(self._mixture)

    @property
    def _rows(self) -> Rows:
        return [self.base[slot] for slot in self.slots]

    @property
    def _size(self) -> int:
        return len(self.base[0])

    @cached_property
    def _slot_gram(self) -> Gram:
        if self._known is not None:
            return self._known
        return compute_gram(self._rows)

    @cached_property
    def _gram(self) -> Gram:
        if self._mixture is None:
            return self._slot_gram
        parts = np.array(self._mixture, dtype=object)
        product = parts @ np.array(self._slot_gram, dtype=object) @ parts.T
        return [[int(x) for x in row] for row in product]

    def gram(self) -> Gram:
        """Return all inner products."""
        return self._gram

    def find_power(self, matrix: Gram) -> Gram:
        """Return the matrix squared again and again; every sum is below 2**62, since entries are below 2**23."""
        power = np.array(matrix, dtype=np.int64)
        for _ in range(SQUARINGS):
            power = power @ power
            sizes = np.abs(power)
            excess = max(0, int(sizes.max()).bit_length() - KEPT_BITS)
            power = np.sign(power) * (sizes >> excess)
        result: list[list[int]] = power.tolist()
        return result

    def take(self, slots: Sequence[int]) -> ArrayRows:
        """Return some of the vectors."""
        gram = self._slot_gram
        if self._mixture is not None:
            return ArrayRows(self.base, self.slots, mixture=[self._mixture[slot] for slot in slots], gram=gram)
        kept = [[gram[i][j] for j in slots] for i in slots]
        return ArrayRows(self.base, [self.slots[slot] for slot in slots], gram=kept)

    def mix(self, mixture: Mixture) -> ArrayRows:
        """Return the vectors Σ mixture[k][i] x[i]."""
        if self._mixture is not None:
            product = np.array(mixture, dtype=object) @ np.array(self._mixture, dtype=object)
            mixture = [[int(x) for x in row] for row in product]
        return ArrayRows(self.base, self.slots, mixture=mixture, gram=self._slot_gram)

    def shrink(self, squares: Sequence[tuple[int, int]]) -> ArrayRows:
        """Return every vector scaled down; of mixtures it is never asked."""
        pairs = zip(self._rows, squares, strict=True)
        return ArrayRows([_shrink(row, *square) if square[1] > square[0] else row for row, square in pairs])

    def divide(self, weights: Sequence[int], divisor: int) -> Sequence[int]:
        """Return rdiv(Σ w x, divisor) of every coordinate."""
        coefficients = list(weights)
        if self._mixture is not None:
            columns = zip(*self._mixture, strict=True)
            coefficients = [sum(w * part for w, part in zip(weights, column, strict=True)) for column in columns]
        used = [(row, c) for row, c in zip(self._rows, coefficients, strict=True) if c]
        result = np.zeros(self._size, dtype=np.int64)
        if divisor and used:
            for part in iter_parts([row for row, _ in used], entries=BLOCK_ENTRIES * len(used)):
                result[part] = _divide([(row[part], c) for row, c in used], part, divisor)
        return result  # type: ignore[return-value]  # an array is a sequence

    def middle(self, trim: int, divisor: int) -> Sequence[int]:
        """Return rdiv of what is left without the `trim` lowest and highest values."""
        fast = kernels.find_for_entries(len(self.base) * self._size)
        compiled = None if fast is None else self._reduce(fast, trim, divisor)
        if compiled is not None:
            return compiled  # type: ignore[return-value]  # an array is a sequence
        kept = slice(trim, len(self) - trim)
        return self._by_block(lambda ordered: rdiv(ordered[:, kept].sum(axis=1, dtype=np.int64), divisor))

    def _reduce(self, fast: kernels.Kernels, trim: int, divisor: int) -> Int32Array | None:
        if self._mixture is None:
            return fast.reduce_middle(self._rows, bound=MAX_BOUND, trim=trim, divisor=divisor)
        return fast.reduce_mixed(self._rows, self._mixture, trim=trim, divisor=divisor)

    def guarded(self, trim: int, divisor: int) -> Sequence[int]:
        """Return the mean, no lower and no higher than what is left without the `trim` lowest and highest values."""
        n = len(self)
        k = min(trim, (n - 1) // 2)

        def guard(ordered: Int64Array) -> Int64Array:
            ends = (rdiv(ordered[:, at], divisor) for at in (k, n - 1 - k))
            mean: Int64Array = np.clip(rdiv(ordered.sum(axis=1), n * divisor), *ends)
            return mean

        return self._by_block(guard)

    def fenced(self, trim: int, widths: int, divisor: int) -> Sequence[int]:
        """Return the mean of values limited to fences around what is left without the lowest and highest."""
        n = len(self)
        k = min(trim, (n - 1) // 2)
        # A range is below 2**31: that many widths limit nothing, and int64 holds them.
        times = min(widths, 1 << 31)

        def fence(ordered: Int64Array) -> Int64Array:
            low, high = ordered[:, k], ordered[:, n - 1 - k]
            room = times * (high - low)
            limited = np.clip(ordered, (low - room)[:, None], (high + room)[:, None])
            return rdiv(limited.sum(axis=1), n * divisor)

        return self._by_block(fence)

    def nearest(self, count: int, divisor: int) -> Sequence[int]:
        """Return rdiv of the sum of the values nearest to the median, ties to the lower value."""
        return self._by_block(lambda ordered: rdiv(_find_nearest(ordered, count).sum(axis=1), divisor))

    def _by_block(self, combine: Callable[[Int64Array], Int64Array]) -> Sequence[int]:
        """Return what a function makes of each coordinate's values, int64[d, m] in rising order."""
        result = np.empty(self._size, dtype=np.int64)
        for part in iter_parts(self._rows, entries=BLOCK_ENTRIES // 2):
            # Sorted as they are stored: twice as fast in int32 as in int64.
            block = stack(self._rows, part) if self._mixture is None else self._mix_part(part)
            columns = np.ascontiguousarray(block.T)
            columns.sort(axis=1)
            result[part] = combine(columns.astype(np.int64, copy=False))
        return result  # type: ignore[return-value]

    def _mix_part(self, part: slice) -> Int64Array:
        # Exact in doubles: the parts of a row sum up to less than 2**30, a coordinate is below 2**23.
        mixed = np.array(self._mixture, dtype=np.float64) @ stack(self._rows, part)
        return mixed.astype(np.int64)

    def limit(self, values: Sequence[int], bound: int) -> Sequence[int]:
        """Return values limited to [-bound, bound]."""
        found = np.asarray(values)
        limited: Int64Array = np.clip(found, -bound, bound, out=found)
        return limited  # type: ignore[return-value]


def _shrink(row: Int32Array, radius: int, norm: int) -> Int32Array:
    """Return a vector scaled from a squared norm to a squared radius; a large one is kept in a file."""

    def iter_scaled() -> Iterator[bytes]:
        for part in iter_blocks(len(row), 1):
            # Below 2**23 * 2**39, since a norm is below 2**23 * sqrt(2**32).
            sizes = np.abs(row[part]).astype(np.int64) * isqrt(radius) // ceil_sqrt(norm)
            yield np.where(row[part] < 0, -sizes, sizes).astype(np.int32).tobytes()
        mapped.forget(row)

    return np.frombuffer(mapped.keep(iter_scaled()), dtype=np.int32)


def _find_nearest(ordered: Int64Array, count: int) -> Int64Array:
    """Return the `count` values of each row that are nearest to its median. Args: ordered: int64[d, m], rising."""
    n = ordered.shape[1]
    twice = ordered[:, (n - 1) // 2] + ordered[:, n // 2]
    order = np.argsort(np.abs(2 * ordered - twice[:, None]), axis=1, kind="stable")  # of equals the lower value
    return np.take_along_axis(ordered, order[:, :count], axis=1)


def _divide(terms: Sequence[tuple[Int32Array, int]], part: slice, divisor: int) -> Int64Array:
    """Return rdiv(Σ c x, divisor) per coordinate, exactly, for coefficients and divisors beyond 64 bits of product.

    A double finds the quotient to within one. The remainder 2 Σ c x + b − 2 b q is then below 4 b in magnitude, and
    int64 holds it although its terms wrap around, since they do so modulo 2**64 alike.
    """
    rough = np.zeros(part.stop - part.start)
    for row, coefficient in terms:
        rough += row * (coefficient / divisor)
    if divisor > _MAX_DIVISOR or np.max(np.abs(rough), initial=0.0) > _MAX_RESULT:
        columns = zip(*(row.tolist() for row, _ in terms), strict=True)
        sums = (sum(c * x for (_, c), x in zip(terms, column, strict=True)) for column in columns)
        return np.array([rdiv_one(total, divisor) for total in sums], dtype=np.int64)
    quotient = np.floor(rough + 0.5).astype(np.int64)
    remainder = _wrap(divisor) - quotient * _wrap(2 * divisor)
    for row, coefficient in terms:
        remainder += row * _wrap(2 * coefficient)
    return quotient + remainder // (2 * divisor)


def _wrap(x: int) -> np.int64:
    """Return x modulo 2**64 as int64."""
    return np.uint64(x & (2**64 - 1)).astype(np.int64)
