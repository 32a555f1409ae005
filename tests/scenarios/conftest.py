"""One deployment for all scenarios; each of them happens between a snapshot of the node and its revert."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from ledger_world import Setup, World, make_setup
from raw_node import Node

from ledger import devnet as devnets
from ledger.journal import Journal


@pytest.fixture(scope="session")
def setup(devnet: devnets.Devnet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setup]:
    journal = Journal(tmp_path_factory.mktemp("scenarios") / "setup.sqlite")
    yield make_setup(devnet.rpc, journal)
    journal.close()


@pytest.fixture
def world(setup: Setup, tmp_path: Path) -> Iterator[World]:
    node = Node(setup.network.rpc)
    snapshot = node.call("evm_snapshot")
    world = World(setup, tmp_path)
    yield world
    world.close()
    assert node.call("evm_revert", snapshot)
