"""Checks (6) to (9) and (11): members, aggregate, matrix, model, and what the rule asks for beside roots.

A fast path may compute; when it disagrees with the chain, `spec` computes again and only that accuses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ledger import aggregation, commitments, errors, spec
from ledger.audit.decryption import check_decryption
from ledger.audit.decryption import compute_sum as compute_decrypted_sum
from ledger.audit.notes import Notes, make_gap
from ledger.audit.published import decode_published
from ledger.audit.unmasking import check_reveals, compute_masked
from ledger.audit.updates import Included
from ledger.errors import FedtrailError
from ledger.layout import locate
from ledger.mapped import iter_parts
from ledger.records import Fetched, RoundRecord
from ledger.spec.errors import RuleNotApplicable

Rows = Sequence[NDArray[np.int32]]
Aggregate = Callable[[spec.RuleParams, Rows, Sequence[int]], NDArray[np.int32]]
MakeAux = Callable[[spec.RuleParams, Rows, Sequence[int]], bytes]
_Operands = tuple[spec.RuleParams, Rows, Sequence[int]]
_SPEC_ENTRIES = 1 << 20
"""Coordinates of all clients that the specification, whose numbers are Python's, is given at a time."""


def aggregate_by_spec(params: spec.RuleParams, updates: Rows, weights: Sequence[int]) -> NDArray[np.int32]:
    """Return spec.aggregate of n rows int32[d] as int32[d]: the one that accuses."""
    if params.rule not in spec.COORDINATEWISE or not len(updates):
        return np.array(spec.aggregate(params, [row.tolist() for row in updates], weights), dtype=np.int32)
    parts = [
        np.array(spec.aggregate(params, [row[part].tolist() for row in updates], weights), dtype=np.int32)
        for part in iter_parts(updates, _SPEC_ENTRIES)
    ]
    return np.concatenate(parts)


def make_aux_by_spec(params: spec.RuleParams, updates: Rows, weights: Sequence[int]) -> bytes:
    """Return spec.compute_aux of n rows int32[d]: the one that accuses."""
    is_of_updates = params.rule in (spec.Rule.KRUM, spec.Rule.MULTI_KRUM, spec.Rule.COMPOSED)
    return spec.compute_aux(params, [row.tolist() for row in updates] if is_of_updates else [], weights)


def is_whole(notes: Notes, included: Included) -> bool:
    """Return whether every update is there that the aggregate was made of."""
    expected = len(notes.record.members) - len(notes.record.exclusions)
    return len(included.members) == expected and expected > 0


def check_aggregate(
    notes: Notes, proposal: spec.Proposal, included: Included, aggregate: Aggregate, make_aux: MakeAux
) -> NDArray[np.int32] | None:
    """Check (6) to (9) and (11); return the recomputed aggregate, int32[d], if its rule could be applied."""
    record, rows = notes.record, included.values
    if record.homomorphic is not None:
        _check_members(notes, proposal, included)
        result = _check_encrypted_sum(notes, proposal, included)
        _check_step(notes, proposal, result)
        return result
    params = record.make_rule_params([member.client for member in included.members], included.weights)
    _check_members(notes, proposal, included)
    result = None
    notes.say(0, 3, "aggregate")
    if params.rule is spec.Rule.COMPOSED and params.composition is None:
        notes.add("7", make_gap(_name_layout(record), "the layout with the stages of the rule", record))
    elif record.degree:
        result = _check_masked(notes, proposal, included, rows)
    else:
        result = _check_rule(notes, proposal, (params, rows, included.weights), aggregate, make_aux)
    notes.say(1, 3, "matrix")
    _check_matrix(notes, proposal, rows)
    _check_step(notes, proposal, result)
    return result


def _check_step(notes: Notes, proposal: spec.Proposal, result: NDArray[np.int32] | None) -> None:
    """(9), from the proposed aggregate, so that one lie is one finding. Args: result: of the recomputed one."""
    record = notes.record
    notes.say(2, 3, "model")
    is_honest = result is not None and _root_of(notes, result) == proposal.aggregate_root
    proposed = result if is_honest else decode_published(record, record.aggregate, proposal.aggregate_root)
    if proposed is not None:
        _check_model(notes, proposal, proposed)


def _check_encrypted_sum(notes: Notes, proposal: spec.Proposal, included: Included) -> NDArray[np.int32] | None:
    """(7), (8), (11), (13) of a homomorphic round; return the decrypted sum, int32[d], if everybody's share holds."""
    record = notes.record
    if record.aux:
        notes.add("11", _mismatch_of(record, "nothing", record.aux.hex(), "auxiliary data"), record.aggregator)
    found = check_decryption(notes)
    if found is None:
        return None
    added, shares = found
    if sorted(added.updates) != sorted(included.encrypted):
        got, want = str(sorted(added.updates)), str(sorted(included.encrypted))
        notes.add("7", _mismatch_of(record, got, want, "list: whose updates were added"), record.aggregator)
        return None
    if added.root != proposal.matrix_root:
        notes.add("8", _mismatch(record, added.root, proposal.matrix_root, "root: ciphertexts"), record.aggregator)
    if sorted(shares) != sorted(added.updates):
        gaps = {e.client for e in record.list_shares() if e.share and record.shares[e.client].data is None}
        refused = sorted(set(added.updates) - set(shares) - gaps)
        if refused:  # what could not be fetched is told already
            got, want = f"not of {refused}", "of everybody"
            notes.add("7", _mismatch_of(record, got, want, "shares that hold"), record.aggregator)
        return None
    result = compute_decrypted_sum(notes, added, shares, proposal.aggregate_root)
    _check_root(notes, "7", result, proposal.aggregate_root, record.aggregate, "aggregate")
    return result


def _check_masked(notes: Notes, proposal: spec.Proposal, included: Included, rows: Rows) -> NDArray[np.int32] | None:
    """(7) and (11) of masked updates"""
    record = notes.record
    reveals = check_reveals(notes, included)
    if reveals is None:
        return None
    try:
        result = compute_masked(notes, included, rows, reveals, proposal.aggregate_root)
    except RuleNotApplicable as error:  # it was proposed all the same
        notes.add("7", error, record.aggregator)
        return None
    _check_root(notes, "7", result, proposal.aggregate_root, record.aggregate, "aggregate")
    return result


def _name_layout(record: RoundRecord) -> Fetched:
    return Fetched(cid=f"of sha256 {record.task.layout_digest.hex()}", data=None)


def _check_rule(
    notes: Notes, proposal: spec.Proposal, operands: _Operands, aggregate: Aggregate, make_aux: MakeAux
) -> NDArray[np.int32] | None:
    """(7) and (11)"""
    record = notes.record
    try:
        _check_aux(notes, operands, make_aux)
        result = aggregate(*operands)
        if _root_of(notes, result) != proposal.aggregate_root:
            result = aggregate_by_spec(*operands)
            _check_root(notes, "7", result, proposal.aggregate_root, record.aggregate, "aggregate")
    except RuleNotApplicable as error:  # it was proposed all the same
        notes.add("7", error, record.aggregator)
        return None
    return result


def _root_of(notes: Notes, values: NDArray[np.int32]) -> bytes:
    return commitments.compute_vector_root(values, notes.record.task.model_log2)


def _check_members(notes: Notes, proposal: spec.Proposal, included: Included) -> None:
    """(6)"""
    record = notes.record
    stored = spec.compute_proposal_hash(
        record.round_id,
        proposal,
        segments_hash=record.segments_hash,
        excluded=spec.encode_exclusions(record.exclusions),
        aux=record.aux,
        included=record.included,
    )
    is_counted = record.task.mode is not spec.CommitMode.ACCUMULATED
    if not is_counted and len(record.members) != record.committed:  # the proposal says what the ledger does not
        counted = _mismatch_of(record, str(len(record.members)), str(record.committed), "count: clients")
        notes.add("6", counted, record.aggregator)
    pairs = (
        ("members", spec.compute_members_root(included.members), proposal.members_root),
        ("proposal", stored, record.proposal_hash),
    )
    for what, got, want in pairs:
        if got != want:
            notes.add("6", _mismatch(record, got, want, f"root: {what}"), record.aggregator)


def _check_aux(notes: Notes, operands: _Operands, make_aux: MakeAux) -> None:
    """(11)"""
    record = notes.record
    if make_aux(*operands) != record.aux:
        got = make_aux_by_spec(*operands)
        if got != record.aux:
            digests = spec.keccak256(got), spec.keccak256(record.aux)
            where = _locate_in_aux(operands[0], got, record.aux)
            notes.add("11", _mismatch(record, *digests, where), record.aggregator)


def _locate_in_aux(params: spec.RuleParams, got: bytes, want: bytes) -> str:
    if len(got) != len(want):
        return f"length of the auxiliary data: {len(got)} bytes, proposed {len(want)}"
    what, width = ("distance", 12) if params.rule in (spec.Rule.KRUM, spec.Rule.MULTI_KRUM) else ("weight", 4)
    at = next(at for at in range(0, len(got), width) if got[at : at + width] != want[at : at + width])
    ours, theirs = (int.from_bytes(data[at : at + width], "big") for data in (got, want))
    return f"{what} {at // width}: {ours}, proposed {theirs}"


def _mismatch(record: RoundRecord, got: bytes, want: bytes, where: str) -> FedtrailError:
    return _mismatch_of(record, got.hex(), want.hex(), where)


def _mismatch_of(record: RoundRecord, got: str, want: str, where: str) -> FedtrailError:
    return errors.ReplayMismatch(round_id=record.number, got=got, want=want, where=where)


def _check_root(
    notes: Notes, clause: str, values: NDArray[np.int32], want: bytes, published: Fetched, what: str
) -> None:
    """Compare a recomputed vector with a root on the chain; name the first coordinate that differs."""
    record = notes.record
    got = spec.compute_chunk_root(values.astype("<i4").tobytes(), spec.WORD_BYTES << record.task.model_log2)
    if got != want:
        where = _first_difference(record, values, want, published, what)
        notes.add(clause, _mismatch(record, got, want, where), record.aggregator)


def _first_difference(
    record: RoundRecord, values: NDArray[np.int32], want: bytes, published: Fetched, what: str
) -> str:
    theirs = decode_published(record, published, want)
    if theirs is None:
        return f"coordinate unknown: the {what} behind the root on the chain is not available"
    differing = np.flatnonzero(theirs != values)
    if not differing.size:
        return f"no coordinate: the {what} behind the root on the chain has these values, in leaves of another size"
    coordinate = int(differing[0])
    name = f"tensor {locate(record.layout, coordinate)}, " if record.layout else ""
    return f"{name}coordinate {coordinate}: recomputed {values[coordinate]}, published {theirs[coordinate]} ({what})"


def _check_matrix(notes: Notes, proposal: spec.Proposal, rows: Rows) -> None:
    """(8)"""
    log2 = notes.record.task.matrix_log2
    if commitments.compute_matrix_root(rows, log2) != proposal.matrix_root:
        got = spec.compute_matrix_root([row.tolist() for row in rows], log2)
        if got != proposal.matrix_root:
            error = _mismatch(notes.record, got, proposal.matrix_root, "root: matrix")
            notes.add("8", error, notes.record.aggregator)


def _check_model(notes: Notes, proposal: spec.Proposal, result: NDArray[np.int32]) -> None:
    """(9)"""
    record = notes.record
    base = decode_published(record, record.base, record.base_model)
    if base is None:
        gone = record.base if record.base.data is None else Fetched(cid=record.base.cid, data=None)
        notes.add("9", make_gap(gone, "base model", record))
        return
    if _root_of(notes, aggregation.apply_model_step(base, result)) != proposal.model_root:
        model = np.array(spec.apply_model_step(base.tolist(), result.tolist()), dtype=np.int32)
        _check_root(notes, "9", model, proposal.model_root, record.model, "model")
