"""Fraud proofs as bytes: what DisputeCourt reads (docs/protocol.md §8.3). Pure functions, no I/O.

An opening is one chunk of a vector and the sibling digests up to its root; an update opening adds client and
num_examples in front. Whoever holds a round's vectors builds any proof with these; the contract decides.

A segment is a list of commitments in the order in which they arrived: spec.Member, or spec.SignedMember for the one
list of a round in root-only mode.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from eth_utils.crypto import keccak

from ledger import spec
from ledger.commitments import Int32Array, compute_opening
from ledger.spec.errors import BadProof

_COUNT = struct.Struct(">H")
_HEADER = struct.Struct(">II")
_COLUMN = struct.Struct(">Iii")
_PLACE = struct.Struct(">HHH")

Entry = spec.Member | spec.SignedMember
Segments = Sequence[Sequence[Entry]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """One call of the court."""

    function: str
    """Function of the court."""
    arguments: tuple[Any, ...]
    """Its arguments; the packed bytes come last."""
    court: str = "court"
    """Key of the court among the contracts."""

    @property
    def proof_hash(self) -> bytes:
        """Keccak-256 of the packed bytes: what a ticket names."""
        return keccak(self.arguments[-1])

    @property
    def size_bytes(self) -> int:
        """Bytes among the arguments: what most of its gas is paid for."""
        return sum(len(argument) for argument in self.arguments if isinstance(argument, bytes))


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A proposal that is disputed."""

    round_id: int
    """Number within the ledger."""
    proposal: spec.Proposal
    """From the event, like all that follows."""
    segments_hash: bytes
    """The round's rolling hash over its segments."""
    included: int
    """Included updates."""
    excluded: bytes = b""
    """Packed exclusions."""
    aux: bytes = b""
    """What the proposal carries for its rule."""

    def arguments(self) -> tuple[int, tuple[Any, ...]]:
        """Return round and claim as the contract's functions take them."""
        claim = (self.proposal.fields(), self.segments_hash, keccak(self.excluded), keccak(self.aux))
        return self.round_id, claim

    @property
    def core_hash(self) -> bytes:
        """All of the proposal but its aggregate and matrix: what a column proof carries."""
        details = spec.compute_details_hash(
            self.proposal,
            segments_hash=self.segments_hash,
            excluded=self.excluded,
            aux=self.aux,
            included=self.included,
        )
        return spec.compute_core_hash(self.proposal.model_root, details)


NO_CLAIM = (((bytes(32),) * 5 + (0,)), bytes(32), bytes(32), bytes(32))
"""For a proof about a round that has no proposal yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """An included client's update."""

    client: int
    """Participant id."""
    num_examples: int
    """Examples, from its header."""
    values: Int32Array
    """int32[d]."""


def compute_ticket(*, round_id: int, proof_hash: bytes, challenger: bytes, salt: bytes) -> bytes:
    """Return keccak256(abi.encode(roundId, proofHash, challenger, salt)).

    Args: proof_hash: 32 bytes. challenger: address, 20 bytes. salt: 32 bytes that nobody else can guess.
    """
    return keccak(round_id.to_bytes(32, "big") + proof_hash + challenger.rjust(32, b"\x00") + salt)


def encode_opening(values: Int32Array, leaf_log2: int, coordinate: int) -> bytes:
    """Return the chunk that holds a coordinate, and the path from it to the vector's root.

    Args: values: int32[d]. leaf_log2: 3 to 12. coordinate: 0 to d - 1.
    Raises: BadProof: there is no such coordinate.
    Clause: §2.5.
    """
    _verify_coordinate(coordinate, len(values))
    chunk, path = compute_opening(values, leaf_log2, coordinate >> leaf_log2)
    return chunk + b"".join(path)


def encode_update_opening(update: Update, leaf_log2: int, coordinate: int) -> bytes:
    """Return (client | num_examples | opening): it gives the client's commitment."""
    header = _HEADER.pack(update.client, update.num_examples)
    return header + encode_opening(update.values, leaf_log2, coordinate)


def encode_matrix_opening(updates: Int32Array, matrix_log2: int, coordinate: int) -> bytes:
    """Return the opening of the matrix's leaf that holds a coordinate of all included clients.

    Args: updates: int32[n, d], clients in rising id. matrix_log2: 0 to 8. coordinate: 0 to d - 1.
    Raises: BadProof: there is no such coordinate.
    Clause: §2.4.
    """
    size = updates.shape[1]
    _verify_coordinate(coordinate, size)
    leaf, width = coordinate >> matrix_log2, 1 << matrix_log2
    leaves = [hashlib.sha256(b"\x00" + _transpose(updates, start, width)).digest() for start in range(0, size, width)]
    return _transpose(updates, leaf * width, width) + b"".join(spec.compute_inclusion_proof(leaves, leaf))


def compute_hints(params: spec.RuleParams, column: Sequence[int]) -> tuple[int, int]:
    """Return the lowest and the highest value of a column that a median or a trimmed mean keeps; else zeros.

    Args: column: one coordinate of every included client, as committed (it is clamped here).
    """
    if params.rule not in (spec.Rule.MEDIAN, spec.Rule.TRIMMED_MEAN):
        return 0, 0
    ordered = sorted(spec.clamp(int(value), params.bound) for value in column)
    trim = (len(ordered) - 1) // 2 if params.rule is spec.Rule.MEDIAN else params.parameter
    return ordered[trim], ordered[len(ordered) - 1 - trim]


def prove_column(
    claim: Claim, task: spec.Task, coordinate: int, *, matrix: bytes, column: Sequence[int], aggregate: Int32Array
) -> Proof:
    """Return the proof that the aggregate is not what the rule makes of the matrix at one coordinate.

    Args: matrix: `encode_matrix_opening`. column: that coordinate of every included client. aggregate: int32[d].
    """
    hints = compute_hints(task.rule_params(), column)
    opening = encode_opening(aggregate, task.model_log2, coordinate)
    packed = encode_column_proof(coordinate, *hints, matrix=matrix, aggregate=opening)
    return Proof(function="proveColumn", arguments=(claim.round_id, claim.core_hash, packed))


def encode_column_proof(coordinate: int, low: int, high: int, *, matrix: bytes, aggregate: bytes) -> bytes:
    """Return a column proof from its coordinate, its hints and its two openings."""
    return _COLUMN.pack(coordinate, low, high) + matrix + aggregate


def prove_weighted_column(
    claim: Claim, task: spec.Task, coordinate: int, *, matrix: bytes, aggregate: Int32Array
) -> Proof:
    """Return the proof that the aggregate is not the posted weights' mean of the matrix at one coordinate.

    Args: matrix: `encode_matrix_opening`. aggregate: int32[d].
    """
    packed = matrix + encode_opening(aggregate, task.model_log2, coordinate)
    return Proof(function="proveWeightedColumn", arguments=(*claim.arguments(), coordinate, claim.aux, packed))


def prove_weight(
    claim: Claim, task: spec.Task, slot: int, *, update: Update | None = None, members: bytes = b""
) -> Proof:
    """Return the proof that the weight posted for a slot is not its client's, or that there are too few or too many.

    Args: update: of the client at the slot; None for a wrong number of weights. members: `encode_member`.
    """
    packed = b"" if update is None else encode_update_opening(update, task.leaf_log2, 0) + members
    return Proof(function="proveWeight", arguments=(*claim.arguments(), slot, claim.aux, packed))


def prove_transpose(
    claim: Claim, task: spec.Task, coordinate: int, slot: int, *, matrix: bytes, update: Update, members: bytes
) -> Proof:
    """Return the proof that the matrix holds another value than a client's update.

    Args: slot: the client's position among the included. matrix: `encode_matrix_opening`. members: `encode_member`.
    """
    packed = encode_transpose_proof(
        matrix=matrix, update=encode_update_opening(update, task.leaf_log2, coordinate), members=members
    )
    return Proof(function="proveTranspose", arguments=(*claim.arguments(), coordinate, slot, packed))


def encode_transpose_proof(*, matrix: bytes, update: bytes, members: bytes) -> bytes:
    """Return a transpose proof from the matrix's opening, the update's and the client's path in the member list."""
    return matrix + update + members


def encode_member(members: Sequence[spec.Member], slot: int) -> bytes:
    """Return the path of one included client in the member list.

    Args: members: the included, in rising id.
    Clause: §4.5.
    """
    leaves = [spec.hash_leaf(spec.encode_members([member])) for member in members]
    return b"".join(spec.compute_inclusion_proof(leaves, slot))


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


def prove_direct(
    claim: Claim, task: spec.Task, coordinate: int, *, updates: Sequence[Update], aggregate: Int32Array
) -> Proof:
    """Return the proof that the aggregate is wrong at one coordinate, from every included client's own update.

    Args: updates: of all included clients, in rising id. aggregate: int32[d].
    """
    packed = encode_direct_proof(updates, aggregate, task, coordinate)
    hints = compute_hints(task.rule_params(), [int(update.values[coordinate]) for update in updates])
    return Proof(function="proveDirect", arguments=(*claim.arguments(), coordinate, *hints, packed))


def encode_direct_proof(updates: Sequence[Update], aggregate: Int32Array, task: spec.Task, coordinate: int) -> bytes:
    """Return the update openings of all included clients, and the aggregate's opening."""
    parts = [encode_update_opening(update, task.leaf_log2, coordinate) for update in updates]
    return b"".join(parts) + encode_opening(aggregate, task.model_log2, coordinate)


def prove_model_step(
    claim: Claim, task: spec.Task, coordinate: int, *, base: Int32Array, aggregate: Int32Array, model: Int32Array
) -> Proof:
    """Return the proof that the new model is not base plus aggregate at one coordinate."""
    packed = encode_model_proof(base, aggregate, model, task.model_log2, coordinate)
    return Proof(function="proveModelStep", arguments=(*claim.arguments(), coordinate, packed))


def encode_model_proof(
    base: Int32Array, aggregate: Int32Array, model: Int32Array, model_log2: int, coordinate: int
) -> bytes:
    """Return the openings of base model, aggregate and new model."""
    return b"".join(encode_opening(values, model_log2, coordinate) for values in (base, aggregate, model))


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


def _transpose(updates: Int32Array, start: int, width: int) -> bytes:
    return np.ascontiguousarray(updates[:, start : start + width].T, dtype="<i4").tobytes()


def _verify_coordinate(coordinate: int, size: int) -> None:
    if not 0 <= coordinate < size:
        raise BadProof(what=f"coordinate {coordinate} of a vector of {size}")
