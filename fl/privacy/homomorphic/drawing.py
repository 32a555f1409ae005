"""What clients of a homomorphic round draw at random."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ledger.spec.homomorphic import ERROR_BOUND
from ledger.spec.lattice import DEGREE

RandomBytes = Callable[[int], bytes]
"""From a number of bytes to as many from a cryptographic generator, such as `secrets.token_bytes`."""


def make_stream(root: bytes, purpose: bytes) -> RandomBytes:
    """Return a generator whose bytes follow from a secret root: who starts again draws the same (SHAKE-256)."""
    blocks = itertools.count()

    def draw(count: int) -> bytes:
        block = next(blocks).to_bytes(8, "big")
        return hashlib.shake_256(b"fedtrail-he-root" + root + block + purpose).digest(count)

    return draw


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


def draw_uniform(bits: int, random: RandomBytes) -> NDArray[np.object_]:
    """Return a polynomial with coefficients uniform in [-2**(bits-1), 2**(bits-1)), Python integers [N]."""
    size = -(-bits // 8)
    raw, spare, half = random(size * DEGREE), 8 * size - bits, 1 << (bits - 1)
    starts = range(0, size * DEGREE, size)
    return np.array([(int.from_bytes(raw[at : at + size], "little") >> spare) - half for at in starts], dtype=object)
