"""Derive an index once more from the chain, by another way than it was made, and compare.

The index is made from what a node calls the logs of a range. Here the receipts of every block whose bloom admits one
of the contracts are read, and must hash to the root in the header, whose hash the next header names: an event that the
node or somebody at the file has left out, added or changed is found. Facts are compared with what that says.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ledger.chain.connection import to_bytes, to_hex, to_quantity
from ledger.errors import BadProof, Pruned, Unavailable, UsageError, WrongIndex
from ledger.evidence.fetching import fetch_block_receipts
from ledger.evidence.headers import Header, may_contain
from ledger.evidence.receipts import RawLog, compute_receipts_root, decode_logs
from ledger.index.database import get_epoch, get_tip
from ledger.index.opening import list_fact_tables, now, open_index, reading, writing
from ledger.index.source import Log, NodeSource, Source, make_log
from ledger.index.sync import Observer, ignore, sync
from ledger.store import ContentStore

MAX_DIFFERENCES = 10
"""Rows told of one table."""
CHECK = "index"
"""Value of verification.chk."""

_CANONICAL = "chain = {chain} AND canon = 1 AND number <= {last}"
_SCHEMA = """SELECT type, name, sql FROM {at}.sqlite_master WHERE sql IS NOT NULL AND name NOT GLOB 'sqlite_*'
ORDER BY 1, 2"""
_BLOCK = f"SELECT number, hash, parent, ts, header FROM {{at}}.block WHERE {_CANONICAL} ORDER BY number"
_EVENT = f"""SELECT number, log_index, block_hash, tx, tx_index, address, topics, data, name, task, round_id, actor,
    args
FROM {{at}}.event WHERE {_CANONICAL} ORDER BY number, log_index"""
_FACTS = f"""SELECT number, log_index, {{columns}} FROM {{at}}.{{table}} x JOIN {{at}}.event e ON e.id = x.ev
WHERE {_CANONICAL} AND (number, log_index) NOT IN (SELECT number, log_index FROM temp.lost) ORDER BY {{order}}"""
_MISSING = f"""SELECT number, log_index, coalesce(missing, {{unknown}}) FROM {{at}}.event e
LEFT JOIN {{at}}.reading r ON r.ev = e.id WHERE {_CANONICAL}"""
_UNKNOWN = 1 << 32
"""More blobs than an event names: of those that were never looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableReport:
    """One table in the index and as the chain gives it."""

    table: str
    """Its name; `schema` for what all tables and views are."""
    rows: int
    """Canonical rows in the index."""
    root: str
    """Merkle root over them (RFC 6962 with SHA-256), hex: equal on every machine with equal rows."""
    chain_root: str
    """Root over the rows that the chain gives."""
    differences: tuple[str, ...]
    """At most MAX_DIFFERENCES rows that only one of both has; empty where the roots are equal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexReport:
    """Whether an index holds what the chain holds."""

    block: int
    """Last block that was compared."""
    block_hash: str
    """Its hash."""
    tables: tuple[TableReport, ...]
    """Every table that is derived from the chain."""
    unread: int
    """Events whose blobs were not all there: what the others say was compared."""
    lost: int
    """Events of whose blobs more were there when the index was made: what those say was not compared."""

    @property
    def wrong(self) -> tuple[str, ...]:
        """Names of the tables that differ."""
        return tuple(each.table for each in self.tables if each.root != each.chain_root)

    def raise_for_status(self) -> None:
        """Return if the index is right. Raises: WrongIndex; Unavailable: its blobs cannot be compared."""
        if self.wrong:
            raise WrongIndex(block=self.block, tables=", ".join(self.wrong))
        if self.lost:
            what = f"{self.lost} events name blobs that were there when the index was made, and are missing now"
            raise Unavailable(what, hint="ask their publishers, or import a CAR: fedtrail store import FILE")


class ProvenSource(NodeSource):
    """A node whose logs are taken from receipts that hash to the root in their block's header."""

    def _fetch_logs(self, headers: Sequence[Header]) -> list[Log]:
        """Return the events of blocks. Raises: BadProof: receipts that are not the block's; Pruned."""
        admitting = [header for header in headers if may_contain(header.logs_bloom, self.addresses)]
        requests = [("eth_getBlockByNumber", [to_quantity(header.number), True]) for header in admitting]
        found = self.connection.batch(requests)
        return [log for header, block in zip(admitting, found, strict=True) for log in self._prove_logs(header, block)]

    def _prove_logs(self, header: Header, block: Any) -> Iterator[Log]:
        receipts = fetch_block_receipts(self.connection, header.number)
        if (got := compute_receipts_root(receipts)) != header.receipts_root:
            want = header.receipts_root.hex()
            raise BadProof(what=f"the receipts of block {header.number} hash to {got.hex()}, its header says {want}")
        transactions = block["transactions"] if isinstance(block, dict) else ()
        if len(transactions) != len(receipts):
            raise Pruned(first=header.number, last=header.number, reason="its transactions are missing")
        log_index = 0
        for transaction, receipt in zip(transactions, receipts, strict=True):
            for raw in decode_logs(receipt):
                if raw.address in self.addresses:
                    yield from make_log(_to_json(header, transaction, raw, log_index), transaction["from"])
                log_index += 1


def _to_json(header: Header, transaction: Mapping[str, Any], raw: RawLog, log_index: int) -> dict[str, Any]:
    return {
        "address": to_hex(raw.address),
        "topics": [to_hex(topic) for topic in raw.topics],
        "data": to_hex(raw.data),
        "blockNumber": to_quantity(header.number),
        "blockHash": to_hex(header.hash),
        "transactionHash": transaction["hash"],
        "transactionIndex": transaction["transactionIndex"],
        "logIndex": to_quantity(log_index),
    }


def verify_index(
    db: sqlite3.Connection, source: Source, store: ContentStore | None, *, observe: Observer = ignore
) -> IndexReport:
    """Compare the latest epoch of an index with its chain, and note the outcome in the table `verification`.

    Args: source: a ProvenSource, outside of tests. store: where blobs are; of no use to an index that has read none.
    Raises: UsageError: the index is behind a reorganisation or behind its store; what `sync` raises; BadProof.
    """
    epoch = get_epoch(db)
    tip = get_tip(db, epoch["chain"]) if epoch else None
    if epoch is None or tip is None or not tip.hash:
        raise UsageError("the index is empty", hint="run: fedtrail index sync")
    if source.read_hashes([tip.number]) != [to_bytes(tip.hash)]:
        raise UsageError(
            f"the chain no longer has block {tip.number} of the index", hint="a reorganisation: fedtrail index sync"
        )
    if not db.execute("SELECT 1 FROM reading LIMIT 1").fetchone():
        store = None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "derived.sqlite"
        with closing(open_index(path, create=True)) as derived:
            sync(derived, source, store, last_block=tip.number, observe=observe)
        with _attached(db, path), reading(db):
            report = _compare(db, epoch["chain"], tip.number, tip.hash)
    _note(db, report)
    return report


@contextmanager
def _attached(db: sqlite3.Connection, path: Path) -> Iterator[None]:
    db.execute("CREATE TEMP TABLE lost(number INT, log_index INT)")
    db.execute("ATTACH ? AS derived", (str(path),))
    try:
        yield
    finally:
        db.execute("DETACH derived")
        db.execute("DROP TABLE temp.lost")


def _compare(db: sqlite3.Connection, chain: int, last: int, block_hash: str) -> IndexReport:
    sides = ({"at": "main", "chain": chain, "last": last}, {"at": "derived", "chain": 1, "last": last})
    schema = _compare_table(db, "schema", *(_SCHEMA.format(**side) for side in sides))
    if schema.differences:  # tables of another shape have no rows that could be compared
        return IndexReport(block=last, block_hash=block_hash, tables=(schema,), unread=0, lost=0)
    ours, theirs = (_get_missing(db, side) for side in sides)
    shared = ours.keys() & theirs.keys()
    if any(ours[key] > theirs[key] for key in shared):
        raise UsageError("the store has blobs that the index has not read", hint="run: fedtrail index sync")
    lost = [key for key in shared if ours[key] < theirs[key]]
    db.executemany("INSERT INTO temp.lost VALUES (?, ?)", lost)
    tables = [
        _compare_table(db, name, *(query.format(**side) for side in sides)) for name, query in _make_queries(db).items()
    ]
    unread = sum(0 < missing < _UNKNOWN for missing in theirs.values())
    return IndexReport(block=last, block_hash=block_hash, tables=(schema, *tables), unread=unread, lost=len(lost))


def _get_missing(db: sqlite3.Connection, side: Mapping[str, object]) -> dict[tuple[int, int], int]:
    """Return how many blobs were missing of each event."""
    return {(number, log): missing for number, log, missing in db.execute(_MISSING.format(**side, unknown=_UNKNOWN))}


def _make_queries(db: sqlite3.Connection) -> dict[str, str]:
    """Return what is compared, by table: nothing that differs between two honest indexes, such as ids."""
    queries = {"block": _BLOCK, "event": _EVENT}
    for table in list_fact_tables(db):
        columns = [row["name"] for row in db.execute(f"SELECT name FROM pragma_table_info('{table}')")]
        named = [f"x.{column}" for column in columns if column != "ev"]
        order = ", ".join(str(place) for place in range(1, len(named) + 3))
        query = _FACTS.replace("{table}", table).replace("{columns}", ", ".join(named))
        queries[table] = query.replace("{order}", order)
    return queries


def _compare_table(db: sqlite3.Connection, table: str, ours: str, theirs: str) -> TableReport:
    (rows, root), (_, chain_root) = _hash_rows(db, ours), _hash_rows(db, theirs)
    found = () if root == chain_root else tuple(_list_differences(db, ours, theirs))
    return TableReport(table=table, rows=rows, root=root, chain_root=chain_root, differences=found)


def _list_differences(db: sqlite3.Connection, ours: str, theirs: str) -> Iterator[str]:
    for where, one, other in (("index", ours, theirs), ("chain", theirs, ours)):
        query = f"SELECT * FROM ({one}) EXCEPT SELECT * FROM ({other}) LIMIT {MAX_DIFFERENCES // 2}"
        for row in db.execute(query):
            yield f"only in the {where}: {_encode(row)[:400]}"


def _hash_rows(db: sqlite3.Connection, query: str) -> tuple[int, str]:
    """Return the number of rows and the root over them."""
    count = 0

    def encode() -> Iterator[bytes]:
        nonlocal count
        for row in db.execute(query):
            count += 1
            yield _encode(row).encode()

    root = compute_root(encode())
    return count, root


def compute_root(leaves: Iterable[bytes]) -> str:
    """Return the Merkle root over leaves, hex (RFC 6962, 2.1, with SHA-256); needs memory for its height only."""
    peaks: list[tuple[int, bytes]] = []
    for leaf in leaves:
        size, node = 1, hashlib.sha256(b"\x00" + leaf).digest()
        while peaks and peaks[-1][0] == size:
            size, node = 2 * size, hashlib.sha256(b"\x01" + peaks.pop()[1] + node).digest()
        peaks.append((size, node))
    if not peaks:
        return hashlib.sha256().hexdigest()
    _, root = peaks.pop()
    while peaks:
        root = hashlib.sha256(b"\x01" + peaks.pop()[1] + root).digest()
    return root.hex()


def _encode(row: Iterable[Any]) -> str:
    return json.dumps([value.hex() if isinstance(value, bytes) else value for value in row], separators=(",", ":"))


def _note(db: sqlite3.Connection, report: IndexReport) -> None:
    verdict = "fail" if report.wrong else "incomplete" if report.lost else "pass"
    detail = json.dumps({each.table: each.root for each in report.tables}, separators=(",", ":"))
    values = (now(), "fedtrail index verify", CHECK, report.block_hash, verdict, detail)
    query = "INSERT INTO verification(at, tool, chk, subject, verdict, detail) VALUES (?, ?, ?, ?, ?, ?)"
    with writing(db):
        db.execute(query, values)
