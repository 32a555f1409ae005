"""What a challenger does next about one round: pure, from what the chain says and what it has bought before."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from ledger import spec
from ledger.chain.views import ESCROW_SECONDS

_TAG = (1 << 56) - 1


class Step(enum.StrEnum):
    """A step of a challenger."""

    BUY_TICKET = "buy ticket"
    """Say that there is a proof, without saying what: it can be claimed back from a copier then."""
    PROVE = "prove"
    """Bring the proof before its court."""
    CONTEST = "contest"
    """Claim a reward from a copier by the earlier ticket."""
    CLAIM = "claim"
    """Take the bond, if nobody has, and have the reward paid."""
    WAIT = "wait"
    """Nothing to do before the reward can be paid."""
    NOTHING = "nothing"
    """Nothing to do any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """What was said about a proof before it was shown."""

    proof_hash: bytes
    """Keccak-256 of the proof."""
    salt: bytes
    """32 bytes that nobody else knows."""
    bought_at: int
    """Second of the purchase, since 1970; 0 while it is not bought."""

    @property
    def proof_tag(self) -> int:
        """Low 56 bits of the proof's hash: what the chain keeps of it."""
        return int.from_bytes(self.proof_hash, "big") & _TAG


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a disputed round stands. Seconds are those of the chain's clock, since 1970."""

    phase: spec.Phase
    """Of the round."""
    challenger: bytes
    """Who is to be paid, 20 bytes; zeros once paid, and where nothing was proven."""
    proven_at: int
    """Second of the proof; 0 where nothing was proven."""
    proof_tag: int
    """Low 56 bits of that proof's hash."""
    claimed_by: int
    """Second of the ticket by which the challenger claimed the proof; 0 without one."""
    now: int
    """Time of the latest block."""

    @property
    def escrow_until(self) -> int:
        """Last second in which an earlier ticket counts."""
        return self.proven_at + ESCROW_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What to do."""

    step: Step
    """The step."""
    ticket: Ticket | None = None
    """The ticket that it is about."""


def decide(standing: Standing, me: bytes, tickets: Sequence[Ticket], proof_hash: bytes | None) -> Choice:
    """Return what a challenger does next.

    Args: me: its address, 20 bytes. tickets: those that it has drawn for the round. proof_hash: of the proof in its
    hands; None for none.
    """
    if standing.phase is spec.Phase.PROPOSED:
        return _decide_to_prove(tickets, proof_hash)
    if standing.phase is not spec.Phase.VOIDED or not any(standing.challenger):
        return Choice(step=Step.NOTHING)
    if standing.challenger == me:
        return Choice(step=Step.CLAIM if standing.now > standing.escrow_until else Step.WAIT)
    earlier = find_earlier_ticket(standing, tickets)
    return Choice(step=Step.CONTEST, ticket=earlier) if earlier else Choice(step=Step.NOTHING)


def _decide_to_prove(tickets: Sequence[Ticket], proof_hash: bytes | None) -> Choice:
    if proof_hash is None:
        return Choice(step=Step.NOTHING)
    ticket = next((ticket for ticket in tickets if ticket.proof_hash == proof_hash), None)
    # A ticket counts against proofs of later seconds only, and every later block has a later one: it is proved at once.
    step = Step.PROVE if ticket is not None and ticket.bought_at else Step.BUY_TICKET
    return Choice(step=step, ticket=ticket)


def find_earlier_ticket(standing: Standing, tickets: Sequence[Ticket]) -> Ticket | None:
    """Return a ticket by which somebody else's reward can be claimed; None if there is none, or it is too late."""
    if standing.now > standing.escrow_until:
        return None
    before = standing.claimed_by or standing.proven_at
    fitting = (ticket for ticket in tickets if ticket.proof_tag == standing.proof_tag)
    return next((ticket for ticket in fitting if 0 < ticket.bought_at < before), None)
