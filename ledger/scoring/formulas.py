"""What is said of a client's update by its inner products with the others, in exact integers of 2**-16.

Every function is of the n × n Gram matrix of the round's included updates, and gives one integer a slot. Reordering
the clients reorders the result and changes nothing else; of the size of the updates only `measure_anomaly`'s and
`measure_effort`'s ratios remain. docs/monitoring.md says what each number means, and what it does not prove.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isqrt

from ledger.spec.gram import Gram, compute_distances_from_gram, lower_median
from ledger.spec.numbers import clamp, rdiv

UNIT_BITS = 16
ONE = 1 << UNIT_BITS
"""1 in the fixed point of all scores."""
LARGEST = (1 << 47) - 1
"""No score is larger in magnitude: 2**31 in real numbers."""
SPREAD = (7413, 5000)
"""1.4826: from a median absolute deviation to the standard deviation of a normal distribution."""
LEAST_SPREAD = 4
"""The median absolute deviation counts as a quarter of the median at least: honest clients differ by that much."""
LEAST_NOVELTY = 5
"""The median novelty counts as a fifth at least: below, honest clients cannot be told from a replay."""
MEMORY = 4
"""A round moves trust by a quarter of what is between it and what the round says."""
FIRST_TRUST = ONE // 2
"""Of a client that nobody knows yet."""


def measure_anomaly(gram: Gram) -> list[int]:
    """Return by how many spreads each update lies farther from the others than is usual; negative if it lies nearer.

    An update's distance is the lower median of its distances to all others, so that less than half of the clients
    cannot move an honest one's. m is the lower median of these, the spread 1.4826 times the lower median of
    |distance − m|, which counts as m/4 at least. It fires from four clients on, unlike a score from mean and standard
    deviation, whose largest value among n is (n − 1)/√n: 1.5 among four.
    Source: modified z-score, Iglewicz and Hoaglin 1993.
    """
    n = len(gram)
    if n < 2:
        return [0] * n
    far = [
        lower_median([isqrt(square << 2 * UNIT_BITS) for j, square in enumerate(row) if j != i])
        for i, row in enumerate(compute_distances_from_gram(gram))
    ]
    middle = lower_median(far)
    spread = max(lower_median([abs(each - middle) for each in far]), middle // LEAST_SPREAD, 1)
    times, parts = SPREAD
    return [clamp(rdiv((each - middle) * parts * ONE, times * spread), LARGEST) for each in far]


def measure_strength(gram: Gram) -> list[int]:
    """Return each update's norm in that of the median update, at most 1; 0 of a zero update."""
    squares = [gram[i][i] for i in range(len(gram))]
    middle = lower_median([square for square in squares if square] or [1])
    return [min(ONE, isqrt((square << 2 * UNIT_BITS) // middle)) for square in squares]


def measure_novelty(squares: Sequence[int], products: Sequence[int], step_square: int) -> list[int]:
    """Return 1 − |cosine to the last global step|: 1 where there was no such step, 0 of a zero update.

    Args: squares: |x|² of each update. products: its inner product with the step. step_square: |step|², 0 for none.
    """
    return [
        (ONE - abs(find_cosine(product, square, step_square)) if step_square else ONE) if square else 0
        for square, product in zip(squares, products, strict=True)
    ]


def measure_effort(strengths: Sequence[int], novelties: Sequence[int]) -> list[int]:
    """Return the least of 1, the strength, and the novelty in that of the median update, which counts as 1/5 at least.

    Near 0 of who sends nothing, next to nothing, or what was there before. That clients of one round repeat its
    direction by and by is usual, early in a run above all: so the cohort is the measure.
    """
    middle = max(lower_median(novelties or [0]), ONE // LEAST_NOVELTY)
    return [min(ONE, s, n * ONE // middle) for s, n in zip(strengths, novelties, strict=True)]


def measure_duplicates(gram: Gram) -> list[int]:
    """Return 1 − the largest cosine to another update: 0 of copies, 1 of an update without a like; two zeros are alike.

    Who copied whom it does not tell: only commitments before reveals do.
    """
    n, squares = len(gram), [gram[i][i] for i in range(len(gram))]
    likeness = [
        max((_find_likeness(gram[i][j], squares[i], squares[j]) for j in range(n) if j != i), default=0)
        for i in range(n)
    ]
    return [ONE - max(0, like) for like in likeness]


def _find_likeness(product: int, one: int, other: int) -> int:
    return ONE if one == other == 0 else find_cosine(product, one, other)


def measure_influence(products: Sequence[int], weights: Sequence[int]) -> list[int]:
    """Return each update's share of the pull towards the aggregate; negative if it pulled the other way.

    w ⟨x, a⟩ / Σ |w ⟨x, a⟩|: the magnitudes add up to 1. Of a (weighted) mean whose updates all pull its way it is the
    share of the aggregate's squared norm. Of another rule it says how alike update and outcome are, and no more.

    Args: products: inner product of each update with the aggregate. weights: what each weighs, 1 under most rules.
    """
    pulls = [weight * product for weight, product in zip(weights, products, strict=True)]
    total = sum(map(abs, pulls))
    return [rdiv(pull * ONE, total) if total else 0 for pull in pulls]


def update_trust(before: int, *, is_good: bool) -> int:
    """Return the trust after a round: a quarter of the way nearer to 1, or to 0.

    Args: before: 0 to ONE.
    """
    return before + rdiv((ONE if is_good else 0) - before, MEMORY)


def find_cosine(product: int, one: int, other: int) -> int:
    """Return a cosine, rounded towards zero, from an inner product and two squared norms; 0 where a norm is 0."""
    if not one or not other:
        return 0
    size = min(ONE, isqrt((product * product << 2 * UNIT_BITS) // (one * other)))
    return size if product >= 0 else -size
