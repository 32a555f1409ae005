"""`fedtrail index` as people type it: what it prints, what it warns of, and how it ends."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import Cli
from indexed_ledger import Ledger, deploy_ledger

from ledger import devnet
from ledger.chain import Deployment
from ledger.project import Project

pytestmark = pytest.mark.chain


def pin(project: Project, ledger: Ledger, confirmations: int) -> None:
    network = ledger.network
    deployment = Deployment(
        contracts=network.contracts,
        code_hash=network.code_hash,
        deploy_block=network.deploy_block,
        deploy_block_hash=network.deploy_block_hash,
    )
    path = project.root / "fedtrail.toml"
    path.write_text(path.read_text().replace("confirmations = 0", f"confirmations = {confirmations}"))
    project.save_deployment("devnet", deployment)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[tuple[Project, Ledger]]:
    """A project whose network is a chain of its own."""
    project = Project.create(tmp_path / "p")
    with devnet.running(project.state_dir, engine="anvil") as node:
        ledger = deploy_ledger(node.rpc, tmp_path)
        pin(project, ledger, 3)
        yield project, ledger


def test_an_index_from_its_first_sync_to_its_second_epoch(
    cli: Cli, place: tuple[Project, Ledger], tmp_path: Path
) -> None:
    project, ledger = place

    def fedtrail(*arguments: object, status: int = 0) -> dict:
        answer = cli("index", *arguments, "--project", project.root, "--format", "json")
        assert answer.status == status, answer.err
        return {"err": answer.err, **answer.json}

    assert fedtrail("status", status=5)["error"]["hint"] == "run: fedtrail index sync"
    ledger.deposit(6)
    first = fedtrail("sync")["data"]
    assert (first["events_added"], first["chain_block"]) == (7, str(ledger.height))
    assert fedtrail("status")["data"] | {"blocks_behind": 0, "chain": "same", "verified": None}
    verified = fedtrail("verify")
    assert verified["grade"] == "PROVEN" and {row["verdict"] for row in verified["data"]} == {"same"}
    assert fedtrail("status")["data"]["verified"].startswith("pass up to block")

    ledger.reorganise(2)
    told = fedtrail("sync")
    assert (told["data"]["reorgs"], len(told["warnings"])) == (1, 1)
    assert told["warnings"][0].startswith(f"FT406: reorg of depth 2 at block {ledger.height - 1}: 2 events orphaned")
    ledger.reorganise(5)
    broken = fedtrail("sync", status=4)
    assert broken["error"]["code"] == "FT406" and broken["data"]["reorgs"] == 1
    assert fedtrail("sync")["data"]["reorgs"] == 0

    index = sqlite3.connect(project.state_dir / "index.sqlite")
    index.execute("UPDATE x_stake SET wei = '5'")
    index.commit()
    wrong = fedtrail("verify", status=7)
    assert wrong["error"]["code"] == "FT725" and "x_stake" in wrong["error"]["message"]
    assert fedtrail("rebuild")["data"]["reorgs"] == 0
    fedtrail("verify")
    assert index.execute("SELECT count(*) FROM reorg").fetchone() == (2,)
    index.close()

    devnet.reset(project.state_dir)
    with devnet.running(project.state_dir, engine="anvil") as node:
        pin(project, deploy_ledger(node.rpc, tmp_path, key="again"), 3)
        reset = fedtrail("sync", status=4)
        assert reset["error"]["code"] == "FT405" and "--new-epoch" in reset["error"]["hint"]
        assert fedtrail("status")["data"]["chain"] == "another (FT405)"
        assert fedtrail("rebuild", "--new-epoch")["data"]["epoch"] == 2
        assert fedtrail("status")["data"]["epochs"] == 2
    assert fedtrail("status")["data"]["chain"] == "not compared (FT401)"
    written = fedtrail("export", "--as", "csv", "-o", tmp_path / "out")["data"]
    assert {"name": "stakes", "rows": 1, "file": str(tmp_path / "out" / "stakes.csv")} in written
    assert fedtrail("export", "--as", "csv", "-o", tmp_path / "out", status=2)["error"]["code"] == "FT101"


def test_tables_are_for_people(cli: Cli, place: tuple[Project, Ledger]) -> None:
    project, ledger = place
    ledger.deposit(2)
    synced = cli("index", "sync", "--project", project.root)
    assert synced.err == "" and "events added   3" in synced.out
    ledger.reorganise(1)
    again = cli("index", "sync", "--project", project.root)
    assert again.err.startswith("FT406: reorg of depth 1")
    verified = cli("index", "verify", "--project", project.root)
    assert verified.err == "" and verified.out.splitlines()[0].split() == ["table", "rows", "verdict", "root"]
