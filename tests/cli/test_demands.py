"""`fedtrail dispute demand`: a client shows a leaf of what it committed to, or pays."""

from __future__ import annotations

import time

import pytest
from command_line import Answer, Cli
from stepped_round import SteppedRound

from ledger.chain import ETHER, Chain
from ledger.project import Project

pytestmark = pytest.mark.chain


def make_round(project: Project, chain: Chain, **changes: object) -> SteppedRound:
    made = SteppedRound(project, chain, str(time.time_ns()), **changes)  # type: ignore[arg-type]
    made.commit()
    return made


def demand(cli: Cli, made: SteppedRound, client: str = "b3") -> Answer:
    return cli("dispute", "demand", made.round_id, "--client", client, "--format", "json")


def test_a_client_that_does_not_show_what_it_committed_to_loses_a_fifth(
    cli: Cli, in_served: Project, chain: Chain
) -> None:
    made = make_round(in_served, chain)
    made.publish("b1", "b2")
    told = demand(cli, made)
    assert told.status == 0, told.err
    assert "the update of client" in told.json["data"][0]["message"] and "dispute show" in told.err
    (event,) = chain.events(names=("LeavesDemanded",), round_id=made.round_id)
    assert event.args["demand"]["client"] == made.ids["b3"]
    assert demand(cli, made).status == 0  # another leaf
    chain.wait_until(event.args["demand"]["deadline"] + 601)
    assert cli("dispute", "resolve", made.round_id, "--format", "json").status == 0
    assert chain.get_participant(made.ids["b3"]).stake_wei == 16 * ETHER


def test_an_attestor_shows_it_for_a_client_that_has_published(cli: Cli, in_served: Project, chain: Chain) -> None:
    made = make_round(in_served, chain)
    made.publish("b1", "b2", "b3")
    attested = ("attest", "--attestor", "att1", "--once", "--format", "json")
    assert cli(*attested).json["data"][-1]["what"] == "signed"
    assert demand(cli, made, "b2").status == 0
    assert cli(*attested).json["data"][-1]["what"] == "answer"
    listed = cli("dispute", "show", made.round_id, "--format", "json").json["data"]["demands"]
    assert listed == []
    assert chain.get_participant(made.ids["b2"]).stake_wei == 20 * ETHER


def test_nothing_is_demanded_of_who_has_not_committed_nor_without_a_board(
    cli: Cli, in_served: Project, chain: Chain
) -> None:
    made = make_round(in_served, chain)
    assert (demand(cli, made, "att1").status, chain.events(names=("LeavesDemanded",), round_id=made.round_id)) == (
        7,
        [],
    )
    alone = make_round(in_served, chain, has_board=False)
    answer = demand(cli, alone)
    assert (answer.status, "ForeignTask" in answer.err) == (4, True)
