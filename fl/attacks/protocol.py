"""Clients that break the ledger's protocol instead of the learning: what a script's `malform` does.

Each kind must end in an error of its own, exclude only its author, and leave the round intact.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ledger import spec

Malformation = Callable[[spec.VectorHeader, bytes], bytes]
"""From an honest header and payload to the bytes that the client publishes."""


def _flip(digest: bytes) -> bytes:
    return bytes([digest[0] ^ 1]) + digest[1:]


def _truncate(header: spec.VectorHeader, payload: bytes) -> bytes:
    return spec.encode_vector(header, payload)[:-1]


def _append(header: spec.VectorHeader, payload: bytes) -> bytes:
    return spec.encode_vector(header, payload) + b"\x00"


def _oversize(header: spec.VectorHeader, payload: bytes) -> bytes:
    return spec.encode_vector(header, payload) + bytes(spec.TRAILING_ALLOWANCE_BYTES + 1)


def _reversion(header: spec.VectorHeader, payload: bytes) -> bytes:
    blob = bytearray(spec.encode_vector(header, payload))
    blob[3] = spec.FORMAT_VERSION + 1
    return bytes(blob)


def _reshape(header: spec.VectorHeader, payload: bytes) -> bytes:
    smaller = replace(header, size=header.size - 1)
    return spec.encode_vector(smaller, payload[: -header.coordinate_bytes])


def _overflow(header: spec.VectorHeader, payload: bytes) -> bytes:
    lowest = (-1 << 8 * header.coordinate_bytes - 1).to_bytes(header.coordinate_bytes, "little", signed=True)
    return spec.encode_vector(header, lowest + payload[header.coordinate_bytes :])


def _other_round(header: spec.VectorHeader, payload: bytes) -> bytes:
    return spec.encode_vector(replace(header, round_id=header.round_id - 1), payload)


def _other_domain(header: spec.VectorHeader, payload: bytes) -> bytes:
    return spec.encode_vector(replace(header, domain_separator=_flip(header.domain_separator)), payload)


MALFORMATIONS: dict[str, tuple[Malformation, str]] = {
    "truncated": (_truncate, "FT710"),
    "trailing-bytes": (_append, "FT711"),
    "wrong-version": (_reversion, "FT712"),
    "wrong-shape": (_reshape, "FT713"),
    "out-of-range": (_overflow, "FT715"),
    "oversized": (_oversize, "FT716"),
    "wrong-round": (_other_round, "FT718"),
    "wrong-chain": (_other_domain, "FT719"),
    "wrong-contract": (_other_domain, "FT719"),
}
"""What a script's malformations publish, and the code that they end in. The kinds `nan`, `wrong-signer`, `late` and
`duplicate` break the protocol before anything is published: FT714, FT717, FT602 and FT603."""
