"""Keeps what replays established: one row of `verification` a replay, by the hash of the proposal that it judged."""

from __future__ import annotations

import json
import sqlite3
from importlib.metadata import version

from ledger.index.opening import now, writing
from ledger.records import AuditReport, RoundRecord


def record_replay(connection: sqlite3.Connection, record: RoundRecord, report: AuditReport) -> None:
    """Add the verdict of a replay to an index; a round without a proposal has none.

    A verdict names the proposal and not the round: it stays true at every block, and after every reorganisation.
    """
    if not any(record.proposal_hash):
        return
    subject, codes = "0x" + record.proposal_hash.hex(), json.dumps([finding.error.code for finding in report.findings])
    about = (record.task_id, record.round_id, subject, str(report.verdict), codes)
    with writing(connection):
        connection.execute(
            "INSERT INTO verification(at, tool, chk, task, round_id, subject, verdict, detail)"
            " VALUES (?, ?, 'replay', ?, ?, ?, ?, ?)",
            (now(), f"fedtrail {version('fedtrail')}", *about),
        )
