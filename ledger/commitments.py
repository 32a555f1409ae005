"""Fast path of the specification's trees, hashes and update decoding: numpy and hashlib or compiled kernels, no I/O.

Every function returns what its namesake in `ledger.spec` returns, bit for bit (shared vectors and property tests).
It may only suspect: when something looks wrong, `spec` looks again and its error is the one that is raised.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from eth_utils.crypto import keccak

from ledger import kernels, mapped, spec
from ledger.spec.errors import BadProof, WrongShape

Int32Array = npt.NDArray[np.int32]

_BLOCK_BYTES = 1 << 20
"""Memory that a transposed block of the matrix may take (a single leaf may take more)."""
_PART_BYTES = 1 << 25
"""Of a vector, that are hashed at a time."""
_TOP_LOG2 = 16
"""A tree is climbed by subtrees of 2**_TOP_LOG2 leaves, 2 MiB of digests, so that no level is ever whole."""
_LEAF_PREFIX = b"\x00"
_NODE_PREFIX = b"\x01"


def compute_vector_root(values: Int32Array, leaf_log2: int) -> bytes:
    """Return the chunk-tree root of a vector.

    Args: values: int32[d], d >= 0. leaf_log2: 2**leaf_log2 coordinates a leaf, 0 to 12.
    Raises: WrongShape: values is no vector of int32.
    Clause: §2.2, §2.3.
    """
    data = encode_values(values)
    fast = kernels.find_for_bytes(len(data))
    return _find_root(_iter_leaves(data, spec.WORD_BYTES << leaf_log2, fast), fast)


def compute_matrix_root(updates: Int32Array | Sequence[Int32Array], matrix_log2: int) -> bytes:
    """Return the root of the included updates, transposed: leaf j holds 2**matrix_log2 coordinates of every client.

    The transposition is done a few megabytes at a time.

    Args: updates: n >= 1 rows int32[d], or one array of them, clients in rising id. matrix_log2: 0 to 8.
    Raises: WrongShape: updates are no rows of int32 of one length.
    Clause: §2.4.
    """
    leaves, fast = _hash_matrix(updates, matrix_log2)
    return _find_root(leaves, fast)


@dataclass(frozen=True, slots=True)
class Tree:
    """All digests of a tree, so that any number of its leaves is opened after it was hashed once.

    64 bytes a leaf: a sixteenth of a vector's own bytes where its leaves have 1 KiB.
    """

    levels: tuple[bytes, ...]
    """Digests one after the other, from the leaves up to the root."""

    @property
    def root(self) -> bytes:
        """The root."""
        return self.levels[-1]

    def open(self, index: int) -> list[bytes]:
        """Return the sibling digests from a leaf up to the root (§2.5).

        Raises: BadProof: there is no such leaf.
        """
        count = len(self.levels[0]) // spec.DIGEST_BYTES
        if not 0 <= index < count:
            raise BadProof(what=f"index {index} of {count} leaves")
        siblings = [
            level[(index >> height ^ 1) * spec.DIGEST_BYTES :][: spec.DIGEST_BYTES]
            for height, level in enumerate(self.levels[:-1])
        ]
        return [sibling for sibling in siblings if sibling]  # an odd last digest has none


def make_vector_tree(values: Int32Array, leaf_log2: int) -> Tree:
    """Return the chunk tree of a vector; arguments and errors as for `compute_vector_root`."""
    data = encode_values(values)
    fast = kernels.find_for_bytes(len(data))
    return Tree(tuple(_climb(b"".join(_iter_leaves(data, spec.WORD_BYTES << leaf_log2, fast)), fast)))


def make_matrix_tree(updates: Int32Array | Sequence[Int32Array], matrix_log2: int) -> Tree:
    """Return the tree of the transposed updates; arguments and errors as for `compute_matrix_root`."""
    leaves, fast = _hash_matrix(updates, matrix_log2)
    return Tree(tuple(_climb(b"".join(leaves) or spec.hash_leaf(b""), fast)))


def compute_opening(
    values: Int32Array, leaf_log2: int, leaf_index: int, tree: Tree | None = None
) -> tuple[bytes, list[bytes]]:
    """Return one chunk of a vector and the sibling digests that lead from it to the vector's root.

    Args: values: int32[d]. leaf_log2: 0 to 12. leaf_index: 0 to the number of leaves - 1. tree: of the vector, where
        it is at hand: nothing is hashed then.
    Raises: BadProof: there is no such leaf. WrongShape: values is no vector of int32.
    Clause: §2.5.
    """
    path = (tree or make_vector_tree(values, leaf_log2)).open(leaf_index)
    first = leaf_index << leaf_log2
    return bytes(encode_values(values[first : first + (1 << leaf_log2)])), path


def compute_matrix_opening(
    updates: Int32Array | Sequence[Int32Array], matrix_log2: int, leaf_index: int, tree: Tree | None = None
) -> tuple[bytes, list[bytes]]:
    """Return one leaf of the transposed updates and the sibling digests that lead from it to the matrix's root.

    Args: updates: n >= 1 rows int32[d]. matrix_log2: 0 to 8. tree: of these updates, where it is at hand.
    Raises: BadProof: there is no such leaf. WrongShape: updates are no rows of int32 of one length.
    Clause: §2.4, §2.5.
    """
    path = (tree or make_matrix_tree(updates, matrix_log2)).open(leaf_index)
    first = leaf_index << matrix_log2
    return bytes(_transpose(updates, slice(first, first + (1 << matrix_log2)))), path


def encode_values(values: Int32Array) -> memoryview:
    """Return the bytes of a vector, as `spec.encode_int32` writes them; a view of it where that is how it lies.

    Raises: WrongShape: values is no vector of int32.
    """
    _verify_array(values)
    return memoryview(np.ascontiguousarray(values, dtype="<i4").view(np.uint8).data)


def decode_update(data: spec.Bytes, *, want: spec.Expectation, bound: int) -> tuple[spec.VectorBlob, Int32Array]:
    """Return a stranger's update and its coordinates if it is canonical, belongs to `want` and is in range.

    Args: data: bytes from a stranger. want: what chain state fixes. bound: largest |coordinate|, 1 to 2**23 - 1.
    Returns: the decoded blob, and its coordinates as read-only int32[d], over the same memory if they are stored so.
    Raises: every SpecError of `spec.decode_update`, with the same values.
    Clause: §3.2.
    """
    blob = spec.decode_vector(memoryview(data), max_bytes=want.max_bytes)  # its payload is no copy
    spec.verify_header(blob.header, want)
    values = read_values(blob)
    if want.kind is spec.Kind.MASKED:
        spec.decode_seed_table(blob.seed_table, owner=want.client, degree=want.degree)
    elif not all(_is_within(values[part], bound) for part in mapped.iter_parts([values])):
        spec.decode_update(data, want=want, bound=bound)  # only the specification accuses
    return blob, values


def encode_payload(header: spec.VectorHeader, values: Int32Array) -> spec.Bytes:
    """Return the bytes of a vector's coordinates as its kind stores them; narrow ones fit int16.

    Raises: WrongShape: values is no vector of int32.
    """
    data = encode_values(values)
    return data if header.coordinate_bytes == spec.WORD_BYTES else values.astype("<i2").tobytes()


def read_values(blob: spec.VectorBlob) -> Int32Array:
    """Return the coordinates of a decoded vector, read-only int32[d]; narrow ones are widened, many of them in a file.

    Clause: §3.6.
    """
    if blob.header.coordinate_bytes == spec.WORD_BYTES:
        return np.frombuffer(blob.payload, dtype="<i4").astype(np.int32, copy=False)
    narrow: npt.NDArray[np.int16] = np.frombuffer(blob.payload, dtype="<i2")
    wide = mapped.keep(encode_values(narrow[part].astype(np.int32)) for part in mapped.iter_parts([narrow]))
    return np.frombuffer(wide, dtype="<i4").astype(np.int32, copy=False)


def compute_segment_root(members: Sequence[spec.Member]) -> bytes:
    """Return the Keccak tree root of one batch of commitments (§4.6).

    Args: members: at least one, in the batch's order.
    """
    entries = (spec.encode_members([member]) for member in members)
    level = [keccak(_LEAF_PREFIX + entry) for entry in entries]
    while len(level) > 1:
        pairs = [keccak(_NODE_PREFIX + level[i] + level[i + 1]) for i in range(0, len(level) - 1, 2)]
        level = pairs + level[len(level) - len(level) % 2 :]
    return level[0]


def compute_segments_hash(previous: bytes, root: bytes, count: int) -> bytes:
    """Return the rolling hash over a round's segments (§4.6).

    Args: previous: 32 bytes, zeros before the first segment. root: of the new segment. count: its entries.
    """
    return keccak(previous + root + count.to_bytes(32, "big"))


_COMMITMENT_TYPE_HASH = keccak(spec.COMMITMENT_TYPE)
_PUBLICATION_TYPE_HASH = keccak(spec.PUBLICATION_TYPE)


def compute_commitment_digest(*, domain_separator: bytes, round_id: int, client: int, commitment: bytes) -> bytes:
    """Return the EIP-712 digest that a client signs to commit (§4.2).

    Args: domain_separator: of the RoundLedger, 32 bytes. round_id: uint64. client: uint32. commitment: 32 bytes.
    """
    fields = round_id.to_bytes(32, "big") + client.to_bytes(32, "big") + commitment
    return keccak(b"\x19\x01" + domain_separator + keccak(_COMMITMENT_TYPE_HASH + fields))


def compute_publication_digest(
    *, domain_separator: bytes, round_id: int, client: int, content: spec.ContentId
) -> bytes:
    """Return the EIP-712 digest by which a client says where its update is (§4.3).

    Args: domain_separator: of the RoundLedger, 32 bytes. round_id: uint64. client: uint32. content: of the update.
    """
    integers = (round_id, client, content.codec)
    fields = b"".join(value.to_bytes(32, "big") for value in integers) + content.digest
    return keccak(b"\x19\x01" + domain_separator + keccak(_PUBLICATION_TYPE_HASH + fields))


def _is_within(values: Int32Array, bound: int) -> bool:
    return bool(-bound <= values.min() and values.max() <= bound)


def _verify_array(values: Int32Array) -> None:
    if values.dtype != np.int32:
        raise WrongShape(field="dtype", got=values.dtype, want="int32")
    if values.ndim != 1:
        raise WrongShape(field="number of dimensions", got=values.ndim, want=1)


def _hash_matrix(
    updates: Int32Array | Sequence[Int32Array], matrix_log2: int
) -> tuple[Iterator[bytes], kernels.Kernels | None]:
    """Return the digests of the matrix's leaves, made a block at a time, and what they are made with."""
    rows = list(updates)
    for row in rows:
        _verify_array(row)
        if len(row) != len(rows[0]):
            raise WrongShape(field="length", got=len(row), want=len(rows[0]))
    leaf_bytes = len(rows) * spec.WORD_BYTES << matrix_log2
    fast = kernels.find_for_bytes(sum(row.nbytes for row in rows))
    return (_hash_leaves(block, leaf_bytes, fast) for block in _iter_transposed(rows, matrix_log2)), fast


def _iter_transposed(rows: Sequence[Int32Array], matrix_log2: int) -> Iterator[memoryview]:
    # A block is a whole number of leaves, so that blocks can be hashed one by one.
    leaves = max(1, _BLOCK_BYTES // (len(rows) * spec.WORD_BYTES << matrix_log2))
    for part in mapped.iter_parts(rows, step=leaves << matrix_log2):
        yield _transpose(rows, part)


def _transpose(updates: Int32Array | Sequence[Int32Array], part: slice) -> memoryview:
    return encode_values(np.stack([row[part] for row in updates]).T.reshape(-1))


def _iter_leaves(data: memoryview, chunk_bytes: int, fast: kernels.Kernels | None) -> Iterator[bytes]:
    """Yield the digests of leaves, those of a part of the data at a time, which is forgotten afterwards."""
    step = max(1, _PART_BYTES // chunk_bytes) * chunk_bytes
    for start in range(0, max(len(data), 1), step):
        yield _hash_leaves(data[start : start + step], chunk_bytes, fast)
        mapped.forget(data[start : start + step])


def _hash_leaves(data: memoryview, chunk_bytes: int, fast: kernels.Kernels | None) -> bytes:
    """Return the digests of all leaves, one after the other; the last chunk may be short, no data is an empty one."""
    whole = len(data) - len(data) % chunk_bytes
    digests = _hash_chunks(_LEAF_PREFIX, data[:whole], chunk_bytes, fast) if whole else b""
    return digests if whole and whole == len(data) else digests + spec.hash_leaf(bytes(data[whole:]))


def _find_root(leaves: Iterable[bytes], fast: kernels.Kernels | None) -> bytes:
    """Return the root over digests of leaves, which come in parts; no leaves are one of nothing."""
    size = spec.DIGEST_BYTES << _TOP_LOG2
    held, tops = bytearray(), bytearray()
    for part in leaves:
        held += part
        while len(held) > size:  # a full subtree whose root is a node of the whole tree
            tops += _climb(bytes(held[:size]), fast)[-1]
            del held[:size]
    tops += _climb(bytes(held) or spec.hash_leaf(b""), fast)[-1]
    return _climb(bytes(tops), fast)[-1]


def _climb(leaves: bytes, fast: kernels.Kernels | None) -> list[bytes]:
    """Return all levels of a tree from the leaves up: digests one after the other, an odd last one unchanged (§2.2)."""
    levels, pair = [leaves], 2 * spec.DIGEST_BYTES
    while len(levels[-1]) > spec.DIGEST_BYTES:
        level = memoryview(levels[-1])
        whole = len(level) - len(level) % pair
        levels.append(_hash_chunks(_NODE_PREFIX, level[:whole], pair, fast) + bytes(level[whole:]))
    return levels


def _hash_chunks(prefix: bytes, data: memoryview, chunk_bytes: int, fast: kernels.Kernels | None) -> bytes:
    compiled = None if fast is None else fast.hash_chunks(prefix, data, chunk_bytes)
    if compiled is not None:
        return compiled
    prefixed, digests = hashlib.sha256(prefix), []
    for start in range(0, len(data), chunk_bytes):
        chunk = prefixed.copy()  # cheaper than joining the prefix to every chunk
        chunk.update(data[start : start + chunk_bytes])
        digests.append(chunk.digest())
    return b"".join(digests)
