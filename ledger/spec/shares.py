"""Decryption shares of homomorphic rounds as bytes, and the list by which an aggregator names them (§14.4)."""

from __future__ import annotations

import itertools
import struct
from dataclasses import dataclass

from ledger.spec.blobs import ContentId
from ledger.spec.commitment import compute_typed_digest
from ledger.spec.errors import NotCanonical, Oversized, WrongLength
from ledger.spec.homomorphic import MAX_CLIENTS, SHARE_HEADER_BYTES, Parameters, verify_origin
from ledger.spec.keccak import keccak256

KIND = "decryption"
"""Kind of the statement by which an aggregator names, as its method, the SHA-256 of a round's list."""
DECRYPTION_TYPE = b"Decryption(uint64 roundId,uint32 client,uint8 codec,bytes32 digest)"

_TYPE_HASH = keccak256(DECRYPTION_TYPE)
_SHARE = struct.Struct(">4s32sQI32s")
"""magic, domain separator, round, client, root of the sum."""
_LIST = struct.Struct(">4s32sQH")
"""magic, domain separator, round, entries."""
_ENTRY = struct.Struct(">IB32sB32s64s")
"""client, codec and digest of its update, codec (0 = none came) and digest of its share, signature."""
_CODECS = (0x55, 0x70)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecryptionShare:
    """A client's part in decrypting the sum of a round, and the proof that it is one."""

    domain_separator: bytes
    """Of the RoundLedger, 32 bytes."""
    round_id: int
    """The round."""
    client: int
    """Participant id of the author."""
    sum_root: bytes
    """Of the ciphertexts that it helps to decrypt."""
    share: bytes
    """One polynomial a ciphertext."""
    proof: bytes
    """proof_bytes of the parameters."""


def encode_decryption_share(share: DecryptionShare) -> bytes:
    """Return the canonical bytes (§14.4)."""
    head = _SHARE.pack(b"FTP\1", share.domain_separator, share.round_id, share.client, share.sum_root)
    return head + share.share + share.proof


def decode_decryption_share(
    data: bytes, params: Parameters, *, domain_separator: bytes, round_id: int, client: int, sum_root: bytes
) -> DecryptionShare:
    """Return the decryption share in data if it is this client's, of this sum (§14.4); its proof is not judged here.

    Raises: WrongLength, WrongVersion, WrongDomain, WrongRound, WrongClient, NotCanonical.
    """
    if len(data) != params.share_bytes:
        raise WrongLength(got=len(data), want=params.share_bytes)
    magic, domain, found_round, author, root = _SHARE.unpack_from(data)
    verify_origin((magic, b"FTP\1"), (domain, domain_separator), (found_round, round_id), (author, client))
    if root != sum_root:
        raise NotCanonical(what=f"client {client} decrypts the sum {root.hex()}, that of the round is {sum_root.hex()}")
    proof = len(data) - params.proof_bytes
    return DecryptionShare(
        domain_separator=domain,
        round_id=found_round,
        client=author,
        sum_root=root,
        share=data[SHARE_HEADER_BYTES:proof],
        proof=data[proof:],
    )


def compute_decryption_digest(*, domain_separator: bytes, round_id: int, client: int, content: ContentId) -> bytes:
    """Return the EIP-712 digest by which a client says where its decryption share is (§14.4)."""
    words = b"".join(value.to_bytes(32, "big") for value in (round_id, client, content.codec))
    return compute_typed_digest(domain_separator, keccak256(_TYPE_HASH + words + content.digest))


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareEntry:
    """One client of a sum."""

    client: int
    """Participant id."""
    update: ContentId
    """Where its encrypted update is; which bytes that must be, its commitment says."""
    share: ContentId | None
    """Where its decryption share is; None where the aggregator got none."""
    signature: bytes
    """The client's, over that: 64 bytes (r | vs); zeros without a share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareList:
    """Whose updates were added in a round, and what their authors said to decrypt the sum."""

    domain_separator: bytes
    """Of the RoundLedger, 32 bytes."""
    round_id: int
    """The round."""
    entries: tuple[ShareEntry, ...]
    """In rising participant."""


def encode_share_list(shares: ShareList) -> bytes:
    """Return the canonical bytes (§14.4)."""
    head = _LIST.pack(b"FTL\1", shares.domain_separator, shares.round_id, len(shares.entries))
    return head + b"".join(map(_encode_entry, shares.entries))


def _encode_entry(entry: ShareEntry) -> bytes:
    codec, digest = (entry.share.codec, entry.share.digest) if entry.share else (0, bytes(32))
    return _ENTRY.pack(entry.client, entry.update.codec, entry.update.digest, codec, digest, entry.signature)


def decode_share_list(data: bytes, *, domain_separator: bytes, round_id: int) -> ShareList:
    """Return the list in data if it is canonical and of this round.

    Raises: Oversized, WrongLength, WrongVersion, WrongDomain, WrongRound, NotCanonical.
    """
    largest = _LIST.size + MAX_CLIENTS * _ENTRY.size
    if len(data) > largest:
        raise Oversized(got=len(data), want=largest)
    if len(data) < _LIST.size:
        raise WrongLength(got=len(data), want=_LIST.size)
    magic, domain, found_round, count = _LIST.unpack_from(data)
    verify_origin((magic, b"FTL\1"), (domain, domain_separator), (found_round, round_id), (0, 0))
    if len(data) != _LIST.size + count * _ENTRY.size:
        raise WrongLength(got=len(data), want=_LIST.size + count * _ENTRY.size)
    entries = tuple(_decode_entry(fields) for fields in _ENTRY.iter_unpack(data[_LIST.size :]))
    if any(after.client <= before.client for before, after in itertools.pairwise(entries)):
        raise NotCanonical(what="the clients of a list of decryption shares do not rise")
    return ShareList(domain_separator=domain, round_id=found_round, entries=entries)


def _decode_entry(fields: tuple[int, int, bytes, int, bytes, bytes]) -> ShareEntry:
    client, update_codec, update, codec, share, signature = fields
    if update_codec not in _CODECS or codec not in (0, *_CODECS) or (codec == 0 and any(share + signature)):
        raise NotCanonical(what=f"the entry of client {client} in a list of decryption shares")
    return ShareEntry(
        client=client,
        update=ContentId(codec=update_codec, digest=update),
        share=ContentId(codec=codec, digest=share) if codec else None,
        signature=signature,
    )
