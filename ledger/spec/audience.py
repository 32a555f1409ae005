"""Updates that only their audience can read: the layout's term `audience`, and their bytes (docs/protocol.md §15).

    aggregator+attestors(5-7)+auditors(8)

The aggregator is the one of the round. What is here is what anybody can check of a sealed update without a key; sealing
and opening are in `ledger.sealed_updates`.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ledger.spec.errors import (
    NotCanonical,
    SealBroken,
    TrailingBytes,
    WrongClient,
    WrongDomain,
    WrongLength,
    WrongRound,
    WrongVersion,
)
from ledger.spec.ranges import decode_ranges, encode_ranges

TERM = "audience"
"""Name of the layout's term."""
MAX_READERS = 64
"""Most readers of an update: its author, the aggregator, attestors and auditors."""
MAGIC = b"FTE\x01"
PUBLIC_KEY_BYTES = 32
SEED_BYTES = 32
TAG_BYTES = 16
SEALED_ALLOWANCE_BYTES = 8192
"""What a sealed update may have more than the largest update: 64 readers and the allowance of §3.1 fit in."""

_HEADER = struct.Struct(">4s32sQIH")
_STANZA = struct.Struct(f">II{PUBLIC_KEY_BYTES}s{SEED_BYTES + TAG_BYTES}s")
_LENGTH = struct.Struct(">I")
_TEXT = re.compile(r"aggregator(?:\+attestors\(([0-9,-]{1,480})\))?(?:\+auditors\(([0-9,-]{1,480})\))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """Who may read the updates of a task, beside their authors and the aggregator of the round."""

    attestors: tuple[int, ...] = ()
    """Participants that certify which updates could be had, rising."""
    auditors: tuple[int, ...] = ()
    """Participants that replay, rising; none of them an attestor."""

    def __str__(self) -> str:
        """Return the text of the term."""
        named = (("attestors", self.attestors), ("auditors", self.auditors))
        return "+".join(["aggregator", *(f"{role}({encode_ranges(ids)})" for role, ids in named if ids)])

    def list_readers(self, *, aggregator: int, client: int) -> tuple[int, ...]:
        """Return the participants that an update of a client is sealed to, in rising number."""
        return tuple(sorted({aggregator, client, *self.attestors, *self.auditors}))

    def name_role(self, participant: int, *, aggregator: int) -> str:
        """Return what a reader is in a round."""
        roles = {aggregator: "aggregator"} | dict.fromkeys(self.attestors, "attestor")
        return (roles | dict.fromkeys(self.auditors, "auditor")).get(participant, "client")


def decode_audience(text: str) -> Audience:
    """Return what a term's text says.

    Raises: NotCanonical: it is not what an Audience encodes to, somebody is named twice, or they are more than 62.
    """
    match = _TEXT.fullmatch(text)
    attestors, auditors = (decode_ranges(part) if part else () for part in match.groups()) if match else ((), ())
    audience = Audience(attestors=attestors, auditors=auditors)
    if str(audience) != text or set(attestors) & set(auditors) or len(attestors) + len(auditors) > MAX_READERS - 2:
        raise NotCanonical(what=f"the term {TERM} is {text!r}")
    return audience


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Somebody that an update is sealed to."""

    participant: int
    """Its number in the registry."""
    epoch: int
    """Number of the key, from 0."""
    key: bytes
    """X25519 public key that was in force when the round opened, 32 bytes; b"" if there was none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What fixes a sealed update beside its content: all of it is chain state."""

    domain_separator: bytes
    """EIP-712 domain of the RoundLedger, 32 bytes: binds chain and contract."""
    round_id: int
    """Number of the round within the ledger, which is of one task."""
    client: int
    """Author."""
    readers: tuple[Reader, ...]
    """In rising participant number."""
    max_bytes: int
    """Largest update of the task (§3.1 check 1): everything is padded to that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Readership:
    """Whom the updates of one round are sealed to."""

    audience: Audience
    """Who is named by the task."""
    aggregator: int
    """Who opened the round."""
    keys: Mapping[int, Reader]
    """Key in force when the round opened, by participant: readers and clients that had one."""
    domain_separator: bytes
    """EIP-712 domain of the RoundLedger."""
    round_id: int
    """Number of the round within the ledger."""
    max_bytes: int
    """Largest update of the task, as it is before sealing."""

    def make_envelope(self, client: int) -> Envelope:
        """Return what fixes the sealed update of a client; a reader without a key has b"" in its place."""
        numbers = self.audience.list_readers(aggregator=self.aggregator, client=client)
        readers = [self.keys.get(n, Reader(participant=n, epoch=0, key=b"")) for n in numbers]
        return Envelope(
            domain_separator=self.domain_separator,
            round_id=self.round_id,
            client=client,
            readers=tuple(readers),
            max_bytes=self.max_bytes,
        )

    def name_readers(self, client: int) -> str:
        """Return who but its author can open an update, in words."""
        numbers = self.audience.list_readers(aggregator=self.aggregator, client=client)
        named = ((n, self.audience.name_role(n, aggregator=self.aggregator)) for n in numbers if n != client)
        return ", ".join(f"{role} {number}" for number, role in named)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stanza:
    """What one reader needs to open an update."""

    participant: int
    """The reader."""
    epoch: int
    """Number of its key."""
    encapsulation: bytes
    """Ephemeral X25519 public key (`enc` of RFC 9180), 32 bytes."""
    wrapped_seed: bytes
    """The update's seed for this reader, 48 bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """A sealed update, taken apart."""

    stanzas: tuple[Stanza, ...]
    """One a reader."""
    ciphertext: bytes
    """Padded update and authenticator."""


def compute_sealed_bytes(max_bytes: int, readers: int) -> int:
    """Return the length of every sealed update of a task with so many readers.

    Args: max_bytes: largest update of the task.
    """
    return _HEADER.size + _STANZA.size * readers + _LENGTH.size + max_bytes + TAG_BYTES


def encode_sealed_header(envelope: Envelope) -> bytes:
    """Return the first 50 bytes of an update sealed in an envelope."""
    count = len(envelope.readers)
    return _HEADER.pack(MAGIC, envelope.domain_separator, envelope.round_id, envelope.client, count)


def encode_stanzas(stanzas: Sequence[Stanza]) -> bytes:
    """Return stanzas as they follow the header, 88 bytes each."""
    return b"".join(_STANZA.pack(s.participant, s.epoch, s.encapsulation, s.wrapped_seed) for s in stanzas)


def pad(update: bytes, max_bytes: int) -> bytes:
    """Return the length of an update, the update, and zeros up to the largest one of its task.

    Raises: WrongLength: it is longer than that.
    """
    if len(update) > max_bytes:
        raise WrongLength(got=len(update), want=max_bytes)
    return _LENGTH.pack(len(update)) + update.ljust(max_bytes, b"\0")


def unpad(padded: bytes) -> bytes:
    """Return the update in padded bytes; that only zeros follow shows when it is padded again."""
    (length,) = _LENGTH.unpack_from(padded)
    return padded[_LENGTH.size : _LENGTH.size + length]


def decode_sealed(blob: bytes, envelope: Envelope) -> Sealed:
    """Return the parts of a sealed update, of which header and readers are those of its envelope.

    Raises: the first of WrongLength, WrongVersion, WrongLength or TrailingBytes by its own number of readers,
        WrongDomain, WrongRound, WrongClient, SealBroken (other readers).
    """
    if len(blob) < _HEADER.size:
        raise WrongLength(got=len(blob), want=_HEADER.size)
    magic, domain, round_id, client, count = _HEADER.unpack_from(blob)
    if magic != MAGIC:
        raise WrongVersion(got=magic.hex(), want=MAGIC.hex())
    size = compute_sealed_bytes(envelope.max_bytes, count)
    if len(blob) < size:
        raise WrongLength(got=len(blob), want=size)
    if len(blob) > size:
        raise TrailingBytes(extra=len(blob) - size, want=size)
    if domain != envelope.domain_separator:
        raise WrongDomain(got=domain.hex(), want=envelope.domain_separator.hex())
    if round_id != envelope.round_id:
        raise WrongRound(got=round_id, want=envelope.round_id)
    if client != envelope.client:
        raise WrongClient(got=client, want=envelope.client)
    end = _HEADER.size + _STANZA.size * count
    stanzas = tuple(_read_stanza(*fields) for fields in _STANZA.iter_unpack(blob[_HEADER.size : end]))
    if [(s.participant, s.epoch) for s in stanzas] != [(r.participant, r.epoch) for r in envelope.readers]:
        raise SealBroken(client=client, what="its readers are not the task's audience with their keys of this round")
    return Sealed(stanzas=stanzas, ciphertext=blob[end:])


def _read_stanza(participant: int, epoch: int, encapsulation: bytes, wrapped_seed: bytes) -> Stanza:
    return Stanza(participant=participant, epoch=epoch, encapsulation=encapsulation, wrapped_seed=wrapped_seed)
