"""Proofs of faults that no replay finds: of clients, of attestors, and of what an aggregator left out. Pure, no I/O.

What proves them is signed by who did it: a receipt, two commitments, two statements, a certificate. Where it comes from
is for the caller to say; the contract decides (docs/protocol.md §8.3, §8.6).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from ledger import availability, commitments, list_disputes, spec
from ledger.availability import BOARD, Certificate, Demand
from ledger.disputes import Proof, Update
from ledger.errors import FedtrailError, NotFoundError
from ledger.proving import make_claim
from ledger.records import RoundRecord
from ledger.signing import SIGNATURE_BYTES
from ledger.statements import Signed, SignedCommitment, Statement


def accuse_of_omission(record: RoundRecord, receipts: Iterable[SignedCommitment]) -> Proof:
    """Return the proof that a root-only round's aggregator took a commitment that its list does not have.

    Args: record: a round in its challenge window. receipts: by its aggregator.
    Raises: NotFoundError: the list has what every receipt is for, or there is none.
    """
    listed = _get_list(record)
    has = {(entry.client, entry.commitment) for entry in listed}
    mine = (one for one in receipts if one.round_id == record.round_id)
    omitted = next((one for one in mine if (one.client, one.commitment) not in has), None)
    if omitted is None or record.proposal is None:
        raise NotFoundError(
            f"no receipt of round {record.number} is for a commitment that its list lacks",
            hint="name the file of the receipt: --evidence FILE",
        )
    return list_disputes.prove_omission(
        make_claim(record, record.proposal),
        listed,
        client=omitted.client,
        commitment=omitted.commitment,
        receipt=omitted.signature,
    )


def _get_list(record: RoundRecord) -> list[spec.SignedMember]:
    listed = [entry for segment in record.segments for entry in segment if isinstance(entry, spec.SignedMember)]
    if not listed:
        raise NotFoundError(f"round {record.number} has no list of signed commitments that could be read")
    return listed


def accuse_of_equivocation(record: RoundRecord, signed: Sequence[SignedCommitment]) -> Proof:
    """Return the proof that a client signed two commitments for one round.

    Args: signed: commitments of one client; of a root-only round one is enough, since its list has the other.
    Raises: NotFoundError: there are no two of one client.
    """
    mine = [one for one in signed if one.round_id == record.round_id]
    pairs = {(one.client, one.commitment): one.signature for one in mine}
    for segment in record.segments:
        for entry in segment:
            if isinstance(entry, spec.SignedMember) and mine and entry.client == mine[0].client:
                pairs.setdefault((entry.client, entry.commitment), entry.signature)
    clients = {client for client, _ in pairs}
    if len(clients) != 1 or len(pairs) != 2:
        raise NotFoundError(
            f"an equivocation takes two commitments that one client signed for round {record.number}; "
            f"there are {len(pairs)}, of {len(clients)} clients",
            hint="name the files of both: --evidence FILE --evidence FILE",
        )
    return list_disputes.prove_equivocation(
        record.round_id, clients.pop(), [(commitment, signature) for (_, commitment), signature in pairs.items()]
    )


def accuse_of_going_beyond_the_bound(record: RoundRecord, client: int | None = None) -> Proof:
    """Return the proof that a client committed to a coordinate beyond the task's bound.

    Args: record: a round with a manifest, which says where updates are. client: None for the first one that did.
    Raises: NotFoundError: no update that is here and that its client committed to has such a coordinate.
    """
    for member in record.members:
        update = _find_committed(record, member) if client in (None, member.client) else None
        if update is None:
            continue
        beyond = np.flatnonzero(np.abs(update.values.astype(np.int64)) > record.task.bound)
        if len(beyond):
            about = record.round_id if record.proposal is None else make_claim(record, record.proposal)
            return list_disputes.prove_clip_violation(
                about, record.task, int(beyond[0]), update=update, segments=record.segments
            )
    raise NotFoundError(f"no update of round {record.number} that is here was committed to beyond the bound")


def _find_committed(record: RoundRecord, member: spec.Member) -> Update | None:
    """Return a client's update if it is what the client committed to, allowed or not; None otherwise."""
    fetched = record.updates.get(member.client)
    if fetched is None or fetched.data is None:
        return None
    try:
        blob = spec.decode_vector(fetched.data, max_bytes=len(fetched.data))
    except FedtrailError:
        return None
    values = commitments.read_values(blob)
    commitment = spec.compute_commitment(
        domain_separator=record.domain_separator,
        round_id=record.round_id,
        client=member.client,
        num_examples=blob.header.num_examples,
        root=commitments.compute_vector_root(values, record.task.leaf_log2),
    )
    if commitment != member.commitment or len(values) != record.task.size:
        return None
    return Update(client=member.client, num_examples=blob.header.num_examples, values=values)


def accuse_of_double_attestation(round_id: int, signed: Sequence[Signed]) -> Proof:
    """Return the proof that an attestor made two statements about one round.

    Args: signed: statements, each with its attestor and signature; more of others do no harm.
    Raises: NotFoundError: no attestor made two of them.
    """
    by_attestor: dict[int, dict[tuple[bytes, bytes], Signed]] = {}
    for one in signed:
        said = (one.statement.segments_hash, one.statement.excluded)
        by_attestor.setdefault(one.attestor, {})[said] = one
    for attestor, statements in sorted(by_attestor.items()):
        if len(statements) > 1:
            pair = [
                (one.statement.segments_hash, spec.keccak256(one.statement.excluded), one.signature)
                for one in list(statements.values())[:2]
            ]
            packed = availability.prove_double_attestation(round_id, attestor, pair)
            return Proof(function="proveDoubleAttestation", arguments=(round_id, packed), court=BOARD)
    raise NotFoundError(
        "no attestor made two statements about this round", hint="name the files of both: --evidence FILE ..."
    )


def list_signers(certificate: Certificate, ids: Sequence[int]) -> list[int]:
    """Return the attestors that signed a certificate. Args: ids: of the committee, rising."""
    return [participant for position, participant in enumerate(ids) if certificate.signers >> position & 1]


def list_signed(segments_hash: bytes, certificate: Certificate, ids: Sequence[int]) -> list[Signed]:
    """Return what the signers of a certificate stated.

    Args: segments_hash: the round's. ids: of the committee, rising.
    """
    statement = Statement(segments_hash=segments_hash, excluded=certificate.excluded)
    signatures = spec.split_chunks(certificate.signatures, SIGNATURE_BYTES)
    return [
        Signed(attestor=attestor, statement=statement, signature=signature)
        for attestor, signature in zip(list_signers(certificate, ids), signatures, strict=True)
    ]


def accuse_of_not_serving(
    record: RoundRecord, demand: Demand, certificate: Certificate, ids: Sequence[int], attestor: int
) -> Proof:
    """Return the proof that nobody showed an update which a signer of the round's certificate had vouched for.

    Args: demand: for leaves of an included update, closed without an answer. certificate: the round's. ids: of the
    committee, rising. attestor: one of those that signed.
    Raises: BadProof: the client of the demand committed nothing.
    """
    signed = list_signed(record.segments_hash, certificate, ids)
    packed = availability.prove_unserved(
        attestor,
        segments_hash=record.segments_hash,
        signature=next(one.signature for one in signed if one.attestor == attestor),
        place=list_disputes.encode_commitment_place(record.segments, demand.client),
    )
    return Proof(function="proveUnserved", arguments=(demand.arguments(), certificate.excluded, packed), court=BOARD)
