"""The index: one SQLite file with what the chain holds (ledger.sql) and what that says (facts.sql).

Everything is written in transactions that leave the index whole: one that is killed at any point goes on where it was.
"""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ledger.chain.connection import to_hex
from ledger.index.columns import Row
from ledger.index.event_rows import describe_log
from ledger.index.facts import rows_of
from ledger.index.opening import list_fact_tables, now
from ledger.index.source import Block, Fingerprint, Heads, Log


@dataclass(frozen=True, slots=True, kw_only=True)
class Tip:
    """The last block that an index follows."""

    number: int
    """Height; before the first block, the one before it."""
    hash: str
    """0x hex; empty before the first block."""


# --------------------------------------------------------------------------------------------------------------- epochs


def get_epoch(db: sqlite3.Connection) -> sqlite3.Row | None:
    """Return the row of the epoch that is read on, the latest; None in an empty index."""
    row: sqlite3.Row | None = db.execute("SELECT * FROM chain ORDER BY chain DESC LIMIT 1").fetchone()
    return row


def get_fingerprint(epoch: sqlite3.Row) -> Fingerprint:
    """Return what tells an epoch from every other one."""
    return Fingerprint(**{field.name: epoch[field.name] for field in dataclasses.fields(Fingerprint)})


def add_epoch(db: sqlite3.Connection, fingerprint: Fingerprint) -> int:
    """Open an epoch and return its number."""
    values = dataclasses.asdict(fingerprint)
    _insert(db, "chain", {**values, "opened_at": now()})
    return int(db.execute("SELECT max(chain) FROM chain").fetchone()[0])


# --------------------------------------------------------------------------------------------------------------- blocks


def get_tip(db: sqlite3.Connection, chain: int) -> Tip:
    """Return the last canonical block of an epoch."""
    query = "SELECT number, hash FROM block WHERE chain = ? AND canon = 1 ORDER BY number DESC LIMIT 1"
    row = db.execute(query, (chain,)).fetchone()
    if row is None:
        first = db.execute("SELECT deploy_block FROM chain WHERE chain = ?", (chain,)).fetchone()[0]
        return Tip(number=first - 1, hash="")
    return Tip(number=row["number"], hash=row["hash"])


def get_hashes(db: sqlite3.Connection, chain: int, first: int, last: int) -> dict[int, str]:
    """Return the hashes of canonical blocks by number, both ends included."""
    query = "SELECT number, hash FROM block WHERE chain = ? AND canon = 1 AND number BETWEEN ? AND ?"
    return {row["number"]: row["hash"] for row in db.execute(query, (chain, first, last))}


def put_block(db: sqlite3.Connection, chain: int, block: Block) -> int:
    """Add a block with its events and what they say, after all earlier ones; return the number of its events.

    A block that a reorganisation took away and another one brings back is canonical again, and so are its events. Their
    ids rise along the chain all the same: no block was ever added before its parent.
    """
    header, block_hash = block.header, to_hex(block.header.hash)
    of_block = (chain, block_hash)
    if db.execute("UPDATE block SET canon = 1, finality = 'latest' WHERE chain = ? AND hash = ?", of_block).rowcount:
        query = "UPDATE event SET canon = 1, orphaned_by = NULL WHERE chain = ? AND block_hash = ?"
        return db.execute(query, of_block).rowcount
    values = {
        "chain": chain,
        "number": header.number,
        "hash": block_hash,
        "parent": to_hex(header.parent_hash),
        "ts": header.timestamp,
        "header": block.encoded,
        "seen_at": now(),
    }
    _insert(db, "block", values)
    for log in block.logs:
        values = {"chain": chain, "task": _find_task(db, chain, log), **describe_log(log)}
        _add_facts(db, _insert(db, "event", values), rows_of(log.event))
    return len(block.logs)


def _find_task(db: sqlite3.Connection, chain: int, log: Log) -> int | None:
    """Return the task that an event is about; most name their round alone."""
    args = log.event.args
    if "task_id" in args or "round_id" not in args:
        return args.get("task_id")
    query = "SELECT task FROM event WHERE round_id = ? AND chain = ? AND canon = 1 AND name = 'RoundOpened'"
    row = db.execute(query, (args["round_id"], chain)).fetchone()
    return row["task"] if row else None


def replace_facts(db: sqlite3.Connection, ev: int, rows: Iterable[Row]) -> None:
    """Store what an event and its blobs say, in place of what they said before."""
    for table in list_fact_tables(db):
        db.execute(f"DELETE FROM {table} WHERE ev = ?", (ev,))
    _add_facts(db, ev, rows)


def _add_facts(db: sqlite3.Connection, ev: int, rows: Iterable[Row]) -> None:
    for table, values in rows:
        _insert(db, table, {"ev": ev, **values})


def orphan_blocks(db: sqlite3.Connection, chain: int, fork: int, new_tip: str) -> sqlite3.Row:
    """Mark all canonical blocks above a number as taken away; return the row of the reorganisation."""
    tip, where = get_tip(db, chain), "chain = ? AND canon = 1 AND number > ?"
    lost = db.execute(f"SELECT count(*) FROM event WHERE {where}", (chain, fork)).fetchone()[0]
    final = db.execute(f"SELECT 1 FROM block WHERE {where} AND finality = 'final' LIMIT 1", (chain, fork)).fetchone()
    values = {
        "chain": chain,
        "detected_at": now(),
        "fork_number": fork,
        "old_tip": tip.hash,
        "new_tip": new_tip,
        "depth": tip.number - fork,
        "events_orphaned": lost,
        "past_final": int(final is not None),
    }
    reorg = _insert(db, "reorg", values)
    db.execute(f"UPDATE block SET canon = 0 WHERE {where}", (chain, fork))
    db.execute(f"UPDATE event SET canon = 0, orphaned_by = ? WHERE {where}", (reorg, chain, fork))
    row: sqlite3.Row = db.execute("SELECT * FROM reorg WHERE id = ?", (reorg,)).fetchone()
    return row


def mark_finality(db: sqlite3.Connection, chain: int, heads: Heads) -> None:
    """Raise the level of blocks; none ever falls."""
    rising = "UPDATE block SET finality = ? WHERE chain = ? AND canon = 1 AND number <= ? AND finality <> 'final'"
    db.execute(f"{rising} AND finality = 'latest'", ("safe", chain, heads.safe))
    db.execute(rising, ("final", chain, heads.final))


def _insert(db: sqlite3.Connection, table: str, values: Mapping[str, object]) -> int:
    """Insert a row and return its rowid; names come from the code, values are bound."""
    names, places = ", ".join(values), ", ".join("?" * len(values))
    cursor = db.execute(f"INSERT INTO {table} ({names}) VALUES ({places})", tuple(values.values()))
    return int(cursor.lastrowid or 0)
