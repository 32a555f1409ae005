"""What the chain holds, as frozen values. Digests and addresses are bytes."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from ledger import spec


class Role(enum.IntEnum):
    """A participant's role, by its number on chain."""

    NONE = 0
    CLIENT = 1
    AGGREGATOR = 2
    ATTESTOR = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event of one of the contracts."""

    name: str
    """Its name in Solidity, such as SegmentCommitted."""
    args: Mapping[str, Any]
    """Arguments under Python names (roundId is round_id). Proposed and TaskCreated hold a spec.Proposal, spec.Task."""
    block: int
    """Block number."""
    block_hash: bytes
    """32 bytes."""
    tx: bytes
    """Hash of its transaction, 32 bytes."""
    log_index: int
    """Position within the block."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A transaction that is in a block and succeeded."""

    tx: bytes
    """Transaction hash, 32 bytes."""
    block: int
    """Block number."""
    gas_used: int
    """Gas that it used."""
    contract: bytes | None
    """Address of the contract that it created."""
    events: tuple[Event, ...]
    """Events of our contracts, in order."""

    def find(self, name: str) -> Event:
        """Return the first event of a name.

        Raises: LookupError: the transaction has none, which its method never does after success.
        """
        found = next((event for event in self.events if event.name == name), None)
        if found is None:
            raise LookupError(f"transaction {self.tx.hex()} has no event {name}")
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticipantView:
    """A registered identity. Times are seconds since 1970."""

    id: int
    """Participant id, from 1."""
    role: Role
    """What it does."""
    signer: bytes
    """Address of the current signing key."""
    owner: bytes
    """Address that rotates, unbonds and withdraws."""
    key_epoch: int
    """Number of the current key, from 0."""
    key_since: int
    """Rounds that open at this second or later use the current key."""
    active_from: int
    """Rounds that open at this second or later may have it; 2**40 - 1 while none may."""
    stake_wei: int
    """Stake, the locked part included."""
    locked_wei: int
    """Part that open rounds hold as bonds."""
    open_rounds: int
    """Rounds that hold a bond."""
    unlock_at: int
    """When unbonding ends; 0 while not unbonding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundView:
    """A round as the contract holds it. Times are seconds since 1970; an end is the last second that counts."""

    round_id: int
    """Number within the ledger, from 1."""
    phase: spec.Phase
    """Where it stands."""
    task_id: int
    """Its task."""
    aggregator: int
    """Participant id of its aggregator."""
    opened_at: int
    """When it opened."""
    commit_end: int
    """End of the commit phase."""
    data_end: int
    """End of the data phase."""
    propose_end: int
    """End of the time for a proposal."""
    challenge_end: int
    """End of the time for challenges; 0 before a proposal."""
    open_disputes: int
    """Disputes that hold up finalisation."""
    number: int
    """Number within its task, from 1."""
    committed: int
    """Accepted commitments."""
    segments: int
    """Batches and single commitments."""
    excluded: int
    """Committed updates that the proposal leaves out."""
    base_model: bytes
    """Root of the model that it starts from."""
    segments_hash: bytes
    """Rolling hash over the segments."""
    proposal_hash: bytes
    """Of the proposal; zeros before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskStateView:
    """State of a task. Unpacks as (model, rounds, current_round, head)."""

    model: bytes
    """Root of the current global model."""
    rounds: int
    """Rounds opened."""
    current_round: int
    """Id of the round in progress; 0 for none."""
    head: bytes
    """Hash chain over the finalised rounds."""

    def __iter__(self) -> Any:
        return iter((self.model, self.rounds, self.current_round, self.head))


def make_participant(participant: int, values: Mapping[str, Any]) -> ParticipantView:
    """Return the view of a participant from the contract's struct."""
    return ParticipantView(**{**values, "id": participant, "role": Role(values["role"])})


def make_round(round_id: int, values: Mapping[str, Any]) -> RoundView:
    """Return the view of a round from the contract's struct."""
    return RoundView(**{**values, "round_id": round_id, "phase": spec.Phase(values["phase"])})


def make_task(values: Mapping[str, Any]) -> spec.Task:
    """Return a task from the contract's struct."""
    return spec.Task(**{**values, "rule": spec.Rule(values["rule"])})


def get_task_fields(task: spec.Task) -> tuple[Any, ...]:
    """Return a task's values in the contract's order."""
    return tuple(getattr(task, field.name) for field in fields(spec.Task))


def name_event(args: Mapping[str, Any]) -> dict[str, Any]:
    """Return an event's arguments with its structs as values of the specification."""
    named = dict(args)
    if isinstance(named.get("proposal"), Mapping):
        named["proposal"] = spec.Proposal(**named["proposal"])
    if isinstance(named.get("task"), Mapping):
        named["task"] = make_task(named["task"])
    if "role" in named:
        named["role"] = Role(named["role"])
    return named
