"""Opens an index: the one SQLite file of its schema, ledger.sql and facts.sql, and transactions in it.

Knows nothing of chains, so that a command that only asks an index starts at once.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path

from ledger.errors import ConfigurationError, NotFoundError

_FILES = ("ledger.sql", "facts.sql")
"""What the chain holds, and what that says: the second refers to tables of the first."""

FILE_NAME = "index.sqlite"
"""The index of a project, in its state folder."""
SCHEMA = "".join(resources.files("ledger.index").joinpath(name).read_text("utf-8") for name in _FILES)
"""Every table, index and view."""
VERSION = zlib.crc32(SCHEMA.encode()) >> 1
"""Number of this schema: an index of another release is built anew, since all of it can be."""


def open_index(path: Path, *, create: bool = False) -> sqlite3.Connection:
    """Open an index for reading and writing.

    Raises: NotFoundError: there is none, and `create` is not set; ConfigurationError: it is no index, or one of another
    release.
    """
    if not create and not path.exists():
        raise NotFoundError(kind="index", name=path, suggestion="", hint="run: fedtrail index sync")
    path.parent.mkdir(parents=True, exist_ok=True)
    db = sqlite3.connect(path, timeout=30, isolation_level=None)
    db.row_factory = sqlite3.Row
    try:
        db.execute("PRAGMA journal_mode=WAL")
        # A power cut may take the last batches, which are then read again; nothing half-written stays.
        db.execute("PRAGMA synchronous=NORMAL")
        if _get_version(db) == 0:
            _create_schema(db)
    except sqlite3.DatabaseError as problem:
        db.close()
        raise ConfigurationError(
            f"{path} is no index: {problem}", hint="move it away; then: fedtrail index sync"
        ) from None
    if (got := _get_version(db)) != VERSION:
        db.close()
        raise ConfigurationError(
            f"{path} has schema {got}, this release reads {VERSION}", hint="build it anew: fedtrail index rebuild"
        )
    return db


def _get_version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def _create_schema(db: sqlite3.Connection) -> None:
    with writing(db):
        if _get_version(db) == 0 and not list_tables(db):  # two may have come at once
            for statement in _split(SCHEMA):
                db.execute(statement)
            db.execute(f"PRAGMA user_version={VERSION}")


def _split(script: str) -> Iterator[str]:
    """Yield the statements of a script: executescript would end the transaction that they are in."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


@contextmanager
def writing(db: sqlite3.Connection) -> Iterator[None]:
    """Run a block as one transaction that nobody else writes in: all of it, or nothing."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


@contextmanager
def reading(db: sqlite3.Connection) -> Iterator[None]:
    """Run a block of reads that see one version of the index."""
    db.execute("BEGIN")
    try:
        yield
    finally:
        db.execute("ROLLBACK")


def list_tables(db: sqlite3.Connection, pattern: str = "*", *, schema: str = "main") -> list[str]:
    """Return the names of the tables that fit a pattern."""
    query = f"SELECT name FROM {schema}.sqlite_master WHERE type = 'table' AND name GLOB ? ORDER BY name"
    return [row[0] for row in db.execute(query, (pattern,))]


def list_fact_tables(db: sqlite3.Connection) -> list[str]:
    """Return the names of the tables that are derived from events and blobs."""
    return list_tables(db, "x_*")


def list_views(db: sqlite3.Connection) -> list[str]:
    """Return the names of the views, which people ask."""
    return [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'view' ORDER BY name")]


def now() -> str:
    """Return the time of day in UTC, as tables have it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
