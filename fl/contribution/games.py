"""Shares of a common result: values of players in games with integer utilities, exact.

A game is a function v of a coalition, the sorted tuple of its players among 0 to n − 1, to an integer. Values come as
integers over one denominator, so that nothing is rounded before people read it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import comb, factorial

from ledger.errors import UsageError
from ledger.spec.gram import deal

Coalition = tuple[int, ...]
Utility = Callable[[Coalition], int]

MAX_EXACT = 10
"""Most players whose 2**n coalitions are all looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """What each player of a game is worth."""

    numerators: tuple[int, ...]
    """By player."""
    denominator: int
    """Of all of them."""

    def get(self, player: int) -> Fraction:
        """Return a player's value, exact."""
        return Fraction(self.numerators[player], self.denominator)


def compute_leave_one_out(utility: Utility, n: int) -> Values:
    """Return what the coalition of all loses without each player: v(N) − v(N − i). Needs n + 1 coalitions."""
    everybody = tuple(range(n))
    whole = utility(everybody)
    lost = (whole - utility(tuple(p for p in everybody if p != player)) for player in everybody)
    return Values(numerators=tuple(lost), denominator=1)


def compute_shapley(utility: Utility, n: int) -> Values:
    """Return exact Shapley values over n!: n! φ(i) = Σ s! (n − s − 1)! (v(S + i) − v(S)) over S without i, s = |S|.

    They add up to n! (v(N) − v(∅)). Needs all 2**n coalitions.

    Raises: UsageError: n is above MAX_EXACT.
    Shapley 1953.
    """
    if n > MAX_EXACT:
        raise UsageError(f"exact Shapley values take at most {MAX_EXACT} clients, not {n}", hint="--method gtg")
    known = {c: utility(c) for size in range(n + 1) for c in itertools.combinations(range(n), size)}
    totals = [0] * n
    for coalition, value in known.items():
        size = len(coalition)
        for player in set(range(n)) - set(coalition):
            joined = known[tuple(sorted((*coalition, player)))]
            totals[player] += factorial(size) * factorial(n - size - 1) * (joined - value)
    return Values(numerators=tuple(totals), denominator=factorial(n))


def compute_gtg_shapley(utility: Utility, n: int, *, permutations: int, tolerance: int, seed: bytes) -> Values:
    """Return Shapley values estimated from permutations that a seed decides (GTG-Shapley).

    Guided: permutation k begins with player k mod n, so that all of them come first equally often. Truncated: once a
    coalition's utility is within the tolerance of everybody's, who follows counts as adding nothing; where v(∅) is
    already, all values are 0. With tolerance 0 no other truncation happens, and the values add up to v(N) − v(∅).

    Args: permutations: at least 1, best a multiple of n. tolerance: in units of the utility. seed: 32 bytes.
    Liu et al. 2022, arXiv:2109.02053, in deterministic form: a fixed number of permutations, not one that converges.
    """
    known: dict[Coalition, int] = {}

    def look_up(coalition: Coalition) -> int:
        if coalition not in known:
            known[coalition] = utility(coalition)
        return known[coalition]

    totals = [0] * n
    whole, nothing = look_up(tuple(range(n))), look_up(())
    if tolerance and abs(whole - nothing) <= tolerance:
        return Values(numerators=tuple(totals), denominator=permutations)
    for k in range(permutations):
        before, members = nothing, Coalition()
        for player in _lead(k, n, seed):
            if tolerance and abs(whole - before) <= tolerance:
                break
            members = tuple(sorted((*members, player)))
            after = look_up(members)
            totals[player] += after - before
            before = after
    return Values(numerators=tuple(totals), denominator=permutations)


def _lead(k: int, n: int, seed: bytes) -> list[int]:
    """Return permutation k: player k mod n, then the others as the seed deals them."""
    first = k % n
    others = [player for player in range(n) if player != first]
    return [first, *(others[slot] for slot in deal(n - 1, seed + k.to_bytes(4, "big")))]


def count_coalitions(method: str, n: int, permutations: int = 0) -> int:
    """Return how many coalitions a method looks at, at most: for a progress display."""
    most = {"loo": n + 1, "shapley": 1 << n, "gtg": permutations * n + 2}[method]
    return min(most, sum(comb(n, size) for size in range(n + 1)))
