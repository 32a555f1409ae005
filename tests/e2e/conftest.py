"""A project with a deployed ledger on a Hardhat node that dies with the tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ledger import devnet
from ledger.chain import deploy
from ledger.devnet import funded_account
from ledger.journal import Journal
from ledger.project import Project


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Return a project whose network is a fresh devnet with both contracts deployed."""
    project = Project.create(tmp_path_factory.mktemp("project") / "p")
    with devnet.running(project.state_dir):
        yield deploy_into(project)


def deploy_into(project: Project) -> Project:
    """Deploy the contracts on a project's devnet and pin them."""
    network = project.network()
    deployment = deploy(network, funded_account(0), Journal(project.journal_path))
    return project.save_deployment(network.name, deployment)


ScriptWriter = Callable[..., Path]


@pytest.fixture
def write_script(tmp_path: Path, request: pytest.FixtureRequest) -> ScriptWriter:
    """Return a function that writes a small, quick script; keyword arguments replace sections."""

    def write(name: str | None = None, **sections: Any) -> Path:
        script: dict[str, Any] = {
            "fedtrail": 1,
            "run": {
                "name": name or request.node.name.replace("[", "-").replace("]", "")[:60],
                "rounds": 1,
                "seed": 3,
                "rule": {"name": "trimmed-mean", "trim": 1},
            },
            "model": {"entry": "logistic"},
            "data": {"partition": "dirichlet", "alpha": 1.0, "min_examples": 16},
            "training": {"epochs": 1},
            "clients": {"count": 5, "clip_norm": None},
            # Runs that stop half-way keep their bond: all tests share one aggregator.
            "aggregator": {"stake": "100 ether", "bond": "1 ether"},
        }
        for section, value in sections.items():
            merge = isinstance(value, dict) and isinstance(script.get(section), dict)
            script[section] = {**script[section], **value} if merge else value
        path = tmp_path / f"{script['run']['name']}.yaml"
        path.write_text(yaml.safe_dump(script, sort_keys=False))
        return path

    return write
