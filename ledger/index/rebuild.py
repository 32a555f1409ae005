"""Make an index anew from its chain, beside the old one; what no chain tells is carried over."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from ledger.errors import ConfigurationError
from ledger.index.blobs import read_blobs
from ledger.index.database import replace_facts
from ledger.index.event_rows import decode_event
from ledger.index.export import write_copy
from ledger.index.facts import rows_of
from ledger.index.opening import list_tables, open_index, writing
from ledger.index.source import Source
from ledger.index.sync import Observer, SyncResult, ignore, sync
from ledger.store import ContentStore

_DERIVED = ("chain", "block", "event", "reorg", "reading")
# Of the latest epoch the chain tells all but what it has taken away; of earlier ones nobody tells anything any more.
_EARLIER = "chain < (SELECT max(chain) FROM old.chain)"
_ORPHANED = "chain = (SELECT max(chain) FROM old.chain) AND canon = 0"


def rebuild(path: Path, source: Source, store: ContentStore | None, *, observe: Observer = ignore) -> SyncResult:
    """Read the whole chain again, then put the outcome in the place of the index.

    The old one is kept beside it, without what is private.

    The index stays usable meanwhile, and whole if this is killed. Orphaned blocks, earlier epochs, and tables that no
    chain fills are taken over from it.

    Args: path: file of the index, of whatever release.
    Raises: ConfigurationError: it is no index; what `sync` raises, with nothing changed.
    """
    beside = path.with_name(f"{path.stem}.rebuilding{path.suffix}")
    with _temporary(beside), closing(open_index(beside, create=True)) as fresh:
        if path.exists():
            _take_over_before(fresh, path)
        epochs = [row["chain"] for row in fresh.execute("SELECT chain FROM chain ORDER BY chain").fetchall()]
        if store is not None:
            for epoch in epochs[:-1]:
                read_blobs(fresh, epoch, store, observe)
        result = sync(fresh, source, store, observe=observe)
        if path.exists():
            _take_over_orphans(fresh, path)
            _keep(path, path.with_name(f"{path.stem}.before{path.suffix}"))
        with closing(sqlite3.connect(path, timeout=30)) as place:
            fresh.backup(place)  # one transaction of the place: readers see the old index or the new one
    return result


@contextmanager
def _temporary(path: Path) -> Iterator[None]:
    """Remove a database before and after, also one that a killed process left."""
    files = [path.with_name(path.name + end) for end in ("", "-wal", "-shm")]
    for file in files:
        file.unlink(missing_ok=True)
    try:
        yield
    finally:
        for file in files:
            file.unlink(missing_ok=True)


def _keep(path: Path, copy: Path) -> None:
    copy.unlink(missing_ok=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as old:
        write_copy(old, copy)


@contextmanager
def _taking_over(fresh: sqlite3.Connection, path: Path) -> Iterator[None]:
    """Attach the old index and run a block in one transaction."""
    try:
        fresh.execute("ATTACH ? AS old", (str(path),))
        with writing(fresh):
            yield
        fresh.execute("DETACH old")
    except sqlite3.DatabaseError as problem:
        hint = "move it away; then: fedtrail index sync"
        raise ConfigurationError(f"nothing can be taken over from {path}: {problem}", hint=hint) from None


def _take_over_before(fresh: sqlite3.Connection, path: Path) -> None:
    """Take over epochs, with all of the earlier ones, and the tables that no chain fills."""
    with _taking_over(fresh, path):
        for table in ("chain", "reorg"):
            _take_over(fresh, table, "1")
        _take_over_events(fresh, _EARLIER)
        for table in set(list_tables(fresh)) & set(list_tables(fresh, schema="old")):
            if table not in _DERIVED and not table.startswith("x_"):
                _take_over(fresh, table, "1")
        fresh.execute("UPDATE artifact SET status = 'missing'")  # until all of it was read again


def _take_over_orphans(fresh: sqlite3.Connection, path: Path) -> None:
    """Take over what the latest epoch's chain has taken away, and not brought back since.

    Behind the rest: ids rise along the chain, also if it brings these back one day.
    """
    with _taking_over(fresh, path):
        _take_over_events(fresh, _ORPHANED)


def _take_over_events(fresh: sqlite3.Connection, kept: str) -> None:
    last = fresh.execute("SELECT coalesce(max(id), 0) FROM event").fetchone()[0]
    _take_over(fresh, "block", kept)
    _take_over(fresh, "event", f"{kept} ORDER BY id", without={"id"})
    for row in fresh.execute("SELECT * FROM event WHERE id > ?", (last,)).fetchall():
        replace_facts(fresh, row["id"], rows_of(decode_event(row)))


def _take_over(fresh: sqlite3.Connection, table: str, kept: str, *, without: Collection[str] = ()) -> None:
    """Copy the rows of a table that are not there yet, in the columns that both releases have."""
    columns = [
        {row["name"] for row in fresh.execute(f"SELECT name FROM pragma_table_info('{table}', '{schema}')")}
        for schema in ("main", "old")
    ]
    named = ", ".join(sorted((columns[0] & columns[1]) - set(without)))
    fresh.execute(f"INSERT OR IGNORE INTO main.{table}({named}) SELECT {named} FROM old.{table} WHERE {kept}")
