"""What attestors sign, and the leaves that a demand asks for (docs/protocol.md, Availability)."""

from __future__ import annotations

from collections.abc import Sequence

from ledger.spec.commitment import compute_typed_digest
from ledger.spec.errors import BadProof
from ledger.spec.keccak import keccak256
from ledger.spec.tree import compute_next_level

BOARD_NAME = "fedtrail board"
AVAILABLE_TYPE = b"Available(uint64 roundId,bytes32 segmentsHash,bytes32 exclusionsHash)"
MAX_DEMANDED_LEAVES = 64

_AVAILABLE_TYPE_HASH = keccak256(AVAILABLE_TYPE)


def compute_available_hash(*, round_id: int, segments_hash: bytes, exclusions_hash: bytes) -> bytes:
    """Return the EIP-712 struct hash of an attestor's statement about a round.

    Args: segments_hash: the round's rolling hash over its commitments. exclusions_hash: keccak256 of the packed
        (client u32 | reason u16) of those whose update could not be had; of no bytes if all could.
    """
    return keccak256(_AVAILABLE_TYPE_HASH + round_id.to_bytes(32, "big") + segments_hash + exclusions_hash)


def compute_available_digest(
    *, domain_separator: bytes, round_id: int, segments_hash: bytes, exclusions_hash: bytes
) -> bytes:
    """Return the digest that an attestor signs: `compute_available_hash` in the domain of the AvailabilityBoard.

    An attestor that signs two of them for one round loses its stake, so it signs once the commit phase is final.
    """
    struct_hash = compute_available_hash(
        round_id=round_id, segments_hash=segments_hash, exclusions_hash=exclusions_hash
    )
    return compute_typed_digest(domain_separator, struct_hash)


def compute_range_proof(leaves: Sequence[bytes], first: int, count: int) -> list[bytes]:
    """Return the siblings that lead from contiguous leaves to the root, level by level, the left one first (§2.5).

    Args: leaves: digests of all leaves. first, count: at least one of them.
    Raises: BadProof: there are no such leaves.
    """
    _verify_bounds(first, count, len(leaves))
    path, level, last = [], list(leaves), first + count - 1
    while len(level) > 1:
        if first % 2:
            path.append(level[first - 1])
        if last % 2 == 0 and last + 1 < len(level):
            path.append(level[last + 1])
        level, first, last = compute_next_level(level), first // 2, last // 2
    return path


def compute_range_path_length(first: int, count: int, leaf_count: int) -> int:
    """Return how many siblings the proof of `count` leaves from `first` on has."""
    length, last, end = 0, first + count - 1, leaf_count - 1
    while end > 0:
        length += first % 2 + (last % 2 == 0 and last < end)
        first, last, end = first // 2, last // 2, end // 2
    return length


def compute_range_root(leaves: Sequence[bytes], first: int, leaf_count: int, path: Sequence[bytes]) -> bytes:
    """Return the root to which a range of leaves and its siblings lead.

    Args: leaves: digests of the range. first: index of the first. leaf_count: of the whole tree.
    Raises: BadProof: there are no such leaves, or the path has another length.
    """
    _verify_bounds(first, len(leaves), leaf_count)
    if len(path) != (want := compute_range_path_length(first, len(leaves), leaf_count)):
        raise BadProof(what=f"{len(path)} siblings for {len(leaves)} leaves from {first} on, expected {want}")
    siblings, level, end = iter(path), list(leaves), leaf_count - 1
    while end > 0:
        if first % 2:
            level.insert(0, next(siblings))
        last = first - first % 2 + len(level) - 1
        if last % 2 == 0 and last < end:
            level.append(next(siblings))
        level, first, end = compute_next_level(level), first // 2, end // 2
    return level[0]


def _verify_bounds(first: int, count: int, leaf_count: int) -> None:
    if first < 0 or count < 1 or first + count > leaf_count:
        raise BadProof(what=f"{count} leaves from {first} on, of {leaf_count}")
