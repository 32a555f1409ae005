"""Traps that the protocol's own prototypes fell into, by their number; trap 8, reorganisations, is in test_reorgs.py.

Trap 7 has many rows elsewhere: self-challenges, pull payments and late moves in test_challengers.py, pauses in
test_powers.py.
"""

import numpy as np
import pytest
from ledger_world import ETHER, make_key

from ledger import list_disputes, signing, spec
from ledger.chain import Role
from ledger.errors import DuplicateCommitment, Reverted, WrongSigner

pytestmark = pytest.mark.chain


def test_defended_design_trap_1_the_key_of_the_round_judges_an_entry_and_not_the_key_of_today(world):
    round_ = world.open(mode=spec.CommitMode.ROOT_ONLY).commit()
    world.send("rotate_key", 2, make_key("client 2, second key"), by=world.people.owner)
    round_.propose()
    with pytest.raises(Reverted, match="ValidEntry"):
        round_.prove(list_disputes.prove_wrong_entry(round_.claim, round_.segments[0], 1))
    assert world.bill() == {}


def test_defended_design_trap_2_nobody_registers_a_key_that_it_does_not_hold(world):
    victim, copycat = make_key("client 10"), world.people.copycat
    owner = bytes.fromhex(world.people.owner.address[2:])
    digest = spec.compute_register_digest(
        domain_separator=world.chain.registry_domain_separator,
        owner=owner,
        signer=bytes.fromhex(victim.address[2:]),
        role=int(Role.CLIENT),
        deadline=1 << 40,
    )
    forged, seen = signing.sign_digest(copycat, digest), signing.sign_digest(victim, digest)
    # Neither with a signature of one's own, nor with the victim's for another owner, seen in the mempool.
    for named, signature in ((owner, forged), (bytes.fromhex(copycat.address[2:]), seen)):
        args = (named, victim.address, int(Role.CLIENT), 1 << 40, signature[:32], signature[32:])
        with pytest.raises(WrongSigner):
            world.call("registry", "register", *args, by=copycat, value_wei=ETHER)
    assert world.enrol("client 10")


def test_defended_design_trap_2_who_sends_a_registration_first_gains_nothing_by_it(world):
    """Whoever pays: the owner is the one whom the key named."""
    call = world.chain.contracts.register(
        role=Role.CLIENT,
        owner=bytes.fromhex(world.people.owner.address[2:]),
        signer=make_key("client 10"),
        stake_wei=10 * ETHER,
    )
    receipt = world.send("send", call, by=world.people.copycat)
    client = receipt.find("Registered").args["id"]
    assert world.chain.get_participant(client).owner == bytes.fromhex(world.people.owner.address[2:])


@pytest.mark.parametrize("rule", ["mean", "weighted-mean", "median"])
def test_defended_design_trap_4_negative_sums_are_rounded_alike_by_client_and_contract(world, rule):
    round_ = world.open(rule=spec.RULE_NAMES[rule])
    totals = np.arange(-22, 23, dtype=np.int32)
    round_.values = dict(zip(round_.clients, (totals, 0 * totals, totals // 2, 0 * totals), strict=True))
    round_.commit().propose()
    for at in (0, 7, 14, 18, 19, 20, 21, 22):
        with pytest.raises(Reverted, match="NotFraud"):
            round_.prove(round_.column(at))
    assert world.bill() == {}


def test_defended_design_trap_4_truncating_where_the_rule_floors_is_a_lie(world):
    round_ = world.open(rule=spec.Rule.MEAN)
    round_.values = {client: np.full(45, -3 * (client == 1), np.int32) for client in round_.clients}
    round_.commit()
    assert set(round_.aggregate.tolist()) == {-1}
    round_.aggregate[5] = int(-3 / 4)
    round_.propose()
    args = round_.prove(round_.column(5)).find("FraudProven").args
    assert (args["claimed"], args["recomputed"]) == (0, -1)


def test_defended_design_trap_5_a_batch_that_is_sent_again_counts_for_nothing(world):
    round_ = world.open()
    entries = [round_.entry(client) for client in round_.clients]
    world.send("commit_batch", round_.round_id, entries)
    for again in (entries, entries[1:2]):
        with pytest.raises(DuplicateCommitment):
            world.send("commit_batch", round_.round_id, again, by=world.people.copycat)
    with pytest.raises(DuplicateCommitment):
        round_.commit_alone(2)


def test_defended_design_trap_5_of_the_two_signatures_that_every_signature_makes_only_one_is_taken(world):
    """The mirror image has no place in the compact form, where the highest bit of s is the parity."""
    round_ = world.open()
    entry = round_.entry(1)
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    r, vs = entry.signature[:32], int.from_bytes(entry.signature[32:], "big")
    s, parity = vs & ((1 << 255) - 1), vs >> 255
    mirrored = r + (((1 - parity) << 255) | (order - s) & ((1 << 255) - 1)).to_bytes(32, "big")
    other = spec.SignedMember(client=1, commitment=entry.commitment, signature=mirrored)
    with pytest.raises(WrongSigner):
        world.send("commit_batch", round_.round_id, [other])
    world.send("commit_batch", round_.round_id, [entry])


def test_defended_design_trap_6_deadlines_are_seconds_and_no_number_of_blocks_brings_them_nearer(world):
    round_ = world.open()
    end = world.chain.get_round(round_.round_id).commit_end
    world.node.call("hardhat_mine", "0x190", "0x1")
    assert world.chain.get_round(round_.round_id).commit_end == end
    round_.relay()


def test_defended_design_trap_7_a_participant_that_rotates_often_makes_nobodys_batch_dear(world):
    plain = world.open().relay().gas_used
    for number in range(12):
        world.send("rotate_key", 1, make_key(f"client 1, key {number}"), by=world.people.owner)
    round_ = world.open()
    entries = [round_.entry(1, signer=make_key("client 1, key 11")), *map(round_.entry, (2, 3, 4))]
    after = world.send("commit_batch", round_.round_id, entries).gas_used
    assert after < plain + 15_000
