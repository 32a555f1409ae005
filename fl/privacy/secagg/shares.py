"""Secrets of 32 bytes, shared among holders so that any `threshold` of them recover it and fewer learn nothing.

Shamir 1979 over the integers modulo the smallest prime above 2**256, which holds every secret.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from ledger.spec.errors import WrongLength

PRIME = (1 << 256) + 297
SECRET_BYTES = 32
SHARE_BYTES = 33


def split(secret: bytes, holders: Iterable[int], threshold: int, *, source: bytes) -> dict[int, bytes]:
    """Return the share of every holder, 33 bytes each.

    Args: secret: 32 bytes. holders: numbers from 1, all different. threshold: at least 1. source: 32 secret random
        bytes, used for nothing else: the same ones give the same shares, so that a client that died and started again
        says what it has said.
    Raises: WrongLength: the secret is not 32 bytes.
    """
    if len(secret) != SECRET_BYTES:
        raise WrongLength(got=len(secret), want=SECRET_BYTES)
    coefficients = [int.from_bytes(secret, "big"), *(_draw(source, at) for at in range(1, threshold))]
    return {holder: _evaluate(coefficients, holder).to_bytes(SHARE_BYTES, "big") for holder in holders}


def join(shares: Mapping[int, bytes]) -> bytes:
    """Return the secret that shares give, 32 bytes: the right one if they are right and enough of them.

    Args: shares: exactly as many as the threshold, by holder. Whether the result is the secret is for the caller to
        check: of seeds there is a commitment, of keys the public half.
    """
    total = 0
    for holder, share in shares.items():
        above = below = 1
        for other in shares:
            if other != holder:
                above = above * other % PRIME
                below = below * (other - holder) % PRIME
        total += int.from_bytes(share, "big") * above * pow(below, -1, PRIME)
    return (total % PRIME).to_bytes(SHARE_BYTES, "big")[1:]


def _draw(source: bytes, at: int) -> int:
    """Return a coefficient: 512 bits modulo the prime, so that no value is more likely than others by over 2**-255."""
    return int.from_bytes(hashlib.sha512(source + at.to_bytes(4, "big")).digest(), "big") % PRIME


def _evaluate(coefficients: list[int], x: int) -> int:
    value = 0
    for coefficient in reversed(coefficients):
        value = (value * x + coefficient) % PRIME
    return value
