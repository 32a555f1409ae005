"""Fraud proofs about who committed what, as bytes: what DisputeCourt reads (docs/protocol.md §8.3). Pure, no I/O.

A segment is a list of commitments in the order in which they arrived: spec.Member, or spec.SignedMember for the one
list of a round in root-only mode.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from eth_utils.crypto import keccak

from ledger import spec
from ledger.disputes import NO_CLAIM, Claim, Proof, Update, encode_update_opening
from ledger.spec.errors import BadProof

_COUNT = struct.Struct(">H")
_PLACE = struct.Struct(">HHH")

Entry = spec.Member | spec.SignedMember
Segments = Sequence[Sequence[Entry]]


def prove_members(claim: Claim, segments: Segments) -> Proof:
    """Return the proof that the member list's root is not that of the included clients, or not their number.

    Args: segments: of the round, in order.
    """
    packed = encode_members_proof(segments)
    return Proof(function="proveMembers", arguments=(*claim.arguments(), claim.excluded, packed))


def encode_members_proof(segments: Segments) -> bytes:
    """Return number and counts of the segments, all entries in order of arrival, and their order by client.

    Args: segments: of the round, in order.
    """
    entries = [entry for segment in segments for entry in segment]
    order = sorted((entry.client, at) for at, entry in enumerate(entries))
    counts = b"".join(_COUNT.pack(count) for count in (len(segments), *map(len, segments)))
    return counts + b"".join(map(_pack, entries)) + b"".join(_COUNT.pack(at) for _, at in order)


def _pack(entry: Entry) -> bytes:
    return spec.encode_signed_list([entry]) if isinstance(entry, spec.SignedMember) else spec.encode_members([entry])


def prove_wrong_entry(claim: Claim, listed: Sequence[spec.SignedMember], position: int) -> Proof:
    """Return the proof that an entry of a root-only round's list is not signed by its client's key, or does not rise.

    Args: listed: the list. position: of the entry.
    """
    places = (
        (position, position - 1) if position and listed[position - 1].client >= listed[position].client else (position,)
    )
    packed = b"".join(_encode_listed(listed, at) for at in places)
    return Proof(function="proveWrongEntry", arguments=(*claim.arguments(), position, packed))


def prove_omission(
    claim: Claim, listed: Sequence[spec.SignedMember], *, client: int, commitment: bytes, receipt: bytes
) -> Proof:
    """Return the proof that the aggregator signed for a client's commitment and left it out of its list.

    Args: listed: the list, rising by client. receipt: the aggregator's signature, 64 bytes (r | vs), over
        spec.compute_receipt_digest.
    """
    position = sum(entry.client < client for entry in listed)
    around = [at for at in (position - 1, position) if 0 <= at < len(listed)]
    head = spec.encode_signed_list([spec.SignedMember(client=client, commitment=commitment, signature=receipt)])
    packed = head + _COUNT.pack(position) + b"".join(_encode_listed(listed, at) for at in around)
    return Proof(function="proveOmission", arguments=(*claim.arguments(), packed))


def _encode_listed(listed: Sequence[spec.SignedMember], position: int) -> bytes:
    return _pack(listed[position]) + _encode_segment_path(listed, position)


def prove_clip_violation(
    claim: Claim | int, task: spec.Task, coordinate: int, *, update: Update, segments: Segments
) -> Proof:
    """Return the proof that a client committed to a coordinate beyond the bound.

    Args: claim: the round's proposal, or the round's number while it has none. segments: of the round, in order; one
        of them holds the client.
    """
    opening = encode_update_opening(update, task.leaf_log2, coordinate)
    packed = opening + encode_commitment_place(segments, update.client)
    about = (claim, NO_CLAIM) if isinstance(claim, int) else claim.arguments()
    return Proof(function="proveClipViolation", arguments=(*about, coordinate, packed))


def encode_commitment_place(segments: Segments, client: int) -> bytes:
    """Return where a client's commitment lies: number of segments, its segment and position, all roots, and the path.

    The client's signature comes before the path in root-only mode.

    Raises: BadProof: the client committed nothing.
    Clause: §4.6.
    """
    for number, segment in enumerate(segments):
        for position, entry in enumerate(segment):
            if entry.client == client:
                roots = b"".join(_compute_segment_root(one) + _COUNT.pack(len(one)) for one in segments)
                signature = entry.signature if isinstance(entry, spec.SignedMember) else b""
                place = _PLACE.pack(len(segments), number, position)
                return place + roots + signature + _encode_segment_path(segment, position)
    raise BadProof(what=f"client {client} committed nothing in this round")


def prove_equivocation(round_id: int, client: int, signed: Sequence[tuple[bytes, bytes]]) -> Proof:
    """Return the proof that a client signed two commitments for one round.

    Args: signed: two pairs of commitment (32 bytes) and signature (64 bytes, r | vs).
    """
    first, second = sorted(signed)
    packed = client.to_bytes(4, "big") + b"".join(first) + b"".join(second)
    return Proof(function="proveEquivocation", arguments=(round_id, packed))


def _compute_segment_root(segment: Sequence[Entry]) -> bytes:
    return _climb(segment, 0)[1]


def _encode_segment_path(segment: Sequence[Entry], position: int) -> bytes:
    return _climb(segment, position)[0]


def _climb(segment: Sequence[Entry], position: int) -> tuple[bytes, bytes]:
    """Return the siblings of an entry, and the root."""
    level = [keccak(b"\x00" + _pack(entry)) for entry in segment]
    path = b""
    while len(level) > 1:
        if position ^ 1 < len(level):
            path += level[position ^ 1]
        pairs = [keccak(b"\x01" + level[i] + level[i + 1]) for i in range(0, len(level) - 1, 2)]
        level, position = pairs + level[len(level) - len(level) % 2 :], position // 2
    return path, level[0]
