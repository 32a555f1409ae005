"""How a wrong round is disputed: by a proof of one or several transactions, or by a game over a distance. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ledger import krum_disputes, spec
from ledger.audit import decode_published
from ledger.disputes import Claim, Proof
from ledger.errors import NotFoundError
from ledger.krum_disputes import Evidence, Move
from ledger.proving import make_claim, make_proof
from ledger.records import AuditReport, RoundRecord
from ledger.sessions import MAX_DIRECT_BYTES, prove_in_session
from ledger.watching.games import COURT, KRUM, make_evidence

Steps = tuple[Proof, ...]
"""A proof: one transaction or, in a session, several in this order. A ticket names the last one."""
Plan = Steps | Move


def make_plan(record: RoundRecord, report: AuditReport, shown: Mapping[int, bytes] | None = None) -> Plan:
    """Return the cheapest way to dispute a round: its smallest proof, or else the opening of a game.

    A proof that no transaction can carry is brought in a session.

    Args: record: a round in its challenge window. report: its replay, with findings. shown: openings of leaves of the
    proposed matrix, by index.
    Raises: NotFoundError: no finding can be proved on chain; says why for each.
    """
    try:
        proof = make_proof(record, report, shown)
    except NotFoundError:
        plan = _plan_about_krum(record) if record.task.rule in KRUM and record.proposal is not None else None
        if plan is None:
            raise
        return plan
    is_too_long = proof.function == "proveDirect" and proof.size_bytes > MAX_DIRECT_BYTES
    return _split(record, proof) if is_too_long else (proof,)


def is_matrix_wrong(report: AuditReport) -> bool:
    """Whether a replay found another matrix than the proposed one, which only the aggregator has."""
    return any(finding.clause == "8" for finding in report.findings)


def _split(record: RoundRecord, direct: Proof) -> Steps:
    """Return a direct proof as the transactions of a session about the same coordinate."""
    if record.proposal is None:
        return (direct,)
    proposed = decode_published(record, record.aggregate, record.proposal.aggregate_root)
    if proposed is None:
        return (direct,)
    return prove_in_session(
        make_claim(record, record.proposal),
        record.task,
        direct.arguments[2],
        updates=make_evidence(record).updates,
        aggregate=proposed,
        domain=record.domain_separator,
    )


def _plan_about_krum(record: RoundRecord) -> Plan | None:
    if record.proposal is None:
        return None
    evidence, claim = make_evidence(record), make_claim(record, record.proposal)
    count = len(evidence.updates)
    if len(record.aux) != len(spec.encode_distances([0] * (count * (count - 1) // 2))):
        return (_to_proof(krum_disputes.prove_aux_length(claim, record.aux)),)
    chosen_wrongly = _prove_selection(record, claim, evidence)
    if chosen_wrongly is not None:
        return (chosen_wrongly,)
    for low, high, distance in krum_disputes.find_wrong_distances(evidence):
        return krum_disputes.open_game(claim, low=low, high=high, distance=distance)
    return None


def _prove_selection(record: RoundRecord, claim: Claim, evidence: Evidence) -> Proof | None:
    """Return the proof that the aggregate is not what the posted distances choose; None if it is, or nobody has it."""
    proposed = decode_published(record, record.aggregate, claim.proposal.aggregate_root)
    if proposed is None:
        return None
    chosen = np.array(_aggregate_chosen(evidence), dtype=np.int32)
    different = np.flatnonzero(chosen != proposed)
    matrix = np.stack([update.values for update in evidence.updates])
    is_matrix_true = spec.compute_matrix_root(matrix.tolist(), record.task.matrix_log2) == claim.proposal.matrix_root
    if not len(different) or not is_matrix_true:
        return None
    coordinate = int(different[0])
    return _to_proof(krum_disputes.prove_selection_column(claim, evidence, coordinate, aggregate=proposed))


def _aggregate_chosen(evidence: Evidence) -> list[int]:
    """Return the mean of the updates that the posted distances choose."""
    params = evidence.task.rule_params()
    count = len(evidence.updates)
    posted = iter(evidence.distances())
    square = [[0] * count for _ in range(count)]
    for low in range(count):
        for high in range(low + 1, count):
            square[low][high] = square[high][low] = next(posted)
    scores = spec.compute_scores_from_distances(square, params.parameter)
    chosen = spec.select_lowest(scores, 1 if params.rule is spec.Rule.KRUM else params.select)
    columns = np.stack([evidence.updates[slot].values for slot in chosen]).T.tolist()
    return [spec.compute_mean([spec.clamp(value, params.bound) for value in column]) for column in columns]


def _to_proof(move: Move) -> Proof:
    return Proof(function=move.function, arguments=move.arguments, court=COURT)
