"""Polynomials modulo x^16384 + 1 and a modulus of 420 bits, the product of fourteen primes (docs/protocol.md §14.1).

The standard of homomorphicencryption.org allows 438 bits at this degree for 128 bits of security against classical
attacks, with ternary secrets and errors of standard deviation 3.2.
"""

from __future__ import annotations

import hashlib
import itertools
import struct
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from math import prod

from ledger.spec.errors import NotCanonical

DEGREE = 16384
"""N."""
PRIMES = (
    *(1073643521, 1073479681, 1073184769, 1073053697, 1072857089, 1072496641, 1071513601),
    *(1071415297, 1071087617, 1070727169, 1070432257, 1069219841, 1068564481, 1068466177),
)
"""The fourteen largest primes below 2**30 that are 1 modulo 2N: products of residues fit 60 bits."""
MODULUS = prod(PRIMES)
"""Q."""
POLYNOMIAL_BYTES = 4 * len(PRIMES) * DEGREE

Polynomial = Sequence[int]
"""N numbers from 0 to Q - 1: coefficients, or values of the transform."""

_ROW = struct.Struct(f"<{DEGREE}I")


def encode_polynomial(x: Polynomial) -> bytes:
    """Return a polynomial, or its transform, as N little-endian u32 for each prime: the residues."""
    return b"".join(_ROW.pack(*[value % prime for value in x]) for prime in PRIMES)


def decode_polynomial(data: bytes) -> Polynomial:
    """Return what POLYNOMIAL_BYTES encode (Chinese remainder theorem).

    Raises: NotCanonical: a residue is not below its prime.
    """
    rows = [_ROW.unpack_from(data, at * _ROW.size) for at in range(len(PRIMES))]
    if any(max(row) >= prime for row, prime in zip(rows, PRIMES, strict=True)):
        raise NotCanonical(what="a residue is not below its prime")
    return _join(rows)


def _join(rows: Iterable[Sequence[int]]) -> list[int]:
    """Return the numbers that have these residues, a row for each prime."""
    weights = [MODULUS // prime * pow(MODULUS // prime, -1, prime) for prime in PRIMES]
    return [sum(map(int.__mul__, column, weights)) % MODULUS for column in zip(*rows, strict=True)]


def add(*terms: Polynomial) -> Polynomial:
    """Return the sum modulo Q."""
    return [sum(column) % MODULUS for column in zip(*terms, strict=True)]


def subtract(x: Polynomial, y: Polynomial) -> Polynomial:
    """Return the difference modulo Q."""
    return [(u - v) % MODULUS for u, v in zip(x, y, strict=True)]


def multiply(x: Polynomial, y: Polynomial) -> Polynomial:
    """Return the product of two transforms, value by value."""
    return [u * v % MODULUS for u, v in zip(x, y, strict=True)]


def transform(x: Sequence[int]) -> Polynomial:
    """Return the negacyclic number-theoretic transform: products of polynomials become products of values.

    Value j is that at root**(2 · reversed(j) + 1). Longa and Naehrig 2016, eprint 2016/504, algorithm 1.

    Args: x: N coefficients of any size and sign.
    """
    values, size, groups, powers = [value % MODULUS for value in x], DEGREE, 1, _compute_powers()
    while groups < DEGREE:
        size //= 2
        roots = [powers[reverse_bits(groups + group)] for group in range(groups)]
        for left, right, each in _list_butterflies(size, groups, roots):
            turned = [value * root % MODULUS for value, root in zip(values[right], each, strict=True)]
            before = values[left]
            values[left] = [(u + v) % MODULUS for u, v in zip(before, turned, strict=True)]
            values[right] = [(u - v) % MODULUS for u, v in zip(before, turned, strict=True)]
        groups *= 2
    return values


def _list_butterflies(size: int, groups: int, roots: Sequence[int]) -> Iterator[tuple[slice, slice, Iterable[int]]]:
    """Yield places that are combined, and the root of each: group by group, or across the groups if they are many."""
    if groups < size:
        for group in range(groups):
            start = 2 * group * size
            halves = slice(start, start + size), slice(start + size, start + 2 * size)
            yield *halves, itertools.repeat(roots[group], size)
    else:
        for place in range(size):
            yield slice(place, None, 2 * size), slice(place + size, None, 2 * size), roots


def restore(x: Polynomial) -> Polynomial:
    """Return the polynomial of a transform (algorithm 2)."""
    values, size, groups, powers = list(x), 1, DEGREE, _compute_powers()
    while groups > 1:
        groups //= 2
        roots = [powers[-reverse_bits(groups + group) % (2 * DEGREE)] for group in range(groups)]
        for left, right, each in _list_butterflies(size, groups, roots):
            before, after = values[left], values[right]
            values[left] = [(u + v) % MODULUS for u, v in zip(before, after, strict=True)]
            values[right] = [(u - v) * root % MODULUS for u, v, root in zip(before, after, each, strict=True)]
        size *= 2
    scale = pow(DEGREE, -1, MODULUS)
    return [value * scale % MODULUS for value in values]


def transform_monomial(exponent: int) -> Polynomial:
    """Return the transform of x^exponent, 0 to 2N - 1: from N on it is minus a power."""
    powers = _compute_powers()
    return [powers[(2 * reverse_bits(at) + 1) * exponent % (2 * DEGREE)] for at in range(DEGREE)]


@cache
def _compute_powers() -> list[int]:
    """Return the 2N powers of the number that is the root of unity modulo every prime."""
    return _join(compute_powers(prime) for prime in PRIMES)


@cache
def compute_powers(prime: int) -> tuple[int, ...]:
    """Return the 2N powers, from 0 on, of the first 2N-th root of unity g^((p-1)/2N) modulo a prime, g from 2 on."""
    candidates = (pow(g, (prime - 1) // (2 * DEGREE), prime) for g in range(2, 100))
    root = next(r for r in candidates if pow(r, DEGREE, prime) == prime - 1)
    return tuple(itertools.accumulate(range(1, 2 * DEGREE), lambda power, _: power * root % prime, initial=1))


@cache
def reverse_bits(number: int) -> int:
    """Return the bits of a number below N in reverse order."""
    bits = DEGREE.bit_length() - 1
    return int(f"{number:0{bits}b}"[::-1], 2)


def expand(seed: bytes) -> Polynomial:
    """Return a uniform polynomial that everybody derives from a seed, as its transform: SHAKE-256 (§14.1)."""
    return _join([draw for draw in expand_draws(seed, at) if draw < prime][:DEGREE] for at, prime in enumerate(PRIMES))


def expand_draws(seed: bytes, at: int) -> Sequence[int]:
    """Return the 30-bit draws for a prime: two in a hundred more than needed, of which one in two hundred is rejected.

    Args: at: number of the prime, from 0.
    """
    count = DEGREE + DEGREE // 50
    raw = hashlib.shake_256(b"fedtrail-he-2" + bytes([at]) + seed).digest(4 * count)
    return [word >> 2 for word in struct.unpack(f"<{count}I", raw)]
