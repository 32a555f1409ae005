"""The chunk tree: SHA-256 Merkle tree over chunks of little-endian int32 (docs/protocol.md §2).

leaf = sha256(0x00 | chunk), node = sha256(0x01 | left | right); the shape is that of RFC 6962 (the left subtree is
the largest full power of two), the last chunk may be short, nothing is padded. A verifier derives the path's length
from (index, leaf count), never from the proof.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence

from ledger.spec.errors import BadProof, WrongLength

Bytes = bytes | memoryview
"""Bytes, or a view of bytes that a file holds."""
WORD_BYTES = 4
DIGEST_BYTES = 32


def encode_int32(values: Sequence[int]) -> bytes:
    """Return the little-endian two's-complement bytes of values, four each (§1.1)."""
    return struct.pack(f"<{len(values)}i", *values)


def decode_int32(data: Bytes) -> list[int]:
    """Return the int32 values in data.

    Raises: WrongLength: data is not a multiple of four bytes.
    """
    if len(data) % WORD_BYTES:
        raise WrongLength(got=len(data), want=len(data) // WORD_BYTES * WORD_BYTES)
    return list(struct.unpack(f"<{len(data) // WORD_BYTES}i", data))


def hash_leaf(chunk: Bytes) -> bytes:
    """Return sha256(0x00 | chunk)."""
    return hashlib.sha256(b"\x00" + chunk).digest()


def hash_node(left: bytes, right: bytes) -> bytes:
    """Return sha256(0x01 | left | right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def split_chunks(data: bytes, chunk_bytes: int) -> list[bytes]:
    """Return data cut into pieces of chunk_bytes, the last one possibly short; empty data is one empty chunk."""
    return [data[i : i + chunk_bytes] for i in range(0, len(data), chunk_bytes)] or [b""]


def compute_root(leaves: Sequence[bytes]) -> bytes:
    """Return the root over leaf digests: pairs level by level, an odd last digest moves up unchanged (§2.2).

    Args: leaves: at least one 32-byte digest. This is the tree of RFC 6962 §2.1 with our leaf and node hashes.
    """
    level = list(leaves)
    while len(level) > 1:
        level = compute_next_level(level)
    return level[0]


def compute_next_level(level: list[bytes]) -> list[bytes]:
    """Return the level above: neighbours paired from the left, an odd last digest unchanged (§2.2)."""
    pairs = [hash_node(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
    return pairs + level[len(level) - len(level) % 2 :]


def compute_chunk_root(data: Bytes, chunk_bytes: int) -> bytes:
    """Return the chunk-tree root of data cut into chunks of chunk_bytes."""
    view = memoryview(data)  # whose slices are no copies
    starts = range(0, max(len(view), 1), chunk_bytes)
    return compute_root([hash_leaf(view[start : start + chunk_bytes]) for start in starts])


def compute_vector_root(values: Sequence[int], leaf_log2: int) -> bytes:
    """Return the root of a vector of int32 with 2**leaf_log2 coordinates a leaf."""
    return compute_chunk_root(encode_int32(values), WORD_BYTES << leaf_log2)


def encode_matrix(updates: Sequence[Sequence[int]]) -> bytes:
    """Return the included updates transposed: coordinate by coordinate, clients in rising id (§2.4)."""
    return b"".join(encode_int32(column) for column in zip(*updates, strict=True))


def compute_matrix_root(updates: Sequence[Sequence[int]], matrix_log2: int) -> bytes:
    """Return the root of the transposed updates: leaf j holds coordinates j·2**matrix_log2 and on, of every client."""
    return compute_chunk_root(encode_matrix(updates), len(updates) * WORD_BYTES << matrix_log2)


def compute_inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Return the sibling digests from leaf `index` up to the root (RFC 6962 §2.1.1)."""
    path, level = [], list(leaves)
    while len(level) > 1:
        if index ^ 1 < len(level):
            path.append(level[index ^ 1])
        level, index = compute_next_level(level), index // 2
    return path


def compute_path_length(index: int, leaf_count: int) -> int:
    """Return how many siblings the proof of leaf `index` of `leaf_count` has."""
    length, last = 0, leaf_count - 1
    while last > 0:
        length += index ^ 1 <= last
        index, last = index // 2, last // 2
    return length


def verify_inclusion(leaf: bytes, index: int, leaf_count: int, path: Sequence[bytes], root: bytes) -> None:
    """Return if `path` leads from `leaf` at `index` of `leaf_count` leaves to `root`.

    Raises: BadProof: index out of range, a path of another length, or another root.
    """
    if not 0 <= index < leaf_count:
        raise BadProof(what=f"index {index} of {leaf_count} leaves")
    if len(path) != (want := compute_path_length(index, leaf_count)):
        raise BadProof(what=f"{len(path)} siblings for leaf {index} of {leaf_count}, expected {want}")
    if (got := _climb(leaf, index, leaf_count - 1, path)) != root:
        raise BadProof(what=f"the path leads to {got.hex()}, the root is {root.hex()}")


def _climb(digest: bytes, index: int, last: int, path: Sequence[bytes]) -> bytes:
    siblings = iter(path)
    while last > 0:
        if index ^ 1 <= last:
            sibling = next(siblings)
            digest = hash_node(sibling, digest) if index % 2 else hash_node(digest, sibling)
        index, last = index // 2, last // 2
    return digest
