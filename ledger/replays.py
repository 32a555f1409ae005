"""Replays many rounds, one in memory at a time, and holds the books against the events."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from ledger import bookkeeping, errors
from ledger.audit import replay
from ledger.chain import Chain
from ledger.docket import decode_reason
from ledger.errors import WrongBooks
from ledger.history import ChainReader, load_round
from ledger.readers import BlobReader
from ledger.records import AuditReport, Finding, RoundRecord, Verdict
from ledger.spec import Phase

SHOWN_BY_REPLAY = ("wrong aggregate", "wrong weight", "wrong matrix", "wrong members", "wrong model", "wrong entry")
"""Reasons of courts that a replay of the round must find, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """A round and what its replay established."""

    record: RoundRecord
    """What chain and store say of it."""
    report: AuditReport
    """What follows."""
    is_settled: bool
    """Whether a court struck the round: what the replay finds then needs no pursuing."""

    @property
    def unsettled(self) -> tuple[Finding, ...]:
        """What is left to pursue."""
        return () if self.is_settled else self.report.findings


def replay_rounds(chain: ChainReader, store: BlobReader, round_ids: Collection[int]) -> Iterator[Replayed]:
    """Yield every round, replayed, in the given order; the next one is read when it is asked for.

    A round that a court struck for what a replay recomputes, and that replays clean, is a finding of check (7): one of
    the two is wrong.
    """
    reasons = {e.args["round_id"]: decode_reason(e.args["reason"]) for e in chain.events(names=("Voided",))}
    for round_id in round_ids:
        record = load_round(chain, store, round_id)
        yield _judge(record, replay(record), reasons.get(round_id, ""))


def _judge(record: RoundRecord, report: AuditReport, reason: str) -> Replayed:
    if reason in SHOWN_BY_REPLAY and report.verdict is Verdict.PASS:
        return Replayed(record=record, report=_contradict(report, reason), is_settled=False)
    return Replayed(record=record, report=report, is_settled=record.phase is Phase.VOIDED)


def _contradict(report: AuditReport, reason: str) -> AuditReport:
    where = f"none: a court struck the round for '{reason}', and the replay finds nothing wrong"
    root = report.aggregate_root.hex()
    error = errors.ReplayMismatch(round_id=report.number, got=root, want=root, where=where)
    return replace(report, verdict=Verdict.FAIL, findings=(Finding(clause="7", error=error, participant=None),))


def check_books(chain: Chain) -> list[WrongBooks]:
    """Return what does not add up between the events and what the contracts hold, both as of one block."""
    block = chain.get_confirmed_block()
    registry = chain.contracts.addresses["registry"]
    books = bookkeeping.Books(
        participants=chain.participants(at_block=block), balance_wei=chain.get_balance(registry, at_block=block)
    )
    return bookkeeping.check_books(chain.events(last_block=block, names=bookkeeping.NAMES), books)
