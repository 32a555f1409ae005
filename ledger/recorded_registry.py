"""ParticipantRegistry as its events tell it: identities, keys, activity and stakes, then and now. Pure.

The same arithmetic as the contract's, so that a question about a past second gets the contract's answer without a node.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ledger.chain.views import Event, ParticipantView, Role
from ledger.errors import Incomplete

NEVER = (1 << 40) - 1
"""`active_from` of an identity that no round may have."""
EVENTS = ("Registered", "KeyRotated", "Deposited", "Unbonding", "Withdrawn", "Slashed", "Locked", "Unlocked")
"""Events that change an identity."""


def misfit(event: Event, why: str) -> Incomplete:
    """Return the error of an event that does not follow from those before it: one of them is missing or invented."""
    round_id, what = event.args.get("round_id"), f"event {event.name} in block {event.block}"
    return Incomplete(f"incomplete: {what} does not follow from those before: {why}", round_id=round_id)


@dataclass(slots=True)
class _Trace:
    """Values over time, as OpenZeppelin's Checkpoints keep them: the last of a second is that second's."""

    keys: list[int] = field(default_factory=list)
    values: list[int] = field(default_factory=list)

    def push(self, key: int, value: int) -> None:
        if self.keys and self.keys[-1] == key:
            self.values[-1] = value
        else:
            self.keys.append(key)
            self.values.append(value)

    def look_up(self, at: int) -> int:
        """Return the latest value whose key is not above `at`; 0 if there is none."""
        place = bisect_right(self.keys, at)
        return self.values[place - 1] if place else 0


@dataclass(slots=True)
class _Identity:
    role: Role
    owner: bytes
    signer: bytes
    key_since: int
    active_from: int
    stake_wei: int = 0
    locked_wei: int = 0
    open_tasks: int = 0
    unlock_at: int = 0
    past_keys: list[tuple[int, bytes]] = field(default_factory=list)
    """(since, signer) of keys that were rotated away."""
    periods: _Trace = field(default_factory=_Trace)
    """First second of each period of activity that is over, and the one after its last."""
    stakes: _Trace = field(default_factory=_Trace)

    def set_stake(self, amount_wei: int, now: int) -> None:
        self.stake_wei = amount_wei
        self.stakes.push(now, amount_wei)

    def deactivate(self, now: int) -> None:
        if self.active_from < now:
            self.periods.push(self.active_from, now)
        self.active_from = NEVER

    def is_active_at(self, at: int) -> bool:
        return at >= self.active_from or at < self.periods.look_up(at)

    def get_key_at(self, at: int) -> bytes:
        if at >= self.key_since or not self.past_keys:
            return self.signer
        place = bisect_right([since for since, _ in self.past_keys], at)
        return self.past_keys[max(place - 1, 0)][1]


class RecordedRegistry:
    """The registry after some events.

    Args: min_stake_wei: smallest stake of each role. The contract knows them, its events do not tell them.
    """

    def __init__(self, min_stake_wei: Mapping[Role, int]) -> None:
        self.min_stake_wei = min_stake_wei
        self.burnt_wei = 0
        self._activation_seconds: int | None = None
        self._identities: dict[int, _Identity] = {}

    def apply(self, event: Event, now: int) -> None:
        """Take one event of the registry into account; those that change no identity are passed over.

        Args: now: timestamp of its block.
        Raises: Incomplete: it does not follow from those before.
        """
        if event.name == "Registered":
            self._register(event, now)
        elif event.name in EVENTS:
            identity = self._identities.get(event.args["id"])
            if identity is None:
                raise misfit(event, f"there is no participant {event.args['id']}")
            self._change(identity, event.name, event.args, now)

    def _register(self, event: Event, now: int) -> None:
        args, delay = event.args, event.args["active_from"] - now
        if args["id"] != len(self._identities) + 1:
            raise misfit(event, f"participant {args['id']} comes after {len(self._identities)}")
        if self._activation_seconds not in (None, delay):
            raise misfit(event, f"activation after {delay} s, before after {self._activation_seconds} s")
        self._activation_seconds = delay
        identity = _Identity(args["role"], args["owner"], args["signer"], now, args["active_from"])
        identity.set_stake(args["stake_wei"], now)
        self._identities[args["id"]] = identity

    def _change(self, who: _Identity, name: str, args: Mapping[str, Any], now: int) -> None:
        if name == "KeyRotated":
            who.past_keys.append((who.key_since, who.signer))
            who.signer, who.key_since = args["signer"], now + 1
        elif name == "Deposited":
            who.set_stake(args["stake_wei"], now)
            if who.active_from == NEVER and who.stake_wei >= self.min_stake_wei[who.role]:
                who.active_from = now + (self._activation_seconds or 0)
        elif name == "Unbonding":
            who.deactivate(now)
            who.unlock_at = args["unlock_at"]
        elif name == "Withdrawn":
            who.unlock_at = 0
            who.set_stake(0, now)
        elif name == "Slashed":
            who.set_stake(who.stake_wei - args["to_challenger"] - args["to_clients"] - args["burnt"], now)
            self.burnt_wei += args["burnt"]
            if who.stake_wei < self.min_stake_wei[who.role]:
                who.deactivate(now)
        else:  # Locked, Unlocked
            sign = 1 if name == "Locked" else -1
            who.locked_wei += sign * args["amount_wei"]
            who.open_tasks += sign

    # ------------------------------------------------------------------------------------------------------- questions

    def participants(self) -> list[ParticipantView]:
        """Return every participant, by id."""
        return [
            ParticipantView(
                id=number,
                role=who.role,
                signer=who.signer,
                owner=who.owner,
                key_epoch=len(who.past_keys),
                key_since=who.key_since,
                active_from=who.active_from,
                stake_wei=who.stake_wei,
                locked_wei=who.locked_wei,
                open_tasks=who.open_tasks,
                unlock_at=who.unlock_at,
            )
            for number, who in self._identities.items()
        ]

    def count_periods(self, participant: int) -> int:
        """Return how many periods of a participant's activity are over."""
        return len(self._identities[participant].periods.keys)

    def get_signer_at(self, participant: int, at: int, role: Role = Role.CLIENT) -> bytes | None:
        """Return the key of a participant in rounds that opened at a second; None if it had no such role then."""
        who = self._identities.get(participant)
        if who is None or who.role is not role or not who.is_active_at(at):
            return None
        return who.get_key_at(at)

    def get_stake_at(self, participant: int, at: int) -> int:
        """Return a participant's stake at the end of a second, in wei; 0 for none of that id."""
        who = self._identities.get(participant)
        return who.stakes.look_up(at) if who else 0
