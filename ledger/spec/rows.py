"""Vectors as composed rules see them, and what is done to their coordinates (docs/protocol.md §5.10).

The specification holds them as lists of integers, the fast path as arrays; the two must agree bit for bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ledger.spec import gram as grams
from ledger.spec.gram import Gram, Mixture
from ledger.spec.numbers import clamp, rdiv


class Rows(Protocol):
    """n vectors of d integers, of any implementation. Nothing here rounds but `shrink` and `divide`."""

    def __len__(self) -> int:
        """Return n."""

    def gram(self) -> Gram:
        """Return all inner products."""

    def find_power(self, matrix: Gram) -> Gram:
        """Return grams.square_repeatedly of a matrix."""

    def take(self, slots: Sequence[int]) -> Rows:
        """Return some of the vectors, in the given order."""

    def mix(self, mixture: Mixture) -> Rows:
        """Return the vectors Σ mixture[k][i] x[i]."""

    def shrink(self, squares: Sequence[tuple[int, int]]) -> Rows:
        """Return every vector scaled down by grams.shrink; (radius², norm²) of each."""

    def divide(self, weights: Sequence[int], divisor: int) -> Sequence[int]:
        """Return rdiv(Σ w x, divisor) of every coordinate; zeros where the divisor is 0."""

    def middle(self, trim: int, divisor: int) -> Sequence[int]:
        """Return rdiv of each coordinate's sum without its `trim` lowest and highest values, by the divisor."""

    def guarded(self, trim: int, divisor: int) -> Sequence[int]:
        """Return each coordinate's mean, no lower and no higher than its values without the `trim` lowest and highest.

        Both are divided by the divisor, and rounded by rdiv; of too few values as many are trimmed as leave one or two.
        """

    def fenced(self, trim: int, widths: int, divisor: int) -> Sequence[int]:
        """Return each coordinate's mean, every value first limited to fences (Tukey 1977), by the divisor.

        They stand so many widths beyond what the `trim` lowest and highest values leave, the width being that range; of
        too few values as many are trimmed as leave one or two.
        """

    def nearest(self, count: int, divisor: int) -> Sequence[int]:
        """Return rdiv of each coordinate's sum of the `count` values nearest to its median, by the divisor."""

    def limit(self, values: Sequence[int], bound: int) -> Sequence[int]:
        """Return values limited to [-bound, bound]."""


class ListRows:
    """Rows as lists of integers: the normative one."""

    def __init__(self, rows: Sequence[Sequence[int]]) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def gram(self) -> Gram:
        """Return all inner products."""
        return grams.compute_gram(self.rows)

    def find_power(self, matrix: Gram) -> Gram:
        """Return the matrix squared again and again."""
        return grams.square_repeatedly(matrix)

    def take(self, slots: Sequence[int]) -> ListRows:
        """Return some of the vectors."""
        return ListRows([self.rows[slot] for slot in slots])

    def mix(self, mixture: Mixture) -> ListRows:
        """Return the vectors Σ mixture[k][i] x[i]."""
        columns = list(zip(*self.rows, strict=True))
        return ListRows([[sum(map(int.__mul__, parts, column)) for column in columns] for parts in mixture])

    def shrink(self, squares: Sequence[tuple[int, int]]) -> ListRows:
        """Return every vector scaled down."""
        pairs = zip(self.rows, squares, strict=True)
        return ListRows([[grams.shrink(x, radius, norm) for x in row] for row, (radius, norm) in pairs])

    def divide(self, weights: Sequence[int], divisor: int) -> Sequence[int]:
        """Return rdiv(Σ w x, divisor) of every coordinate."""
        columns = zip(*self.rows, strict=True)
        return [rdiv(sum(map(int.__mul__, weights, column)), divisor) if divisor else 0 for column in columns]

    def middle(self, trim: int, divisor: int) -> Sequence[int]:
        """Return rdiv of what is left without the `trim` lowest and highest values."""
        columns = zip(*self.rows, strict=True)
        return [rdiv(sum(sorted(column)[trim : len(column) - trim]), divisor) for column in columns]

    def guarded(self, trim: int, divisor: int) -> Sequence[int]:
        """Return the mean, no lower and no higher than what is left without the `trim` lowest and highest values."""
        return [_guard(sorted(column), trim, divisor) for column in zip(*self.rows, strict=True)]

    def fenced(self, trim: int, widths: int, divisor: int) -> Sequence[int]:
        """Return the mean of values limited to fences around what is left without the lowest and highest."""
        return [_fence(sorted(column), trim, widths, divisor) for column in zip(*self.rows, strict=True)]

    def nearest(self, count: int, divisor: int) -> Sequence[int]:
        """Return rdiv of the sum of the values nearest to the median, ties to the lower value."""
        return [rdiv(sum(_find_nearest(column, count)), divisor) for column in zip(*self.rows, strict=True)]

    def limit(self, values: Sequence[int], bound: int) -> Sequence[int]:
        """Return values limited to [-bound, bound]."""
        return [clamp(x, bound) for x in values]


def _guard(ordered: Sequence[int], trim: int, divisor: int) -> int:
    n = len(ordered)
    k = min(trim, (n - 1) // 2)
    return min(max(rdiv(sum(ordered), n * divisor), rdiv(ordered[k], divisor)), rdiv(ordered[n - 1 - k], divisor))


def _fence(ordered: Sequence[int], trim: int, widths: int, divisor: int) -> int:
    n = len(ordered)
    k = min(trim, (n - 1) // 2)
    low, high = ordered[k], ordered[n - 1 - k]
    room = widths * (high - low)
    return rdiv(sum(min(max(x, low - room), high + room) for x in ordered), n * divisor)


def _find_nearest(column: Sequence[int], count: int) -> list[int]:
    ordered, n = sorted(column), len(column)
    twice = ordered[(n - 1) // 2] + ordered[n // 2]
    return sorted(ordered, key=lambda x: (abs(2 * x - twice), x))[:count]
