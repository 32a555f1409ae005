"""Bytes that travel: vectors (updates, aggregates, models) and the manifest of a round (docs/protocol.md §3).

Both are canonical: `decode_*` returns only what `encode_*` gives back byte for byte. Sizes are checked before
anything is parsed. Integers in headers are big endian, coordinates little endian.
"""

from __future__ import annotations

import enum
import itertools
import struct
from dataclasses import dataclass

from ledger.spec.errors import (
    NotCanonical,
    OutOfRange,
    Oversized,
    TrailingBytes,
    WrongClient,
    WrongDomain,
    WrongExamples,
    WrongLength,
    WrongRound,
    WrongShape,
    WrongVersion,
)
from ledger.spec.masks import SEED_LINE_BYTES, decode_seed_table
from ledger.spec.numbers import INT32_MAX, MAX_NUM_EXAMPLES
from ledger.spec.tree import DIGEST_BYTES, WORD_BYTES, Bytes, compute_chunk_root, decode_int32, encode_int32

FORMAT_VERSION = 1
HEADER = struct.Struct(">2scB32sQIIIBB2x")
"""magic "FT", kind, version, domain separator, round, client, num_examples, size, scale_bits, leaf_log2, two zeros."""
HEADER_BYTES = HEADER.size
NARROW_BYTES = 2
"""Of a coordinate of a narrow update."""
TRAILING_ALLOWANCE_BYTES = 1024
MAX_MANIFEST_BYTES = 1 << 20
"""A manifest is one IPFS block; blocks above 1 MiB do not travel over bitswap."""


class Kind(enum.Enum):
    """What a vector is."""

    UPDATE = b"U"
    MASKED = b"S"
    """An update under masks, with its seed table after the coordinates (§11.10)."""
    NARROW = b"N"
    """An update whose coordinates are stored as int16 (§3.6)."""
    AGGREGATE = b"A"
    MODEL = b"M"


def _verify_length(got: int, want: int) -> None:
    if got < want:
        raise WrongLength(got=got, want=want)
    if got > want:
        raise TrailingBytes(extra=got - want, want=want)


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorHeader:
    """Header of a vector blob; 60 bytes when encoded."""

    kind: Kind
    """Update, aggregate or model."""
    domain_separator: bytes
    """EIP-712 domain separator of the RoundLedger: binds chain and contract. 32 bytes."""
    round_id: int
    """Round that the vector belongs to; 0 for a genesis model."""
    client: int
    """Author: the client of an update, the aggregator of an aggregate or model, 0 for a genesis model."""
    num_examples: int
    """Examples trained on (update), updates included (aggregate), 0 (model)."""
    size: int
    """Number of coordinates."""
    scale_bits: int
    """Fractional bits of the fixed-point format."""
    leaf_log2: int
    """A leaf of the chunk tree holds 2**leaf_log2 coordinates."""

    @property
    def coordinate_bytes(self) -> int:
        """Bytes that each coordinate takes in the blob."""
        return NARROW_BYTES if self.kind is Kind.NARROW else WORD_BYTES

    @property
    def size_bytes(self) -> int:
        """Length of the whole blob."""
        return HEADER_BYTES + self.coordinate_bytes * self.size


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorBlob:
    """A decoded vector: its header and the bytes of its coordinates (little endian)."""

    header: VectorHeader
    """The header as decoded."""
    payload: Bytes
    """header.coordinate_bytes * size bytes."""
    seed_table: bytes = b""
    """Of a masked update: its seed table, 36 bytes a line; empty of any other vector."""

    def values(self) -> list[int]:
        """Return the coordinates as integers."""
        if self.header.coordinate_bytes == WORD_BYTES:
            return decode_int32(self.payload)
        return list(struct.unpack(f"<{self.header.size}h", self.payload))

    def words(self) -> Bytes:
        """Return the coordinates as trees hash them and courts read them: as int32, however they are stored (§3.6)."""
        return self.payload if self.header.coordinate_bytes == WORD_BYTES else encode_int32(self.values())

    def root(self) -> bytes:
        """Return the chunk-tree root of the coordinates."""
        return compute_chunk_root(self.words(), WORD_BYTES << self.header.leaf_log2)


def encode_vector(header: VectorHeader, payload: Bytes, seed_table: Bytes = b"") -> bytes:
    """Return the canonical blob of a vector (§3.1); arguments and errors as for `split_vector`."""
    return b"".join(split_vector(header, payload, seed_table))


def split_vector(header: VectorHeader, payload: Bytes, seed_table: Bytes = b"") -> tuple[bytes, Bytes, Bytes]:
    """Return the canonical blob of a vector in three pieces, of which only the first is made (§3.1).

    Args: payload: the coordinates. seed_table: of a masked update (§11.2); empty of any other vector.
    Raises: WrongLength: payload is not header.coordinate_bytes * header.size bytes. TrailingBytes: a digest is longer
        than 32 bytes, or a vector that is not masked has seeds.
    """
    if len(payload) != header.coordinate_bytes * header.size:
        raise WrongLength(got=HEADER_BYTES + len(payload), want=header.size_bytes)
    _verify_seed_bytes(header, len(seed_table))
    _verify_length(len(header.domain_separator), DIGEST_BYTES)
    fields = (header.round_id, header.client, header.num_examples, header.size)
    tail = (header.scale_bits, header.leaf_log2)
    magic = (b"FT", header.kind.value, FORMAT_VERSION, header.domain_separator)
    return HEADER.pack(*magic, *fields, *tail), payload, seed_table


def _verify_seed_bytes(header: VectorHeader, length: int) -> None:
    if header.kind is not Kind.MASKED and length:
        raise TrailingBytes(extra=length, want=header.size_bytes)
    if length % SEED_LINE_BYTES:
        want = header.size_bytes + length // SEED_LINE_BYTES * SEED_LINE_BYTES
        raise WrongLength(got=header.size_bytes + length, want=want)


def decode_vector(data: Bytes, *, max_bytes: int) -> VectorBlob:
    """Return the vector in data, exactly as it was encoded (§3.1).

    Args: data: bytes from a stranger. max_bytes: largest length that the caller accepts.
    Raises: Oversized, WrongLength, TrailingBytes, WrongVersion, NotCanonical.
    """
    if len(data) > max_bytes:
        raise Oversized(got=len(data), want=max_bytes)
    if len(data) < HEADER_BYTES:
        raise WrongLength(got=len(data), want=HEADER_BYTES)
    header = _decode_header(data[:HEADER_BYTES])
    if len(data) < header.size_bytes:
        raise WrongLength(got=len(data), want=header.size_bytes)
    _verify_seed_bytes(header, len(data) - header.size_bytes)
    payload, seed_table = data[HEADER_BYTES : header.size_bytes], bytes(data[header.size_bytes :])
    return VectorBlob(header=header, payload=payload, seed_table=seed_table)


def _decode_header(data: Bytes) -> VectorHeader:
    magic, kind, version, domain, round_id, client, examples, size, scale, leaf = HEADER.unpack(data)
    kinds = {k.value: k for k in Kind}
    if magic != b"FT" or kind not in kinds or version != FORMAT_VERSION:
        raise WrongVersion(got=data[:4].hex(), want=f"4654..{FORMAT_VERSION:02x}")
    if data[-2:] != b"\x00\x00":
        raise NotCanonical(what=f"reserved header bytes are {data[-2:].hex()}")
    return VectorHeader(
        kind=kinds[kind],
        domain_separator=domain,
        round_id=round_id,
        client=client,
        num_examples=examples,
        size=size,
        scale_bits=scale,
        leaf_log2=leaf,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What a vector must say to belong where it was found: all of it fixed by chain state."""

    kind: Kind
    """Update, masked update, aggregate or model."""
    domain_separator: bytes
    """Of the RoundLedger."""
    round_id: int
    """The round at hand."""
    client: int
    """The author that the chain names."""
    size: int
    """The task's number of coordinates."""
    scale_bits: int
    """The task's scale."""
    leaf_log2: int
    """The task's leaf size."""
    degree: int = 0
    """Of a masked update: the most peers that its seed table may list."""

    @property
    def max_bytes(self) -> int:
        """Largest blob that is parsed: this shape, and a little more, to tell trailing bytes from a flood."""
        return compute_max_bytes(self.size, self.degree)


def compute_max_bytes(size: int, degree: int = 0) -> int:
    """Return the largest vector blob of a task that is read (§3.1 check 1).

    Args: size: the task's coordinates. degree: of a masked task, else 0.
    """
    table_bytes = SEED_LINE_BYTES * (degree + 1) if degree else 0
    return HEADER_BYTES + WORD_BYTES * size + table_bytes + TRAILING_ALLOWANCE_BYTES


def verify_header(header: VectorHeader, want: Expectation) -> None:
    """Return if a decoded header is the expected one; the first difference is named (§3.2).

    Raises: WrongVersion (kind), WrongDomain, WrongRound, WrongClient, WrongShape, WrongExamples.
    """
    if header.kind is not want.kind:
        raise WrongVersion(got=header.kind.name.lower(), want=want.kind.name.lower())
    if header.domain_separator != want.domain_separator:
        raise WrongDomain(got=header.domain_separator.hex(), want=want.domain_separator.hex())
    if header.round_id != want.round_id:
        raise WrongRound(got=header.round_id, want=want.round_id)
    if header.client != want.client:
        raise WrongClient(got=header.client, want=want.client)
    for field in ("size", "scale_bits", "leaf_log2"):
        if getattr(header, field) != getattr(want, field):
            raise WrongShape(field=field, got=getattr(header, field), want=getattr(want, field))
    if header.kind in (Kind.UPDATE, Kind.MASKED, Kind.NARROW) and header.num_examples == 0:
        raise WrongExamples(got=0, want=MAX_NUM_EXAMPLES)


def verify_range(values: list[int], bound: int) -> None:
    """Return if every coordinate is within [-bound, bound] (§1.4).

    Raises: OutOfRange: names the first coordinate that is not.
    """
    for coordinate, value in enumerate(values):
        if not -bound <= value <= bound:
            raise OutOfRange(coordinate=coordinate, got=value, want=bound)


def decode_update(data: Bytes, *, want: Expectation, bound: int) -> VectorBlob:
    """Return the update in data if it is canonical, belongs to `want` and is in range (§3.2).

    A masked update has no range; its seed table is judged instead (§11.10).

    Raises: every SpecError of decode_vector, verify_header and verify_range, or masks.decode_seed_table.
    """
    blob = decode_vector(data, max_bytes=want.max_bytes)
    verify_header(blob.header, want)
    if want.kind is Kind.MASKED:
        decode_seed_table(blob.seed_table, owner=want.client, degree=want.degree)
    else:
        verify_range(blob.values(), min(bound, INT32_MAX))
    return blob


ENTRY = struct.Struct(">IHB32s32s32s")
"""client, reason (0 = included, else an FT code), CID codec (0 = never published), digest, r, vs."""
MANIFEST_HEADER = struct.Struct(">4s32sQIB32sB32sB32s")
"""magic "FTD" and version, domain separator, round, entries, then codec and digest of base, aggregate and model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentId:
    """Where a blob is: the parts of a CIDv1 with SHA-256."""

    codec: int
    """0x55 raw, 0x70 dag-pb."""
    digest: bytes
    """SHA-256 of the root block, 32 bytes."""

    def __post_init__(self) -> None:
        _verify_length(len(self.digest), DIGEST_BYTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestEntry:
    """One committed client in the manifest of a round."""

    client: int
    """Participant id."""
    reason: int
    """0 when included, else the number of the FT code for which it was excluded."""
    content: ContentId | None
    """Where the client published its update; None when it never did."""
    signature: bytes
    """The client's signature of its publication (r | vs, 64 bytes; zeros when it never published)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What an aggregator says a round's blobs are; bound by the proposal's dataId."""

    domain_separator: bytes
    """Of the RoundLedger."""
    round_id: int
    """The round."""
    base: ContentId | None
    """The model that the round started from."""
    aggregate: ContentId | None
    """The aggregate; None for an abandoned round."""
    model: ContentId | None
    """Base model plus aggregate; None for an abandoned round."""
    entries: tuple[ManifestEntry, ...]
    """Every client that committed, in rising id."""


_NOTHING = ContentId(codec=0, digest=bytes(32))
_CODECS = (0x55, 0x70)


def encode_manifest(manifest: Manifest) -> bytes:
    """Return the canonical bytes of a manifest (§3.3); its SHA-256 is the proposal's dataId."""
    _verify_length(len(manifest.domain_separator), DIGEST_BYTES)
    head = (b"FTD\x01", manifest.domain_separator, manifest.round_id, len(manifest.entries))
    parts = [content or _NOTHING for content in (manifest.base, manifest.aggregate, manifest.model)]
    blobs = [field for part in parts for field in (part.codec, part.digest)]
    return MANIFEST_HEADER.pack(*head, *blobs) + b"".join(map(_encode_entry, manifest.entries))


def _encode_entry(entry: ManifestEntry) -> bytes:
    _verify_length(len(entry.signature), 2 * DIGEST_BYTES)
    content = entry.content or _NOTHING
    r, vs = entry.signature[:32], entry.signature[32:]
    return ENTRY.pack(entry.client, entry.reason, content.codec, content.digest, r, vs)


def decode_manifest(data: Bytes) -> Manifest:
    """Return the manifest in data, canonical or rejected (§3.3).

    Raises: Oversized, WrongLength, TrailingBytes, WrongVersion, NotCanonical.
    """
    if len(data) > MAX_MANIFEST_BYTES:
        raise Oversized(got=len(data), want=MAX_MANIFEST_BYTES)
    if len(data) < MANIFEST_HEADER.size:
        raise WrongLength(got=len(data), want=MANIFEST_HEADER.size)
    magic, domain, round_id, count, *blobs = MANIFEST_HEADER.unpack_from(data)
    if magic != b"FTD\x01":
        raise WrongVersion(got=magic.hex(), want=b"FTD\x01".hex())
    _verify_length(len(data), MANIFEST_HEADER.size + count * ENTRY.size)
    entries = tuple(_decode_entry(fields) for fields in ENTRY.iter_unpack(data[MANIFEST_HEADER.size :]))
    manifest = Manifest(
        domain_separator=domain,
        round_id=round_id,
        base=_decode_content(blobs[0], blobs[1]),
        aggregate=_decode_content(blobs[2], blobs[3]),
        model=_decode_content(blobs[4], blobs[5]),
        entries=entries,
    )
    _verify_rising([entry.client for entry in entries])
    if encode_manifest(manifest) != data:
        raise NotCanonical(what="manifest")
    return manifest


def _verify_rising(clients: list[int]) -> None:
    for before, after in itertools.pairwise(clients):
        if after <= before:
            raise NotCanonical(what=f"client {after} follows client {before}")


def _decode_entry(fields: tuple[int, int, int, bytes, bytes, bytes]) -> ManifestEntry:
    client, reason, codec, digest, r, vs = fields
    if codec == 0 and any(r + vs):
        raise NotCanonical(what=f"client {client} published nothing and signed for it")
    return ManifestEntry(client=client, reason=reason, content=_decode_content(codec, digest), signature=r + vs)


def _decode_content(codec: int, digest: bytes) -> ContentId | None:
    if codec == 0:
        if any(digest):
            raise NotCanonical(what="a digest without a codec")
        return None
    if codec not in _CODECS:
        raise NotCanonical(what=f"content codec {codec:#x}")
    return ContentId(codec=codec, digest=digest)
