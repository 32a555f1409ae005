"""A ledger on an anvil node whose blocks can be taken back, and an empty index."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from indexed_ledger import Ledger, deploy_ledger

from ledger import devnet
from ledger.index.opening import open_index


@pytest.fixture(scope="session")
def anvil(tmp_path_factory: pytest.TempPathFactory) -> Iterator[devnet.Devnet]:
    with devnet.running(tmp_path_factory.mktemp("anvil"), engine="anvil") as node:
        yield node


@pytest.fixture
def ledger(anvil: devnet.Devnet, tmp_path: Path) -> Ledger:
    return deploy_ledger(anvil.rpc, tmp_path)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    index = open_index(tmp_path / "index.sqlite", create=True)
    yield index
    index.close()
