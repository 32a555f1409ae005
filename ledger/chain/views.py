"""What the chain holds, as frozen values. Digests and addresses are bytes."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from ledger import spec

ESCROW_SECONDS = 3600
"""How long RewardEscrow keeps a reward, so that the holder of an earlier ticket may claim it."""


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
    """Part that tasks hold as bonds."""
    open_tasks: int
    """Tasks that hold a bond."""
    unlock_at: int
    """When unbonding ends; 0 while not unbonding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundView:
    """A round as the contract holds it. Times are seconds since 1970; an end is the last second that counts."""

    round_id: int
    """Number within the ledger, from 1."""
    phase: spec.Phase
    """Where it stands."""
    mode: spec.CommitMode
    """How its clients commit."""
    task_id: int
    """Its task."""
    aggregator: int
    """Participant id of its aggregator."""
    opened_at: int
    """When it opened."""
    commit_end: int
    """End of the commit phase; 0 once there is an outcome, like the next two."""
    data_end: int
    """End of the data phase."""
    propose_end: int
    """End of the time for a proposal."""
    challenge_end: int
    """End of the time for challenges; 0 before a proposal."""
    open_disputes: int
    """Disputes that hold up finalisation."""
    committed: int
    """Clients that committed; in accumulated mode 1 for any number until a proposal says it."""
    excluded: int
    """Committed updates that the proposal leaves out."""
    segments_hash: bytes
    """Rolling hash over the segments; zeros once there is a proposal, or the task's next round is open."""
    proposal_hash: bytes
    """Of the proposal; zeros before it, once it is void, and once the task's next round is open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskStateView:
    """State of a task. Unpacks as (model, rounds, current_round, head)."""

    model: bytes
    """Root of the current global model."""
    rounds: int
    """Rounds opened."""
    current_round: int
    """Id of the latest round; 0 for none."""
    head: bytes
    """Hash chain over the finalised rounds."""
    bonded: bool
    """Whether the bond of the latest round's aggregator is locked."""

    def __iter__(self) -> Any:
        return iter((self.model, self.rounds, self.current_round, self.head))


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeView:
    """What courts judge a proposed round by: its proposal's hash, and the task's parameters."""

    proposal_hash: bytes
    """Of the proposal."""
    rule: spec.Rule
    """Aggregation rule."""
    rule_param: int
    """As in spec.Task, like all that follows but the last."""
    rule_select: int
    """Updates that Multi-Krum averages."""
    size: int
    """Coordinates."""
    leaf_log2: int
    """Coordinates per leaf of an update, log2."""
    matrix_log2: int
    """Coordinates per matrix leaf, log2."""
    model_log2: int
    """Coordinates per leaf of an aggregate or a model, log2."""
    bound: int
    """Largest |coordinate|."""
    examples_cap: int
    """Largest weight."""
    wei_per_weight: int
    """Stake that a unit of weight needs."""
    included: int
    """Included updates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictView:
    """Who struck a proposal, and when; zeros where none was struck."""

    challenger: bytes
    """Address, 20 bytes."""
    proven_at: int
    """Second of the proof."""
    proof_tag: int
    """Low 56 bits of the proof's hash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardView:
    """What is owed for a proof; zeros where nothing was taken yet."""

    challenger: bytes
    """Who is to be paid; zeros once paid."""
    proven_at: int
    """Second of the proof."""
    proof_tag: int
    """Low 56 bits of the proof's hash."""
    amount_wei: int
    """The challenger's share."""
    ticket_at: int
    """Second of the ticket by which the challenger claimed the proof; 0 without one."""

    @property
    def payable_from(self) -> int:
        """First second at which it can be paid."""
        return self.proven_at + ESCROW_SECONDS + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitteeView:
    """Attestors who may certify rounds. Times are seconds since 1970."""

    epoch: int
    """Its number, from 1."""
    since: int
    """First opening second of the rounds that it serves."""
    until: int
    """First opening second of the rounds that the next one serves."""
    threshold: int
    """Signatures that a certificate needs."""
    ids: tuple[int, ...]
    """Participant ids, rising; a certificate names its signers by their positions."""

    def serves(self, opened_at: int) -> bool:
        """Whether it certifies rounds that opened at a second."""
        return self.since <= opened_at < self.until


@dataclass(frozen=True, slots=True, kw_only=True)
class EncryptionKeyView:
    """A key that a participant has announced. That its holder has the private half was not shown."""

    epoch: int
    """Its number, from 0."""
    key: bytes
    """X25519 public key, 32 bytes."""
    since: int
    """First second in which it is in force."""


def make_participant(participant: int, values: Mapping[str, Any]) -> ParticipantView:
    """Return the view of a participant from the contract's struct."""
    return ParticipantView(**{**values, "id": participant, "role": Role(values["role"])})


def make_round(round_id: int, values: Mapping[str, Any]) -> RoundView:
    """Return the view of a round from the contract's struct."""
    named = {"phase": spec.Phase(values["phase"]), "mode": spec.CommitMode(values["mode"])}
    return RoundView(**{**values, **named, "round_id": round_id})


def make_task(values: Mapping[str, Any]) -> spec.Task:
    """Return a task from the contract's struct."""
    return spec.Task(**{**values, "rule": spec.Rule(values["rule"]), "mode": spec.CommitMode(values["mode"])})


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
    if isinstance(named.get("role"), int):  # AccessControl has roles of its own, which are hashes
        named["role"] = Role(named["role"])
    return named
