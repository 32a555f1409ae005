"""Polynomials modulo x^8192 + 1 and a modulus of 210 bits, as residues of seven primes; what is drawn at random.

The standard of homomorphicencryption.org allows 218 bits at this degree for 128 bits of security against classical
attacks, with ternary secrets and errors of standard deviation 3.2.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from math import prod

import numpy as np
from numpy.typing import NDArray

DEGREE = 8192
"""N."""
PRIMES = (1073692673, 1073643521, 1073479681, 1073430529, 1073299457, 1073233921, 1073184769)
"""The seven largest primes below 2**30 that are 1 modulo 2N: products of residues fit 60 bits."""
MODULUS = prod(PRIMES)
"""Q."""
ERROR_BOUND = 21
"""Largest coefficient of an error: a centred binomial of 42 coins, standard deviation 3.24."""

Residues = NDArray[np.uint64]
"""uint64 [..., 7, N]: a coefficient, or a value of the transform, modulo each prime."""
RandomBytes = Callable[[int], bytes]
"""From a number of bytes to as many from a cryptographic generator, such as `secrets.token_bytes`."""

_P = np.array(PRIMES, dtype=np.uint64)[:, None]
_LIMB_BITS = 28


def transform(x: Residues) -> Residues:
    """Return the negacyclic number-theoretic transform: products of polynomials become products of values.

    Longa and Naehrig 2016, eprint 2016/504, algorithm 1.
    """
    x, roots, size, groups = x.copy(), _compute_roots()[0], DEGREE, 1
    while groups < DEGREE:
        size //= 2
        view = x.reshape(*x.shape[:-1], groups, 2, size)
        left = view[..., 0, :].copy()
        right = view[..., 1, :] * roots[:, groups : 2 * groups, None] % _P[..., None]
        view[..., 0, :] = _subtract_if(left + right)
        view[..., 1, :] = _subtract_if(left + _P[..., None] - right)
        groups *= 2
    return x


def restore(x: Residues) -> Residues:
    """Return the polynomial of a transform (algorithm 2)."""
    x, (_, roots, scale), size, groups = x.copy(), _compute_roots(), 1, DEGREE
    while groups > 1:
        groups //= 2
        view = x.reshape(*x.shape[:-1], groups, 2, size)
        left, right = view[..., 0, :].copy(), view[..., 1, :].copy()
        view[..., 0, :] = _subtract_if(left + right)
        view[..., 1, :] = (left + _P[..., None] - right) * roots[:, groups : 2 * groups, None] % _P[..., None]
        size *= 2
    return x * scale % _P


def add(x: Residues, y: Residues) -> Residues:
    """Return the sum modulo the primes."""
    return (x + y) % _P


def multiply(x: Residues, y: Residues) -> Residues:
    """Return the product of two transforms, value by value."""
    return x * y % _P


def negate(x: Residues) -> Residues:
    """Return minus x."""
    return (_P - x) % _P


def to_residues(values: NDArray[np.int64]) -> Residues:
    """Return integers [..., N] as residues [..., 7, N]."""
    return (values[..., None, :] % _P.astype(np.int64)).astype(np.uint64)


def combine_limbs(limbs: NDArray[np.int64], weights: tuple[int, ...]) -> Residues:
    """Return sum_j limbs[j] weights[j] as residues [..., 7, N].

    Args: limbs: int64 [k, ..., N], 0 to 2**34 - 1. weights: k integers of any size.
    """
    total = np.zeros((*limbs.shape[1:-1], len(PRIMES), DEGREE), dtype=np.uint64)
    for limb, weight in zip(limbs, weights, strict=True):
        factors = np.array([weight % prime for prime in PRIMES], dtype=np.uint64)[:, None]
        total = (total + (limb.astype(np.uint64)[..., None, :] % _P) * factors) % _P
    return total


def to_integers(x: Residues) -> NDArray[np.object_]:
    """Return the coefficients 0 to Q - 1 behind residues [..., 7, N] as Python integers [..., N]."""
    total: NDArray[np.object_] = np.zeros((*x.shape[:-2], DEGREE), dtype=object)
    for at, prime in enumerate(PRIMES):
        rest = MODULUS // prime
        digit = x[..., at, :] * np.uint64(pow(rest, -1, prime)) % np.uint64(prime)
        total = total + digit.astype(object) * rest
    return np.mod(total, MODULUS)


def expand(seed: bytes) -> Residues:
    """Return a uniform polynomial that everybody derives from a seed, as its transform [7, N]: SHAKE-256."""
    rows = []
    for at, prime in enumerate(PRIMES):
        # One draw in 2**14 is rejected: 1 % more than needed never runs out.
        raw = hashlib.shake_256(b"fedtrail-he-1" + bytes([at]) + seed).digest(4 * (DEGREE + DEGREE // 100))
        draws = np.frombuffer(raw, dtype="<u4") >> np.uint32(2)
        rows.append(draws[draws < prime][:DEGREE].astype(np.uint64))
    return np.stack(rows)


def draw_ternary(count: int, random: RandomBytes) -> NDArray[np.int64]:
    """Return polynomials with coefficients -1, 0 and 1, uniform: int64 [count, N]."""
    need = count * DEGREE
    kept = np.empty(0, dtype=np.uint8)
    while kept.size < need:
        raw = np.frombuffer(random(need - kept.size + 1024), dtype=np.uint8)
        kept = np.concatenate([kept, raw[raw < 255]])  # 255 = 3 · 85: the remainder is uniform
    values: NDArray[np.int64] = (kept[:need] % 3).astype(np.int64).reshape(count, DEGREE)
    return values - 1


def draw_errors(count: int, random: RandomBytes) -> NDArray[np.int64]:
    """Return polynomials of errors, heads minus tails of 21 coins each: int64 [count, N], at most ERROR_BOUND."""
    raw = np.frombuffer(random(8 * count * DEGREE), dtype="<u8").reshape(count, DEGREE)
    mask = np.uint64((1 << ERROR_BOUND) - 1)
    heads, tails = raw & mask, (raw >> np.uint64(ERROR_BOUND)) & mask
    errors: NDArray[np.int64] = np.bitwise_count(heads).astype(np.int64) - np.bitwise_count(tails)
    return errors


def draw_uniform(count: int, bits: int, random: RandomBytes) -> Residues:
    """Return polynomials with coefficients uniform in [-2**(bits-1), 2**(bits-1)), as residues [count, 7, N]."""
    limbs = -(-bits // _LIMB_BITS)
    raw = np.frombuffer(random(4 * limbs * count * DEGREE), dtype="<u4").reshape(limbs, count, DEGREE)
    drawn = (raw & np.uint32((1 << _LIMB_BITS) - 1)).astype(np.int64)
    drawn[-1] &= (1 << (bits - _LIMB_BITS * (limbs - 1))) - 1
    weights = tuple(1 << (_LIMB_BITS * at) for at in range(limbs))
    centre = np.array([(-(1 << (bits - 1))) % prime for prime in PRIMES], dtype=np.uint64)[:, None]
    return add(combine_limbs(drawn, weights), centre)


def _subtract_if(x: Residues) -> Residues:
    """Return x modulo p for x below 2p: below p the difference wraps around and is the larger one."""
    smaller: Residues = np.minimum(x, x - _P[..., None])
    return smaller


@cache
def _compute_roots() -> tuple[Residues, Residues, Residues]:
    """Return powers of a 2N-th root of unity in bit-reversed order, those of its inverse, and 1/N: [7, N], [7, 1]."""
    bits = DEGREE.bit_length() - 1
    order = [int(f"{at:0{bits}b}"[::-1], 2) for at in range(DEGREE)]
    forward, backward, scale = [], [], []
    for prime in PRIMES:
        root = next(
            r for g in range(2, 100) if pow(r := pow(g, (prime - 1) // (2 * DEGREE), prime), DEGREE, prime) != 1
        )
        inverse = pow(root, -1, prime)
        powers, inverses = [1], [1]
        for _ in range(DEGREE - 1):
            powers.append(powers[-1] * root % prime)
            inverses.append(inverses[-1] * inverse % prime)
        forward.append([powers[at] for at in order])
        backward.append([inverses[at] for at in order])
        scale.append([pow(DEGREE, -1, prime)])
    return tuple(np.array(each, dtype=np.uint64) for each in (forward, backward, scale))  # type: ignore[return-value]
