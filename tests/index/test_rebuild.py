"""An index that is made anew: right again, and with everything that no chain could tell."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from indexed_ledger import Ledger, deploy_ledger, follow, one

from ledger.errors import ChainReset, ConfigurationError
from ledger.index.opening import open_index
from ledger.index.rebuild import rebuild
from ledger.index.sync import sync
from ledger.index.verify import ProvenSource, verify_index

pytestmark = pytest.mark.chain


def test_a_rebuilt_index_is_right_and_keeps_what_the_chain_has_forgotten(
    db: sqlite3.Connection, ledger: Ledger, tmp_path: Path
) -> None:
    ledger.deposit(3)
    follow(db, ledger)
    ledger.reorganise(2)
    ledger.deposit()
    follow(db, ledger)
    db.execute("INSERT INTO org(org, label) VALUES ('0x01', 'St Elsewhere')")
    db.execute("UPDATE x_stake SET wei = '1'")
    db.execute("DELETE FROM event WHERE canon = 1")
    rebuild(tmp_path / "index.sqlite", ledger.source, None)
    assert verify_index(db, ProvenSource(ledger.network), None).wrong == ()
    follow(db, ledger)
    assert one(db, "SELECT count(*) FROM event WHERE orphaned_by = (SELECT id FROM reorg)") == 2
    assert one(db, "SELECT count(*) FROM x_stake x JOIN event e ON e.id = x.ev WHERE e.canon = 0 AND x.wei <> '1'") == 2
    assert one(db, "SELECT label FROM org") == "St Elsewhere"
    before = sqlite3.connect(tmp_path / "index.before.sqlite")
    assert before.execute("SELECT DISTINCT wei FROM x_stake").fetchall() == [("1",)]
    assert before.execute("SELECT * FROM org").fetchall() == []
    before.close()


def test_a_rebuilt_index_has_what_was_taken_away_behind_the_rest(
    db: sqlite3.Connection, ledger: Ledger, tmp_path: Path
) -> None:
    """Ids rise along the chain, also if it brings those blocks back one day."""
    ledger.deposit(3)
    follow(db, ledger)
    ledger.reorganise(2)
    ledger.deposit()
    follow(db, ledger)
    rebuild(tmp_path / "index.sqlite", ledger.source, None)
    in_order = db.execute("SELECT id FROM event ORDER BY canon DESC, number, log_index").fetchall()
    assert [row["id"] for row in in_order] == [1, 2, 3, 4, 5]


def test_earlier_epochs_outlive_a_rebuild(db: sqlite3.Connection, ledger: Ledger, tmp_path: Path) -> None:
    ledger.deposit(2)
    follow(db, ledger)
    again = deploy_ledger(ledger.network.rpc, tmp_path, key="again")
    with pytest.raises(ChainReset):
        rebuild(tmp_path / "index.sqlite", again.source, None)
    sync(db, again.source, new_epoch=True)
    rebuild(tmp_path / "index.sqlite", again.source, None)
    follow(db, again)
    assert one(db, "SELECT count(*) FROM event WHERE chain = 1 AND canon = 1") == 3
    assert one(db, "SELECT count(*) FROM x_stake x JOIN event e ON e.id = x.ev WHERE e.chain = 1") == 3


def test_an_index_of_another_release_is_made_anew(ledger: Ledger, tmp_path: Path) -> None:
    path = tmp_path / "old.sqlite"
    db = open_index(path, create=True)
    follow(db, ledger)
    db.execute("INSERT INTO org(org, label) VALUES ('0x01', 'St Elsewhere')")
    db.execute("ALTER TABLE x_stake ADD COLUMN forgotten TEXT")
    db.execute("PRAGMA user_version = 3")
    db.close()
    with pytest.raises(ConfigurationError) as raised:
        open_index(path)
    assert raised.value.hint == "build it anew: fedtrail index rebuild"
    rebuild(path, ledger.source, None)
    db = open_index(path)
    follow(db, ledger)
    assert one(db, "SELECT label FROM org") == "St Elsewhere"
    db.close()


def test_what_is_no_index_is_not_written_over(ledger: Ledger, tmp_path: Path) -> None:
    path = tmp_path / "garbage.sqlite"
    path.write_bytes(b"something else entirely" * 100)
    with pytest.raises(ConfigurationError, match="nothing can be taken over"):
        rebuild(path, ledger.source, None)
    assert path.read_bytes().startswith(b"something else")
    assert sorted(each.name for each in tmp_path.glob("garbage*")) == ["garbage.sqlite"]
