"""Root-only rounds: the aggregator answers for every entry of a list that nobody checks when it is posted."""

import pytest

from ledger import list_disputes, signing, spec
from ledger.errors import NotEligible, Reverted, WrongPhase

pytestmark = pytest.mark.chain

ROOT_ONLY = spec.CommitMode.ROOT_ONLY
STRUCK = {"aggregator": -40_000, "escrow": 16_000, "burnt": 24_000}
"""Who has committed is not on the chain here, so the clients' share is burnt."""


def assert_struck(world, round_, proof, reason):
    receipt = round_.prove(proof)
    assert receipt.find("FraudProven").args["reason"].rstrip(b"\x00") == reason
    world.send("settle", round_.round_id)
    assert world.bill() == STRUCK


def sign_receipt(world, round_, client, signer=None):
    digest = spec.compute_receipt_digest(
        domain_separator=world.chain.domain_separator,
        round_id=round_.round_id,
        client=client,
        commitment=round_.commitment(client),
    )
    return signing.sign_digest(signer or round_.aggregator, digest)


def omission(world, round_, client, **changes):
    return list_disputes.prove_omission(
        round_.claim,
        round_.segments[0],
        client=client,
        commitment=round_.commitment(client),
        receipt=sign_receipt(world, round_, client, **changes),
    )


def test_defended_an_honest_list_stands(world):
    round_ = world.open(mode=ROOT_ONLY).commit().propose()
    for position in range(4):
        with pytest.raises(Reverted, match="ValidEntry"):
            round_.prove(list_disputes.prove_wrong_entry(round_.claim, round_.segments[0], position))
    for client in round_.clients:
        with pytest.raises(Reverted, match="ListedClient"):
            round_.prove(omission(world, round_, client))
    round_.finalise()
    assert world.bill() == {}


def test_defended_an_entry_that_its_client_has_not_signed_costs_the_whole_bond(world):
    round_ = world.open(mode=ROOT_ONLY)
    listed = [round_.entry(client) for client in round_.clients]
    listed[2] = round_.entry(3, signer=world.people.aggregator)
    round_.post_list(listed)
    round_.compute().propose()
    assert_struck(world, round_, list_disputes.prove_wrong_entry(round_.claim, listed, 2), b"wrong entry")


def test_defended_an_entry_from_another_round_costs_the_whole_bond(world):
    before, round_ = world.open(), world.open(mode=ROOT_ONLY)
    listed = [round_.entry(1), before.entry(2), round_.entry(3), round_.entry(4)]
    round_.post_list(listed)
    round_.compute().propose()
    assert_struck(world, round_, list_disputes.prove_wrong_entry(round_.claim, listed, 1), b"wrong entry")


def test_defended_a_client_that_is_listed_twice_costs_the_whole_bond(world):
    round_ = world.open(mode=ROOT_ONLY)
    listed = [round_.entry(1), round_.entry(2), round_.entry(2), round_.entry(3), round_.entry(4)]
    round_.post_list(listed)
    round_.compute().propose(committed=5)
    assert_struck(world, round_, list_disputes.prove_wrong_entry(round_.claim, listed, 2), b"wrong entry")


def test_defended_an_identity_made_in_mid_round_in_a_list_costs_the_whole_bond(world):
    round_ = world.open(mode=ROOT_ONLY)
    late = world.enrol("client 10")
    round_.examples[late], round_.values[late] = 1, round_.values[1]
    listed = [*map(round_.entry, round_.clients), round_.entry(late)]
    round_.post_list(listed)
    round_.compute().propose()
    proof = list_disputes.prove_wrong_entry(round_.claim, listed, 4)
    round_.prove(proof)
    assert round_.phase is spec.Phase.VOIDED


def test_defended_a_client_that_has_a_receipt_and_is_left_out_costs_the_whole_bond(world):
    round_ = world.open(mode=ROOT_ONLY)
    round_.post_list([round_.entry(client) for client in (1, 2, 4)])
    round_.compute().propose()
    assert_struck(world, round_, omission(world, round_, 3), b"omitted commitment")


def test_defended_a_receipt_that_the_aggregator_has_not_signed_proves_nothing(world):
    round_ = world.open(mode=ROOT_ONLY)
    round_.post_list([round_.entry(client) for client in (1, 2, 4)])
    round_.compute().propose()
    with pytest.raises(Reverted, match="WrongSigner"):
        round_.prove(omission(world, round_, 3, signer=world.clients[3]))
    assert world.bill() == {}


def test_known_gap_a_client_that_gets_no_receipt_is_left_out_of_a_list_for_nothing(world):
    """In root-only mode nobody commits alone: omission without a receipt costs nothing. It flips once they can."""
    round_ = world.open(mode=ROOT_ONLY)
    with pytest.raises(WrongPhase, match="root-only mode"):
        round_.commit_alone(3)
    round_.post_list([round_.entry(client) for client in (1, 2, 4)])
    round_.compute().propose().finalise()
    assert world.bill() == {}


def test_known_gap_a_list_that_nobody_has_shown_is_finalised(world):
    """Its entries cannot be opened, so none can be shown to be wrong. It flips once lists can be demanded."""
    round_ = world.open(mode=ROOT_ONLY)
    args = (round_.round_id, b"\x66" * 32, 4, b"\x67" * 32)
    world.send("commit_root", *args, by=round_.aggregator)
    round_.segments = [[round_.entry(client) for client in round_.clients]]
    round_.compute().propose()
    with pytest.raises(Reverted, match="WrongRoot"):
        round_.prove(list_disputes.prove_wrong_entry(round_.claim, round_.segments[0], 0))
    round_.finalise()
    assert world.bill() == {}


def test_defended_a_list_is_posted_once_by_the_rounds_aggregator(world):
    round_ = world.open(mode=ROOT_ONLY)
    args = (round_.round_id, b"\x66" * 32, 4, b"\x67" * 32)
    with pytest.raises(NotEligible):
        world.send("commit_root", *args, by=world.people.rival)
    world.send("commit_root", *args, by=world.people.aggregator)
    with pytest.raises(WrongPhase, match="root-only"):
        world.send("commit_root", *args, by=world.people.aggregator)


def test_defended_an_aggregators_list_alone_convicts_no_client(world):
    """It could list values that the client never signed: the fine needs the client's own signature."""
    round_ = world.open(mode=ROOT_ONLY)
    round_.values[3][9] = 2_000_000
    round_.post_list([*map(round_.entry, (1, 2)), round_.entry(3, signer=world.people.aggregator), round_.entry(4)])
    with pytest.raises(Reverted, match="WrongSigner"):
        round_.prove(round_.clip(3, 9))
    assert world.bill() == {}


def test_known_gap_a_count_that_is_not_the_lists_is_found_by_replay_alone(world):
    """No entry of the list can be opened under another count. It flips once the aggregator must show its list."""
    round_ = world.open(mode=ROOT_ONLY)
    listed = [round_.entry(client) for client in round_.clients]
    round_.post_list(listed, count=5)
    round_.compute()
    round_.propose(committed=5, data_id=round_.publish())
    for proof in (round_.member_list(), list_disputes.prove_wrong_entry(round_.claim, listed, 0)):
        with pytest.raises(Reverted):
            round_.prove(proof)
    assert [finding.clause for finding in round_.replay().findings] == ["1"]
    round_.finalise()
