"""Runs that pay for inclusion: what the script promises is claimed for every member of every finalised round, once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from fl.federation import Federation
from ledger.chain import ETHER
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
