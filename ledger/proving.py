"""From a finding of a replay to the smallest proof that the court accepts (docs/protocol.md §8.3). Pure, no I/O."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from ledger import disputes, krum_disputes, list_disputes, spec, unmask_disputes
from ledger.audit import (
    aggregate_by_spec,
    decode_published,
    find_wrong_signature,
    judge_update,
    make_aux_by_spec,
    read_seed_table,
)
from ledger.commitments import Int32Array
from ledger.disputes import Claim, Proof, Update
from ledger.errors import NotFoundError
from ledger.records import AuditReport, Finding, RoundRecord

_BY_DISTANCE = (spec.Rule.KRUM, spec.Rule.MULTI_KRUM)

_SIGNED_BYTES = 100


@dataclass(frozen=True, kw_only=True)  # no slots: cached properties need a place
class _Evidence:
    """What a proof is made of: the record's blobs, decoded."""

    record: RoundRecord
    claim: Claim
    shown: Mapping[int, bytes] = field(default_factory=dict)
    """Openings of leaves of the proposed matrix, by index: what somebody has shown on demand."""

    @property
    def members(self) -> list[spec.Member]:
        """The included clients' commitments, in rising id."""
        excluded = dict(self.record.exclusions)
        return [member for member in self.record.members if member.client not in excluded]

    @cached_property
    def updates(self) -> list[Update]:
        """The included updates."""
        found = []
        for member in self.members:
            blob, values = judge_update(self.record, member, self.record.updates[member.client])
            found.append(Update(client=member.client, num_examples=blob.header.num_examples, values=values))
        return found

    @cached_property
    def masked(self) -> unmask_disputes.Evidence:
        """The same of a masked round, with the seeds that each client committed to."""
        updates = []
        for member in self.members:
            blob, values = judge_update(self.record, member, self.record.updates[member.client])
            updates.append(
                unmask_disputes.MaskedUpdate(
                    client=member.client,
                    num_examples=blob.header.num_examples,
                    values=values,
                    table=read_seed_table(self.record, blob),
                )
            )
        return unmask_disputes.Evidence(task=self.record.task, claim=self.claim, updates=updates, members=self.members)

    @property
    def rows(self) -> list[Int32Array]:
        """The included updates, n rows int32[d]."""
        return [update.values for update in self.updates]

    @property
    def weights(self) -> list[int]:
        """What each of them weighs."""
        return [self.record.compute_weight(update.client, update.num_examples) for update in self.updates]

    @property
    def params(self) -> spec.RuleParams:
        """The round's rule."""
        return self.record.make_rule_params([member.client for member in self.members], self.weights)

    @property
    def aggregate(self) -> Int32Array:
        """The proposed aggregate. Raises: NotFoundError."""
        proposed = decode_published(self.record, self.record.aggregate, self.claim.proposal.aggregate_root)
        return _require(proposed, "aggregate")


def make_proof(record: RoundRecord, report: AuditReport, shown: Mapping[int, bytes] | None = None) -> Proof:
    """Return the smallest proof of a finding that a court can judge.

    Args: record: a round in its challenge window. report: its replay, with findings. shown: openings of leaves of the
    proposed matrix (`availability.open_leaves`), by index: nobody but the aggregator has a matrix that is wrong.
    Raises: NotFoundError: no finding can be proved on chain; says why for each.
    """
    proofs, reasons = [], []
    for finding in report.findings:
        try:
            proofs.append(_prove(record, finding, shown or {}))
        except NotFoundError as error:
            reasons.append(error.message)
    if not proofs:
        raise NotFoundError("; ".join(reasons) or "the replay found nothing to prove")
    return min(proofs, key=lambda proof: proof.size_bytes)


def _prove(record: RoundRecord, finding: Finding, shown: Mapping[int, bytes]) -> Proof:
    provers: dict[str, Callable[[_Evidence], Proof]] = {
        "1": _prove_entry,
        "6": _prove_members,
        "7": _prove_aggregate,
        "8": _prove_matrix,
        "9": _prove_model,
        "11": _prove_aux,
    }
    if finding.clause not in provers or not finding.accuses or record.proposal is None:
        raise NotFoundError(f"the court has no proof for check ({finding.clause})")
    if record.homomorphic is not None and finding.clause in ("7", "8", "11"):
        raise NotFoundError("no court judges sums of encrypted updates: a replay shows what is wrong")
    claim = make_claim(record, record.proposal)
    return provers[finding.clause](_Evidence(record=record, claim=claim, shown=shown))


def make_claim(record: RoundRecord, proposal: spec.Proposal) -> Claim:
    """Return a round's proposal as proofs name it."""
    return Claim(
        round_id=record.round_id,
        proposal=proposal,
        segments_hash=record.segments_hash,
        included=record.included,
        excluded=spec.encode_exclusions(record.exclusions),
        aux=record.aux,
    )


def _require(vector: Int32Array | None, what: str) -> Int32Array:
    if vector is None:
        raise NotFoundError(f"the proposed {what} was not published: its leaves cannot be opened")
    return vector


def _prove_entry(evidence: _Evidence) -> Proof:
    """Only in root-only mode: elsewhere the ledger checks every signature itself."""
    listed, record = _read_list(evidence.record), evidence.record
    # Where the list does not rise nobody knows who signed it: the order comes first.
    fallen = (at for at, (a, b) in enumerate(itertools.pairwise(listed), start=1) if b.client <= a.client)
    unsigned = (at for at, entry in enumerate(listed) if find_wrong_signature(record, entry))
    wrong = next(itertools.chain(fallen, unsigned), None)
    if wrong is None:
        raise NotFoundError("every entry of the list of commitments is valid")
    return list_disputes.prove_wrong_entry(evidence.claim, listed, wrong)


def _read_list(record: RoundRecord) -> list[spec.SignedMember]:
    """Return the entries of a round's list, rising or not. Raises: NotFoundError: it is not the one posted."""
    found = record.signed_list.data if record.signed_list else None
    data = bytes(found or b"")
    if not data or len(data) % _SIGNED_BYTES:
        raise NotFoundError("there is no list of commitments whose entries could be opened")
    listed = [spec.decode_signed_list(data[at : at + _SIGNED_BYTES])[0] for at in range(0, len(data), _SIGNED_BYTES)]
    root = spec.compute_list_root(data)
    if spec.compute_segments_hash(spec.ZERO_DIGEST, root, len(listed)) != record.segments_hash:
        raise NotFoundError("the list of commitments is not the one whose root was posted: it cannot be opened")
    return listed


def _prove_members(evidence: _Evidence) -> Proof:
    is_listed = spec.compute_members_root(evidence.members) == evidence.claim.proposal.members_root
    counts = (len(evidence.members), len(evidence.record.members))
    if is_listed and counts == (evidence.claim.included, evidence.claim.proposal.committed):
        raise NotFoundError("the proposal in the event is not the one the contract stored: read from another node")
    return list_disputes.prove_members(evidence.claim, evidence.record.segments)


def _prove_aux(evidence: _Evidence) -> Proof:
    if evidence.record.task.degree:
        return _prove_unmasking(evidence, None)
    if evidence.record.task.rule in _BY_DISTANCE:
        return _prove_distances(evidence)
    if evidence.record.task.rule is not spec.Rule.WEIGHTED_MEAN:
        raise NotFoundError(f"the court cannot judge what {_name(evidence.record.task)} posts")
    weights, task = evidence.weights, evidence.record.task
    if len(evidence.claim.aux) != len(spec.encode_weights(weights)):
        return disputes.prove_weight(evidence.claim, task, 0)
    posted = spec.decode_weights(evidence.claim.aux, count=len(weights))
    slot = next(slot for slot, weight in enumerate(weights) if posted[slot] != weight)
    path = disputes.encode_member(evidence.members, slot)
    return disputes.prove_weight(evidence.claim, task, slot, update=evidence.updates[slot], members=path)


def _prove_distances(evidence: _Evidence) -> Proof:
    if len(evidence.claim.aux) != len(make_aux_by_spec(evidence.record.task.rule_params(), evidence.rows, [])):
        return _to_proof(krum_disputes.prove_aux_length(evidence.claim, evidence.claim.aux))
    raise NotFoundError("a wrong distance is disputed in a game, not proved in one transaction")


def make_krum_evidence(record: RoundRecord, proposal: spec.Proposal) -> krum_disputes.Evidence:
    """Return what a game about a posted distance is played with.

    Raises: what the judgement of an update that is missing or broken raises.
    """
    found = _Evidence(record=record, claim=make_claim(record, proposal))
    return krum_disputes.Evidence(task=record.task, updates=found.updates, members=found.members, aux=record.aux)


def _to_proof(move: krum_disputes.Move) -> Proof:
    return Proof(function=move.function, arguments=move.arguments, court="krum_court")


def _name(task: spec.Task) -> str:
    return task.rule.name.lower()


def _prove_aggregate(evidence: _Evidence) -> Proof:
    """A column when the proposed matrix and weights are the true ones, else every client's own update: dearer."""
    task, claim, aggregate = evidence.record.task, evidence.claim, evidence.aggregate
    if task.degree:
        return _prove_unmasking(evidence, aggregate)
    if evidence.record.masking:
        raise NotFoundError("no court judges a rule over the means of masked groups: a replay shows what is wrong")
    params, rows, weights = evidence.params, evidence.rows, evidence.weights
    honest = aggregate_by_spec(params, rows, weights)
    coordinate = int(np.flatnonzero(honest != aggregate)[0])
    if task.rule in _BY_DISTANCE:
        return _prove_selection(evidence, coordinate)
    if task.rule is spec.Rule.COMPOSED and make_aux_by_spec(params, rows, weights) != claim.aux:
        raise NotFoundError("no court judges whom a composed rule chooses: a replay shows it")
    if task.rule is spec.Rule.COMPOSED and not claim.aux:
        raise NotFoundError("no court judges this composed rule: a replay shows what is wrong")
    matrix_root = spec.compute_matrix_root([row.tolist() for row in rows], task.matrix_log2)
    is_matrix_true = matrix_root == claim.proposal.matrix_root
    if not is_matrix_true or make_aux_by_spec(params, rows, weights) != claim.aux:
        return disputes.prove_direct(claim, task, coordinate, updates=evidence.updates, aggregate=aggregate)
    opening = disputes.encode_matrix_opening(rows, task.matrix_log2, coordinate)
    if task.rule in (spec.Rule.WEIGHTED_MEAN, spec.Rule.COMPOSED):
        return disputes.prove_weighted_column(claim, task, coordinate, matrix=opening, aggregate=aggregate)
    column = [int(row[coordinate]) for row in rows]
    return disputes.prove_column(claim, task, coordinate, matrix=opening, column=column, aggregate=aggregate)


def _prove_unmasking(evidence: _Evidence, aggregate: Int32Array | None) -> Proof:
    proof = unmask_disputes.find_fault(evidence.masked, aggregate)
    if proof is None:
        raise NotFoundError("the seeds revealed and the unmasked sum are the right ones")
    return proof


def _prove_selection(evidence: _Evidence, coordinate: int) -> Proof:
    """Of true distances the choice follows, and of a true matrix the mean of the chosen."""
    record, claim = evidence.record, evidence.claim
    if make_aux_by_spec(record.task.rule_params(), evidence.rows, []) != claim.aux:
        raise NotFoundError("the posted distances are wrong: dispute one of them first")
    krum = make_krum_evidence(record, claim.proposal)
    return _to_proof(krum_disputes.prove_selection_column(claim, krum, coordinate, aggregate=evidence.aggregate))


def _prove_matrix(evidence: _Evidence) -> Proof:
    """Of the leaves that were shown, the first that holds another value than a client's update."""
    if evidence.record.masking:
        raise NotFoundError("no court opens the updates of masked groups: a replay shows that the matrix is wrong")
    task, rows = evidence.record.task, evidence.rows
    width = 1 << task.matrix_log2
    for leaf, opening in sorted(evidence.shown.items()):
        honest = np.stack([row[leaf * width : (leaf + 1) * width] for row in rows], axis=1).astype("<i4").reshape(-1)
        different = np.flatnonzero(np.frombuffer(opening[: honest.nbytes], dtype="<i4") != honest)
        if len(different):
            offset, slot = divmod(int(different[0]), len(rows))
            if task.degree:
                coordinate = leaf * width + offset
                return unmask_disputes.prove_masked_transpose(evidence.masked, coordinate, slot, matrix=opening)
            return disputes.prove_transpose(
                evidence.claim,
                task,
                leaf * width + offset,
                slot,
                matrix=opening,
                update=evidence.updates[slot],
                members=disputes.encode_member(evidence.members, slot),
            )
    raise NotFoundError("no leaf of the proposed matrix has been shown that is wrong: demand one")


def _prove_model(evidence: _Evidence) -> Proof:
    record, aggregate = evidence.record, evidence.aggregate
    base = _require(decode_published(record, record.base, record.base_model), "base model")
    model = _require(decode_published(record, record.model, evidence.claim.proposal.model_root), "model")
    honest = np.array(spec.apply_model_step(base.tolist(), aggregate.tolist()), dtype=np.int32)
    coordinate = int(np.flatnonzero(honest != model)[0])
    return disputes.prove_model_step(
        evidence.claim, record.task, coordinate, base=base, aggregate=aggregate, model=model
    )
