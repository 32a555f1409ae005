"""What the ledger keeps of a proposal, and the hash chain of finalised rounds (docs/protocol.md §4.7, §4.8).

The proposal is hashed in three steps, so that finalisation and the cheapest proof carry no more of it than they need.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from ledger.spec.keccak import keccak256


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What an aggregator puts forward: five digests of 32 bytes and a count, in the contract's order."""

    aggregate_root: bytes
    """Chunk-tree root of the aggregate."""
    matrix_root: bytes
    """Root of the included updates, transposed."""
    model_root: bytes
    """Chunk-tree root of base model plus aggregate."""
    members_root: bytes
    """Root over (client, commitment) of the included updates."""
    data_id: bytes
    """SHA-256 of the manifest."""
    committed: int
    """Clients that committed. uint16."""

    def fields(self) -> tuple[bytes, bytes, bytes, bytes, bytes, int]:
        """Return the fields in the contract's order."""
        return (
            self.aggregate_root,
            self.matrix_root,
            self.model_root,
            self.members_root,
            self.data_id,
            self.committed,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A proposal as far as finalisation needs it; four digests of 32 bytes."""

    aggregate_root: bytes
    """As in the proposal."""
    matrix_root: bytes
    """As in the proposal."""
    model_root: bytes
    """As in the proposal."""
    details_hash: bytes
    """Of everything else: compute_details_hash."""

    def fields(self) -> tuple[bytes, bytes, bytes, bytes]:
        """Return the fields in the contract's order."""
        return (self.aggregate_root, self.matrix_root, self.model_root, self.details_hash)


def compute_details_hash(
    proposal: Proposal, *, segments_hash: bytes, excluded: bytes, aux: bytes, included: int
) -> bytes:
    """Return the hash of everything but the roots of aggregate, matrix and model (§4.7).

    Args: segments_hash: of the round when it was proposed. excluded: packed exclusions (encode_exclusions).
        aux: what the rule asks for beside roots (compute_aux). included: committed less excluded clients.
    """
    digests = proposal.members_root + proposal.data_id + segments_hash + keccak256(excluded) + keccak256(aux)
    return keccak256(digests + _word(proposal.committed) + _word(included))


def compute_core_hash(model_root: bytes, details_hash: bytes) -> bytes:
    """Return the hash of everything but aggregate and matrix: what a column proof carries (§4.7)."""
    return keccak256(model_root + details_hash)


def make_outcome(proposal: Proposal, *, segments_hash: bytes, excluded: bytes, aux: bytes, included: int) -> Outcome:
    """Return what `finalise` takes for a proposal; arguments as for compute_details_hash."""
    details = compute_details_hash(proposal, segments_hash=segments_hash, excluded=excluded, aux=aux, included=included)
    return Outcome(
        aggregate_root=proposal.aggregate_root,
        matrix_root=proposal.matrix_root,
        model_root=proposal.model_root,
        details_hash=details,
    )


def compute_outcome_hash(round_id: int, outcome: Outcome) -> bytes:
    """Return what RoundLedger stores of the proposal that an outcome stands for (§4.7)."""
    core = compute_core_hash(outcome.model_root, outcome.details_hash)
    return keccak256(_word(round_id) + outcome.aggregate_root + outcome.matrix_root + core)


def compute_proposal_hash(
    round_id: int, proposal: Proposal, *, segments_hash: bytes, excluded: bytes, aux: bytes, included: int
) -> bytes:
    """Return what RoundLedger stores of a proposal (§4.7); arguments as for compute_details_hash."""
    outcome = make_outcome(proposal, segments_hash=segments_hash, excluded=excluded, aux=aux, included=included)
    return compute_outcome_hash(round_id, outcome)


def compute_head(previous: bytes, round_id: int, proposal_hash: bytes) -> bytes:
    """Return the next link of a task's hash chain of finalised rounds (§4.8)."""
    return keccak256(previous + _word(round_id) + proposal_hash)


def _word(value: int) -> bytes:
    return value.to_bytes(32, "big")


_EXCLUSION = struct.Struct(">IH")


def encode_exclusions(exclusions: Sequence[tuple[int, int]]) -> bytes:
    """Return packed (client u32 | reason u16), in rising client id."""
    return b"".join(_EXCLUSION.pack(client, reason) for client, reason in sorted(exclusions))


def decode_exclusions(data: bytes) -> list[tuple[int, int]]:
    """Return the (client, reason) pairs of a Proposed or Abandoned event."""
    return [(client, reason) for client, reason in _EXCLUSION.iter_unpack(data)]
