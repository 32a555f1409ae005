"""Validation of updates against each other, on arrays: equal to `ledger.spec.validation`."""

from __future__ import annotations

from collections.abc import Sequence

from ledger.aggregation.blocks import Int32Array
from ledger.aggregation.distances import compute_gram
from ledger.spec.gram import Gram
from ledger.spec.validation import Rejections, Validation, judge_gram

_HALF_BITS = 16


def judge_cohort(
    validation: Validation,
    updates: Sequence[Int32Array],
    clients: Sequence[int],
    previous: Int32Array | None = None,
) -> Rejections:
    """Return what `spec.judge_cohort` returns for the same input.

    Args: updates: n arrays int32[d], below 2**23 in magnitude; only blocks of them are copied. clients: their authors.
    previous: int32[d], any values: the aggregate of the task's last finalised round; None before the first.
    """
    if not updates:
        return {}
    if previous is None:
        return judge_gram(validation, compute_gram(updates), clients)
    halves = (previous >> _HALF_BITS, previous & ((1 << _HALF_BITS) - 1))  # each below 2**23
    return judge_gram(validation, _join_halves(compute_gram([*updates, *halves])), clients)


def _join_halves(gram: Gram) -> Gram:
    """Return the inner products where the last two vectors are the upper and the lower half of one."""
    across = [[*row[:-2], (row[-2] << _HALF_BITS) + row[-1]] for row in gram]
    upper, lower = across[-2:]
    last = [(high << _HALF_BITS) + low for high, low in zip(upper, lower, strict=True)]
    return [*across[:-2], last]
