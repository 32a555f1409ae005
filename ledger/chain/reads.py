"""What a connected ledger tells: typed reads and events of its contracts."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from ledger import spec
from ledger.chain.calls import Call, Contracts
from ledger.chain.connection import Connection, NodeRefused, move_clock, to_address, to_bytes, to_hex, to_quantity
from ledger.chain.logs import fetch_logs
from ledger.chain.network import Network
from ledger.chain.reverts import decode_revert
from ledger.chain.views import (
    CommitteeView,
    DisputeView,
    Event,
    ParticipantView,
    RewardView,
    Role,
    RoundView,
    TaskStateView,
    VerdictView,
    make_participant,
    make_round,
    make_task,
)
from ledger.errors import ChainError

if TYPE_CHECKING:
    from web3 import Web3

Address = bytes | str
"""20 bytes, or the text that a LocalAccount carries as its address."""

_POLL_SECONDS = 1.0
_SIGNERS_A_CALL = 1000
"""So many storage reads fit any node's limit for a call."""


class Reads:
    """The reading half of `Chain`."""

    network: Network
    contracts: Contracts
    _connection: Connection

    @property
    def w3(self) -> Web3:
        """The web3.py object of this endpoint, for those who know web3.py."""
        return self._connection.w3

    @property
    def fingerprint(self) -> str:
        """A name for this deployment on this chain: two deployments never share one, nor does a chain after a reset."""
        block_hash = (self.network.deploy_block_hash or "").removeprefix("0x")[:16]
        return f"{self.network.chain_id}-{self.contracts.ledger.hex()}-{block_hash}"

    @property
    def domain_separator(self) -> bytes:
        """EIP-712 domain of commitments and publications."""
        return self.contracts.domain_separator

    @property
    def registry_domain_separator(self) -> bytes:
        """EIP-712 domain of registrations and rotations."""
        return self.contracts.registry_domain_separator

    @property
    def board_domain_separator(self) -> bytes:
        """EIP-712 domain of what attestors state."""
        return self.contracts.board_domain_separator

    def get_task(self, task_id: int) -> spec.Task:
        """Return a task's parameters. Raises: Reverted: there is no such task."""
        return make_task(self._read(self.contracts.to_ledger("task", task_id)))

    def get_task_state(self, task_id: int) -> TaskStateView:
        """Return a task's model, rounds, current round and head; zeros for no such task."""
        return TaskStateView(**self._read(self.contracts.to_ledger("taskState", task_id)))

    def get_round(self, round_id: int, *, at_block: int | None = None) -> RoundView:
        """Return a round as of a block (None: the latest). Raises: Reverted: there is no such round."""
        call = self.contracts.to_ledger("round", round_id)
        return make_round(round_id, self._read_many([call], at_block=at_block)[0])

    def get_dispute(self, round_id: int) -> DisputeView:
        """Return what courts judge a round by. Raises: WrongPhase: it is not proposed."""
        found = self._read(self.contracts.to_ledger("disputeOf", round_id))
        return DisputeView(**{**found, "rule": spec.Rule(found["rule"])})

    def get_verdict(self, round_id: int) -> VerdictView:
        """Return who struck a round's proposal; zeros where nobody did, and once the task's next round is open."""
        return VerdictView(**self._read(self.contracts.to_ledger("verdictOf", round_id)))

    def get_reward(self, round_id: int, subject: int = 0, reason: bytes = bytes(32)) -> RewardView:
        """Return what is owed for a proof.

        Args: subject: the participant that it accuses, 0 for the aggregator of a voided round. reason: as in the event
        FraudProven; zeros for the aggregator.
        """
        return RewardView(**self._read(self.contracts.to_escrow("rewardOf", round_id, subject, reason)))

    def is_settled(self, round_id: int) -> bool:
        """Return whether a voided round's bond has been taken."""
        return bool(self._read(self.contracts.to_escrow("isSettled", round_id)))

    def get_ticket_at(self, ticket: bytes) -> int:
        """Return the second at which a ticket was bought; 0 for none."""
        return int(self._read(self.contracts.to_escrow("ticketAt", ticket)))

    def has_claimed_share(self, round_id: int, client: int) -> bool:
        """Return whether a client's part of a voided round's bond was paid."""
        return bool(self._read(self.contracts.to_escrow("hasClaimedShare", round_id, client)))

    def get_game_bond(self) -> int:
        """Return what opening a game of KrumCourt takes, in wei."""
        return int(self._read(self.contracts.to("krum_court", "bondWei")))

    def get_base_fee(self) -> int:
        """Return the base fee of the latest block, in wei per gas."""
        return int(self._connection.request("eth_getBlockByNumber", "latest", False)["baseFeePerGas"], 16)

    def get_certificate(self, round_id: int) -> bytes | None:
        """Return the keccak256 of the exclusions that the board has certified; None where it has not."""
        found = self._read(self.contracts.to("board", "exclusionsHash", round_id))
        return found["hash"] if found["certified"] else None

    def list_committees(self) -> list[CommitteeView]:
        """Return the committees of attestors that were named, oldest first."""
        count = int(self._read(self.contracts.to("board", "epochCount")))
        calls = [self.contracts.to("board", "committee", epoch) for epoch in range(1, count + 1)]
        found = enumerate(self._read_many(calls), start=1)
        return [CommitteeView(**{**values, "ids": tuple(values["ids"]), "epoch": epoch}) for epoch, values in found]

    def get_governor(self) -> bytes:
        """Return the address that creates tasks, names committees and, once, a successor; 20 bytes."""
        return bytes(self._read(self.contracts.to_ledger("governor")))

    def get_guardian(self) -> bytes:
        """Return the address that may pause a task for a while, 20 bytes."""
        return bytes(self._read(self.contracts.to_ledger("guardian")))

    def get_successor(self) -> bytes:
        """Return the address of the ledger that takes this one's place; zeros while none is named."""
        return bytes(self._read(self.contracts.to_ledger("successor")))

    def is_court(self, account: Address) -> bool:
        """Return whether the ledger takes an account's verdicts."""
        return bool(self._read(self.contracts.to_ledger("isCourt", to_address(account))))

    def get_paused_at(self, task_id: int) -> int:
        """Return the second since which a task is paused; 0 while it is not."""
        return int(self._read(self.contracts.to_ledger("pausedAt", task_id)))

    def count_rounds(self) -> int:
        """Return how many rounds all tasks together have opened."""
        return int(self._read(self.contracts.to_ledger("roundCount")))

    def count_tasks(self) -> int:
        """Return how many tasks there are."""
        return int(self._read(self.contracts.to_ledger("taskCount")))

    def has_committed(self, round_id: int, client: int) -> bool:
        """Return whether a client's commitment was accepted in a round; always False outside of verified mode."""
        return bool(self._read(self.contracts.to_ledger("hasCommitted", round_id, client)))

    def get_participant(self, participant: int) -> ParticipantView:
        """Return a participant. Raises: Reverted: there is none of that id."""
        return make_participant(participant, self._read(self.contracts.to_registry("participant", participant)))

    def find_participant(self, signer: Address) -> int | None:
        """Return the id of the participant that a signing key belongs or belonged to, or None."""
        return self._read(self.contracts.to_registry("idOfSigner", to_address(signer))) or None

    def participants(self, *, at_block: int | None = None) -> list[ParticipantView]:
        """Return every participant as of a block (None: the latest), by id."""
        (count,) = self._read_many([self.contracts.to_registry("participantCount")], at_block=at_block)
        calls = [self.contracts.to_registry("participant", participant) for participant in range(1, count + 1)]
        found = self._read_many(calls, at_block=at_block)
        return [make_participant(number, values) for number, values in enumerate(found, start=1)]

    def get_signer_at(self, participant: int, at: int, role: Role = Role.CLIENT) -> bytes | None:
        """Return the key of a participant in rounds that opened at a second; None if it had no such role then."""
        found = self._read(self.contracts.to_registry("signerAt", participant, int(role), at))
        return found["signer"] if found["active"] else None

    def list_signing_keys(self, participant: int) -> list[tuple[bytes, int]]:
        """Return every signing key that a participant has had: its address, the first second of which it has rounds."""
        epochs = range(self.get_participant(participant).key_epoch + 1)
        found = self._read_many([self.contracts.to_registry("keyAt", participant, epoch) for epoch in epochs])
        return [(each["signer"], each["since"]) for each in found]

    def get_signers_at(self, participants: Sequence[int], at: int) -> dict[int, bytes]:
        """Return the keys of clients in rounds that opened at a second; without those that were no client then."""
        groups = [participants[i : i + _SIGNERS_A_CALL] for i in range(0, len(participants), _SIGNERS_A_CALL)]
        calls = [self.contracts.to_registry("signersAt", group, int(Role.CLIENT), at) for group in groups]
        found = zip(participants, chain.from_iterable(self._read_many(calls)), strict=True)
        return {participant: signer for participant, signer in found if any(signer)}

    def get_stakes_at(self, participants: Sequence[int], at: int) -> dict[int, int]:
        """Return the stakes of participants at the end of a second, in wei."""
        calls = [self.contracts.to_registry("stakeAt", each, at) for each in participants]
        return dict(zip(participants, map(int, self._read_many(calls)), strict=True))

    def get_credit(self, account: Address) -> int:
        """Return what an account can claim, in wei."""
        return int(self._read(self.contracts.to_registry("creditOf", to_address(account))))

    def get_min_stake(self, role: Role) -> int:
        """Return the smallest stake of a role, in wei."""
        return int(self._read(self.contracts.to_registry("minStakeWei", int(role))))

    def get_unbond_seconds(self) -> int:
        """Return the unbonding time, within which all windows of a task must fit."""
        return int(self._read(self.contracts.to_registry("unbondSeconds")))

    def get_max_pause_seconds(self) -> int:
        """Return the longest pause of a task."""
        return int(self._read(self.contracts.to_ledger("maxPauseSeconds")))

    def get_balance(self, account: Address, *, at_block: int | None = None) -> int:
        """Return an account's ETH as of a block (None: the latest), in wei."""
        block = "latest" if at_block is None else to_quantity(at_block)
        return int(self._connection.request("eth_getBalance", to_hex(to_address(account)), block), 16)

    def get_code(self, account: Address) -> bytes:
        """Return the runtime code at an address; empty where there is none."""
        return to_bytes(self._connection.request("eth_getCode", to_hex(to_address(account)), "latest"))

    def events(
        self,
        first_block: int | None = None,
        last_block: int | None = None,
        *,
        names: Collection[str] | None = None,
        round_id: int | None = None,
        task_id: int | None = None,
    ) -> list[Event]:
        """Return events of the contracts in the order of the chain.

        Args: first_block: None for the deployment's. last_block: included; None for the last confirmed one.
        names: events wanted, None for all. round_id, task_id: only events that name this round, this task.
        Raises: UsageError: no event has such a name; Pruned: the node does not serve these blocks.
        """
        first = first_block if first_block is not None else (self.network.deploy_block or 0)
        last = last_block if last_block is not None else self.get_confirmed_block()
        addresses = tuple(self.contracts.addresses.values())
        wanted = {"roundId": round_id, "taskId": task_id}
        indexed = {name: value for name, value in wanted.items() if value is not None}
        return fetch_logs(self._connection, addresses, first, last, names=names, indexed=indexed)

    def get_confirmed_block(self) -> int:
        """Return the number of the last block that has the network's confirmations."""
        confirmations = 0 if self.network.devnet else self.network.confirmations
        return max(0, int(self._connection.request("eth_blockNumber"), 16) - confirmations)

    def get_confirmed_time(self) -> int:
        """Return the time of the last block that has the network's confirmations, seconds since 1970."""
        block = to_quantity(self.get_confirmed_block())
        return int(self._connection.request("eth_getBlockByNumber", block, False)["timestamp"], 16)

    def get_block_hash(self, block: int) -> bytes | None:
        """Return a block's hash, or None where there is no such block."""
        found = self._find_block(block)
        return None if found is None else to_bytes(found["hash"])

    def get_block_time(self, block: int) -> int | None:
        """Return a block's time, seconds since 1970, or None where there is no such block."""
        found = self._find_block(block)
        return None if found is None else int(found["timestamp"], 16)

    def now(self) -> int:
        """Return the time of the latest block, seconds since 1970."""
        return int(self._connection.request("eth_getBlockByNumber", "latest", False)["timestamp"], 16)

    def wait_until(self, timestamp: int, on_tick: Callable[[int], None] | None = None) -> None:
        """Return once the chain's time has reached a second; a devnet's clock is moved there.

        Args: on_tick: called about every second with the seconds that are left.
        """
        while (left := timestamp - self.now()) > 0:
            if self.network.devnet:
                move_clock(self._connection, timestamp)
                continue
            if on_tick:
                on_tick(left)
            time.sleep(min(_POLL_SECONDS, left))

    def _find_block(self, block: int) -> dict[str, Any] | None:
        found = self._connection.request("eth_getBlockByNumber", to_quantity(block), False)
        return found if isinstance(found, dict) else None

    def _read(self, call: Call) -> Any:
        return self._read_many([call])[0]

    def _read_many(self, calls: Sequence[Call], *, at_block: int | None = None) -> list[Any]:
        block = "latest" if at_block is None else to_quantity(at_block)
        requests = [("eth_call", [{"to": to_hex(call.to or b""), "data": to_hex(call.data)}, block]) for call in calls]
        return [_decode(call, answer) for call, answer in zip(calls, self._connection.batch(requests), strict=True)]


def _decode(call: Call, answer: Any) -> Any:
    if isinstance(answer, NodeRefused):
        if answer.data or "revert" in answer.message.lower():
            raise decode_revert(answer.data, call=call.name, context=call.context)
        raise answer
    if call.function is None:
        raise ChainError(f"{call.name} returns nothing that can be read")
    return call.function.decode_result(to_bytes(answer))
