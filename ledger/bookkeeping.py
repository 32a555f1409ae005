"""Holds stakes, slashes and the registry's ETH against the ledger's events. Pure.

In and out of the registry goes only what its events tell: stakes and credit come in, claims go out, and what was burnt
stays there for ever.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ledger.docket import Event, decode_reason
from ledger.errors import WrongBooks
from ledger.stake_history import WORDS, Entry, iter_entries

CAUSES = ("Settled", "Expired", "FraudProven", "DoubleAttested", "Unserved", "LeavesWithheld")
"""Events one of which is in the transaction of every slash, about the same round."""
NAMES = (*WORDS, *CAUSES, "Voided", "CreditDeposited")
"""Events that the books are made of."""
TENTHS = {"Settled": (4, 1), "Expired": (0, 0)}
"""Shares of challenger and clients by the cause of a slash, in tenths; of every other cause (4, 0)."""


class Account(Protocol):
    """What is asked of a participant; `ledger.chain.ParticipantView` is one."""

    @property
    def id(self) -> int:
        """Participant id."""

    @property
    def stake_wei(self) -> int:
        """Stake, the locked part included."""

    @property
    def locked_wei(self) -> int:
        """Part that tasks hold as bonds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """What the chain holds, at one block."""

    participants: Sequence[Account]
    """Every participant."""
    balance_wei: int
    """ETH of the ParticipantRegistry."""


def check_books(events: Iterable[Event], books: Books) -> list[WrongBooks]:
    """Return what does not add up, at most one error for a participant or a slash.

    Args: events: all of NAMES, from the deployment to the block of `books`. Anybody can force ETH upon a contract, so
    more than the events tell is no error.
    """
    told = list(events)
    return [*_check_stakes(told, books.participants), *_check_slashes(told), *_check_balance(told, books.balance_wei)]


def _check_stakes(told: Sequence[Event], participants: Sequence[Account]) -> Iterator[WrongBooks]:
    last: dict[int, Entry] = {entry.participant: entry for entry in iter_entries(e for e in told if e.name in WORDS)}
    held = {participant.id: participant for participant in participants}
    for number in sorted({*last, *held}):
        want = (last[number].stake_wei, last[number].locked_wei) if number in last else None
        got = (held[number].stake_wei, held[number].locked_wei) if number in held else None
        if want != got:
            yield WrongBooks(what=f"participant {number}", want=_say_stake(want), got=_say_stake(got))


def _say_stake(stake: tuple[int, int] | None) -> str:
    return "no participant" if stake is None else f"a stake of {stake[0]} wei, {stake[1]} of it locked"


def _check_slashes(told: Sequence[Event]) -> Iterator[WrongBooks]:
    """Every slash has its cause in the same transaction, a bond only after a court struck the round; shares are due."""
    voided: set[int] = set()
    by_tx: dict[bytes, list[Event]] = {}
    for event in told:
        by_tx.setdefault(event.tx, []).append(event)
    for event in told:
        if event.name == "Voided":
            voided.add(event.args["round_id"])
        if event.name != "Slashed":
            continue
        round_id, reason = event.args["round_id"], decode_reason(event.args["reason"])
        what = f"slash of participant {event.args['id']} for round {round_id} ({reason})"
        cause = _find_cause(by_tx[event.tx], round_id, is_bond=round_id in voided and reason == "voided round")
        if cause is None:
            yield WrongBooks(what=what, want="no cause", got="a slash")
        elif (want := _share(event.args, cause)) != (got := (event.args["to_challenger"], event.args["to_clients"])):
            yield WrongBooks(what=what, want=f"shares of {want} wei", got=f"{got}")


def _find_cause(transaction: Sequence[Event], round_id: int, *, is_bond: bool) -> str | None:
    """Return the name of the event that a slash follows from."""
    for event in transaction:
        is_about = event.args.get("round_id", round_id) == round_id
        if event.name in CAUSES and is_about and (event.name == "Settled") == is_bond:
            return event.name
    return None


def _share(slash: Mapping[str, Any], cause: str) -> tuple[int, int] | None:
    """Return what challenger and clients must have; in modes that do not tell the clients, their part is burnt."""
    taken = slash["to_challenger"] + slash["to_clients"] + slash["burnt"]
    challenger, clients = TENTHS.get(cause, (4, 0))
    if not slash["to_clients"]:
        clients = 0
    return taken * challenger // 10, taken * clients // 10


def _check_balance(told: Sequence[Event], balance_wei: int) -> Iterator[WrongBooks]:
    amounts = {"Registered": ("stake_wei", 1), "Deposited": ("amount_wei", 1), "CreditDeposited": ("amount_wei", 1)}
    amounts["Claimed"] = ("amount_wei", -1)
    want = sum(amounts[e.name][1] * int(e.args[amounts[e.name][0]]) for e in told if e.name in amounts)
    if balance_wei < want:
        yield WrongBooks(what="ETH of the registry", want=f"{want} wei", got=f"{balance_wei} wei")
