"""What every test shares: how Hypothesis looks for counterexamples."""

import os
from collections.abc import Iterator

import pytest
from audited_run import audited_run as audited_run  # a fixture for all folders
from hypothesis import HealthCheck, settings

from ledger import devnet as devnets
from ledger.chain import Network, deploy
from ledger.journal import Journal

# No deadline: the first example of a test pays for imports and compilation.
settings.register_profile("quick", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
# The same examples on every machine, so that a red run elsewhere can be repeated here.
settings.register_profile("ci", settings.get_profile("quick"), max_examples=100, derandomize=True)
settings.register_profile("thorough", settings.get_profile("quick"), max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "quick"))

os.environ.setdefault("HARDHAT_DISABLE_TELEMETRY", "true")


@pytest.fixture(scope="session")
def devnet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[devnets.Devnet]:
    """One Hardhat node for all tests that need a chain; it ends with them, also when they are killed."""
    with devnets.running(tmp_path_factory.mktemp("devnet")) as node:
        yield node


@pytest.fixture
def deployment(devnet, tmp_path) -> Network:
    """The shared node with contracts of one's own on it, as a Network."""
    network = Network(name="devnet", rpc=devnet.rpc, chain_id=devnet.chain_id, devnet=True)
    journal = Journal(tmp_path / "deployment.sqlite")
    try:
        return deploy(network, devnets.funded_account(0), journal).apply(network)
    finally:
        journal.close()
