"""What became of a stake, from the ledger's events. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ledger.docket import Event, decode_reason

WORDS = {
    "Registered": "registered",
    "Deposited": "deposited",
    "Locked": "locked",
    "Unlocked": "unlocked",
    "Slashed": "slashed",
    "Unbonding": "unbonding",
    "Withdrawn": "withdrawn",
    "ShareClaimed": "share credited",
    "Claimed": "claimed",
}
"""Events that a history is made of, and what they are called in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing that happened to a participant's money."""

    block: int
    """Block number."""
    participant: int
    """Whose stake."""
    what: str
    """One of WORDS."""
    amount_wei: int
    """How much it was about."""
    stake_wei: int
    """Stake afterwards, the locked part included."""
    locked_wei: int
    """Part of it that tasks hold afterwards."""
    round_id: int | None = None
    """Round that it was about."""
    task_id: int | None = None
    """Task that it was about."""
    reason: str | None = None
    """Why, of a slash."""
    tx: bytes
    """Its transaction."""


@dataclass(slots=True)
class _Account:
    stake_wei: int = 0
    locked_wei: int = 0


def iter_entries(events: Iterable[Event], *, participant: int | None = None) -> Iterator[Entry]:
    """Yield what happened to stakes, in the order of the chain, with the running stake of each participant.

    Args: events: all those of WORDS, from the deployment on. participant: None for everybody's.
    """
    accounts: defaultdict[int, _Account] = defaultdict(_Account)
    owned: defaultdict[bytes, list[int]] = defaultdict(list)
    for event in events:
        if event.name == "Registered":
            owned[event.args["owner"]].append(event.args["id"])
        for number in _find_participants(event, owned):
            account = accounts[number]
            amount_wei = _get_amount(event, account)
            _change(account, event.name, amount_wei)
            if participant in (None, number):
                yield _make_entry(event, number, account, amount_wei)


def _find_participants(event: Event, owned: Mapping[bytes, list[int]]) -> list[int]:
    """Return who is concerned; what an account claims concerns each participant whose cold key it is."""
    if event.name == "Claimed":
        return owned.get(event.args["account"], [])
    return [event.args["client"] if event.name == "ShareClaimed" else event.args["id"]]


def _get_amount(event: Event, account: _Account) -> int:
    args = event.args
    if event.name == "Slashed":
        return int(args["to_challenger"] + args["to_clients"] + args["burnt"])
    if event.name == "Unbonding":
        return account.stake_wei
    return int(args["stake_wei"] if event.name == "Registered" else args["amount_wei"])


def _change(account: _Account, name: str, amount_wei: int) -> None:
    signs = {"Registered": 1, "Deposited": 1, "Slashed": -1, "Withdrawn": -1}
    account.stake_wei += signs.get(name, 0) * amount_wei
    account.locked_wei += {"Locked": 1, "Unlocked": -1}.get(name, 0) * amount_wei


def _make_entry(event: Event, participant: int, account: _Account, amount_wei: int) -> Entry:
    return Entry(
        block=event.block,
        participant=participant,
        what=WORDS[event.name],
        amount_wei=amount_wei,
        stake_wei=account.stake_wei,
        locked_wei=account.locked_wei,
        round_id=event.args.get("round_id"),
        task_id=event.args.get("task_id"),
        reason=decode_reason(event.args["reason"]) if event.name == "Slashed" else None,
        tx=event.tx,
    )
