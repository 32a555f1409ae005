"""Polynomials on arrays, equal to `spec.lattice` bit for bit (docs/protocol.md §14.1)."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from ledger.spec.errors import NotCanonical
from ledger.spec.lattice import DEGREE, MODULUS, POLYNOMIAL_BYTES, PRIMES, compute_powers, expand_draws, reverse_bits

Residues = NDArray[np.uint64]
"""uint64 [..., 14, N]: a coefficient, or a value of the transform, modulo each prime."""

_P = np.array(PRIMES, dtype=np.uint64)[:, None]


def encode_polynomials(x: Residues) -> bytes:
    """Return the residues as little-endian u32, in order."""
    return x.astype("<u4").tobytes()


def decode_polynomials(data: bytes) -> Residues:
    """Return polynomials that lie one after the other, [k, 14, N]. Raises: NotCanonical: as `spec.decryption`'s."""
    x = np.frombuffer(data, dtype="<u4").reshape(len(data) // POLYNOMIAL_BYTES, len(PRIMES), DEGREE).astype(np.uint64)
    if (x >= _P).any():
        raise NotCanonical(what="a residue is not below its prime")
    return x


def transform(x: Residues) -> Residues:
    """Return the transforms of polynomials (Longa and Naehrig 2016, algorithm 1)."""
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
    """Return the polynomials of transforms (algorithm 2)."""
    x, (_, roots, scale), size, groups = x.copy(), _compute_roots(), 1, DEGREE
    while groups > 1:
        groups //= 2
        view = x.reshape(*x.shape[:-1], groups, 2, size)
        left, right = view[..., 0, :].copy(), view[..., 1, :].copy()
        view[..., 0, :] = _subtract_if(left + right)
        view[..., 1, :] = (left + _P[..., None] - right) * roots[:, groups : 2 * groups, None] % _P[..., None]
        size *= 2
    return x * scale % _P


def transform_monomial(exponent: int) -> Residues:
    """Return the transform [14, N] of x^exponent, 0 to 2N - 1."""
    powers, places = _compute_places()
    monomial: Residues = powers[:, places * exponent % (2 * DEGREE)]
    return monomial


def add(x: Residues, y: Residues) -> Residues:
    """Return the sum modulo the primes."""
    return (x + y) % _P


def subtract(x: Residues, y: Residues) -> Residues:
    """Return the difference modulo the primes."""
    return (x + (_P - y)) % _P


def multiply(x: Residues, y: Residues) -> Residues:
    """Return the product of two transforms, value by value."""
    return x * y % _P


def to_residues(values: NDArray[np.int64]) -> Residues:
    """Return integers [..., N] as residues [..., 14, N]."""
    return (values[..., None, :] % _P.astype(np.int64)).astype(np.uint64)


def combine_limbs(limbs: NDArray[np.int64], weights: tuple[int, ...]) -> Residues:
    """Return sum_j limbs[j] weights[j] as residues [..., 14, N].

    Args: limbs: int64 [k, ..., N], 0 to 2**34 - 1. weights: k integers of any size.
    """
    total = np.zeros((*limbs.shape[1:-1], len(PRIMES), DEGREE), dtype=np.uint64)
    for limb, weight in zip(limbs, weights, strict=True):
        factors = np.array([weight % prime for prime in PRIMES], dtype=np.uint64)[:, None]
        total = (total + (limb.astype(np.uint64)[..., None, :] % _P) * factors) % _P
    return total


def reduce_words(data: bytes, size: int) -> Residues:
    """Return numbers of `size` bytes, an even number of them, with an offset of half their range, as residues.

    Args: data: N little-endian words. Returns: [14, N].
    """
    limbs = np.frombuffer(data, dtype="<u2").reshape(DEGREE, size // 2).T.astype(np.int64)
    positive = combine_limbs(limbs, tuple(1 << (16 * at) for at in range(size // 2)))
    offset = np.array([(1 << (8 * size - 1)) % prime for prime in PRIMES], dtype=np.uint64)[:, None]
    return subtract(positive, offset)


def to_integers(x: Residues) -> NDArray[np.object_]:
    """Return the coefficients 0 to Q - 1 behind residues [..., 14, N] as Python integers [..., N]."""
    total: NDArray[np.object_] = np.zeros((*x.shape[:-2], DEGREE), dtype=object)
    for at, prime in enumerate(PRIMES):
        rest = MODULUS // prime
        digit = x[..., at, :] * np.uint64(pow(rest, -1, prime)) % np.uint64(prime)
        total = total + digit.astype(object) * rest
    return np.mod(total, MODULUS)


def expand(seed: bytes) -> Residues:
    """Return a uniform polynomial that everybody derives from a seed, as its transform [14, N]."""
    rows = []
    for at, prime in enumerate(PRIMES):
        draws = np.array(expand_draws(seed, at), dtype=np.uint64)
        rows.append(draws[draws < prime][:DEGREE])
    return np.stack(rows)


def _subtract_if(x: Residues) -> Residues:
    """Return x modulo p for x below 2p: below p the difference wraps around and is the larger one."""
    smaller: Residues = np.minimum(x, x - _P[..., None])
    return smaller


@cache
def _compute_order() -> NDArray[np.int64]:
    """Return 0 to N - 1, each with its bits in reverse order."""
    return np.array([reverse_bits(at) for at in range(DEGREE)], dtype=np.int64)


@cache
def _compute_places() -> tuple[Residues, NDArray[np.int64]]:
    """Return the powers of the roots of unity [14, 2N], and which of them each value of a transform is taken at."""
    return np.array([compute_powers(prime) for prime in PRIMES], dtype=np.uint64), 2 * _compute_order() + 1


@cache
def _compute_roots() -> tuple[Residues, Residues, Residues]:
    """Return powers of the roots of unity in bit-reversed order, those of their inverses, and 1/N: [14, N], [14, 1]."""
    powers, order = _compute_places()[0], _compute_order()
    scale = np.array([[pow(DEGREE, -1, prime)] for prime in PRIMES], dtype=np.uint64)
    return powers[:, order], powers[:, -order % (2 * DEGREE)], scale
