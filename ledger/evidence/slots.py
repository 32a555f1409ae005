"""Where RoundLedger and ParticipantRegistry keep what they count, and how they pack it. Pure.

The numbers follow from the order of the contracts' state variables, after the two that OpenZeppelin's EIP712 has; a
test reads the same values through the contracts' own functions. Source: Solidity documentation, layout of state
variables in storage.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from eth_utils.crypto import keccak

from ledger import spec
from ledger.errors import BadProof

LEDGER_COUNTS = 2
"""RoundLedger: taskCount u32, roundCount u64, successor."""
PARTICIPANT_COUNT = 2
"""ParticipantRegistry: participantCount u32."""
_STATES, _CLOCKS = 5, 6
_DIGEST, _MODEL, _HEAD = 1, 2, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How much a RoundLedger holds."""

    tasks: int
    """Tasks created; their ids are 1 to this."""
    rounds: int
    """Rounds opened by all tasks; their ids are 1 to this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTask:
    """What RoundLedger keeps of a task."""

    rounds: int
    """Rounds opened."""
    current_round: int
    """Id of the latest round; 0 for none."""
    model: bytes
    """Root of the current global model, 32 bytes."""
    head: bytes
    """Hash chain over the finalised rounds, 32 bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRound:
    """What RoundLedger keeps of a round."""

    phase: spec.Phase
    """Where it stands; a paused round counts as open."""
    mode: spec.CommitMode
    """How its clients commit."""
    opened_at: int
    """Second at which it opened."""
    task_id: int
    """Its task."""
    aggregator: int
    """Participant id."""
    committed: int
    """Clients that committed; in accumulated mode 1 for any number until a proposal says it."""
    excluded: int
    """Committed updates that the proposal leaves out."""


def list_slots(task_ids: Iterable[int], round_ids: Iterable[int]) -> list[int]:
    """Return the slots of RoundLedger that hold its counts, these tasks and these rounds, rising."""
    tasks = [slot for task_id in task_ids for slot in _get_task_slots(task_id)]
    rounds = [_get_round_slot(round_id) for round_id in round_ids]
    return sorted({LEDGER_COUNTS, *tasks, *rounds})


def read_counts(words: Mapping[int, int]) -> Counts:
    """Return the counts of a RoundLedger from the words in its slots.

    Raises: BadProof: the slot is not among them.
    """
    word = _take(words, LEDGER_COUNTS)
    return Counts(tasks=word & 0xFFFFFFFF, rounds=word >> 32 & 0xFFFFFFFFFFFFFFFF)


def read_participant_count(words: Mapping[int, int]) -> int:
    """Return how many participants a ParticipantRegistry has; their ids are 1 to this.

    Raises: BadProof: the slot is not among the words.
    """
    return _take(words, PARTICIPANT_COUNT) & 0xFFFFFFFF


def read_task(words: Mapping[int, int], task_id: int) -> StoredTask:
    """Return what a RoundLedger keeps of a task, from the words in its slots.

    Raises: BadProof: a slot is not among them.
    """
    packed, _, model, head = (_take(words, slot) for slot in _get_task_slots(task_id))
    return StoredTask(
        rounds=packed & 0xFFFFFFFF,
        current_round=packed >> 32 & 0xFFFFFFFFFFFFFF,
        model=model.to_bytes(32, "big"),
        head=head.to_bytes(32, "big"),
    )


def read_round(words: Mapping[int, int], round_id: int) -> StoredRound:
    """Return what a RoundLedger keeps of a round, from the words in its slots.

    Raises: BadProof: the slot is not among them, or holds a phase or mode that there is not.
    """
    word = _take(words, _get_round_slot(round_id))
    # In the order of the struct Clock: phase, mode, hasBoard, openedAt, until, taskId, aggregator, committed,
    # capacity, excluded, openDisputes, shift.
    values = []
    for bits in (8, 8, 8, 40, 40, 32, 32, 16, 16, 16, 8, 32):
        values.append(word & ((1 << bits) - 1))
        word >>= bits
    phase, mode, _, opened_at, _, task_id, aggregator, committed, _, excluded, _, _ = values
    if phase not in set(spec.Phase) or mode not in set(spec.CommitMode):
        raise BadProof(what=f"round {round_id} is stored with phase {phase} and mode {mode}")
    return StoredRound(
        phase=spec.Phase(phase),
        mode=spec.CommitMode(mode),
        opened_at=opened_at,
        task_id=task_id,
        aggregator=aggregator,
        committed=committed,
        excluded=excluded,
    )


def _get_task_slots(task_id: int) -> range:
    base = _get_mapped_slot(task_id, _STATES)
    return range(base, base + _HEAD + 1)


def _get_round_slot(round_id: int) -> int:
    return _get_mapped_slot(round_id, _CLOCKS)


def _get_mapped_slot(key: int, slot: int) -> int:
    """Return the slot of a mapping's value: keccak256(key | slot of the mapping)."""
    return int.from_bytes(keccak(key.to_bytes(32, "big") + slot.to_bytes(32, "big")), "big")


def _take(words: Mapping[int, int], slot: int) -> int:
    if slot not in words:
        raise BadProof(what=f"the evidence has no storage proof of slot {slot:#x}")
    return words[slot]
