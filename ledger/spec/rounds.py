"""Tasks and the round transition: the pure twin of RoundLedger (docs/protocol.md §6).

None -> Open -> (dataEnd) -> Proposed -> (challengeEnd) Finalised; exits: Abandoned (too few included updates),
Expired (no proposal by proposeEnd), Voided (a proof). Being sealed follows from the clock, it is no transaction.
A test drives this state machine and the contract side by side.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

from ledger.spec.commitment import (
    Member,
    Proposal,
    compute_head,
    compute_proposal_hash,
    compute_segment_root,
    compute_segments_hash,
    encode_exclusions,
)
from ledger.spec.errors import DuplicateCommitment, InvalidTask, QuorumNotMet, RuleError, WrongPhase
from ledger.spec.keccak import keccak256
from ledger.spec.numbers import MAX_BOUND, MAX_EXAMPLES_CAP, MAX_SCALE_BITS
from ledger.spec.rules import Rule, RuleParams, compute_min_updates

ZERO_DIGEST = bytes(32)
NO_BOARD = bytes(20)
MAX_CLIENTS = 10_000
"""Most clients of a round: its manifest, 147 bytes and 103 a client, is one block of at most 1 MiB (§3.3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Immutable parameters of a task, in the contract's order and units."""

    rule: Rule
    """Aggregation rule."""
    rule_param: int
    """Trim per side, or f; 0 for other rules. uint16."""
    rule_select: int
    """Updates that Multi-Krum averages; 0 for other rules. uint16."""
    size: int
    """Coordinates (d)."""
    scale_bits: int
    """Fractional bits, 0 to 30."""
    leaf_log2: int
    """Coordinates per leaf, log2, 3 to 12."""
    matrix_log2: int
    """Coordinates per matrix leaf, log2, 0 to 8."""
    bound: int
    """Largest |coordinate|, 1 to 2**23 - 1."""
    examples_cap: int
    """Largest weight, 1 to 2**20 - 1."""
    max_clients: int
    """Most commitments in a round, 1 to MAX_CLIENTS."""
    quorum: int
    """Fewest included updates."""
    commit_seconds: int
    """Length of the commit phase."""
    data_seconds: int
    """Length of the data phase."""
    propose_seconds: int
    """Time for a proposal after the data phase."""
    challenge_seconds: int
    """Time for challenges after a proposal."""
    bond_wei: int
    """Bond of the aggregator per open round."""
    board: bytes
    """Address of the availability board; zeros for none."""
    genesis_model: bytes
    """Root of the model that the first round starts from."""
    layout_digest: bytes
    """SHA-256 of the canonical tensor layout."""
    script_digest: bytes
    """SHA-256 of the round script."""

    def rule_params(self) -> RuleParams:
        """Return what `aggregate` needs."""
        return RuleParams(
            rule=self.rule,
            parameter=self.rule_param,
            select=self.rule_select,
            bound=self.bound,
            examples_cap=self.examples_cap,
        )


_RANGES = {
    "size": (1, (1 << 32) - 1),
    "scale_bits": (0, MAX_SCALE_BITS),
    "leaf_log2": (3, 12),
    "matrix_log2": (0, 8),
    "bound": (1, MAX_BOUND),
    "examples_cap": (1, MAX_EXAMPLES_CAP),
    "max_clients": (1, MAX_CLIENTS),
    "quorum": (1, MAX_CLIENTS),
    "commit_seconds": (1, (1 << 32) - 1),
    "data_seconds": (0, (1 << 32) - 1),
    "propose_seconds": (1, (1 << 32) - 1),
    "challenge_seconds": (1, (1 << 32) - 1),
    "bond_wei": (0, (1 << 96) - 1),
    "rule_param": (0, (1 << 16) - 1),
    "rule_select": (0, (1 << 16) - 1),
}


def verify_task(task: Task, *, unbond_seconds: int) -> None:
    """Return if every parameter is in its range (§6.1): what RoundLedger.createTask checks.

    Raises: InvalidTask: names the field.
    """
    for field, (low, high) in _RANGES.items():
        if not low <= getattr(task, field) <= high:
            raise InvalidTask(field=field, got=getattr(task, field), want=f"{low} to {high}")
    if task.quorum > task.max_clients:
        raise InvalidTask(field="quorum", got=task.quorum, want=f"1 to {task.max_clients}")
    _verify_rule(task)
    for field in ("genesis_model", "layout_digest"):
        if getattr(task, field) == ZERO_DIGEST:
            raise InvalidTask(field=field, got="zero", want="a digest")
    windows = task.commit_seconds + task.data_seconds + task.propose_seconds + task.challenge_seconds
    if windows > unbond_seconds:
        raise InvalidTask(field="challenge_seconds", got=windows, want=f"all windows within {unbond_seconds} s")


def _verify_rule(task: Task) -> None:
    if task.rule not in (Rule.TRIMMED_MEAN, Rule.KRUM, Rule.MULTI_KRUM) and task.rule_param:
        raise InvalidTask(field="rule_param", got=task.rule_param, want="0 for this rule")
    if (task.rule_select != 0) != (task.rule is Rule.MULTI_KRUM):
        raise InvalidTask(field="rule_select", got=task.rule_select, want="1 and up for Multi-Krum, else 0")
    want = compute_min_updates(task.rule, task.rule_param, task.rule_select)
    if task.quorum < want:
        raise InvalidTask(field="quorum", got=task.quorum, want=f"{want} and up for this rule")


def encode_task(task: Task) -> bytes:
    """Return abi.encode of the task: one 32-byte word a field."""
    words = []
    for field in fields(Task):
        value = getattr(task, field.name)
        words.append(value.rjust(32, b"\x00") if isinstance(value, bytes) else int(value).to_bytes(32, "big"))
    return b"".join(words)


def compute_task_hash(task: Task) -> bytes:
    """Return keccak256 of the encoded task: paramsHash of the event TaskCreated."""
    return keccak256(encode_task(task))


class Phase(enum.IntEnum):
    """The phase's number on chain."""

    NONE = 0
    OPEN = 1
    PROPOSED = 2
    FINALISED = 3
    ABANDONED = 4
    EXPIRED = 5
    VOIDED = 6


TERMINAL = frozenset({Phase.FINALISED, Phase.ABANDONED, Phase.EXPIRED, Phase.VOIDED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """State of one round."""

    round_id: int
    """Number within the ledger, from 1."""
    task: Task
    """Its parameters."""
    phase: Phase
    """Current phase."""
    base_model: bytes
    """Root of the model that clients train on."""
    opened_at: int
    """Seconds since 1970."""
    commit_end: int
    """Last second of the commit phase."""
    data_end: int
    """Last second of the data phase."""
    propose_end: int
    """Last second for a proposal."""
    challenge_end: int = 0
    """Last second for challenges; 0 before a proposal."""
    members: tuple[Member, ...] = ()
    """Accepted commitments, in order of arrival."""
    segments_hash: bytes = ZERO_DIGEST
    """Rolling hash over the batches."""
    proposal_hash: bytes = ZERO_DIGEST
    """Of the proposal, zeros before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskState:
    """State of one task: its current model and its hash chain of finalised rounds."""

    task: Task
    """Immutable parameters."""
    model: bytes
    """Root of the current global model."""
    rounds: int = 0
    """Rounds opened."""
    head: bytes = ZERO_DIGEST
    """Hash chain over finalised rounds."""
    current: Round | None = None
    """The latest round."""


def start_task(task: Task, *, unbond_seconds: int) -> TaskState:
    """Return the state of a new task (§6.1)."""
    verify_task(task, unbond_seconds=unbond_seconds)
    return TaskState(task=task, model=task.genesis_model)


def apply_open(state: TaskState, round_id: int, now: int) -> TaskState:
    """Return the state with the next round open (§6.2).

    Raises: WrongPhase: the latest round has not ended.
    """
    if state.current is not None and state.current.phase not in TERMINAL:
        raise WrongPhase(round_id=state.current.round_id, got=state.current.phase.name.lower(), want="ended")
    commit_end = now + state.task.commit_seconds
    data_end = commit_end + state.task.data_seconds
    opened = Round(
        round_id=round_id,
        task=state.task,
        phase=Phase.OPEN,
        base_model=state.model,
        opened_at=now,
        commit_end=commit_end,
        data_end=data_end,
        propose_end=data_end + state.task.propose_seconds,
    )
    return replace(state, rounds=state.rounds + 1, current=opened)


def apply_commits(state: TaskState, members: Sequence[Member], now: int) -> TaskState:
    """Return the state with one more segment of commitments (§6.3): all are accepted or none.

    Raises: WrongPhase, DuplicateCommitment, RuleError (batch empty, not rising, a commitment of zeros, or the round
        is full).
    """
    current = _verify_current(state, Phase.OPEN, "open for commits", now=now, last=None)
    if now > current.commit_end:
        raise WrongPhase(round_id=current.round_id, got="past its commit phase", want="open for commits")
    _verify_batch(current, members)
    root = compute_segment_root(members)
    grown = replace(
        current,
        members=current.members + tuple(members),
        segments_hash=compute_segments_hash(current.segments_hash, root, len(members)),
    )
    return replace(state, current=grown)


def _verify_batch(current: Round, members: Sequence[Member]) -> None:
    clients = [m.client for m in members]
    if not clients or clients != sorted(set(clients)):
        raise RuleError("a batch holds at least one entry, rising by client")
    if any(m.commitment == ZERO_DIGEST for m in members):
        raise RuleError("a commitment is zero")
    seen = {m.client for m in current.members}
    for client in clients:
        if client in seen:
            raise DuplicateCommitment(client=client, round_id=current.round_id)
    if len(seen) + len(clients) > current.task.max_clients:
        raise RuleError(f"round {current.round_id} takes at most {current.task.max_clients} commitments")


def _verify_current(state: TaskState, phase: Phase, want: str, *, now: int, last: int | None) -> Round:
    current = state.current
    if current is None or current.phase is not phase:
        got = "not open" if current is None else current.phase.name.lower()
        raise WrongPhase(round_id=current.round_id if current else 0, got=got, want=want)
    if last is not None and now > last:
        raise WrongPhase(round_id=current.round_id, got="past its deadline", want=want)
    return current


def compute_propose_start(current: Round) -> int:
    """Return the first second at which a proposal is accepted: until then clients have time to publish (§6)."""
    return current.data_end + 1


def apply_proposal(state: TaskState, proposal: Proposal, exclusions: Sequence[tuple[int, int]], now: int) -> TaskState:
    """Return the state with a proposal waiting for challenges (§6.4).

    Raises: WrongPhase, QuorumNotMet, RuleError (an exclusion of a client that did not commit, a digest of zeros).
    """
    current, included = _verify_outcome(state, exclusions, now)
    if included < current.task.quorum:
        raise QuorumNotMet(got=included, want=current.task.quorum, round_id=current.round_id)
    if ZERO_DIGEST in proposal.fields():
        raise RuleError("a digest of the proposal is zero")
    proposed = replace(
        current,
        phase=Phase.PROPOSED,
        proposal_hash=_hash_proposal(current, proposal, exclusions),
        challenge_end=now + current.task.challenge_seconds,
    )
    return replace(state, current=proposed)


def _hash_proposal(current: Round, proposal: Proposal, exclusions: Sequence[tuple[int, int]]) -> bytes:
    return compute_proposal_hash(
        current.round_id,
        proposal,
        segments_hash=current.segments_hash,
        excluded=encode_exclusions(exclusions),
        included=max(0, len(current.members) - len(exclusions)),
    )


def _verify_outcome(state: TaskState, exclusions: Sequence[tuple[int, int]], now: int) -> tuple[Round, int]:
    last = state.current.propose_end if state.current else None
    current = _verify_current(state, Phase.OPEN, "open for a proposal", now=now, last=last)
    if now < compute_propose_start(current):
        raise WrongPhase(round_id=current.round_id, got="still collecting", want="open for a proposal")
    committed = {m.client for m in current.members}
    clients = [client for client, _ in exclusions]
    if clients != sorted(set(clients)) or not committed.issuperset(clients):
        raise RuleError("exclusions name committed clients, each once, rising")
    return current, len(committed) - len(clients)


def apply_abandon(state: TaskState, exclusions: Sequence[tuple[int, int]], now: int) -> TaskState:
    """Return the state with a round ended for want of updates (§6.5); the model stays.

    Raises: WrongPhase; RuleError: the quorum is met.
    """
    current, included = _verify_outcome(state, exclusions, now)
    if included >= current.task.quorum:
        raise RuleError(f"round {current.round_id} has its quorum: {included} of {current.task.quorum}")
    return replace(state, current=replace(current, phase=Phase.ABANDONED))


def apply_finalise(state: TaskState, proposal: Proposal, exclusions: Sequence[tuple[int, int]], now: int) -> TaskState:
    """Return the state after the challenge window: the proposal's model becomes the task's (§6.6).

    Raises: WrongPhase; RuleError: this is not the proposal (with these exclusions) that the round holds.
    """
    current = _verify_current(state, Phase.PROPOSED, "proposed", now=now, last=None)
    if now <= current.challenge_end:
        raise WrongPhase(round_id=current.round_id, got="open to challenges", want="past its challenge window")
    if _hash_proposal(current, proposal, exclusions) != current.proposal_hash:
        raise RuleError(f"this is not the proposal that round {current.round_id} holds")
    head = compute_head(state.head, current.round_id, current.proposal_hash)
    ended = replace(current, phase=Phase.FINALISED)
    return replace(state, current=ended, model=proposal.model_root, head=head)


def apply_expire(state: TaskState, now: int) -> TaskState:
    """Return the state after a missed proposal (§6.7); the model stays.

    Raises: WrongPhase.
    """
    current = _verify_current(state, Phase.OPEN, "open", now=now, last=None)
    if now <= current.propose_end:
        raise WrongPhase(round_id=current.round_id, got="still open for a proposal", want="past its deadline")
    return replace(state, current=replace(current, phase=Phase.EXPIRED))
