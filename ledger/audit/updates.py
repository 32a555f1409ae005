"""Checks (4) and (5): what every client published, and whether it was left out for a true reason."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ledger import commitments, errors, spec
from ledger.audit.cohorts import check_cohort, read_terms
from ledger.audit.decryption import UNDECRYPTED, judge_encrypted
from ledger.audit.notes import Notes, make_gap
from ledger.errors import FedtrailError
from ledger.records import Fetched, RoundRecord
from ledger.signing import recover
from ledger.spec.homomorphic import EncryptedUpdate
from ledger.spec.masking import TERM as MASKING

_UNAVAILABLE = 801
_CLOSED = 804
_TAMPERED = 701


@dataclass(frozen=True, slots=True)
class Included:
    """The updates that the aggregate must be made of, in rising client id."""

    members: list[spec.Member] = field(default_factory=list)
    values: list[NDArray[np.int32]] = field(default_factory=list)
    weights: list[int] = field(default_factory=list)
    tables: dict[int, tuple[spec.SeedLine, ...]] = field(default_factory=dict)
    """Seed table by client, in a masked task."""
    encrypted: dict[int, EncryptedUpdate] = field(default_factory=dict)
    """Encrypted updates by client, in a homomorphic task; it has no values."""


def _expectation(record: RoundRecord, client: int) -> spec.Expectation:
    return spec.Expectation(
        kind=record.update_kind,
        domain_separator=record.domain_separator,
        round_id=record.round_id,
        client=client,
        size=record.task.size,
        scale_bits=record.task.scale_bits,
        leaf_log2=record.task.leaf_log2,
        degree=record.degree,
    )


def judge_update(
    record: RoundRecord, member: spec.Member, fetched: Fetched
) -> tuple[spec.VectorBlob, NDArray[np.int32]]:
    """Return a client's update if it is what the client committed to and the task allows: check (4).

    Aggregators call this to decide whom to exclude, auditors to check that decision.

    Raises: Unavailable; WrongRoot: other bytes than committed; every SpecError of `spec.decode_update`.
    """
    if fetched.data is None:
        if isinstance(fetched.problem, errors.BlobCorrupt):
            raise _tampered(record, member, fetched.problem)
        raise make_gap(fetched, f"update of client {member.client}", record)
    want = _expectation(record, member.client)
    blob, values = commitments.decode_update(fetched.data, want=want, bound=record.task.bound)
    root = commitments.compute_vector_root(values, record.task.leaf_log2)
    if record.degree:
        root = spec.compute_masked_root(root, spec.compute_seeds_root(read_seed_table(record, blob)))
    got = spec.compute_commitment(
        domain_separator=record.domain_separator,
        round_id=record.round_id,
        client=member.client,
        num_examples=blob.header.num_examples,
        root=root,
    )
    if got != member.commitment:
        what = f"round {record.number}, client {member.client}"
        raise errors.WrongRoot(what=what, got=got.hex(), want=member.commitment.hex())
    return blob, values


def read_seed_table(record: RoundRecord, blob: spec.VectorBlob) -> tuple[spec.SeedLine, ...]:
    """Return the seeds that an update of a masked task says it is masked with; nothing in any other task.

    Raises: WrongLength, NotCanonical: no such table, or one with peers outside of the client's group.
    """
    if not record.degree:
        return ()
    owner = blob.header.client
    table = tuple(spec.decode_seed_table(blob.seed_table, owner=owner, degree=record.degree))
    if record.groups:
        spec.verify_peers(owner, table, record.groups)
    return table


def _tampered(record: RoundRecord, member: spec.Member, problem: errors.BlobCorrupt) -> errors.WrongRoot:
    return errors.WrongRoot(
        what=f"round {record.number}, client {member.client}, block {problem.detail['cid']}",
        got=str(problem.detail["got"]),
        want=member.commitment.hex(),
    )


def check_updates(notes: Notes, manifest: spec.Manifest) -> Included:
    """Check (4), (5) and (12), client by client in rising id; return what the aggregate must be made of."""
    record, included, terms = notes.record, Included(), read_terms(notes)
    entries = {entry.client: entry for entry in manifest.entries}
    compared: dict[int, NDArray[np.int32]] = {}
    if not terms.is_known and _may_be_masked(record):
        return included
    for done, member in enumerate(record.members):
        notes.say(done, len(record.members), f"update of client {member.client}")
        entry, fetched = entries[member.client], record.updates[member.client]
        try:
            if record.homomorphic is not None:
                _take_encrypted(notes, included, member, entry)
                continue
            blob, values = judge_update(record, member, fetched)
        except FedtrailError as error:
            _check_broken(notes, entry, error, is_known=terms.is_known)
            continue
        if entry.reason and not terms.may_exclude(entry.reason):
            _check_wrongly_excluded(notes, entry)
            continue
        compared[member.client] = values
        if entry.reason:
            continue
        included.members.append(member)
        included.values.append(values)
        included.weights.append(record.compute_weight(member.client, blob.header.num_examples))
        included.tables[member.client] = read_seed_table(record, blob)
    if terms.validation is not None:
        check_cohort(notes, entries, compared)
    return included


def _take_encrypted(notes: Notes, included: Included, member: spec.Member, entry: spec.ManifestEntry) -> None:
    """Raises: as `judge_encrypted`."""
    update = judge_encrypted(notes.record, member, notes.record.updates[member.client])
    if entry.reason == UNDECRYPTED and notes.record.proposal is None:
        notes.attest(f"client {entry.client} was left out because the sum was not decrypted (the aggregator's word)")
        return
    if entry.reason:
        _check_wrongly_excluded(notes, entry)
        return
    included.members.append(member)
    included.weights.append(1)
    included.encrypted[member.client] = update


def _may_be_masked(record: RoundRecord) -> bool:
    """Whether nobody can tell if updates are masked, in a round some of whose terms are not known."""
    is_silent = record.layout is None or record.layout.term(MASKING) is not None
    return record.task.rule is spec.Rule.COMPOSED and record.masking is None and is_silent


def reason_of(error: FedtrailError) -> int:
    """Return the number of an error's FT code: the reason of an exclusion."""
    return int(error.code.removeprefix("FT"))


def _check_broken(notes: Notes, entry: spec.ManifestEntry, error: FedtrailError, *, is_known: bool) -> None:
    """(4) when the update is included, (5) when it is excluded. Args: is_known: whether all terms of the task are."""
    record, found = notes.record, reason_of(error)
    if not entry.reason and found in (_UNAVAILABLE, _CLOSED, _TAMPERED):
        # A blob that is not there, or not what was committed: it is the client's update, whoever changed it.
        notes.add("4", error, entry.client)
    elif entry.reason == _UNAVAILABLE:
        whose = "the aggregator's" if record.task.board == spec.NO_BOARD else "its attestors'"
        notes.attest(f"client {entry.client} was excluded because its update was unavailable ({whose} word)")
    elif entry.reason and isinstance(
        record.updates[entry.client].problem, errors.BlobCorrupt | errors.EvidenceError | errors.ChainError
    ):
        notes.add("5", error, entry.client)
    elif not is_known:
        return  # a term that nobody can read may say that updates look otherwise: no accusation
    elif not entry.reason:
        notes.add("4", _wrong_exclusion(record, entry, "included", error.code), record.aggregator)
    elif not is_published(record, entry.client, entry.content, entry.signature):
        wrong = _wrong_exclusion(record, entry, f"FT{entry.reason}", "never signed as published")
        notes.add("5", wrong, record.aggregator)
    elif found != entry.reason:
        notes.add("5", _wrong_exclusion(record, entry, f"FT{entry.reason}", error.code), record.aggregator)


def _check_wrongly_excluded(notes: Notes, entry: spec.ManifestEntry) -> None:
    """(5) when the excluded update is fine."""
    if entry.reason == _UNAVAILABLE:
        notes.attest(f"client {entry.client} was excluded as unavailable; its update is available now")
    else:
        notes.add("5", _wrong_exclusion(notes.record, entry, f"FT{entry.reason}", "valid"), notes.record.aggregator)


def _wrong_exclusion(record: RoundRecord, entry: spec.ManifestEntry, got: str, want: str) -> FedtrailError:
    return errors.WrongExclusion(round_id=record.number, client=entry.client, got=got, want=want)


def is_published(record: RoundRecord, client: int, content: spec.ContentId | None, signature: bytes) -> bool:
    """Whether a client signed that its update is at a CID: without that, anybody could blame it for any bytes."""
    if content is None:
        return False
    digest = commitments.compute_publication_digest(
        domain_separator=record.domain_separator, round_id=record.round_id, client=client, content=content
    )
    return bool(recover(digest, signature) == record.signers.get(client))
