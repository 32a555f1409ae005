"""Runs that pay for inclusion: what the script promises is claimed for every member of every finalised round, once."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from crashing import load_everything, resume, run_and_die

from fl.federation import Federation
from ledger import devnet
from ledger.chain import ETHER, Chain, deploy
from ledger.devnet import funded_account
from ledger.journal import Journal
from ledger.project import Project

pytestmark = pytest.mark.chain
ScriptWriter = Callable[..., Path]
REWARDS = {"fund": "1 ether", "rate": "0.01 ether"}
MALFORMED = [{"malform": "oversized", "client": 2, "at": "round 1"}]


def test_a_run_pays_the_members_of_its_rounds_and_nobody_else(project: Project, write_script: ScriptWriter) -> None:
    script = write_script(rewards=REWARDS, events=MALFORMED, run={"rounds": 2})
    federation = Federation.start(project, script)
    result = federation.run()
    first, second = result.rounds
    stake_wei = federation.script.clients.stake_wei
    want_wei = stake_wei // 100
    assert dict(first.paid) == dict.fromkeys((1, 3, 4, 5), want_wei)
    assert dict(second.paid) == dict.fromkeys((1, 2, 3, 4, 5), want_wei)
    chain = federation.chain
    (pool,) = chain.list_reward_pools(result.task_id)
    assert pool.left_wei == ETHER - 9 * want_wei
    paid = [event.args for event in chain.events(names=["RewardPaid"]) if event.args["pool_id"] == pool.pool_id]
    assert sum(args["amount_wei"] for args in paid) == 9 * want_wei
    assert {args["to"] for args in paid} == {chain.get_participant(args["client"]).owner for args in paid}

    # A run that goes on after its end sends nothing and says the same.
    again = Federation.resume(project, federation.script.run.name).run()
    assert [item.paid for item in again.rounds] == [item.paid for item in result.rounds]
    assert chain.get_reward_pool(pool.pool_id).left_wei == pool.left_wei


def test_a_pool_that_runs_dry_pays_whom_it_can_and_stops_no_run(project: Project, write_script: ScriptWriter) -> None:
    script = write_script(rewards={"fund": "0.025 ether", "rate": "0.01 ether", "cap": "1 ether"})
    result = Federation.start(project, script).run()
    (only,) = result.rounds
    assert [client for client, _ in only.paid] == [1, 2]
    assert {wei for _, wei in only.paid} == {ETHER // 100}


def test_a_script_without_rewards_pays_nothing(project: Project, write_script: ScriptWriter) -> None:
    federation = Federation.start(project, write_script())
    result = federation.run()
    assert result.rounds[0].paid == ()
    assert federation.chain.list_reward_pools(result.task_id) == []


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_run_killed_while_it_pays_pays_nobody_twice_and_leaves_nobody_out(
    tmp_path: Path, write_script: ScriptWriter
) -> None:
    load_everything()
    project = Project.create(tmp_path / "p")
    sections = {"clients": {"count": 3}, "run": {"rule": {"name": "median"}}, "rewards": REWARDS}
    with devnet.running(project.state_dir):
        deployment = deploy(project.network(), funded_account(0), Journal(project.journal_path))
        project = project.save_deployment(project.network().name, deployment)
        counter, report = tmp_path / "steps", tmp_path / "report"
        for name in ("first", "reference"):
            assert run_and_die(project.root, write_script(name=name, **sections), at=None, report=counter) == 0
        steps = int(counter.read_text())
        # The last steps of a run are the admission of its round, the claims, and the release of the bond.
        killed = [f"killed-{step}" for step in range(steps - 16, steps + 1, 5)]
        for name in killed:
            script = write_script(name=name, **sections)
            assert run_and_die(project.root, script, at=int(name.removeprefix("killed-"))) == -signal.SIGKILL
            assert resume(project.root, name, report) == 0
        chain = Chain.connect(project.network(), Journal(project.journal_path))
        pools = chain.list_reward_pools()
        paid = [(e.args["pool_id"], e.args["client"]) for e in chain.events(names=["RewardPaid"])]
        clients = sorted({client for _, client in paid})
        assert len(clients) == 3
        assert sorted(paid) == [(pool.pool_id, client) for pool in pools for client in clients]
        assert len(pools) == 2 + len(killed)
