"""What an aggregator may try: lies, omissions, silence, delay."""

import pytest
from ledger_world import OTHER_BYTES, UNAVAILABLE, lie

from ledger import commitments, disputes, sessions, spec
from ledger.errors import NotEligible, NotFoundError, QuorumNotMet, Reverted, WrongPhase
from ledger.records import Grade, Verdict

pytestmark = pytest.mark.chain

STRUCK = {"aggregator": -40_000, "escrow": 20_000, "burnt": 20_000}
"""In thousandths of an ether; 16 ether for the challenger and 4 for the clients wait in escrow."""
WEIGHTED = {"rule": spec.Rule.WEIGHTED_MEAN, "wei_per_weight": 10**17}


def assert_struck(world, round_, proof, reason):
    receipt = round_.prove(proof)
    assert receipt.find("FraudProven").args["reason"].rstrip(b"\x00") == reason
    assert round_.phase is spec.Phase.VOIDED
    world.send("settle", round_.round_id)
    assert world.bill() == STRUCK


def test_defended_an_honest_round_costs_nobody_anything(world):
    round_ = world.open().commit().propose()
    for proof in (round_.column(0), round_.direct(44), round_.transpose(9, 2), round_.model_step(7)):
        with pytest.raises(Reverted, match="NotFraud"):
            round_.prove(proof)
    with pytest.raises(Reverted, match="SameRoot"):
        round_.prove(round_.member_list())
    round_.finalise()
    assert world.bill() == {}


@pytest.mark.parametrize("kind", ["column", "direct"])
def test_defended_one_unit_in_one_coordinate_of_the_aggregate_costs_the_whole_bond(world, kind):
    round_ = lie(world.open().commit())
    assert_struck(world, round_, getattr(round_, kind)(33), b"wrong aggregate")


def test_defended_a_wrong_matrix_costs_the_whole_bond(world):
    round_ = world.open().commit()
    wrong = round_.matrix.copy()
    wrong[2, 44] ^= 1
    round_.propose(matrix_root=commitments.compute_matrix_root(wrong, 2))
    assert_struck(world, round_, round_.transpose(44, 2, wrong), b"wrong matrix")


def test_defended_a_wrong_model_costs_the_whole_bond(world):
    round_ = world.open().commit()
    round_.model[0] += 1
    assert_struck(world, round_.propose(), round_.model_step(0), b"wrong model")


def test_defended_leaving_a_client_out_in_silence_costs_the_whole_bond(world):
    round_ = world.open().commit()
    round_.propose(members_root=spec.compute_members_root(round_.members[1:]))
    assert_struck(world, round_, round_.member_list(), b"wrong members")


def test_defended_a_posted_weight_that_is_not_the_clients_costs_the_whole_bond(world):
    round_ = world.open(**WEIGHTED).commit()
    assert round_.weights == [10, 20, 30, 40]
    round_.propose(aux=spec.encode_weights([10, 20, 30, 41]))
    with pytest.raises(Reverted, match="NotFraud"):
        round_.prove(round_.weight(0))
    assert_struck(world, round_, round_.weight(3), b"wrong weight")


def test_defended_too_few_posted_weights_cost_the_whole_bond(world):
    round_ = world.open(**WEIGHTED).commit().propose(aux=spec.encode_weights([10, 20, 30]))
    assert_struck(world, round_, disputes.prove_weight(round_.claim, round_.task, 0), b"wrong weight")


def test_defended_a_withheld_matrix_does_not_hide_a_wrong_aggregate(world):
    round_ = world.open().commit()
    round_.aggregate[33] += 1
    round_.propose(matrix_root=b"\x66" * 32)
    with pytest.raises(Reverted, match="ProposalMismatch"):
        round_.prove(round_.column(33))
    assert_struck(world, round_, round_.direct(33), b"wrong aggregate")


def test_known_gap_without_a_board_an_aggregate_that_nobody_can_open_is_finalised(world):
    """Replay accuses; the court cannot open a leaf that nobody has. It flips once every task has a board."""
    round_ = world.open().commit().propose(aggregate_root=b"\x66" * 32, data_id=b"\x66" * 32)
    for proof in (round_.column(33), round_.direct(33)):
        with pytest.raises(Reverted, match=r"ProposalMismatch|WrongRoot"):
            round_.prove(proof)
    round_.finalise()
    assert world.bill() == {}


def test_known_gap_without_a_board_an_aggregator_and_a_client_that_committed_to_noise_invent_its_column(world):
    """No update opens that commitment, so no proof shows another value. It flips once every task has a board."""
    round_ = world.open(rule=spec.Rule.MEAN)
    round_.commit_alone(2, commitment=b"\x77" * 32)
    round_.relay([1, 3, 4])
    round_.compute().propose()
    for proof, error in (
        (round_.column(9), "NotFraud"),
        (round_.transpose(9, 1), "WrongRoot"),
        (round_.direct(9), "WrongRoot"),
    ):
        with pytest.raises(Reverted, match=error):
            round_.prove(proof)
    round_.finalise()
    assert world.bill() == {}


def test_defended_a_client_that_withholds_its_update_does_not_stop_the_round(world):
    round_ = world.open().commit()
    round_.silent = {3}
    round_.leave_out(client_3=UNAVAILABLE).propose(data_id=round_.publish())
    report = round_.replay()
    assert (report.verdict, report.grade, report.included) == (Verdict.PASS, Grade.ATTESTED, 3)
    round_.finalise()


def test_known_gap_without_a_board_a_client_that_withholds_its_update_pays_nothing(world):
    """It has spent a place and the others' time. It flips once a board that answers demands is the rule."""
    round_ = world.open().commit().leave_out(client_3=UNAVAILABLE)
    round_.propose().finalise()
    assert world.bill() == {}


def test_defended_clients_that_withhold_below_the_quorum_leave_the_model_as_it_was(world):
    round_ = world.open().commit()
    round_.excluded = {2: UNAVAILABLE, 3: UNAVAILABLE}
    with pytest.raises(QuorumNotMet):
        round_.propose()
    world.send("abandon", round_.round_id, b"\x01" * 32, sorted(round_.excluded.items()), by=round_.aggregator)
    state = world.chain.get_task_state(round_.task_id)
    assert (round_.phase, state.model) == (spec.Phase.ABANDONED, round_.task.genesis_model)
    assert world.bill() == {}


def test_defended_an_exclusion_for_a_false_reason_is_found_by_replay(world):
    round_ = world.open().commit().leave_out(client_3=OTHER_BYTES)
    round_.propose(data_id=round_.publish())
    (finding,) = round_.replay().findings
    assert (finding.clause, finding.error.code, finding.participant) == ("5", "FT706", world.aggregator)


def test_known_gap_without_a_board_an_exclusion_for_a_false_reason_stands_on_chain(world):
    """No court judges reasons. It flips once one does, or once every task has a board."""
    round_ = world.open().commit().leave_out(client_3=OTHER_BYTES)
    round_.propose(data_id=round_.publish())
    with pytest.raises(NotFoundError, match=r"no proof for check \(5\)"):
        round_.make_proof()
    round_.finalise()
    assert world.bill() == {}


def test_known_gap_without_a_board_an_aggregator_ends_a_round_by_calling_good_updates_unavailable(world):
    """Replay says no more than that somebody attested it. It flips once every task has a board."""
    round_ = world.open().commit()
    round_.excluded = {2: UNAVAILABLE, 3: UNAVAILABLE}
    world.wait_until(world.chain.get_round(round_.round_id).data_end + 1)
    world.send("abandon", round_.round_id, round_.publish(), sorted(round_.excluded.items()), by=round_.aggregator)
    report = round_.replay()
    assert not report.findings and len(report.attested) == 2
    assert world.bill() == {}


def test_defended_nobody_excludes_a_client_that_has_not_committed_or_twice(world):
    round_ = world.open()
    round_.relay([1, 2, 3])
    round_.compute()
    world.wait_until(world.chain.get_round(round_.round_id).data_end + 1)
    for excluded in ([(4, 801)], [(1, 801), (1, 801)]):
        with pytest.raises(Reverted, match="WrongExclusions"):
            world.send("propose", round_.round_id, round_.make_proposal(), excluded, by=round_.aggregator)


def test_cost_bounded_a_silent_aggregator_holds_its_task_up_for_three_windows_and_pays_a_tenth(world):
    round_ = world.open().commit()
    end = world.chain.get_round(round_.round_id).propose_end
    with pytest.raises(WrongPhase, match="not ready before"):
        world.send("expire", round_.round_id, by=world.people.stranger)
    world.wait_until(end)
    world.send("expire", round_.round_id, by=world.people.stranger)
    assert world.bill() == {"aggregator": -4_000, "burnt": 4_000}
    again = world.open_next(round_.task_id, round_.base, by="rival")
    again.commit().propose().finalise()
    assert world.chain.get_task_state(round_.task_id).rounds == 2


def test_known_gap_an_aggregator_that_nobody_commits_to_holds_a_task_up_for_nothing(world):
    """Any active aggregator opens rounds of any task. It flips once opening a round that fails costs something."""
    round_ = world.open(by="rival")
    world.wait_until(world.chain.get_round(round_.round_id).propose_end)
    world.send("expire", round_.round_id)
    assert world.bill() == {}


def test_defended_a_proposal_comes_neither_early_nor_late(world):
    round_ = world.open().commit()
    view, proposal = world.chain.get_round(round_.round_id), round_.make_proposal()
    for second, match in ((view.data_end - 1, "not ready before"), (view.propose_end, "closed since")):
        world.wait_until(second)
        with pytest.raises(WrongPhase, match=match):
            world.send("propose", round_.round_id, proposal, [], by=round_.aggregator)


def test_defended_a_proposal_in_the_very_last_second_leaves_the_whole_time_to_challenge(world):
    round_ = world.open().commit()
    end = world.chain.get_round(round_.round_id).propose_end
    world.wait_until(end - 1)
    world.at(end)
    lie(round_)
    assert world.chain.get_round(round_.round_id).challenge_end == end + round_.task.challenge_seconds


def test_defended_nobody_proposes_in_an_aggregators_place(world):
    round_ = world.open().commit()
    for account in (world.people.rival, world.people.stranger, world.people.governor, world.clients[1]):
        with pytest.raises(NotEligible):
            round_.propose(by=account)


def test_defended_nobody_finalises_early_or_another_proposal(world):
    round_ = world.open().commit().propose()
    names = ("aggregate_root", "matrix_root", "model_root", "details_hash")
    outcome = spec.Outcome(**dict.fromkeys(names, b"\x01" * 32))
    with pytest.raises(WrongPhase, match="not ready before"):
        world.send("finalise", round_.round_id, outcome)
    world.wait_until(world.chain.get_round(round_.round_id).challenge_end)
    with pytest.raises(Reverted, match="ProposalMismatch"):
        world.send("finalise", round_.round_id, outcome)
    round_.finalise()


def test_defended_a_voided_round_is_run_again_by_another_aggregator_from_the_same_model(world):
    round_ = lie(world.open().commit())
    round_.prove(round_.column(33))
    again = world.open_next(round_.task_id, round_.base, by="rival").commit().propose()
    again.finalise()
    assert world.chain.get_task_state(round_.task_id).model == again.claim.proposal.model_root
    assert world.bill() == STRUCK


def test_defended_an_aggregator_that_was_struck_needs_a_new_bond_for_the_next_round(world):
    round_ = lie(world.open(bond_wei=60 * 10**18).commit())
    round_.prove(round_.column(33))
    with pytest.raises(spec.FedtrailError, match="insufficient stake"):
        world.open_next(round_.task_id, round_.base)
    world.send("deposit", world.aggregator, 20 * 10**18)
    world.send("settle", round_.round_id)
    world.open_next(round_.task_id, round_.base)


def test_defended_a_round_begins_with_the_model_that_the_last_one_ended_with(world):
    first = world.open().commit().propose()
    first.finalise()
    second = world.open_next(first.task_id, first.model).commit()
    assert world.chain.events(names=("RoundOpened",), round_id=second.round_id)[0].args[
        "base_model"
    ] == commitments.compute_vector_root(first.model, 4)
    second.propose(model_root=first.claim.proposal.model_root)
    second.model = first.model
    second.prove(second.model_step(9))
    assert second.phase is spec.Phase.VOIDED


def test_defended_a_round_whose_fraud_is_unproven_ends_like_any_other(world):
    """Proofs that fail leave no trace and hold nothing up."""
    round_ = world.open().commit().propose()
    for at in range(3):
        with pytest.raises(Reverted, match="NotFraud"):
            round_.prove(round_.column(at))
    assert world.chain.get_round(round_.round_id).open_disputes == 0
    round_.finalise()


def test_defended_what_fits_no_transaction_is_proven_in_several(world):
    round_ = world.open().commit()
    round_.aggregate[33] += 1
    round_.propose(matrix_root=b"\x66" * 32)
    *shown, closing = sessions.prove_in_session(
        round_.claim,
        round_.task,
        33,
        updates=round_.updates,
        aggregate=round_.aggregate,
        domain=world.chain.domain_separator,
    )
    for proof in shown:
        round_.prove(proof)
    with pytest.raises(Reverted, match="NoSession"):
        round_.prove(closing, by=world.people.copycat)
    assert_struck(world, round_, closing, b"wrong aggregate")


def test_defended_an_honest_aggregate_survives_a_session(world):
    round_ = world.open().commit().propose()
    proofs = sessions.prove_in_session(
        round_.claim,
        round_.task,
        33,
        updates=round_.updates,
        aggregate=round_.aggregate,
        domain=world.chain.domain_separator,
    )
    for proof in proofs[:-1]:
        round_.prove(proof)
    with pytest.raises(Reverted, match="NotFraud"):
        round_.prove(proofs[-1])
    round_.finalise()
    assert world.bill() == {}
