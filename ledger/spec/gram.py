"""Robust rules on the Gram matrix: selections, mixtures and weights in exact integers (docs/protocol.md §5.10).

Everything that these rules ask of n vectors is in the n × n matrix of their inner products, G[i][j] = Σ x[i] x[j].
Only what follows, a sum or a sort, touches coordinates again. Every function is defined for any n ≥ 1: where f is too
large for n it takes the nearest value that is not. Ties go to the lower slot.
Papers: Krum: Blanchard 2017; Bulyan: El Mhamdi 2018; NNM: Allouah 2023; ARC: Allouah 2025; DnC: Shejwalkar 2021; MDA:
Rousseeuw 1985, El Mhamdi 2020; geometric median: Pillutla 2022; centered clipping: Karimireddy 2021; bucketing:
Karimireddy 2022; FLTrust: Cao 2021; FoolsGold: Fung 2020; linkage by cosine: FLAME (Nguyen 2022) without HDBSCAN.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Sequence
from math import comb, isqrt, lcm

Gram = Sequence[Sequence[int]]
"""n × n inner products: symmetric, positive semidefinite."""
Mixture = list[list[int]]
"""m × n integers: row k of what comes out is Σ mixture[k][i] x[i]."""
FindPower = Callable[[Gram], Gram]
"""`square_repeatedly`."""

GEOMETRIC_MEDIAN_STEPS = 32
CENTERED_CLIPPING_STEPS = 3
SQUARINGS = 10
"""Of the matrix whose leading eigenvector DnC takes: as 1024 steps of the power iteration."""
KEPT_BITS = 23
"""Bits that a matrix keeps in its largest entry before it is squared: with n < 2**16 no sum exceeds 2**62."""
COSINE_BITS = 20
"""Bits after the point of a cosine."""
ONE = 1 << 32
"""1 in Q.32, the format of all weights."""
MAX_SUBSETS = 100_000
"""Most subsets that MDA compares; with more it keeps everybody."""
LN2_Q16 = 45_426


def ceil_sqrt(x: int) -> int:
    """Return the smallest integer whose square is not below x ≥ 0."""
    return isqrt(x - 1) + 1 if x > 0 else 0


def compute_gram(rows: Sequence[Sequence[int]]) -> list[list[int]]:
    """Return the exact inner products of n integer vectors."""
    return [[sum(a * b for a, b in zip(x, y, strict=True)) for y in rows] for x in rows]


def compute_distances_from_gram(gram: Gram) -> list[list[int]]:
    """Return the n × n squared distances."""
    return [[gram[i][i] + gram[j][j] - 2 * g for j, g in enumerate(row)] for i, row in enumerate(gram)]


def compute_scores_from_distances(distances: Gram, f: int) -> list[int]:
    """Return Krum scores from the symmetric n × n matrix of squared distances (§5.6)."""
    n = len(distances)
    return [sum(sorted(distances[i][j] for j in range(n) if j != i)[: n - f - 2]) for i in range(n)]


def select_lowest(scores: Sequence[int], count: int) -> list[int]:
    """Return the slots of the `count` lowest scores, ties to the lower slot, in rising slot order (§5.6)."""
    return sorted(sorted(range(len(scores)), key=lambda i: (scores[i], i))[:count])


def lower_median(values: Sequence[int]) -> int:
    """Return the middle value, the lower of two."""
    return sorted(values)[(len(values) - 1) // 2]


# ----------------------------------------------------------------------------------------------------------- selections


def select_within_norm(gram: Gram, limit: int) -> list[int]:
    """Return the slots whose squared norm is at most a limit, the shortest if there is none (drop)."""
    squares = [gram[i][i] for i in range(len(gram))]
    limit = max(limit, min(squares))
    return [i for i, square in enumerate(squares) if square <= limit]


def select_multi_krum(gram: Gram, f: int, count: int) -> list[int]:
    """Return the `count` slots with the lowest Krum scores: sums over max(1, n − f − 2) nearest others."""
    slots = list(range(len(gram)))
    return select_lowest(_score(compute_distances_from_gram(gram), slots, f), min(count, len(gram)))


def _score(distances: Gram, slots: Sequence[int], f: int) -> list[int]:
    nearest = max(1, len(slots) - f - 2)
    return [sum(sorted(distances[i][j] for j in slots if j != i)[:nearest]) for i in slots]


def select_bulyan(gram: Gram, f: int) -> list[int]:
    """Return max(1, n − 2f) slots: the one with the lowest Krum score among those left, again and again (Bulyan)."""
    distances, left = compute_distances_from_gram(gram), list(range(len(gram)))
    chosen: list[int] = []
    while len(chosen) < max(1, len(gram) - 2 * f):
        scores = _score(distances, left, f)
        chosen.append(left.pop(scores.index(min(scores))))
    return sorted(chosen)


def select_linked(gram: Gram, f: int) -> list[int]:
    """Return the first component of single linkage by cosine that has n − f members, at least 2.

    Pairs are joined from the most similar on, by sign(g) ⌊2⁶⁴ g² / (|x|² |y|²)⌋, 0 where a norm is 0.
    """
    n = len(gram)
    pairs = sorted(itertools.combinations(range(n), 2), key=lambda pair: (-_similarity(gram, *pair), pair))
    members = [{i} for i in range(n)]
    wanted = max(2, n - f)
    for i, j in pairs:
        if members[i] is not members[j]:
            joined = members[i] | members[j]
            for slot in joined:
                members[slot] = joined
            if len(joined) >= wanted:
                return sorted(joined)
    return [0]  # all pairs together are one component, so there was no pair


def _similarity(gram: Gram, i: int, j: int) -> int:
    g, product = gram[i][j], gram[i][i] * gram[j][j]
    if not product:
        return 0
    size = (g * g << 64) // product
    return size if g >= 0 else -size


def select_smallest_diameter(gram: Gram, f: int) -> list[int]:
    """Return the n − f slots whose largest distance is smallest, the first such set in the order of slots (MDA).

    With more than MAX_SUBSETS sets to compare, everybody.
    """
    n, size = len(gram), max(1, len(gram) - f)
    if comb(n, size) > MAX_SUBSETS:
        return list(range(n))
    distances = compute_distances_from_gram(gram)

    def diameter(slots: tuple[int, ...]) -> int:
        return max((distances[i][j] for i, j in itertools.combinations(slots, 2)), default=0)

    smallest: tuple[int, ...] = min(itertools.combinations(range(n), size), key=diameter)  # of equals the first
    return list(smallest)


def select_off_direction(gram: Gram, f: int, find_power: FindPower) -> list[int]:
    """Return the slots but the f that lie farthest from the mean along the direction of most variance (DnC).

    All coordinates at once, one pass. Args: find_power: `square_repeatedly`, or what gives the same faster.
    """
    return select_lowest(list(map(abs, project(gram, find_power))), max(1, len(gram) - f))


def select_off_median(gram: Gram, f: int, find_power: FindPower) -> list[int]:
    """Return the slots but the f that lie farthest along the main direction of all cosines, from the median one.

    DnC on vectors of one length, so that short ones that point elsewhere count, and long ones do not decide; from the
    median, since a mean moves with f of n. Args: find_power: as for `select_off_direction`.
    """
    along = project(compute_cosines(gram), find_power)
    middle = lower_median(along)
    return select_lowest([abs(x - middle) for x in along], max(1, len(gram) - f))


def project(gram: Gram, find_power: FindPower) -> list[int]:
    """Return where vectors lie along the direction of their most variance, from their mean, in no unit that matters.

    H is n² times the Gram matrix of the centred vectors. A high power of it has its leading eigenvector in every
    column, of which the one with the largest diagonal entry is taken.
    """
    n = len(gram)
    sums, total = [sum(row) for row in gram], sum(map(sum, gram))
    centred = [[n * n * gram[i][j] - n * (sums[i] + sums[j]) + total for j in range(n)] for i in range(n)]
    power = find_power(cut(centred))
    lead = max(range(n), key=lambda i: (power[i][i], -i))
    return [sum(map(int.__mul__, row, power[lead])) for row in centred]


def compute_cosines(gram: Gram) -> list[list[int]]:
    """Return the n × n cosines in units of 2^-COSINE_BITS, cut towards zero; 0 where a norm is 0."""
    n = len(gram)
    cosines = [[0] * n for _ in range(n)]
    for i, j in itertools.combinations_with_replacement(range(n), 2):
        root = isqrt(gram[i][i] * gram[j][j])
        size = (abs(gram[i][j]) << COSINE_BITS) // root if root else 0
        cosines[i][j] = cosines[j][i] = size if gram[i][j] >= 0 else -size
    return cosines


def square_repeatedly(matrix: Gram) -> list[list[int]]:
    """Return a matrix squared SQUARINGS times, cut each time. Args: matrix: symmetric, cut."""
    power = [list(row) for row in matrix]
    for _ in range(SQUARINGS):
        power = cut([[sum(map(int.__mul__, row, column)) for column in power] for row in power])
    return power


def cut(matrix: Gram) -> list[list[int]]:
    """Return a matrix whose largest entry has at most KEPT_BITS bits, the rest shifted out towards zero."""
    excess = max(abs(x) for row in matrix for x in row).bit_length() - KEPT_BITS
    if excess <= 0:
        return [list(row) for row in matrix]
    return [[(abs(x) >> excess) * (1 if x >= 0 else -1) for x in row] for row in matrix]


# ------------------------------------------------------------------------------------------------------------- clipping


def find_arc_radius(gram: Gram, f: int) -> tuple[list[int], int]:
    """Return who is clipped, and the square of the norm that they are clipped to (ARC).

    The ⌊2f(n − f)/n⌋ longest vectors are clipped to the length of the next one.
    """
    n = len(gram)
    count = min(2 * f * (n - f) // n if f < n else n - 1, n - 1)
    falling = sorted(range(n), key=lambda i: (-gram[i][i], i))
    return sorted(falling[:count]), gram[falling[count]][falling[count]]


def find_median_radius(gram: Gram) -> tuple[list[int], int]:
    """Return who is longer than the median vector, and the square of its norm."""
    squares = [gram[i][i] for i in range(len(gram))]
    middle = lower_median(squares)
    return [i for i, square in enumerate(squares) if square > middle], middle


def shrink(x: int, radius_square: int, norm_square: int) -> int:
    """Return a coordinate of a vector that is scaled down to a radius: sign(x) ⌊|x| ⌊√r²⌋ / ⌈√|x|²⌉⌋.

    The vector's norm is then at most the radius, exactly. Vectors within the radius stay as they are.
    """
    if norm_square <= radius_square:
        return x
    size = abs(x) * isqrt(radius_square) // ceil_sqrt(norm_square)
    return size if x >= 0 else -size


# ------------------------------------------------------------------------------------------------------------- mixtures


def mix_nearest(gram: Gram, f: int) -> tuple[Mixture, int]:
    """Return the mixture of each vector's n − f nearest, itself included, and their number (NNM)."""
    distances, n = compute_distances_from_gram(gram), len(gram)
    size = max(1, n - f)
    mixture = []
    for i in range(n):
        nearest = sorted(range(n), key=lambda j: (distances[i][j], j))[:size]
        mixture.append([int(j in nearest) for j in range(n)])
    return mixture, size


def mix_buckets(n: int, size: int, seed: bytes) -> tuple[Mixture, int]:
    """Return the mixture of vectors dealt into buckets of a size, the last one smaller, and its denominator.

    Args: seed: 32 bytes of the ledger; it deals (`deal`).
    """
    order = deal(n, seed)
    buckets = [order[at : at + size] for at in range(0, n, size)]
    denominator = lcm(*map(len, buckets))
    return [[denominator // len(b) if i in b else 0 for i in range(n)] for b in buckets], denominator


def deal(n: int, seed: bytes) -> list[int]:
    """Return 0 to n − 1 in the order of Fisher and Yates: draw k from the first 8 bytes of sha256(seed | k u32)."""
    order = list(range(n))
    for k in range(n - 1, 0, -1):
        draw = int.from_bytes(hashlib.sha256(seed + k.to_bytes(4, "big")).digest()[:8], "big") % (k + 1)
        order[k], order[draw] = order[draw], order[k]
    return order


# -------------------------------------------------------------------------------------------------------------- weights


def weigh_geometric_median(gram: Gram) -> tuple[list[int], int]:
    """Return weights and their sum after GEOMETRIC_MEDIAN_STEPS steps of Weiszfeld from the mean.

    With weights a of sum A the distance of x[i] to Σ a x / A, times A, is the root of A² G[i][i] − 2A (Ga)[i] + a'Ga,
    at least A (one unit). The new weight is ⌊2³² · smallest / own⌋.
    """
    n = len(gram)
    weights = [1] * n
    for _ in range(GEOMETRIC_MEDIAN_STEPS):
        total = sum(weights)
        images = [sum(g * a for g, a in zip(row, weights, strict=True)) for row in gram]
        length = sum(a * image for a, image in zip(weights, images, strict=True))
        far = [max(isqrt(max(0, total * total * gram[i][i] - 2 * total * images[i] + length)), total) for i in range(n)]
        weights = [ONE * min(far) // each for each in far]
    return weights, sum(weights)


def weigh_centered_clipping(gram: Gram) -> tuple[list[int], int]:
    """Return Q.32 weights and ONE: CENTERED_CLIPPING_STEPS steps from zero, the radius the lower median distance."""
    n = len(gram)
    weights = [0] * n
    for _ in range(CENTERED_CLIPPING_STEPS):
        images = [sum(g * b for g, b in zip(row, weights, strict=True)) for row in gram]
        length = sum(b * image for b, image in zip(weights, images, strict=True))
        far = [isqrt(max(0, ONE * ONE * gram[i][i] - 2 * ONE * images[i] + length)) for i in range(n)]
        radius = lower_median(far)
        factors = [min(ONE, radius * ONE // each) if each else ONE for each in far]
        kept = n * ONE - sum(factors)
        weights = [(b * kept + factor * ONE) // (n * ONE) for b, factor in zip(weights, factors, strict=True)]
    return weights, ONE


def weigh_by_trust(gram: Gram, reference: int) -> tuple[list[int], int]:
    """Return weights and their divisor by likeness to a reference slot, whose own weight is 0 (FLTrust).

    Each vector is scaled to the reference's norm and weighs max(0, cosine). The divisor is 0 where nobody is like it.
    """
    likeness = [max(0, g) for g in gram[reference]]
    weights, divisor = [0] * len(gram), 0
    for i, like in enumerate(likeness):
        if i != reference and like:
            weights[i] = ONE * like // gram[i][i]
            divisor += ONE * like // isqrt(gram[i][i] * gram[reference][reference])
    return weights, divisor


def weigh_by_difference(gram: Gram) -> tuple[list[int], int]:
    """Return Q.16 weights and their sum: the more alike another vector is, the lower (FoolsGold, this round alone)."""
    n = len(gram)
    alike = [[_cosine(gram, i, j) if i != j else 0 for j in range(n)] for i in range(n)]
    most = [max(row) for row in alike]
    for i in range(n):
        for j in range(n):
            if most[j] > most[i]:
                alike[i][j] = alike[i][j] * most[i] // most[j]
    apart = [min(ONE, max(0, ONE - max(row))) for row in alike]
    highest = max(apart)
    if not highest:
        return [0] * n, 0
    weights = [_logit(min(each * ONE // highest, 99 * ONE // 100)) for each in apart]
    return weights, sum(weights)


def _cosine(gram: Gram, i: int, j: int) -> int:
    """Return max(0, cosine) in Q.32."""
    root = isqrt(gram[i][i] * gram[j][j])
    return max(0, gram[i][j]) * ONE // root if root else 0


def _logit(share: int) -> int:
    """Return ln(share / (1 − share)) + 1/2 limited to [0, 1], in Q.16. Args: share: Q.32, below ONE."""
    if not share:
        return 0
    log = (_log2(share) - _log2(ONE - share)) * LN2_Q16 >> 16
    return min(1 << 16, max(0, log + (1 << 15)))


def _log2(x: int) -> int:
    """Return log2 of a positive integer in Q.16, bit by bit: square, and halve when it reaches 2."""
    whole = x.bit_length() - 1
    rest = x << 62 >> whole  # 1 to 2 in Q.62
    log = whole
    for _ in range(16):
        rest = rest * rest >> 62
        log <<= 1
        if rest >> 63:
            rest >>= 1
            log += 1
    return log
