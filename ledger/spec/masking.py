"""The layout's term `masking`: who may mask in a task, and how many shares recover a secret (docs/protocol.md §11.10).

    threshold(11)+roster(2-21,30)
    threshold(5)+roster(2-21)+degree(9)+groups(2)+least(8)+masks(sha256)

The first is that of a task whose rule is sum32: how many peers a client has is its rule_param, and UnmaskCourt judges
it. The second is that of a composed rule over the means of groups (§11.13), which replays judge, and no contract.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from ledger.spec.errors import NotCanonical
from ledger.spec.masks import Expansion
from ledger.spec.ranges import decode_ranges, encode_ranges

TERM = "masking"
"""Name of the layout's term."""

_NUMBER = r"([1-9][0-9]{0,3})"
_GROUPED = rf"\+degree\({_NUMBER}\)\+groups\({_NUMBER}\)\+least\({_NUMBER}\)\+masks\((sha256|aes)\)"
_TEXT = re.compile(rf"threshold\({_NUMBER}\)\+roster\(([0-9,-]{{1,900}})\)(?:{_GROUPED})?")
_MAX_PEERS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Masking:
    """What binds the rounds of a masked task beside its rule."""

    threshold: int
    """Shares that recover a secret; the fewest peers behind which a client hides. 1 to 1000."""
    roster: tuple[int, ...]
    """Participants that may mask, rising: the nodes of every round's graph."""
    degree: int = 0
    """Most peers of a client in its group, 1 to 1000; 0 where the task's rule is sum32 and its rule_param says it."""
    groups: int = 1
    """Groups of the roster, each with a sum of its own."""
    least: int = 0
    """Fewest updates in the sum of a group, at least 2; 0 where the task's rule is sum32."""
    expansion: Expansion = Expansion.SHA256
    """How seeds become masks."""

    @property
    def is_grouped(self) -> bool:
        """Whether the aggregate is a rule over the means of groups, be it one (§11.13)."""
        return self.degree > 0

    def __str__(self) -> str:
        """Return the text of the term."""
        text = f"threshold({self.threshold})+roster({encode_ranges(self.roster)})"
        if self.is_grouped:
            text += f"+degree({self.degree})+groups({self.groups})+least({self.least})+masks({self.expansion})"
        return text


@lru_cache(maxsize=16)
def decode_masking(text: str) -> Masking:
    """Return what a term's text says.

    Raises: NotCanonical: it is not what a Masking encodes to, or the roster gives no such groups.
    """
    match = _TEXT.fullmatch(text)
    masking = match and Masking(
        threshold=int(match[1]),
        roster=decode_ranges(match[2]),
        degree=int(match[3] or 0),
        groups=int(match[4] or 1),
        least=int(match[5] or 0),
        expansion=Expansion(match[6] or Expansion.SHA256),
    )
    if not masking or str(masking) != text or max(masking.threshold, masking.degree) > _MAX_PEERS:
        raise NotCanonical(what=f"the term {TERM} is {text!r}")
    if masking.is_grouped and not 2 <= masking.least <= len(masking.roster) // masking.groups:
        raise NotCanonical(what=f"the term {TERM} is {text!r}: groups are smaller than the fewest of a sum, or than 2")
    return masking
