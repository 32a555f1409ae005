"""What sync reads from the store, and what becomes of blobs that are missing, corrupt, or come later."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from audited_run import AuditedRun
from indexed_ledger import one

from ledger.audit import replay
from ledger.chain import Role
from ledger.errors import Unavailable, UsageError
from ledger.history import load_round
from ledger.index.event_rows import iter_events
from ledger.index.opening import open_index
from ledger.index.source import NodeSource
from ledger.index.sync import sync
from ledger.index.verify import IndexReport, ProvenSource, verify_index
from ledger.recorded_chain import RecordedChain
from ledger.store import Cid, EmbeddedStore

pytestmark = pytest.mark.chain


@pytest.fixture(scope="module")
def whole(audited_run: AuditedRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of the audited run with all its blobs."""
    path = tmp_path_factory.mktemp("whole") / "index.sqlite"
    db = open_index(path, create=True)
    sync(db, NodeSource(audited_run.project.network()), audited_run.store)
    db.close()
    return path


@pytest.fixture
def db(whole: Path, tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A copy of it."""
    shutil.copy(whole, tmp_path / "index.sqlite")
    index = open_index(tmp_path / "index.sqlite")
    yield index
    index.close()


@pytest.fixture
def store(audited_run: AuditedRun, tmp_path: Path) -> EmbeddedStore:
    """A copy of the run's store, from which blobs can be taken."""
    shutil.copytree(audited_run.project.store_path, tmp_path / "blocks")
    return EmbeddedStore(tmp_path / "blocks")


def verify(db: sqlite3.Connection, run: AuditedRun, store: EmbeddedStore | None) -> IndexReport:
    return verify_index(db, ProvenSource(run.project.network()), store)


def test_an_index_of_a_run_knows_every_blob_and_is_what_the_chain_gives(
    db: sqlite3.Connection, audited_run: AuditedRun, store: EmbeddedStore
) -> None:
    kinds = dict(db.execute("SELECT kind, count(*) FROM artifact WHERE status = 'ok' GROUP BY kind").fetchall())
    assert kinds["update"] == 20 and kinds["manifest"] == 4 and kinds["layout"] == kinds["script"] == 1
    assert one(db, "SELECT count(*) FROM updates WHERE stage = 'published' AND n_samples > 0") == 20
    report = verify(db, audited_run, store)
    report.raise_for_status()
    assert (report.wrong, report.unread, report.lost) == ((), 0, 0)
    assert one(db, "SELECT verdict FROM verification WHERE chk = 'index'") == "pass"


def test_rounds_are_replayed_from_an_index_without_a_node(
    db: sqlite3.Connection, audited_run: AuditedRun, store: EmbeddedStore
) -> None:
    stakes = {role: audited_run.chain.get_min_stake(role) for role in Role if role is not Role.NONE}
    last = one(db, "SELECT max(number) FROM block")
    recorded = RecordedChain(audited_run.chain.contracts, iter_events(db), last_block=last, min_stake_wei=stakes)
    for round_id in audited_run.round_ids:
        here, there = (load_round(chain, store, round_id) for chain in (recorded, audited_run.chain))
        assert (here, replay(here).verdict) == (there, replay(there).verdict)


def test_a_blob_that_comes_later_is_read_by_the_next_sync(
    audited_run: AuditedRun, store: EmbeddedStore, tmp_path: Path
) -> None:
    source = NodeSource(audited_run.project.network())
    late = open_index(tmp_path / "late.sqlite", create=True)
    sync(late, source, EmbeddedStore(tmp_path / "nothing"))
    assert one(late, "SELECT group_concat(DISTINCT status) FROM artifact") == "missing"
    assert one(late, "SELECT count(*) FROM updates WHERE stage = 'published'") == 0
    with pytest.raises(UsageError, match="blobs that the index has not read"):
        verify(late, audited_run, store)
    sync(late, source, store)
    assert one(late, "SELECT group_concat(DISTINCT status) FROM artifact") == "ok"
    assert verify(late, audited_run, store).wrong == ()
    late.close()


def test_a_corrupt_blob_is_marked_and_leaves_its_facts_out(
    audited_run: AuditedRun, store: EmbeddedStore, tmp_path: Path, db: sqlite3.Connection
) -> None:
    cid = one(db, "SELECT cid FROM updates WHERE stage = 'published' AND n_samples > 0 AND cid IS NOT NULL")
    store.block_path(Cid.from_text(cid)).write_bytes(b"something else")
    fresh = open_index(tmp_path / "fresh.sqlite", create=True)
    sync(fresh, NodeSource(audited_run.project.network()), store)
    assert one(fresh, "SELECT status FROM artifact WHERE cid = ?", cid) == "corrupt"
    assert one(fresh, "SELECT n_samples FROM updates WHERE stage = 'published' AND cid = ?", cid) is None
    fresh.close()


def test_blobs_that_were_lost_since_accuse_nobody(
    db: sqlite3.Connection, audited_run: AuditedRun, store: EmbeddedStore
) -> None:
    cid = one(db, "SELECT cid FROM artifact WHERE kind = 'manifest'")
    store.block_path(Cid.from_text(cid)).unlink()
    report = verify(db, audited_run, store)
    assert (report.wrong, report.lost) == ((), 1)
    with pytest.raises(Unavailable) as raised:
        report.raise_for_status()
    assert raised.value.exit_status == 8
    assert one(db, "SELECT verdict FROM verification WHERE chk = 'index'") == "incomplete"


TAMPERED = {
    "a block's time": ("UPDATE block SET ts = ts + 1 WHERE number = 20", "block"),
    "a header": ("UPDATE block SET header = zeroblob(500) WHERE number = 20", "block"),
    "an actor": ("UPDATE event SET actor = '0x' WHERE id = 9", "event"),
    "an argument": ("""UPDATE event SET args = '{"id":1}' WHERE id = 9""", "event"),
    "a log": ("UPDATE event SET data = x'00' WHERE id = 9", "event"),
    "an event that is hidden": ("UPDATE event SET canon = 0 WHERE name = 'FraudProven'", "event"),
    "an event that is gone": ("DELETE FROM event WHERE name = 'FraudProven'", "event"),
    "an event that never was": (
        """INSERT INTO event(chain, block_hash, number, tx, tx_index, log_index, address, topics, data, name, actor,
            args) SELECT chain, block_hash, number, tx, tx_index, log_index + 50, address, topics, data, name, actor,
            args FROM event WHERE id = 9""",
        "event",
    ),
    "a fact twice": ("INSERT INTO x_update SELECT * FROM x_update LIMIT 1", "x_update"),
    "examples": ("UPDATE x_update SET n_samples = n_samples + 1 WHERE n_samples > 0", "x_update"),
    "a stake": ("UPDATE x_stake SET wei = '1' WHERE kind = 'slash'", "x_stake"),
    "a dispute": ("DELETE FROM x_dispute", "x_dispute"),
    "a phase": ("UPDATE x_phase SET phase = 'finalised' WHERE phase = 'voided'", "x_phase"),
    "a blob": ("UPDATE x_blob SET cid = 'bafk' WHERE kind = 'model'", "x_blob"),
    "an identity": ("UPDATE x_client SET owner = signer", "x_client"),
    "a rule": ("UPDATE x_task SET rule = 'mean'", "x_task"),
    "a round": ("UPDATE x_round SET task = 2 WHERE round_id = 3", "x_round"),
    "an aggregate": ("UPDATE x_aggregate SET included = 5", "x_aggregate"),
    "a segment": ("DELETE FROM x_segment", "x_segment"),
    "one table more": ("CREATE TABLE x_secret(ev INT)", "schema"),
    "a table": ("DROP TABLE x_segment", "schema"),
    "a view": ("DROP VIEW disputes", "schema"),
    "a trigger": ("CREATE TRIGGER t AFTER INSERT ON verification BEGIN DELETE FROM event; END", "schema"),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_whatever_is_changed_in_the_file_is_found(
    db: sqlite3.Connection, audited_run: AuditedRun, store: EmbeddedStore, what: str
) -> None:
    query, table = TAMPERED[what]
    db.execute(query)
    report = verify(db, audited_run, store)
    assert table in report.wrong
    assert one(db, "SELECT verdict FROM verification WHERE chk = 'index' ORDER BY id DESC LIMIT 1") == "fail"


def test_a_claim_that_blobs_were_never_read_hides_nothing(
    db: sqlite3.Connection, audited_run: AuditedRun, store: EmbeddedStore
) -> None:
    """Facts of blobs are compared unless the blobs are gone: marks at the file's mercy end in no pass."""
    db.execute("UPDATE x_update SET n_samples = 1 WHERE n_samples > 0")
    db.execute("UPDATE reading SET missing = missing + 1")
    with pytest.raises(UsageError, match="has not read"):
        verify(db, audited_run, store)
    db.execute("UPDATE reading SET missing = -1")
    with pytest.raises(Unavailable):
        verify(db, audited_run, store).raise_for_status()
    db.execute("DELETE FROM reading")
    assert "x_update" in verify(db, audited_run, store).wrong
