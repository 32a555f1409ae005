"""Discrete Gaussian noise in integers, drawn from cryptographic random bytes (Canonne, Kamath, Steinke 2020).

N_Z(0, σ²) gives the integer k a probability proportional to exp(-k²/2σ²). Two samplers of one distribution:

- `sample_exactly` is Algorithm 3 of the paper in rational arithmetic, one number at a time: no float, no table.
- `sample_noise` is the same algorithm on arrays. A coin of probability exp(-γ) compares 64 random bits with exp(-γ) in
  double precision. Where the two differ by less than MARGIN, some 2^20 times what rounding can do, Python's decimal
  arithmetic decides, with as many more random bits as it takes. So nothing is approximate, provided that the machine's
  double precision exp is right to within 2^-45; a test lets decimal arithmetic decide every coin, and gets the same.

How long either takes depends on what it draws (Jin et al. 2022): who can time a client to the microsecond learns of it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from fractions import Fraction
from math import isqrt

import numpy as np
from numpy.typing import NDArray

from ledger import spec

RandomBytes = Callable[[int], bytes]
"""Returns that many independent uniform bytes; `secrets.token_bytes` in everything that ships."""

MARGIN = 2.0**-44
MAX_VARIANCE = 1 << 48
"""Above it, products in the sampler would leave 64 bits."""
_BLOCK = 1 << 18

Integers = NDArray[np.int64]
Bools = NDArray[np.bool_]


def sample_noise(
    size: int, variance: int, *, random_bytes: RandomBytes = secrets.token_bytes, margin: float = MARGIN
) -> Integers:
    """Return independent draws of N_Z(0, variance), int64[size].

    Args: variance: σ², 1 to 2^48. random_bytes: where randomness comes from. margin: distance from exp(-γ) within which
    decimal arithmetic decides; 1 lets it decide always.
    Raises: InvalidTask: the variance is out of its range.
    """
    if not 1 <= variance <= MAX_VARIANCE:
        raise spec.InvalidTask(field="noise variance", got=variance, want=f"1 to 2^48 ({MAX_VARIANCE})")
    coins = _Coins(random_bytes, margin)
    blocks = [_sample_block(min(_BLOCK, size - at), variance, coins) for at in range(0, size, _BLOCK)]
    return np.concatenate([np.empty(0, dtype=np.int64), *blocks])


def _sample_block(size: int, variance: int, coins: _Coins) -> Integers:
    """Rejection from discrete Laplace noise of scale t: keep y with probability exp(-(|y| - σ²/t)² / 2σ²)."""
    scale = isqrt(variance) + 1
    found, kept = [np.empty(0, dtype=np.int64)], 0
    while kept < size:
        drawn = _draw_laplace(max(64, (size - kept) * 3 // 2), scale, coins)
        distance = np.abs(drawn) * scale - variance
        gamma = np.square(distance.astype(np.float64)) / (2.0 * float(variance) * float(scale) ** 2)
        divisor = 2 * variance * scale**2
        accepted = drawn[coins.flip(gamma, lambda i, d=distance, by=divisor: Fraction(int(d[i]) ** 2, by))]  # type: ignore[misc]
        found.append(accepted)
        kept += len(accepted)
    return np.concatenate(found)[:size]


def _draw_laplace(size: int, scale: int, coins: _Coins) -> Integers:
    """Return about `size` draws of the discrete Laplace distribution: P(k) proportional to exp(-|k|/scale).

    Algorithm 2 of the paper: |k| = u + scale·v, u below scale with weight exp(-u/scale), v geometric; -0 is refused.
    """
    below = coins.draw_below(scale, size * 8 // 5)
    gamma = below.astype(np.float64) / float(scale)
    below = below[coins.flip(gamma, lambda i: Fraction(int(below[i]), scale))]
    multiples = coins.count_heads(len(below))
    negative = coins.draw_bits(len(below))
    magnitude = below + scale * multiples
    signed: Integers = np.where(negative, -magnitude, magnitude)[~(negative & (magnitude == 0))]
    return signed


class _Coins:
    """Exact random decisions on arrays, from uniform bytes."""

    def __init__(self, random_bytes: RandomBytes, margin: float) -> None:
        self._random_bytes, self._margin = random_bytes, margin

    def draw_words(self, size: int) -> NDArray[np.uint64]:
        """Return uniform words, uint64[size]."""
        return np.frombuffer(self._random_bytes(8 * size), dtype="<u8").astype(np.uint64)

    def draw_bits(self, size: int) -> Bools:
        """Return fair bits, bool[size]."""
        octets = np.frombuffer(self._random_bytes(-(-size // 8)), dtype=np.uint8)
        return np.unpackbits(octets)[:size].astype(np.bool_)

    def draw_below(self, bound: int, size: int) -> Integers:
        """Return at most `size` uniform integers from 0 to bound - 1: words beyond the last multiple are refused."""
        words = self.draw_words(size)
        limit = (1 << 64) // bound * bound - 1
        return (words[words <= np.uint64(limit)] % np.uint64(bound)).astype(np.int64)

    def flip(self, gamma: NDArray[np.float64], exactly: Callable[[int], Fraction]) -> Bools:
        """Return coins of probability exp(-γ), bool of gamma's shape.

        Args: gamma: float64[k], each at least 0 and right to within γ·2^-50. exactly: γ of an index as a fraction.
        """
        words = self.draw_words(len(gamma))
        chance, drawn = np.exp(-gamma), words * 2.0**-64
        heads: Bools = drawn < chance
        for index in np.flatnonzero(np.abs(drawn - chance) < self._margin):
            heads[index] = self._decide(int(words[index]), exactly(int(index)))
        return heads

    def count_heads(self, size: int) -> Integers:
        """Return how often in a row a coin of probability exp(-1) shows heads, int64[size]."""
        counts = np.zeros(size, dtype=np.int64)
        going = np.arange(size)
        while going.size:
            going = going[self.flip(np.ones(going.size), lambda i: Fraction(1))]
            counts[going] += 1
        return counts

    def _decide(self, value: int, gamma: Fraction) -> bool:
        """Return whether a uniform number that starts with 64 given bits is below exp(-γ)."""
        bits = 64
        while True:
            low, high = bound_exp(gamma, bits)
            if value < low:
                return True
            if value >= high:
                return False
            value, bits = value << 64 | int.from_bytes(self._random_bytes(8), "little"), bits + 64


def bound_exp(gamma: Fraction, bits: int) -> tuple[int, int]:
    """Return integers with low <= exp(-γ)·2^bits <= high, one or two apart.

    Args: gamma: at least 0. The standard library's decimal exp is correctly rounded.
    """
    if gamma == 0:
        return 1 << bits, 1 << bits
    digits = bits // 3 + 12
    bounds = []
    for rounding, step in ((ROUND_FLOOR, -1), (ROUND_CEILING, 1)):
        context = Context(prec=digits, rounding=rounding, Emin=-(10**9), Emax=10**9)
        exponent = context.divide(Decimal(-gamma.numerator), Decimal(gamma.denominator))
        value = context.exp(exponent)
        # exp rounds half to even whatever the context says: one unit in its last place covers that.
        value = context.next_minus(value) if step < 0 else context.next_plus(value)
        bounds.append(context.multiply(value, Decimal(1 << bits)))
    return int(bounds[0].to_integral_value(ROUND_FLOOR)), int(bounds[1].to_integral_value(ROUND_CEILING))


def sample_exactly(variance: Fraction, random_bytes: RandomBytes = secrets.token_bytes) -> int:
    """Return one draw of N_Z(0, variance) in rational arithmetic: the definition that `sample_noise` is compared with.

    Args: variance: positive.
    """
    scale = isqrt(variance.numerator // variance.denominator) + 1
    while True:
        drawn = sample_laplace_exactly(scale, random_bytes)
        if _flip_exactly((abs(drawn) - variance / scale) ** 2 / (2 * variance), random_bytes):
            return drawn


def sample_laplace_exactly(scale: int, random_bytes: RandomBytes = secrets.token_bytes) -> int:
    """Return one draw of the discrete Laplace distribution, P(k) proportional to exp(-|k|/scale), scale at least 1."""
    while True:
        below = _draw_below_exactly(scale, random_bytes)
        if not _flip_exactly(Fraction(below, scale), random_bytes):
            continue
        multiples = 0
        while _flip_exactly(Fraction(1), random_bytes):
            multiples += 1
        magnitude, negative = below + scale * multiples, _draw_below_exactly(2, random_bytes)
        if magnitude or not negative:
            return -magnitude if negative else magnitude


def _flip_exactly(gamma: Fraction, random_bytes: RandomBytes) -> bool:
    """Return a coin of probability exp(-γ) (Algorithm 1): by its series, without computing it."""
    while gamma > 1:
        if not _flip_exactly(Fraction(1), random_bytes):
            return False
        gamma -= 1
    k = 1
    while _draw_below_exactly(gamma.denominator * k, random_bytes) < gamma.numerator:
        k += 1
    return k % 2 == 1


def _draw_below_exactly(bound: int, random_bytes: RandomBytes) -> int:
    """Return a uniform integer from 0 to bound - 1."""
    size = (bound.bit_length() + 7) // 8
    while True:
        drawn = int.from_bytes(random_bytes(size), "little") >> (8 * size - bound.bit_length())
        if drawn < bound:
            return drawn
