"""Checks of a homomorphic round: one key, the sum of the ciphertexts, everybody's decryption share (§14).

A fast path may compute; when it disagrees with the chain, or doubts a proof, `spec` computes again and only that
accuses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ledger import commitments, errors, spec
from ledger.aggregation import ciphertexts, lattice
from ledger.audit.notes import Notes, make_gap
from ledger.errors import FedtrailError
from ledger.records import Fetched, RoundRecord
from ledger.signing import recover
from ledger.spec import decryption
from ledger.spec.errors import WrongShare
from ledger.spec.homomorphic import (
    EncryptedUpdate,
    Parameters,
    choose_parameters,
    compute_encrypted_root,
    compute_sum_root,
    decode_encrypted_update,
)
from ledger.spec.shares import (
    DecryptionShare,
    ShareEntry,
    compute_decryption_digest,
    decode_decryption_share,
    decode_share_list,
)

UNDECRYPTED = 614
"""Reason of an update that is left out because the round's sum could not be decrypted: of an abandoned round alone."""


@dataclass(frozen=True, slots=True)
class EncryptedSum:
    """The sum of a round's ciphertexts."""

    params: Parameters
    """What it is encrypted with."""
    updates: Mapping[int, EncryptedUpdate]
    """Whose updates are in it, by participant."""
    total: lattice.Residues
    """The ciphertexts, transforms [2m, 14, N]."""

    @property
    def root(self) -> bytes:
        """What a proposal has in place of a matrix root."""
        return compute_sum_root(lattice.encode_polynomials(self.total))


def judge_encrypted(record: RoundRecord, member: spec.Member, fetched: Fetched) -> EncryptedUpdate:
    """Return a client's encrypted update if it is what the client committed to: check (4).

    Raises: Unavailable; WrongRoot: other bytes than committed; every SpecError of `decode_encrypted_update`.
    """
    if fetched.data is None:
        raise make_gap(fetched, f"update of client {member.client}", record)
    data, term = bytes(fetched.data), record.homomorphic
    update = decode_encrypted_update(
        data,
        domain_separator=record.domain_separator,
        round_id=record.round_id,
        client=member.client,
        roster=term.roster if term else (),
        size=record.task.size,
        bound=record.task.bound,
    )
    for part in (update.key_share, update.ciphertexts):
        lattice.decode_polynomials(part)  # a residue that is not below its prime is no residue
    got = spec.compute_commitment(
        domain_separator=record.domain_separator,
        round_id=record.round_id,
        client=member.client,
        num_examples=1,
        root=compute_encrypted_root(data),
    )
    if got != member.commitment:
        what = f"round {record.number}, client {member.client}"
        raise errors.WrongRoot(what=what, got=got.hex(), want=member.commitment.hex())
    return update


def add_updates(record: RoundRecord, updates: Mapping[int, EncryptedUpdate]) -> EncryptedSum:
    """Return the sum of updates that are all encrypted under one key, that of their authors.

    Raises: WrongDecryption: they are not, or there are too few of them.
    """
    held = {client: update.holders for client, update in updates.items()}
    for client, holders in held.items():
        if [holder for holder, _ in holders] != sorted(updates):
            raise _wrong(record, f"client {client} encrypts for {[h for h, _ in holders]}, added are {sorted(updates)}")
    if len(set(held.values())) != 1:
        raise _wrong(record, "the added updates are not encrypted under one key")
    params = choose_parameters(clients=len(updates), size=record.task.size, bound=record.task.bound)
    parts = [lattice.decode_polynomials(updates[client].ciphertexts) for client in sorted(updates)]
    return EncryptedSum(params=params, updates=updates, total=ciphertexts.add_ciphertexts(parts))


def judge_share(record: RoundRecord, added: EncryptedSum, client: int, fetched: Fetched) -> DecryptionShare:
    """Return a client's decryption share if its proof holds: by the fast path, which may suspect.

    Raises: Unavailable: it is not there. SpecError: it is none; WrongShare: its proof does not hold.
    """
    share = _decode_share(record, added, client, fetched)
    key_share = added.updates[client].key_share
    ciphertexts.verify_share(added.params, share, key_share=key_share, total=added.total)
    return share


def _decode_share(record: RoundRecord, added: EncryptedSum, client: int, fetched: Fetched) -> DecryptionShare:
    if fetched.data is None:
        raise make_gap(fetched, f"decryption share of client {client}", record)
    return decode_decryption_share(
        bytes(fetched.data),
        added.params,
        domain_separator=record.domain_separator,
        round_id=record.round_id,
        client=client,
        sum_root=added.root,
    )


def decrypt(added: EncryptedSum, shares: Mapping[int, DecryptionShare]) -> NDArray[np.int32]:
    """Return the sum that everybody's shares decrypt, int32[d]; a value that a lie made too large wraps around."""
    decoded = [lattice.decode_polynomials(shares[client].share) for client in sorted(shares)]
    return ciphertexts.decrypt_sum(added.params, added.total, decoded).astype(np.int32)


def _wrong(record: RoundRecord, what: str) -> errors.WrongDecryption:
    return errors.WrongDecryption(round_id=record.number, what=what)


# ------------------------------------------------------------------------------------------------------------ checks


def check_decryption(notes: Notes) -> tuple[EncryptedSum, dict[int, DecryptionShare]] | None:
    """Check (13): return the sum and the shares that hold; None where the sum cannot be had.

    The list of shares is the one that the round's aggregator stated first. Whoever signed a share that is none is
    named; what is missing accuses nobody.
    """
    record = notes.record
    if record.share_list is None:
        if record.proposal is not None:
            wrong = _wrong(record, "a sum was proposed, and no list of decryption shares stated")
            notes.add("13", wrong, record.aggregator)
        return None
    added = _read_sum(notes, record.share_list)
    if added is None:
        return None
    entries = record.list_shares()
    silent = [entry.client for entry in entries if entry.share is None]
    if silent:
        notes.attest(f"clients {silent} sent no decryption share (the aggregator's word)")
    shares: dict[int, DecryptionShare] = {}
    for entry in entries:
        if entry.share is not None and (share := _check_share(notes, added, entry)) is not None:
            shares[entry.client] = share
    return added, shares


def _read_sum(notes: Notes, listed: Fetched) -> EncryptedSum | None:
    """Return the sum of the listed updates; note what is wrong with the list, or missing."""
    record = notes.record
    if listed.data is None:
        notes.add("13", make_gap(listed, "list of decryption shares", record))
        return None
    try:
        data, domain = bytes(listed.data), record.domain_separator
        entries = decode_share_list(data, domain_separator=domain, round_id=record.round_id).entries
        members = {member.client: member for member in record.members}
        if strangers := sorted({entry.client for entry in entries} - set(members)):
            raise _wrong(record, f"the list of decryption shares names {strangers}, who committed to nothing")
        added = {e.client: judge_encrypted(record, members[e.client], record.summed[e.client]) for e in entries}
        return add_updates(record, added)
    except (errors.EvidenceError, errors.ChainError) as gap:
        notes.add("13", gap)
    except FedtrailError as error:  # the aggregator lists what it must not add
        notes.add("13", error, record.aggregator)
    return None


def _check_share(notes: Notes, added: EncryptedSum, entry: ShareEntry) -> DecryptionShare | None:
    record, fetched = notes.record, notes.record.shares[entry.client]
    if not is_signed(record, entry):
        wrong = _wrong(record, f"client {entry.client} never signed the decryption share that is listed as its own")
        notes.add("13", wrong, record.aggregator)
        return None
    if fetched.data is None:
        # What a client signed for and nobody may read, being too long, is its own; a corrupt block is nobody's.
        author = entry.client if isinstance(fetched.problem, spec.SpecError) else None
        notes.add("13", make_gap(fetched, f"decryption share of client {entry.client}", record), author)
        return None
    try:
        return judge_share(record, added, entry.client, fetched)
    except spec.SpecError:
        return _judge_by_spec(notes, added, entry.client, fetched)


def _judge_by_spec(notes: Notes, added: EncryptedSum, client: int, fetched: Fetched) -> DecryptionShare | None:
    """Return the share if the specification finds nothing wrong with it; else note its author."""
    total, key_share = lattice.encode_polynomials(added.total), added.updates[client].key_share
    try:
        share = _decode_share(notes.record, added, client, fetched)
        decryption.verify_share(added.params, share, key_share=key_share, total=total)
        return share
    except WrongShare as error:
        notes.add("13", error, client)
    except spec.SpecError as error:
        notes.add("13", WrongShare(client=client, what=error.message), client)
    return None


def is_signed(record: RoundRecord, entry: ShareEntry) -> bool:
    """Whether a client signed that its decryption share is at a CID: without that, anybody could blame it for any."""
    if entry.share is None:
        return False
    digest = compute_decryption_digest(
        domain_separator=record.domain_separator, round_id=record.round_id, client=entry.client, content=entry.share
    )
    return bool(recover(digest, entry.signature) == record.signers.get(entry.client))


def compute_sum(
    notes: Notes, added: EncryptedSum, shares: Mapping[int, DecryptionShare], proposed: bytes
) -> NDArray[np.int32]:
    """Return the decrypted sum, int32[d]: of the fast path if that is the proposed one. Args: proposed: its root."""
    result = decrypt(added, shares)
    if commitments.compute_vector_root(result, notes.record.task.model_log2) == proposed:
        return result
    total, parts = lattice.encode_polynomials(added.total), [shares[client].share for client in sorted(shares)]
    return np.array(decryption.decrypt_sum(added.params, total, parts), dtype=np.int64).astype(np.int32)
