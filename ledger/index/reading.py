"""Reads an index and can do nothing else: safe for SQL that anybody wrote, at any block.

A reader sees the ledger as of one block. TEMP views with the names of the tables `event`, `block` and `reorg` end at
that block; the views of facts are made once more on top of them. So every query that works on the index works at every
block, unchanged. All queries of one reader see one snapshot.
"""

from __future__ import annotations

import enum
import sqlite3
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from ledger.errors import ConfigurationError, NotFoundError, UsageError
from ledger.index.opening import VERSION

Value = str | int | float | None
"""Of a parameter."""

MAX_ROWS = 100_000
"""Rows of a result; more are refused."""
MAX_VALUE_BYTES = 1 << 24
"""Length of a single value: what SQLite may build in one step, which no clock interrupts."""
_STEPS = 1000
_ALLOWED = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE}
_REFUSED_FUNCTIONS = {"load_extension", "fts3_tokenizer", "readfile", "writefile", "edit"}
# What was taken back by a reorganisation that counts is there, at whatever height it was.
_SHADOWS = {
    "reorg": "fork_number <= {0}",
    "block": "number <= {0}",
    "event": "number <= {0} OR orphaned_by IN (SELECT id FROM main.reorg WHERE fork_number <= {0})",
}


class Finality(enum.StrEnum):
    """How sure it must be that a block stays."""

    LATEST = "latest"
    """Every block that was seen."""
    SAFE = "safe"
    """Blocks that the chain calls safe or final."""
    FINAL = "final"
    """Blocks that count as final."""

    @property
    def levels(self) -> tuple[str, ...]:
        """Values of the column finality that are at least this."""
        levels = [each.value for each in Finality]
        return tuple(levels[levels.index(self.value) :])


@dataclass(frozen=True, slots=True, kw_only=True)
class AsOf:
    """What a reader sees: the ledger at the end of one block."""

    chain_id: int
    """Chain of the latest epoch."""
    contract: str
    """Its RoundLedger, 0x hex."""
    block: int
    """Last block that counts."""
    hash: str
    """Its hash."""
    ts: int
    """Its time, seconds since 1970, as its miner says."""
    finality: Finality
    """How sure it must be."""
    tip: int
    """Last block that the index knows."""
    verified: bool
    """Whether the index was compared with the chain at this block or a later one (fedtrail index verify)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows that a query gave."""

    columns: tuple[str, ...]
    """Names."""
    rows: tuple[tuple[Any, ...], ...]
    """Values in the order of the columns."""

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return the rows by the names of their columns."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


class Reader:
    """A read-only view of an index as of one block. Not for several threads at once."""

    def __init__(self, connection: sqlite3.Connection, as_of: AsOf, seconds: float) -> None:
        self._connection, self.as_of, self._seconds = connection, as_of, seconds
        self._deadline = time.monotonic()
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)
        connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
        connection.set_progress_handler(self._is_late, _STEPS)
        connection.set_authorizer(_authorize)

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def query(self, sql: str, parameters: Mapping[str, Value] | None = None) -> Table:
        """Return what one SELECT gives.

        Args: sql: one statement; values go into parameters (`:name`), never into the text.
        Raises: UsageError: it writes, attaches, is no SQL, runs too long or gives too many rows.
        """
        self._deadline = time.monotonic() + self._seconds
        try:
            cursor = self._connection.execute(sql, parameters or {})
            rows = cursor.fetchmany(MAX_ROWS + 1)
        except (sqlite3.Error, sqlite3.Warning, OverflowError) as problem:
            raise self._explain(problem) from None
        if len(rows) > MAX_ROWS:
            raise UsageError(f"the query gives more than {MAX_ROWS:,} rows", hint="narrow it with WHERE or LIMIT")
        columns = tuple(column[0] for column in cursor.description or ())
        return Table(columns=columns, rows=tuple(rows))

    def _is_late(self) -> int:
        return int(time.monotonic() > self._deadline)

    def _explain(self, problem: Exception) -> UsageError:
        text = str(problem)
        if "interrupted" in text:
            return UsageError(f"the query was stopped after {self._seconds:g} s", hint="narrow it, or give --seconds")
        if any(word in text for word in ("prohibited", "not authorized", "readonly", "cannot modify")):
            return UsageError("only SELECT is allowed: the index is read-only here", hint="fedtrail audit schema")
        return UsageError(f"SQL: {text}", hint="fedtrail audit schema lists tables and columns")


def _authorize(action: int, first: str | None, second: str | None, _: str | None, __: str | None) -> int:
    if action == sqlite3.SQLITE_FUNCTION:
        return sqlite3.SQLITE_DENY if (second or "").lower() in _REFUSED_FUNCTIONS else sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_READ and (first or "").lower().startswith("pragma_"):
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY


def open_reader(
    path: Path, *, at_block: int | None = None, finality: Finality = Finality.LATEST, seconds: float = 10.0
) -> Reader:
    """Open an index for reading, as of a block.

    Args: at_block: last block that counts; None for the last one of that finality. seconds: longest time of a query.
    Raises: NotFoundError: no index there, nothing in it, or it does not reach that block. ConfigurationError: the file
    is no index.
    """
    if not path.is_file():
        raise NotFoundError("there is no index yet", hint="make one: fedtrail index sync")
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None)
    try:
        _verify_version(path, connection)
        connection.execute("PRAGMA trusted_schema=OFF")
        connection.execute("PRAGMA temp_store=MEMORY")
        connection.execute("BEGIN")
        as_of = _find_block(connection, at_block, finality)
        _shadow(connection, as_of.block)
        return Reader(connection, as_of, seconds)
    except sqlite3.DatabaseError as problem:
        connection.close()
        raise ConfigurationError(
            f"{path} is no index of this release: {problem}", hint="fedtrail index rebuild"
        ) from None
    except BaseException:
        connection.close()
        raise


def _verify_version(path: Path, connection: sqlite3.Connection) -> None:
    (got,) = connection.execute("PRAGMA user_version").fetchone()
    if got != VERSION:
        hint = "build it anew: fedtrail index rebuild"
        raise ConfigurationError(f"{path} has schema {got}, this release reads {VERSION}", hint=hint)


def _find_block(connection: sqlite3.Connection, at_block: int | None, finality: Finality) -> AsOf:
    epoch = connection.execute("SELECT chain, chain_id, contract FROM chain ORDER BY chain DESC LIMIT 1").fetchone()
    tip = (
        epoch
        and connection.execute("SELECT max(number) FROM block WHERE canon = 1 AND chain = ?", epoch[:1]).fetchone()[0]
    )
    if tip is None:
        raise NotFoundError("the index holds no block yet", hint="fedtrail index sync")
    if at_block is not None and at_block > tip:
        raise NotFoundError(f"the index ends at block {tip}, before block {at_block}", hint="fedtrail index sync")
    marks = ", ".join("?" * len(finality.levels))
    found = connection.execute(
        f"SELECT number, hash, ts FROM block WHERE canon = 1 AND chain = ? AND number <= ? AND finality IN ({marks})"
        " ORDER BY number DESC LIMIT 1",
        (epoch[0], tip if at_block is None else at_block, *finality.levels),
    ).fetchone()
    if found is None:
        raise NotFoundError(f"no block of the index is {finality} yet", hint="--finality latest shows what was seen")
    return AsOf(
        chain_id=epoch[1],
        contract=epoch[2],
        block=found[0],
        hash=found[1],
        ts=found[2],
        finality=finality,
        tip=tip,
        verified=_is_verified(connection, epoch[0], found[0]),
    )


def _is_verified(connection: sqlite3.Connection, epoch: int, block: int) -> bool:
    # The last comparison of this epoch counts: a later one that failed takes an earlier one back.
    last = connection.execute(
        "SELECT v.verdict, b.number FROM verification v JOIN block b ON b.chain = ? AND b.hash = v.subject"
        " WHERE v.chk = 'index' ORDER BY v.id DESC LIMIT 1",
        (epoch,),
    ).fetchone()
    return last is not None and last[0] != "fail" and last[1] >= block


def _shadow(connection: sqlite3.Connection, block: int) -> None:
    """Let the names of tables and views mean the ledger as of a block, and check the signatures of statements."""
    for table, counts in _SHADOWS.items():
        connection.execute(f"CREATE TEMP VIEW {table} AS SELECT * FROM main.{table} WHERE {counts.format(int(block))}")
    connection.execute("CREATE TEMP TABLE signoff AS SELECT * FROM main.signoff")
    if connection.execute("SELECT 1 FROM temp.signoff LIMIT 1").fetchone():
        from ledger.index import signoffs  # signatures and all that they need, where there is one to check

        valid = [(int(statement.is_signed), statement.digest) for statement in signoffs.load(connection)]
        connection.executemany("UPDATE temp.signoff SET valid = ? WHERE digest = ?", valid)
    for (sql,) in connection.execute(
        "SELECT sql FROM main.sqlite_master WHERE type = 'view' ORDER BY rowid"
    ).fetchall():
        connection.execute(sql.replace("CREATE VIEW", "CREATE TEMP VIEW", 1))


def list_tables(reader: Reader) -> Sequence[tuple[str, tuple[str, ...]]]:
    """Return the views and tables that can be asked, with their columns: views first, which are what people want."""
    names = reader.query(
        "SELECT name FROM main.sqlite_master WHERE type IN ('view', 'table') AND name NOT LIKE 'sqlite_%'"
        " ORDER BY type = 'table', name"
    )
    found = []
    for (name,) in names.rows:
        with suppress(UsageError):
            quoted = str(name).replace('"', '""')
            found.append((str(name), reader.query(f'SELECT * FROM "{quoted}" LIMIT 0').columns))
    return found
