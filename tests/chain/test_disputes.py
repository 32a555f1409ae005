"""Fraud proofs on a real node: an honest round stands, a lie costs its author the bond."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest
from eth_utils.crypto import keccak

from ledger import commitments, disputes, signing, spec
from ledger.chain import ETHER
from ledger.errors import Reverted, WrongPhase
from ledger.spec.errors import BadProof

pytestmark = pytest.mark.chain

LEAF_LOG2, MATRIX_LOG2, SIZE = 3, 2, 45


class DisputedRound:
    """A round of four clients whose vectors are known; `lie` changes what its aggregator proposes."""

    def __init__(self, federation, rule=spec.Rule.TRIMMED_MEAN, seed=7):
        self.federation, self.chain = federation, federation.chain
        source = np.random.default_rng(seed)
        self.base = source.integers(-(2**31), 2**31, SIZE, dtype=np.int32)
        self.matrix = source.integers(-1200, 1200, (4, SIZE), dtype=np.int32)
        self.task = federation.make_task(
            rule=rule,
            rule_param=1 if rule is spec.Rule.TRIMMED_MEAN else 0,
            size=SIZE,
            leaf_log2=LEAF_LOG2,
            matrix_log2=MATRIX_LOG2,
            bound=1000,
            genesis_model=commitments.compute_vector_root(self.base, LEAF_LOG2),
        )
        self.round_id = federation.open(task=self.task)
        self.members = self._commit()
        counts = [update.num_examples for update in self.updates]
        self.aggregate = np.array(spec.aggregate(self.task.rule_params(), self.matrix.tolist(), counts), dtype=np.int32)
        self.model = np.array(spec.apply_model_step(self.base.tolist(), self.aggregate.tolist()), dtype=np.int32)

    @property
    def updates(self):
        return [
            disputes.Update(client=client, num_examples=10 * client, values=self.matrix[slot])
            for slot, client in enumerate(sorted(self.federation.clients))
        ]

    def _commit(self):
        entries = []
        for update in self.updates:
            commitment = spec.compute_commitment(
                domain_separator=self.chain.domain_separator,
                round_id=self.round_id,
                client=update.client,
                num_examples=update.num_examples,
                root=commitments.compute_vector_root(update.values, LEAF_LOG2),
            )
            entries.append(self.federation.sign(self.round_id, update.client, commitment))
        first, rest = entries[:3], entries[3:]
        for number, batch in enumerate((rest, first)):
            self.chain.commit_batch(self.round_id, batch, key=f"c/{number}", sender=self.federation.operator)
        members = [spec.Member(client=entry.client, commitment=entry.commitment) for entry in entries]
        self.segments = [members[3:], members[:3]]
        return members

    def propose(self, **changes):
        proposal = spec.Proposal(
            aggregate_root=commitments.compute_vector_root(self.aggregate, LEAF_LOG2),
            matrix_root=commitments.compute_matrix_root(self.matrix, MATRIX_LOG2),
            members_root=spec.compute_members_root(self.members),
            model_root=commitments.compute_vector_root(self.model, LEAF_LOG2),
            data_id=hashlib.sha256(b"manifest").digest(),
        )
        proposal = replace(proposal, **changes)
        self.chain.wait_until(self.chain.get_round(self.round_id).data_end + 1)
        self.chain.propose(self.round_id, proposal, [], key="propose", sender=self.federation.operator)
        self.claim = disputes.Claim(round_id=self.round_id, proposal=proposal)
        return self

    def column(self, at):
        opening = disputes.encode_matrix_opening(self.matrix, MATRIX_LOG2, at)
        return disputes.prove_column(
            self.claim, self.task, at, matrix=opening, column=self.matrix[:, at].tolist(), aggregate=self.aggregate
        )

    def transpose(self, at, slot, matrix=None):
        opening = disputes.encode_matrix_opening(self.matrix if matrix is None else matrix, MATRIX_LOG2, at)
        path = disputes.encode_member(self.members, slot)
        update = self.updates[slot]
        return disputes.prove_transpose(self.claim, self.task, at, slot, matrix=opening, update=update, members=path)

    def direct(self, at):
        return disputes.prove_direct(self.claim, self.task, at, updates=self.updates, aggregate=self.aggregate)

    def model_step(self, at):
        return disputes.prove_model_step(
            self.claim, self.task, at, base=self.base, aggregate=self.aggregate, model=self.model
        )

    def prove(self, proof, key="prove"):
        return self.chain.prove(proof, key=key, sender=self.federation.operator)

    def assert_struck(self, receipt, reason):
        event = receipt.find("FraudProven")
        assert event.args["reason"].rstrip(b"\x00") == reason
        assert self.chain.get_round(self.round_id).phase is spec.Phase.VOIDED
        assert self.chain.get_participant(self.federation.aggregator).stake_wei == 2 * ETHER
        slashed = receipt.find("Slashed").args
        shares = [slashed[name] for name in ("to_challenger", "to_clients", "burnt")]
        assert shares == [ETHER * 4 // 10, ETHER // 10, ETHER // 2]


def test_no_proof_holds_against_an_honest_round(federation):
    honest = DisputedRound(federation).propose()
    for at in (0, 44):
        for name in ("column", "direct", "model_step"):
            with pytest.raises(Reverted, match="NotFraud"):
                honest.prove(getattr(honest, name)(at), key=f"{name}/{at}")
        with pytest.raises(Reverted, match="NotFraud"):
            honest.prove(honest.transpose(at, 3), key=f"transpose/{at}")
    with pytest.raises(Reverted, match="SameRoot"):
        honest.prove(disputes.prove_members(honest.claim, honest.segments))
    assert honest.chain.get_round(honest.round_id).phase is spec.Phase.PROPOSED


@pytest.mark.parametrize("kind", ["column", "direct"])
def test_a_wrong_coordinate_voids_the_round_and_takes_the_bond(federation, kind):
    round_ = DisputedRound(federation)
    honest = int(round_.aggregate[33])
    round_.aggregate[33] += 1
    round_.propose()
    receipt = round_.prove(getattr(round_, kind)(33))
    round_.assert_struck(receipt, b"wrong aggregate")
    args = receipt.find("FraudProven").args
    assert (args["coordinate"], args["claimed"], args["recomputed"]) == (33, honest + 1, honest)


def test_a_wrong_weighted_mean_is_proven_without_the_matrix(federation):
    round_ = DisputedRound(federation, rule=spec.Rule.WEIGHTED_MEAN)
    round_.aggregate[2] -= 1
    round_.propose(matrix_root=b"\x01" * 32)
    with pytest.raises(Reverted, match="WrongRoot"):
        round_.prove(round_.column(2), key="column")
    round_.assert_struck(round_.prove(round_.direct(2)), b"wrong aggregate")


def test_a_wrong_matrix_is_proven_by_one_clients_update(federation):
    round_ = DisputedRound(federation)
    wrong = round_.matrix.copy()
    wrong[2, 44] ^= 1
    round_.propose(matrix_root=commitments.compute_matrix_root(wrong, MATRIX_LOG2))
    with pytest.raises(Reverted, match="NotFraud"):
        round_.prove(round_.transpose(44, 1, wrong), key="other")
    round_.assert_struck(round_.prove(round_.transpose(44, 2, wrong)), b"wrong matrix")


def test_a_wrong_model_and_a_wrong_list_of_members_are_proven(federation):
    round_ = DisputedRound(federation)
    round_.model[7] ^= 1
    round_.propose(members_root=spec.compute_members_root(round_.members[:3]))
    with pytest.raises(Reverted, match="NotFraud"):
        round_.prove(round_.model_step(6), key="honest")
    members = disputes.prove_members(round_.claim, round_.segments)
    round_.assert_struck(round_.prove(members), b"wrong members")
    with pytest.raises(WrongPhase, match="proposed and not yet finalised"):
        round_.prove(round_.model_step(7), key="late")


def test_a_wrong_model_is_proven(federation):
    round_ = DisputedRound(federation)
    round_.model[7] ^= 1
    round_.propose()
    round_.assert_struck(round_.prove(round_.model_step(7)), b"wrong model")


def test_a_client_beyond_the_bound_loses_a_fifth(federation):
    round_ = DisputedRound(federation)
    beyond = int(np.flatnonzero(np.abs(round_.matrix[1]) > 1000)[0])
    proof = disputes.prove_clip_violation(
        round_.round_id, round_.task, beyond, update=round_.updates[1], segments=round_.segments
    )
    client = round_.updates[1].client
    receipt = round_.prove(proof)
    assert receipt.find("FraudProven").args["subject"] == client
    assert round_.chain.get_participant(client).stake_wei == ETHER * 8 // 10
    with pytest.raises(BadProof, match="committed nothing"):
        disputes.encode_commitment_place(round_.segments, 99)


def test_a_client_that_signs_twice_loses_everything(federation):
    round_ = DisputedRound(federation)
    client, key = next(iter(federation.clients.items()))
    signed = []
    for commitment in (b"\x02" * 32, b"\x01" * 32):
        digest = spec.compute_commitment_digest(
            domain_separator=federation.chain.domain_separator,
            round_id=round_.round_id,
            client=client,
            commitment=commitment,
        )
        signed.append((commitment, signing.sign_digest(key, digest)))
    round_.prove(disputes.prove_equivocation(round_.round_id, client, signed))
    assert federation.chain.get_participant(client).stake_wei == 0


def test_a_ticket_keeps_the_reward_and_clients_have_their_shares(federation):
    round_ = DisputedRound(federation)
    round_.aggregate[33] += 1
    round_.propose()
    chain, challenger = federation.chain, federation.aggregator_key
    chain.transfer(challenger.address, ETHER, key="fund", sender=federation.operator)
    proof, salt = round_.column(33), keccak(b"salt")
    ticket = disputes.compute_ticket(
        round_id=round_.round_id,
        proof_hash=proof.proof_hash,
        challenger=bytes.fromhex(challenger.address[2:]),
        salt=salt,
    )
    chain.buy_ticket(ticket, key="ticket", sender=challenger)
    copied = round_.prove(proof)
    assert copied.find("FraudProven").args["proof_hash"] == proof.proof_hash
    chain.contest(round_.round_id, proof_hash=proof.proof_hash, salt=salt, key="contest", sender=challenger)
    chain.wait_until(chain.now() + 3601)
    chain.claim_reward(round_.round_id, key="reward", sender=federation.operator)
    assert chain.get_credit(challenger.address) == ETHER * 4 // 10
    chain.claim_share(round_.round_id, 2, key="share", sender=federation.operator)
    assert chain.get_credit(federation.operator.address) == ETHER // 40
    with pytest.raises(Reverted, match="NothingOwed"):
        chain.claim_client_reward(round_.round_id, 2, b"equivocation", key="none", sender=federation.operator)


def test_a_coordinate_outside_the_vector_has_no_proof():
    with pytest.raises(BadProof, match="coordinate 3"):
        disputes.encode_opening(np.zeros(3, np.int32), 3, 3)
    with pytest.raises(BadProof, match="coordinate -1"):
        disputes.encode_matrix_opening(np.zeros((2, 3), np.int32), 0, -1)


@pytest.mark.parametrize("count", [1, 2, 5, 8])
def test_positions_leave_out_the_excluded_and_rise_by_client(count):
    members = [spec.Member(client=client, commitment=bytes([client]) * 32) for client in range(1, count + 1)]
    packed = disputes.encode_members_proof([members[::-1]], spec.encode_exclusions([(1, 801)]))
    assert packed[:2] == count.to_bytes(2, "big")
    order = packed[2 + 36 * count :]
    assert order == b"".join((count - client).to_bytes(2, "big") for client in range(2, count + 1))
