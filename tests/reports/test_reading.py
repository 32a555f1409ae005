"""Readers of an index can only read, only for a while, and see the ledger as of any block."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from planted_index import PlantedIndex, address, digest

from ledger.errors import ConfigurationError, NotFoundError, UsageError
from ledger.index import database, opening
from ledger.index.reading import MAX_ROWS, Finality, list_tables, open_reader
from ledger.index.source import Fingerprint, Heads
from ledger.reports.catalogue import load_all
from ledger.reports.running import ask

RUNAWAY = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO org(org) VALUES ('x')",
        "UPDATE event SET canon = 0",
        "DELETE FROM main.event",
        "DROP VIEW facts",
        "CREATE TABLE t(a)",
        "CREATE TEMP TABLE t(a)",
        "ATTACH ':memory:' AS other",
        "PRAGMA writable_schema = ON",
        "PRAGMA user_version",
        "SELECT * FROM pragma_database_list",
        "SELECT load_extension('/tmp/x')",
        "VACUUM INTO '/tmp/stolen.sqlite'",
        "COMMIT",
        "SAVEPOINT s",
        "REINDEX",
        "ANALYZE",
        "SELECT 1; SELECT 2",
    ],
)
def test_whatever_is_no_select_is_refused(planted: PlantedIndex, statement: str) -> None:
    planted.run(rounds=1)
    before = planted.db.execute("SELECT count(*), sum(canon) FROM event").fetchone()[:]
    with open_reader(planted.path) as reader, pytest.raises(UsageError):
        reader.query(statement)
    assert planted.db.execute("SELECT count(*), sum(canon) FROM event").fetchone()[:] == before


def test_a_query_that_would_run_for_ever_is_stopped_in_time(planted: PlantedIndex) -> None:
    with open_reader(planted.path, seconds=0.3) as reader:
        began = time.monotonic()
        with pytest.raises(UsageError, match=r"stopped after 0\.3 s"):
            reader.query(RUNAWAY)
        assert time.monotonic() - began < 3
        assert reader.query("SELECT 1 AS one").to_dicts() == [{"one": 1}]


def test_a_query_cannot_fill_the_memory(planted: PlantedIndex) -> None:
    with open_reader(planted.path) as reader:
        for statement in ("SELECT zeroblob(1000000000)", "SELECT replace(hex(zeroblob(4000000)), '0', 'abcdefgh')"):
            with pytest.raises(UsageError, match="too big"):
                reader.query(statement)
        with pytest.raises(UsageError, match=f"{MAX_ROWS:,}"):
            reader.query("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n")


def test_values_are_bound_and_never_become_sql(planted: PlantedIndex) -> None:
    with open_reader(planted.path) as reader:
        hostile = "x'; DROP TABLE event; --"
        assert reader.query("SELECT :a AS a", {"a": hostile}).rows == ((hostile,),)
        with pytest.raises(UsageError, match="SQL"):
            reader.query("SELECT :a AS a")


def read_everything(path: Path, at_block: int | None = None) -> dict[str, object]:
    with open_reader(path, at_block=at_block) as reader:
        views = [row[0] for row in reader.query("SELECT name FROM main.sqlite_master WHERE type = 'view'").rows]
        tables = {view: reader.query(f'SELECT * FROM "{view}"').rows for view in views}
        answers = {query.name: ask(reader, query).rows for query in load_all()}
    return {**tables, **answers}


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_time_travel_gives_what_an_index_that_ends_there_gives(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("travel")
    whole, short = PlantedIndex(folder / "whole.sqlite"), PlantedIndex(folder / "short.sqlite")
    steps = [
        lambda p: p.register(1, 2, 3),
        lambda p: p.register(9),
        lambda p: p.create_task(),
        lambda p: p.open(1),
        lambda p: p.commit(1, 1, 2),
        lambda p: p.add("Paused", task_id=1, round_id=1),
        lambda p: p.add("Resumed", task_id=1, round_id=1, paused_seconds=10),
        lambda p: p.commit(1, 3, first=2),
        lambda p: p.propose(1, committed=3, excluded=[(2, 715)]),
        lambda p: p.void(1),
        lambda p: p.slash(9, 1, reason=b"voided round", wei=10**17),
        lambda p: p.open(2, base=digest("model", 0)),
        lambda p: p.commit(2, 1, 2, 3),
        lambda p: p.add("KeyRotated", id=1, signer=address("new"), epoch=1),
        lambda p: p.propose(2, committed=3),
        lambda p: p.finalise(2),
    ]
    until = data.draw(st.integers(1, len(steps)), label="steps")
    for step in steps[:until]:
        step(short)
    for step in steps:
        step(whole)
    try:
        assert read_everything(whole.path, short.number) == read_everything(short.path)
    finally:
        whole.db.close()
        short.db.close()


def test_anybodys_sql_works_at_any_block(planted: PlantedIndex) -> None:
    planted.run(rounds=2)
    counts = []
    for block in (0, 6, planted.number):
        with open_reader(planted.path, at_block=block) as reader:
            names = "SELECT (SELECT count(*) FROM event), (SELECT count(*) FROM block), (SELECT count(*) FROM rounds)"
            counts.append((reader.as_of.block, *reader.query(names).rows[0]))
    assert counts == [(0, 0, 1, 0), (6, 6, 7, 1), (13, 13, 14, 2)]


def test_blocks_that_may_still_go_away_count_only_if_asked_for(planted: PlantedIndex) -> None:
    planted.run(rounds=1)
    planted.db.execute("UPDATE block SET finality = 'latest'")
    with opening.writing(planted.db):
        database.mark_finality(planted.db, planted.chain, Heads(latest=9, safe=8, final=6))
    ends = {}
    for finality in Finality:
        with open_reader(planted.path, finality=finality) as reader:
            ends[finality] = (reader.as_of.block, reader.query("SELECT phase FROM rounds").rows[0][0])
    assert ends == {Finality.LATEST: (9, "finalised"), Finality.SAFE: (8, "proposed"), Finality.FINAL: (6, "open")}


def test_an_index_without_a_final_block_says_so(planted: PlantedIndex) -> None:
    planted.db.execute("UPDATE block SET finality = 'latest'")
    with pytest.raises(NotFoundError, match="no block of the index is final"):
        open_reader(planted.path, finality=Finality.FINAL)


def test_a_block_beyond_the_index_is_no_answer(planted: PlantedIndex) -> None:
    with pytest.raises(NotFoundError, match="ends at block 0, before block 5"):
        open_reader(planted.path, at_block=5)


def test_only_the_latest_epoch_is_read(planted: PlantedIndex) -> None:
    planted.run(rounds=1)
    named = {"genesis": "0xaa", "contract": "0xbb", "code_hash": "0xcc", "deploy_block": 0, "deploy_hash": "0xdd"}
    planted.chain = database.add_epoch(planted.db, Fingerprint(chain_id=5, **named))  # type: ignore[arg-type]
    planted.number = -1
    planted.mine()
    planted.register(1)
    with open_reader(planted.path) as reader:
        assert reader.as_of.chain_id == 5
        assert reader.query("SELECT count(*) FROM rounds").rows == ((0,),)
        assert reader.query("SELECT client FROM members").rows == ((1,),)


def test_a_repeated_commitment_counts_once(planted: PlantedIndex) -> None:
    planted.create_task()
    planted.open(1)
    for commitment in (b"\1" * 32, b"\2" * 32):
        planted.add("Committed", round_id=1, client=7, commitment=commitment)
    planted.propose(1, committed=1)
    with open_reader(planted.path) as reader:
        assert reader.query("SELECT client, commitment, outcome FROM contributions").rows == (
            (7, "0x" + "01" * 32, "accepted"),
        )


def test_all_questions_of_a_reader_see_one_moment(planted: PlantedIndex) -> None:
    planted.run(rounds=1)
    with open_reader(planted.path) as reader:
        planted.round(2)
        assert reader.query("SELECT count(*) FROM rounds").rows == ((1,),)


def test_an_index_was_verified_only_if_its_last_comparison_passed(planted: PlantedIndex) -> None:
    planted.run(rounds=1)

    def verified(at_block: int | None = None) -> bool:
        with open_reader(planted.path, at_block=at_block) as reader:
            return reader.as_of.verified

    def compare(number: int, verdict: str) -> None:
        subject = planted.db.execute("SELECT hash FROM block WHERE number = ?", (number,)).fetchone()[0]
        planted.insert("verification", at="2026-01-01", tool="t", chk="index", subject=subject, verdict=verdict)

    assert not verified()
    compare(5, "pass")
    assert verified(5) and not verified()
    compare(9, "pass")
    assert verified()
    compare(9, "fail")
    assert not verified() and not verified(5)


def test_what_is_no_index_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no index yet"):
        open_reader(tmp_path / "absent.sqlite")
    other = tmp_path / "other.sqlite"
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE t(a)")
    with pytest.raises(ConfigurationError, match="schema 0"):
        open_reader(other)
    (tmp_path / "text.sqlite").write_text("no database " * 100)
    with pytest.raises(ConfigurationError, match="is no index"):
        open_reader(tmp_path / "text.sqlite")


def test_tables_are_listed_with_views_first(planted: PlantedIndex) -> None:
    with open_reader(planted.path) as reader:
        tables = dict(list_tables(reader))
    assert next(iter(tables)) == "aggregates" and "outcome" in tables["contributions"] and "x_update" in tables
