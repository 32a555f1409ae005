"""What governor, guardian, courts and strangers can do to others, and what they cannot."""

import pytest
from ledger_world import address_of, lie, make_setup

from ledger import spec
from ledger.errors import NotEligible, Reverted, WrongPhase
from ledger.journal import Journal

pytestmark = pytest.mark.chain


def pause(world, round_):
    world.send("pause", round_.task_id, by=world.people.guardian)


def test_defended_a_pause_stops_no_proof_no_settlement_and_no_payment(world):
    round_ = lie(world.open().commit())
    pause(world, round_)
    round_.prove(round_.column(33))
    world.send("settle", round_.round_id)
    world.wait_until(world.chain.get_reward(round_.round_id).payable_from)
    world.send("claim_reward", round_.round_id)
    world.send("claim_share", round_.round_id, 1)
    for account in (world.people.challenger, world.people.owner):
        world.send("claim", account.address, by=account)
    assert world.bill() == {"aggregator": -40_000, "escrow": 3_000, "burnt": 20_000}


def test_defended_a_pause_stops_no_finalisation_and_no_withdrawal(world):
    round_ = world.open().commit().propose()
    pause(world, round_)
    round_.finalise()
    world.send("request_unbond", 1, by=world.people.owner)
    world.wait_until(world.chain.get_participant(1).unlock_at)
    world.send("withdraw", 1)
    assert world.bill() == {"client 1": -10_000, "owner": 10_000}


def test_defended_who_is_kept_waiting_by_a_pause_has_that_time_afterwards(world):
    round_ = world.open()
    before = world.chain.get_round(round_.round_id)
    pause(world, round_)
    with pytest.raises(WrongPhase):
        round_.commit_alone(1)
    world.wait_until(world.chain.get_paused_at(round_.task_id) + 1000)
    world.send("resume", round_.task_id, by=world.people.guardian)
    moved = world.chain.get_round(round_.round_id).commit_end - before.commit_end
    assert moved >= 1000
    round_.commit().propose().finalise()
    assert world.bill() == {}


def test_defended_an_aggregator_is_not_fined_for_time_that_a_pause_took(world):
    round_ = world.open().commit()
    world.wait_until(world.chain.get_round(round_.round_id).data_end + 1)
    end = world.chain.get_round(round_.round_id).propose_end
    pause(world, round_)
    world.wait_until(end + 1000)
    with pytest.raises(WrongPhase):
        world.send("expire", round_.round_id)
    world.send("resume", round_.task_id, by=world.people.guardian)
    with pytest.raises(WrongPhase):
        world.send("expire", round_.round_id)
    round_.propose().finalise()
    assert world.bill() == {}


def test_defended_a_guardian_that_forgets_a_pause_is_overruled_by_anybody(world):
    round_ = world.open()
    pause(world, round_)
    with pytest.raises(NotEligible):
        world.send("resume", round_.task_id, by=world.people.stranger)
    world.wait_until(world.chain.get_paused_at(round_.task_id) + world.chain.get_max_pause_seconds())
    world.send("resume", round_.task_id, by=world.people.stranger)
    with pytest.raises(Reverted, match="PausedTooOften"):
        pause(world, round_)


def test_cost_bounded_all_pauses_of_a_round_together_hold_it_up_for_the_longest_pause(world):
    longest = world.chain.get_max_pause_seconds()
    round_ = world.open(commit_seconds=3 * longest)
    end = world.chain.get_round(round_.round_id).commit_end
    for _ in range(2):
        pause(world, round_)
        world.wait_until(world.chain.get_paused_at(round_.task_id) + longest * 2 // 3)
        world.send("resume", round_.task_id, by=world.people.guardian)
        world.wait_until(world.chain.now() + longest + 1)
    assert world.chain.get_round(round_.round_id).commit_end == end + longest


def test_defended_only_the_guardian_pauses(world):
    round_ = world.open()
    for account in (world.people.stranger, world.people.governor, world.people.aggregator):
        with pytest.raises(NotEligible):
            world.send("pause", round_.task_id, by=account)


def test_defended_the_guardian_can_do_nothing_else(world):
    guardian, round_ = world.people.guardian, world.open().commit().propose()
    with pytest.raises(NotEligible):
        world.send("create_task", round_.task, by=guardian)
    with pytest.raises(Reverted, match="NotCourt"):
        world.call("ledger", "void", round_.round_id, bytes(32), guardian.address, bytes(32), by=guardian)
    pause(world, round_)
    with pytest.raises(Reverted, match="NotFraud"):
        round_.prove(round_.column(0))
    assert round_.phase is spec.Phase.PROPOSED


def test_defended_the_governor_touches_no_task_that_exists(world):
    round_ = world.open().commit()
    before, governor = world.chain.get_task(round_.task_id), world.people.governor
    world.send("create_task", world.make_task(quorum=4, bond_wei=1), by=governor)
    world.send("name_successor", b"\x11" * 20, by=governor)
    assert world.chain.get_task(round_.task_id) == before
    for function, args in (
        ("void", (round_.round_id, bytes(32), governor.address, bytes(32))),
        ("holdDispute", (round_.round_id, 1 << 39)),
        ("seat", (1, governor.address, 0, 1)),
        ("pause", (round_.task_id,)),
    ):
        with pytest.raises((Reverted, NotEligible)):
            world.call("ledger", function, *args, by=governor)
    round_.propose().finalise()
    assert world.bill() == {}


def test_known_gap_the_governor_may_leave_one_second_to_challenge(world):
    """Clients see it before they take part, yet nothing forbids it. It flips once the ledger knows a least window."""
    round_ = world.open(challenge_seconds=1)
    view = lie(round_.commit()).chain.get_round(round_.round_id)
    assert view.challenge_end - world.chain.now() <= 1


def test_defended_a_superseded_ledger_and_its_court_judge_none_of_its_successors_rounds(world, tmp_path):
    journal = Journal(tmp_path / "old.sqlite")
    old = make_setup(world.setup.network.rpc, journal).network
    journal.close()
    assert not world.chain.is_court(old.contracts["court"])
    assert world.chain.is_court(world.chain.network.contracts["court"])
    round_ = lie(world.open().commit())
    proof = round_.column(33)
    there = world.chain.contracts.to(proof.court, proof.function, *proof.arguments)
    elsewhere = type(there)(name=there.name, to=bytes.fromhex(old.contracts["court"][2:]), data=there.data)
    with pytest.raises((Reverted, WrongPhase)):
        world.send("send", elsewhere, by=world.people.challenger)
    assert round_.phase is spec.Phase.PROPOSED


STRANGE = {
    "void": ("ledger", lambda who, r: (r, b"fraud".ljust(32, b"\x00"), who, bytes(32))),
    "holdDispute": ("ledger", lambda who, r: (r, 1 << 39)),
    "releaseDispute": ("ledger", lambda who, r: (r,)),
    "seat": ("ledger", lambda who, r: (1, who, 0, 1)),
    "punish": ("escrow", lambda who, r: (r, 1, b"fraud".ljust(32, b"\x00"), 10**18, who, bytes(32))),
    "lock": ("registry", lambda who, r: (1, 1, 10**18)),
    "unlock": ("registry", lambda who, r: (5, 1, 10**18)),
    "slash": ("registry", lambda who, r: (1, r, 10**18, bytes(32), (who, 10_000, who, 0))),
    "forfeit": ("registry", lambda who, r: (5, 1, r, 10**18, bytes(32), (who, 10_000, who, 0))),
    "transferCredit": ("registry", lambda who, r: (who, 1)),
    "claim": ("registry", lambda who, r: (who,)),
    "requestUnbond": ("registry", lambda who, r: (1,)),
    "withdraw": ("registry", lambda who, r: (1,)),
    "claimReward": ("escrow", lambda who, r: (r,)),
    "claimShare": ("escrow", lambda who, r: (r, 1)),
    "settle": ("escrow", lambda who, r: (r,)),
}


def test_defended_trap_3_nothing_of_value_moves_for_a_stranger(world):
    stranger, round_ = world.people.stranger, lie(world.open().commit())
    for function, (contract, arguments) in STRANGE.items():
        with pytest.raises((Reverted, NotEligible)):
            world.call(contract, function, *arguments(stranger.address, round_.round_id), by=stranger)
    assert world.bill() == {}
    assert world.chain.get_credit(address_of(stranger)) == 0
