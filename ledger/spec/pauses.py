"""A guardian stops a task for a while, and its deadlines move (docs/protocol.md §6.8)."""

from __future__ import annotations

from dataclasses import replace

from ledger.spec.errors import WrongPhase
from ledger.spec.rounds import Phase, Round, TaskState


def apply_pause(state: TaskState, now: int) -> TaskState:
    """Return the state of a task that its guardian stops (§6.8): an open round waits, a proposed one goes on.

    Raises: WrongPhase: the task is paused, or was within max_pause_seconds.
    """
    current = state.current
    round_id = current.round_id if current else 0
    if state.paused_at:
        raise WrongPhase(round_id=round_id, got="paused", want="a running task")
    if state.resumed_at and now <= state.resumed_at + state.max_pause_seconds:
        raise WrongPhase(round_id=round_id, got="just resumed", want=f"{state.max_pause_seconds} s between pauses")
    if current is not None and current.phase is Phase.OPEN:
        current = replace(current, phase=Phase.PAUSED)
    return replace(state, current=current, paused_at=now)


def apply_resume(state: TaskState, now: int) -> TaskState:
    """Return the state of a task that runs again (§6.8): the deadlines that were ahead move by the pause.

    All pauses of a round together move them by max_pause_seconds at most.

    Raises: WrongPhase: the task is not paused.
    """
    current = state.current
    if not state.paused_at:
        raise WrongPhase(round_id=current.round_id if current else 0, got="not paused", want="a paused task")
    if current is not None and current.phase is Phase.PAUSED:
        moved = current.propose_end - current.opened_at - _planned_seconds(current)
        seconds = min(now - state.paused_at, state.max_pause_seconds - moved)
        current = _postpone(current, state.paused_at, seconds)
    return replace(state, current=current, paused_at=0, resumed_at=now)


def _planned_seconds(current: Round) -> int:
    task = current.task
    return task.commit_seconds + task.data_seconds + task.propose_seconds


def _postpone(current: Round, since: int, seconds: int) -> Round:
    # A pause in the propose phase moves data_end too, which is past: the ledger keeps one shift for both.
    return replace(
        current,
        phase=Phase.OPEN,
        commit_end=current.commit_end + (seconds if since <= current.commit_end else 0),
        data_end=current.data_end + seconds,
        propose_end=current.propose_end + seconds,
    )
