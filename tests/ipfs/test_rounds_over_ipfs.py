"""Audited rounds whose updates travel through a real IPFS daemon, which may die."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from fl.federation import Federation, Progress
from ledger import devnet
from ledger.chain import deploy
from ledger.errors import StoreUnreachable
from ledger.journal import Journal
from ledger.project import Project
from ledger.records import Grade, Verdict

pytestmark = [pytest.mark.ipfs, pytest.mark.ipfs_daemon, pytest.mark.chain]

SCRIPT = {
    "fedtrail": 1,
    "run": {"name": "over-ipfs", "rounds": 3, "rule": {"name": "median"}},
    "model": {"entry": "logistic"},
    "training": {"epochs": 1},
    "clients": {"count": 3, "clip_norm": None},
}


def test_a_run_whose_ipfs_daemon_was_killed_goes_on_when_it_is_up_again(
    tmp_path: Path, daemons: Callable[[], tuple[Any, str]]
) -> None:
    child, address = daemons()
    project = Project.create(tmp_path / "p")
    script = tmp_path / "over-ipfs.yaml"
    script.write_text(yaml.safe_dump(SCRIPT))
    with devnet.running(project.state_dir):
        deployment = deploy(project.network(), devnet.funded_account(0), Journal(project.journal_path))
        project = replace(project.save_deployment(project.network().name, deployment), ipfs=address)

        def kill_in_round_two(progress: Progress) -> None:
            if (progress.round, progress.stage, progress.done) == (2, "publish", 1):
                child.kill()

        federation = Federation.start(project, script, observer=kill_in_round_two)
        with pytest.raises(StoreUnreachable) as raised:
            federation.run()
        assert raised.value.exit_status == 4
        _, address = daemons()
        result = Federation.resume(replace(project, ipfs=address), "over-ipfs").run()
        assert [(r.verdict, r.grade, r.included) for r in result.rounds] == [(Verdict.PASS, Grade.PROVEN, 3)] * 3
