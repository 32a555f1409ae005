"""Who masks with whom, from chain state alone: nobody chooses its neighbours, nor those of others."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property

from ledger import spec

_LABEL = b"fedtrail/masking/1"


@dataclass(frozen=True, kw_only=True)  # no slots: cached properties need a place
class Setting:
    """What everybody in a masked round knows from the chain."""

    domain_separator: bytes
    """EIP-712 domain separator of the RoundLedger: chain and contract. 32 bytes."""
    round_id: int
    """The round."""
    beacon: bytes
    """From spec.compute_beacon; 32 bytes."""
    roster: tuple[int, ...]
    """Participants that may mask, as the task's term says; rising."""
    keys: Mapping[int, bytes]
    """X25519 public key in force when the round opened, by participant; 32 bytes."""
    degree: int
    """Most peers of a client in its group."""
    threshold: int
    """Shares that recover a secret, and the fewest peers behind which a client hides."""
    quorum: int
    """Fewest survivors: the task's."""
    group_count: int = 1
    """Groups with a sum each (§11.13)."""
    least: int = 0
    """Fewest survivors of a group whose sum is shown."""
    expansion: spec.Expansion = spec.Expansion.SHA256
    """How seeds become masks."""

    @cached_property
    def groups(self) -> spec.Groups:
        """The roster in groups; one of everybody where there is one sum."""
        return spec.draw_groups(self.roster, self.group_count, self.beacon)

    def select_group(self, client: int, among: Collection[int]) -> frozenset[int]:
        """Return who of some participants is in a client's group."""
        return frozenset(among).intersection(next((group for group in self.groups if client in group), ()))

    @cached_property
    def peers(self) -> dict[int, list[int]]:
        """Peers of every client of the roster, rising (§11.7), all in its group."""
        return {
            client: peers
            for group in self.groups
            for client, peers in spec.compute_peers(group, self.degree, self.beacon).items()
        }

    @cached_property
    def context(self) -> bytes:
        """What every key and message of the round is bound to: chain, contract, round, graph and threshold."""
        fields = self.round_id.to_bytes(8, "big") + self.beacon + self.threshold.to_bytes(2, "big")
        return hashlib.sha256(_LABEL + self.domain_separator + fields).digest()
