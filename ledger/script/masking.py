"""The section `masking:` of a round script: secure aggregation, so that nobody sees the update of one client."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import Field

from ledger import spec
from ledger.script.sections import Section

if TYPE_CHECKING:
    from ledger.script import Place, Script

MIN_CLIENTS = 3
"""Of two clients each knows the other's update by the sum."""


class MaskingSection(Section):
    """Clients mask their updates; the ledger holds masked updates, and the sum (docs/secure-aggregation.md)."""

    degree: int | None = Field(default=None, ge=2, le=spec.MAX_PEERS)
    """Peers of each client, even unless it is everybody; default: O(log n), 20 of 100 clients."""
    threshold: int | None = Field(default=None, ge=1, le=spec.MAX_PEERS)
    """Shares that recover the secret of a client that is gone; default: more than half of its peers."""

    def get_degree(self, clients: int) -> int:
        """Return the peers of each client. Args: clients: of the script."""
        return choose_degree(clients) if self.degree is None else self.degree

    def get_threshold(self, clients: int) -> int:
        """Return how many shares recover a secret."""
        return choose_threshold(self.get_degree(clients)) if self.threshold is None else self.threshold

    def label(self, clients: int) -> str:
        """Return what the task does and does not do, for people."""
        told = f"masked among {self.get_degree(clients)} peers, recovered by {self.get_threshold(clients)}"
        return f"{told}; equal weights; clipping is the client's word: no norm is enforced, no update judged"


def choose_degree(clients: int) -> int:
    """Return the number of peers where a script names none: O(log n), even unless it is everybody.

    With 100 clients it is 20, as in SecAgg+ for 2**-40 (Bell et al. 2020).
    """
    return max(1, min(clients - 1, 2 * math.ceil(1.5 * math.log2(clients))))


def choose_threshold(degree: int) -> int:
    """Return how many shares recover a secret where a script names no number: more than half of the peers."""
    return degree // 2 + 1


def check_masking(script: Script) -> Iterator[tuple[Place, str]]:
    """Yield what the section `masking:` of a script contradicts."""
    section, count, place = script.masking, script.clients.count, ("masking",)
    if section is None:
        return
    if script.run.rule.rule is not spec.Rule.SUM32:
        yield place, f"masked updates can only be summed: 'run.rule.name' is {script.run.rule.name}, expected sum32"
    if script.availability is not None:
        yield place, "no attestor can open a leaf of a masked update: 'availability' and 'masking' exclude each other"
    if count < MIN_CLIENTS:
        yield place, f"'clients.count' is {count}: among fewer than {MIN_CLIENTS} clients a sum hides nothing"
        return
    degree, threshold = section.get_degree(count), section.get_threshold(count)
    if degree > count - 1 or (degree % 2 and degree != count - 1):
        yield (*place, "degree"), f"'masking.degree' is {degree}, expected an even number or {count - 1}, at most that"
    if threshold > degree:
        yield (*place, "threshold"), f"'masking.threshold' is {threshold}, more than the {degree} peers of a client"
    if script.format.bound * count > spec.INT32_MAX:
        most = spec.INT32_MAX // count
        yield ("format", "bound"), f"a sum of {count} updates may wrap around: 'format.bound' must be at most {most}"
