"""Who masks with whom, from chain state alone: nobody chooses its neighbours, nor those of others."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from ledger import spec

_LABEL = b"fedtrail/masking/1"


def compute_beacon(domain_separator: bytes, round_id: int, block_hash: bytes) -> bytes:
    """Return the 32 bytes that order the ring of a round.

    Args: block_hash: of the block in which the round was opened. Whoever makes blocks may throw a few of them away to
        try again; an aggregator alone does not know it when it opens the round.
    """
    fields = domain_separator + round_id.to_bytes(8, "big") + block_hash
    return hashlib.sha256(_LABEL + b"/beacon" + fields).digest()


@dataclass(frozen=True, kw_only=True)  # no slots: cached properties need a place
class Setting:
    """What everybody in a masked round knows from the chain."""

    domain_separator: bytes
    """EIP-712 domain separator of the RoundLedger: chain and contract. 32 bytes."""
    round_id: int
    """The round."""
    beacon: bytes
    """From compute_beacon; 32 bytes."""
    roster: tuple[int, ...]
    """Participants that may mask, as the task's term says; rising."""
    keys: Mapping[int, bytes]
    """X25519 public key in force when the round opened, by participant; 32 bytes."""
    degree: int
    """Most peers of a client: the task's rule_param."""
    threshold: int
    """Shares that recover a secret, and the fewest peers behind which a client hides."""
    quorum: int
    """Fewest survivors: the task's."""

    @cached_property
    def peers(self) -> dict[int, list[int]]:
        """Peers of every client of the roster, rising (§11.7)."""
        return spec.compute_peers(self.roster, self.degree, self.beacon)

    @cached_property
    def context(self) -> bytes:
        """What every key and message of the round is bound to: chain, contract, round, graph and threshold."""
        fields = self.round_id.to_bytes(8, "big") + self.beacon + self.threshold.to_bytes(2, "big")
        return hashlib.sha256(_LABEL + self.domain_separator + fields).digest()
