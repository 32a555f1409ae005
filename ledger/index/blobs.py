"""What the blobs say that events name: manifests, signed lists, updates. Each is hashed, and what is missing is told.

A blob that is missing is looked for again by every later sync, and its facts are stored when it is there.
"""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from ledger import spec
from ledger.chain.views import Event
from ledger.history import fetch, fetch_block, fetch_layout, get_max_bytes, to_cid
from ledger.index.columns import Row
from ledger.index.database import replace_facts
from ledger.index.event_rows import decode_event
from ledger.index.facts import rows_of, rows_of_list, rows_of_manifest
from ledger.index.opening import now, writing
from ledger.records import Fetched, read_homomorphic
from ledger.spec.audience import SEALED_ALLOWANCE_BYTES
from ledger.store import ContentStore

BlobCounts = Counter[str]
"""Blobs that were looked for, by status: ok, missing or corrupt."""

_NAMING = ("TaskCreated", "RootCommitted", "Proposed", "Abandoned")
_ARTIFACT = """
INSERT INTO artifact(cid, kind, bytes, digest, status, checked_at) VALUES (:cid, :kind, :bytes, :digest, :status, :at)
ON CONFLICT(cid) DO UPDATE SET bytes = :bytes, digest = :digest, status = :status, checked_at = :at
"""


def read_blobs(
    db: sqlite3.Connection, chain: int, store: ContentStore, observe: Callable[[int, int, str], None]
) -> BlobCounts:
    """Look for the blobs of canonical events that were not all there before, store what they say, and count them."""
    places = ", ".join("?" * len(_NAMING))
    query = f"""SELECT e.* FROM event e LEFT JOIN reading r ON r.ev = e.id
        WHERE e.chain = ? AND e.canon = 1 AND e.name IN ({places}) AND coalesce(r.missing, 1) > 0 ORDER BY e.id"""
    pending = [row["id"] for row in db.execute(query, (chain, *_NAMING))]
    counts: BlobCounts = Counter()
    for done, ev in enumerate(pending):
        observe(done, len(pending), "blobs")
        row = db.execute("SELECT * FROM event WHERE id = ?", (ev,)).fetchone()
        counts += _read_event(db, row, store)
    return counts


def _read_event(db: sqlite3.Connection, row: sqlite3.Row, store: ContentStore) -> BlobCounts:
    event = decode_event(row)
    reader = _Reader(db, store, max_bytes=_find_max_bytes(db, row, store))
    rows = [*rows_of(event), *_READERS[event.name](reader, event)]
    missing = reader.counts.total() - reader.counts["ok"]
    with writing(db):
        replace_facts(db, row["id"], rows)
        db.executemany(_ARTIFACT, reader.found.values())
        db.execute("INSERT OR REPLACE INTO reading(ev, missing) VALUES (?, ?)", (row["id"], missing))
    return reader.counts


def _find_max_bytes(db: sqlite3.Connection, row: sqlite3.Row, store: ContentStore) -> int:
    query = "SELECT * FROM event WHERE chain = ? AND canon = 1 AND name = 'TaskCreated' AND task = ?"
    created = db.execute(query, (row["chain"], row["task"])).fetchone()
    if not created:
        return 0
    task = decode_event(created).args["task"]
    is_plain_sum = task.rule is spec.Rule.SUM32 and not task.rule_param  # of ciphertexts, if the layout says so
    homomorphic = read_homomorphic(task, fetch_layout(store, task)) if is_plain_sum else None
    if homomorphic is not None:
        return homomorphic.compute_max_update_bytes(task.size, task.bound)
    # Encrypted updates are longer. Here a blob is hashed and no more, so that one limit does for all tasks.
    return get_max_bytes(task) + SEALED_ALLOWANCE_BYTES


class _Reader:
    """Fetches blobs of one event and remembers what became of each."""

    def __init__(self, db: sqlite3.Connection, store: ContentStore, *, max_bytes: int) -> None:
        self._db, self._store, self._max_bytes = db, store, max_bytes
        self.found: dict[str, dict[str, object]] = {}

    @property
    def counts(self) -> BlobCounts:
        return Counter(str(each["status"]) for each in self.found.values())

    def get_block(self, digest: bytes, kind: str) -> bytes | None:
        """Return a blob that is one raw block."""
        data = self._note(fetch_block(self._store, digest), kind) if any(digest) else None
        return None if data is None else bytes(data)

    def get(self, content: spec.ContentId | None, kind: str) -> spec.Bytes | None:
        """Return a vector."""
        cid = to_cid(content)
        return None if cid is None else self._note(fetch(self._store, cid, self._max_bytes), kind)

    def look(self, content: spec.ContentId | None, kind: str) -> None:
        """Look for a vector of which nothing but its presence is wanted; once seen whole, it is not read again."""
        cid = to_cid(content)
        known = self._db.execute("SELECT 1 FROM artifact WHERE cid = ? AND status = 'ok'", (str(cid),)).fetchone()
        if known is None:
            self.get(content, kind)

    def _note(self, fetched: Fetched, kind: str) -> spec.Bytes | None:
        data = fetched.data
        lost = "missing" if fetched.missing else "corrupt"
        self.found[fetched.cid] = {
            "cid": fetched.cid,
            "kind": kind,
            "bytes": None if data is None else len(data),
            "digest": None if data is None else hashlib.sha256(data).hexdigest(),
            "status": lost if data is None else "ok",
            "at": now(),
        }
        return data


class _Updates(Mapping[int, spec.Bytes]):
    """Updates of a manifest by client, each fetched when it is asked for: a round may not fit into memory."""

    def __init__(self, reader: _Reader, manifest: spec.Manifest) -> None:
        self._reader = reader
        self._contents = {entry.client: entry.content for entry in manifest.entries}

    def __getitem__(self, client: int) -> spec.Bytes:
        data = self._reader.get(self._contents[client], "update")
        if data is None:
            raise KeyError(client)
        return data

    def __iter__(self) -> Iterator[int]:
        return iter(self._contents)

    def __len__(self) -> int:
        return len(self._contents)


def _read_task(reader: _Reader, event: Event) -> Iterator[Row]:
    reader.get_block(event.args["task"].layout_digest, "layout")
    reader.get_block(event.args["task"].script_digest, "script")
    yield from ()


def _read_list(reader: _Reader, event: Event) -> Iterator[Row]:
    data = reader.get_block(event.args["list_id"], "list")
    if data is not None:
        with contextlib.suppress(spec.SpecError):  # whole, and nobody can read it: the round's replay says so
            yield from rows_of_list(event, spec.decode_signed_list(data))


def _read_manifest(reader: _Reader, event: Event) -> Iterator[Row]:
    digest = event.args["data_id"] if event.name == "Abandoned" else event.args["proposal"].data_id
    data = reader.get_block(digest, "manifest")
    try:
        manifest = spec.decode_manifest(data) if data is not None else None
    except spec.SpecError:
        manifest = None
    if manifest is not None:
        yield from rows_of_manifest(event, manifest, _Updates(reader, manifest))
        for kind in ("base", "aggregate", "model"):
            reader.look(getattr(manifest, kind), kind)


_READERS: dict[str, Callable[[_Reader, Event], Iterator[Row]]] = {
    "TaskCreated": _read_task,
    "RootCommitted": _read_list,
    "Proposed": _read_manifest,
    "Abandoned": _read_manifest,
}
