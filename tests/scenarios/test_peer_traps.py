"""Traps that other systems of this kind fell into, one row each by its number; trap 3 is in test_powers.py."""

import pickle
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ledger_world import BOND, ETHER, OTHER_BYTES, lie

from ledger import artifacts, commitments, spec
from ledger.audit import replay
from ledger.errors import Reverted, WrongSigner
from ledger.records import Fetched, Verdict

pytestmark = pytest.mark.chain

CONTRACTS = Path(artifacts.__file__).parents[1] / "contracts"


def test_defended_trap_1_a_copied_commitment_opens_for_its_author_alone(world):
    """Copying pays."""
    round_ = world.open()
    for client in (1, 3, 4):
        round_.commit_alone(client)
    round_.commit_alone(2, commitment=round_.commitment(1))
    # Even who learns the values behind it cannot publish them as its own.
    round_.values[2], round_.examples[2] = round_.values[1], round_.examples[1]
    round_.compute().propose(data_id=round_.publish())
    (finding,) = round_.replay().findings
    assert (finding.clause, finding.error.code, finding.participant) == ("4", "FT701", 2)


def test_defended_trap_1_who_copies_is_left_out_and_earns_nothing(world):
    """Copying pays."""
    round_ = world.open()
    for client in (1, 3, 4):
        round_.commit_alone(client)
    round_.commit_alone(2, commitment=round_.commitment(1))
    round_.values[2] = round_.values[1]
    round_.leave_out(client_2=OTHER_BYTES)
    round_.propose(data_id=round_.publish())
    assert round_.replay().verdict is Verdict.PASS
    round_.finalise()
    assert world.bill() == {}


def test_defended_trap_2_a_front_runner_cannot_block_an_honest_commitment(world):
    """A hash that is 'already used' for everybody."""
    round_ = world.open()
    round_.commit_alone(2, commitment=round_.commitment(1))
    round_.commit_alone(1)
    assert all(world.chain.has_committed(round_.round_id, client) for client in (1, 2))


def test_defended_trap_4_silence_of_anybody_ends_with_a_deadline_that_anybody_acts_on(world):
    """Liveness: one silent trainer stops everything for ever."""
    for committed, phase in (([1, 2, 3], spec.Phase.FINALISED), ([1, 2], spec.Phase.EXPIRED)):
        round_ = world.open()
        round_.relay(committed)
        if phase is spec.Phase.FINALISED:
            round_.compute().propose().finalise(by=world.people.stranger)
        else:
            world.wait_until(world.chain.get_round(round_.round_id).propose_end)
            world.send("expire", round_.round_id, by=world.people.stranger)
        assert round_.phase is phase
        world.open_next(round_.task_id, round_.model if phase is spec.Phase.FINALISED else round_.base, by="rival")


def test_defended_trap_5_what_ends_a_round_costs_the_same_for_three_clients_and_for_ten_thousand(world):
    """Hidden size limits: loops over clients, counters of eight bits."""
    costs = []
    for count in (3, 10_000):
        round_ = world.open(mode=spec.CommitMode.ROOT_ONLY, max_clients=10_000)
        listed = round_.post_list([round_.entry(client) for client in (1, 2, 3)], count=count)
        round_.compute().model[0] += 1
        round_.propose(committed=count)
        struck = round_.prove(round_.model_step(0))
        settled = world.send("settle", round_.round_id)
        costs.append([receipt.gas_used for receipt in (listed, round_.proposed, struck, settled)])
        world.send("deposit", world.aggregator, BOND)
    # Up to the bytes of a larger number; the first settlement fills slots that later ones find filled.
    assert all(many < few + 100 for few, many in zip(*costs, strict=True))


def test_defended_trap_6_the_order_of_arrival_changes_no_bit(world):
    """Consensus on the bytes of float files."""
    drawn = np.random.default_rng(1).integers(-900, 900, (4, 45), dtype=np.int32)
    roots = set()
    for order in ((1, 2, 3, 4), (4, 2, 1, 3), (3, 4, 2, 1)):
        round_ = world.open(bond_wei=0)
        round_.values = dict(zip(round_.clients, drawn, strict=True))
        for client in order:
            round_.commit_alone(client)
        proposal = round_.compute().propose().claim.proposal
        roots.add((proposal.aggregate_root, proposal.matrix_root, proposal.model_root))
        with pytest.raises(Reverted, match="SameRoot"):
            round_.prove(round_.member_list())
    assert len(roots) == 1


class Payload:
    """Runs code in whoever unpickles it."""

    def __init__(self, place):
        self.place = place

    def __reduce__(self):
        return (Path.touch, (self.place,))


def test_defended_trap_6_code_in_published_bytes_is_never_run(world, tmp_path):
    """Pickles and torch.load on content of strangers."""
    trace = tmp_path / "somebody was here"
    round_ = world.open().commit()
    round_.published[3] = pickle.dumps(Payload(trace))
    round_.propose(data_id=round_.publish())
    assert [(f.clause, f.error.code) for f in round_.replay().findings] == [("4", "FT706")]
    assert not trace.exists()


def test_defended_trap_7_bytes_that_are_not_those_committed_are_found(world):
    """The commitment is never compared."""
    round_ = world.open().commit()
    values = round_.values[3].copy()
    values[0] ^= 1
    round_.published[3] = round_.blob(spec.Kind.UPDATE, values, 3, round_.examples[3])
    round_.propose(data_id=round_.publish())
    (finding,) = round_.replay().findings
    assert (finding.clause, finding.error.code, finding.participant) == ("4", "FT701", 3)


def test_defended_trap_8_a_proof_is_bound_to_its_round_its_proposal_and_its_data(world):
    """Proofs that cover something else, or nothing."""
    first, second = world.open().commit(), world.open().commit()
    lie(first)
    lie(second)
    there = first.column(33)
    claims = (second.round_id, second.claim.core_hash, there.arguments[2])
    for proof in (replace(there, arguments=(second.round_id, *there.arguments[1:])), replace(there, arguments=claims)):
        with pytest.raises(Reverted, match="ProposalMismatch"):
            second.prove(proof)
    with pytest.raises(Reverted, match="NotFraud"):
        first.prove(first.column(32))
    first.values[1] = second.values[1]
    with pytest.raises(Reverted, match="WrongRoot"):
        first.prove(first.direct(33))
    assert world.bill() == {}


def test_defended_trap_8_every_changed_byte_of_a_proof_spoils_it(world):
    """A verifier that returns True."""
    round_ = lie(world.open().commit())
    proof = round_.column(33)
    packed = proof.arguments[-1]
    for at in range(0, len(packed), 7):
        changed = packed[:at] + bytes([packed[at] ^ 1]) + packed[at + 1 :]
        with pytest.raises(Reverted):
            round_.prove(replace(proof, arguments=(*proof.arguments[:-1], changed)))
    round_.prove(proof)


def test_defended_trap_9_nothing_is_drawn_by_lot(world):
    """Weak randomness: whoever makes a block would choose."""
    sources = {path.name: path.read_text("utf-8") for path in CONTRACTS.rglob("*.sol") if "test" not in path.parts}
    assert len(sources) > 10
    lots = re.compile(r"prevrandao|difficulty|blockhash|block\.number|coinbase|blobhash|gasleft", re.IGNORECASE)
    used = {name for name, text in sources.items() if lots.search(text)}
    # There a block's hash keeps tickets from being bought for what everybody sees coming. It chooses nobody.
    assert used <= {"AvailabilityBoard.sol", "KrumCourt.sol"}


def test_defended_trap_10_what_clients_say_of_themselves_moves_no_money_and_no_weight_beyond_the_stake(world):
    """Self-reported inputs."""
    round_ = world.open(rule=spec.Rule.WEIGHTED_MEAN, wei_per_weight=ETHER)
    round_.examples[1] = spec.MAX_NUM_EXAMPLES
    lie(round_.commit())
    assert round_.weights == [10, 10, 10, 10]
    round_.prove(round_.column(33))
    for client in (1, 2):
        before = world.chain.get_credit(world.people.owner.address)
        world.send("claim_share", round_.round_id, client)
        assert world.chain.get_credit(world.people.owner.address) - before == ETHER


def test_defended_trap_11_a_signature_without_our_domain_is_worth_nothing(world):
    """Signatures over text, without chain, contract or round."""
    round_ = world.open()
    commitment = round_.commitment(1)
    text = world.clients[1].unsafe_sign_hash(spec.keccak256(b"\x19Ethereum Signed Message:\n32" + commitment))
    plain = world.clients[1].unsafe_sign_hash(commitment)
    for signed in (text, plain):
        s = signed.s | (signed.v - 27) << 255
        signature = signed.r.to_bytes(32, "big") + s.to_bytes(32, "big")
        entry = spec.SignedMember(client=1, commitment=commitment, signature=signature)
        with pytest.raises(WrongSigner):
            world.send("commit_batch", round_.round_id, [entry])


def test_defended_trap_12_replay_notices_one_unit_in_any_coordinate(world):
    """Detectors that detect nothing."""
    round_ = world.open().commit()
    round_.propose(data_id=round_.publish())
    honest = round_.record()
    assert replay(honest).verdict is Verdict.PASS
    for at in range(45):
        wrong = round_.aggregate.copy()
        wrong[at] += 1
        blob = Fetched(cid=honest.aggregate.cid, data=round_.blob(spec.Kind.AGGREGATE, wrong))
        root = commitments.compute_vector_root(wrong, 4)
        report = replay(replace(honest, aggregate=blob, proposal=replace(honest.proposal, aggregate_root=root)))
        (finding,) = (found for found in report.findings if found.clause == "7")
        assert f"coordinate {at}" in finding.error.message


def test_defended_trap_13_gas_is_that_of_receipts(world):
    """gasleft() hides the 21,000 and the bytes."""
    round_ = world.open()
    receipt = round_.relay()
    told = world.chain.w3.eth.get_transaction_receipt(receipt.tx)["gasUsed"]
    data = world.chain.w3.eth.get_transaction(receipt.tx)["input"]
    floor = 21_000 + 10 * sum(1 if byte == 0 else 4 for byte in data)
    assert receipt.gas_used == told >= floor


def test_defended_trap_14_the_code_on_the_chain_is_the_code_in_the_package(world):
    """Documents ahead of code, withheld sources."""
    for key, name in artifacts.KEYS.items():
        shipped = artifacts.load(name)
        on_chain = bytes(world.chain.w3.eth.get_code(world.chain.network.contracts[key]))
        differing = [at for at, (a, b) in enumerate(zip(on_chain, shipped.runtime_code, strict=True)) if a != b]
        # Only where constructors put addresses and the like, which the compiler leaves zero.
        assert all(shipped.runtime_code[at] == 0 for at in differing)
        assert (CONTRACTS / f"{name}.sol").exists()


def test_cost_bounded_trap_15_the_ledger_costs_a_thousand_clients_less_than_three_hundred_gas_each(world):
    """A chain that does not earn its cost is removed."""
    round_ = world.open(mode=spec.CommitMode.ROOT_ONLY, max_clients=1000)
    listed = round_.post_list([round_.entry(client) for client in round_.clients], count=1000)
    round_.compute().propose(committed=1000)
    spent = [round_.opened.gas_used, listed.gas_used, round_.proposed.gas_used, round_.finalise().gas_used]
    assert sum(spent) < 1000 * 300
