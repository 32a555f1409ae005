"""Ways to call the command line: in this process, in a process of its own, at a terminal."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import Answer, Cli

from ledger import devnet
from ledger.chain import Chain
from ledger.cli import main
from ledger.journal import Journal
from ledger.project import Project


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("FEDTRAIL_") and name not in ("FEDTRAIL_NODE", "FEDTRAIL_NODE_MODULES"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "100")


@pytest.fixture
def cli(capfd: pytest.CaptureFixture[str]) -> Cli:
    """Return a function that runs a command line in this process."""

    def run(*arguments: object) -> Answer:
        capfd.readouterr()
        status = main([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return Answer(status, out, err)

    return run


@pytest.fixture
def in_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Return a new project, which is the working directory."""
    project = Project.create(tmp_path / "p")
    monkeypatch.chdir(project.root)
    return project


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project whose devnet runs with the contracts deployed, for all tests of a file."""
    project = Project.create(tmp_path_factory.mktemp("served") / "p")
    with devnet.running(project.state_dir):
        assert main(["contract", "deploy", "--project", str(project.root), "--format", "ndjson"]) == 0
        yield Project.find(project.root)


@pytest.fixture
def in_served(served: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The same project, which is the working directory."""
    monkeypatch.chdir(served.root)
    return served


@pytest.fixture
def chain(in_served: Project) -> Iterator[Chain]:
    """The ledger as a test sees it, with a journal of its own: what a test sends is not in the project's."""
    journal = Journal(in_served.state_dir / "test.sqlite")
    yield Chain.connect(in_served.network(), journal)
    journal.close()


@pytest.fixture
def stranger(in_served: Project, tmp_path: Path) -> Project:
    """A project of somebody else: the same network and ledger, its own journal, and a store with nothing in it."""
    project = Project.create(tmp_path / "stranger")
    text = (in_served.root / "fedtrail.toml").read_text()
    rpc = in_served.network().rpc
    (project.root / "fedtrail.toml").write_text(text.replace("devnet = true", f'devnet = true\nrpc = "{rpc}"'))
    return Project.find(project.root)
