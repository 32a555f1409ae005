"""Check (12): the task's terms are known, and its validation rejects exactly those whom it says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ledger import aggregation, errors, spec
from ledger.audit.notes import Notes, make_gap
from ledger.audit.published import decode_published
from ledger.errors import FedtrailError
from ledger.layout import KNOWN_TERMS
from ledger.records import Fetched, RoundRecord
from ledger.spec.audience import decode_audience
from ledger.spec.homomorphic import decode_homomorphic
from ledger.spec.masking import decode_masking
from ledger.spec.narrow import decode_narrow
from ledger.spec.noise import decode_noise

Update = NDArray[np.int32]
JudgeCohort = Callable[[spec.Validation, Sequence[Update], Sequence[int], Update | None], spec.Rejections]
_UNAVAILABLE = 801
_READERS: Mapping[str, Callable[[str], object]] = {
    "audience": decode_audience,
    "coordinates": decode_narrow,
    "homomorphic": decode_homomorphic,
    "masking": decode_masking,
    "noise": decode_noise,
    "validation": lambda text: spec.decode_validation(text.encode("ascii")),
}
"""What reads each of KNOWN_TERMS."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What binds a round beside its rule, as far as it is known."""

    is_known: bool
    """Whether every term of the task can be judged here."""
    validation: spec.Validation | None = None
    """How updates are compared with each other; None where the task asks for nothing."""

    def may_exclude(self, reason: int) -> bool:
        """Return whether an update that is valid by itself may be excluded for a reason."""
        if not self.is_known:
            return reason != _UNAVAILABLE  # a term that nobody can read may say so: no accusation
        return self.validation is not None and reason in spec.REASONS


def read_validation(record: RoundRecord) -> spec.Validation | None:
    """Return the validation of a round's task; None where it has none.

    Raises: Unavailable: the layout, which would say so, is not there. UnknownTerm: nobody can judge by it.
    """
    if record.layout is None:
        layout = Fetched(cid=f"of sha256 {record.task.layout_digest.hex()}", data=None)
        raise make_gap(layout, "the layout with the terms of the task", record)
    for name, said in record.layout.terms:
        _read_term(record, name, said)
    masking = record.layout.term("masking")
    if masking is not None and decode_masking(masking).is_grouped and record.task.rule is not spec.Rule.COMPOSED:
        raise _unknown(record, "masking", "only composed rules are about the means of groups")
    if record.degree and record.layout.term("audience") is not None:
        raise _unknown(record, "audience", "updates under masks are not sealed")
    if record.degree and record.layout.term("coordinates") is not None:
        raise _unknown(record, "coordinates", "words under masks take all 32 bits")
    text, encrypted = record.layout.term("validation"), record.layout.term("homomorphic")
    if encrypted is not None and (record.homomorphic is None or {"audience", "masking"} & {*dict(record.layout.terms)}):
        raise _unknown(record, "homomorphic", "encrypted updates are summed, and neither masked nor sealed")
    if text is None:
        return None
    if encrypted is not None:
        raise _unknown(record, "validation", "encrypted updates cannot be compared")
    if record.degree:
        raise _unknown(record, "validation", "updates under masks cannot be compared")
    return spec.decode_validation(text.encode("ascii"))


def _read_term(record: RoundRecord, name: str, text: str) -> None:
    if name not in KNOWN_TERMS:
        raise _unknown(record, name, "this version does not know it")
    try:
        _READERS.get(name, str)(text)
    except spec.SpecError as error:
        raise _unknown(record, name, error.message) from error


def _unknown(record: RoundRecord, term: str, why: str) -> errors.UnknownTerm:
    return errors.UnknownTerm(round_id=record.number, term=term, why=why)


def judge_cohort(
    record: RoundRecord, updates: Mapping[int, Update], judge: JudgeCohort | None = None
) -> spec.Rejections:
    """Return whose updates the task's validation rejects, and why.

    Aggregators call this to decide whom to exclude, auditors to check that decision.

    Args: updates: by client, each valid by itself. judge: the specification; None for the fast path.
    Raises: Unavailable, UnknownTerm: it cannot be told.
    """
    validation = read_validation(record)
    if validation is None:
        return {}
    clients = sorted(updates)
    judge = judge or aggregation.judge_cohort
    return judge(validation, [updates[c] for c in clients], clients, _read_previous(record, validation))


def judge_by_spec(
    validation: spec.Validation, updates: Sequence[Update], clients: Sequence[int], previous: Update | None
) -> spec.Rejections:
    """Return spec.judge_cohort of arrays int32[d]: the one that accuses."""
    before = None if previous is None else previous.tolist()
    return spec.judge_cohort(validation, [update.tolist() for update in updates], clients, before)


def _read_previous(record: RoundRecord, validation: spec.Validation) -> Update | None:
    """Return the aggregate that the task's last finalised round ended with, where the validation needs it."""
    if validation.stale is None or not record.previous_round:
        return None
    values = decode_published(record, record.previous_aggregate, record.previous_root)
    if values is None:
        gone = Fetched(cid=record.previous_aggregate.cid, data=None)
        raise make_gap(gone, f"the aggregate of round {record.previous_round} of the ledger", record)
    return values


def read_terms(notes: Notes) -> Terms:
    """Return what binds the round; note what cannot be judged."""
    try:
        return Terms(is_known=True, validation=read_validation(notes.record))
    except errors.EvidenceError as gap:
        notes.add("12", gap)
        return Terms(is_known=False)


def check_cohort(notes: Notes, entries: Mapping[int, spec.ManifestEntry], updates: Mapping[int, Update]) -> None:
    """Note who was rejected, and who wrongly or not.

    Args: entries: of the manifest, by client. updates: valid by themselves, of clients that are included or excluded
    for a reason of validations.
    """
    stated = {client: each.reason for client, each in entries.items() if not each.reason or each.reason in spec.REASONS}
    if stated.keys() != updates.keys():
        return  # an update is missing or broken, which is a finding already: nobody knows what the others compare with
    try:
        found = judge_cohort(notes.record, updates)
        if any(stated[client] != _code_of(found.get(client)) for client in stated):
            found = judge_cohort(notes.record, updates, judge_by_spec)
    except errors.EvidenceError as gap:
        notes.add("12", gap)
        return
    notes.rejections.extend(found.values())
    for client, reason in stated.items():
        if reason != _code_of(rejection := found.get(client)):
            got, want = f"FT{reason}" if reason else "included", str(rejection or "within all limits")
            wrong = errors.WrongExclusion(round_id=notes.record.number, client=client, got=got, want=want)
            notes.add("12", wrong, notes.record.aggregator)


def _code_of(error: FedtrailError | None) -> int:
    return int(error.code.removeprefix("FT")) if error else 0
