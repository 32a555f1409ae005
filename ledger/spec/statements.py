"""What participants state about rounds, as packed bytes (docs/protocol.md, Statements and rewards).

A statement's entries rise by client and name each of them once. Labels (what is scored, which mechanism) are ASCII.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterable, Sequence

from ledger.spec.errors import NotCanonical

SCORE_UNITS = 1 << 16
"""A score's value counts units of 2^-16."""
EPSILON_UNITS = 10**6
"""Epsilon counts millionths."""
DELTA_UNITS = 10**12
"""Delta counts units of 1e-12."""
MAX_ENTRIES = 10_000
"""Most entries of one statement; a transaction carries about 6,000 of privacy spent."""
LABEL_BYTES = 31
"""Longest label."""
_SCORE = struct.Struct(">Iq")
_SPEND = struct.Struct(">IQQ")


def encode_scores(entries: Iterable[tuple[int, int]]) -> bytes:
    """Return packed (client u32 | value i64), in rising client id.

    Args: entries: (client, value in units of 2^-16).
    Raises: NotCanonical: no entry, more than MAX_ENTRIES, a client twice, or a number that does not fit.
    """
    return _pack(_SCORE, entries)


def decode_scores(data: bytes) -> list[tuple[int, int]]:
    """Return the (client, value) pairs of a ScoresRecorded event. Raises: NotCanonical."""
    return [(client, value) for client, value in _unpack(_SCORE, data)]


def encode_spends(entries: Iterable[tuple[int, int, int]]) -> bytes:
    """Return packed (client u32 | epsilon u64 | delta u64), in rising client id.

    Args: entries: (client, epsilon in 1e-6, delta in 1e-12): what a task has spent of a client's privacy from its
    first round to this one, both included.
    Raises: NotCanonical: as encode_scores; a delta above 1.
    """
    return _pack(_SPEND, _check_deltas(entries))


def decode_spends(data: bytes) -> list[tuple[int, int, int]]:
    """Return the (client, epsilon, delta) triples of a PrivacySpent event. Raises: NotCanonical."""
    return [(client, epsilon, delta) for client, epsilon, delta in _unpack(_SPEND, data)]


def encode_label(text: str) -> bytes:
    """Return a label as 32 bytes, padded with zeros. Raises: NotCanonical: empty, too long, or not printable ASCII."""
    if not 1 <= len(text) <= LABEL_BYTES or not (text.isascii() and text.isprintable()):
        raise NotCanonical(what=f"the label {text!r} is not 1 to {LABEL_BYTES} printable ASCII characters")
    return text.encode("ascii").ljust(32, b"\0")


def decode_label(data: bytes) -> str:
    """Return the text of 32 bytes that anybody may have written; what is not printable ASCII comes as 0x hex."""
    text = data.rstrip(b"\0").decode("ascii", errors="replace")
    return text if text.isascii() and text.isprintable() and text else f"0x{data.hex()}"


def is_evaluation(kind: str) -> bool:
    """Return whether what is scored is the model: a split and a metric, `test/accuracy`, under the scorer's number."""
    return "/" in kind


def _check_deltas(entries: Iterable[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    found = list(entries)
    for client, _, delta in found:
        if delta > DELTA_UNITS:
            raise NotCanonical(what=f"client {client} has a delta above 1")
    return found


def _pack(layout: struct.Struct, entries: Iterable[Sequence[int]]) -> bytes:
    ordered = sorted(map(tuple, entries))
    if not 1 <= len(ordered) <= MAX_ENTRIES:
        raise NotCanonical(what=f"{len(ordered)} entries, a statement has 1 to {MAX_ENTRIES}")
    if len({entry[0] for entry in ordered}) != len(ordered) or ordered[0][0] < 1:
        raise NotCanonical(what="a statement names each client once, by its number from 1")
    try:
        return b"".join(layout.pack(*entry) for entry in ordered)
    except struct.error as problem:
        raise NotCanonical(what=f"an entry does not fit: {problem}") from None


def _unpack(layout: struct.Struct, data: bytes) -> list[tuple[int, ...]]:
    if len(data) % layout.size:
        raise NotCanonical(what=f"{len(data)} bytes are no entries of {layout.size}")
    entries = list(layout.iter_unpack(data))
    if any(before[0] >= after[0] for before, after in itertools.pairwise(entries)):
        raise NotCanonical(what="entries do not rise by client")
    return entries
