"""Unsigned varints as multiformats define them: seven bits a byte, low bits first, minimal, at most nine bytes."""

from __future__ import annotations

from ledger.errors import NotCanonical, WrongLength

MAX_VARINT_BYTES = 9


def encode_varint(value: int) -> bytes:
    """Return the shortest encoding of value, an integer in [0, 2**63)."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def decode_varint(data: bytes, at: int) -> tuple[int, int]:
    """Return the integer encoded at offset `at` and the offset behind it.

    Raises: WrongLength: data ends inside the varint. NotCanonical: longer than nine bytes, or not the shortest.
    """
    value = 0
    for index in range(MAX_VARINT_BYTES):
        if at + index >= len(data):
            raise WrongLength(got=len(data), want=at + index + 1)
        byte = data[at + index]
        value |= (byte & 127) << (7 * index)
        if byte < 128:
            if byte == 0 and index:
                raise NotCanonical(what="a varint is padded with a zero byte")
            return value, at + index + 1
    raise NotCanonical(what=f"a varint is longer than {MAX_VARINT_BYTES} bytes")
