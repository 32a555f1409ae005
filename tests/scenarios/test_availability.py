"""Rounds with an availability board: who certifies, who withholds, who demands, and what each of them pays."""

import pytest
from eth_utils.crypto import keccak
from ledger_world import CLIENT_STAKE, ETHER, OTHER_BYTES, UNAVAILABLE, lie

from ledger import accusations, availability, list_disputes, signing, spec
from ledger.availability import Subject
from ledger.errors import NotFoundError, Reverted, WrongPhase
from ledger.spec import certificates

pytestmark = pytest.mark.chain

THRESHOLD = 2
"""Of three attestors."""


def open_round(world, **changes):
    """Return a round of a task whose board has a committee."""
    board = bytes.fromhex(world.chain.network.contracts["board"][2:])
    world.call("board", "setCommittee", list(world.attestors), THRESHOLD, by=world.people.governor)
    return world.open(board=board, **changes)


def attest(world, round_, position, excluded=()):
    """Return an attestor's signature."""
    domain = spec.compute_domain_separator(
        certificates.BOARD_NAME, world.setup.network.chain_id, world.chain.contracts.addresses["board"]
    )
    digest = certificates.compute_available_digest(
        domain_separator=domain,
        round_id=round_.round_id,
        segments_hash=world.chain.get_round(round_.round_id).segments_hash,
        exclusions_hash=keccak(spec.encode_exclusions(excluded)),
    )
    return signing.sign_digest(list(world.attestors.values())[position], digest)


def certify(world, round_, signers=(0, 1), excluded=()):
    """Certify a round's exclusions, as soon as that is taken."""
    view = world.chain.get_round(round_.round_id)
    world.wait_until((view.data_end if excluded else view.commit_end) + 1)
    signed = {position: attest(world, round_, position, excluded) for position in signers}
    made = availability.make_certificate(excluded, signed)
    args = (round_.round_id, 1, made.excluded, made.signers, made.signatures)
    world.call("board", "certify", *args, by=world.people.stranger)
    return round_


def make_demand(round_, subject, client=0, first=0, count=1):
    """Return function and arguments of a demand for leaves."""
    if subject is Subject.COMMITMENT:
        place = list_disputes.encode_commitment_place(round_.segments, client)
        return ("demandCommitment", round_.round_id, client, round_.commitment(client), first, count, place)
    slot = round_.included.index(client) if client else 0
    member = availability.encode_member(round_.members, slot) if client else b""
    return ("demandLeaves", *round_.claim.arguments(), int(subject), first, count, member)


def demand(world, round_, subject, **place):
    """Let the challenger demand leaves for a bond of one ether; return the demand."""
    if subject is Subject.COMMITMENT:
        world.wait_until(world.chain.get_round(round_.round_id).commit_end + 1)
    args = make_demand(round_, subject, **place)
    receipt = world.call("board", *args, by=world.people.challenger, value_wei=ETHER)
    found = receipt.find("LeavesDemanded").args["demand"]
    return availability.Demand(**{**found, "subject": Subject(found["subject"])})


def get_price(world, round_, subject, *, base_fee_gwei=1, **place):
    """Return the least bond of a demand, in wei."""
    call = world.chain.contracts.to("board", *make_demand(round_, subject, **place))
    return world.get_refusal(call, base_fee_gwei=base_fee_gwei)["want"]


def answer(world, demanded, vector, num_examples=0, by=None):
    packed = availability.encode_answer(demanded, vector, num_examples)
    return world.call("board", "answer", demanded.arguments(), packed, by=by or world.people.host)


def fail(world, demanded):
    world.wait_until(demanded.deadline)
    return world.call("board", "fail", demanded.arguments(), by=world.people.stranger)


def to_bytes(values):
    return values.astype("<i4").tobytes()


def test_defended_a_withheld_update_is_certified_as_such_and_the_round_goes_on(world):
    round_ = certify(world, open_round(world).commit(), excluded=[(3, UNAVAILABLE)])
    round_.leave_out(client_3=UNAVAILABLE).propose().finalise()
    assert world.bill() == {}


def test_defended_with_a_board_no_aggregator_leaves_out_whom_the_attestors_do_not(world):
    round_ = certify(world, open_round(world).commit())
    for reason in (UNAVAILABLE, OTHER_BYTES):
        with pytest.raises(Reverted, match="WrongExclusions"):
            round_.leave_out(client_3=reason).propose()
    round_.excluded = {}
    round_.compute().propose().finalise()


def test_defended_without_a_certificate_nothing_is_proposed(world):
    round_ = open_round(world).commit()
    with pytest.raises(Reverted, match="WrongExclusions"):
        round_.propose()


def test_defended_an_aggregator_whose_attestors_are_silent_is_not_fined(world):
    round_ = open_round(world).commit()
    world.wait_until(world.chain.get_round(round_.round_id).propose_end)
    world.send("expire", round_.round_id)
    assert "aggregator" not in world.bill()


def test_known_gap_attestors_that_say_nothing_stop_every_round_of_a_task_for_nothing(world):
    """Nobody can propose without them. It flips once who must certify answers for silence."""
    round_ = open_round(world)
    for _ in range(2):
        round_.commit()
        world.wait_until(world.chain.get_round(round_.round_id).propose_end)
        world.send("expire", round_.round_id)
        round_ = world.open_next(round_.task_id, round_.base)
    assert world.bill() == {}


def test_cost_bounded_an_aggregator_that_is_silent_after_the_certificate_pays_a_tenth(world):
    round_ = certify(world, open_round(world).commit())
    world.wait_until(world.chain.get_round(round_.round_id).propose_end)
    world.send("expire", round_.round_id)
    assert world.bill() == {"aggregator": -4_000, "burnt": 4_000}


def test_defended_attestors_that_collude_below_the_threshold_certify_nothing(world):
    round_ = open_round(world).commit()
    with pytest.raises(Reverted, match="TooFewSigners"):
        certify(world, round_, signers=(1,), excluded=[(3, UNAVAILABLE)])
    certify(world, round_, signers=(0, 2))
    round_.propose().finalise()


def test_known_gap_attestors_that_collude_above_the_threshold_exclude_anybody_for_nothing(world):
    """Nobody can show that an update was there for them. It flips once the excluded can answer on chain."""
    round_ = certify(world, open_round(world).commit(), excluded=[(3, UNAVAILABLE)])
    round_.leave_out(client_3=UNAVAILABLE).propose(data_id=round_.publish()).finalise()
    assert world.bill() == {}


def test_defended_attestors_that_certify_what_nobody_can_show_lose_half_and_the_aggregator_everything(world):
    round_ = open_round(world).commit()
    signature = {position: attest(world, round_, position) for position in (0, 1)}
    segments_hash = world.chain.get_round(round_.round_id).segments_hash
    certify(world, round_).propose()
    demanded = demand(world, round_, Subject.UPDATE, client=3)
    with pytest.raises(Reverted, match="DisputesOpen"):
        round_.finalise()
    fail(world, demanded)
    place = list_disputes.encode_commitment_place(round_.segments, 3)
    for position, attestor in list(enumerate(world.attestors))[:2]:
        proof = availability.prove_unserved(
            attestor, segments_hash=segments_hash, signature=signature[position], place=place
        )
        world.call("board", "proveUnserved", demanded.arguments(), b"", proof, by=world.people.stranger)
    world.send("settle", round_.round_id)
    bill = world.bill()
    assert (round_.phase, bill.pop("burnt")) == (spec.Phase.VOIDED, 20_000 + 6_000)
    first, second, _ = (f"participant {attestor}" for attestor in world.attestors)
    assert bill == {"aggregator": -40_000, "challenger": 1_000, "escrow": 24_000, first: -5_000, second: -5_000}


def test_defended_with_a_board_nobody_invents_the_column_of_a_client_that_committed_to_noise(world):
    round_ = open_round(world, rule=spec.Rule.MEAN)
    round_.commit_alone(2, commitment=b"\x77" * 32)
    round_.relay([1, 3, 4])
    certify(world, round_.compute()).propose()
    demanded = demand(world, round_, Subject.UPDATE, client=2)
    with pytest.raises(Reverted, match="WrongRoot"):
        answer(world, demanded, to_bytes(round_.values[2]), round_.examples[2])
    fail(world, demanded)
    world.send("settle", round_.round_id)
    assert world.bill() == {"aggregator": -40_000, "challenger": 1_000, "escrow": 20_000, "burnt": 20_000}


def test_defended_an_attestor_that_makes_two_statements_about_a_round_loses_everything(world):
    round_ = open_round(world).commit()
    world.wait_until(world.chain.get_round(round_.round_id).commit_end + 1)
    segments_hash = world.chain.get_round(round_.round_id).segments_hash
    signed = [
        (segments_hash, keccak(spec.encode_exclusions(excluded)), attest(world, round_, 0, excluded))
        for excluded in ((), [(3, UNAVAILABLE)])
    ]
    attestor = next(iter(world.attestors))
    proof = availability.prove_double_attestation(round_.round_id, attestor, signed)
    world.call("board", "proveDoubleAttestation", round_.round_id, proof, by=world.people.challenger)
    assert world.bill() == {f"participant {attestor}": -10_000, "escrow": 4_000, "burnt": 6_000}


def test_defended_a_client_that_withholds_its_update_loses_a_fifth(world):
    round_ = open_round(world).commit()
    fail(world, demand(world, round_, Subject.COMMITMENT, client=3))
    assert world.bill() == {"client 3": -2_000, "challenger": 1_000, "escrow": 800, "burnt": 1_200}


def test_cost_bounded_a_griefer_that_demands_an_honest_clients_leaves_pays_for_the_answer(world):
    round_ = open_round(world).commit()
    demanded = demand(world, round_, Subject.COMMITMENT, client=3)
    receipt = answer(world, demanded, to_bytes(round_.values[3]), round_.examples[3], by=world.people.owner)
    assert receipt.gas_used < 200_000
    assert world.bill() == {"owner": 1_000}
    with pytest.raises(Reverted, match="AlreadyDemanded"):
        demand(world, round_, Subject.COMMITMENT, client=3)


@pytest.mark.parametrize("subject", [Subject.AGGREGATE, Subject.MATRIX], ids=lambda subject: subject.name.lower())
def test_defended_with_a_board_an_aggregator_that_withholds_what_it_proposed_loses_everything(world, subject):
    round_ = certify(world, open_round(world).commit())
    field = {Subject.AGGREGATE: "aggregate_root", Subject.MATRIX: "matrix_root"}[subject]
    round_.propose(**{field: b"\x66" * 32})
    fail(world, demand(world, round_, subject))
    assert round_.phase is spec.Phase.VOIDED
    world.send("settle", round_.round_id)
    assert world.bill() == {"aggregator": -40_000, "challenger": 1_000, "escrow": 20_000, "burnt": 20_000}


def test_defended_an_answer_reveals_the_leaf_that_convicts(world):
    round_ = lie(certify(world, open_round(world).commit()), at=40)
    demanded = demand(world, round_, Subject.AGGREGATE, first=2)
    served = answer(world, demanded, to_bytes(round_.aggregate)).find("LeavesServed").args["answer"]
    leaf = availability.decode_answer(demanded, served, world.chain.domain_separator)
    assert leaf == to_bytes(round_.aggregate[32:])
    round_.prove(round_.column(40))
    assert round_.phase is spec.Phase.VOIDED


def test_cost_bounded_a_flood_of_demands_doubles_its_price_with_every_four(world):
    round_ = certify(world, open_round(world).commit()).propose()
    prices = []
    for first in range(8):
        prices.append(get_price(world, round_, Subject.MATRIX, first=first))
        demand(world, round_, Subject.MATRIX, first=first)
    assert [price // prices[0] for price in prices] == [1, 1, 1, 1, 2, 2, 2, 2]


def test_defended_parallel_demands_are_answered_one_by_one_and_the_round_ends(world):
    round_ = certify(world, open_round(world).commit()).propose()
    demands = [demand(world, round_, Subject.AGGREGATE, first=first) for first in range(3)]
    for demanded in demands:
        answer(world, demanded, to_bytes(round_.aggregate))
    round_.finalise()
    assert world.bill() == {"host": 3_000}


def test_defended_a_demand_in_the_last_second_leaves_time_to_answer_and_to_prove(world):
    round_ = certify(world, open_round(world).commit()).propose()
    end = world.chain.get_round(round_.round_id).challenge_end
    world.wait_until(end - 1)
    world.at(end)
    demanded = demand(world, round_, Subject.AGGREGATE)
    assert world.chain.get_round(round_.round_id).challenge_end == demanded.deadline + 300
    world.wait_until(demanded.deadline + 300)
    with pytest.raises(WrongPhase):
        demand(world, round_, Subject.AGGREGATE, first=1)


def test_defended_a_demand_does_not_extend_a_round_beyond_the_time_that_stakes_stay(world):
    round_ = certify(world, open_round(world).commit()).propose()
    opened_at = world.chain.get_round(round_.round_id).opened_at
    for first in range(3):
        world.wait_until(world.chain.get_round(round_.round_id).challenge_end - 1)
        answer(world, demand(world, round_, Subject.AGGREGATE, first=first), to_bytes(round_.aggregate))
    limit = opened_at + world.chain.get_unbond_seconds()
    assert world.chain.get_round(round_.round_id).challenge_end <= limit


def test_defended_a_pause_stops_no_answer_and_no_failure(world):
    round_ = certify(world, open_round(world).commit()).propose()
    served, withheld = (demand(world, round_, Subject.AGGREGATE, first=first) for first in (0, 1))
    world.send("pause", round_.task_id, by=world.people.guardian)
    answer(world, served, to_bytes(round_.aggregate))
    fail(world, withheld)
    assert round_.phase is spec.Phase.VOIDED


def test_defended_the_governor_changes_no_committee_of_an_open_round(world):
    round_ = open_round(world).commit()
    world.call("board", "setCommittee", list(world.attestors)[:1], 1, by=world.people.governor)
    world.wait_until(world.chain.get_round(round_.round_id).commit_end + 1)
    made = availability.make_certificate([], {0: attest(world, round_, 0)})
    with pytest.raises(Reverted, match="WrongEpoch"):
        world.call(
            "board",
            "certify",
            round_.round_id,
            2,
            made.excluded,
            made.signers,
            made.signatures,
            by=world.people.governor,
        )
    certify(world, round_)


def test_defended_a_client_has_the_whole_data_phase_to_publish(world):
    round_ = open_round(world).commit()
    world.wait_until(world.chain.get_round(round_.round_id).commit_end + 1)
    excluded = [(3, UNAVAILABLE)]
    made = availability.make_certificate(excluded, {p: attest(world, round_, p, excluded) for p in (0, 1)})
    args = (round_.round_id, 1, made.excluded, made.signers, made.signatures)
    with pytest.raises(WrongPhase, match="not ready before"):
        world.call("board", "certify", *args, by=world.people.stranger)


def test_defended_design_trap_9_a_bond_follows_the_fee_of_its_block_and_covers_the_answer_twice(world):
    round_ = certify(world, open_round(world).commit()).propose()
    prices = [get_price(world, round_, Subject.AGGREGATE, base_fee_gwei=gwei) for gwei in (1, 50)]
    gas = answer(world, demand(world, round_, Subject.AGGREGATE), to_bytes(round_.aggregate)).gas_used
    assert prices[1] == 50 * prices[0]
    assert prices[0] >= 2 * gas * 10**9


def test_defended_an_unavailable_update_that_is_shown_on_chain_is_no_longer_excluded_by_honest_attestors(world):
    """The demanded leaves lie in an event for everybody: what remains is to certify it."""
    round_ = open_round(world).commit()
    demanded = demand(world, round_, Subject.COMMITMENT, client=3, count=6)
    receipt = answer(world, demanded, to_bytes(round_.values[3]), round_.examples[3], by=world.people.owner)
    served = receipt.find("LeavesServed").args["answer"]
    shown = availability.decode_answer(demanded, served, world.chain.domain_separator)
    assert shown == to_bytes(round_.values[3])
    certify(world, round_).propose().finalise()
    with pytest.raises(NotFoundError):
        round_.make_proof()


@pytest.mark.parametrize("mode", spec.CommitMode, ids=lambda mode: mode.name.lower())
def test_defended_in_every_mode_whoever_signed_for_what_nobody_shows_pays_half(world, mode):
    round_ = certify(world, open_round(world, mode=mode).commit()).propose()
    demanded = demand(world, round_, Subject.UPDATE, client=2)
    fail(world, demanded)
    (certified,) = world.chain.events(names=("Certified",), round_id=round_.round_id)
    named = {name: certified.args[name] for name in ("excluded", "signers", "signatures")}
    certificate = availability.Certificate(**named)
    ids = list(world.attestors)
    for attestor in accusations.list_signers(certificate, ids):
        proof = accusations.accuse_of_not_serving(round_.record(), demanded, certificate, ids, attestor)
        assert world.send("prove", proof, by=world.people.stranger).find("Unserved").args["attestor"] == attestor
    stakes = [world.chain.get_participant(attestor).stake_wei for attestor in ids]
    assert [CLIENT_STAKE - stake for stake in stakes] == [CLIENT_STAKE // 2, CLIENT_STAKE // 2, 0]
