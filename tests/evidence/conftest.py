"""A ledger with some history on either node; its blocks hold one transaction, several, or none of ours."""

from collections.abc import Iterator

import pytest
from ledger_world import World, make_setup

from ledger import devnet as devnets
from ledger.journal import Journal


@pytest.fixture(scope="session", params=devnets.ENGINES)
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Two finalised rounds of a task, an open round of another, and a block of three transactions."""
    folder = tmp_path_factory.mktemp(f"evidence-{request.param}")
    journal = Journal(folder / "setup.sqlite")
    with devnets.running(folder, engine=request.param) as node:
        world = World(make_setup(node.rpc, journal), folder)
        first = world.open().commit().compute().propose()
        first.finalise()
        world.send("transfer", world.people.stranger.address, 1)
        with world.one_block():
            for sender in (world.people.challenger, world.people.copycat, world.people.stranger):
                call = world.chain.contracts.to_ledger("releaseBond", first.task_id)
                world.pend(call, by=sender, tip_gwei=1)
        world.open().commit()
        yield world
        world.close()
    journal.close()
