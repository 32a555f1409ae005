"""Who is paid for a proof: copiers, tickets, friends of the accused, latecomers."""

import pytest
from eth_utils.crypto import keccak
from ledger_world import ETHER, address_of, lie

from ledger import disputes, spec
from ledger.errors import Reverted, WrongPhase

pytestmark = pytest.mark.chain

SALT = keccak(b"salt")


def buy_ticket(world, round_, proof, account):
    named = {"round_id": round_.round_id, "proof_hash": proof.proof_hash}
    ticket = disputes.compute_ticket(**named, challenger=address_of(account), salt=SALT)
    return world.send("buy_ticket", ticket, by=account)


def collect(world, round_):
    if not world.chain.is_settled(round_.round_id):
        world.send("settle", round_.round_id)
    world.wait_until(world.chain.get_reward(round_.round_id).payable_from)
    world.send("claim_reward", round_.round_id)


def test_defended_the_holder_of_a_ticket_has_its_reward_back_from_who_copied_the_proof(world):
    round_ = lie(world.open().commit())
    proof, challenger, copycat = round_.column(33), world.people.challenger, world.people.copycat
    buy_ticket(world, round_, proof, challenger)
    call = world.chain.contracts.to(proof.court, proof.function, *proof.arguments)
    with world.one_block():
        mine = world.pend(call, by=challenger, tip_gwei=1)
        copy = world.pend(call, by=copycat, tip_gwei=2)
    assert [world.gas_of(each)[0] for each in (copy, mine)] == [True, False]
    world.send("contest", round_.round_id, proof_hash=proof.proof_hash, salt=SALT, by=challenger)
    collect(world, round_)
    assert world.bill() == {"aggregator": -40_000, "challenger": 16_000, "escrow": 4_000, "burnt": 20_000}


def test_cost_bounded_without_a_ticket_the_copier_of_a_proof_is_paid_and_the_lie_is_struck_all_the_same(world):
    round_ = lie(world.open().commit())
    round_.prove(round_.column(33), by=world.people.copycat)
    collect(world, round_)
    assert world.bill() == {"aggregator": -40_000, "copycat": 16_000, "escrow": 4_000, "burnt": 20_000}


def test_defended_a_ticket_bought_after_the_proof_was_seen_is_worth_nothing(world):
    round_ = lie(world.open().commit())
    proof = round_.column(33)
    round_.prove(proof)
    buy_ticket(world, round_, proof, world.people.copycat)
    with pytest.raises(Reverted, match="NoEarlierTicket"):
        world.send("contest", round_.round_id, proof_hash=proof.proof_hash, salt=SALT, by=world.people.copycat)


def test_defended_a_ticket_bought_in_the_second_of_the_proof_is_worth_nothing(world):
    round_ = lie(world.open().commit())
    proof, copycat = round_.column(33), world.people.copycat
    call = world.chain.contracts.to(proof.court, proof.function, *proof.arguments)
    ticket = disputes.compute_ticket(
        round_id=round_.round_id, proof_hash=proof.proof_hash, challenger=address_of(copycat), salt=SALT
    )
    with world.one_block():
        world.pend(call, by=world.people.challenger, tip_gwei=1)
        world.pend(world.chain.contracts.to_escrow("ticket", ticket), by=copycat, tip_gwei=2)
    with pytest.raises(Reverted, match="NoEarlierTicket"):
        world.send("contest", round_.round_id, proof_hash=proof.proof_hash, salt=SALT, by=copycat)


def test_defended_a_ticket_serves_only_who_bought_it(world):
    round_ = lie(world.open().commit())
    proof = round_.column(33)
    buy_ticket(world, round_, proof, world.people.challenger)
    round_.prove(proof)
    with pytest.raises(Reverted, match="NoEarlierTicket"):
        world.send("contest", round_.round_id, proof_hash=proof.proof_hash, salt=SALT, by=world.people.copycat)


def test_defended_a_copied_ticket_serves_nobody(world):
    round_ = lie(world.open().commit())
    proof = round_.column(33)
    ticket = disputes.compute_ticket(
        round_id=round_.round_id,
        proof_hash=proof.proof_hash,
        challenger=address_of(world.people.challenger),
        salt=SALT,
    )
    world.send("buy_ticket", ticket, by=world.people.copycat)
    with pytest.raises(Reverted, match="TicketExists"):
        world.send("buy_ticket", ticket, by=world.people.challenger)
    # Whoever sent it, it is the challenger's, and older than the proof.
    round_.prove(proof, by=world.people.copycat)
    world.send("contest", round_.round_id, proof_hash=proof.proof_hash, salt=SALT, by=world.people.challenger)


def test_defended_a_reward_is_contested_within_the_hour_only(world):
    round_ = lie(world.open().commit())
    proof = round_.column(33)
    buy_ticket(world, round_, proof, world.people.challenger)
    round_.prove(proof, by=world.people.copycat)
    world.send("settle", round_.round_id)
    world.wait_until(world.chain.get_reward(round_.round_id).payable_from)
    with pytest.raises(Reverted, match="EscrowOver"):
        world.send("contest", round_.round_id, proof_hash=proof.proof_hash, salt=SALT, by=world.people.challenger)


def test_cost_bounded_an_aggregator_that_strikes_itself_still_loses_six_tenths(world):
    round_ = lie(world.open().commit())
    round_.prove(round_.column(33), by=world.people.host)
    collect(world, round_)
    bill = world.bill()
    assert bill["aggregator"] + bill["host"] == -24_000


def test_cost_bounded_an_aggregator_whose_friends_are_all_clients_still_loses_half(world):
    round_ = lie(world.open().commit())
    round_.prove(round_.column(33), by=world.people.host)
    collect(world, round_)
    for client in round_.clients:
        world.send("claim_share", round_.round_id, client)
    assert world.bill() == {"aggregator": -40_000, "host": 16_000, "owner": 4_000, "burnt": 20_000}


def test_defended_every_client_has_its_share_once_and_others_have_none(world):
    round_ = world.open()
    round_.relay([1, 2, 4])
    lie(round_.compute())
    round_.prove(round_.column(33))
    world.send("claim_share", round_.round_id, 1)
    with pytest.raises(Reverted, match="AlreadyClaimed"):
        world.send("claim_share", round_.round_id, 1)
    with pytest.raises(Reverted, match="NotCommitted"):
        world.send("claim_share", round_.round_id, 3)
    assert world.chain.get_credit(world.people.owner.address) == 4 * ETHER // 3


def test_defended_a_round_is_struck_and_paid_for_once(world):
    round_ = lie(world.open().commit())
    round_.prove(round_.column(33))
    with pytest.raises(WrongPhase):
        round_.prove(round_.direct(33), by=world.people.copycat)
    collect(world, round_)
    for action in ("settle", "claim_reward"):
        with pytest.raises(Reverted):
            world.send(action, round_.round_id)
    assert world.bill()["challenger"] == 16_000


def test_defended_anybody_settles_and_nobody_needs_to(world):
    round_ = lie(world.open().commit())
    round_.prove(round_.column(33))
    assert world.bill() == {}
    assert world.chain.get_participant(world.aggregator).locked_wei == 40 * ETHER
    world.open_next(round_.task_id, round_.base, by="rival")
    assert world.bill() == {"aggregator": -40_000, "escrow": 20_000, "burnt": 20_000}


def test_defended_a_proof_in_the_last_second_before_finalisation_strikes(world):
    round_ = lie(world.open().commit())
    end = world.chain.get_round(round_.round_id).challenge_end
    world.wait_until(end + 100)
    assert round_.prove(round_.column(33)).find("FraudProven").args["coordinate"] == 33
    assert round_.phase is spec.Phase.VOIDED


def test_defended_a_finalised_round_cannot_be_disputed(world):
    round_ = lie(world.open().commit())
    round_.finalise()
    for proof in (round_.column(33), round_.direct(33), round_.member_list(), round_.model_step(33)):
        with pytest.raises(WrongPhase, match="proposed and not yet finalised"):
            round_.prove(proof)
    assert world.bill() == {}


def test_known_gap_a_lie_that_nobody_looks_at_becomes_the_model(world):
    """Nobody is paid for looking (the verifier's dilemma). It flips once a round needs somebody's word to end."""
    round_ = lie(world.open().commit())
    round_.finalise()
    assert world.chain.get_task_state(round_.task_id).model == round_.claim.proposal.model_root


def test_defended_design_trap_7_who_takes_a_reward_cannot_stop_the_others_by_refusing_ether(world):
    """Pull payments: the wallet refuses plain ether, and its credit is its own matter."""
    wallet, round_ = world.deploy_wallet(), lie(world.open().commit())
    proof = round_.column(33)
    call = world.chain.contracts.to(proof.court, proof.function, *proof.arguments)
    world.through(wallet, call, world.people.challenger)
    collect(world, round_)
    assert world.chain.get_credit(wallet) == 16 * ETHER
    with pytest.raises(Reverted, match="TransferFailed"):
        world.through(wallet, world.chain.contracts.to_registry("claim", wallet), world.people.challenger)
    world.send("claim_share", round_.round_id, 1)
    assert world.bill()["owner"] == 1_000
