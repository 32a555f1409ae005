"""AES-256 in counter mode, slowly: the bytes of masks that no contract judges (docs/protocol.md §11.13).

Source: FIPS 197, and the counter mode of NIST SP 800-38A with an initial counter block of zeros. Nothing here takes the
same time for all keys: the seeds of masks are public when anybody expands them by this.
"""

from __future__ import annotations

from functools import cache

KEY_BYTES = 32
BLOCK_BYTES = 16
_ROUNDS = 14


def expand_keystream(key: bytes, size_bytes: int) -> bytes:
    """Return the first bytes of the key stream: AES-256 of 0, 1, 2, … as 128-bit big-endian numbers.

    Args: key: 32 bytes.
    """
    schedule = _expand_key(key)
    blocks = -(-size_bytes // BLOCK_BYTES)
    return b"".join(_encrypt(block.to_bytes(BLOCK_BYTES, "big"), schedule) for block in range(blocks))[:size_bytes]


def _double(x: int) -> int:
    """Return 2x in the field of 2**8 elements."""
    return (x << 1 ^ (0x11B if x & 0x80 else 0)) & 0xFF


@cache
def _make_sbox() -> bytes:
    """Return the inverses in the field, each through the affine map of FIPS 197, section 5.1.1."""
    sbox, p, q = bytearray(256), 1, 1
    while True:
        p ^= _double(p)  # times 3, which generates all of the field but 0
        for shift in (1, 2, 4):  # divided by 3
            q = (q ^ q << shift) & 0xFF
        q ^= 0x09 if q & 0x80 else 0
        turned = q | q << 8
        sbox[p] = (q ^ turned >> 7 ^ turned >> 6 ^ turned >> 5 ^ turned >> 4 ^ 0x63) & 0xFF
        if p == 1:
            break
    sbox[0] = 0x63
    return bytes(sbox)


def _expand_key(key: bytes) -> list[bytes]:
    """Return the keys of the rounds, 16 bytes each (FIPS 197, section 5.2)."""
    sbox, constant = _make_sbox(), 1
    words = [key[at : at + 4] for at in range(0, KEY_BYTES, 4)]
    for i in range(8, 4 * (_ROUNDS + 1)):
        word = words[-1]
        if i % 8 == 0:
            word = bytes(sbox[b] for b in word[1:] + word[:1])
            word = bytes([word[0] ^ constant]) + word[1:]
            constant = _double(constant)
        elif i % 8 == 4:
            word = bytes(sbox[b] for b in word)
        words.append(_xor(words[-8], word))
    return [b"".join(words[at : at + 4]) for at in range(0, len(words), 4)]


def _encrypt(block: bytes, schedule: list[bytes]) -> bytes:
    sbox, state = _make_sbox(), _xor(block, schedule[0])
    for number, key in enumerate(schedule[1:], start=1):
        # SubBytes and ShiftRows: row r of column c comes from column c + r.
        state = bytes(sbox[state[(i + 4 * (i % 4)) % BLOCK_BYTES]] for i in range(BLOCK_BYTES))
        if number < _ROUNDS:
            state = b"".join(_mix(state[at : at + 4]) for at in range(0, BLOCK_BYTES, 4))
        state = _xor(state, key)
    return state


def _mix(column: bytes) -> bytes:
    a, b, c, d = column
    total = a ^ b ^ c ^ d
    pairs = ((a, b), (b, c), (c, d), (d, a))
    return bytes(x ^ total ^ _double(x ^ y) for x, y in pairs)


def _xor(a: bytes, b: bytes) -> bytes:
    return bytes(x ^ y for x, y in zip(a, b, strict=True))
