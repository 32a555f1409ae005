"""What is worth an alert, by rule: values in, alerts out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from ledger import spec
from ledger.errors import FedtrailError
from ledger.records import AuditReport, RoundRecord, Verdict
from ledger.scoring import ANOMALY_LIMIT, EFFORT_LIMIT, ONE, RoundScores

RULES = {
    "anomaly": "an update lies unusually far from the others",
    "trust": "a client's trust has fallen below the limit",
    "duplicate": "an update points where another client's does",
    "free-rider": "an update shows next to no effort: nothing, next to nothing, or what was there before",
    "missing": "a client of the last round took no part, or published nothing",
    "excluded": "an update was excluded for a fault of its own",
    "replay": "a replay found something wrong",
    "evidence": "a replay lacks evidence, which accuses nobody",
    "score": "somebody recorded another score than the updates give",
    "late-aggregator": "an aggregator has missed its time",
    "key-rotation": "a participant has replaced its signing key",
}
"""Names of the rules, and what an alert of each says."""
_UNAVAILABLE = 801


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Where scores become alerts, in units of 2**-16."""

    anomaly: int = ANOMALY_LIMIT
    """Above."""
    trust: int = ONE * 3 // 10
    """Below: two bad rounds of a new client, five of one that was trusted entirely."""
    duplicate: int = ONE // 20
    """Below: a cosine above 0.95 to another update."""
    effort: int = EFFORT_LIMIT
    """Below."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """Something that people should look at."""

    rule: str
    """One of RULES."""
    message: str
    """What, in words."""
    round_id: int | None = None
    """Number within the ledger."""
    number: int | None = None
    """Number within the task."""
    client: int | None = None
    """Participant that it is about."""
    value: int | None = None
    """Score, in units of 2**-16."""
    limit: int | None = None
    """What the score should not pass."""
    error: FedtrailError | None = None
    """What was found, where it has a code."""


def judge_scores(scores: RoundScores, limits: Limits) -> Iterator[Alert]:
    """Yield an alert for every score of a round that passes its limit."""
    checks: tuple[tuple[str, str, int, Callable[[int, int], bool], str], ...] = (
        ("anomaly", "anomaly", limits.anomaly, int.__gt__, "above"),
        ("free-rider", "effort", limits.effort, int.__lt__, "below"),
        ("duplicate", "duplicate", limits.duplicate, int.__lt__, "below"),
        ("trust", "trust", limits.trust, int.__lt__, "below"),
    )
    for rule, kind, limit, is_passed, where in checks:
        for client, value in scores.sheets[kind].items():
            if is_passed(value, limit):
                message = f"client {client}: {kind} {value / ONE:.3f} is {where} {limit / ONE:g}"
                yield Alert(
                    rule=rule,
                    message=message,
                    round_id=scores.round_id,
                    number=scores.number,
                    client=client,
                    value=value,
                    limit=limit,
                )


def judge_attendance(record: RoundRecord, expected: Collection[int]) -> Iterator[Alert]:
    """Yield an alert for every client that a round had to do without.

    Args: expected: clients of the last finalised round of the task.
    """
    present = {member.client for member in record.members}
    for client in sorted(set(expected) - present):
        message = f"client {client} took part in the last round and committed to nothing in this one"
        yield _about(record, "missing", client, message)
    for client, reason in record.exclusions:
        rule = "missing" if reason == _UNAVAILABLE else "excluded"
        yield _about(record, rule, client, f"client {client} was excluded with FT{reason}")


def _about(record: RoundRecord, rule: str, client: int, message: str) -> Alert:
    return Alert(rule=rule, message=message, round_id=record.round_id, number=record.number, client=client)


def judge_replay(report: AuditReport) -> Iterator[Alert]:
    """Yield an alert for every finding of a replay."""
    rule = "replay" if report.verdict is Verdict.FAIL else "evidence"
    for finding in report.findings:
        yield Alert(
            rule=rule,
            message=f"check ({finding.clause}): {finding.error.message}",
            round_id=report.round_id,
            number=report.number,
            client=finding.participant,
            error=finding.error,
        )


def judge_lateness(round_id: int, number: int, phase: spec.Phase, *, seconds: int) -> Iterator[Alert]:
    """Yield an alert if an aggregator has missed its time. Args: seconds: by which the time for proposals is over."""
    is_over = phase is spec.Phase.OPEN and seconds > 0
    if is_over or phase is spec.Phase.EXPIRED:
        how = f"since {seconds} s" if is_over else "and the round has expired"
        message = f"the aggregator of round {number} owes a proposal {how}"
        yield Alert(rule="late-aggregator", message=message, round_id=round_id, number=number)
