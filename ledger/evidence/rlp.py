"""Recursive length prefix, the encoding of Ethereum's consensus objects, canonical or rejected.

Own code, since the bytes come from strangers: no byte is read twice for a length, nesting is bounded, and every
refusal is BadProof. Source: Ethereum Yellow Paper, appendix B.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from ledger.errors import BadProof

Item: TypeAlias = "bytes | list[Item]"
"""A byte string, or a list of items."""

MAX_DEPTH = 24
"""Deepest nesting of lists that is read: more than any header, receipt or trie node has."""

_STRING, _LIST = 0x80, 0xC0
_SHORT = 55


def encode(item: bytes | Sequence[object]) -> bytes:
    """Return the encoding of a byte string, or of a list of items."""
    if isinstance(item, bytes):
        return item if len(item) == 1 and item[0] < _STRING else _encode_length(len(item), _STRING) + item
    payload = b"".join(encode(part) for part in item)  # type: ignore[arg-type]  # parts are items, by contract
    return _encode_length(len(payload), _LIST) + payload


def encode_int(value: int) -> bytes:
    """Return a natural number as the byte string that stands for it: big endian, without leading zeros."""
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def decode(data: bytes) -> Item:
    """Return the item that `data` encodes.

    Raises: BadProof: not canonical, truncated, followed by more, or nested deeper than MAX_DEPTH.
    """
    item, end = _read(data, 0, len(data), 0)
    if end != len(data):
        raise BadProof(what=f"{len(data) - end} bytes follow the RLP item")
    return item


def decode_int(item: Item) -> int:
    """Return the natural number that a byte string stands for.

    Raises: BadProof: a list, or a leading zero.
    """
    if isinstance(item, list) or item[:1] == b"\x00":
        raise BadProof(what="no RLP number")
    return int.from_bytes(item, "big")


def split(data: bytes) -> list[bytes]:
    """Return the encodings of the items that follow each other in `data`, each whole and unread within.

    Raises: BadProof: truncated, or a length that is not canonical.
    """
    parts, start = [], 0
    while start < len(data):
        first, size, _ = _read_length(data, start, len(data))
        parts.append(data[start : first + size])
        start = first + size
    return parts


def _encode_length(length: int, kind: int) -> bytes:
    if length <= _SHORT:
        return bytes([kind + length])
    digits = encode_int(length)
    return bytes([kind + _SHORT + len(digits)]) + digits


def _read(data: bytes, start: int, limit: int, depth: int) -> tuple[Item, int]:
    """Return the item at `start`, which must end by `limit`, and where it ends."""
    first, size, is_list = _read_length(data, start, limit)
    end = first + size
    if not is_list:
        return data[first:end], end
    if depth >= MAX_DEPTH:
        raise BadProof(what=f"RLP lists nested deeper than {MAX_DEPTH}")
    items: list[Item] = []
    while first < end:
        item, first = _read(data, first, end, depth + 1)
        items.append(item)
    return items, end


def _read_length(data: bytes, start: int, limit: int) -> tuple[int, int, bool]:
    """Return where the payload of the item at `start` begins, its bytes, and whether it is a list."""
    if start >= limit:
        raise BadProof(what="truncated RLP")
    prefix = data[start]
    if prefix < _STRING:
        return start, 1, False
    is_list = prefix >= _LIST
    size, first = prefix - (_LIST if is_list else _STRING), start + 1
    if size > _SHORT:
        first, digits = first + size - _SHORT, data[first : min(first + size - _SHORT, limit)]
        size = int.from_bytes(digits, "big")
        if first > limit or size <= _SHORT or digits[0] == 0:
            raise BadProof(what="an RLP length that is not canonical")
    if first + size > limit:
        raise BadProof(what="truncated RLP")
    if not is_list and size == 1 and data[first] < _STRING:
        raise BadProof(what="a single byte with an RLP length")
    return first, size, is_list
