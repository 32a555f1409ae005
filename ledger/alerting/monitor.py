"""Looks at a ledger again and again: replays every proposal, scores its clients, and tells what passes a limit.

What was told once is not told again. Nothing is kept on disk: a monitor that is started anew tells all that still holds
of the rounds since the task's first one, which trust needs anyway.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from ledger import spec
from ledger.alerting import rules
from ledger.alerting.local import Local
from ledger.alerting.rules import Alert, Limits
from ledger.audit import replay
from ledger.chain import Chain, RoundView
from ledger.errors import ChainError, FedtrailError
from ledger.history import load_round
from ledger.readers import BlobReader
from ledger.records import AuditReport, RoundRecord, Verdict
from ledger.scorekeeping import compare, list_recorded
from ledger.scoring import RoundScores, Standing, can_be_scored, score_round

_ENDS = ("Abandoned", "Expired", "Finalised", "Voided")
_JUDGED = (spec.Phase.PROPOSED, spec.Phase.FINALISED, spec.Phase.VOIDED)


@dataclass(slots=True, kw_only=True)
class Tally:
    """What a monitor has counted since it began."""

    rounds: Counter[tuple[int, str]] = field(default_factory=Counter)
    """Rounds that ended, by task and how."""
    replay_failures: int = 0
    """Replays that proved something wrong."""
    missing: dict[int, int] = field(default_factory=dict)
    """Blobs that could not be had, by round."""
    alerts: Counter[str] = field(default_factory=Counter)
    """Alerts by rule."""
    scores: dict[tuple[int, int, str], int] = field(default_factory=dict)
    """Latest score by task, client and kind, in units of 2**-16."""
    epsilon: dict[tuple[int, int], int] = field(default_factory=dict)
    """Privacy that is said to be spent, by task and client, in millionths."""
    seconds: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Rounds that ended and the seconds from their openings to their ends together, by task; time of the chain."""
    local: Local = field(default_factory=Local)
    """What the project's own files told last."""


@dataclass(slots=True)
class _Task:
    """How far a task was followed."""

    standing: Standing = field(default_factory=Standing)
    members: frozenset[int] = frozenset()
    """Of the last finalised round."""
    is_broken: bool = False
    """Whether a finalised round is wrong: what trust and novelty of later ones should build upon is unknown then."""
    waits: bool = False
    """Whether a finalised round lacks evidence: those after it are scored once it is there."""
    ended: set[int] = field(default_factory=set)
    """Rounds in which nothing will change."""


@dataclass(frozen=True, slots=True)
class _Judged:
    """What became of a round that has a proposal."""

    record: RoundRecord
    report: AuditReport
    after: Standing | None
    """What the next round's scores build upon; None where it has no scores."""


class Monitor:
    """Follows the tasks of a ledger."""

    def __init__(
        self, chain: Chain, store: BlobReader, *, task_id: int | None = None, limits: Limits | None = None
    ) -> None:
        """Args: task_id: the only task to look at; None for all."""
        self.chain, self.store = chain, store
        self.tally = Tally()
        self._only = task_id
        self._limits = limits or Limits()
        self._tasks: dict[int, _Task] = {}
        self._scores: dict[int, RoundScores] = {}
        self._judged: dict[int, _Judged] = {}
        self._stated: set[int] = set()
        """Rounds of which somebody has recorded scores that were not compared yet."""
        self._next_block: int | None = None
        self._told: set[tuple[str, int | None, str]] = set()

    def look(self) -> Iterator[Alert]:
        """Look once, and yield what was not told before. Raises: ChainError: the node or the store does not answer."""
        for alert in self._look():
            # Of an aggregator that is late, its lateness grows from look to look.
            key = (alert.rule, alert.round_id, "" if alert.rule == "late-aggregator" else alert.message)
            if key not in self._told:
                self._told.add(key)
                self.tally.alerts[alert.rule] += 1
                yield alert

    def _look(self) -> Iterator[Alert]:
        yield from self._read_events()
        count = self.chain.count_tasks()
        for task_id in range(1, count + 1) if self._only is None else (self._only,):
            task = self._tasks.setdefault(task_id, _Task())
            task.waits = False
            for event in self.chain.events(names=("RoundOpened",), task_id=task_id):
                round_id, number = int(event.args["round_id"]), int(event.args["number"])
                if round_id not in task.ended:
                    yield from guard(round_id, number, self._look_at_round(task_id, task, round_id, number))
        yield from self._compare_recorded()

    def _read_events(self) -> Iterator[Alert]:
        """Read what was stated since the last look; tell of new keys."""
        last = self.chain.get_confirmed_block()
        names = ("KeyRotated", "PrivacySpent", "ScoresRecorded")
        for event in self.chain.events(self._next_block, last, names=names):
            if event.name == "KeyRotated":
                who = int(event.args["id"])
                message = f"participant {who} signs with 0x{event.args['signer'].hex()} in rounds that open later"
                yield Alert(rule="key-rotation", message=f"{message} (block {event.block})", client=who)
            elif event.name == "ScoresRecorded":
                self._stated.add(int(event.args["round_id"]))
            else:
                task_id = self.chain.get_round(event.args["round_id"]).task_id
                for client, epsilon, _ in spec.decode_spends(event.args["entries"]):
                    self.tally.epsilon[task_id, client] = epsilon
        self._next_block = last + 1

    def _look_at_round(self, task_id: int, task: _Task, round_id: int, number: int) -> Iterator[Alert]:
        view = self.chain.get_round(round_id)
        seconds = self.chain.now() - view.propose_end if view.phase is spec.Phase.OPEN else 0
        yield from rules.judge_lateness(round_id, number, view.phase, seconds=seconds)
        if view.phase in _JUDGED and self._is_open_question(task, round_id):
            yield from self._judge(task_id, task, round_id)
        if view.phase in spec.TERMINAL:
            self._end(task_id, task, view)

    def _is_open_question(self, task: _Task, round_id: int) -> bool:
        """Return whether a round is to be replayed: for the first time, or since what it lacked may be there now."""
        known = self._judged.get(round_id)
        if known is None or known.report.verdict is Verdict.INCOMPLETE:
            return True
        return known.after is None and self._can_score(task, known.record, known.report)

    def _can_score(self, task: _Task, record: RoundRecord, report: AuditReport) -> bool:
        is_known = not task.is_broken and not task.waits
        return is_known and report.verdict is Verdict.PASS and can_be_scored(record)

    def _judge(self, task_id: int, task: _Task, round_id: int) -> Iterator[Alert]:
        record = load_round(self.chain, self.store, round_id)
        report = replay(record)
        self.tally.missing[round_id] = sum(not finding.accuses for finding in report.findings)
        self.tally.replay_failures += report.verdict is Verdict.FAIL
        self._judged[round_id] = _Judged(record, report, None)
        yield from rules.judge_replay(report)
        yield from rules.judge_attendance(record, task.members)
        if self._can_score(task, record, report):
            scores, after = score_round(record, task.standing)
            self._judged[round_id] = _Judged(record, report, after)
            self._scores[round_id] = scores
            for kind, sheet in scores.sheets.items():
                self.tally.scores.update({(task_id, client, kind): value for client, value in sheet.items()})
            yield from rules.judge_scores(scores, self._limits)

    def _end(self, task_id: int, task: _Task, view: RoundView) -> None:
        """Note that a round has ended; not yet, if it is finalised and not all of it could be had."""
        round_id, phase = view.round_id, view.phase
        if phase is spec.Phase.FINALISED:
            judged = self._judged[round_id]
            is_incomplete = judged.report.verdict is Verdict.INCOMPLETE
            if is_incomplete or (task.waits and can_be_scored(judged.record)):
                task.waits = True
                return
            task.is_broken |= judged.after is None
            task.standing = judged.after or task.standing
            task.members = frozenset(member.client for member in judged.record.members)
        task.ended.add(round_id)
        self._judged.pop(round_id, None)
        count, seconds = self.tally.seconds.get(task_id, (0, 0))
        self.tally.seconds[task_id] = (count + 1, seconds + self._get_end(round_id) - view.opened_at)
        self.tally.rounds[task_id, phase.name.lower()] += 1

    def _get_end(self, round_id: int) -> int:
        """Return when a round that has ended did, seconds since 1970."""
        last = self.chain.events(names=_ENDS, round_id=round_id)[-1]
        return self.chain.get_block_time(last.block) or self.chain.now()

    def _compare_recorded(self) -> Iterator[Alert]:
        for round_id in sorted(self._stated & set(self._scores)):
            self._stated.discard(round_id)
            scores = self._scores[round_id]
            for sheet in list_recorded(self.chain, round_id=round_id):
                wrong = compare(sheet, scores).wrong
                if wrong is not None:
                    client = int(str(wrong.detail["client"]))
                    number = scores.number
                    yield Alert(
                        rule="score",
                        message=wrong.message,
                        round_id=round_id,
                        number=number,
                        client=client,
                        error=wrong,
                    )


def guard(round_id: int, number: int, alerts: Iterator[Alert]) -> Iterator[Alert]:
    """Yield alerts about a round; a failure is told as one, and keeps nobody from looking at the next round.

    Raises: ChainError: the node or the store does not answer, which says nothing about the round.
    """
    try:
        yield from alerts
    except ChainError:
        raise
    except FedtrailError as error:
        yield Alert(rule="evidence", message=error.message, error=error, round_id=round_id, number=number)
    except Exception as bug:  # bytes of strangers must not blind a monitor to all other rounds
        message = f"unexpected failure: {type(bug).__name__}: {bug}"
        yield Alert(rule="evidence", message=message, round_id=round_id, number=number)
