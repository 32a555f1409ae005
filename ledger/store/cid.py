"""Content identifiers: CIDv1 over sha2-256, of raw or dag-pb blocks. Canonical or rejected."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from ledger import kernels
from ledger.errors import NotAContentId
from ledger.spec import Bytes

_VERSION = 0x01
_SHA2_256 = bytes([0x12, 0x20])  # the multihash prefix: function code, then the length of the digest
_DIGEST_BYTES = 32
CID_BYTES = 2 + len(_SHA2_256) + _DIGEST_BYTES
_SHOWN_CHARACTERS = 80  # how much of a wrong text an error quotes


class Codec(IntEnum):
    """What a block's bytes are (multicodec table)."""

    RAW = 0x55
    DAG_PB = 0x70


@dataclass(frozen=True, slots=True, kw_only=True)
class Cid:
    """The identifier of a block: its codec and the SHA-256 of its bytes."""

    codec: Codec
    """How to read the block: RAW for file bytes, DAG_PB for an inner node."""
    digest: bytes
    """SHA-256 of the block's bytes, 32 bytes."""

    def __post_init__(self) -> None:
        if len(self.digest) != _DIGEST_BYTES:
            raise NotAContentId(
                text=self.digest.hex()[:_SHOWN_CHARACTERS], reason=f"the digest has {len(self.digest)} bytes, not 32"
            )

    @classmethod
    def of(cls, block: Bytes, codec: Codec = Codec.RAW) -> Cid:
        """Return the identifier of a block."""
        return cls(codec=codec, digest=hashlib.sha256(block).digest())

    @classmethod
    def of_all(cls, blocks: Sequence[Bytes]) -> list[Cid]:
        """Return the identifiers of raw blocks, many of them faster together than one by one."""
        fast = kernels.find_for_bytes(sum(map(len, blocks)))
        digests = None if fast is None else fast.hash_pieces(blocks)
        return [cls(codec=Codec.RAW, digest=digest) for digest in digests] if digests else list(map(cls.of, blocks))

    @classmethod
    def from_bytes(cls, data: bytes) -> Cid:
        """Return the identifier encoded in 36 bytes: version, codec, multihash.

        Raises: NotAContentId: another version, codec or hash function, or another length.
        """
        codec, reason = _judge_prefix(data)
        if reason:
            raise NotAContentId(text=data.hex()[:_SHOWN_CHARACTERS], reason=reason)
        return cls(codec=Codec(codec), digest=bytes(data[CID_BYTES - _DIGEST_BYTES :]))

    @classmethod
    def from_text(cls, text: str) -> Cid:
        """Return the identifier written as `b` and lower-case base32 without padding, the form `str()` gives.

        Raises: NotAContentId: another base, version, codec or hash function; truncated; not canonical.
        """
        try:
            data = _decode_base32(text)
            cid = cls.from_bytes(data)
        except (ValueError, binascii.Error) as error:
            raise NotAContentId(text=text[:_SHOWN_CHARACTERS], reason=str(error)) from None
        except NotAContentId as error:
            raise NotAContentId(text=text[:_SHOWN_CHARACTERS], reason=error.detail["reason"]) from None
        if str(cid) != text:
            raise NotAContentId(text=text[:_SHOWN_CHARACTERS], reason="not the canonical spelling")
        return cid

    def to_bytes(self) -> bytes:
        """Return the 36 bytes of the identifier: version, codec, multihash."""
        return bytes([_VERSION, self.codec]) + self.multihash

    @property
    def multihash(self) -> bytes:
        """The 34 bytes of hash function, digest length and digest."""
        return _SHA2_256 + self.digest

    def matches(self, block: Bytes) -> bool:
        """Tell whether block is what this identifier names."""
        return hashlib.sha256(block).digest() == self.digest

    def __repr__(self) -> str:
        return f"Cid({self})"

    def __str__(self) -> str:
        return "b" + base64.b32encode(self.to_bytes()).decode().lower().rstrip("=")


def _judge_prefix(data: bytes) -> tuple[int, str]:
    """Return the codec and an empty reason, or 0 and why data is no identifier that fedtrail reads."""
    if data[:2] == _SHA2_256:
        return 0, "this is a CIDv0; convert it to version 1"
    if len(data) != CID_BYTES:
        return 0, f"{len(data)} bytes, a CIDv1 with sha2-256 has {CID_BYTES}"
    if data[0] != _VERSION:
        return 0, f"version {data[0]}, only 1 is read"
    if data[1] not in (Codec.RAW, Codec.DAG_PB):
        return 0, f"codec 0x{data[1]:02x}, only raw (0x55) and dag-pb (0x70) are read"
    if data[2:4] != _SHA2_256:
        return 0, f"multihash prefix {data[2:4].hex()}, only sha2-256 (1220) is read"
    return data[1], ""


def _decode_base32(text: str) -> bytes:
    if text.startswith("Qm"):
        raise ValueError("this is a CIDv0; convert it to version 1")
    if not text.startswith("b"):
        raise ValueError("a CIDv1 in base32 starts with 'b'")
    if not text.isascii() or text != text.lower():
        raise ValueError("base32 is written in lower-case letters and digits")
    body = text[1 : 2 * CID_BYTES].upper()  # longer texts cannot be right; the length check says so
    if len(text) >= 2 * CID_BYTES:
        raise ValueError(f"{len(text)} characters, a CIDv1 with sha2-256 has 59")
    return base64.b32decode(body + "=" * (-len(body) % 8))
