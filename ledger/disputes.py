"""Fraud proofs as bytes: what DisputeCourt reads (docs/protocol.md §8.3). Pure functions, no I/O.

An opening is one chunk of a vector and the sibling digests up to its root; an update opening adds client and
num_examples in front. Whoever holds a round's vectors builds any proof with these; the contract decides.
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
_PLACE = struct.Struct(">HH")


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """One call of the court."""

    function: str
    """Function of DisputeCourt."""
    arguments: tuple[Any, ...]
    """Its arguments; the packed bytes come last."""

    @property
    def proof_hash(self) -> bytes:
        """Keccak-256 of the packed bytes: what a ticket names."""
        return keccak(self.arguments[-1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A proposal that is disputed."""

    round_id: int
    """Number within the ledger."""
    proposal: spec.Proposal
    """The five digests, from the event."""
    excluded: bytes = b""
    """Packed exclusions of the proposal, from the event."""

    def arguments(self) -> tuple[int, tuple[Any, bytes]]:
        """Return round and claim as the contract's functions take them."""
        return self.round_id, (self.proposal.fields(), keccak(self.excluded))


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
    packed = encode_column_proof(matrix=matrix, aggregate=encode_opening(aggregate, task.leaf_log2, coordinate))
    hints = compute_hints(task.rule_params(), column)
    return Proof(function="proveColumn", arguments=(*claim.arguments(), coordinate, *hints, packed))


def encode_column_proof(*, matrix: bytes, aggregate: bytes) -> bytes:
    """Return a column proof from its two openings."""
    return matrix + aggregate


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


def prove_members(claim: Claim, segments: Sequence[Sequence[spec.Member]]) -> Proof:
    """Return the proof that the member list's root is not that of the included clients.

    Args: segments: accepted batches, from the events, in order.
    """
    packed = encode_members_proof(segments, claim.excluded)
    return Proof(function="proveMembers", arguments=(*claim.arguments(), claim.excluded, packed))


def encode_members_proof(segments: Sequence[Sequence[spec.Member]], excluded: bytes) -> bytes:
    """Return counts of the segments, all entries in order of arrival, and positions of the included, rising by client.

    Args: segments: accepted batches in order. excluded: packed exclusions, 6 bytes each.
    """
    entries = [member for segment in segments for member in segment]
    out = {int.from_bytes(excluded[at : at + 4], "big") for at in range(0, len(excluded), 6)}
    order = sorted((member.client, at) for at, member in enumerate(entries) if member.client not in out)
    counts = b"".join(_COUNT.pack(len(segment)) for segment in segments)
    return counts + spec.encode_members(entries) + b"".join(_COUNT.pack(at) for _, at in order)


def prove_direct(
    claim: Claim, task: spec.Task, coordinate: int, *, updates: Sequence[Update], aggregate: Int32Array
) -> Proof:
    """Return the proof that the aggregate is wrong at one coordinate, from every included client's own update.

    Args: updates: of all included clients, in rising id. aggregate: int32[d].
    """
    packed = encode_direct_proof(updates, aggregate, task.leaf_log2, coordinate)
    hints = compute_hints(task.rule_params(), [int(update.values[coordinate]) for update in updates])
    return Proof(function="proveDirect", arguments=(*claim.arguments(), coordinate, *hints, packed))


def encode_direct_proof(updates: Sequence[Update], aggregate: Int32Array, leaf_log2: int, coordinate: int) -> bytes:
    """Return the update openings of all included clients, and the aggregate's opening."""
    parts = [encode_update_opening(update, leaf_log2, coordinate) for update in updates]
    return b"".join(parts) + encode_opening(aggregate, leaf_log2, coordinate)


def prove_model_step(
    claim: Claim, task: spec.Task, coordinate: int, *, base: Int32Array, aggregate: Int32Array, model: Int32Array
) -> Proof:
    """Return the proof that the new model is not base plus aggregate at one coordinate."""
    packed = encode_model_proof(base, aggregate, model, task.leaf_log2, coordinate)
    return Proof(function="proveModelStep", arguments=(*claim.arguments(), coordinate, packed))


def encode_model_proof(
    base: Int32Array, aggregate: Int32Array, model: Int32Array, leaf_log2: int, coordinate: int
) -> bytes:
    """Return the openings of base model, aggregate and new model."""
    return b"".join(encode_opening(values, leaf_log2, coordinate) for values in (base, aggregate, model))


def prove_clip_violation(
    round_id: int, task: spec.Task, coordinate: int, *, update: Update, segments: Sequence[Sequence[spec.Member]]
) -> Proof:
    """Return the proof that a client committed to a coordinate beyond the bound.

    Args: segments: accepted batches, from the events, in order; one of them holds the client.
    """
    opening = encode_update_opening(update, task.leaf_log2, coordinate)
    packed = opening + encode_commitment_place(segments, update.client)
    return Proof(function="proveClipViolation", arguments=(round_id, coordinate, packed))


def encode_commitment_place(segments: Sequence[Sequence[spec.Member]], client: int) -> bytes:
    """Return where a client's commitment lies: segment, position, every segment's root and count, and the path.

    Raises: BadProof: the client committed nothing.
    Clause: §4.6.
    """
    for number, segment in enumerate(segments):
        for position, member in enumerate(segment):
            if member.client == client:
                roots = b"".join(spec.compute_segment_root(one) + _COUNT.pack(len(one)) for one in segments)
                return _PLACE.pack(number, position) + roots + _encode_segment_path(segment, position)
    raise BadProof(what=f"client {client} committed nothing in this round")


def prove_equivocation(round_id: int, client: int, signed: Sequence[tuple[bytes, bytes]]) -> Proof:
    """Return the proof that a client signed two commitments for one round.

    Args: signed: two pairs of commitment (32 bytes) and signature (64 bytes, r | vs).
    """
    first, second = sorted(signed)
    packed = client.to_bytes(4, "big") + b"".join(first) + b"".join(second)
    return Proof(function="proveEquivocation", arguments=(round_id, packed))


def _encode_segment_path(segment: Sequence[spec.Member], position: int) -> bytes:
    level = [keccak(b"\x00" + spec.encode_members([member])) for member in segment]
    path = b""
    while len(level) > 1:
        if position ^ 1 < len(level):
            path += level[position ^ 1]
        pairs = [keccak(b"\x01" + level[i] + level[i + 1]) for i in range(0, len(level) - 1, 2)]
        level, position = pairs + level[len(level) - len(level) % 2 :], position // 2
    return path


def _transpose(updates: Int32Array, start: int, width: int) -> bytes:
    return np.ascontiguousarray(updates[:, start : start + width].T, dtype="<i4").tobytes()


def _verify_coordinate(coordinate: int, size: int) -> None:
    if not 0 <= coordinate < size:
        raise BadProof(what=f"coordinate {coordinate} of a vector of {size}")
