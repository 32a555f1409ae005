"""Identities, keys and stakes: who may register whom, with what, and when money may leave."""

import pytest
from ledger_world import AGGREGATOR_STAKE, BOND, ETHER, lie, make_key

from ledger.chain import Role
from ledger.errors import FundsLocked, InsufficientStake, NotEligible, Reverted, WrongSigner

pytestmark = pytest.mark.chain


def test_defended_a_signer_serves_one_identity_only(world):
    for role in (Role.CLIENT, Role.AGGREGATOR):
        with pytest.raises(Reverted, match="SignerTaken"):
            world.send(
                "register", role=role, owner=world.people.owner.address, signer=world.clients[1], stake_wei=5 * ETHER
            )


def test_defended_a_signer_that_was_rotated_away_is_never_given_to_another_identity(world):
    old = world.clients[1]
    world.send("rotate_key", 1, make_key("client 1, second key"), by=world.people.owner)
    with pytest.raises(Reverted, match="SignerTaken"):
        world.send("rotate_key", 2, old, by=world.people.owner)


@pytest.mark.parametrize("role", [Role.CLIENT, Role.AGGREGATOR, Role.ATTESTOR], ids=lambda role: role.name.lower())
def test_defended_dust_buys_no_identity(world, role):
    least = world.chain.get_min_stake(role)
    with pytest.raises(InsufficientStake):
        world.enrol("dust", role, least - 1)
    assert world.enrol("dust", role, least)


def test_defended_a_stake_that_a_fine_brings_below_the_minimum_is_out_until_somebody_pays(world):
    poor = world.enrol("client 10", stake_wei=ETHER)
    round_ = world.open(clients=(1, 2, 3, poor))
    round_.values[poor][9] = 2_000_000
    round_.commit().prove(round_.clip(poor, 9))
    round_.propose().finalise()
    later = world.open_next(round_.task_id, round_.model, clients=(1, 2, 3, poor))
    with pytest.raises(NotEligible, match="no active client"):
        later.relay()
    world.send("deposit", poor, ETHER // 5)
    later.relay([1, 2, 3])
    later.compute().propose().finalise()
    world.open_next(round_.task_id, later.model, clients=(1, 2, 3, poor)).relay()


def test_defended_a_stake_leaves_only_after_the_unbonding_time(world):
    world.send("request_unbond", 1, by=world.people.owner)
    until = world.chain.get_participant(1).unlock_at
    with pytest.raises(FundsLocked):
        world.send("withdraw", 1, by=world.people.owner)
    world.wait_until(until)
    world.send("withdraw", 1, by=world.people.stranger)
    assert world.bill() == {"client 1": -10_000, "owner": 10_000}


def test_defended_the_signing_key_alone_moves_no_money(world):
    hot = world.clients[1]
    for action, args in (("request_unbond", (1,)), ("rotate_key", (1, make_key("thief")))):
        with pytest.raises(NotEligible, match="is not its owner"):
            world.send(action, *args, by=hot)
    with pytest.raises(Reverted, match="NothingToClaim"):
        world.send("claim", hot.address, by=hot)


def test_defended_one_stake_is_never_the_bond_of_two_tasks(world):
    first = world.open(bond_wei=60 * ETHER)
    with pytest.raises(InsufficientStake):
        world.open(bond_wei=60 * ETHER)
    second = world.open(bond_wei=BOND)
    for round_ in (first.commit(), second.commit()):
        lie(round_).prove(round_.column(33))
        world.send("settle", round_.round_id)
    assert world.bill()["aggregator"] == -100_000


def test_defended_a_fault_in_one_task_leaves_the_bond_of_another_whole(world):
    liar, honest = world.open().commit(), world.open(bond_wei=60 * ETHER).commit()
    lie(liar).prove(liar.column(33))
    world.send("settle", liar.round_id)
    party = world.chain.get_participant(world.aggregator)
    assert (party.stake_wei, party.locked_wei) == (60 * ETHER, 60 * ETHER)
    honest.propose().finalise()


def test_defended_an_aggregator_that_unbonds_after_its_lie_is_slashed_all_the_same(world):
    round_ = lie(world.open().commit())
    world.send("request_unbond", world.aggregator, by=world.people.host)
    with pytest.raises(FundsLocked):
        world.send("withdraw", world.aggregator, by=world.people.host)
    round_.prove(round_.column(33))
    world.wait_until(world.chain.get_participant(world.aggregator).unlock_at)
    with pytest.raises(FundsLocked, match="1 tasks hold a bond"):
        world.send("withdraw", world.aggregator, by=world.people.host)
    world.send("settle", round_.round_id)
    world.send("withdraw", world.aggregator, by=world.people.host)
    left = (AGGREGATOR_STAKE - BOND) // (ETHER // 1000)
    assert world.bill() == {"aggregator": -100_000, "host": left, "escrow": 20_000, "burnt": 20_000}


def test_known_gap_a_client_that_has_left_before_its_equivocation_is_shown_pays_nothing(world):
    """Equivocation can be shown at any time, the stake for a day only. It flips once proofs end when stakes leave."""
    round_ = world.open().commit()
    world.send("request_unbond", 1, by=world.people.owner)
    world.wait_until(world.chain.get_participant(1).unlock_at)
    world.send("withdraw", 1, by=world.people.owner)
    round_.prove(round_.equivocation(1, b"\x01" * 32, b"\x02" * 32))
    assert world.bill() == {"client 1": -10_000, "owner": 10_000}


def test_defended_a_smart_account_owns_a_client_and_commits_by_sending(world):
    owner, contracts = world.people.owner, world.chain.contracts
    wallet = world.deploy_wallet()
    register = {"role": Role.CLIENT, "owner": wallet, "signer": make_key("client 10"), "stake_wei": 10 * ETHER}
    client = world.send("register", **register).find("Registered").args["id"]
    round_ = world.open(clients=(1, 2, 3, client))
    world.through(wallet, contracts.to_ledger("commit", round_.round_id, client, round_.commitment(client)), owner)
    assert world.chain.has_committed(round_.round_id, client)
    world.through(wallet, contracts.to_registry("requestUnbond", client), owner)
    world.wait_until(world.chain.get_participant(client).unlock_at)
    world.send("withdraw", client)
    world.through(wallet, contracts.to_registry("claim", owner.address), owner)
    assert world.chain.get_credit(wallet) == 0


def test_defended_design_trap_3_a_contract_is_nobodys_signer_whatever_it_would_say_of_a_signature(world):
    wallet = world.deploy_wallet()
    call = ("register", world.people.owner.address, wallet, int(Role.CLIENT), 1 << 40, b"\x01" * 32, b"\x02" * 32)
    with pytest.raises(WrongSigner):
        world.call("registry", *call, by=world.people.owner, value_wei=ETHER)


def test_defended_design_trap_3_a_key_that_delegates_to_a_contract_signs_as_before(world):
    """EIP-7702: no contract is asked about a commitment, so what the delegate would answer does not matter."""
    world.delegate(world.clients[1], world.deploy_wallet())
    assert world.chain.w3.eth.get_code(world.clients[1].address).startswith(b"\xef\x01\x00")
    round_ = world.open()
    round_.relay()
    assert world.chain.has_committed(round_.round_id, 1)


def test_known_gap_a_key_that_only_a_contract_holds_can_sign_no_commitment_for_a_relayer(world):
    """Its contract must send by itself, at its own gas. It flips once ERC-1271 signatures are taken somehow."""
    wallet = world.deploy_wallet()
    register = {"role": Role.CLIENT, "owner": wallet, "signer": make_key("client 10"), "stake_wei": 10 * ETHER}
    client = world.send("register", **register).find("Registered").args["id"]
    round_ = world.open(clients=(1, 2, 3, client))
    with pytest.raises(WrongSigner):
        world.send("commit_batch", round_.round_id, [round_.entry(client, signer=world.people.owner)])
