"""What became of disputes, from the ledger's events. Pure: events go in, frozen values come out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ledger.availability import Subject, compute_demand_hash, read_demand

FAULTS = (
    *("Voided", "FraudProven", "Settled", "Slashed", "Contested", "Rewarded", "ShareClaimed"),
    *("DoubleAttested", "Unserved", "LeavesDemanded"),
)
"""Events that tell of proven faults, and of what they cost and earned."""
BOARDS_REASONS = ("double attestation", "withheld update")
"""Why the AvailabilityBoard has a participant pay."""
AGGREGATOR = 0
"""Subject of a fault that voids its round."""


class Event(Protocol):
    """What is asked of an event; `ledger.chain.Event` is one."""

    @property
    def name(self) -> str:
        """Its name in Solidity."""

    @property
    def args(self) -> Mapping[str, Any]:
        """Its arguments by their Python names."""

    @property
    def block(self) -> int:
        """Block number."""

    @property
    def tx(self) -> bytes:
        """Hash of its transaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault that was proved to a court, and what became of it."""

    round_id: int
    """The round."""
    subject: int
    """Participant that was accused; 0 for the aggregator, whose round is void."""
    reason: str
    """In the court's words."""
    prover: bytes
    """Account that brought the proof."""
    challenger: bytes
    """Account that the reward is owed or was paid to: the prover, or who held an earlier ticket."""
    coordinate: int | None
    """Coordinate that was shown wrong, where there is one."""
    claimed: int | None
    """What the accused said; a digest for a list of members."""
    recomputed: int | None
    """What the court found."""
    block: int
    """Block of the proof."""
    tx: bytes
    """Its transaction."""
    loser: int | None
    """Participant that paid; None until the bond is taken."""
    to_challenger_wei: int | None
    """The challenger's share; None until the bond is taken, like the next two."""
    to_clients_wei: int | None
    """The share of the clients that committed."""
    burnt_wei: int | None
    """The rest."""
    paid_to: bytes | None
    """Account that the reward was credited to; None while it is kept back."""
    shares: tuple[int, ...]
    """Clients whose part was credited, in rising id."""

    @property
    def status(self) -> str:
        """Return proven (the bond is not taken yet), settled (the reward is kept back) or paid."""
        if self.paid_to is not None:
            return "paid"
        return "proven" if self.loser is None else "settled"


def list_faults(events: Iterable[Event]) -> list[Fault]:
    """Return the proven faults among events of FAULTS, in the order of their proofs."""
    told = list(events)
    return list(_iter_faults(told))


def _iter_faults(told: Sequence[Event]) -> Iterator[Fault]:
    for event in told:
        if event.name == "Voided":
            proof = next((e for e in told if e.tx == event.tx and e.name == "FraudProven"), None)
            yield _make_fault(told, event, proof, AGGREGATOR)
        elif event.name == "FraudProven" and event.args["subject"]:
            yield _make_fault(told, event, event, event.args["subject"])
        elif event.name == "Slashed" and decode_reason(event.args["reason"]) in BOARDS_REASONS:
            yield _make_fault(told, event, None, event.args["id"])


def _make_fault(told: Sequence[Event], event: Event, proof: Event | None, subject: int) -> Fault:
    round_id = event.args["round_id"]
    about = [e for e in told if e.args.get("round_id") == round_id]
    slash = _find_slash(about, event, subject)
    paid = [e.args["to"] for e in about if e.name == "Rewarded" and e.args["subject"] == subject]
    contested = [e.args["challenger"] for e in about if e.name == "Contested" and e.args["subject"] == subject]
    values = {} if proof is None else proof.args
    prover = event.args["challenger"] if "challenger" in event.args else _find_accuser(about, event)
    shares = [e.args["client"] for e in about if e.name == "ShareClaimed" and subject == AGGREGATOR]
    return Fault(
        round_id=round_id,
        subject=subject,
        reason=decode_reason(event.args["reason"]),
        prover=prover,
        challenger=contested[-1] if contested else prover,
        coordinate=values.get("coordinate"),
        claimed=values.get("claimed"),
        recomputed=values.get("recomputed"),
        block=event.block,
        tx=event.tx,
        loser=slash.get("id"),
        to_challenger_wei=slash.get("to_challenger"),
        to_clients_wei=slash.get("to_clients"),
        burnt_wei=slash.get("burnt"),
        paid_to=paid[0] if paid else None,
        shares=tuple(sorted(shares)),
    )


def _find_accuser(about: Sequence[Event], slashed: Event) -> bytes:
    """Return whose the reward for a fault of a client or an attestor is: who proved it, or who demanded the leaves."""
    proven = next((e.args for e in about if e.name in ("DoubleAttested", "Unserved") and e.tx == slashed.tx), {})
    if "challenger" in proven:
        return bytes(proven["challenger"])
    demands = [read_demand(e.args["demand"]) for e in about if e.name == "LeavesDemanded"]
    for demand in demands:
        is_clients = not proven and demand.subject is Subject.COMMITMENT and demand.client == slashed.args["id"]
        if is_clients or compute_demand_hash(demand) == proven.get("demand_hash"):
            return demand.challenger
    return bytes(20)


def _find_slash(about: Sequence[Event], event: Event, subject: int) -> Mapping[str, Any]:
    """Return what the fault cost: a client pays in the proof's transaction, an aggregator when its bond is taken."""
    settled = next((e for e in about if e.name == "Settled"), None) if subject == AGGREGATOR else event
    tx = None if settled is None else settled.tx
    slashes = [e.args for e in about if e.name == "Slashed" and e.tx == tx]
    return next((args for args in slashes if subject in (AGGREGATOR, args["id"])), {})


def decode_reason(reason: bytes) -> str:
    """Return a reason as the contracts state it, in words."""
    return reason.rstrip(b"\x00").decode("ascii", "replace")


def encode_reason(words: str) -> bytes:
    """Return a reason as the contracts state it, 32 bytes."""
    return words.encode("ascii").ljust(32, b"\x00")
