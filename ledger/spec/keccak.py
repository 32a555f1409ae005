"""Keccak-256 as Ethereum uses it (the padding of the 2011 submission, not of FIPS 202).

The specification hashes chain objects with Keccak and artifacts with SHA-256. The standard library has only the
FIPS variants; this one is for the specification and for verifiers without dependencies.
Source: The Keccak reference, version 3.0, §1 and §2.
"""

from __future__ import annotations

_MASK = (1 << 64) - 1
_RATE_BYTES = 136


def _round_constants() -> list[int]:
    constants, state = [], 1
    for _ in range(24):
        constant = 0
        for j in range(7):
            if state & 1:
                constant |= 1 << ((1 << j) - 1)
            state = (state << 1) ^ (0x171 if state >> 7 else 0)
        constants.append(constant)
    return constants


def _rotations() -> list[list[int]]:
    rotations = [[0] * 5 for _ in range(5)]
    x, y = 1, 0
    for t in range(24):
        rotations[x][y] = (t + 1) * (t + 2) // 2 % 64
        x, y = y, (2 * x + 3 * y) % 5
    return rotations


_CONSTANTS = _round_constants()
_ROTATIONS = _rotations()


def _rotate(word: int, bits: int) -> int:
    return ((word << bits) | (word >> (64 - bits))) & _MASK


def _permute(a: list[list[int]]) -> list[list[int]]:
    for constant in _CONSTANTS:
        c = [a[x][0] ^ a[x][1] ^ a[x][2] ^ a[x][3] ^ a[x][4] for x in range(5)]
        d = [c[x - 1] ^ _rotate(c[(x + 1) % 5], 1) for x in range(5)]
        b = [[0] * 5 for _ in range(5)]
        for x in range(5):
            for y in range(5):
                b[y][(2 * x + 3 * y) % 5] = _rotate(a[x][y] ^ d[x], _ROTATIONS[x][y])
        a = [[b[x][y] ^ (~b[(x + 1) % 5][y] & b[(x + 2) % 5][y]) for y in range(5)] for x in range(5)]
        a[0][0] ^= constant
    return a


def keccak256(data: bytes) -> bytes:
    """Return the 32-byte Keccak-256 digest of data."""
    padding = _RATE_BYTES - len(data) % _RATE_BYTES
    tail = b"\x81" if padding == 1 else b"\x01" + bytes(padding - 2) + b"\x80"
    padded = data + tail
    state = [[0] * 5 for _ in range(5)]
    for start in range(0, len(padded), _RATE_BYTES):
        for lane in range(_RATE_BYTES // 8):
            word = int.from_bytes(padded[start + 8 * lane : start + 8 * lane + 8], "little")
            state[lane % 5][lane // 5] ^= word
        state = _permute(state)
    return b"".join(state[lane % 5][lane // 5].to_bytes(8, "little") for lane in range(4))
