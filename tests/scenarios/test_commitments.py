"""How commitments reach the ledger, and who may try to keep them from it, forge them or use them again."""

import pytest
from ledger_world import ETHER, lie, make_key

from ledger import spec
from ledger.errors import DuplicateCommitment, NotEligible, Reverted, WrongPhase, WrongSigner

pytestmark = pytest.mark.chain

ACCUMULATED = spec.CommitMode.ACCUMULATED


def test_defended_a_front_runner_cannot_commit_for_somebody_else(world):
    round_ = world.open()
    for account in (world.people.copycat, world.clients[2]):
        with pytest.raises(WrongSigner, match="client 1"):
            round_.commit_alone(1, by=account)
    round_.commit_alone(1)
    assert world.chain.has_committed(round_.round_id, 1)


def test_defended_a_relayer_that_is_front_run_loses_gas_alone(world):
    round_ = world.open()
    call = world.chain.contracts.commit_batch(round_.round_id, [round_.entry(client) for client in round_.clients])
    with world.one_block():
        relayed = world.pend(call, by=world.people.relayer, tip_gwei=1)
        copied = world.pend(call, by=world.people.copycat, tip_gwei=2)
    assert [world.gas_of(each)[0] for each in (copied, relayed)] == [True, False]
    assert world.chain.get_round(round_.round_id).committed == 4
    assert world.bill() == {}


def test_cost_bounded_a_griefer_that_commits_ahead_of_a_batch_wastes_the_gas_of_its_bytes(world):
    round_ = world.open()
    call = world.chain.contracts.commit_batch(round_.round_id, [round_.entry(client) for client in round_.clients])
    alone = world.chain.contracts.to_ledger("commit", round_.round_id, 1, round_.commitment(1))
    with world.one_block():
        batch = world.pend(call, by=world.people.relayer, tip_gwei=1)
        griefer = world.pend(alone, by=world.clients[1], tip_gwei=2)
    (is_taken, paid), (is_batched, wasted) = world.gas_of(griefer), world.gas_of(batch)
    assert (is_taken, is_batched) == (True, False)
    # It is refused before any signature is recovered, so the griefer pays more for its one than the relayer for four.
    assert wasted < paid < 85_000
    round_.relay([2, 3, 4])
    assert world.chain.get_round(round_.round_id).committed == 4


def test_defended_one_bad_signature_takes_no_place_from_the_others(world):
    round_ = world.open()
    good, bad = [round_.entry(client) for client in (1, 2, 4)], round_.entry(3, signer=world.people.stranger)
    with pytest.raises(WrongSigner, match="client 3"):
        world.send("commit_batch", round_.round_id, [*good, bad])
    assert not any(world.chain.has_committed(round_.round_id, client) for client in round_.clients)
    world.send("commit_batch", round_.round_id, good)
    assert world.chain.get_round(round_.round_id).committed == 3


def test_defended_a_relayer_cannot_attribute_an_update_to_another_client(world):
    round_ = world.open()
    mine = round_.entry(1)
    stolen = spec.SignedMember(client=2, commitment=mine.commitment, signature=mine.signature)
    with pytest.raises(WrongSigner, match="client 2"):
        world.send("commit_batch", round_.round_id, [stolen])


def test_defended_a_client_that_the_relayer_omits_commits_by_itself(world):
    round_ = world.open()
    round_.relay([1, 2, 4])
    round_.commit_alone(3)
    round_.compute().propose().finalise()
    assert round_.included == [1, 2, 3, 4]


def test_defended_a_commitment_in_the_very_last_second_counts_and_one_later_does_not(world):
    round_ = world.open()
    end = world.chain.get_round(round_.round_id).commit_end
    world.wait_until(end - 1)
    world.at(end)
    round_.commit_alone(1)
    with pytest.raises(WrongPhase, match="closed since"):
        round_.commit_alone(2)


def test_defended_a_relayer_that_comes_late_is_refused_and_the_round_costs_nobody_anything(world):
    round_ = world.open()
    world.wait_until(world.chain.get_round(round_.round_id).commit_end)
    with pytest.raises(WrongPhase, match="closed since"):
        round_.relay()
    world.wait_until(world.chain.get_round(round_.round_id).propose_end)
    world.send("expire", round_.round_id)
    assert world.bill() == {}


def test_defended_a_commitment_of_one_round_is_refused_in_the_next(world):
    first = world.open().commit().propose()
    old = first.entry(1)
    first.finalise()
    second = world.open_next(first.task_id, first.model)
    with pytest.raises(WrongSigner, match="client 1"):
        world.send("commit_batch", second.round_id, [old])


def test_defended_a_commitment_of_one_round_is_refused_in_another_one_that_is_open(world):
    first, second = world.open(), world.open()
    with pytest.raises(WrongSigner, match="client 1"):
        world.send("commit_batch", second.round_id, [first.entry(1)])


@pytest.mark.parametrize("other", ["another chain", "another ledger", "the registry"])
def test_defended_a_commitment_is_bound_to_its_chain_and_its_contract(world, other):
    round_, contracts = world.open(), world.chain.contracts
    domain = {
        "another chain": spec.compute_domain_separator(spec.LEDGER_NAME, 1, contracts.ledger),
        "another ledger": spec.compute_domain_separator(spec.LEDGER_NAME, contracts.chain_id, b"\x11" * 20),
        "the registry": contracts.registry_domain_separator,
    }[other]
    with pytest.raises(WrongSigner, match="client 1"):
        world.send("commit_batch", round_.round_id, [round_.entry(1, domain_separator=domain)])


def test_defended_who_commits_twice_keeps_its_first_commitment(world):
    round_ = world.open()
    round_.commit_alone(1)
    for again in (round_.commitment(1), b"\x77" * 32):
        with pytest.raises(DuplicateCommitment):
            round_.commit_alone(1, commitment=again)
    assert world.chain.get_round(round_.round_id).committed == 1


def test_defended_in_accumulated_mode_a_second_commitment_counts_for_nothing(world):
    round_ = world.open(mode=ACCUMULATED)
    for client in round_.clients:
        round_.commit_alone(client)
    round_.commit_alone(2, commitment=b"\x77" * 32)
    round_.compute().propose()
    assert round_.claim.proposal.committed == 4
    with pytest.raises(Reverted, match="SameRoot"):
        round_.prove(round_.member_list())


def test_defended_in_accumulated_mode_an_aggregator_that_counts_a_client_twice_is_struck(world):
    round_ = world.open(mode=ACCUMULATED)
    for client in (*round_.clients, 2):
        round_.commit_alone(client)
    round_.compute().propose(committed=5)
    round_.prove(round_.member_list())
    world.send("settle", round_.round_id)
    assert world.bill() == {"aggregator": -40_000, "escrow": 16_000, "burnt": 24_000}


def test_cost_bounded_repetitions_in_accumulated_mode_cost_their_client_twenty_times_what_they_cost_a_challenger(world):
    round_ = world.open(mode=ACCUMULATED).commit()
    honest = len(round_.segments)
    paid = [round_.commit_alone(1).gas_used for _ in range(3)]
    size = round_.propose().member_list().size_bytes
    round_.segments = round_.segments[:honest]
    longer = (size - round_.member_list().size_bytes) // 3
    assert longer == 2 + 36 + 2
    assert min(paid) >= 20 * longer * 40


def test_defended_a_client_that_signs_two_commitments_loses_its_whole_stake_and_the_round_goes_on(world):
    round_ = world.open().commit()
    proof = round_.equivocation(1, round_.commitment(1), b"\x77" * 32)
    round_.prove(proof)
    assert world.bill() == {"client 1": -10_000, "escrow": 4_000, "burnt": 6_000}
    with pytest.raises(Reverted, match="AlreadyProven"):
        round_.prove(round_.equivocation(1, round_.commitment(1), b"\x78" * 32))
    round_.propose().finalise()


def test_defended_a_client_that_signed_once_for_two_rounds_has_not_equivocated(world):
    first, second = world.open(), world.open()
    mixed = first.equivocation(1, b"\x01" * 32, b"\x02" * 32)
    with pytest.raises(Reverted, match="WrongSigner"):
        second.prove(type(mixed)(function=mixed.function, arguments=(second.round_id, mixed.arguments[1])))
    assert world.bill() == {}


def test_defended_the_same_signature_twice_is_no_equivocation(world):
    round_ = world.open()
    with pytest.raises(Reverted, match="SameCommitment"):
        round_.prove(round_.equivocation(1, b"\x01" * 32, b"\x01" * 32))


def test_defended_a_key_that_is_rotated_in_mid_round_signs_on_in_that_round_and_the_new_one_in_the_next(world):
    round_, new = world.open(), make_key("client 1, second key")
    world.send("rotate_key", 1, new, by=world.people.owner)
    with pytest.raises(WrongSigner, match="client 1"):
        world.send("commit_batch", round_.round_id, [round_.entry(1, signer=new)])
    round_.commit().propose().finalise()
    later = world.open_next(round_.task_id, round_.model)
    with pytest.raises(WrongSigner, match="client 1"):
        world.send("commit_batch", later.round_id, [later.entry(1)])
    world.send("commit_batch", later.round_id, [later.entry(1, signer=new)])


def test_defended_rotating_the_key_does_not_save_who_equivocated(world):
    round_ = world.open()
    world.send("rotate_key", 1, make_key("client 1, second key"), by=world.people.owner)
    round_.prove(round_.equivocation(1, b"\x01" * 32, b"\x02" * 32))
    assert world.bill()["client 1"] == -10_000


def test_defended_an_identity_made_after_the_round_opened_may_not_commit_in_it(world):
    round_ = world.open()
    late = world.enrol("client 10")
    round_.examples[late], round_.values[late] = 1, round_.values[1]
    with pytest.raises(NotEligible, match="no active client"):
        round_.commit_alone(late)


def test_defended_aggregators_and_strangers_do_not_commit(world):
    round_ = world.open()
    for participant in (world.aggregator, 99):
        round_.examples[participant], round_.values[participant] = 1, round_.values[1]
        with pytest.raises(NotEligible, match="no active client"):
            round_.commit_alone(participant, by=world.people.aggregator)


def test_defended_a_round_takes_no_more_clients_than_its_task_says(world):
    round_ = world.open(max_clients=3)
    with pytest.raises(Reverted, match="RoundFull"):
        round_.relay()
    round_.relay([1, 2, 3])
    with pytest.raises(Reverted, match="RoundFull"):
        round_.commit_alone(4)


def test_known_gap_early_clients_can_fill_a_round_that_is_meant_for_others(world):
    """First come, first served: whoever pays for enough stakes takes the places. It flips once places are drawn."""
    round_ = world.open(max_clients=3)
    round_.relay([1, 2, 3])
    with pytest.raises(Reverted, match="RoundFull"):
        round_.commit_alone(4)
    assert world.bill() == {}


def test_defended_a_client_beyond_the_bound_pays_a_fifth_and_moves_nobody(world):
    round_ = world.open()
    round_.values[3][9] = 2_000_000
    round_.commit().propose()
    with pytest.raises(Reverted, match="NotFraud"):
        round_.prove(round_.column(9))
    round_.prove(round_.clip(3, 9))
    assert world.bill() == {"client 3": -2_000, "escrow": 800, "burnt": 1_200}
    round_.finalise()


def test_defended_a_client_within_the_bound_cannot_be_fined(world):
    round_ = world.open().commit()
    with pytest.raises(Reverted, match="NotFraud"):
        round_.prove(round_.clip(3, 9))


def test_defended_a_client_that_unbonds_in_mid_round_is_heard_and_answers_for_it(world):
    round_ = world.open()
    world.send("request_unbond", 3, by=world.people.owner)
    round_.values[3][9] = 2_000_000
    lie(round_.commit())
    round_.prove(round_.clip(3, 9))
    assert world.bill()["client 3"] == -2_000
    assert world.chain.get_participant(3).stake_wei == 8 * ETHER
