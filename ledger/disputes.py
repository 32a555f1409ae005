"""Fraud proofs as bytes: what DisputeCourt reads (docs/protocol.md §8.3). Pure functions, no I/O.

An opening is one chunk of a vector and the sibling digests up to its root; an update opening adds client and
num_examples in front. Whoever holds a round's vectors builds any proof with these; the contract decides. Proofs about
who committed what are in `list_disputes`.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eth_utils.crypto import keccak

from ledger import spec
from ledger.commitments import Int32Array, compute_matrix_opening, compute_opening
from ledger.spec.errors import BadProof

_HEADER = struct.Struct(">II")
_COLUMN = struct.Struct(">Iii")


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


def encode_matrix_opening(updates: Sequence[Int32Array], matrix_log2: int, coordinate: int) -> bytes:
    """Return the opening of the matrix's leaf that holds a coordinate of all included clients.

    Args: updates: n rows int32[d], clients in rising id. matrix_log2: 0 to 8. coordinate: 0 to d - 1.
    Raises: BadProof: there is no such coordinate.
    Clause: §2.4.
    """
    _verify_coordinate(coordinate, len(updates[0]))
    leaf, path = compute_matrix_opening(updates, matrix_log2, coordinate >> matrix_log2)
    return leaf + b"".join(path)


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


def _verify_coordinate(coordinate: int, size: int) -> None:
    if not 0 <= coordinate < size:
        raise BadProof(what=f"coordinate {coordinate} of a vector of {size}")
