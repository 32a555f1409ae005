"""What this machine has decided and sent, on disk before anybody else sees it (docs/adr/0004).

One SQLite file a project. A note is written once. A transaction is signed and stored before it is broadcast, under
a key that says what it is for: asking again for the same key finds it, and sends the very same bytes if anything.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from ledger.errors import ConfigurationError

WRITTEN, MINED, REVERTED = "written", "mined", "reverted"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS note(key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS transaction_sent(
    id INTEGER PRIMARY KEY,
    scope TEXT NOT NULL, key TEXT NOT NULL, fingerprint BLOB NOT NULL,
    sender BLOB NOT NULL, nonce INTEGER NOT NULL, raw BLOB NOT NULL, hash BLOB NOT NULL, not_before INTEGER NOT NULL,
    status TEXT NOT NULL, block INTEGER, gas_used INTEGER,
    UNIQUE(scope, key), UNIQUE(scope, sender, nonce)) STRICT;
"""
_COLUMNS = "scope, key, fingerprint, sender, nonce, raw, hash, not_before, status, block, gas_used"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A transaction in the journal."""

    scope: str
    """Chain that it is for: its id and the hash of its first block."""
    key: str
    """What it is for, such as run/demo/round/3/propose."""
    fingerprint: bytes
    """Digest of what it asks the contract to do."""
    sender: bytes
    """Address, 20 bytes."""
    nonce: int
    """Its number among the sender's transactions."""
    raw: bytes
    """Signed bytes."""
    hash: bytes
    """Transaction hash, 32 bytes."""
    not_before: int
    """Time of the chain when it was signed, seconds since 1970."""
    status: str
    """written, mined or reverted."""
    block: int | None
    """Block that holds it."""
    gas_used: int | None
    """Gas that it used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A transaction that waits for its nonce."""

    key: str
    """What it is for."""
    fingerprint: bytes
    """Digest of what it asks the contract to do."""
    sender: bytes
    """Address, 20 bytes."""
    first_nonce: int
    """Smallest nonce that the chain would take now."""
    not_before: int
    """Time of the chain, seconds since 1970."""
    sign: Callable[[int], tuple[bytes, bytes]]
    """Given the nonce, returns the signed bytes and their hash."""


class Journal:
    """The journal of a project. Threads and processes may share one file."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._lock = threading.RLock()
        self._db = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def note(self, key: str, value: dict[str, Any]) -> None:
        """Write a note; writing the same again changes nothing.

        Args: value: what JSON can hold.
        Raises: ConfigurationError: the key is there with another value.
        """
        self.note_all({key: value})

    def note_all(self, notes: Mapping[str, dict[str, Any]]) -> None:
        """Write notes by key: all of them, or none.

        Args: notes: values are what JSON can hold.
        Raises: ConfigurationError: a key is there with another value.
        """
        with self._write():
            for key, value in notes.items():
                self._note(key, json.dumps(value, sort_keys=True, separators=(",", ":")))

    def _note(self, key: str, text: str) -> None:
        self._db.execute("INSERT OR IGNORE INTO note VALUES (?, ?)", (key, text))
        (found,) = self._db.execute("SELECT value FROM note WHERE key = ?", (key,)).fetchone()
        if found != text:
            raise ConfigurationError(
                f"the journal already says {found} for {key}, not {text}",
                hint="a run cannot change half-way: start a new one under another name",
            )

    def get_note(self, key: str) -> dict[str, Any] | None:
        """Return a note, or None."""
        return self._select_notes("key = ?", key).get(key)

    def notes(self, prefix: str) -> dict[str, dict[str, Any]]:
        """Return the notes whose keys begin with a prefix, in the order of their keys."""
        return self._select_notes("substr(key, 1, length(?)) = ?", prefix, prefix)

    def find(self, scope: str, key: str) -> Entry | None:
        """Return the transaction of a key, or None."""
        found = self._select("scope = ? AND key = ?", scope, key)
        return found[0] if found else None

    def entries(self, scope: str, *, prefix: str = "") -> list[Entry]:
        """Return the transactions of a chain whose keys begin with a prefix, in the order they were written."""
        return self._select("scope = ? AND substr(key, 1, length(?)) = ?", scope, prefix, prefix)

    def write(self, scope: str, drafts: Sequence[Draft]) -> list[Entry]:
        """Number, sign and store transactions, synced to disk before this returns.

        Args: drafts: their keys are new, or were written by another process meanwhile.
        Returns: one entry a draft; the older one where the key was there.
        """
        with self._write():
            for draft in drafts:
                if self.find(scope, draft.key) is None:
                    self._insert(scope, draft)
        return [entry for draft in drafts if (entry := self.find(scope, draft.key)) is not None]

    def _insert(self, scope: str, draft: Draft) -> None:
        nonce = self._find_free_nonce(scope, draft)
        raw, digest = draft.sign(nonce)
        row = (scope, draft.key, draft.fingerprint, draft.sender, nonce, raw, digest, draft.not_before, WRITTEN)
        names = _COLUMNS.removesuffix(", block, gas_used")
        self._db.execute(f"INSERT INTO transaction_sent ({names}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)

    def _find_free_nonce(self, scope: str, draft: Draft) -> int:
        """Return the smallest free nonce: one that was given up must leave no gap, which would block the rest."""
        query = "SELECT nonce FROM transaction_sent WHERE scope = ? AND sender = ? AND nonce >= ?"
        taken = {nonce for (nonce,) in self._db.execute(query, (scope, draft.sender, draft.first_nonce))}
        return next(nonce for nonce in count(draft.first_nonce) if nonce not in taken)

    def settle(self, entries: Sequence[tuple[Entry, int, int, bool]]) -> None:
        """Store what became of transactions: (entry, block, gas used, whether it succeeded).

        One that reverted has used its nonce and its gas, but its key is free again: it moves to KEY#NONCE.
        """
        if not entries:
            return
        rows = [
            (MINED if ok else REVERTED, entry.key if ok else f"{entry.key}#{entry.nonce}", block, gas, entry.hash)
            for entry, block, gas, ok in entries
            if entry.status != REVERTED
        ]
        change = "UPDATE transaction_sent SET status = ?, key = ?, block = ?, gas_used = ? WHERE hash = ?"
        with self._write():
            self._db.executemany(change, rows)

    def forget(self, entry: Entry) -> None:
        """Remove a transaction that is not on the chain and never will be: the node refused it."""
        with self._write():
            self._db.execute("DELETE FROM transaction_sent WHERE scope = ? AND key = ?", (entry.scope, entry.key))

    def gas_used(self, prefix: str) -> int:
        """Return the gas that mined transactions used whose keys begin with a prefix, on whatever chain."""
        query = "SELECT coalesce(sum(gas_used), 0) FROM transaction_sent WHERE substr(key, 1, length(?)) = ?"
        with self._lock:
            return int(self._db.execute(query, (prefix, prefix)).fetchone()[0])

    def count_outcomes(self, scope: str) -> dict[str, tuple[int, int]]:
        """Return how many transactions of a chain stand how (written, mined, reverted), and the gas that they used."""
        query = "SELECT status, count(*), coalesce(sum(gas_used), 0) FROM transaction_sent WHERE scope = ? GROUP BY 1"
        with self._lock:
            return {status: (number, gas) for status, number, gas in self._db.execute(query, (scope,))}

    def _select(self, where: str, *values: object) -> list[Entry]:
        names = _COLUMNS.split(", ")
        with self._lock:
            rows = self._db.execute(f"SELECT {_COLUMNS} FROM transaction_sent WHERE {where} ORDER BY id", values)
            return [Entry(**dict(zip(names, row, strict=True))) for row in rows]

    def _select_notes(self, where: str, *values: str) -> dict[str, dict[str, Any]]:
        with self._lock:
            rows = self._db.execute(f"SELECT key, value FROM note WHERE {where} ORDER BY key", values).fetchall()
        return {key: json.loads(value) for key, value in rows}

    @contextmanager
    def _write(self) -> Iterator[None]:
        """Hold the file's write lock: what is read inside cannot be changed by another process before the end."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
