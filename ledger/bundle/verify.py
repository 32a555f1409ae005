#!/usr/bin/env python3
"""Check a fedtrail bundle without fedtrail: one file, Python 3.11 or later, the standard library, no network.

    python3 verify.py BUNDLE [--trust FILE] [--json]

docs/bundle.md says what a bundle holds and docs/protocol.md what is recomputed; numbers such as §4.7 are its sections.
Read from `main` at the end upwards: nothing here trusts a byte before it was hashed, decoded canonically or verified.
Exit status: 0 VERIFIED, 8 CONSISTENT or INCOMPLETE, 7 FAILED.
"""

import argparse
import base64
import hashlib
import json
import mmap
import re
import struct
import sys
import tomllib
import zlib
from array import array
from collections import namedtuple
from itertools import combinations, pairwise
from operator import mul
from pathlib import Path

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


# ------------------------------------------------------------------------------------------------------------- hashes


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


# -------------------------------------------------------------------------------------------------- RLP and state tries


def read_length(data, start, end):
    """Return (whether it is a list, where its payload begins, where it ends) of the RLP item at start.

    Raises: Bad FT703: cut short, or a length that is not canonical.
    """
    require(start < end, "FT703", "RLP is cut short")
    first = data[start]
    if first < 0x80:
        return False, start, start + 1
    size, at = first - (0xC0 if first >= 0xC0 else 0x80), start + 1
    if size > 55:
        at += size - 55
        digits = data[start + 1 : min(at, end)]
        size = int.from_bytes(digits, "big")
        require(at <= end and digits[0] and size > 55, "FT703", "an RLP length that is not canonical")
    require(at + size <= end, "FT703", "RLP is cut short")
    require(first != 0x81 or data[at] >= 0x80, "FT703", "a byte with an RLP length")
    return first >= 0xC0, at, at + size


def decode_rlp(data, start, end, depth=0):
    """Return (item, its end) of the RLP item at start: bytes, or a list of items.

    Raises: Bad FT703: not canonical, cut short, or nested deeper than anything in a header, receipt or trie node.
    """
    is_list, at, stop = read_length(data, start, end)
    if not is_list:
        return data[at:stop], stop
    require(depth < 24, "FT703", "RLP lists are nested too deeply")
    items = []
    while at < stop:
        item, at = decode_rlp(data, at, stop, depth + 1)
        items.append(item)
    return items, stop


def parse_rlp(data):
    """Return the one RLP item that data is."""
    item, end = decode_rlp(data, 0, len(data))
    require(end == len(data), "FT703", "bytes after an RLP item")
    return item


def encode_rlp(item):
    """Return the RLP of bytes or of a list."""
    if isinstance(item, list):
        body, base = b"".join(map(encode_rlp, item)), 0xC0
    elif len(item) == 1 and item[0] < 0x80:
        return item
    else:
        body, base = item, 0x80
    if len(body) <= 55:
        return bytes([base + len(body)]) + body
    size = len(body).to_bytes(4, "big").lstrip(b"\x00")
    return bytes([base + 55 + len(size)]) + size + body


def to_int(data, width=32):
    """Return an RLP integer: big endian without leading zeros."""
    require(isinstance(data, bytes) and len(data) <= width and data[:1] != b"\x00", "FT703", "not an RLP integer")
    return int.from_bytes(data, "big")


def to_nibbles(key):
    """Return the half-bytes of a key."""
    return [half for byte in key for half in (byte >> 4, byte & 15)]


def encode_path(nibbles, is_leaf):
    """Return the hex-prefix encoding of a path (yellow paper, appendix C)."""
    flag = 2 * is_leaf + len(nibbles) % 2
    padded = [flag, *nibbles] if len(nibbles) % 2 else [flag, 0, *nibbles]
    return bytes(16 * high + low for high, low in zip(padded[::2], padded[1::2], strict=True))


def build_trie(items):
    """Return the node over (nibbles, value) pairs in rising order, none the prefix of another (appendix D)."""
    first, last = items[0][0], items[-1][0]
    if len(items) == 1:
        return [encode_path(first, True), items[0][1]]
    shared = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), 0)
    if shared:
        inner = build_trie([(path[shared:], value) for path, value in items])
        return [encode_path(first[:shared], False), refer_to(inner)]
    branches = [[(path[1:], value) for path, value in items if path[0] == half] for half in range(16)]
    return [refer_to(build_trie(branch)) if branch else b"" for branch in branches] + [b""]


def refer_to(node):
    """Return how a parent names a node: itself if it is short, else its hash."""
    encoded = encode_rlp(node)
    return node if len(encoded) < 32 else keccak(encoded)


def list_root(values):
    """Return the root of the trie that a block keeps over its receipts: keys are the RLP of positions."""
    if not values:
        return keccak(b"\x80")
    keys = (encode_rlp(i.to_bytes(4, "big").lstrip(b"\x00")) for i in range(len(values)))
    return keccak(encode_rlp(build_trie(sorted(zip(map(to_nibbles, keys), values, strict=True)))))


def walk_proof(root, key, proof):
    """Return the value that a Merkle-Patricia proof shows under keccak(key), or None where it shows that none is there.

    Args: proof: encoded nodes from the root down, each named by the one before; all must be used.
    Raises: Bad FT703: the proof is not one of this root and key.
    """
    path, nodes, want, node = to_nibbles(keccak(key)), iter(proof), root, None
    if root == keccak(b"\x80") and proof in ([], [b"\x80"]):
        return None  # an empty trie, which nodes write either way
    value = None
    while want:
        if isinstance(want, bytes):
            encoded = next(nodes, b"")
            got = keccak(encoded)
            require(got == want, "FT703", f"a trie node hashes to {got.hex()}, its parent expects {want.hex()}")
            node = parse_rlp(encoded)
        else:
            node = want  # a short node lies within its parent
        require(isinstance(node, list) and len(node) in (2, 17), "FT703", "not a trie node")
        if len(node) == 17:
            require(path, "FT703", "the key ends at a branch")
            want, path = node[path[0]], path[1:]
            continue
        require(isinstance(node[0], bytes) and node[0], "FT703", "not a path in a trie node")
        steps = to_nibbles(node[0])
        is_leaf, steps = steps[0] >> 1, steps[1:] if steps[0] & 1 else steps[2:]
        require(node[0] == encode_path(steps, is_leaf), "FT703", "a path in a trie node is not canonical")
        require(is_leaf or steps, "FT703", "an extension without a path")
        if path[: len(steps)] != steps or (is_leaf and len(steps) != len(path)):
            break
        if is_leaf:
            value = node[1]
            break
        want, path = node[1], path[len(steps) :]
    require(next(nodes, None) is None, "FT703", "a trie proof has nodes that nothing names")
    return value


# --------------------------------------------------------------------------------------------------------- signatures

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


# -------------------------------------------------------------------------------------- numbers, rules, blobs (§1 - §5)

TASK = [
    "rule",
    "rule_param",
    "rule_select",
    "size",
    "scale_bits",
    "leaf_log2",
    "matrix_log2",
    "model_log2",
    "bound",
    "examples_cap",
    "mode",
    "wei_per_weight",
    "commit_seconds",
    "data_seconds",
    "propose_seconds",
    "challenge_seconds",
    "max_clients",
    "quorum",
    "bond_wei",
    "board",
    "genesis_model",
    "layout_digest",
    "script_digest",
]
PROPOSAL = ("aggregate_root", "matrix_root", "model_root", "members_root", "data_id", "committed")
SUM32, MEAN, WEIGHTED_MEAN, MEDIAN, TRIMMED_MEAN, KRUM, MULTI_KRUM = range(7)
ACCUMULATED = 1
"""The mode in which the ledger does not count who committed (§6.3)."""
ALLOWANCE = 1024
"""Bytes after a vector that are still read, to tell trailing bytes from a flood (§3.1)."""


def rdiv(a, b):
    """Return a / b rounded to the nearest integer, a half upwards (§1.3)."""
    return (2 * a + b) // (2 * b)


def clamp(updates, bound):
    """Return updates with every coordinate limited to [-bound, bound] (§1.4); most are, and stay as they are."""
    if all(len(update) == 0 or (max(update) <= bound and min(update) >= -bound) for update in updates):
        return updates
    return [[max(-bound, min(bound, x)) for x in update] for update in updates]


def mean(updates):
    """Return the rounded mean of every coordinate (§5.2)."""
    return [rdiv(total, len(updates)) for total in map(sum, zip(*updates, strict=True))]


def squared_distances(updates):
    """Return the exact squared distances of all pairs, the upper triangle row by row (§5.6)."""
    squares = [sum(map(mul, update, update)) for update in updates]
    pairs = combinations(range(len(updates)), 2)
    return [squares[i] + squares[j] - 2 * sum(map(mul, updates[i], updates[j])) for i, j in pairs]


def choose_by_krum(distances, n, f, count):
    """Return the slots of the `count` lowest Krum scores, ties to the lower slot, rising (§5.6)."""
    to_others = [[] for _ in range(n)]
    for (i, j), distance in zip(combinations(range(n), 2), distances, strict=True):
        to_others[i].append(distance)
        to_others[j].append(distance)
    scores = [sum(sorted(row)[: n - f - 2]) for row in to_others]
    return sorted(sorted(range(n), key=scores.__getitem__)[:count])


def aggregate(task, updates, weights):
    """Return what a task's rule makes of the included updates, in rising client number (§5).

    Raises: Bad: FT609 too few updates, FT710 updates or weights of another number.
    """
    rule, k, n = task["rule"], task["rule_param"], len(updates)
    smallest = {TRIMMED_MEAN: 2 * k + 1, KRUM: 2 * k + 3, MULTI_KRUM: max(2 * k + 3, k + task["rule_select"])}
    require(n >= smallest.get(rule, 1), "FT609", f"rule {rule} is not defined for {n} updates")
    require(len({len(update) for update in updates}) == 1, "FT710", "updates of different lengths")
    if rule == SUM32:
        return [(total + 2**31) % 2**32 - 2**31 for total in map(sum, zip(*updates, strict=True))]
    updates = clamp(updates, task["bound"])
    if rule == WEIGHTED_MEAN:
        require(len(weights) == n, "FT710", f"{len(weights)} weights for {n} updates")
        total = sum(weights)
        return [rdiv(sum(map(mul, weights, column)), total) if total else 0 for column in zip(*updates, strict=True)]
    if rule == MEDIAN:
        return [rdiv(v[(n - 1) // 2] + v[n // 2], 2) for v in map(sorted, zip(*updates, strict=True))]
    if rule == TRIMMED_MEAN:
        return [rdiv(sum(v[k : n - k]), n - 2 * k) for v in map(sorted, zip(*updates, strict=True))]
    if rule in (KRUM, MULTI_KRUM):
        count = 1 if rule == KRUM else task["rule_select"]
        updates = [updates[slot] for slot in choose_by_krum(squared_distances(updates), n, k, count)]
    return mean(updates)


def encode_aux(task, updates, weights):
    """Return the auxiliary data that a proposal of a task must carry (§5.8)."""
    if task["rule"] in (KRUM, MULTI_KRUM):
        distances = squared_distances(clamp(updates, task["bound"]))
        return b"".join(distance.to_bytes(12, "big") for distance in distances)
    return struct.pack(f">{len(weights)}I", *weights) if task["rule"] == WEIGHTED_MEAN else b""


def step_model(base, change):
    """Return base plus aggregate, saturating (§5.7)."""
    require(len(base) == len(change), "FT710", f"{len(change)} coordinates for a model of {len(base)}")
    return [max(-(2**31), min(2**31 - 1, a + b)) for a, b in zip(base, change, strict=True)]


def to_little_endian(values):
    """Return int32 values as bytes, little endian (§1.1)."""
    values = array("i", values)
    if sys.byteorder == "big":
        values.byteswap()
    return values.tobytes()


def to_values(payload):
    """Return the int32 values of little-endian bytes."""
    values = array("i", payload)
    if sys.byteorder == "big":
        values.byteswap()
    return values


def matrix_root(updates, matrix_log2):
    """Return the root of the updates, transposed (§2.4)."""
    n, matrix = len(updates), array("i", bytes(4 * len(updates) * len(updates[0])))
    for slot, update in enumerate(updates):
        matrix[slot::n] = array("i", update)
    return chunk_root(to_little_endian(matrix), 4 * n << matrix_log2)


VECTOR = struct.Struct(">2scB32sQIIIBB2s")
Vector = namedtuple(
    "Vector", "magic kind version domain round client examples size scale_bits leaf_log2 reserved values seeds"
)
LINE, REVEAL = struct.Struct(">I32s"), struct.Struct(">II32s")
"""A line of a seed table, and a revealed seed (§11.2, §11.5)."""


def decode_vector(data, max_bytes):
    """Return the vector in a blob, checks 1 to 6 of §3.1 in their order.

    Raises: Bad: the code of the first check that fails.
    """
    require(len(data) <= max_bytes, "FT716", f"{len(data)} bytes, at most {max_bytes} are read")
    require(len(data) >= VECTOR.size, "FT710", f"{len(data)} bytes are no header")
    head = VECTOR.unpack_from(data)
    magic = head[0] == b"FT" and head[1] in (b"U", b"S", b"A", b"M") and head[2] == 1
    require(magic, "FT712", f"magic, kind or version {data[:4].hex()}")
    require(head[-1] == b"\x00\x00", "FT722", "reserved bytes are not zero")
    want = VECTOR.size + 4 * head[7]
    require(len(data) >= want, "FT710", f"{len(data)} bytes, the header says {want}")
    extra = len(data) - want
    require(head[1] == b"S" or not extra, "FT711", f"{extra} bytes after the last coordinate")
    require(extra % LINE.size == 0, "FT710", f"{extra} bytes of seeds are no whole number of lines")
    return Vector(*head, to_values(data[VECTOR.size : want]), data[want:])


def decode_update(data, want, bound, degree=0):
    """Return the update in a blob, checks 1 to 13 of §3.1 and §3.2 in their order.

    Args: want: the (kind, domain, round, client, size, scale_bits, leaf_log2) that chain state fixes. degree: of a
        masked task (§11): its updates have seeds and no range.
    Raises: Bad: the code of the first check that fails.
    """
    vector = decode_vector(data, measure_vector(want[4], degree))
    fields = ("kind", "domain", "round", "client", "size", "scale_bits", "leaf_log2")
    codes = ("FT712", "FT719", "FT718", "FT720", "FT713", "FT713", "FT713")
    for field, code, wanted in zip(fields, codes, want, strict=True):
        got = getattr(vector, field)
        require(got == wanted, code, f"{field} is {got!r}, not {wanted!r}")
    require(vector.examples or vector.kind not in (b"U", b"S"), "FT721", "no examples")
    if degree:
        read_seeds(vector, degree)
        return vector
    values = vector.values
    in_range = not values or (-bound <= min(values) and max(values) <= bound)
    require(in_range, "FT715", f"a coordinate is beyond {bound}")
    return vector


def measure_vector(size, degree):
    """Return the most bytes of a vector blob that are read (§3.1)."""
    return VECTOR.size + 4 * size + (LINE.size * (degree + 1) if degree else 0) + ALLOWANCE


def read_seeds(vector, degree):
    """Return the commitments of a masked update's seed table by peer, its own under 0 (§11.2).

    Raises: Bad FT722: not the table that a client may have.
    """
    peers = [peer for peer, _ in LINE.iter_unpack(vector.seeds)]
    rising = peers[:1] == [0] and peers == sorted(set(peers)) and vector.client not in peers
    require(rising and len(peers) <= degree + 1, "FT722", f"seed table of client {vector.client}: {peers}")
    return dict(LINE.iter_unpack(vector.seeds))


def is_masking(text):
    """Whether a term says who masks, and how many shares recover a secret (§11.10)."""
    told = re.fullmatch(rb"threshold\(([1-9][0-9]{0,3})\)\+roster\(([0-9,-]{1,900})\)", text)
    last, count = -1, 0
    for part in told[2].split(b",") if told else ():
        ends = re.fullmatch(rb"([1-9][0-9]{0,9})(?:-([1-9][0-9]{0,9}))?", part)
        if not ends or int(ends[1]) <= last + 1 or (ends[2] and int(ends[2]) <= int(ends[1])):
            return False
        last = int(ends[2] or ends[1])
        count += last - int(ends[1]) + 1
    return bool(told) and int(told[1]) <= 1000 and count <= 10_000


def is_noise(text):
    """Whether a term says what noise clients add to their updates (docs/privacy.md); a replay computes the same."""
    whole = rb"(local|distributed|central)\(clip=(n),variance=(n),shares=(n),relation=(?:zero-out|replace-one),"
    whole += rb"against=(?:everybody|readers-of-models),delta=(n),budget=(n)\)"
    sample = rb"sample\(clip=(n),multiplier=(n),rate=(n),steps=(n),delta=(n),budget=(n)\)"
    whole, sample = (form.replace(b"(n)", b"([1-9][0-9]{0,18})") for form in (whole, sample))
    told = re.fullmatch(whole, text)
    if told:
        clip, variance, shares, delta, budget = map(int, told.groups()[1:])
        fits = variance <= 1 << 48 and (shares == 1 or told[1] == b"distributed")
        return fits and delta < 10**12 and max(clip, shares, budget) < 1 << 63
    told = re.fullmatch(sample, text)
    numbers = [int(number) for number in told.groups()] if told else []
    return bool(told) and numbers[2] <= 10**6 and numbers[4] < 10**12 and max(numbers) < 1 << 63


def needed_seeds(tables):
    """Return the commitment of every seed that must be revealed, by (owner, peer) (§11.5)."""
    pairs = ((owner, peer, digest) for owner, table in tables.items() for peer, digest in table.items())
    return {(o, p): digest for o, p, digest in pairs if tables.get(p, {}).get(o) != digest}


def unmask(total, reveals):
    """Return the sums without the revealed masks, modulo 2^32 (§11.1, §11.6)."""
    for owner, peer, seed in reveals:
        sign = -1 if 0 < peer < owner else 1
        blocks = (sha256(seed + b.to_bytes(8, "big")) for b in range(-(-len(total) // 8)))
        words = struct.iter_unpack("<I", b"".join(blocks))
        total = [x - sign * w for x, (w,) in zip(total, words, strict=False)]
    return [(x + 2**31) % 2**32 - 2**31 for x in total]


MANIFEST = struct.Struct(">4s32sQIB32sB32sB32s")
ENTRY = struct.Struct(">IHB32s64s")
Manifest = namedtuple("Manifest", "domain round base aggregate model entries")
Entry = namedtuple("Entry", "client reason content signature")


def decode_manifest(data):
    """Return the manifest in a block; contents are (codec, digest) or None (§3.3).

    Raises: Bad: FT716, FT710, FT711, FT712 or FT722.
    """
    require(len(data) <= 1 << 20, "FT716", f"a manifest of {len(data)} bytes")
    require(len(data) >= MANIFEST.size, "FT710", f"{len(data)} bytes are no manifest")
    magic, domain, number, count, *named = MANIFEST.unpack_from(data)
    require(magic == b"FTD\x01", "FT712", f"magic {magic.hex()}")
    want = MANIFEST.size + count * ENTRY.size
    require(len(data) >= want, "FT710", f"{len(data)} bytes, the header says {want}")
    require(len(data) == want, "FT711", f"{len(data) - want} bytes after the last entry")
    contents = [decode_content(*named[i : i + 2]) for i in (0, 2, 4)]
    entries = []
    for client, reason, codec, digest, signature in ENTRY.iter_unpack(data[MANIFEST.size :]):
        require(codec or signature == bytes(64), "FT722", f"client {client} published nothing and signed for it")
        entries.append(Entry(client, reason, decode_content(codec, digest), signature))
    require(is_rising(entry.client for entry in entries), "FT722", "clients do not rise")
    return Manifest(domain, number, *contents, entries)


def decode_content(codec, digest):
    """Return (codec, digest), or None for nothing (§3.3)."""
    require(codec in (0, 0x55, 0x70) and (codec or digest == ZERO), "FT722", f"content codec {codec}")
    return (codec, digest) if codec else None


def is_rising(numbers):
    """Whether each number is above the one before."""
    return all(a < b for a, b in pairwise(numbers))


def cut(data, size):
    """Return data in pieces of a size."""
    return [data[at : at + size] for at in range(0, len(data), size)]


def decode_list(data):
    """Return the (client, commitment, signature) entries of a signed list (§4.6)."""
    require(len(data) <= 100 * 10_000, "FT716", f"a list of {len(data)} bytes")
    require(data, "FT710", "an empty list")
    require(len(data) % 100 == 0, "FT710", f"{len(data)} bytes are no whole number of entries")
    entries = list(struct.iter_unpack(">I32s64s", data))
    require(is_rising(entry[0] for entry in entries), "FT722", "clients do not rise")
    return entries


def varint(value):
    """Return an unsigned LEB128 integer."""
    groups = [value >> shift & 127 for shift in range(0, max(value.bit_length(), 1), 7)]
    return bytes([*(group | 128 for group in groups[:-1]), groups[-1]])


CHUNK, WIDTH = 262_144, 174
"""Bytes of a leaf, and most links of a node, in files as IPFS lays them out (§3.4)."""


def content_of(data):
    """Return (codec, digest) of a content as IPFS names it: UnixFS, raw leaves of 262,144 bytes, 174 links (§3.4)."""
    level = [(0x55, sha256(leaf), len(leaf), len(leaf)) for leaf in cut(data, CHUNK) or [b""]]
    while len(level) > 1:
        level = [make_node(parts)[0] for parts in cut(level, WIDTH)]
    return level[0][:2]


def make_node(parts):
    """Return ((codec, digest, file bytes, DAG bytes), block) of the dag-pb node over such parts."""
    links = b""
    for codec, digest, _, dag_bytes in parts:
        link = b"\x0a\x24\x01" + bytes([codec]) + b"\x12\x20" + digest + b"\x12\x00\x18" + varint(dag_bytes)
        links += b"\x12" + varint(len(link)) + link
    sizes = [part[2] for part in parts]
    file = b"\x08\x02\x18" + varint(sum(sizes)) + b"".join(b"\x20" + varint(size) for size in sizes)
    block = links + b"\x0a" + varint(len(file)) + file
    return (0x70, sha256(block), sum(sizes), len(block) + sum(part[3] for part in parts)), block


def read_varint(data, at):
    """Return (an unsigned LEB128 integer, where it ends). Raises: Bad FT722."""
    size = next((i for i, byte in enumerate(data[at : at + 10], 1) if byte < 128), None)
    require(size is not None, "FT722", "a number without an end")
    return sum((byte & 127) << 7 * i for i, byte in enumerate(data[at : at + size])), at + size


def stated_size(content, block):
    """Return the size of the file that a root block states. Raises: Bad FT722: none that a file of this kind has."""
    if content[0] == 0x55:
        require(len(block) <= CHUNK, "FT722", f"a leaf of {len(block)} bytes")
        return len(block)
    at = 0
    while block[at : at + 1] == b"\x12":
        size, at = read_varint(block, at + 1)
        at += size
    _, at = read_varint(block, at + 1)
    size, _ = read_varint(block, at + 3)
    require(size > CHUNK, "FT722", f"a node over {size} bytes, which one leaf holds")
    return size


def child_sizes(size, height):
    """Return how many file bytes each child of a node holds: all full but the last."""
    whole, rest = divmod(size, CHUNK * WIDTH ** (height - 1))
    return [CHUNK * WIDTH ** (height - 1)] * whole + [rest] * (rest > 0)


def dag_bytes(size, height):
    """Return the length of all blocks of a part of a file, which its size fixes."""
    if height == 0:
        return size
    parts = [(0x55, ZERO, part, dag_bytes(part, height - 1)) for part in child_sizes(size, height)]
    return make_node(parts)[0][3]


def child_parts(block, size, height):
    """Return (content, size, height) of a node's children. Raises: Bad FT722: it is not the node that writers make."""
    parts, at, codec = [], 0, 0x70 if height > 1 else 0x55
    for part in child_sizes(size, height):
        length, at = read_varint(block, at + 1)
        parts.append((codec, block[at + 6 : at + 38].ljust(32, b"\x00"), part, dag_bytes(part, height - 1)))
        at += length
    require(make_node(parts)[1] == block, "FT722", "a node that is not the one of its size")
    return [((codec, digest), part, height - 1) for codec, digest, part, _ in parts]


def cid_text(content):
    """Return the text form of a CIDv1."""
    raw = bytes([1, content[0]]) + b"\x12\x20" + content[1]
    return "b" + base64.b32encode(raw).decode().rstrip("=").lower()


def parse_cid(text):
    """Return (codec, digest) of a CID that NAMES admits."""
    raw = base64.b32decode(text[1:].upper() + "======")
    return raw[1], raw[4:]


# ----------------------------------------------------------------------------------------------------- commitments (§4)


def domain_separator(name, chain_id, contract):
    """Return the EIP-712 domain separator of a contract (§4.2)."""
    kind = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
    parts = (keccak(kind), keccak(name.encode()), keccak(b"1"), word(chain_id), contract.rjust(32, b"\x00"))
    return keccak(b"".join(parts))


def typed_digest(domain, kind, *words):
    """Return the EIP-712 digest that is signed of a struct whose fields are 32-byte words (§4.2)."""
    return keccak(b"\x19\x01" + domain + keccak(keccak(kind) + b"".join(words)))


def commitment_digest(domain, number, client, commitment):
    """Return what a client signs to commit (§4.2)."""
    kind = b"Commitment(uint64 roundId,uint32 client,bytes32 commitment)"
    return typed_digest(domain, kind, word(number), word(client), commitment)


def publication_digest(domain, number, client, content):
    """Return what a client signs to say where its update is (§4.3)."""
    kind = b"Publication(uint64 roundId,uint32 client,uint8 codec,bytes32 digest)"
    return typed_digest(domain, kind, word(number), word(client), word(content[0]), content[1])


def commitment(domain, number, client, examples, root):
    """Return the commitment to an update (§4.1)."""
    return sha256(b"\x02" + domain + struct.pack(">QII", number, client, examples) + root)


def members_root(members):
    """Return the root over the included (client, commitment) (§4.5)."""
    return merkle_root([sha256(b"\x00" + struct.pack(">I32s", *member)) for member in members])


def segment_root(entries):
    """Return the root of a batch of packed entries: client and commitment, in a list also the signature (§4.6)."""
    return merkle_root([keccak(b"\x00" + entry) for entry in entries], keccak)


def roll_segment(segments_hash, root, count):
    """Return the round's rolling hash after a segment (§4.6)."""
    return keccak(segments_hash + root + word(count))


def proposal_hash(number, proposal, segments_hash, excluded, aux, included):
    """Return the hash that the ledger stores of a proposal (§4.7).

    Args: proposal: (aggregate_root, matrix_root, model_root, members_root, data_id, committed).
    """
    aggregate_root, matrix, model, members, data_id, committed = proposal
    tail = (keccak(excluded), keccak(aux), word(committed), word(included))
    core = keccak(model + keccak(b"".join((members, data_id, segments_hash, *tail))))
    return keccak(word(number) + aggregate_root + matrix + core)


def weigh(task, examples, stake):
    """Return the weight of a client in a weighted mean (§5.3)."""
    weight = min(examples, task["examples_cap"])
    return min(weight, stake // task["wei_per_weight"]) if task["wei_per_weight"] else weight


def extend_head(head, number, digest):
    """Return the head of a task's chain of finalised rounds after one more (§4.8)."""
    return keccak(head + word(number) + digest)


# ------------------------------------------------------------------------------------- events and what they say (§8)

REGISTRY_EVENTS = """
Registered(uint32 id*,address owner*,address signer*,uint8 role,uint256 stake,uint40 active_from)
KeyRotated(uint32 id*,address signer*,uint16 epoch)
Deposited(uint32 id*,uint256 amount,uint256 stake)
Unbonding(uint32 id*,uint40 unlock_at)
Withdrawn(uint32 id*,uint256 amount)
Claimed(address account*,address to*,uint256 amount)
CreditDeposited(address account*,uint256 amount)
CreditMoved(address from*,address to*,uint256 amount)
Locked(uint32 id*,uint32 task*,uint256 amount)
Unlocked(uint32 id*,uint32 task*,uint256 amount)
Slashed(uint32 id*,uint64 round*,bytes32 reason*,uint256 to_challenger,uint256 to_clients,uint256 burnt)
EIP712DomainChanged()"""
LEDGER_EVENTS = """
TaskCreated(uint32 task*,bytes32 params_hash*,(uint8 rule,uint16 rule_param,uint16 rule_select,uint32 size,\
uint8 scale_bits,uint8 leaf_log2,uint8 matrix_log2,uint8 model_log2,uint32 bound,uint32 examples_cap,uint8 mode,\
uint80 wei_per_weight,uint32 commit_seconds,uint32 data_seconds,uint32 propose_seconds,uint32 challenge_seconds,\
uint16 max_clients,uint16 quorum,uint96 bond_wei,address board,bytes32 genesis_model,bytes32 layout_digest,\
bytes32 script_digest))
RoundOpened(uint64 round*,uint32 task*,bytes32 base*,uint32 number,uint32 aggregator,uint40 opened_at,\
uint40 commit_end,uint40 data_end,uint40 propose_end)
Committed(uint64 round*,uint32 client*,bytes32 commitment)
SegmentCommitted(uint64 round*,bytes32 root*,uint16 first,uint16 count,bytes entries)
RootCommitted(uint64 round*,bytes32 root*,uint16 count,bytes32 list_id)
Proposed(uint64 round*,uint32 aggregator*,bytes32 proposal_hash*,(bytes32 aggregate_root,bytes32 matrix_root,\
bytes32 model_root,bytes32 members_root,bytes32 data_id,uint16 committed),bytes32 segments_hash,uint16 included,\
uint40 challenge_end,bytes excluded,bytes aux)
Finalised(uint64 round*,bytes32 head*,bytes32 model_root)
Abandoned(uint64 round*,uint16 included,bytes32 data_id,bytes excluded)
Expired(uint64 round*,uint256 slashed)
Voided(uint64 round*,bytes32 reason*,address challenger*)
BondReleased(uint32 task*,uint32 aggregator*)
DisputeHeld(uint64 round*,address court*,uint40 challenge_end)
DisputeReleased(uint64 round*,address court*)
Paused(uint32 task*,uint64 round*)
Resumed(uint32 task*,uint64 round*,uint40 paused_seconds)
SuccessorNamed(address successor*)
EIP712DomainChanged()"""


def read_declarations(text):
    """Return {topic: (name, [(type, field, star if indexed)])}; structs here are static: their words lie in line."""
    found = {}
    for line in text.split("\n")[1:]:
        topic = keccak(re.sub(r" \w+\*?", "", line).encode())
        name, fields = line.split("(", 1)
        found[topic] = (name, re.findall(r"(\w+) (\w+)(\*?)", fields))
    return found


EVENTS = {"registry": read_declarations(REGISTRY_EVENTS), "ledger": read_declarations(LEDGER_EVENTS)}


LARGEST = {"role": 3, "rule": 7, "mode": 2}
"""Numbers of the contracts' enumerations."""


def decode_event(contract, topics, data):
    """Return (name, arguments) of a log of registry or ledger.

    Raises: Bad FT703: it is no event of the contract's interface.
    """
    name, fields = EVENTS[contract].get(topics[0] if topics else b"", ("", None))
    require(fields is not None, "FT703", f"a log of the {contract} that is none of its events")
    require(len(topics) == 1 + sum(star == "*" for *_, star in fields), "FT703", f"event {name} with other topics")
    indexed, plain, args = iter(topics[1:]), iter(range(0, len(data) - 31, 32)), {}
    head = 32 * sum(not star for *_, star in fields)
    for kind, field, star in fields:
        value = next(indexed) if star else data[at : at + 32] if (at := next(plain, None)) is not None else b""
        require(len(value) == 32, "FT703", f"event {name} is cut short")
        number = int.from_bytes(value, "big")
        if kind == "bytes":
            require(number >= head, "FT703", f"event {name}: {field} lies within its head")
            start = number + 32
            end = start + int.from_bytes(data[number:start], "big")
            padding = data[end : end + -(end - start) % 32] if start <= end <= len(data) else b"\x01"
            require(padding == bytes(-(end - start) % 32), "FT703", f"event {name}: {field} is cut short or padded")
            args[field] = data[start:end]
        else:
            bits = 256 if kind == "bytes32" else 160 if kind == "address" else int(kind[4:])
            require(number >> bits == 0, "FT703", f"event {name}: {field} is no {kind}")
            require(number <= LARGEST.get(field, number), "FT703", f"event {name}: {field} is {number}")
            args[field] = value if kind == "bytes32" else value[12:] if kind == "address" else number
    return name, args


NEVER = (1 << 40) - 1
OPEN, PROPOSED, FINALISED, ABANDONED, EXPIRED, VOIDED, PAUSED = range(1, 8)
PHASE_BEFORE = {"Finalised": PROPOSED, "Voided": PROPOSED, "DisputeHeld": PROPOSED}
PHASE_BEFORE |= dict.fromkeys(
    ("Committed", "SegmentCommitted", "RootCommitted", "Proposed", "Abandoned", "Expired"), OPEN
)
PHASE_AFTER = {
    "Proposed": PROPOSED,
    "Finalised": FINALISED,
    "Abandoned": ABANDONED,
    "Expired": EXPIRED,
    "Voided": VOIDED,
}


def value_at(trace, at):
    """Return the latest value of a rising trace of (second, value) that is not after a second, else None."""
    return next((value for second, value in reversed(trace) if second <= at), None)


class Participant:
    """What the events say of an identity."""

    def __init__(self, a, now):
        self.role, self.owner = a["role"], a["owner"]
        self.keys = [(now, a["signer"])]  # (first second, address), rising; like the next two
        self.stakes = [(now, a["stake"])]
        self.periods = []  # of activity that are over: (first second, the one after the last)
        self.active_from, self.unlock_at, self.locked, self.open_tasks = a["active_from"], 0, 0, 0

    def deactivate(self, now):
        """End the present period of activity."""
        if self.active_from < now:
            if self.periods and self.periods[-1][0] == self.active_from:
                self.periods.pop()
            self.periods.append((self.active_from, now))
        self.active_from = NEVER

    def key_at(self, at):
        """Return the address that a client signs with in rounds opened at a second; None if it is no client then."""
        active = at >= self.active_from or at < (value_at(self.periods, at) or 0)
        return (value_at(self.keys, at) or self.keys[0][1]) if active and self.role == 1 else None

    def words(self):
        """Return the three words that the registry keeps of it, hasBonded left out."""
        since, signer = self.keys[-1]
        first = int.from_bytes(signer, "big") | since << 160 | self.active_from << 200 | self.role << 240
        second = int.from_bytes(self.owner, "big") | self.stakes[-1][1] << 160
        third = self.locked | self.open_tasks << 96 | self.unlock_at << 120 | (len(self.keys) - 1) << 160
        return first, second, third


class Round:
    """What the events say of a round."""

    def __init__(self, task, opened):
        self.task, self.opened = task, opened
        self.phase, self.committed, self.excluded, self.disputes = OPEN, 0, 0, 0
        self.segments = []  # (root as told, packed client and commitment each), in the order of their arrival
        self.listed, self.ended, self.finalised = None, None, None


class Ledger:
    """Registry and ledger after some events (docs/bundle.md §5)."""

    def __init__(self, min_stakes):
        self.min_stakes, self.delay, self.burnt = min_stakes, None, 0
        self.participants, self.tasks, self.rounds = {}, {}, {}

    def apply(self, contract, name, a, now):
        """Take in an event of a block with timestamp `now`. Raises: Bad FT705: it does not follow from those before."""
        if name == "Registered":
            self.delay = a["active_from"] - now if self.delay is None else self.delay
            follows = a["id"] == len(self.participants) + 1 and a["active_from"] - now == self.delay
            require(follows, "FT705", f"participant {a['id']} does not follow from the events before")
            self.participants[a["id"]] = Participant(a, now)
        elif name == "TaskCreated":
            require(a["task"] == len(self.tasks) + 1, "FT705", f"task {a['task']} comes after {len(self.tasks)}")
            state = {"model": a["genesis_model"], "head": ZERO, "rounds": 0, "current": 0, "paused": False}
            self.tasks[a["task"]] = a | state
        elif contract == "registry" and "id" in a:
            require(a["id"] in self.participants, "FT705", f"{name}: there is no participant {a['id']}")
            self.change_participant(self.participants[a["id"]], name, a, now)
        elif "task" in a:
            require(a["task"] in self.tasks, "FT705", f"{name}: there is no task {a['task']}")
            self.change_task(self.tasks[a["task"]], name, a)
        elif contract == "ledger" and "round" in a:
            r = self.rounds.get(a["round"])
            follows = r is not None and PHASE_BEFORE.get(name, r.phase) == r.phase
            require(follows, "FT705", f"{name} does not follow from the events of round {a['round']} before")
            self.change_round(r, name, a)

    def change_participant(self, who, name, a, now):
        """Take in an event about an identity."""
        if name == "KeyRotated":
            who.keys.append((now + 1, a["signer"]))
        elif name in ("Locked", "Unlocked"):
            sign = 1 if name == "Locked" else -1
            who.locked, who.open_tasks = who.locked + sign * a["amount"], who.open_tasks + sign
        elif name == "Unbonding":
            who.deactivate(now)
            who.unlock_at = a["unlock_at"]
        elif name == "Withdrawn":
            who.unlock_at = 0
            who.stakes.append((now, 0))
        elif name == "Deposited":
            who.stakes.append((now, a["stake"]))
            if who.active_from == NEVER and a["stake"] >= self.min_stakes.get(who.role, 0):
                who.active_from = now + self.delay
        elif name == "Slashed":
            left = who.stakes[-1][1] - a["to_challenger"] - a["to_clients"] - a["burnt"]
            who.stakes.append((now, left))
            self.burnt += a["burnt"]
            if left < self.min_stakes.get(who.role, 0):
                who.deactivate(now)

    def change_task(self, task, name, a):
        """Take in an event about a task that opens no round, and RoundOpened."""
        current = self.rounds.get(task["current"])
        if name == "RoundOpened":
            free = not task["paused"] and (current is None or current.phase not in (OPEN, PAUSED, PROPOSED))
            follows = free and a["round"] == len(self.rounds) + 1 and a["number"] == task["rounds"] + 1
            require(follows, "FT705", f"round {a['round']} does not follow from the events before")
            task["rounds"], task["current"] = a["number"], a["round"]
            self.rounds[a["round"]] = Round(task, a | {"model_before": task["model"], "head_before": task["head"]})
        elif name in ("Paused", "Resumed"):
            require(task["paused"] == (name == "Resumed"), "FT705", f"{name} does not follow for task {a['task']}")
            task["paused"] = name == "Paused"
            if current is not None and current.phase == (OPEN if name == "Paused" else PAUSED):
                current.phase = PAUSED if name == "Paused" else OPEN

    def change_round(self, r, name, a):
        """Take in an event about a round that was opened."""
        r.phase = PHASE_AFTER.get(name, r.phase)
        if name in ("Committed", "SegmentCommitted"):
            is_batch = name == "SegmentCommitted"
            entries = a["entries"] if is_batch else struct.pack(">I", a["client"]) + a["commitment"]
            r.segments.append((a.get("root"), entries))
            r.committed = 1 if r.task["mode"] == ACCUMULATED else r.committed + a.get("count", 1)
        elif name == "RootCommitted":
            r.listed, r.committed = a, r.committed + a["count"]
        elif name in ("Proposed", "Abandoned"):
            r.ended, r.excluded = a, len(a["excluded"]) // 6
            r.committed = a.get("committed", r.committed)
        elif name == "Finalised":
            r.finalised, r.task["model"], r.task["head"] = a, a["model_root"], a["head"]
        elif name in ("DisputeHeld", "DisputeReleased"):
            r.disputes += 1 if name == "DisputeHeld" else -1
            require(r.disputes >= 0, "FT705", f"no dispute of round {a['round']} is open")

    def key_at(self, client, at):
        """Return the address that a client signed with in rounds opened at a second, or None."""
        return self.participants[client].key_at(at) if client in self.participants else None

    def stake_at(self, client, at):
        """Return a stake at the end of a second, in wei."""
        return (value_at(self.participants[client].stakes, at) or 0) if client in self.participants else 0


# ------------------------------------------------------------------------------------------------------- replay (§7)


class Replay:
    """The replay of one round; (n) are the checks of §7, each noted under its name in docs/bundle.md §6.

    Args: read_blob: (content, limit) to bytes; raises Bad: FT801 absent, FT708 corrupt, else the code for which a
    reader refuses the blob.
    """

    def __init__(self, ledger, domain, number, read_blob):
        self.ledger, self.domain, self.number, self.read_blob = ledger, domain, number, read_blob
        self.r = ledger.rounds[number]
        self.task, self.opened_at = self.r.task, self.r.opened["opened_at"]
        ended = self.r.ended or {}
        self.data_id, self.excluded = ended.get("data_id", ZERO), ended.get("excluded", b"")
        self.proposal = ended if "proposal_hash" in ended else None
        self.members, self.findings, self.is_attested, self.is_whole = {}, [], False, True
        self.has_terms = False

    def find(self, check, code, message, client=None):
        """Note a finding."""
        self.findings.append((check, code, message, client))

    def run(self):
        """Return (verdict, grade) and leave the findings: the checks in their order."""
        is_listed = self.check_segments() if self.r.listed is None else self.check_list()
        is_voided = self.r.phase == VOIDED
        if not is_voided and is_listed and (self.data_id != ZERO or self.excluded):
            self.check_terms()
            manifest = self.check_manifest()
            updates = self.check_updates(manifest) if manifest else []
            self.is_whole = bool(manifest) and len(updates) == len(self.members) - len(self.excluded) // 6 > 0
            if self.proposal and self.is_whole:
                self.check_proposal(updates)
                self.check_aggregate(updates, manifest)
            self.check_lineage()
        grade = "ATTESTED" if self.is_attested or is_voided else "PROVEN"
        if any(not code.startswith("FT8") for _, code, *_ in self.findings):
            return "fail", grade
        if self.findings:
            return "incomplete", "MISSING"
        return "voided" if is_voided else "pass" if self.proposal else "nothing", grade

    def check_segments(self):
        """(1) The commitments in the events are all that the ledger counted, and hash to its rolling hash."""
        rolling, matches = ZERO, True
        for told, entries in self.r.segments:
            batch = [struct.unpack(">I32s", each) for each in cut(entries, 36)]
            root = segment_root(cut(entries, 36)) if batch else ZERO
            rolling, matches = roll_segment(rolling, root, len(batch)), matches and root == (told or root)
            for client, digest in batch:
                self.members.setdefault(client, digest)  # the first commitment of a client counts (§4.6)
        self.members = dict(sorted(self.members.items()))
        if self.proposal:
            matches = rolling == self.proposal["segments_hash"]
        if not matches or (self.task["mode"] != ACCUMULATED and len(self.members) != self.r.committed):
            told = f"{len(self.members)} commitments that hash to {rolling.hex()}"
            self.find("commitments", "FT705", f"incomplete: {told}; the ledger counted {self.r.committed}")
        return True

    def check_list(self):
        """(1) in root-only mode: the list is that of the root, and its clients signed it; whether it can be read."""
        try:
            data = self.read_blob((0x55, self.r.listed["list_id"]), 0)
            entries = decode_list(data)
            told = (segment_root(cut(data, 100)), len(entries)) == (self.r.listed["root"], self.r.listed["count"])
            require(told, "FT701", "the list of commitments is not that of the root on the chain")
        except Bad as bad:
            self.find("commitments", bad.code, f"list of commitments: {bad}")
            return False
        for client, digest, signature in entries:
            self.members[client] = digest
            signer = self.ledger.key_at(client, self.opened_at)
            signed = commitment_digest(self.domain, self.number, client, digest)
            if digest == ZERO or signer is None or recover(signed, signature) != signer:
                self.find("commitments", "FT717", f"the entry of client {client} is not signed with its key", client)
        return True

    def check_manifest(self):
        """(2) and (3): the manifest that dataId names, or None."""
        try:
            manifest = decode_manifest(self.read_blob((0x55, self.data_id), 0))
            require(manifest.domain == self.domain, "FT719", "it is for another ledger")
            require(manifest.round == self.number, "FT718", f"it is for round {manifest.round}")
            listed = [entry.client for entry in manifest.entries]
            require(listed == list(self.members), "FT706", "it does not list exactly who committed")
        except Bad as bad:
            self.find("membership", bad.code, f"manifest: {bad}")
            return None
        stated = b"".join(struct.pack(">IH", e.client, e.reason) for e in manifest.entries if e.reason)
        if stated != self.excluded:
            self.find("membership", "FT706", "the exclusions on the chain are not those of the manifest")
        return manifest

    def check_terms(self):
        """(12) The layout says that nothing binds the round which is not judged here (§3.5)."""
        try:
            layout = self.read_blob((0x55, self.task["layout_digest"]), 0)
        except Bad:
            layout = b""
        rule, masking, noise = rb'(?:"rule":"[^"]*",)?', rb'\["masking","([^"]*)"\]', rb'\["noise","([^"]*)"\]'
        terms = rb"(?:%s,%s|%s|%s)" % (masking, noise, masking, noise)
        known = re.match(rb'\{"format":"fedtrail-layout-(?:[12]"|3",%s"terms":\[%s\]),"' % (rule, terms), layout)
        told = known and (known[1] or known[3], known[2] or known[4])
        self.has_terms = not told or (told[0] is not None and not is_masking(told[0]))
        self.has_terms = self.has_terms or (told[1] is not None and not is_noise(told[1]))
        if self.has_terms:
            self.find("membership", "FT801", "the layout is missing, or has terms (§3.5) that are not judged here")

    def judge(self, client, content):
        """Return a client's update if it is what was committed (§3.2).

        Raises: Bad: FT801 where it is absent, else the code of the first check that fails.
        """
        task = self.task
        require(content is not None, "FT801", "it was never published")
        data = self.read_blob(content, measure_vector(task["size"], self.degree))
        kind = b"S" if self.degree else b"U"
        want = (kind, self.domain, self.number, client, task["size"], task["scale_bits"], task["leaf_log2"])
        update = decode_update(data, want, task["bound"], self.degree)
        root = chunk_root(data[VECTOR.size : VECTOR.size + 4 * task["size"]], 4 << task["leaf_log2"])
        if self.degree:
            root = sha256(b"\x04" + root + chunk_root(update.seeds, LINE.size))  # §11.3
        got = commitment(self.domain, self.number, client, update.examples, root)
        told = self.members[client]
        require(got == told, "FT701", f"update-tampered: the bytes open {got.hex()}, committed was {told.hex()}")
        return update

    def check_updates(self, manifest):
        """(4) and (5): the included updates that are as committed, in rising client number."""
        included = []
        for entry in manifest.entries:
            client, found = entry.client, None
            try:
                update = self.judge(client, entry.content)
            except Bad as bad:
                found, update = bad, None
            if update and not entry.reason:
                included.append(update)
            elif not entry.reason:
                # Bytes other than committed, whoever changed them; every other reason should have excluded it.
                code = {"FT801": "FT801", "FT701": "FT701", "FT708": "FT701"}.get(found.code, "FT706")
                self.find("commitments", code, f"client {client} is included, but: {found}", client)
            elif entry.reason == 801:
                self.is_attested = True  # the aggregator's word
            elif entry.content and found and found.code in ("FT801", "FT708"):
                code = "FT801" if found.code == "FT801" else "FT701"
                self.find("membership", code, f"the excluded update of client {client}: {found}", client)
            elif not found and self.has_terms:
                pass  # a term may ask for it
            elif found and not self.is_published(entry):
                self.find("membership", "FT706", f"client {client} never signed what it is excluded for", client)
            elif not found or int(found.code[2:]) != entry.reason:
                what = f"for FT{entry.reason}, its update is {found.code if found else 'valid'}"
                self.find("membership", "FT706", f"client {client} is excluded {what}", client)
        return included

    def is_published(self, entry):
        """Whether a client signed that its update is where the manifest says (§4.3)."""
        if entry.content is None:
            return False
        signer = self.ledger.key_at(entry.client, self.opened_at)
        signed = publication_digest(self.domain, self.number, entry.client, entry.content)
        return signer is not None and recover(signed, entry.signature) == signer

    def check_proposal(self, updates):
        """(6) Its members, its count and its hash."""
        p = self.proposal
        if len(self.members) != p["committed"]:
            self.find("membership", "FT702", f"{len(self.members)} clients committed, proposed {p['committed']}")
        if members_root([(u.client, self.members[u.client]) for u in updates]) != p["members_root"]:
            self.find("membership", "FT702", "the included clients do not give the members root")
        fields = [p[name] for name in PROPOSAL]
        told = proposal_hash(self.number, fields, p["segments_hash"], p["excluded"], p["aux"], p["included"])
        if told != p["proposal_hash"]:
            self.find("membership", "FT702", f"the proposal hashes to {told.hex()}, not to {p['proposal_hash'].hex()}")

    def check_aggregate(self, updates, manifest):
        """(7) to (9) and (11)"""
        task, p, vectors = self.task, self.proposal, [update.values for update in updates]
        if task["rule"] > MULTI_KRUM:
            self.find("replay", "FT801", f"rule {task['rule']} is not replayed here")
            return
        if self.degree:
            self.check_masked(updates, manifest)
            return
        stakes = [self.ledger.stake_at(update.client, self.opened_at - 1) for update in updates]
        weights = [weigh(task, update.examples, stake) for update, stake in zip(updates, stakes, strict=True)]
        if encode_aux(task, vectors, weights) != p["aux"]:
            self.find("replay", "FT702", "the auxiliary data is not what the updates give")
        if matrix_root(vectors, task["matrix_log2"]) != p["matrix_root"]:
            self.find("replay", "FT702", "the updates, transposed, do not give the matrix root")
        self.check_result(aggregate(task, vectors, weights), manifest)

    @property
    def degree(self):
        """The peers that a client of a masked task may have (§11); 0 where updates are not masked."""
        return self.task["rule_param"] if self.task["rule"] == SUM32 else 0

    def check_masked(self, updates, manifest):
        """(7) to (9) and (11) under masks: the seeds needed are those revealed, and the sum without them."""
        p, vectors = self.proposal, [update.values for update in updates]
        if matrix_root(vectors, self.task["matrix_log2"]) != p["matrix_root"]:
            self.find("replay", "FT702", "the updates, transposed, do not give the matrix root")
        if len(p["aux"]) % REVEAL.size:
            self.find("replay", "FT710", "the revealed seeds are no whole number of entries")
            return
        reveals = list(REVEAL.iter_unpack(p["aux"]))
        shown = {(owner, peer): sha256(b"\x03" + seed) for owner, peer, seed in reveals}
        tables = {update.client: read_seeds(update, self.degree) for update in updates}
        if [(0, 0), *((o, q) for o, q, _ in reveals)] != [(0, 0), *sorted(shown)] or (0, 0) in shown:
            self.find("replay", "FT722", "the revealed seeds do not rise by owner and peer")
            return
        if shown != needed_seeds(tables):
            self.find("replay", "FT722", "the revealed seeds are not those that must be revealed")
        self.check_result(unmask([sum(column) for column in zip(*vectors, strict=True)], reveals), manifest)

    def check_result(self, result, manifest):
        """(7) and (9): the recomputed aggregate is the proposed one, and so is the model that it leads to."""
        p = self.proposal
        if self.root_of(result) != p["aggregate_root"]:
            result = self.compare("aggregate", result, manifest.aggregate, p["aggregate_root"])
        if result is None:
            return
        try:
            base = self.read_vector(manifest.base, self.r.opened["base"])
        except Bad as bad:
            self.find("replay", bad.code, f"base model: {bad}")
            return
        model = step_model(base, result)
        if self.root_of(model) != p["model_root"]:
            self.compare("model", model, manifest.model, p["model_root"])

    def root_of(self, values):
        """Return the root of an aggregate or a model."""
        return chunk_root(to_little_endian(values), 4 << self.task["model_log2"])

    def read_vector(self, content, root):
        """Return the values of a published vector if they are those of a root on the chain; its header says nothing.

        Raises: Bad: FT801 absent or another vector, FT708 corrupt.
        """
        require(content is not None, "FT801", "nobody says where it is")
        try:
            data = self.read_blob(content, VECTOR.size + 4 * self.task["size"] + ALLOWANCE)
            vector = decode_vector(data, len(data))
        except Bad as bad:
            raise Bad(bad.code if bad.code == "FT708" else "FT801", str(bad)) from None
        fits = vector.leaf_log2 < 32 and chunk_root(data[VECTOR.size :], 4 << vector.leaf_log2) == root
        require(fits and vector.size == self.task["size"], "FT801", "it is not the one of the root on the chain")
        return vector.values

    def compare(self, what, ours, content, root):
        """Note that a recomputed vector is not the one of a root; return the proposed one, None if it is not there."""
        try:
            theirs = self.read_vector(content, root)
        except Bad as bad:
            self.find("replay", "FT702", f"replay mismatch: another {what}; which coordinate is unknown: {bad}")
            return None
        at = next((i for i, (x, y) in enumerate(zip(ours, theirs, strict=True)) if x != y), None)
        where = "the values are the same" if at is None else f"coordinate {at} is {ours[at]}, proposed {theirs[at]}"
        self.find("replay", "FT702", f"replay mismatch: another {what}: {where}")
        return theirs

    def check_lineage(self):
        """(10) The base model is the one before; a finalised proposal is the next link of the task's chain."""
        opened = self.r.opened
        if opened["base"] != opened["model_before"]:
            told = f"{opened['base'].hex()}, the last finalised round ended with {opened['model_before'].hex()}"
            self.find("lineage", "FT707", f"the base model is {told}")
        if self.r.finalised and self.proposal:
            head = extend_head(opened["head_before"], self.number, self.proposal["proposal_hash"])
            if head != self.r.finalised["head"]:
                self.find("lineage", "FT701", f"head {head.hex()} follows, not {self.r.finalised['head'].hex()}")


# ------------------------------------------------------------------------------------------ the bundle (docs/bundle.md)

CHECKS = (
    *("manifest", "anchor", "headers", "receipts", "events", "counters"),
    *("blobs", "commitments", "membership", "replay", "lineage", "stakes"),
)
KEYS = (
    *("registry", "ledger", "escrow", "court", "session_court", "krum_court", "unmask_court", "board"),
    *("statements", "reward_pool", "timelock"),
)
LOCAL, CENTRAL, END = struct.Struct("<4s5H3I2H"), struct.Struct("<4s6H3I5H2I"), struct.Struct("<4s4H2IH")
NUMBER, HEX20, HEX32 = r"0|[1-9][0-9]{0,77}", r"0x[0-9a-f]{40}", r"0x[0-9a-f]{64}"
NAMES = re.compile(
    r"README\.txt|verify\.py|facts\.sqlite|report\.html|manifest(\.dsse)?\.json|chain/(headers\.rlp|receipts\.rlp|state\.json)"
    r"|(blobs|sealed)/b[a-z2-7]{58}|(exports/|checkpoints/(?=.*\.note$))[A-Za-z0-9_-][A-Za-z0-9._-]{0,68}"
)
FOLDER_LIMITS = (("checkpoints/", 1 << 16), ("sealed/", 1 << 30), ("blobs/bafkrei", 1 << 21))
LIMITS = {"manifest.json": 1 << 24, "manifest.dsse.json": 1 << 25, "chain/state.json": 1 << 26}


def read_archive(data):
    """Return {name: (start, size, CRC-32)} of a bundle whose every other byte follows from that (§1).

    Raises: Bad: FT722 it does not follow, FT716 a limit.
    """
    require(len(data) < 1 << 32, "FT716", "more than 2^32 - 1 bytes")
    require(len(data) >= END.size, "FT710", "not a zip archive")
    magic, *_, count, length, start, _ = END.unpack_from(data, len(data) - END.size)
    require(magic == b"PK\5\6", "FT722", "not a zip archive")
    require(count <= 65_534, "FT716", f"{count} entries")
    tail = END.pack(b"PK\5\6", 0, 0, count, count, length, start, 0)
    is_end = data[len(data) - END.size :] == tail and start + length + END.size == len(data)
    require(is_end, "FT722", "the central directory is not where it belongs")
    entries, at, end, before = {}, start, 0, ""
    for _ in range(count):
        require(at + CENTRAL.size <= len(data), "FT722", "the central directory is cut short")
        crc, _, size, name_bytes = CENTRAL.unpack_from(data, at)[7:11]
        name = data[at + CENTRAL.size : at + CENTRAL.size + name_bytes]
        rest = (20, 0, 0, 0, 0x21, crc, size, size, len(name), 0)
        local = LOCAL.pack(b"PK\3\4", *rest) + name
        central = CENTRAL.pack(b"PK\1\2", 0x0314, *rest, 0, 0, 0, 0x81A40000, end) + name
        same = data[at : at + len(central)] == central and data[end : end + len(local)] == local
        text = name.decode("ascii", "replace")
        require(same and text > before and NAMES.fullmatch(text), "FT722", f"entry {text!r} is not as a bundle has it")
        is_blob = text.startswith(("blobs/", "sealed/"))
        require(not is_blob or re.fullmatch(CID, text.partition("/")[2]), "FT722", f"entry {text!r} names no CID")
        limit = LIMITS.get(text, next((size for start, size in FOLDER_LIMITS if text.startswith(start)), 1 << 32))
        require(size <= limit, "FT716", f"{text} has {size} bytes")
        entries[text] = (end + len(local), size, crc)
        at, end, before = at + len(central), end + len(local) + size, text
    require(at == len(data) - END.size and end == start, "FT722", "bytes between entries")
    return entries


def parse_canonical(data):
    """Return the value of canonical JSON (§2). Raises: Bad FT722."""
    depth = 0  # before parsing, which would go as deep as a stranger likes
    for mark in re.finditer(rb"[\[\]{}]", data):
        depth += 1 if mark[0] in b"[{" else -1
        require(depth <= 8, "FT722", "JSON that is nested too deeply")
    try:
        value = json.loads(data)
        again = json.dumps(value, sort_keys=True, separators=(",", ":")) + "\n"
    except (ValueError, RecursionError):
        raise Bad("FT722", "not JSON") from None
    require(again.encode() == data, "FT722", "JSON that is not canonical")
    return value


def matches(value, form):
    """Whether JSON has a form: a pattern of a text, None, a list of one form, or the forms of an object's keys."""
    if isinstance(form, tuple):
        return any(matches(value, each) for each in form)
    if isinstance(form, list):
        return isinstance(value, list) and all(matches(each, form[0]) for each in value)
    if isinstance(form, dict):
        return isinstance(value, dict) and value.keys() == form.keys() and all(matches(value[k], form[k]) for k in form)
    return value is None if form is None else isinstance(value, str) and re.fullmatch(form, value) is not None


BLOCK = {"hash": HEX32, "number": NUMBER}
CID = "baf(krei|ybei)[a-h][a-z2-7]{50}[aeimquy4]"
KINDS = "layout|script|list|manifest|base|aggregate|model|update"
GAP = {"cid": CID, "code": "FT801|FT708", "kind": KINDS, "round": (NUMBER, None)}
FORM = {
    "format": "fedtrail-bundle-1",
    "level": "public|partner|auditor",
    "partner": (NUMBER, None),
    "recipient": ("[0-9a-f]{64}", None),
    "chain_id": NUMBER,
    "contracts": (dict.fromkeys(KEYS, HEX20), dict.fromkeys(KEYS[:-1], HEX20)),
    "first_block": BLOCK,
    "last_block": BLOCK,
    "min_stake_wei": dict.fromkeys("123", NUMBER),
    "tasks": [NUMBER],
    "gaps": [GAP],
}
Header = namedtuple("Header", "number hash parent state_root receipts_root bloom now")
Log = namedtuple("Log", "block address topics data")


HEADER_FIELDS = (32, 32, 20, 32, 32, 32, 256, 0, 0, 0, 0, 0, None, 32, 8, 0, 32, 0, 0, 32, 32)
"""Lengths of a header's fields, up to Osaka; 0 is a number, None is any. The first fifteen are always there."""


def decode_header(raw):
    """Return what a block's header says."""
    items = parse_rlp(raw)
    is_header = isinstance(items, list) and 15 <= len(items) <= 21 and all(isinstance(item, bytes) for item in items)
    require(is_header, "FT703", "no block header")
    for item, size in zip(items, HEADER_FIELDS, strict=False):
        require(not size or len(item) == size, "FT703", "a block header with a malformed field")
        require(size != 0 or item[:1] != b"\x00", "FT703", "a block header with a malformed number")
    number, now = int.from_bytes(items[8], "big"), int.from_bytes(items[11], "big")
    return Header(number, keccak(raw), items[0], items[3], items[5], items[6], now)


def may_hold(bloom, masks):
    """Whether a block may hold a log of an address, by the bits that the address sets in its bloom."""
    bits = int.from_bytes(bloom, "big")
    return any(bits & mask == mask for mask in masks)


def bloom_mask(address):
    """Return the three bits of an address (Yellow Paper 4.3.1)."""
    digest, mask = keccak(address), 0
    for at in (0, 2, 4):
        mask |= 1 << (int.from_bytes(digest[at : at + 2], "big") & 2047)
    return mask


def decode_logs(block, receipt):
    """Yield the logs of a receipt's consensus bytes (EIP-2718)."""
    parts = parse_rlp(receipt[1:] if receipt[:1] and receipt[0] < 0x80 else receipt)
    require(isinstance(parts, list) and len(parts) == 4 and isinstance(parts[3], list), "FT703", "no receipt")
    for log in parts[3]:
        is_log = isinstance(log, list) and len(log) == 3 and isinstance(log[1], list) and isinstance(log[2], bytes)
        words = is_log and all(isinstance(t, bytes) and len(t) == 32 for t in log[1]) and len(log[1]) <= 4
        require(words and isinstance(log[0], bytes) and len(log[0]) == 20, "FT703", "a malformed log")
        yield Log(block, *log)


def parse_note(text):
    """Return (text, [(name, key id, signature)]) of a signed note (C2SP). Raises: Bad FT722."""
    body, gap, lines = text.rpartition("\n\n")
    found = re.findall(r"— ([^\s+\x00-\x1f\x7f]{1,255}) ([A-Za-z0-9+/]+=*)\n", lines)
    signatures = [(name, base64.b64decode(data)) for name, data in found]
    again = "".join(f"— {name} {base64.b64encode(data).decode()}\n" for name, data in signatures)
    is_plain = not any(character < " " and character != "\n" for character in text)
    is_note = gap and 0 < len(found) <= 64 and again == lines and all(len(data) > 4 for _, data in signatures)
    require(is_note and is_plain, "FT722", "no signed note")
    return body + "\n", [(name, data[:4], data[4:]) for name, data in signatures]


def read_witness_key(text):
    """Return (name, key id, kind, key) of a verifier key NAME+ID+KEY. Raises: ValueError."""
    name, number, encoded = text.split("+", 2)
    data = base64.b64decode(encoded, validate=True)
    if len(data) != 33 or data[0] not in (1, 4) or sha256(name.encode() + b"\n" + data)[:4].hex() != number:
        raise ValueError(f"{text!r} is no verifier key NAME+ID+KEY of kind 1 or 4")
    return name, bytes.fromhex(number), data[0], data[1:]


def is_cosigned(body, kind, key, signature):
    """Whether a signature of a note verifies; one of kind 4 states a time, which it covers."""
    if kind == 4:
        at, signature = int.from_bytes(signature[:8], "big"), signature[8:]
        body = f"cosignature/v1\ntime {at}\n{body}"
    return is_signed25519(key, body.encode(), signature)


class Bundle:
    """A bundle under check: what its files say, as far as they could be read, and what was found.

    Args: data: the file. trust: the auditor's, from read_trust.
    """

    def __init__(self, data, trust):
        self.data, self.trust = data, trust
        self.findings, self.rounds, self.made, self.partial = [], [], {}, set()
        self.entries, self.manifest, self.blocks, self.logs = {}, None, {}, []
        self.ledger, self.state, self.codes, self.kinds, self.anchor = None, None, {}, {}, None

    def find(self, check, code, message, number=None, client=None):
        """Note a finding of a check, about a round and a client."""
        who = {"round": None if number is None else str(number), "client": None if client is None else str(client)}
        self.findings.append((check, {"code": code, "message": message, **who}))

    def run(self):
        """Return the result: every check as far as what it needs could be read (§6)."""
        for check in ("manifest", "headers", "receipts", "events", "anchor", "counters", "blobs", "replay", "stakes"):
            names = CHECKS[7:11] if check == "replay" else (check,)
            try:
                detail = getattr(self, f"check_{check}")()
                self.made |= dict.fromkeys(names, detail) if detail is not None else {}
            except Bad as bad:
                self.find(check, bad.code, str(bad))
            except (ValueError, LookupError, TypeError, ArithmeticError, AttributeError, RecursionError) as error:
                self.find(check, "FT703", f"malformed: {error!r:.200}")
            if self.manifest is None:
                break
        return self.report()

    def report(self):
        """Return the result as JSON has it."""
        found = sorted(self.findings, key=lambda each: CHECKS.index(each[0]))
        codes = {each["code"] for _, each in found}
        if any(not code.startswith("FT8") for code in codes):
            verdict = "FAILED"
        elif "FT801" in codes or self.made.keys() != set(CHECKS):
            verdict = "INCOMPLETE"
        else:
            verdict = "CONSISTENT" if codes else "VERIFIED"
        checks = []
        for name in CHECKS:
            here = {each["code"] for check, each in found if check == name}
            accuses = any(not code.startswith("FT8") for code in here)
            ok = False if accuses else True if name in self.made and not here and name not in self.partial else None
            checks.append({"name": name, "ok": ok, "detail": self.made.get(name) or "not made"})
        return {
            "verdict": verdict,
            "exit": {"VERIFIED": 0, "FAILED": 7}.get(verdict, 8),
            "checks": checks,
            "findings": [each for _, each in found],
            "rounds": self.rounds,
            "level": self.manifest["level"] if self.manifest else None,
            "anchor": self.anchor,
        }

    def read(self, name):
        """Return the content of an entry. Raises: Bad FT703: there is none."""
        require(name in self.entries, "FT703", f"{name} is not in the bundle")
        start, size, _ = self.entries[name]
        return self.data[start : start + size]

    def check_manifest(self):
        """1: the container, the manifest, every file and the signatures."""
        self.entries = read_archive(self.data)
        for name in ("README.txt", "chain/headers.rlp", "chain/receipts.rlp", "manifest.json", "verify.py"):
            require(name in self.entries, "FT722", f"{name} is not in the bundle")
        notes = sum(name.startswith("checkpoints/") for name in self.entries)
        require(notes <= 64, "FT716", f"{notes} checkpoints")
        raw = self.read("manifest.json")
        m = read_manifest(raw)
        files = m.pop("files")
        self.manifest = m
        self.contracts = {key: bytes.fromhex(text[2:]) for key, text in m["contracts"].items()}
        self.chain_id, self.last = int(m["chain_id"]), int(m["last_block"]["number"])
        self.domain = domain_separator("fedtrail", self.chain_id, self.contracts["ledger"])
        for name in sorted(files.keys() | self.entries.keys() - {"manifest.json", "manifest.dsse.json"}):
            self.check_file(name, files.get(name))
        for name in self.entries.keys() & {"manifest.json", "manifest.dsse.json"}:
            if zlib.crc32(self.read(name)) != self.entries[name][2]:
                self.find("manifest", "FT703", f"{name} has another CRC-32")
        signers = self.check_signatures(raw) if "manifest.dsse.json" in self.entries else []
        return f"{len(files)} files" + "".join(f", signed by {signer}" for signer in signers)

    def check_file(self, name, told):
        """Check an entry against its line of the manifest."""
        start, size, crc = self.entries.get(name, (0, -1, 0))
        digest, got = hashlib.sha256(), 0
        for at in range(start, start + size, 1 << 20):
            chunk = self.data[at : min(at + (1 << 20), start + size)]
            digest.update(chunk)
            got = zlib.crc32(chunk, got)
        same = told == {"bytes": str(size), "sha256": digest.hexdigest()} and got == crc
        if not same:
            self.find("manifest", "FT703", f"{name} is not what manifest and directory say of it")

    def check_signatures(self, raw):
        """Return who signed the manifest (DSSE)."""
        envelope = parse_canonical(self.read("manifest.dsse.json"))
        kind = "application/vnd.fedtrail.bundle.v1+json"
        line = {"keyid": "ed25519:[0-9a-f]{64}", "sig": "[A-Za-z0-9+/]+=*"}
        form = {"payload": "[A-Za-z0-9+/]+=*", "payloadType": re.escape(kind), "signatures": [line]}
        require(matches(envelope, form) and len(envelope["signatures"]) <= 16, "FT722", "no DSSE envelope")
        same = envelope["payload"] == base64.b64encode(raw).decode()
        require(same and envelope["signatures"], "FT722", "the signatures are over another manifest")
        message = b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(raw), raw)
        for each in envelope["signatures"]:
            key = bytes.fromhex(each["keyid"][8:])
            signature = base64.b64decode(each["sig"])
            if base64.b64encode(signature).decode() != each["sig"] or not is_signed25519(key, message, signature):
                self.find("manifest", "FT717", f"the signature of {each['keyid']} does not verify")
        return [each["keyid"] for each in envelope["signatures"]]

    def items(self, name, limit):
        """Yield the encodings of the RLP lists that follow each other in an entry."""
        at, size, _ = self.entries[name]
        end = at + size
        while at < end:
            first = self.data[at]
            require(first >= 0xC0, "FT703", "a byte string where an RLP list belongs")
            digits = max(first - 0xF7, 0)
            size = int.from_bytes(self.data[at + 1 : at + 1 + digits], "big") if digits else first - 0xC0
            stop = at + 1 + digits + size
            require(stop - at <= limit, "FT716", f"an item of {stop - at} bytes")
            require(stop <= end, "FT703", "RLP is cut short")
            yield self.data[at:stop]
            at = stop

    def check_headers(self):
        """3: every block is there, each the parent of the next."""
        want = int(self.manifest["first_block"]["number"])
        for raw in self.items("chain/headers.rlp", 1 << 14):
            header = decode_header(raw)
            number = header.number
            require(want <= number <= self.last, "FT703", f"a header of block {number} where block {want} belongs")
            before = self.blocks.get(number - 1)
            if number > want:
                self.find("headers", "FT705", f"incomplete: the header of block {want} is not in the bundle")
            elif before and header.parent != before.hash:
                told = f"{header.parent.hex()}, block {number - 1} is {before.hash.hex()}"
                self.find("headers", "FT703", f"block {number} names as its parent {told}")
            self.blocks[number], want = header, number + 1
        for name in ("first_block", "last_block"):
            number, digest = int(self.manifest[name]["number"]), self.manifest[name]["hash"]
            require(number in self.blocks, "FT705", f"incomplete: the header of block {number} is not in the bundle")
            got = self.blocks[number].hash.hex()
            require("0x" + got == digest, "FT703", f"block {number} has hash {got}, the manifest says {digest}")
        return f"{len(self.blocks)} blocks up to {self.last} are linked"

    def check_receipts(self):
        """4: the blocks that matter have all their receipts, no other block has any."""
        masks = [bloom_mask(address) for address in self.contracts.values()]
        waiting = dict.fromkeys(number for number, header in self.blocks.items() if may_hold(header.bloom, masks))
        total, addresses, before = len(waiting), set(self.contracts.values()), -1
        for raw in self.items("chain/receipts.rlp", 1 << 25):
            number, receipts = parse_rlp(raw)
            require(isinstance(receipts, list), "FT703", "malformed receipts")
            number = to_int(number)
            require(number in waiting and number > before, "FT703", f"receipts of block {number} where none belong")
            del waiting[number]
            root, before = list_root(receipts), number
            if root == self.blocks[number].receipts_root:
                logs = [log for receipt in receipts for log in decode_logs(number, receipt)]
                self.logs += [log for log in logs if log.address in addresses]
            else:
                told = f"{root.hex()}, its header says {self.blocks[number].receipts_root.hex()}"
                self.find("receipts", "FT703", f"proof invalid: the receipts of block {number} give root {told}")
        for number in waiting:
            self.find("receipts", "FT705", f"incomplete: the receipts of block {number} are not in the bundle")
        return f"of {total} blocks, {len(self.logs)} events"

    def check_events(self):
        """5: logs of registry and ledger are their events, and what they say follows from one to the next."""
        ledger = Ledger({int(role): int(wei) for role, wei in self.manifest["min_stake_wei"].items()})
        names = {self.contracts[name]: name for name in ("registry", "ledger")}
        events = []
        for log in self.logs:
            if log.address in names:
                try:
                    events.append(
                        (names[log.address], *decode_event(names[log.address], log.topics, log.data), log.block)
                    )
                except Bad as bad:
                    self.find("events", bad.code, f"block {log.block}: {bad}")
        for contract, name, args, block in events:
            ledger.apply(contract, name, args, self.blocks[block].now)
        self.ledger = ledger
        told = set(self.manifest["tasks"]) <= ledger.tasks.keys()
        require(told, "FT705", f"the ledger has {len(ledger.tasks)} tasks, not all that the manifest names")
        return f"{len(ledger.participants)} participants, {len(ledger.tasks)} tasks, {len(ledger.rounds)} rounds"

    def check_anchor(self):
        """2: the bundle is about the ledger and the chain that the auditor named (§7)."""
        trust = self.trust
        wrong = {"chain_id": trust.get("chain_id", self.chain_id) != self.chain_id}
        wrong["contract"] = trust.get("contract", self.contracts["ledger"]) != self.contracts["ledger"]
        if "code_hash" in trust and "chain/state.json" in self.entries:
            code = read_state(self.read("chain/state.json"))["code"]
            codes = [bytes.fromhex(code[key][2:]) for key in KEYS if key in code]
            wrong["code_hash"] = keccak(b"".join(codes)) != trust["code_hash"]
        for name in (name for name, is_wrong in wrong.items() if is_wrong):
            self.find("anchor", "FT404", f"{name} is not the one of the trust file")
        satisfied = []
        blocks = {number: header.hash for number, header in self.blocks.items()}
        for number, digest in trust.get("block_hashes", {}).items():
            if blocks.get(number, digest) != digest:
                told = f"{blocks[number].hex()}, the trust file says {digest.hex()}"
                self.find("anchor", "FT704", f"split view: block {number} is {told}")
            elif number in blocks:
                satisfied.append((number, f"block {number} of the trust file"))
        for name in sorted(name for name in self.entries if name.startswith("checkpoints/")):
            satisfied += self.check_checkpoint(name, blocks)
        last_event = max((log.block for log in self.logs), default=0)
        is_pinned = "contract" in trust and "code_hash" in trust
        best = [text for number, text in satisfied if number == self.last or (is_pinned and number >= last_event)]
        if "contract" not in trust:  # a block of the chain does not say which of its ledgers is the auditor's
            best, satisfied = [], [(0, "a trust file that does not name the ledger")]
        if not best:
            early = f"; {satisfied[0][1]} leaves later blocks open" if satisfied else ""
            self.find("anchor", "FT802", f"consistent but unanchored: no anchor of your own is satisfied{early}")
        self.anchor = best[0] if best else None
        return self.anchor or "unanchored"

    def check_checkpoint(self, name, blocks):
        """Return [(block, text)] if a checkpoint of this ledger is signed by enough witnesses."""
        try:
            body, signatures = parse_note(bytes(self.read(name)).decode())
            form = rf"fedtrail\.({NUMBER})\.({HEX20})\n({NUMBER})\n([A-Za-z0-9+/]{{43}}=)\nblock ({NUMBER}) ({HEX32})\n"
            found = re.fullmatch(form, body)
            require(found, "FT722", "not the text of a checkpoint")
        except (Bad, ValueError) as problem:
            self.find("anchor", "FT722", f"{name}: {problem}")
            return []
        chain_id, ledger, size, root, number, digest = found.groups()
        number, signers = int(number), set()
        for signer, key_id, signature in signatures:
            for named, wanted, kind, key in self.trust.get("keys", []):
                if (signer, key_id) == (named, wanted) and is_cosigned(body, kind, key, signature):
                    signers.add(named)
                elif (signer, key_id) == (named, wanted):
                    self.find("anchor", "FT717", f"{name}: the signature of {named} does not verify")
                    return []
        is_ours = (int(chain_id), ledger) == (self.chain_id, "0x" + self.contracts["ledger"].hex())
        if not signers or not is_ours or number not in blocks:
            return []
        leaves = [
            sha256(b"\x00" + log.address + b"".join(log.topics) + log.data) for log in self.logs if log.block <= number
        ]
        ours = merkle_root(leaves) if leaves else sha256(b"")
        told = (str(len(leaves)), base64.b64encode(ours).decode(), "0x" + blocks[number].hex())
        if told != (size, root, digest):
            who = ", ".join(sorted(signers))
            self.find(
                "anchor", "FT704", f"split view: {who} signed block {number} as {digest}, {size} events, root {root}"
            )
            return []
        enough = 0 < self.trust.get("need", 0) <= len(signers)
        return [(number, f"{len(signers)} of {len(self.trust['keys'])} witnesses at block {number}")] if enough else []

    def check_counters(self):
        """6: the state after the last block agrees with the events, and the contracts are what they should be."""
        require("chain/state.json" in self.entries, "FT801", "no proofs of state in the bundle")
        state = read_state(self.read("chain/state.json"))
        if self.last not in self.blocks:
            return None
        same = state["accounts"].keys() == self.contracts.keys() and state["block"] == str(self.last)
        require(same, "FT703", "proofs of other contracts, or of another block")
        self.state = {key: self.prove_account(key, proof) for key, proof in state["accounts"].items()}
        require(state["code"].keys() == self.contracts.keys(), "FT703", "not the code of every contract")
        for key, text in state["code"].items():
            code = bytes.fromhex(text[2:])
            if keccak(code) != self.codes[key]:
                self.find("counters", "FT703", f"the code of the {key} is not the one at its address")
            wanted = ("registry", "escrow") if key == "ledger" else () if key == "timelock" else ("ledger",)
            if not all(self.contracts[name] in code for name in wanted):
                self.find("counters", "FT404", f"the code of the {key} does not name the {' and the '.join(wanted)}")
        for role, wei in self.manifest["min_stake_wei"].items():
            if "7f" + word(int(wei)).hex() not in state["code"]["registry"]:  # a constructor's word follows a PUSH32
                self.find("counters", "FT404", f"the registry's code does not have {wei} wei, the stake of role {role}")
        for key in ("court", "session_court", "krum_court", "unmask_court", "board"):
            if self.state["ledger"].get(slot_of(int.from_bytes(self.contracts[key], "big"), 3)) != 1:
                self.find("counters", "FT404", f"the ledger does not take verdicts of the {key}")
        if self.ledger is None:
            return None
        self.compare_counters()
        return f"{sum(map(len, self.state.values()))} slots proven at block {self.last}"

    def prove_account(self, key, proof):
        """Return {slot: word} of a contract, proven against the state root of the last block."""
        require(proof["address"] == "0x" + self.contracts[key].hex(), "FT703", f"a proof of another {key}")
        encoded = walk_proof(self.blocks[self.last].state_root, self.contracts[key], unhex(proof["account"]))
        account = parse_rlp(encoded) if encoded is not None else []
        is_account = isinstance(account, list) and len(account) == 4 and {len(each) for each in account[2:]} == {32}
        require(is_account, "FT703", f"there is no {key} at {proof['address']}")
        self.codes[key] = account[3]
        words = {}
        for slot, nodes in proof["storage"].items():
            value = walk_proof(account[2], bytes.fromhex(slot[2:]), unhex(nodes))
            words[int(slot, 16)] = to_int(parse_rlp(value)) if value else 0
        return words

    def take(self, contract, slot):
        """Return the word in a proven slot."""
        require(slot in self.state[contract], "FT703", f"the evidence has no storage proof of slot {slot:#x}")
        return self.state[contract][slot]

    def compare_counters(self):
        """Compare what the ledger counted with what the events say."""
        ledger, take = self.ledger, self.take
        counts = take("ledger", 2)
        told = [(counts & 0xFFFFFFFF, len(ledger.tasks), "tasks")]
        told.append((counts >> 32 & (1 << 64) - 1, len(ledger.rounds), "rounds"))
        told.append((take("registry", 2) & 0xFFFFFFFF, len(ledger.participants), "participants"))
        for got, want, what in told:
            if got != want:
                self.find("counters", "FT705", f"incomplete: the contract counted {got} {what}, the bundle has {want}")
        for number, task in ledger.tasks.items():
            slot = slot_of(number, 5)
            take("ledger", slot + 1)  # no verdict rests on its digest, but the bundle must prove it
            packed, model, head = take("ledger", slot), word(take("ledger", slot + 2)), word(take("ledger", slot + 3))
            state = (packed & 0xFFFFFFFF, packed >> 32 & (1 << 56) - 1, model, head)
            if state != (task["rounds"], task["current"], task["model"], task["head"]):
                self.find("counters", "FT705", f"incomplete: task {number} is not where the events leave it")
        for number, r in ledger.rounds.items():
            clock, opened = take("ledger", slot_of(number, 6)), r.opened
            state = [
                clock >> at & (1 << bits) - 1
                for at, bits in ((0, 8), (24, 40), (104, 32), (136, 32), (168, 16), (200, 16))
            ]
            if state != [r.phase, opened["opened_at"], opened["task"], opened["aggregator"], r.committed, r.excluded]:
                told = f"the contract has phase {state[0]}, {state[4]} commitments, {state[5]} exclusions"
                ours = f"the events phase {r.phase}, {r.committed} and {r.excluded}"
                self.find("counters", "FT705", f"incomplete: {told}; {ours}", number)

    def check_blobs(self):
        """7: every blob is what its CID names."""
        names = [name for name in self.entries if name.startswith("blobs/")]
        for name in names:
            data, content = self.read(name), parse_cid(name[6:])
            if content[0] == 0x70 and content_of(data) == content:
                self.kinds[name] = "file"
            else:
                self.kinds[name] = "block" if sha256(data) == content[1] else "corrupt"
            if self.kinds[name] == "corrupt":
                self.find("blobs", "FT708", f"{name} is not what its CID names")
        return f"{len(names)} blobs"

    def read_blob(self, content, limit):
        """Return a blob: one block where the limit is 0, else a file of at most so many bytes (§3.4).

        Raises: Bad: FT801 absent, FT708 corrupt, else the code for which a reader refuses the file.
        """
        name = "blobs/" + cid_text(content)
        require(name in self.entries, "FT801", f"{cid_text(content)} is not in the bundle")
        require(self.kinds[name] != "corrupt", "FT708", f"{cid_text(content)} is corrupt")
        data = self.read(name)
        if limit == 0 or self.kinds[name] == "file":
            return data
        size = stated_size(content, data)
        require(size <= limit, "FT716", f"a file of {size} bytes, at most {limit} are read")
        height = next(h for h in range(9) if CHUNK * WIDTH**h >= size)
        leaves, pending = [], [(content, size, height)]
        while pending:
            part, size, height = pending.pop()
            block = data if part == content else self.read_blob(part, 0)
            require(height or len(block) == size, "FT710", f"a leaf of {len(block)} bytes, its parent says {size}")
            leaves += [] if height else [block]
            pending += reversed(child_parts(block, size, height) if height else [])
        return b"".join(leaves)

    def check_replay(self):
        """8 to 11: the replay of every round of the tasks (§7)."""
        if self.ledger is None:
            return None
        wanted = [number for number, r in self.ledger.rounds.items() if r.opened["task"] in self.manifest["tasks"]]
        for number in wanted:
            replay = Replay(self.ledger, self.domain, number, self.read_blob)
            verdict, grade = replay.run()
            self.rounds.append({"round_id": str(number), "verdict": verdict, "grade": grade})
            absent = [each for each in replay.findings if each[1] == "FT801"]
            for check, code, message, client in replay.findings:
                if code != "FT801":
                    self.find(check, code, f"round {number}: {message}", number, client)
            if absent:
                message = absent[0][2]
                more = f", and {len(absent) - 1} more" if len(absent) > 1 else ""
                self.find("commitments", "FT801", f"round {number} cannot be replayed: {message}{more}", number)
            self.partial |= {check for check, *_ in absent}
            if not replay.is_whole:
                self.partial |= {"membership", "replay"}
        done = sum(each["verdict"] in ("pass", "nothing", "voided") for each in self.rounds)
        return f"{done} of {len(wanted)} rounds"

    def check_stakes(self):
        """12: every participant's record is what the events give."""
        if self.ledger is None or self.state is None:
            return None
        for number, who in self.ledger.participants.items():
            slot = slot_of(number, 6)
            words = [self.take("registry", slot + i) for i in range(3)]
            words[2] &= ~(0xFF << 112)  # hasBonded, which no event tells
            if words != list(who.words()) or self.take("registry", slot_of(number, 9)) != len(who.periods):
                self.find("stakes", "FT705", f"participant {number} is not what its events say", client=number)
        if self.take("registry", 3) != self.ledger.burnt:
            self.find(
                "stakes", "FT705", f"{self.take('registry', 3)} wei were burnt, the events say {self.ledger.burnt}"
            )
        return f"{len(self.ledger.participants)} participants"


def slot_of(key, slot):
    """Return the slot of a mapping's value."""
    return int.from_bytes(keccak(word(key) + word(slot)), "big")


def read_manifest(data):
    """Return `manifest.json`. Raises: Bad FT722: it is not as §2 says."""
    m = parse_canonical(data)
    files = m.get("files") if isinstance(m, dict) else None
    line = {"bytes": NUMBER, "sha256": "[0-9a-f]{64}"}
    is_manifest = isinstance(files, dict) and matches(m, FORM | {"files": dict.fromkeys(files, line)})
    require(is_manifest, "FT722", "the manifest is none of fedtrail-bundle-1")
    m["tasks"] = [int(number) for number in m["tasks"]]
    gaps = [(each["round"] is not None, int(each["round"] or 0), each["cid"], each["kind"]) for each in m["gaps"]]
    sound = (m["partner"] is not None) == (m["level"] == "partner") and gaps == sorted(set(gaps))
    sound = sound and (m["recipient"] is None or m["level"] == "auditor") and is_rising(m["tasks"])
    sound = sound and int(m["first_block"]["number"]) <= int(m["last_block"]["number"])
    sound = sound and all(NAMES.fullmatch(name) and not name.startswith("manifest.") for name in files)
    require(sound, "FT722", "the manifest contradicts itself")
    return m


def read_state(data):
    """Return `chain/state.json`. Raises: Bad FT722: it is not as §3 says."""
    state, data_hex = parse_canonical(data), "0x([0-9a-f]{2})*"
    accounts, code = (state.get("accounts"), state.get("code")) if isinstance(state, dict) else (None, None)
    keys = {"accounts", "block", "code"}
    is_state = isinstance(accounts, dict) and isinstance(code, dict) and state.keys() == keys
    require(is_state and matches(state["block"], "0|-?[1-9][0-9]{0,77}"), "FT722", "chain/state.json lacks something")
    for proof in accounts.values():
        storage = proof.get("storage") if isinstance(proof, dict) else None
        slots = {slot: [data_hex] for slot in storage} if isinstance(storage, dict) else {}
        is_proof = matches(proof, {"account": [data_hex], "address": HEX20, "storage": slots})
        require(is_proof and all(re.fullmatch(HEX32, slot) for slot in slots), "FT703", "a malformed proof of state")
    require(matches(code, dict.fromkeys(code, data_hex)), "FT722", "a code in chain/state.json that is not hex")
    return state


def unhex(texts):
    """Return trie nodes from their hex."""
    return [bytes.fromhex(text[2:]) for text in texts]


def read_trust(data):
    """Return the auditor's trust file (§7). Raises: ValueError: it cannot be read as one."""
    document = tomllib.loads(data.decode())
    ledger, anchor = document.pop("ledger", {}), document.pop("anchor", {})
    witnesses = anchor.pop("witnesses", {})
    is_witnessed = bool(witnesses)
    found = {}
    for name, size in (("contract", 20), ("code_hash", 32)):
        if name in ledger:
            found[name] = bytes.fromhex(ledger.pop(name).removeprefix("0x"))
            if len(found[name]) != size:
                raise ValueError(f"'{name}' has {len(found[name])} bytes, expected {size}")
    if "chain_id" in ledger:
        found["chain_id"] = ledger.pop("chain_id")
    hashes = anchor.pop("block_hash", {})
    found["block_hashes"] = {int(number): bytes.fromhex(text.removeprefix("0x")) for number, text in hashes.items()}
    found["keys"] = [read_witness_key(text) for text in witnesses.pop("keys", [])]
    found["need"] = witnesses.pop("need", 0)
    if document or ledger or anchor or witnesses:
        raise ValueError(f"unknown keys {[*document, *ledger, *anchor, *witnesses]}")
    sound = type(found["need"]) is int and type(found.get("chain_id", 0)) is int
    sound = sound and all(len(digest) == 32 for digest in found["block_hashes"].values())
    if not sound or (is_witnessed and not 1 <= found["need"] <= len(found["keys"])):
        raise ValueError("'need', 'chain_id' or a block hash is out of range")
    if len({key for *_, key in found["keys"]}) != len(found["keys"]):
        raise ValueError("a witness's key is there twice")
    return found


def main(arguments):
    """Check a bundle, print what was found and return the exit status."""
    parser = argparse.ArgumentParser(description="Check a fedtrail bundle offline.")
    parser.add_argument("bundle", metavar="BUNDLE")
    parser.add_argument("--trust", metavar="FILE", help="what you take as given: ledger, block hashes, witnesses")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    options = parser.parse_args(arguments)
    try:
        trust = read_trust(Path(options.trust).read_bytes()) if options.trust else {}
    except (OSError, ValueError, TypeError, AttributeError) as problem:
        sys.stderr.write(f"FT202: {options.trust}: {problem}\n")
        return 3
    try:
        with Path(options.bundle).open("rb") as file:
            empty = file.seek(0, 2) == 0
            data = b"" if empty else mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as problem:
        sys.stderr.write(f"FT501: {problem}\n")
        return 5
    result = Bundle(data, trust).run()
    if options.json:
        sys.stdout.write(json.dumps(result, indent=1) + "\n")
        return result["exit"]
    marks = {True: "[ok]  ", False: "[FAIL]", None: "[ -- ]"}
    for check in result["checks"]:
        sys.stdout.write(f" {marks[check['ok']]} {check['name']}: {check['detail']}\n")
    for each in result["findings"]:
        sys.stdout.write(f"{each['code']} {each['message']}\n")
    sys.stdout.write(f"{result['verdict']} (level {result['level']}, anchor: {result['anchor']})\n")
    return result["exit"]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
