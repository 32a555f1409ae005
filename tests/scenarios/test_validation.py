"""Updates that are compared with each other: what four clients can still be told apart by, and who may say so."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from ledger import spec
from ledger.errors import NotFoundError, QuorumNotMet, Reverted
from ledger.records import Grade, Verdict

pytestmark = [pytest.mark.chain]

TERMS = (("validation", "stale(95)+duplicate(99)+norm(300)+faint(20)+distance(300)"),)
TOO_LONG, ZEROS, DUPLICATE = 733, 730, 732


def test_defended_one_of_four_clients_that_outweighs_the_others_is_rejected_for_that_reason(world):
    round_ = world.open(terms=TERMS)
    for client in (1, 2, 4):
        round_.values[client] //= 20
    round_.commit().leave_out(client_3=TOO_LONG)
    round_.propose(data_id=round_.publish())
    report = round_.replay()
    assert (report.verdict, report.grade, report.included) == (Verdict.PASS, Grade.PROVEN, 3)
    assert [error.code for error in report.rejections] == ["FT733"]
    round_.finalise()
    assert world.bill() == {}


def test_defended_a_free_rider_and_a_clone_leave_no_quorum_and_no_model(world):
    round_ = world.open(terms=TERMS, rule=spec.Rule.MEAN)
    round_.values[2] = np.zeros_like(round_.values[2])
    round_.values[4] = round_.values[1].copy()
    round_.commit()
    round_.excluded = {2: ZEROS, 4: DUPLICATE}
    round_.compute()
    data_id = round_.publish()
    with pytest.raises(QuorumNotMet):
        round_.propose(data_id=data_id)
    world.send("abandon", round_.round_id, data_id, sorted(round_.excluded.items()), by=round_.aggregator)
    report = round_.replay()
    assert (report.verdict, [error.code for error in report.rejections]) == (Verdict.NOTHING, ["FT730", "FT732"])
    assert world.chain.get_task_state(round_.task_id).model == round_.task.genesis_model


def test_defended_an_honest_client_that_is_rejected_is_found_by_replay_and_contests_on_chain(world):
    round_ = world.open(terms=TERMS).commit().leave_out(client_3=TOO_LONG)
    round_.propose(data_id=round_.publish())
    (finding,) = round_.replay().findings
    assert (finding.clause, finding.error.code, finding.participant) == ("12", "FT706", world.aggregator)
    assert (finding.error.detail["got"], finding.error.detail["want"]) == ("FT733", "within all limits")
    statement = hashlib.sha256(b"my update was within all limits").digest()
    receipt = world.send("contest_round", round_.round_id, 3, statement, by=world.key_of(3))
    said = receipt.find("RoundContested").args
    assert said == {"round_id": round_.round_id, "client": 3, "statement": statement}
    with pytest.raises(Reverted):  # nobody speaks for another client
        world.send("contest_round", round_.round_id, 3, statement, by=world.key_of(2))


def test_defended_an_attacker_that_is_kept_against_the_terms_is_found_by_replay(world):
    round_ = world.open(terms=TERMS)
    for client in (1, 2, 4):
        round_.values[client] //= 20
    round_.commit().propose(data_id=round_.publish())
    (finding,) = round_.replay().findings
    assert (finding.clause, finding.error.detail["got"]) == ("12", "included")
    assert "times the median, the limit is 3" in finding.error.message


def test_known_gap_a_client_that_is_wrongly_rejected_finds_no_court(world):
    """No contract computes inner products of whole updates. It flips once a court judges validations."""
    round_ = world.open(terms=TERMS).commit().leave_out(client_3=TOO_LONG)
    round_.propose(data_id=round_.publish())
    with pytest.raises(NotFoundError, match=r"no proof for check \(12\)"):
        round_.make_proof()
    round_.finalise()
    assert world.bill() == {}


def test_defended_terms_that_nobody_knows_keep_a_round_from_passing(world):
    round_ = world.open(terms=(("zone", "1"),)).commit()
    round_.propose(data_id=round_.publish())
    report = round_.replay()
    assert (report.verdict, [f.error.code for f in report.findings]) == (Verdict.INCOMPLETE, ["FT803"])
