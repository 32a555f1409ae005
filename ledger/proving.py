"""From a finding of a replay to the smallest proof that the court accepts (docs/protocol.md §8.3). Pure, no I/O."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ledger import disputes, spec
from ledger.audit import aggregate_by_spec, decode_published, judge_update
from ledger.commitments import Int32Array
from ledger.disputes import Claim, Proof, Update
from ledger.errors import NotFoundError
from ledger.records import AuditReport, Finding, RoundRecord

_BY_COLUMN = (spec.Rule.SUM32, spec.Rule.MEAN, spec.Rule.MEDIAN, spec.Rule.TRIMMED_MEAN)
_BY_UPDATES = (*_BY_COLUMN, spec.Rule.WEIGHTED_MEAN)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Evidence:
    """What a proof is made of: the record's blobs, decoded."""

    record: RoundRecord
    claim: Claim
    updates: list[Update]
    aggregate: Int32Array | None

    @property
    def matrix(self) -> Int32Array:
        """The included updates, int32[n, d]."""
        return np.stack([update.values for update in self.updates])


def make_proof(record: RoundRecord, report: AuditReport) -> Proof:
    """Return a proof of the first finding that the court can judge.

    Args: record: a round in its challenge window. report: its replay, with findings.
    Raises: NotFoundError: no finding can be proved on chain; says why for each.
    """
    reasons = []
    for finding in report.findings:
        try:
            return _prove(record, finding)
        except NotFoundError as error:
            reasons.append(error.message)
    raise NotFoundError("; ".join(reasons) or "the replay found nothing to prove")


def _prove(record: RoundRecord, finding: Finding) -> Proof:
    provers: dict[str, Callable[[_Evidence], Proof]] = {"6": _prove_members, "7": _prove_aggregate, "9": _prove_model}
    if finding.clause not in provers or record.proposal is None:
        raise NotFoundError(f"the court has no proof for check ({finding.clause})")
    return provers[finding.clause](_collect(record, record.proposal))


def _collect(record: RoundRecord, proposal: spec.Proposal) -> _Evidence:
    excluded = dict(record.exclusions)
    updates = []
    for member in record.members:
        if member.client not in excluded:
            blob, values = judge_update(record, member, record.updates[member.client])
            updates.append(Update(client=member.client, num_examples=blob.header.num_examples, values=values))
    claim = Claim(round_id=record.round_id, proposal=proposal, excluded=spec.encode_exclusions(record.exclusions))
    aggregate = decode_published(record, record.aggregate, proposal.aggregate_root)
    return _Evidence(record=record, claim=claim, updates=updates, aggregate=aggregate)


def _require(vector: Int32Array | None, what: str) -> Int32Array:
    if vector is None:
        raise NotFoundError(f"the proposed {what} was not published: its leaves cannot be opened")
    return vector


def _prove_members(evidence: _Evidence) -> Proof:
    out = dict(evidence.record.exclusions)
    included = [member for member in evidence.record.members if member.client not in out]
    if spec.compute_members_root(included) == evidence.claim.proposal.members_root:
        raise NotFoundError("the proposal in the event is not the one the contract stored: read from another node")
    return disputes.prove_members(evidence.claim, evidence.record.segments)


def _prove_aggregate(evidence: _Evidence) -> Proof:
    """A column when the proposed matrix is the true one, else every client's own update: dearer, needs no matrix."""
    task, aggregate = evidence.record.task, _require(evidence.aggregate, "aggregate")
    if task.rule not in _BY_UPDATES:
        raise NotFoundError(f"the court cannot judge {task.rule.name.lower()} yet")
    examples = [update.num_examples for update in evidence.updates]
    honest = aggregate_by_spec(task.rule_params(), evidence.matrix, examples)
    coordinate = int(np.flatnonzero(honest != aggregate)[0])
    true_matrix = spec.compute_matrix_root(evidence.matrix.tolist(), task.matrix_log2)
    if task.rule in _BY_COLUMN and true_matrix == evidence.claim.proposal.matrix_root:
        opening = disputes.encode_matrix_opening(evidence.matrix, task.matrix_log2, coordinate)
        column = evidence.matrix[:, coordinate].tolist()
        return disputes.prove_column(
            evidence.claim, task, coordinate, matrix=opening, column=column, aggregate=aggregate
        )
    return disputes.prove_direct(evidence.claim, task, coordinate, updates=evidence.updates, aggregate=aggregate)


def _prove_model(evidence: _Evidence) -> Proof:
    record, aggregate = evidence.record, _require(evidence.aggregate, "aggregate")
    base = _require(decode_published(record, record.base, record.base_model), "base model")
    model = _require(decode_published(record, record.model, evidence.claim.proposal.model_root), "model")
    honest = np.array(spec.apply_model_step(base.tolist(), aggregate.tolist()), dtype=np.int32)
    coordinate = int(np.flatnonzero(honest != model)[0])
    return disputes.prove_model_step(
        evidence.claim, record.task, coordinate, base=base, aggregate=aggregate, model=model
    )
