"""A ledger on anvil whose blocks can be taken back; each test happens between a snapshot and its revert."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from ledger_world import Setup, World, make_setup

from ledger import devnet as devnets
from ledger.journal import Journal


@pytest.fixture(scope="session")
def setup(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setup]:
    folder = tmp_path_factory.mktemp("witnessed")
    journal = Journal(folder / "setup.sqlite")
    with devnets.running(folder, engine="anvil") as node:
        yield make_setup(node.rpc, journal)
    journal.close()


@pytest.fixture
def world(setup: Setup, tmp_path: Path) -> Iterator[World]:
    world = World(setup, tmp_path)
    snapshot = world.node.call("evm_snapshot")
    yield world
    world.close()
    assert world.node.call("evm_revert", snapshot)
