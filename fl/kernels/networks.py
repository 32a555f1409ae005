"""Selection networks: which pairs to compare, and in which order, to find the values between two ranks.

A network is a list of comparators (i, j), i < j: afterwards the smaller value is at i, the larger one at j. It is the
same for all inputs, so that many coordinates can pass through it side by side, without a branch.
"""

from __future__ import annotations

Network = list[tuple[int, int]]


def make_sorting_network(n: int) -> Network:
    """Return Batcher's merge exchange for n values, any n >= 1 (Knuth, volume 3, 5.2.2, algorithm M)."""
    network, top = [], 1 << max(0, (n - 1).bit_length() - 1)
    p = top
    while p and n > 1:
        q, r, distance = top, 0, p
        while True:
            network += [(i, i + distance) for i in range(n - distance) if i & p == r]
            if q == p:
                break
            distance, q, r = q - p, q // 2, p
        p //= 2
    return network


def make_selection_network(n: int, trim: int) -> Network:
    """Return a network after which positions trim to n - trim - 1 hold the values of these ranks, in any order.

    Seen from the end, a comparator is left out when both of its values are dropped, or when both are kept and nothing
    compares them afterwards: their sum is the same either way.

    Args: n: at least 1. trim: 0 to (n - 1) // 2.
    """
    wanted: dict[int, bool | None] = {i: trim <= i < n - trim for i in range(n)}  # None: compared afterwards
    kept: Network = []
    for i, j in reversed(make_sorting_network(n)):
        if wanted[i] is None or wanted[j] is None or wanted[i] is not wanted[j]:
            kept.append((i, j))
            wanted[i] = wanted[j] = None
    return kept[::-1]
