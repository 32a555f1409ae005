"""How a task has its updates stored with coordinates of 16 bits: its term `coordinates` (docs/protocol.md §3.6).

    int16

What clients commit to, what trees hash and courts read stays int32: only what is stored and sent is narrower.
"""

from __future__ import annotations

from ledger.spec.errors import NotCanonical

TERM = "coordinates"
"""Name of the term."""
TEXT = "int16"
"""Its only text."""
MAX_NARROW = (1 << 15) - 1
"""Largest |coordinate| that is of use: -2**15 has no opposite."""


def decode_narrow(text: str) -> None:
    """Return if a text of the term says what it can say.

    Raises: NotCanonical: it says something else.
    """
    if text != TEXT:
        raise NotCanonical(what=f"coordinates {text!r}, only {TEXT} is known")
