"""A finished run with everything in it that an auditor looks for. All tests of a session share it and only read it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import yaml

from ledger import devnet
from ledger.chain import Chain, deploy
from ledger.journal import Journal
from ledger.project import Project
from ledger.store import ContentStore, open_store

if TYPE_CHECKING:
    from fl.federation import RunResult

NAME = "audited"
SCRIPT = {
    "fedtrail": 1,
    "run": {
        "name": NAME,
        "rounds": 3,
        "seed": 11,
        "quorum": 3,
        "dispute": True,
        "rule": {"name": "trimmed-mean", "trim": 1},
        "purpose": "a run to be audited",
    },
    "model": {"entry": "logistic"},
    "data": {"partition": "dirichlet", "alpha": 1.0, "min_examples": 16},
    "training": {"epochs": 1},
    "clients": {"count": 5, "clip_norm": None},
    "aggregator": {"count": 2, "stake": "4 ether", "bond": "1 ether"},
    "events": [
        # Round 2 excludes client 2 with FT715; round 3 is struck and run again by the second aggregator.
        {"at": "round 2", "malform": "out-of-range", "client": 2},
        {"at": "round 3", "aggregator": "tamper", "coordinate": 77},
    ],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditedRun:
    """Five clients, three rounds; the ledger counts four, since the third was struck by a dispute and repeated."""

    project: Project
    """Its folder, with fedtrail.toml, keys, journal and store; the devnet of its network runs."""
    result: RunResult
    """What the federation said of it, round by round in the ledger's order."""
    chain: Chain
    """The ledger, read through a journal of its own."""
    store: ContentStore
    """Where all blobs are."""

    @property
    def name(self) -> str:
        """Name of the run in its project."""
        return NAME

    @property
    def task_id(self) -> int:
        return self.result.task_id

    @property
    def round_ids(self) -> list[int]:
        """Ids of all four rounds in the ledger."""
        return [each.round_id for each in self.result.rounds]

    @property
    def excluding(self) -> int:
        """Id of the round that excludes a client."""
        return next(each.round_id for each in self.result.rounds if each.excluded)

    @property
    def voided(self) -> int:
        """Id of the round whose proposal the court struck."""
        return next(each.round_id for each in self.result.rounds if each.conviction)

    @property
    def final(self) -> list[int]:
        """Ids of the three rounds that were finalised."""
        return [number for number in self.round_ids if number != self.voided]


@pytest.fixture(scope="session")
def audited_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AuditedRun]:
    """The run, on an anvil node that lives as long as the tests do."""
    from fl.federation import Federation  # torch: not for those who want none of this

    project = Project.create(tmp_path_factory.mktemp("audited") / "p")
    path = project.root / f"{NAME}.yaml"
    path.write_text(yaml.safe_dump(SCRIPT, sort_keys=False))
    with devnet.running(project.state_dir, engine="anvil"):
        network, journal = project.network(), Journal(project.journal_path)
        project = project.save_deployment(network.name, deploy(network, devnet.funded_account(0), journal))
        journal.close()
        result = Federation.start(project, path).run()
        reading = Journal(project.state_dir / "reader.sqlite")
        chain = Chain.connect(project.network(), reading)
        yield AuditedRun(
            project=project,
            result=result,
            chain=chain,
            store=open_store(project.store_path, ipfs=project.ipfs),
        )
        reading.close()
