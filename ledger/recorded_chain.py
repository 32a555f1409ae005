"""A ledger without a node: what its events tell, asked as one asks a chain.

`history.load_round` and `audit.replay` run on it unchanged. Where the events come from decides what they are worth:
from the receipts of a bundle they are proven, from an index they are what a node answered.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cache
from typing import TypeVar

from ledger import artifacts, spec
from ledger.chain.abi import get_interface, to_snake
from ledger.chain.calls import Contracts
from ledger.chain.views import EncryptionKeyView, Event, ParticipantView, Role, RoundView, TaskStateView
from ledger.errors import NotFoundError, UsageError
from ledger.recorded_registry import RecordedRegistry
from ledger.recorded_rounds import RecordedRounds

T = TypeVar("T")
_NUMBERS = frozenset(("round_id", "task_id"))


class RecordedChain:
    """A ledger after some events; a `history.ChainReader`.

    Args: contracts: addresses and chain id. recorded: every event of the contracts from their deployment on, in order,
    each with the timestamp of its block. last_block: block that the events are complete to. min_stake_wei: smallest
    stake of each role, which the registry knows and no event tells.
    Raises: Incomplete: an event does not follow from those before it.
    """

    def __init__(
        self,
        contracts: Contracts,
        recorded: Iterable[tuple[Event, int]],
        *,
        last_block: int,
        min_stake_wei: Mapping[Role, int],
    ) -> None:
        self.contracts = contracts
        self._recorded = [(event, now) for event, now in recorded if event.block <= last_block]
        self._last_block = last_block
        self.registry = RecordedRegistry(min_stake_wei)
        self.rounds = RecordedRounds()
        self._by_number: defaultdict[tuple[str, int], list[Event]] = defaultdict(list)
        for event, now in self._recorded:
            self.registry.apply(event, now)
            self.rounds.apply(event, now)
            for name in _NUMBERS & _get_indexed()[event.name]:
                self._by_number[name, event.args[name]].append(event)

    @property
    def domain_separator(self) -> bytes:
        """EIP-712 domain of commitments and publications."""
        return self.contracts.domain_separator

    def get_confirmed_block(self) -> int:
        """Return the last block that the events are complete to."""
        return self._last_block

    def count_tasks(self) -> int:
        """Return how many tasks there are."""
        return self.rounds.num_tasks

    def count_rounds(self) -> int:
        """Return how many rounds all tasks together have opened."""
        return self.rounds.num_rounds

    def get_task(self, task_id: int) -> spec.Task:
        """Return a task's parameters. Raises: NotFoundError."""
        return _ask("task", task_id, self.rounds.get_task)

    def get_task_state(self, task_id: int) -> TaskStateView:
        """Return a task's model, rounds, current round and head. Raises: NotFoundError."""
        return _ask("task", task_id, self.rounds.get_task_state)

    def get_round(self, round_id: int, *, at_block: int | None = None) -> RoundView:
        """Return a round as of a block (None: the last). Raises: NotFoundError: there was none."""
        rounds = self.rounds if at_block in (None, self._last_block) else self._fold_rounds(at_block or 0)
        return _ask("round", round_id, rounds.get_round)

    def get_paused_at(self, task_id: int) -> int:
        """Return the second since which a task is paused; 0 while it is not. Raises: NotFoundError."""
        return _ask("task", task_id, self.rounds.get_paused_at)

    def participants(self) -> list[ParticipantView]:
        """Return every participant, by id."""
        return self.registry.participants()

    def get_participant(self, participant: int) -> ParticipantView:
        """Return a participant. Raises: NotFoundError."""
        return _ask("participant", participant, {each.id: each for each in self.participants()}.__getitem__)

    def get_signers_at(self, participants: Sequence[int], at: int) -> dict[int, bytes]:
        """Return the keys of clients in rounds that opened at a second; without those that were no client then."""
        found = {each: self.registry.get_signer_at(each, at) for each in participants}
        return {participant: signer for participant, signer in found.items() if signer is not None}

    def get_encryption_keys_at(self, participants: Sequence[int], at: int) -> dict[int, EncryptionKeyView]:
        """Return the encryption keys that were in force in a second, by participant; without those that had none."""
        announced = [event.args for event in self.events(names=("EncryptionKeyAnnounced",))]
        keys = [EncryptionKeyView(epoch=told["epoch"], key=told["key"], since=told["since"]) for told in announced]
        found = zip((told["id"] for told in announced), keys, strict=True)
        return {who: key for who, key in found if who in set(participants) and key.since <= at}

    def get_stakes_at(self, participants: Sequence[int], at: int) -> dict[int, int]:
        """Return the stakes of participants at the end of a second, in wei."""
        return {each: self.registry.get_stake_at(each, at) for each in participants}

    def events(
        self,
        first_block: int | None = None,
        last_block: int | None = None,
        *,
        names: Collection[str] | None = None,
        round_id: int | None = None,
        task_id: int | None = None,
    ) -> list[Event]:
        """Return events of the contracts in the order of the chain; arguments and errors as for `Chain.events`."""
        indexed = _get_indexed()
        if unknown := set(names or ()) - set(indexed):
            raise UsageError(f"no event {', '.join(sorted(unknown))}")
        last = self._last_block if last_block is None else last_block
        wanted = {name: value for name, value in (("round_id", round_id), ("task_id", task_id)) if value is not None}
        # A ledger of a thousand rounds is asked a thousand times for the events of one.
        some = [self._by_number[number] for number in wanted.items() if number in self._by_number]
        among = min(some, key=len) if some else [] if wanted else [event for event, _ in self._recorded]
        return [
            event
            for event in among
            if (first_block or 0) <= event.block <= last
            and (names is None or event.name in names)
            and all(name in indexed[event.name] and event.args[name] == value for name, value in wanted.items())
        ]

    def _fold_rounds(self, last_block: int) -> RecordedRounds:
        rounds = RecordedRounds()
        for event, now in self._recorded:
            if event.block > last_block:
                break
            rounds.apply(event, now)
        return rounds


@cache
def _get_indexed() -> Mapping[str, frozenset[str]]:
    """Return the indexed arguments of every event, by its name."""
    return {
        item.name: frozenset(to_snake(param["name"]) for param in item.inputs if param["indexed"])
        for contract in artifacts.CONTRACTS
        for item in get_interface(contract).events.values()
    }


def _ask(kind: str, number: int, get: Callable[[int], T]) -> T:
    try:
        return get(number)
    except KeyError:
        raise NotFoundError(kind=kind, name=number, suggestion="") from None
