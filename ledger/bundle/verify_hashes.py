"""Hashes, Merkle roots and signatures: Keccak-256, SHA-256, secp256k1 recovery, Ed25519. Part of verify.py."""

import hashlib
import struct

ZERO = bytes(32)


class Bad(Exception):
    """Something is wrong or missing: its FT code, and what it is in words."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


def require(condition, code, message):
    """Raise Bad unless a condition holds."""
    if not condition:
        raise Bad(code, message)


def make_keccak_tables():
    """Return Keccak-f's round constants and, a lane of its output each, (lane, column, rotation) that rho-pi takes."""
    constants, state = [], 1
    for _ in range(24):
        constant = 0
        for j in range(7):
            constant |= (state & 1) << ((1 << j) - 1)
            state = (state << 1) ^ (0x171 if state >> 7 else 0)
        constants.append(constant)
    moves, (x, y), rotations = [(0, 0, 0)] * 25, (1, 0), {(0, 0): 0}
    for t in range(24):
        rotations[x, y] = (t + 1) * (t + 2) // 2 % 64
        x, y = y, (2 * x + 3 * y) % 5
    for x, y in rotations:
        moves[y + 5 * ((2 * x + 3 * y) % 5)] = (x + 5 * y, x, rotations[x, y])
    return constants, moves


CONSTANTS, MOVES = make_keccak_tables()
CHI = [(5 * y + x, 5 * y + (x + 1) % 5, 5 * y + (x + 2) % 5) for y in range(5) for x in range(5)]
MASK64 = (1 << 64) - 1


def keccak(data):
    """Return Keccak-256 as Ethereum uses it (padding 01, not that of SHA-3). Source: Keccak reference 3.0."""
    gap = 136 - len(data) % 136
    data += b"\x81" if gap == 1 else b"\x01" + bytes(gap - 2) + b"\x80"
    a = [0] * 25
    for block in struct.iter_unpack("<17Q", data):
        a = [lane ^ word for lane, word in zip(a, block + (0,) * 8, strict=True)]
        for constant in CONSTANTS:
            c = [a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20] for x in range(5)]
            d = [c[x - 1] ^ ((c[(x + 1) % 5] << 1 | c[(x + 1) % 5] >> 63) & MASK64) for x in range(5)]
            b = [((lane := a[at] ^ d[x]) << turn | lane >> (64 - turn)) & MASK64 for at, x, turn in MOVES]
            a = [b[i] ^ (~b[j] & b[k]) for i, j, k in CHI]
            a[0] ^= constant
    return struct.pack("<4Q", *a[:4])


def sha256(data):
    """Return SHA-256."""
    return hashlib.sha256(data).digest()


def word(value):
    """Return an integer as 32 bytes, big endian."""
    return value.to_bytes(32, "big")


def merkle_root(leaves, hasher=sha256):
    """Return the root over hashed leaves; an odd last digest moves up unchanged (§2.2)."""
    level = list(leaves)
    while len(level) > 1:
        pairs = [hasher(b"\x01" + level[i] + level[i + 1]) for i in range(0, len(level) - 1, 2)]
        level = pairs + (level[-1:] if len(level) % 2 else [])
    return level[0]


def chunk_root(data, chunk_bytes):
    """Return the root of bytes cut into chunks; no bytes are one empty chunk (§2.3)."""
    starts = range(0, max(len(data), 1), chunk_bytes)
    return merkle_root([sha256(b"\x00" + data[at : at + chunk_bytes]) for at in starts])


P = 2**256 - 2**32 - 977
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
G = (
    0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
    0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
    1,
)
NOWHERE = (1, 1, 0)


def double(a):
    """Return 2a on secp256k1; Jacobian coordinates, (x / z², y / z³), z = 0 for infinity."""
    x, y, z = a
    yy = y * y % P
    s, m = 4 * x * yy % P, 3 * x * x % P
    u = (m * m - 2 * s) % P
    return u, (m * (s - u) - 8 * yy * yy) % P, 2 * y * z % P


def add(a, b):
    """Return a + b on secp256k1."""
    if not a[2] or not b[2]:
        return b if not a[2] else a
    (x1, y1, z1), (x2, y2, z2) = a, b
    zz1, zz2 = z1 * z1 % P, z2 * z2 % P
    u1, s1 = x1 * zz2 % P, y1 * zz2 * z2 % P
    h, r = (x2 * zz1 - u1) % P, (y2 * zz1 * z1 - s1) % P
    if not h:
        return NOWHERE if r else double(a)
    hh = h * h % P
    hhh, v = h * hh % P, u1 * hh % P
    x = (r * r - hhh - 2 * v) % P
    return x, (r * (v - x) - s1 * hhh) % P, h * z1 * z2 % P


def combine(a, m, b, n):
    """Return m a + n b, two bits of both numbers at a time (Shamir's trick)."""
    rows = [[NOWHERE, p, double(p), add(double(p), p)] for p in (a, b)]
    table = [[add(x, y) for y in rows[1]] for x in rows[0]]
    total = NOWHERE
    for shift in range(254, -1, -2):
        total = add(double(double(total)), table[m >> shift & 3][n >> shift & 3])
    return total


def recover(digest, signature):
    """Return the address that signed a digest with r | vs (EIP-2098, §4.2), or None."""
    r, vs = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    s, odd = vs & (1 << 255) - 1, vs >> 255
    if len(signature) != 64 or not 0 < r < N or not 0 < s <= N // 2:
        return None
    y = pow((r**3 + 7) % P, (P + 1) // 4, P)
    if (y * y - r**3 - 7) % P:
        return None
    inverse = pow(r, -1, N)
    point = (r, y if y % 2 == odd else P - y, 1)
    x, y, z = combine(point, s * inverse % N, G, -int.from_bytes(digest, "big") * inverse % N)
    if not z:
        return None
    zz = pow(z, -1, P) ** 2 % P
    return keccak(word(x * zz % P) + word(y * zz * pow(z, -1, P) % P))[12:]


Q = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, Q) % Q
BASE_Y = 4 * pow(5, -1, Q) % Q


def add25519(a, b):
    """Return a + b on edwards25519; extended coordinates (RFC 8032 §5.1.4)."""
    e, f = (a[1] - a[0]) * (b[1] - b[0]) % Q, (a[1] + a[0]) * (b[1] + b[0]) % Q
    g, h = 2 * a[3] * b[3] * D % Q, 2 * a[2] * b[2] % Q
    p, q, r, s = f - e, h - g, h + g, f + e
    return p * q % Q, r * s % Q, q * r % Q, p * s % Q


def multiply25519(scalar, point):
    """Return scalar times point."""
    total = (0, 1, 1, 0)
    for bit in bin(scalar)[2:]:
        total = add25519(total, total)
        total = add25519(total, point) if bit == "1" else total
    return total


def decode25519(data):
    """Return the point that 32 bytes encode, or None (RFC 8032 §5.1.3)."""
    y, sign = int.from_bytes(data, "little") & (1 << 255) - 1, data[31] >> 7
    u, v = (y * y - 1) % Q, (D * y * y + 1) % Q
    x = u * v**3 * pow(u * v**7, (Q - 5) // 8, Q) % Q
    if (v * x * x + u) % Q == 0:
        x = x * pow(2, (Q - 1) // 4, Q) % Q
    if y >= Q or (v * x * x - u) % Q or (x == 0 and sign):
        return None
    x = Q - x if x % 2 != sign else x
    return x, y, 1, x * y % Q


def is_signed25519(key, message, signature):
    """Whether an Ed25519 signature verifies (RFC 8032 §5.1.7, without the cofactor)."""
    if len(key) != 32 or len(signature) != 64:
        return False
    a, r, s = decode25519(key), decode25519(signature[:32]), int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= ORDER:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % ORDER
    left = multiply25519(s, decode25519(BASE_Y.to_bytes(32, "little")))
    right = add25519(r, multiply25519(k, a))
    return not ((left[0] * right[2] - right[0] * left[2]) % Q or (left[1] * right[2] - right[1] * left[2]) % Q)
