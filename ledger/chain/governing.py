"""What a ledger's governor and its guardian may do. A governor that is a timelock has every act wait, seen by all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from ledger import artifacts, spec
from ledger.chain.abi import encode_values
from ledger.chain.calls import Call
from ledger.chain.connection import to_address
from ledger.chain.reads import Address, Reads
from ledger.chain.views import Receipt

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount

DONE = 1
"""Time of an act that was executed, as OpenZeppelin's TimelockController tells it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One operation of a LedgerTimelock: a call, and what tells it from the same call at another time."""

    target: bytes
    """Contract that is called, 20 bytes."""
    data: bytes
    """Selector and arguments."""
    salt: bytes
    """32 bytes."""

    def arguments(self) -> tuple[bytes, int, bytes, bytes, bytes]:
        """Return what `schedule` and `execute` take: target, value, data, predecessor, salt."""
        return self.target, 0, self.data, bytes(32), self.salt

    @property
    def operation_id(self) -> bytes:
        """What the timelock calls it: keccak256(abi.encode(target, value, data, predecessor, salt))."""
        types = ("address", "uint256", "bytes", "bytes32", "bytes32")
        return spec.keccak256(encode_values([{"type": each} for each in types], self.arguments()))


def make_act(call: Call, key: str) -> Act:
    """Return a call as an act of the timelock. Args: key: what it is for; the same call for something else differs."""
    return Act(target=call.to or b"", data=call.data, salt=sha256(key.encode()).digest())


class Governing(Reads):
    """The half of `Chain` for those who set a ledger up."""

    def send(self, call: Call, *, key: str, sender: LocalAccount) -> Receipt:
        """Send one call once."""
        raise NotImplementedError

    @property
    def has_timelock(self) -> bool:
        """Whether the governor is the timelock that was deployed with the ledger."""
        timelock = self.contracts.addresses.get(artifacts.TIMELOCK)
        return timelock is not None and self.get_governor() == timelock

    def get_governing_delay(self) -> int:
        """Return for how many seconds an act of the timelock waits."""
        return int(self._read(self.contracts.to(artifacts.TIMELOCK, "getMinDelay")))

    def get_act_time(self, operation_id: bytes) -> int:
        """Return the second from which on the timelock executes an act; 0 while not scheduled, 1 once it is done."""
        return int(self._read(self.contracts.to(artifacts.TIMELOCK, "getTimestamp", operation_id)))

    def govern(self, call: Call, *, key: str, sender: LocalAccount) -> Receipt:
        """Send what only the governor may do; where that is a timelock, schedule it, wait for its time and execute it.

        Args: sender: the governor, or a proposer of its timelock.
        """
        if not self.has_timelock:
            return self.send(call, key=key, sender=sender)
        act = make_act(call, key)
        scheduled = self.schedule(act, key=key, sender=sender)
        self.wait_until(scheduled)
        return self.execute(act, key=key, sender=sender)

    def schedule(self, act: Act, *, key: str, sender: LocalAccount) -> int:
        """Announce an act of the timelock; return the second from which on it can be executed. A proposer sends."""
        if not self.get_act_time(act.operation_id):
            call = self.contracts.to(artifacts.TIMELOCK, "schedule", *act.arguments(), self.get_governing_delay())
            self.send(call, key=f"{key}/schedule", sender=sender)
        return self.get_act_time(act.operation_id)

    def execute(self, act: Act, *, key: str, sender: LocalAccount) -> Receipt:
        """Do what was scheduled, once its time has come; anybody sends."""
        call = self.contracts.to(artifacts.TIMELOCK, "execute", *act.arguments())
        return self.send(call, key=key, sender=sender)

    def create_task(self, task: spec.Task, *, key: str, sender: LocalAccount) -> Receipt:
        """Create a task; its id is in the event TaskCreated. The governor sends.

        Raises: InvalidTask: names the field, its value and what is allowed.
        """
        limits = {"unbond_seconds": self.get_unbond_seconds(), "max_pause_seconds": self.get_max_pause_seconds()}
        spec.verify_task(task, **limits)
        return self.govern(self.contracts.create_task(task), key=key, sender=sender)

    def pause(self, task_id: int, *, key: str, sender: LocalAccount) -> Receipt:
        """Stop a task's open round for a while; the guardian sends."""
        return self.send(self.contracts.to_ledger("pause", task_id), key=key, sender=sender)

    def resume(self, task_id: int, *, key: str, sender: LocalAccount) -> Receipt:
        """End a pause; the guardian sends, or anybody once the longest pause is over."""
        return self.send(self.contracts.to_ledger("resume", task_id), key=key, sender=sender)

    def name_successor(self, successor: Address, *, key: str, sender: LocalAccount) -> Receipt:
        """Name the ledger that takes this one's place, once; the governor sends."""
        call = self.contracts.to_ledger("nameSuccessor", to_address(successor))
        return self.govern(call, key=key, sender=sender)

    def name_committee(self, ids: Sequence[int], threshold: int, *, key: str, sender: LocalAccount) -> Receipt:
        """Name the attestors that certify the rounds which open from now on; the governor sends.

        Args: ids: participant ids, rising. threshold: signatures that a certificate needs, more than half of them.
        """
        call = self.contracts.to("board", "setCommittee", list(ids), threshold)
        return self.govern(call, key=key, sender=sender)
