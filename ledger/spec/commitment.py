"""Identity-bound commitments, their EIP-712 digests, and the trees over them (docs/protocol.md §4.1 to §4.6).

A commitment hides an update until the commit phase is over and opens only for its author, in its round, on its
chain and contract.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from ledger.spec.blobs import ContentId
from ledger.spec.errors import NotCanonical, Oversized, WrongLength
from ledger.spec.keccak import keccak256
from ledger.spec.tree import compute_root, hash_leaf

LEDGER_NAME = "fedtrail"
REGISTRY_NAME = "fedtrail registry"
DOMAIN_VERSION = "1"

_DOMAIN_TYPE = keccak256(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
COMMITMENT_TYPE = b"Commitment(uint64 roundId,uint32 client,bytes32 commitment)"
RECEIPT_TYPE = b"Receipt(uint64 roundId,uint32 client,bytes32 commitment)"
PUBLICATION_TYPE = b"Publication(uint64 roundId,uint32 client,uint8 codec,bytes32 digest)"
REGISTER_TYPE = b"Register(address owner,address signer,uint8 role,uint256 deadline)"
ROTATE_TYPE = b"Rotate(uint32 id,address signer,uint256 deadline)"

_COMMITMENT_TYPE_HASH = keccak256(COMMITMENT_TYPE)
_RECEIPT_TYPE_HASH = keccak256(RECEIPT_TYPE)
_PUBLICATION_TYPE_HASH = keccak256(PUBLICATION_TYPE)
_REGISTER_TYPE_HASH = keccak256(REGISTER_TYPE)
_ROTATE_TYPE_HASH = keccak256(ROTATE_TYPE)

_COMMITMENT = struct.Struct(">B32sQII32s")
_MEMBER = struct.Struct(">I32s")
_SIGNED = struct.Struct(">I32s64s")

MAX_LIST_BYTES = 10_000 * _SIGNED.size
"""A round takes at most 10,000 clients."""


def _word(value: int) -> bytes:
    return value.to_bytes(32, "big")


def _address_word(address: bytes) -> bytes:
    return bytes(12) + address


@functools.lru_cache(maxsize=64)
def compute_domain_separator(name: str, chain_id: int, contract: bytes) -> bytes:
    """Return the EIP-712 domain separator of a contract of ours (20-byte address)."""
    texts = keccak256(name.encode()) + keccak256(DOMAIN_VERSION.encode())
    return keccak256(_DOMAIN_TYPE + texts + _word(chain_id) + _address_word(contract))


def compute_typed_digest(domain_separator: bytes, struct_hash: bytes) -> bytes:
    """Return keccak256(0x1901 | domain separator | struct hash) (EIP-712)."""
    return keccak256(b"\x19\x01" + domain_separator + struct_hash)


def compute_commitment(*, domain_separator: bytes, round_id: int, client: int, num_examples: int, root: bytes) -> bytes:
    """Return sha256(0x02 | domain separator | round u64 | client u32 | num_examples u32 | tree root) (§4.1)."""
    return hashlib.sha256(_COMMITMENT.pack(2, domain_separator, round_id, client, num_examples, root)).digest()


def compute_commitment_digest(*, domain_separator: bytes, round_id: int, client: int, commitment: bytes) -> bytes:
    """Return the EIP-712 digest that a client signs to commit (§4.2)."""
    fields = _word(round_id) + _word(client) + commitment
    return compute_typed_digest(domain_separator, keccak256(_COMMITMENT_TYPE_HASH + fields))


def compute_receipt_digest(*, domain_separator: bytes, round_id: int, client: int, commitment: bytes) -> bytes:
    """Return the EIP-712 digest by which an aggregator takes a commitment for its round's list (§4.2)."""
    fields = _word(round_id) + _word(client) + commitment
    return compute_typed_digest(domain_separator, keccak256(_RECEIPT_TYPE_HASH + fields))


def compute_publication_digest(*, domain_separator: bytes, round_id: int, client: int, content: ContentId) -> bytes:
    """Return the EIP-712 digest by which a client says where its update is (§4.3): off chain, in the manifest."""
    fields = _word(round_id) + _word(client) + _word(content.codec) + content.digest
    return compute_typed_digest(domain_separator, keccak256(_PUBLICATION_TYPE_HASH + fields))


def compute_register_digest(*, domain_separator: bytes, owner: bytes, signer: bytes, role: int, deadline: int) -> bytes:
    """Return the EIP-712 digest by which a new signer proves possession of its key (§4.4)."""
    fields = _address_word(owner) + _address_word(signer) + _word(role) + _word(deadline)
    return compute_typed_digest(domain_separator, keccak256(_REGISTER_TYPE_HASH + fields))


def compute_rotate_digest(*, domain_separator: bytes, participant: int, signer: bytes, deadline: int) -> bytes:
    """Return the EIP-712 digest by which a replacing signer proves possession of its key (§4.4)."""
    fields = _word(participant) + _address_word(signer) + _word(deadline)
    return compute_typed_digest(domain_separator, keccak256(_ROTATE_TYPE_HASH + fields))


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Member:
    """A client and what it committed."""

    client: int
    """Participant id."""
    commitment: bytes
    """32 bytes."""


def encode_members(members: Sequence[Member]) -> bytes:
    """Return packed (client u32 | commitment) entries: the data of a SegmentCommitted event."""
    return b"".join(_MEMBER.pack(m.client, m.commitment) for m in members)


def decode_members(entries: bytes) -> list[Member]:
    """Return the members in the data of a SegmentCommitted event (emitted by the contract: 36 bytes each)."""
    return [Member(client=c, commitment=h) for c, h in _MEMBER.iter_unpack(entries)]


def compute_members_root(members: Sequence[Member]) -> bytes:
    """Return the SHA-256 tree root over (client | commitment) in rising client id (§4.5)."""
    return compute_root([hash_leaf(_MEMBER.pack(m.client, m.commitment)) for m in sorted(members)])


def distinct_members(entries: Sequence[Member]) -> list[Member]:
    """Return the first commitment of every client, in order of arrival: the one that counts (§4.6).

    Args: entries: accepted commitments in order of arrival; in accumulated mode a client may come again.
    """
    first: dict[int, Member] = {}
    for member in entries:
        first.setdefault(member.client, member)
    return list(first.values())


def _compute_keccak_root(leaves: Sequence[bytes]) -> bytes:
    level = list(leaves)
    while len(level) > 1:
        pairs = [keccak256(b"\x01" + level[i] + level[i + 1]) for i in range(0, len(level) - 1, 2)]
        level = pairs + level[len(level) - len(level) % 2 :]
    return level[0]


def compute_segment_root(members: Sequence[Member]) -> bytes:
    """Return the Keccak tree root of one batch, as RoundLedger computes it (§4.6)."""
    return _compute_keccak_root([keccak256(b"\x00" + _MEMBER.pack(m.client, m.commitment)) for m in members])


def compute_segments_hash(previous: bytes, root: bytes, count: int) -> bytes:
    """Return the rolling hash over a round's segments (§4.6)."""
    return keccak256(previous + root + _word(count))


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedMember:
    """A client, what it committed, and its signature: an entry of a root-only round's list."""

    client: int
    """Participant id."""
    commitment: bytes
    """32 bytes."""
    signature: bytes
    """r | vs over the commitment's digest, 64 bytes."""


def encode_signed_list(members: Sequence[SignedMember]) -> bytes:
    """Return packed (client u32 | commitment | r | vs) entries: a batch, and the list of a root-only round (§4.6)."""
    return b"".join(_SIGNED.pack(m.client, m.commitment, m.signature) for m in members)


def decode_signed_list(batch: bytes) -> tuple[SignedMember, ...]:
    """Return the entries of a list, whose clients must rise; signatures are not checked here (§4.6).

    Raises: Oversized: more entries than a round takes. WrongLength: none, or a part of one. NotCanonical.
    """
    members = tuple(SignedMember(client=c, commitment=h, signature=s) for c, h, s in map(_SIGNED.unpack, _split(batch)))
    for before, after in itertools.pairwise(members):
        if after.client <= before.client:
            raise NotCanonical(what=f"client {after.client} follows client {before.client}")
    return members


def _split(batch: bytes) -> list[bytes]:
    if len(batch) > MAX_LIST_BYTES:
        raise Oversized(got=len(batch), want=MAX_LIST_BYTES)
    if not batch or len(batch) % _SIGNED.size:
        raise WrongLength(got=len(batch), want=-(-max(1, len(batch)) // _SIGNED.size) * _SIGNED.size)
    return [batch[at : at + _SIGNED.size] for at in range(0, len(batch), _SIGNED.size)]


def compute_signed_leaf(entry: bytes) -> bytes:
    """Return keccak256(0x00 | entry) of one entry of a list, 100 bytes (§4.6)."""
    return keccak256(b"\x00" + entry)


def compute_list_root(batch: bytes) -> bytes:
    """Return the Keccak tree root over the entries of a list: what commitRoot posts (§4.6).

    Raises: Oversized, WrongLength: as decode_signed_list.
    """
    return _compute_keccak_root([compute_signed_leaf(entry) for entry in _split(batch)])


def compute_list_id(batch: bytes) -> bytes:
    """Return the SHA-256 of a list: its id in the content store (§4.6)."""
    return hashlib.sha256(batch).digest()
