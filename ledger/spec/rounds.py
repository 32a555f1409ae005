"""The round transition: the pure twin of RoundLedger (docs/protocol.md §6).

None -> Open -> (dataEnd) -> Proposed -> (challengeEnd) Finalised; exits: Abandoned (too few included updates),
Expired (no proposal by proposeEnd), Voided (a proof). Being sealed follows from the clock, it is no transaction. A
guardian may stop an open round for a while (Paused). A test drives this state machine and the contract side by side.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ledger.spec.commitment import (
    Member,
    compute_list_root,
    compute_segment_root,
    compute_segments_hash,
    decode_signed_list,
    distinct_members,
)
from ledger.spec.errors import DuplicateCommitment, QuorumNotMet, RuleError, WrongPhase
from ledger.spec.proposals import (
    Outcome,
    Proposal,
    compute_head,
    compute_outcome_hash,
    compute_proposal_hash,
    encode_exclusions,
)
from ledger.spec.tasks import ZERO_DIGEST, CommitMode, Task, verify_task


class Phase(enum.IntEnum):
    """The phase's number on chain."""

    NONE = 0
    OPEN = 1
    PROPOSED = 2
    FINALISED = 3
    ABANDONED = 4
    EXPIRED = 5
    VOIDED = 6
    PAUSED = 7


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
    """Accepted commitments, in order of arrival; in accumulated mode a client may come again (distinct_members)."""
    committed: int = 0
    """Clients that committed; in accumulated mode 0 until a proposal says it."""
    segments_hash: bytes = ZERO_DIGEST
    """Rolling hash over the segments."""
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
    max_pause_seconds: int = 0
    """Of the ledger: longest pause, and shortest time between two."""
    paused_at: int = 0
    """Second of the pause; 0 while there is none."""
    resumed_at: int = 0
    """Second at which the last pause ended; 0 before the first."""


def start_task(task: Task, *, unbond_seconds: int, max_pause_seconds: int = 0) -> TaskState:
    """Return the state of a new task (§6.1)."""
    verify_task(task, unbond_seconds=unbond_seconds, max_pause_seconds=max_pause_seconds)
    return TaskState(task=task, model=task.genesis_model, max_pause_seconds=max_pause_seconds)


def apply_open(state: TaskState, round_id: int, now: int) -> TaskState:
    """Return the state with the next round open (§6.2).

    Raises: WrongPhase: the task is paused, or the latest round has not ended.
    """
    if state.paused_at:
        raise WrongPhase(round_id=round_id, got="of a paused task", want="a running one")
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

    In accumulated mode a segment is one client that commits by itself, possibly again.

    Raises: WrongPhase, DuplicateCommitment, RuleError (batch empty, not rising, a commitment of zeros, the round is
        full, or the mode takes no such segment).
    """
    current = _verify_committing(state, now)
    mode = current.task.mode
    if mode is CommitMode.ROOT_ONLY or (mode is CommitMode.ACCUMULATED and len(members) != 1):
        raise RuleError(f"clients of this task commit in {mode.name.lower()} mode")
    _verify_batch(current, members)
    return replace(state, current=_extend(current, members, compute_segment_root(members)))


def apply_list(state: TaskState, batch: bytes, now: int) -> TaskState:
    """Return the state with the list of a root-only round (§6.3), which comes in one piece.

    Raises: WrongPhase; RuleError (another mode, a second list, a commitment of zeros, or more clients than the round
        takes); every SpecError of decode_signed_list.
    """
    current = _verify_committing(state, now)
    if current.task.mode is not CommitMode.ROOT_ONLY or current.members:
        raise RuleError(f"round {current.round_id} takes no list")
    members = [Member(client=m.client, commitment=m.commitment) for m in decode_signed_list(batch)]
    _verify_batch(current, members)
    return replace(state, current=_extend(current, members, compute_list_root(batch)))


def _verify_committing(state: TaskState, now: int) -> Round:
    current = _verify_current(state, Phase.OPEN, "open for commits", now=now, last=None)
    if now > current.commit_end:
        raise WrongPhase(round_id=current.round_id, got="past its commit phase", want="open for commits")
    return current


def _verify_batch(current: Round, members: Sequence[Member]) -> None:
    clients = [m.client for m in members]
    if not clients or clients != sorted(set(clients)):
        raise RuleError("a batch holds at least one entry, rising by client")
    if any(m.commitment == ZERO_DIGEST for m in members):
        raise RuleError("a commitment is zero")
    if current.task.mode is CommitMode.ACCUMULATED:
        return
    seen = {m.client for m in current.members}
    for client in clients:
        if client in seen:
            raise DuplicateCommitment(client=client, round_id=current.round_id)
    _verify_capacity(current, len(seen) + len(clients))


def _verify_capacity(current: Round, count: int) -> None:
    if count > current.task.max_clients:
        raise RuleError(f"round {current.round_id} takes at most {current.task.max_clients} commitments")


def _extend(current: Round, members: Sequence[Member], root: bytes) -> Round:
    is_counted = current.task.mode is not CommitMode.ACCUMULATED
    return replace(
        current,
        members=current.members + tuple(members),
        committed=current.committed + (len(members) if is_counted else 0),
        segments_hash=compute_segments_hash(current.segments_hash, root, len(members)),
    )


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


def apply_proposal(
    state: TaskState, proposal: Proposal, exclusions: Sequence[tuple[int, int]], now: int, aux: bytes = b""
) -> TaskState:
    """Return the state with a proposal waiting for challenges (§6.4).

    The ledger cannot count the clients of an accumulated round; here the proposal's count must be right in every mode.

    Raises: WrongPhase, QuorumNotMet, RuleError (an exclusion of a client that did not commit, another number of
        clients than committed, a digest of zeros).
    """
    current, included = _verify_outcome(state, exclusions, now)
    if proposal.committed != (committed := len(distinct_members(current.members))):
        raise RuleError(f"the proposal counts {proposal.committed} clients, {committed} committed")
    _verify_capacity(current, committed)
    if included < current.task.quorum:
        raise QuorumNotMet(got=included, want=current.task.quorum, round_id=current.round_id)
    if ZERO_DIGEST in proposal.fields():
        raise RuleError("a digest of the proposal is zero")
    digest = compute_proposal_hash(
        current.round_id,
        proposal,
        segments_hash=current.segments_hash,
        excluded=encode_exclusions(exclusions),
        aux=aux,
        included=included,
    )
    proposed = replace(
        current,
        phase=Phase.PROPOSED,
        committed=committed,
        proposal_hash=digest,
        challenge_end=now + current.task.challenge_seconds,
    )
    return replace(state, current=proposed)


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

    Raises: WrongPhase; RuleError: the quorum is met, or the round is accumulated: then it can only expire.
    """
    current, included = _verify_outcome(state, exclusions, now)
    if current.task.mode is CommitMode.ACCUMULATED:
        raise RuleError(f"the ledger did not count the clients of round {current.round_id}: let it expire")
    if included >= current.task.quorum:
        raise RuleError(f"round {current.round_id} has its quorum: {included} of {current.task.quorum}")
    return replace(state, current=replace(current, phase=Phase.ABANDONED))


def apply_finalise(state: TaskState, outcome: Outcome, now: int) -> TaskState:
    """Return the state after the challenge window: the proposal's model becomes the task's (§6.6).

    Raises: WrongPhase; RuleError: this is not the outcome of the proposal that the round holds.
    """
    current = _verify_current(state, Phase.PROPOSED, "proposed", now=now, last=None)
    if now <= current.challenge_end:
        raise WrongPhase(round_id=current.round_id, got="open to challenges", want="past its challenge window")
    if compute_outcome_hash(current.round_id, outcome) != current.proposal_hash:
        raise RuleError(f"this is not the proposal that round {current.round_id} holds")
    head = compute_head(state.head, current.round_id, current.proposal_hash)
    ended = replace(current, phase=Phase.FINALISED)
    return replace(state, current=ended, model=outcome.model_root, head=head)


def apply_expire(state: TaskState, now: int) -> TaskState:
    """Return the state after a missed proposal (§6.7); the model stays.

    Raises: WrongPhase.
    """
    current = _verify_current(state, Phase.OPEN, "open", now=now, last=None)
    if now <= current.propose_end:
        raise WrongPhase(round_id=current.round_id, got="still open for a proposal", want="past its deadline")
    return replace(state, current=replace(current, phase=Phase.EXPIRED))
