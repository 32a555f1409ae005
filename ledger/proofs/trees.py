"""The Keccak tree over a segment or a list of commitments (docs/protocol.md §4.6): roots, paths, and their check."""

from __future__ import annotations

from collections.abc import Sequence

from eth_utils.crypto import keccak

from ledger import spec
from ledger.errors import BadProof
from ledger.proofs.format import Place


def compute_entries_root(entries: Sequence[bytes]) -> bytes:
    """Return the root over the entries of a segment or a list; there is at least one."""
    return _climb(entries, 0)[1]


def prove_entry(entries: Sequence[bytes], index: int) -> Place:
    """Return where an entry is, with the siblings that lead to the root."""
    return Place(index=index, path=_climb(entries, index)[0])


def verify_entry(entry: bytes, place: Place, count: int, root: bytes) -> None:
    """Return if an entry is in the tree over `count` of them.

    Raises: BadProof: the place is none of the tree's, the path has another length, or it leads elsewhere.
    """
    if not 0 <= place.index < count or len(place.path) != spec.compute_path_length(place.index, count):
        raise BadProof(what=f"{len(place.path)} siblings for entry {place.index} of {count}")
    digest, index, last, path = _hash_leaf(entry), place.index, count - 1, iter(place.path)
    while last > 0:
        if index ^ 1 <= last:
            sibling = next(path)
            digest = _hash_node(sibling, digest) if index % 2 else _hash_node(digest, sibling)
        index, last = index // 2, last // 2
    if digest != root:
        raise BadProof(what=f"the entry's path leads to {digest.hex()}, the segment's root is {root.hex()}")


def _climb(entries: Sequence[bytes], index: int) -> tuple[tuple[bytes, ...], bytes]:
    """Return the siblings of an entry, and the root."""
    level, path = [_hash_leaf(entry) for entry in entries], []
    while len(level) > 1:
        if index ^ 1 < len(level):
            path.append(level[index ^ 1])
        pairs = [_hash_node(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        level, index = pairs + level[len(level) - len(level) % 2 :], index // 2
    return tuple(path), level[0]


def _hash_leaf(entry: bytes) -> bytes:
    return bytes(keccak(b"\x00" + entry))


def _hash_node(left: bytes, right: bytes) -> bytes:
    return bytes(keccak(b"\x01" + left + right))
