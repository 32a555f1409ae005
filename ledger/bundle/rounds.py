"""The rounds in a bundle, replayed from its blobs over what its events tell: checks (7) to (11)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ledger import errors, spec
from ledger.audit import replay
from ledger.bundle.container import Container
from ledger.bundle.format import BLOBS, SEALED, Level, Manifest
from ledger.bundle.notes import Notes, RoundReport
from ledger.bundle.store import BundleStore
from ledger.errors import BrokenLineage
from ledger.history import load_round
from ledger.recorded_chain import RecordedChain
from ledger.records import AuditReport, Grade, RoundRecord, Verdict

CHECK_OF_CLAUSE: Mapping[str, str] = {
    **dict.fromkeys(("1", "4"), "commitments"),
    **dict.fromkeys(("2", "3", "5", "6", "12"), "membership"),
    **dict.fromkeys(("7", "8", "9", "11", "13"), "replay"),
    "10": "lineage",
}
"""Which check of a bundle each clause of a replay belongs to."""
VOIDED = "voided"
_MEMBERS, _AGGREGATES = "membership", "replay"


def check_blobs(container: Container, store: BundleStore, notes: Notes, *, with_sealed: bool) -> None:
    """Check (7): every blob is what its name says."""
    folders = (BLOBS, SEALED) if with_sealed else (BLOBS,)
    names = [name for name in container.entries if name.startswith(folders)]
    for name in names:
        with notes.guard("blobs"):
            store.verify(name)
    sealed = 0 if with_sealed else sum(name.startswith(SEALED) for name in container.entries)
    notes.finish("blobs", f"{len(names)}/{len(names)} intact" + (f", {sealed} sealed" if sealed else ""))


def check_rounds(recorded: RecordedChain, store: BundleStore, manifest: Manifest, notes: Notes) -> None:
    """Checks (8) to (11): one round in memory at a time."""
    round_ids = [
        event.args["round_id"]
        for task_id in manifest.tasks
        for event in recorded.events(names=("RoundOpened",), task_id=task_id)
    ]
    is_sealed = manifest.recipient is not None and not store.has_key
    where = "sealed" if is_sealed else "not in the bundle"
    where = where if manifest.level is Level.AUDITOR else f"withheld at level {manifest.level}, or missing"
    for round_id in sorted(round_ids):
        with notes.guard("commitments"):
            notes.rounds.append(_check_round(load_round(recorded, store, round_id), where, notes))
    whole = sum(each.verdict in (Verdict.PASS, Verdict.NOTHING, VOIDED) for each in notes.rounds)
    for check in dict.fromkeys(CHECK_OF_CLAUSE.values()):
        notes.finish(check, f"{len(round_ids)} rounds")
    notes.finish("replay", f"{whole}/{len(round_ids)} rounds")
    with notes.guard("lineage"):
        _check_voided(recorded, notes)


def _check_round(record: RoundRecord, where: str, notes: Notes) -> RoundReport:
    is_voided = record.phase is spec.Phase.VOIDED
    if is_voided:  # a court struck its proposal: nothing of it stands, and nothing of it is judged again
        record = replace(record, proposal=None, exclusions=(), data_id=spec.ZERO_DIGEST)
    report = replay(record)
    for finding in report.findings:
        if finding.accuses:
            check = CHECK_OF_CLAUSE[finding.clause]
            notes.add(check, finding.error, round_id=record.round_id, participant=finding.participant)
    _note_gaps(record, report, where, notes)
    verdict = VOIDED if is_voided and report.verdict is Verdict.NOTHING else report.verdict.value
    return RoundReport(
        round_id=record.round_id, verdict=verdict, grade=Grade.ATTESTED if verdict == VOIDED else report.grade
    )


def _note_gaps(record: RoundRecord, report: AuditReport, where: str, notes: Notes) -> None:
    """Say once that a round could not be checked wholly, and which checks that leaves open."""
    gaps = [finding for finding in report.findings if not finding.accuses]
    if gaps:
        blobs = "a blob is" if len(gaps) == 1 else f"{len(gaps)} blobs are"
        what = f"round {record.round_id} cannot be replayed: {blobs} {where}"
        error: errors.EvidenceError = errors.Unavailable(what, round_id=record.round_id)
        telling = (errors.UnknownTerm, errors.NotAReader)
        error = next((gap.error for gap in gaps if isinstance(gap.error, telling)), error)
        notes.add(CHECK_OF_CLAUSE["1"], error, round_id=record.round_id)
        notes.leave_open(*(CHECK_OF_CLAUSE[finding.clause] for finding in gaps))
    if record.proposal is not None and not any(report.aggregate_root):
        notes.leave_open(_MEMBERS, _AGGREGATES)


def _check_voided(recorded: RecordedChain, notes: Notes) -> None:
    """A struck proposal is no part of a task's history: no finalised round is voided, before or after."""
    voided = {event.args["round_id"] for event in recorded.events(names=("Voided",))}
    for event in recorded.events(names=("Finalised",)):
        if (round_id := event.args["round_id"]) in voided:
            raise BrokenLineage(f"round {round_id} was voided and finalised", round_id=round_id)
