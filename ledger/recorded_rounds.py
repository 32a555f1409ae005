"""RoundLedger as its events tell it: tasks, rounds, deadlines, heads. Pure; the contract's own arithmetic."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from ledger import commitments, spec
from ledger.chain.views import Event, RoundView, TaskStateView
from ledger.recorded_registry import misfit
from ledger.spec import CommitMode, Phase

_WAITING = (Phase.OPEN, Phase.PAUSED)
_RUNNING = (*_WAITING, Phase.PROPOSED)
_STRIKEABLE = (Phase.PROPOSED,)
_FROM: Mapping[str, Collection[Phase]] = {
    "Committed": (Phase.OPEN,),
    "SegmentCommitted": (Phase.OPEN,),
    "RootCommitted": (Phase.OPEN,),
    "Proposed": (Phase.OPEN,),
    "Abandoned": (Phase.OPEN,),
    "Expired": (Phase.OPEN,),
    "Finalised": _STRIKEABLE,
    "Voided": _STRIKEABLE,
    "DisputeHeld": _STRIKEABLE,
    "DisputeReleased": frozenset(Phase),
}
"""In which phase of its round each event can happen."""
_ENDS = {"Abandoned": Phase.ABANDONED, "Expired": Phase.EXPIRED, "Voided": Phase.VOIDED}
_ENTRY_BYTES = 6


@dataclass(slots=True)
class _Task:
    task: spec.Task
    model: bytes
    head: bytes = spec.ZERO_DIGEST
    digest: bytes = spec.ZERO_DIGEST
    """Of the current round: the rolling hash over its segments, then the hash of its proposal."""
    rounds: int = 0
    current_round: int = 0
    bonded: bool = False
    paused_at: int = 0


@dataclass(slots=True)
class _Round:
    """As the contract's Clock: `until` is the end of the commit phase, and after a proposal that of the challenges."""

    task_id: int
    aggregator: int
    opened_at: int
    until: int
    phase: Phase = Phase.OPEN
    committed: int = 0
    excluded: int = 0
    open_disputes: int = 0
    shift: int = 0


class RecordedRounds:
    """Tasks and rounds after some events."""

    def __init__(self) -> None:
        self._tasks: dict[int, _Task] = {}
        self._rounds: dict[int, _Round] = {}

    def apply(self, event: Event, now: int) -> None:
        """Take one event of the ledger into account; SuccessorNamed changes nothing here.

        Args: now: timestamp of its block.
        Raises: Incomplete: it does not follow from those before.
        """
        args = event.args
        if event.name == "TaskCreated":
            if args["task_id"] != len(self._tasks) + 1:
                raise misfit(event, f"task {args['task_id']} comes after {len(self._tasks)}")
            self._tasks[args["task_id"]] = _Task(task=args["task"], model=args["task"].genesis_model)
        elif event.name in ("RoundOpened", "Paused", "Resumed", "BondReleased"):
            if args["task_id"] not in self._tasks:
                raise misfit(event, f"there is no task {args['task_id']}")
            self._change_task(event, self._tasks[args["task_id"]], now)
        elif event.name in _FROM:
            self._change_round(event, self._find(event))

    def _find(self, event: Event) -> _Round:
        found = self._rounds.get(event.args["round_id"])
        if found is None:
            raise misfit(event, f"there is no round {event.args['round_id']}")
        if found.phase not in _FROM[event.name]:
            raise misfit(event, f"the round is {found.phase.name.lower()}")
        return found

    def _change_task(self, event: Event, task: _Task, now: int) -> None:
        current = self._rounds.get(task.current_round)
        if event.name == "RoundOpened":
            self._open(event, task, current)
        elif event.name == "BondReleased":
            task.bonded = False
        elif event.name == "Paused":
            if task.paused_at:
                raise misfit(event, "the task is paused")
            task.paused_at = now
            if current and current.phase is Phase.OPEN:
                current.phase = Phase.PAUSED
        else:
            self._resume(event, task, current)

    def _open(self, event: Event, task: _Task, current: _Round | None) -> None:
        args = event.args
        if args["round_id"] != len(self._rounds) + 1 or args["number"] != task.rounds + 1:
            raise misfit(event, f"round {args['round_id']} comes after {len(self._rounds)}")
        if task.paused_at or (current and current.phase in _RUNNING):
            raise misfit(event, "the task is paused, or its latest round has not ended")
        task.rounds, task.current_round, task.bonded = task.rounds + 1, args["round_id"], True
        self._rounds[args["round_id"]] = _Round(
            task_id=args["task_id"],
            aggregator=args["aggregator"],
            opened_at=args["opened_at"],
            until=args["commit_end"],
        )

    def _resume(self, event: Event, task: _Task, current: _Round | None) -> None:
        since, task.paused_at = task.paused_at, 0
        if not since:
            raise misfit(event, "the task is not paused")
        if current and current.phase is Phase.PAUSED:
            current.phase = Phase.OPEN
            if since <= current.until:
                current.until += event.args["paused_seconds"]
            else:
                current.shift += event.args["paused_seconds"]

    def _change_round(self, event: Event, round_: _Round) -> None:
        name, args, task = event.name, event.args, self._tasks[round_.task_id]
        if name in ("Committed", "SegmentCommitted", "RootCommitted"):
            self._append_segment(event, round_, task)
        elif name == "Proposed":
            round_.phase, round_.until = Phase.PROPOSED, args["challenge_end"]
            round_.committed, round_.excluded = args["proposal"].committed, _count(args["excluded"])
            task.digest = args["proposal_hash"]
        elif name == "Finalised":
            round_.phase, task.model, task.head = Phase.FINALISED, args["model_root"], args["head"]
        elif name in _ENDS:
            round_.phase = _ENDS[name]
            round_.excluded = _count(args["excluded"]) if name == "Abandoned" else round_.excluded
        elif name == "DisputeHeld":
            round_.until, round_.open_disputes = args["challenge_end"], round_.open_disputes + 1
        elif not round_.open_disputes:
            raise misfit(event, "no dispute is open")
        else:
            round_.open_disputes -= 1

    def _append_segment(self, event: Event, round_: _Round, task: _Task) -> None:
        args = event.args
        if event.name == "Committed":
            member = spec.Member(client=args["client"], commitment=args["commitment"])
            root, count = commitments.compute_segment_root([member]), 1
        else:
            root, count = args["root"], args["count"]
        before = task.digest if round_.committed else spec.ZERO_DIGEST
        task.digest = commitments.compute_segments_hash(before, root, count)
        # In accumulated mode the contract notes that somebody has committed, no more.
        is_counted = task.task.mode is not CommitMode.ACCUMULATED
        round_.committed = round_.committed + count if is_counted else 1

    # ------------------------------------------------------------------------------------------------------- questions

    @property
    def num_tasks(self) -> int:
        """Tasks created."""
        return len(self._tasks)

    @property
    def num_rounds(self) -> int:
        """Rounds opened by all tasks."""
        return len(self._rounds)

    def get_task(self, task_id: int) -> spec.Task:
        """Return a task's parameters. Raises: KeyError."""
        return self._tasks[task_id].task

    def get_task_state(self, task_id: int) -> TaskStateView:
        """Return a task's model, rounds, current round and head. Raises: KeyError."""
        found = self._tasks[task_id]
        return TaskStateView(**{name: getattr(found, name) for name in TaskStateView.__slots__})

    def get_round(self, round_id: int) -> RoundView:
        """Return a round as the contract's view tells it. Raises: KeyError."""
        found = self._rounds[round_id]
        task = self._tasks[found.task_id]
        is_waiting, is_current = found.phase in _WAITING, task.current_round == round_id
        is_proposed = found.phase in (Phase.PROPOSED, Phase.FINALISED)
        data_end = found.until + found.shift + task.task.data_seconds
        has_digest = is_current and found.phase is not Phase.VOIDED
        segments_hash = task.digest if has_digest and not is_proposed and found.committed else spec.ZERO_DIGEST
        return RoundView(
            round_id=round_id,
            phase=found.phase,
            mode=task.task.mode,
            task_id=found.task_id,
            aggregator=found.aggregator,
            opened_at=found.opened_at,
            commit_end=found.until if is_waiting else 0,
            data_end=data_end if is_waiting else 0,
            propose_end=data_end + task.task.propose_seconds if is_waiting else 0,
            challenge_end=found.until if is_proposed or found.phase is Phase.VOIDED else 0,
            open_disputes=found.open_disputes,
            committed=found.committed,
            excluded=found.excluded,
            segments_hash=segments_hash,
            proposal_hash=task.digest if has_digest and is_proposed else spec.ZERO_DIGEST,
        )

    def get_paused_at(self, task_id: int) -> int:
        """Return the second since which a task is paused; 0 while it is not. Raises: KeyError."""
        return self._tasks[task_id].paused_at


def _count(excluded: bytes) -> int:
    return len(excluded) // _ENTRY_BYTES
