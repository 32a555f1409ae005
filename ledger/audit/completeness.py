"""Checks (1) to (3): who committed, and what manifest and exclusions say about them."""

from __future__ import annotations

from collections.abc import Sequence

from ledger import commitments, errors, spec
from ledger.audit.notes import Notes, make_gap
from ledger.errors import FedtrailError
from ledger.records import Fetched, RoundRecord
from ledger.signing import recover


def check_completeness(notes: Notes) -> bool:
    """Check (1); return whether it is known who committed what."""
    record = notes.record
    if record.signed_list is not None:
        return _check_list(notes, record.signed_list)
    rolling = spec.ZERO_DIGEST
    for segment in record.segments:
        root = commitments.compute_segment_root([member for member in segment if isinstance(member, spec.Member)])
        rolling = commitments.compute_segments_hash(rolling, root, len(segment))
    is_counted = record.task.mode is not spec.CommitMode.ACCUMULATED
    is_wrong = any(record.segments_hash) and rolling != record.segments_hash
    if is_wrong or (is_counted and len(record.members) != record.committed):
        want, got = f"{record.committed}", f"{len(record.members)}"
        if want == got:
            want, got = record.segments_hash.hex(), rolling.hex()
        notes.add("1", errors.Incomplete(want=want, got=got, what="commitments", round_id=record.number))
    return True


def _check_list(notes: Notes, fetched: Fetched) -> bool:
    """(1) in root-only mode, where the aggregator answers for the list and every entry of it."""
    record = notes.record
    if fetched.data is None:
        notes.add("1", make_gap(fetched, "list of commitments", record))
        return False
    data = bytes(fetched.data)
    try:
        listed = spec.decode_signed_list(data)
        root = spec.compute_list_root(data)
        rolling = commitments.compute_segments_hash(spec.ZERO_DIGEST, root, len(listed))
        if any(record.segments_hash) and rolling != record.segments_hash:
            what = f"round {record.number}, list of commitments"
            raise errors.WrongRoot(what=what, got=rolling.hex(), want=record.segments_hash.hex())
    except FedtrailError as error:
        notes.add("1", error, record.aggregator)
        return False
    for entry in listed:
        if wrong := find_wrong_signature(record, entry):
            notes.add("1", wrong, record.aggregator)
    return True


def find_wrong_signature(record: RoundRecord, entry: spec.SignedMember) -> errors.WrongSigner | None:
    """Return what is wrong with the signature of an entry of a round's list; None when the ledger would take it."""
    digest = commitments.compute_commitment_digest(
        domain_separator=record.domain_separator,
        round_id=record.round_id,
        client=entry.client,
        commitment=entry.commitment,
    )
    got, want = recover(digest, entry.signature), record.signers.get(entry.client)
    if got == want and any(entry.commitment):
        return None
    signer = "0x" + want.hex() if want else "no key: it was no active client"
    return errors.WrongSigner(got="0x" + got.hex(), client=entry.client, want=signer)


def check_manifest(notes: Notes) -> spec.Manifest | None:
    """Check (2) and (3); return the manifest if it can be relied on."""
    record = notes.record
    if record.manifest.data is None:
        # A block that is corrupt here is this store's fault: nobody is named.
        notes.add("2", make_gap(record.manifest, "manifest", record))
        return None
    try:
        manifest = spec.decode_manifest(record.manifest.data)
        _verify_manifest(manifest, record)
    except FedtrailError as error:
        notes.add("2", error, record.aggregator)
        return None
    stated = tuple((e.client, e.reason) for e in manifest.entries if e.reason)
    if stated != record.exclusions:
        got, want = _reasons(record.exclusions), _reasons(stated)
        notes.add("3", errors.WrongExclusion(round_id=record.number, client="any", got=got, want=want))
    return manifest


def _verify_manifest(manifest: spec.Manifest, record: RoundRecord) -> None:
    if manifest.domain_separator != record.domain_separator:
        raise errors.WrongDomain(got=manifest.domain_separator.hex(), want=record.domain_separator.hex())
    if manifest.round_id != record.round_id:
        raise errors.WrongRound(got=manifest.round_id, want=record.round_id)
    listed, committed = {e.client for e in manifest.entries}, {m.client for m in record.members}
    if listed != committed:
        client = min(listed ^ committed)
        got, want = ("not listed", "committed") if client in committed else ("listed", "never committed")
        raise errors.WrongExclusion(round_id=record.number, client=client, got=got, want=want)


def _reasons(exclusions: Sequence[tuple[int, int]]) -> str:
    return ", ".join(f"{client}: FT{reason}" for client, reason in exclusions) or "none excluded"
