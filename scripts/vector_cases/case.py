"""What a vector is, and how its values are written as JSON."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

COMPUTED = object()
"""Stands for a result that the specification computes; every other `want` is a literal, worked out by hand."""

_LARGEST_NUMBER = (1 << 53) - 1
"""JSON readers with doubles lose integers beyond this; they are written as decimal strings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One vector: an operation of the specification, its input, and its result or error."""

    name: str
    """Section and file name, named by what is special or changed: rules/median-even-negative-half."""
    clause: str
    """Clause of docs/protocol.md."""
    why: str
    """One sentence, with the arithmetic when the result is worked out by hand."""
    operation: str
    """A key of `operations.OPERATIONS`."""
    input: Mapping[str, Any]
    """Arguments, in the JSON form of docs/vectors.md."""
    want: Any = COMPUTED
    """The result; COMPUTED when the specification decides."""
    want_error: str | None = None
    """The FT code that must be raised instead."""


def with_changes(
    operation: str, clause: str, base: Mapping[str, Any], changes: Mapping[str, Any], why: str, want: Any
) -> list[Case]:
    """Return the base case of a commitment or digest, and one case for every field that `changes` replaces."""
    stem = operation.replace("_", "-")
    cases = [Case(name=f"commitment/{stem}", clause=clause, why=why, operation=operation, input=base, want=want)]
    for field, value in changes.items():
        name = f"commitment/{stem}-other-{field.replace('_', '-')}"
        reason, changed = f"{stem} with another {field}", {**base, field: value}
        cases.append(Case(name=name, clause=clause, why=reason, operation=operation, input=changed))
    return cases


def digest_of(text: str) -> str:
    """Return the SHA-256 of a text in JSON form: digests that are only names here."""
    return to_hex(hashlib.sha256(text.encode()).digest())


def to_hex(data: bytes) -> str:
    """Return the JSON form of bytes."""
    return "0x" + data.hex()


def from_hex(text: str) -> bytes:
    """Return the bytes of their JSON form."""
    return bytes.fromhex(text.removeprefix("0x"))


def to_float_bits(value: float, size: int = 4) -> str:
    """Return a float32 (size 4) or float64 (size 8) as its IEEE 754 bits, big endian."""
    return to_hex(struct.pack(">f" if size == 4 else ">d", value))


def from_float_bits(text: str) -> float:
    """Return the number that `to_float_bits` wrote."""
    data = from_hex(text)
    value: float = struct.unpack(">f" if len(data) == 4 else ">d", data)[0]
    return value


def to_json(value: Any) -> Any:
    """Return a result of the specification in its JSON form."""
    if isinstance(value, bytes):
        return to_hex(value)
    if isinstance(value, Mapping):
        return {key: to_json(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [to_json(item) for item in value]
    if isinstance(value, int) and abs(value) > _LARGEST_NUMBER:
        return str(value)
    return value


def dump(document: Mapping[str, Any]) -> str:
    """Return the text of a vector file: one field a line, so that a change shows in a diff."""
    lines = [f" {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in document.items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"
