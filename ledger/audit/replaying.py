"""One round, judged: the checks in their order, the verdict and the grade."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ledger import aggregation, commitments, errors, spec
from ledger.audit.aggregates import Aggregate, MakeAux, check_aggregate, is_whole
from ledger.audit.completeness import check_completeness, check_manifest
from ledger.audit.decryption import check_decryption
from ledger.audit.notes import Notes
from ledger.audit.updates import Included, check_updates
from ledger.records import AuditReport, Finding, Grade, OnProgress, RoundRecord, Verdict, ignore_progress


def replay(
    record: RoundRecord,
    aggregate: Aggregate = aggregation.aggregate,
    make_aux: MakeAux = aggregation.compute_aux,
    *,
    on_progress: OnProgress = ignore_progress,
) -> AuditReport:
    """Return what can be established about a round.

    (1) The commitments in the events are all that the contract counted, and hash to its rolling hash. In root-only
        mode: the list is the one that the root is of, and its clients signed it.
    (2) The manifest is the one that the proposal names, and lists every committed client once.
    (3) The exclusions on the chain are those of the manifest.
    (4) Every included update decodes, belongs to this client and round, and is what the client committed.
    (5) Every excluded update was published, signed, and is broken for the stated reason.
    (6) The included clients are the members that the proposal names, and the contract stored that proposal.
    (7) The rule over the included updates yields the proposed aggregate.
    (8) The included updates, transposed, yield the proposed matrix root.
    (9) Base model plus aggregate yields the proposed model.
    (10) The base model is the one that the last finalised round ended with, and a finalised round's proposal is the
        next link of the task's hash chain.
    (11) What the proposal carries for its rule (weights, distances) is what the included updates yield.
    (12) The terms of the task are known, and its validation, compared update by update, rejects exactly those whom it
        says.
    (13) Of a homomorphic round: the listed updates are encrypted under one key, that of their authors, and each
        decryption share is signed by its client and comes from the key share that the client committed to.

    Args: record: from `history.load_round`. aggregate, make_aux: fast paths equal to spec, or spec itself; when one
        differs from the chain, spec computes again and only that accuses. on_progress: told of updates and steps.
    """
    notes = Notes(record, say=on_progress)
    is_listed = check_completeness(notes)
    if is_listed and record.proposal is None and record.share_list is not None:
        check_decryption(notes)  # the round failed: a wrong decryption share may be why
    if not is_listed or (not any(record.data_id) and not record.exclusions):
        return _report(notes, Included(), None)
    manifest = check_manifest(notes)
    included = check_updates(notes, manifest) if manifest else Included()
    result = None
    if record.proposal is not None and manifest and is_whole(notes, included):
        result = check_aggregate(notes, record.proposal, included, aggregate, make_aux)
    _check_lineage(notes)
    return _report(notes, included, result)


def read_included(record: RoundRecord) -> Included:
    """Return the updates that a round's manifest includes, as far as they are there and what was committed."""
    notes = Notes(record)
    manifest = check_manifest(notes)
    return check_updates(notes, manifest) if manifest else Included()


def _report(notes: Notes, included: Included, result: NDArray[np.int32] | None) -> AuditReport:
    record, findings = notes.record, sorted(notes.findings, key=lambda f: not f.accuses)
    root = spec.ZERO_DIGEST if result is None else commitments.compute_vector_root(result, record.task.model_log2)
    return AuditReport(
        round_id=record.round_id,
        number=record.number,
        verdict=(verdict := _verdict(findings, record)),
        grade=_grade(verdict, notes.attested),
        included=len(included.members),
        committed=record.committed,
        attested=tuple(notes.attested),
        findings=tuple(findings),
        aggregate_root=root,
        rejections=tuple(notes.rejections),
    )


def _verdict(findings: Sequence[Finding], record: RoundRecord) -> Verdict:
    if any(finding.accuses for finding in findings):
        return Verdict.FAIL
    if findings:
        return Verdict.INCOMPLETE
    return Verdict.PASS if record.proposal is not None else Verdict.NOTHING


def _grade(verdict: Verdict, attested: Sequence[str]) -> Grade:
    if verdict is Verdict.INCOMPLETE:
        return Grade.MISSING
    return Grade.ATTESTED if attested else Grade.PROVEN


def _check_lineage(notes: Notes) -> None:
    """(10)"""
    record = notes.record
    if record.base_model != record.previous_model:
        got, want = record.base_model.hex(), record.previous_model.hex()
        notes.add("10", errors.BrokenLineage(round_id=record.number, got=got, want=want))
    link = spec.compute_head(record.previous_head, record.round_id, record.proposal_hash)
    if any(record.head) and link != record.head:
        what = f"head of the task's hash chain after round {record.number}"
        notes.add("10", errors.WrongRoot(what=what, got=link.hex(), want=record.head.hex()))


def iter_messages(report: AuditReport) -> Iterator[str]:
    """Yield a report's findings and attested facts, one line each, for people."""
    for finding in report.findings:
        yield f"({finding.clause}) {finding.error}"
    yield from report.attested
