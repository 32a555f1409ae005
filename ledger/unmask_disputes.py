"""Proofs about masked sums as bytes: what UnmaskCourt reads (docs/protocol.md §11.8). Pure functions, no I/O.

Whoever holds the masked updates, the seed tables and the aggregate of a round builds any proof with these; the revealed
seeds are in the proposal. `find_fault` says which one an aggregator that lies is convicted by.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ledger import spec
from ledger.commitments import Int32Array, compute_matrix_root, compute_vector_root
from ledger.disputes import (
    Claim,
    Proof,
    Update,
    encode_matrix_opening,
    encode_member,
    encode_opening,
    encode_update_opening,
)
from ledger.spec.errors import SpecError

COURT = "unmask_court"
"""Key of UnmaskCourt among the contracts."""
_ABSENT, _INCLUDED = b"\x00", b"\x01"
_REVEAL_BYTES = len(spec.encode_reveals([spec.Reveal(owner=1, peer=0, seed=bytes(spec.SEED_BYTES))]))


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskedUpdate(Update):
    """An included client's masked update."""

    table: tuple[spec.SeedLine, ...]
    """Which seeds it committed to."""

    @property
    def seeds_root(self) -> bytes:
        """Root over the seed table, 32 bytes."""
        return spec.compute_seeds_root(self.table)

    def member(self, task: spec.Task, *, domain_separator: bytes, round_id: int) -> spec.Member:
        """Return what the client committed to (§11.3). Args: domain_separator: of the RoundLedger."""
        vector_root = compute_vector_root(self.values, task.leaf_log2)
        commitment = spec.compute_commitment(
            domain_separator=domain_separator,
            round_id=round_id,
            client=self.client,
            num_examples=self.num_examples,
            root=spec.compute_masked_root(vector_root, self.seeds_root),
        )
        return spec.Member(client=self.client, commitment=commitment)


@dataclass(frozen=True, kw_only=True)  # no slots: cached properties need a place
class Evidence:
    """What proofs about a masked round are made of."""

    task: spec.Task
    """The round's task: sum32 with a degree."""
    claim: Claim
    """Its proposal, revealed seeds included."""
    updates: Sequence[MaskedUpdate]
    """Of the included clients, in rising id; what they committed to."""
    members: Sequence[spec.Member]
    """Their commitments, in the same order."""

    @property
    def tables(self) -> Mapping[int, Sequence[spec.SeedLine]]:
        """Seed table by included client."""
        return {update.client: update.table for update in self.updates}

    @property
    def rows(self) -> list[Int32Array]:
        """The masked updates, n rows int32[d]."""
        return [update.values for update in self.updates]

    def find_slot(self, client: int) -> int | None:
        """Return the position of a client among the included; None if it is not."""
        return next((slot for slot, member in enumerate(self.members) if member.client == client), None)


# ------------------------------------------------------------------------------------------------------------- the sum


def prove_unmasking(evidence: Evidence, coordinate: int, *, aggregate: Int32Array) -> Proof:
    """Return the proof that a coordinate of the aggregate is not the unmasked sum of the matrix (§11.6).

    Args: aggregate: int32[d], the proposed one. The proposed matrix must be the one of the updates.
    """
    packed = encode_matrix_opening(evidence.rows, evidence.task.matrix_log2, coordinate)
    packed += encode_opening(aggregate, evidence.task.model_log2, coordinate)
    return _prove_sum("proveUnmasking", evidence, coordinate, packed)


def prove_unmasking_direct(evidence: Evidence, coordinate: int, *, aggregate: Int32Array) -> Proof:
    """Return the proof of the same from every included client's own masked update, without the matrix."""
    task = evidence.task
    packed = b"".join(encode_masked_opening(update, task.leaf_log2, coordinate) for update in evidence.updates)
    packed += encode_opening(aggregate, task.model_log2, coordinate)
    return _prove_sum("proveUnmaskingDirect", evidence, coordinate, packed)


def _prove_sum(function: str, evidence: Evidence, coordinate: int, packed: bytes) -> Proof:
    arguments = (*evidence.claim.arguments(), evidence.claim.aux, coordinate, packed)
    return Proof(function=function, arguments=arguments, court=COURT)


def encode_masked_opening(update: MaskedUpdate, leaf_log2: int, coordinate: int) -> bytes:
    """Return an update opening and the seeds root: together they give the client's commitment."""
    return encode_update_opening(update, leaf_log2, coordinate) + update.seeds_root


def prove_masked_transpose(evidence: Evidence, coordinate: int, slot: int, *, matrix: bytes) -> Proof:
    """Return the proof that the matrix holds another value than a client's masked update.

    Args: slot: the client's position among the included. matrix: opening of the proposed matrix at the coordinate.
    """
    update = encode_masked_opening(evidence.updates[slot], evidence.task.leaf_log2, coordinate)
    packed = matrix + update + encode_member(evidence.members, slot)
    arguments = (*evidence.claim.arguments(), coordinate, slot, packed)
    return Proof(function="proveMaskedTranspose", arguments=arguments, court=COURT)


# -------------------------------------------------------------------------------------------------- the revealed seeds


def prove_malformed_reveals(evidence: Evidence) -> Proof:
    """Return the proof that the list of revealed seeds is no whole number of entries, or does not rise."""
    arguments = (*evidence.claim.arguments(), evidence.claim.aux)
    return Proof(function="proveMalformedReveals", arguments=arguments, court=COURT)


def prove_reveal(evidence: Evidence, owner: int, peer: int) -> Proof:
    """Return the proof about one pair: its seed is missing, surplus or wrong, or the owner's table is bad (§11.5).

    Args: owner: the client whose mask it is. peer: SELF for the owner's own mask.
    """
    packed = encode_standing(evidence, owner) + (
        encode_standing(evidence, peer) if _does_peer_decide(evidence, owner, peer) else b""
    )
    arguments = (*evidence.claim.arguments(), evidence.claim.aux, owner, peer, packed)
    return Proof(function="proveReveal", arguments=arguments, court=COURT)


def _does_peer_decide(evidence: Evidence, owner: int, peer: int) -> bool:
    """Whether a pair's seed is needed depends on the peer: the owner has a line for it, and no wrong seed was shown."""
    table = evidence.tables.get(owner, ())
    commitment = next((line.commitment for line in table if line.peer == peer), None)
    if peer == spec.SELF or commitment is None or not _is_table(evidence, owner):
        return False
    shown = _find_shown(evidence.claim.aux, owner, peer)
    return shown is None or shown == commitment


def encode_standing(evidence: Evidence, client: int) -> bytes:
    """Return the proof that a client is included, with its seed table; or that it is not, by its neighbours (§11.8)."""
    slot = evidence.find_slot(client)
    if slot is None:
        return _encode_gap(evidence.members, client)
    update = evidence.updates[slot]
    vector_root = compute_vector_root(update.values, evidence.task.leaf_log2)
    lines = len(update.table).to_bytes(2, "big") + spec.encode_seed_table(update.table)
    place = slot.to_bytes(2, "big") + encode_member(evidence.members, slot)
    return _INCLUDED + update.num_examples.to_bytes(4, "big") + vector_root + lines + place


def _encode_gap(members: Sequence[spec.Member], client: int) -> bytes:
    slot = sum(member.client < client for member in members)
    around = [at for at in (slot - 1, slot) if 0 <= at < len(members)]
    shown = b"".join(spec.encode_members([members[at]]) + encode_member(members, at) for at in around)
    return _ABSENT + slot.to_bytes(2, "big") + shown


def _find_shown(aux: bytes, owner: int, peer: int) -> bytes | None:
    """Return the commitment to the seed that was revealed for a pair, as the court looks it up; None if none was."""
    low, high = 0, len(aux) // _REVEAL_BYTES
    want = owner.to_bytes(4, "big") + peer.to_bytes(4, "big")
    while low < high:  # bisection, since that is what a list that does not rise is judged by
        middle = (low + high) // 2
        entry = aux[_REVEAL_BYTES * middle : _REVEAL_BYTES * (middle + 1)]
        if entry[:8] == want:
            return spec.compute_seed_commitment(entry[8:])
        low, high = (middle + 1, high) if entry[:8] < want else (low, middle)
    return None


def _is_table(evidence: Evidence, client: int) -> bool:
    try:
        encoded = spec.encode_seed_table(evidence.tables[client])
        spec.decode_seed_table(encoded, owner=client, degree=evidence.task.rule_param)
    except SpecError:
        return False
    return True


# ------------------------------------------------------------------------------------------------------------- a fault


def find_fault(evidence: Evidence, aggregate: Int32Array | None = None) -> Proof | None:
    """Return the proof that convicts a masked round's aggregator; None if nothing in its proposal is wrong.

    (1) The revealed seeds are a canonical list.
    (2) Every included client has a seed table that it may have.
    (3) The list has the seed of exactly the pairs that need one, each the seed that its owner committed to.
    (4) The aggregate is the sum of the masked updates without the revealed masks.

    Args: aggregate: the proposed one, int32[d]; None where nobody has it: (4) is left out then.
    Clause: §11.5, §11.6.
    """
    try:
        reveals = spec.decode_reveals(evidence.claim.aux)
    except SpecError:
        return prove_malformed_reveals(evidence)
    for client in evidence.tables:
        if not _is_table(evidence, client):
            return prove_reveal(evidence, client, spec.SELF)
    pair = _find_wrong_pair(evidence, reveals)
    if pair is not None:
        return prove_reveal(evidence, *pair)
    return None if aggregate is None else _find_wrong_sum(evidence, reveals, aggregate)


def _find_wrong_pair(evidence: Evidence, reveals: Sequence[spec.Reveal]) -> tuple[int, int] | None:
    needed = spec.compute_needed(evidence.tables)
    shown = {(reveal.owner, reveal.peer): spec.compute_seed_commitment(reveal.seed) for reveal in reveals}
    pairs = sorted(set(itertools.chain(needed, shown)))
    return next((pair for pair in pairs if needed.get(pair) != shown.get(pair)), None)


def _find_wrong_sum(evidence: Evidence, reveals: Sequence[spec.Reveal], aggregate: Int32Array) -> Proof | None:
    honest = np.array(spec.compute_unmasked_sum([row.tolist() for row in evidence.rows], reveals), dtype=np.int32)
    different = np.flatnonzero(honest != aggregate)
    if not len(different):
        return None
    is_matrix_true = (
        compute_matrix_root(evidence.rows, evidence.task.matrix_log2) == evidence.claim.proposal.matrix_root
    )
    prove = prove_unmasking if is_matrix_true else prove_unmasking_direct
    return prove(evidence, int(different[0]), aggregate=aggregate)
