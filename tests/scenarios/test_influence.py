"""How much an update can weigh: stakes split and borrowed, dust, one client alone, most of the clients."""

import numpy as np
import pytest
from ledger_world import BOUND, ETHER, lie

from ledger import spec

pytestmark = pytest.mark.chain

WEIGHTED = {"rule": spec.Rule.WEIGHTED_MEAN, "wei_per_weight": ETHER // 10, "quorum": 1}


def test_defended_a_stake_that_is_split_over_many_identities_weighs_no_more(world):
    whole = world.open(**WEIGHTED, clients=(1, 2))
    parts = [world.enrol(f"client {number}", stake_wei=ETHER) for number in range(10, 20)]
    split = world.open(**WEIGHTED, clients=(2, *parts))
    for round_, cheats in ((whole, [1]), (split, parts)):
        round_.values = {2: np.full(45, -900, np.int32)} | dict.fromkeys(cheats, np.full(45, 900, np.int32))
        round_.examples = {2: 80} | dict.fromkeys(cheats, 1_000_000)
        round_.commit()
    assert (whole.weights, split.weights) == ([100, 80], [80] + 10 * [10])
    assert whole.aggregate.tolist() == split.aggregate.tolist()


def test_known_gap_a_split_stake_weighs_more_where_the_task_does_not_ask_for_stake(world):
    """Without wei_per_weight each identity counts its examples anew. It flips once tasks must set it."""
    parts = [world.enrol(f"client {number}", stake_wei=ETHER) for number in range(10, 14)]
    round_ = world.open(rule=spec.Rule.WEIGHTED_MEAN, examples_cap=100, clients=(1, *parts))
    round_.examples = dict.fromkeys((1, *parts), 1_000_000)
    assert round_.commit().weights == [100] * 5


def test_defended_a_stake_below_the_price_of_one_unit_weighs_nothing(world):
    poor = world.enrol("client 10", stake_wei=ETHER)
    round_ = world.open(**{**WEIGHTED, "wei_per_weight": 2 * ETHER}, clients=(1, 2, poor)).commit()
    assert round_.weights == [5, 5, 0]
    lie(round_, at=0)
    round_.prove(round_.column(0))


def test_defended_a_round_of_dust_alone_leaves_the_model_as_it_was(world):
    round_ = world.open(**{**WEIGHTED, "wei_per_weight": 20 * ETHER}).commit().propose()
    assert round_.weights == [0, 0, 0, 0]
    assert not round_.aggregate.any()
    round_.finalise()
    assert world.chain.get_task_state(round_.task_id).model == round_.task.genesis_model


def test_defended_a_deposit_counts_from_the_next_round(world):
    round_ = world.open(**{**WEIGHTED, "wei_per_weight": ETHER})
    round_.examples = dict.fromkeys(round_.clients, 1000)
    world.send("deposit", 1, 50 * ETHER)
    assert round_.commit().weights == [10, 10, 10, 10]
    round_.propose().finalise()
    later = world.open_next(round_.task_id, round_.model)
    later.examples = round_.examples
    assert later.commit().weights == [60, 10, 10, 10]


def test_defended_a_deposit_in_the_very_second_of_the_opening_does_not_count(world):
    task = world.make_task(**WEIGHTED)
    task_id = world.send("create_task", task, by=world.people.governor).find("TaskCreated").args["task_id"]
    deposit = world.chain.contracts.to_registry("deposit", 1, value_wei=50 * ETHER)
    opening = world.chain.contracts.to_ledger("openRound", task_id, world.aggregator)
    with world.one_block():
        world.pend(deposit, by=world.people.owner, tip_gwei=2)
        world.pend(opening, by=world.people.aggregator, tip_gwei=1)
    opened_at = world.chain.get_round(world.chain.count_rounds()).opened_at
    assert world.chain.get_stakes_at([1], opened_at - 1) == {1: 10 * ETHER}
    assert world.chain.get_stakes_at([1], opened_at) == {1: 60 * ETHER}


def test_defended_one_client_alone_makes_a_round_that_can_be_disputed_like_any_other(world):
    for rule in (spec.Rule.MEAN, spec.Rule.MEDIAN):
        round_ = world.open(rule=rule, quorum=1, clients=(2,)).commit()
        assert round_.aggregate.tolist() == round_.values[2].tolist()
        lie(round_, at=44)
        for honest in (round_.transpose(44, 0), round_.column(43)):
            with pytest.raises(spec.FedtrailError, match="NotFraud"):
                round_.prove(honest)
        round_.prove(round_.direct(44) if rule is spec.Rule.MEAN else round_.column(44))
        world.send("settle", round_.round_id)
    assert world.bill()["aggregator"] == -80_000


def test_defended_a_minority_moves_no_coordinate_of_a_median_beyond_the_honest(world):
    round_ = world.open(rule=spec.Rule.MEDIAN)
    honest = np.stack([round_.values[client] for client in (1, 2, 3)])
    round_.values[4] = np.full(45, BOUND, np.int32)
    round_.commit()
    assert (round_.aggregate <= honest.max(axis=0)).all()
    assert (round_.aggregate >= honest.min(axis=0)).all()


def test_known_gap_who_pays_for_most_identities_decides_a_median_and_keeps_the_stakes(world):
    """One stake is one vote, and a vote costs its stake's time alone. It flips once clients are known or drawn."""
    sybils = [world.enrol(f"client {number}", stake_wei=ETHER) for number in range(10, 15)]
    round_ = world.open(rule=spec.Rule.MEDIAN, clients=(1, 2, 3, 4, *sybils))
    round_.values |= dict.fromkeys(sybils, np.full(45, BOUND, np.int32))
    round_.commit().propose().finalise()
    assert (round_.aggregate == BOUND).all()
    assert {name for name in world.bill() if name.startswith("participant")} == {
        f"participant {client}" for client in sybils
    }
    assert all(world.chain.get_participant(client).stake_wei == ETHER for client in sybils)


def test_defended_values_beyond_the_bound_weigh_as_the_bound(world):
    round_ = world.open(rule=spec.Rule.MEAN)
    round_.values[4] = np.full(45, 2**31 - 1, np.int32)
    round_.commit()
    honest = np.stack([round_.values[client] for client in (1, 2, 3)]).sum(axis=0) + BOUND
    assert round_.aggregate.tolist() == [spec.rdiv(int(total), 4) for total in honest]
    round_.propose()
    with pytest.raises(spec.FedtrailError, match="NotFraud"):
        round_.prove(round_.column(0))
