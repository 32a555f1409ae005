"""Availability: which updates of a round could not be had, certificates, demands for leaves and their answers.

Pure, no I/O (docs/protocol.md, Availability). Attestor, aggregator and auditor decide by the same `judge_publication`;
what AvailabilityBoard reads is encoded here.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any

from eth_utils.crypto import keccak

from ledger import errors, spec
from ledger.audit import is_published, judge_update, reason_of
from ledger.commitments import Int32Array
from ledger.errors import FedtrailError
from ledger.records import Fetched, RoundRecord
from ledger.signing import SIGNATURE_BYTES, recover
from ledger.spec.certificates import (
    compute_available_hash,
    compute_range_path_length,
    compute_range_proof,
    compute_range_root,
)
from ledger.spec.errors import BadProof, WrongSigner

BOARD = "board"
"""Key of AvailabilityBoard among the contracts."""

_EXAMPLES = struct.Struct(">I")
_MEMBER_SLOT = struct.Struct(">H")
_DIGEST_BYTES = 32


# ------------------------------------------------------------------------------------------------------- judgement


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """Where a client says its update is, and what came from there."""

    content: spec.ContentId
    """Codec and digest of the CID."""
    signature: bytes
    """The client's, over `spec.compute_publication_digest`; 64 bytes."""
    fetched: Fetched
    """The bytes, or why they did not come."""


def judge_publication(
    record: RoundRecord, member: spec.Member, publication: Publication | None
) -> tuple[spec.VectorBlob, Int32Array]:
    """Return a committed client's update if it could be had, is what the client committed to, and is allowed.

    Args: record: the round, from the chain. publication: None where the client said nothing.
    Raises: Unavailable: nothing signed was published, or its bytes are not there. StoreUnreachable and its like: our
        store is down, which says nothing about the client. WrongRoot and every SpecError of `spec.decode_update`.
    """
    if publication is None or not is_published(record, member.client, publication.content, publication.signature):
        # Bytes that the client did not sign for are nobody's: it has published nothing.
        raise errors.Unavailable(cid="(never published)", found=0, stores=1, seconds=0.0, consequence="")
    problem = publication.fetched.problem
    if isinstance(problem, errors.ChainError):
        raise problem
    if isinstance(problem, errors.BlobCorrupt):
        # A block that is corrupt in our store says nothing about the client: to us the update is unavailable.
        raise errors.Unavailable(cid=publication.fetched.cid, found=0, stores=1, seconds=0.0, consequence="")
    return judge_update(record, member, publication.fetched)


def judge_availability(record: RoundRecord, publications: Mapping[int, Publication]) -> tuple[tuple[int, int], ...]:
    """Return the (client, reason) pairs that an attestor certifies as excluded, in rising client id.

    Args: record: the round after its commit phase. publications: by client.
    Raises: a ChainError: a store did not answer; NotAReader: updates are sealed, and not to the keys that are here.
    Whoever cannot tell does not sign.
    """
    exclusions = []
    for member in record.members:
        try:
            judge_publication(record, member, publications.get(member.client))
        except (errors.ChainError, errors.NotAReader):
            raise
        except FedtrailError as error:
            exclusions.append((member.client, reason_of(error)))
    return tuple(exclusions)


# ---------------------------------------------------------------------------------------------------- certificates


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What AvailabilityBoard.certify takes beside round and committee."""

    excluded: bytes
    """Packed (client u32 | reason u16)."""
    signers: int
    """Bit i: member i of the committee signed."""
    signatures: bytes
    """r | vs of each, in that order."""


def make_certificate(exclusions: Sequence[tuple[int, int]], signed: Mapping[int, bytes]) -> Certificate:
    """Return the certificate made of signatures over the same digest.

    Args: exclusions: (client, reason) pairs. signed: position in the committee -> 64 bytes.
    """
    return Certificate(
        excluded=spec.encode_exclusions(exclusions),
        signers=sum(1 << position for position in signed),
        signatures=b"".join(signed[position] for position in sorted(signed)),
    )


def verify_certificate(certificate: Certificate, digest: bytes, keys: Sequence[bytes], threshold: int) -> None:
    """Return if the board would take a certificate.

    Args: digest: `compute_available_digest`. keys: signing address of every member of the committee when the
        round opened, 20 bytes each. threshold: signatures that the committee needs.
    Raises: BadProof: too few or unknown signers, or a wrong number of signatures. WrongSigner: another key's.
    """
    positions = [i for i in range(certificate.signers.bit_length()) if certificate.signers >> i & 1]
    if len(positions) < threshold or certificate.signers >> len(keys):
        raise BadProof(what=f"signers {positions} of a committee of {len(keys)}, of whom {threshold} must sign")
    if len(certificate.signatures) != SIGNATURE_BYTES * len(positions):
        raise BadProof(what=f"{len(certificate.signatures)} bytes of signatures for {len(positions)} signers")
    for place, position in enumerate(positions):
        signature = certificate.signatures[SIGNATURE_BYTES * place : SIGNATURE_BYTES * (place + 1)]
        if (got := recover(digest, signature)) != keys[position] or not any(got):
            raise WrongSigner(client=position, got=got.hex(), want=keys[position].hex())


def prove_double_attestation(round_id: int, attestor: int, signed: Sequence[tuple[bytes, bytes, bytes]]) -> bytes:
    """Return the proof that an attestor made two statements about one round.

    Args: attestor: its participant id. signed: two of (segments hash, exclusions hash, signature).
    """

    def hash_of(statement: tuple[bytes, bytes, bytes]) -> bytes:
        segments_hash, exclusions_hash, _ = statement
        return compute_available_hash(round_id=round_id, segments_hash=segments_hash, exclusions_hash=exclusions_hash)

    # The lower struct hash first: one fault has one proof.
    return attestor.to_bytes(4, "big") + b"".join(b"".join(one) for one in sorted(signed, key=hash_of))


# --------------------------------------------------------------------------------------------------------- demands


class Subject(enum.IntEnum):
    """Whose leaves are demanded: the board's number."""

    COMMITMENT = 0
    """What a client committed to: the client answers."""
    UPDATE = 1
    """An included update."""
    AGGREGATE = 2
    """The proposed aggregate."""
    MATRIX = 3
    """The proposed matrix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """A demand for leaves, from the event LeavesDemanded; fields in the contract's order."""

    round_id: int
    """The round."""
    client: int
    """Author of the update; 0 for aggregate and matrix."""
    first_leaf: int
    """Index of the first leaf."""
    leaf_count: int
    """1 to 64."""
    leaf_bytes: int
    """Length of a leaf that is not the vector's last."""
    deadline: int
    """Last second for an answer."""
    root: bytes
    """The client's commitment, or the vector's root."""
    challenger: bytes
    """Address, 20 bytes."""
    bond_wei: int
    """What it paid."""
    reward_wei: int
    """What an answer earns."""
    vector_bytes: int
    """Length of the whole vector."""
    subject: Subject
    """Whose leaves."""

    @property
    def is_update(self) -> bool:
        """Whether the root is a client's commitment, which an answer opens with num_examples."""
        return self.subject in (Subject.COMMITMENT, Subject.UPDATE)

    @property
    def total_leaves(self) -> int:
        """Leaves of the whole vector."""
        return -(-self.vector_bytes // self.leaf_bytes)

    @property
    def data_bytes(self) -> int:
        """Length of the demanded leaves; the vector's last one may be short."""
        end = min((self.first_leaf + self.leaf_count) * self.leaf_bytes, self.vector_bytes)
        return end - self.first_leaf * self.leaf_bytes

    def arguments(self) -> tuple[object, ...]:
        """Return the fields as the contract takes them."""
        return astuple(self)


def read_demand(values: Mapping[str, Any]) -> Demand:
    """Return a demand from the event LeavesDemanded."""
    return Demand(**{**values, "subject": Subject(values["subject"])})


def compute_demand_hash(demand: Demand) -> bytes:
    """Return keccak256(abi.encode(demand)): what the events of answers and failures name."""
    words = (v.rjust(32, b"\x00") if isinstance(v, bytes) else int(v).to_bytes(32, "big") for v in astuple(demand))
    return keccak(b"".join(words))


def compute_answer_bytes(demand: Demand) -> int:
    """Return the length of an answer as the board prices it (4 bytes of num_examples included for every subject)."""
    siblings = compute_range_path_length(demand.first_leaf, demand.leaf_count, demand.total_leaves)
    return _EXAMPLES.size + demand.data_bytes + _DIGEST_BYTES * siblings


def encode_member(members: Sequence[spec.Member], slot: int) -> bytes:
    """Return what `demandLeaves` asks for beside the claim where an included update is meant.

    Args: members: the included, in rising id. slot: position of the client among them.
    """
    leaves = [spec.hash_leaf(spec.encode_members([member])) for member in members]
    path = b"".join(spec.compute_inclusion_proof(leaves, slot))
    return spec.encode_members([members[slot]]) + _MEMBER_SLOT.pack(slot) + path


def encode_answer(demand: Demand, vector: bytes, num_examples: int = 0) -> bytes:
    """Return the answer to a demand: its leaves, and the siblings that lead from them to the root.

    Args: vector: all coordinates, little-endian int32; of a matrix, transposed (`spec.encode_matrix`). num_examples:
        of the update, from its header.
    Raises: BadProof: the vector has another length than the demanded one.
    """
    if len(vector) != demand.vector_bytes:
        raise BadProof(what=f"a vector of {len(vector)} bytes; demanded was one of {demand.vector_bytes}")
    leaves = [spec.hash_leaf(chunk) for chunk in spec.split_chunks(vector, demand.leaf_bytes)]
    path = compute_range_proof(leaves, demand.first_leaf, demand.leaf_count)
    start = demand.first_leaf * demand.leaf_bytes
    head = _EXAMPLES.pack(num_examples) if demand.is_update else b""
    return head + vector[start : start + demand.data_bytes] + b"".join(path)


def decode_answer(demand: Demand, answer: bytes, domain_separator: bytes) -> bytes:
    """Return the leaves in an answer, as bytes of little-endian int32, if they are what was demanded.

    Args: domain_separator: of the RoundLedger.
    Raises: BadProof: another length, or leaves that do not lead to the root.
    """
    head = _EXAMPLES.size if demand.is_update else 0
    want = head + compute_answer_bytes(demand) - _EXAMPLES.size
    if len(answer) != want:
        raise BadProof(what=f"an answer of {len(answer)} bytes, expected {want}")
    data, path = answer[head : head + demand.data_bytes], answer[head + demand.data_bytes :]
    leaves = [spec.hash_leaf(chunk) for chunk in spec.split_chunks(data, demand.leaf_bytes)]
    siblings = spec.split_chunks(path, _DIGEST_BYTES) if path else []
    root = compute_range_root(leaves, demand.first_leaf, demand.total_leaves, siblings)
    if demand.is_update:
        root = spec.compute_commitment(
            domain_separator=domain_separator,
            round_id=demand.round_id,
            client=demand.client,
            num_examples=_EXAMPLES.unpack(answer[:head])[0],
            root=root,
        )
    if root != demand.root:
        raise BadProof(what=f"the answer leads to {root.hex()}, demanded was {demand.root.hex()}")
    return data


def open_leaves(demand: Demand, answer: bytes) -> dict[int, bytes]:
    """Return the leaves that an answer shows, by index, each followed by its own path to the root: as proofs open them.

    Args: answer: one that the board has taken (`decode_answer` refuses others).
    Clause: §2.5.
    """
    head = _EXAMPLES.size if demand.is_update else 0
    start = head + demand.data_bytes
    chunks = spec.split_chunks(answer[head:start], demand.leaf_bytes)
    siblings = iter(spec.split_chunks(answer[start:], _DIGEST_BYTES))
    first, last, end = demand.first_leaf, demand.first_leaf + len(chunks) - 1, demand.total_leaves - 1
    opened = dict(enumerate(chunks, start=first))
    level = {index: spec.hash_leaf(chunk) for index, chunk in opened.items()}
    place = {index: index for index in opened}
    while end > 0:
        if first % 2:
            level[first - 1] = next(siblings)
        if last % 2 == 0 and last < end:
            level[last + 1] = next(siblings)
        for index, at in place.items():
            opened[index] += level.get(at ^ 1, b"")  # an odd last node of a level has no sibling
        pairs = [(at, [level[at], *([level[at + 1]] if at < end else [])]) for at in sorted(level) if at % 2 == 0]
        level = {at // 2: spec.hash_node(*pair) if len(pair) > 1 else pair[0] for at, pair in pairs}
        place = {index: at // 2 for index, at in place.items()}
        first, last, end = first // 2, last // 2, end // 2
    return opened


def prove_unserved(attestor: int, *, segments_hash: bytes, signature: bytes, place: bytes) -> bytes:
    """Return the proof that an attestor stated the availability of an update that nobody showed.

    Args: segments_hash, signature: of its certificate. place: `list_disputes.encode_commitment_place` of the client.
    """
    return attestor.to_bytes(4, "big") + segments_hash + signature + place
