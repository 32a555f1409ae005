"""The section of a round script that pays clients for updates that went into finalised rounds."""

from __future__ import annotations

from ledger.chain import UNCAPPED_WEI
from ledger.script.sections import Amount, Seconds, Section
from ledger.units import parse_wei


class RewardsSection(Section):
    """What the operator promises the clients; the run claims it for them after every finalised round."""

    fund: Amount
    """What the pool has to pay."""
    rate: Amount
    """What a round pays a client for each ether of its stake."""
    cap: Amount | None = None
    """Stake of one client that counts at most; by default all of it. A cap holds nobody who splits a stake."""
    reclaim_seconds: Seconds = 30 * 86_400
    """From the promise until the operator may take the rest back."""

    @property
    def fund_wei(self) -> int:
        """What the pool has to pay, in wei."""
        return parse_wei(self.fund)

    @property
    def rate_wei(self) -> int:
        """What a round pays for each ether of stake, in wei."""
        return parse_wei(self.rate)

    @property
    def cap_wei(self) -> int:
        """Stake of one client that counts at most, in wei."""
        return UNCAPPED_WEI if self.cap is None else parse_wei(self.cap)
