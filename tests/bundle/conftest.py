"""Bundles of the run that auditors' tests share, made once for each level."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from audited_run import AuditedRun
from bundles import Bundles
from ledger_world import World, make_setup
from raw_node import Node

from ledger import devnet as devnets
from ledger.journal import Journal


@pytest.fixture(scope="session")
def bundles(audited_run: AuditedRun, tmp_path_factory: pytest.TempPathFactory) -> Bundles:
    folder: Path = tmp_path_factory.mktemp("bundles")
    return Bundles(audited_run, folder)


@pytest.fixture
def world(devnet: devnets.Devnet, tmp_path: Path) -> Iterator[World]:
    """A ledger of one's own on the shared node."""
    node = Node(devnet.rpc)
    snapshot = node.call("evm_snapshot")
    journal = Journal(tmp_path / "setup.sqlite")
    world = World(make_setup(devnet.rpc, journal), tmp_path)
    yield world
    world.close()
    journal.close()
    assert node.call("evm_revert", snapshot)
