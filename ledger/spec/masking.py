"""The layout's term `masking`: who may mask in a task, and how many shares recover a secret (docs/protocol.md §11.10).

    threshold(11)+roster(2-21,30)

How many peers a client has is the task's rule_param.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ledger.spec.errors import NotCanonical
from ledger.spec.ranges import decode_ranges, encode_ranges

TERM = "masking"
"""Name of the layout's term."""

_TEXT = re.compile(r"threshold\(([1-9][0-9]{0,3})\)\+roster\(([0-9,-]{1,900})\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Masking:
    """What binds the rounds of a masked task beside its degree."""

    threshold: int
    """Shares that recover a secret; the fewest peers behind which a client hides. 1 to 1000."""
    roster: tuple[int, ...]
    """Participants that may mask, rising: the nodes of every round's graph."""

    def __str__(self) -> str:
        """Return the text of the term."""
        return f"threshold({self.threshold})+roster({encode_ranges(self.roster)})"


def decode_masking(text: str) -> Masking:
    """Return what a term's text says.

    Raises: NotCanonical: it is not what a Masking encodes to.
    """
    match = _TEXT.fullmatch(text)
    masking = match and Masking(threshold=int(match[1]), roster=decode_ranges(match[2]))
    if not masking or str(masking) != text or not masking.threshold <= 1000:
        raise NotCanonical(what=f"the term {TERM} is {text!r}")
    return masking
