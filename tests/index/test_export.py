"""What other programs get of an index, in every format, and what nobody gets."""

from __future__ import annotations

import csv
import json
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from indexed_ledger import Ledger, follow, one
from planted_index import PlantedIndex, make_update

from ledger.errors import MissingExtra, UsageError
from ledger.exports.prov_of_index import export_prov
from ledger.index.export import FORMATS, Exported, export_index
from ledger.index.sync import ignore

pytestmark = pytest.mark.chain


@pytest.fixture
def filled(db: sqlite3.Connection, ledger: Ledger) -> sqlite3.Connection:
    """An index with events, one of them orphaned, and with names of people."""
    ledger.deposit(2)
    follow(db, ledger)
    ledger.reorganise(1)
    follow(db, ledger)
    db.execute("INSERT INTO org(org, label, salt) VALUES ('0x01', 'St Elsewhere', 'salt-and-pepper')")
    db.execute("INSERT INTO access_log VALUES ('2026', 'Dr Craig', 'read', 'Q1', 'ok')")
    return db


def export(db: sqlite3.Connection, folder: Path, kind: str) -> dict[str, Exported]:
    return {each.name: each for each in export_index(db, folder / kind, kind, ignore)}


def read(kind: str, written: Exported) -> list[dict[str, Any]]:
    if kind == "sqlite":
        with closing(sqlite3.connect(written.file)) as copy:
            copy.row_factory = sqlite3.Row
            return [dict(row) for row in copy.execute(f"SELECT * FROM {written.name}")]
    if kind == "parquet":
        import pyarrow.parquet

        return list(pyarrow.parquet.read_table(written.file).to_pylist())
    text = written.file.read_text()
    return (
        list(csv.DictReader(text.splitlines())) if kind == "csv" else [json.loads(line) for line in text.splitlines()]
    )


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_has_every_row(filled: sqlite3.Connection, tmp_path: Path, kind: str) -> None:
    written = export(filled, tmp_path, kind)
    assert {"event", "block", "reorg", "stakes", "rounds", "updates"} <= written.keys()
    for name, each in written.items():
        rows = read(kind, each)
        assert len(rows) == each.rows == one(filled, f"SELECT count(*) FROM {name}")
        for found, row in zip(rows, filled.execute(f"SELECT * FROM {name}"), strict=True):
            assert list(found) == list(row.keys())
            assert [plain(value) for value in found.values()] == [plain(value) for value in row]


def plain(value: Any) -> str:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    return "" if value is None else str(value)


@pytest.mark.parametrize("kind", ["csv", "ndjson", "sqlite"])
def test_what_is_private_is_in_no_byte_of_an_export(filled: sqlite3.Connection, tmp_path: Path, kind: str) -> None:
    files = {each.file for each in export(filled, tmp_path, kind).values()}
    content = b"".join(file.read_bytes() for file in files)
    assert not [word for word in (b"Elsewhere", b"salt-and-pepper", b"Dr Craig") if word in content]
    assert one(filled, "SELECT label FROM org") == "St Elsewhere"


def test_integers_that_json_readers_would_round_are_text(filled: sqlite3.Connection, tmp_path: Path) -> None:
    filled.execute("UPDATE x_stake SET gwei = 9007199254740993")
    rows = read("ndjson", export(filled, tmp_path, "ndjson")["stakes"])
    assert {row["gwei"] for row in rows} == {"9007199254740993"}


def test_nothing_is_written_over(filled: sqlite3.Connection, tmp_path: Path) -> None:
    (tmp_path / "csv").write_text("mine")
    with pytest.raises(UsageError, match="exists already"):
        export(filled, tmp_path, "csv")
    assert (tmp_path / "csv").read_text() == "mine"


def test_parquet_names_the_extra_that_it_needs(
    filled: sqlite3.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(MissingExtra) as raised:
        export(filled, tmp_path, "parquet")
    assert (raised.value.code, "fedtrail[parquet]" in raised.value.hint) == ("FT103", True)
    assert not (tmp_path / "parquet").exists()


def test_the_rounds_of_an_index_are_one_graph_of_provenance(tmp_path: Path) -> None:
    planted = PlantedIndex(tmp_path / "index.sqlite")
    planted.run(rounds=2)
    planted.publish(2, {client: make_update(2, client, [client] * 45, 10 * client) for client in (1, 2, 3)})
    export_prov(planted.db, tmp_path / "rounds.jsonld")
    document = json.loads((tmp_path / "rounds.jsonld").read_text())
    nodes = {node["@id"]: node for node in document["@graph"]}
    models = [node for node in nodes.values() if "wasGeneratedBy" in node and ":model:" in node["@id"]]
    assert [len(node["wasDerivedFrom"]) for node in models] == [4, 4]
    assert models[1]["wasDerivedFrom"][0] == models[0]["@id"]  # round 2 starts from the model of round 1
    assert {node["grade"] for node in models} == {"CLAIMED"}
    for node in nodes.values():
        for relation in ("used", "wasDerivedFrom", "wasGeneratedBy", "wasAssociatedWith", "wasAttributedTo"):
            named = node.get(relation, [])
            assert {*([named] if isinstance(named, str) else named)} <= nodes.keys()
    with pytest.raises(UsageError, match="exists already"):
        export_prov(planted.db, tmp_path / "rounds.jsonld")
    planted.db.close()
