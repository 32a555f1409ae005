"""Fraud proofs on a real node: an honest round stands, a lie costs its author the bond."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest
from eth_utils.crypto import keccak

from ledger import commitments, disputes, list_disputes, sessions, signing, spec
from ledger.chain import ETHER
from ledger.errors import Reverted, WrongPhase
from ledger.spec.errors import BadProof

pytestmark = pytest.mark.chain

LEAF_LOG2, MATRIX_LOG2, MODEL_LOG2, SIZE = 3, 2, 4, 45


class DisputedRound:
    """A round of four clients whose vectors are known; its aggregator proposes what a test makes of them."""

    def __init__(self, federation, rule=spec.Rule.TRIMMED_MEAN, mode=spec.CommitMode.VERIFIED, seed=7, **changes):
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
            model_log2=MODEL_LOG2,
            bound=1000,
            mode=mode,
            genesis_model=commitments.compute_vector_root(self.base, MODEL_LOG2),
            **changes,
        )
        self.round_id = federation.open(task=self.task)
        entries = self._sign()
        self.members = [spec.Member(client=entry.client, commitment=entry.commitment) for entry in entries]
        self.segments = self._commit(entries)
        params = self.task.rule_params()
        self.weights = [spec.compute_weight(params, update.num_examples, ETHER) for update in self.updates]
        self.aggregate = np.array(spec.aggregate(params, self.matrix.tolist(), self.weights), dtype=np.int32)
        self.model = np.array(spec.apply_model_step(self.base.tolist(), self.aggregate.tolist()), dtype=np.int32)

    @property
    def updates(self):
        return [
            disputes.Update(client=client, num_examples=10 * client, values=self.matrix[slot])
            for slot, client in enumerate(sorted(self.federation.clients))
        ]

    def _sign(self):
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
        return entries

    def _commit(self, entries):
        """Commit and return the segments: the last client first; in accumulated mode one client twice."""
        sender, members = self.federation.operator, self.members
        if self.task.mode is spec.CommitMode.ROOT_ONLY:
            return self.post(entries)
        if self.task.mode is spec.CommitMode.ACCUMULATED:
            again = replace(members[1], commitment=b"\x99" * 32)
            order = [members[3], *members[:3], again]
            for number, member in enumerate(order):
                self.chain.commit(self.round_id, member.client, member.commitment, key=f"c/{number}", sender=sender)
            return [[member] for member in order]
        for number, batch in enumerate((entries[3:], entries[:3])):
            self.chain.commit_batch(self.round_id, batch, key=f"c/{number}", sender=sender)
        return [members[3:], members[:3]]

    def post(self, listed):
        """Post the root of a list."""
        batch = spec.encode_signed_list(listed)
        args = (spec.compute_list_root(batch), len(listed), spec.compute_list_id(batch))
        self.chain.commit_root(self.round_id, *args, key="root", sender=self.federation.operator)
        return [listed]

    def propose(self, *, excluded=(), aux=None, **changes):
        out = {client for client, _ in excluded}
        proposal = spec.Proposal(
            aggregate_root=commitments.compute_vector_root(self.aggregate, MODEL_LOG2),
            matrix_root=commitments.compute_matrix_root(self.matrix, MATRIX_LOG2),
            model_root=commitments.compute_vector_root(self.model, MODEL_LOG2),
            members_root=spec.compute_members_root([m for m in self.members if m.client not in out]),
            data_id=hashlib.sha256(b"manifest").digest(),
            committed=len(self.members),
        )
        proposal = replace(proposal, **changes)
        if aux is None:
            aux = spec.compute_aux(self.task.rule_params(), self.matrix.tolist(), self.weights)
        self.chain.wait_until(self.chain.get_round(self.round_id).data_end + 1)
        sender = self.federation.operator
        receipt = self.chain.propose(self.round_id, proposal, excluded, aux, key="propose", sender=sender)
        event = receipt.find("Proposed").args
        names = ("round_id", "proposal", "segments_hash", "included", "excluded", "aux")
        self.claim = disputes.Claim(**{name: event[name] for name in names})
        return self

    def column(self, at):
        opening = disputes.encode_matrix_opening(self.matrix, MATRIX_LOG2, at)
        return disputes.prove_column(
            self.claim, self.task, at, matrix=opening, column=self.matrix[:, at].tolist(), aggregate=self.aggregate
        )

    def weighted_column(self, at):
        opening = disputes.encode_matrix_opening(self.matrix, MATRIX_LOG2, at)
        return disputes.prove_weighted_column(self.claim, self.task, at, matrix=opening, aggregate=self.aggregate)

    def weight(self, slot):
        path = disputes.encode_member(self.members, slot)
        return disputes.prove_weight(self.claim, self.task, slot, update=self.updates[slot], members=path)

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
        verdict = self.chain.get_verdict(self.round_id)
        assert verdict.challenger == bytes.fromhex(self.federation.operator.address[2:])
        assert verdict.proof_tag == int.from_bytes(event.args["proof_hash"][-7:], "big")
        slashed = self.chain.settle(self.round_id, key="settle", sender=self.federation.operator).find("Slashed").args
        shares = [slashed[name] for name in ("to_challenger", "to_clients", "burnt")]
        to_clients = ETHER // 10 if self.task.mode is spec.CommitMode.VERIFIED else 0
        assert shares == [ETHER * 4 // 10, to_clients, ETHER * 6 // 10 - to_clients]
        assert self.chain.get_participant(self.federation.aggregator).stake_wei == 2 * ETHER
        assert self.chain.is_settled(self.round_id)


def test_no_proof_holds_against_an_honest_round(federation):
    honest = DisputedRound(federation).propose()
    for at in (0, 44):
        for name in ("column", "direct", "model_step"):
            with pytest.raises(Reverted, match="NotFraud"):
                honest.prove(getattr(honest, name)(at), key=f"{name}/{at}")
        with pytest.raises(Reverted, match="NotFraud"):
            honest.prove(honest.transpose(at, 3), key=f"transpose/{at}")
    assert_members_stand(honest)
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


def test_a_wrong_coordinate_is_proven_in_a_session(federation):
    round_ = DisputedRound(federation)
    round_.aggregate[17] += 1
    round_.propose()
    vectors = {"updates": round_.updates, "aggregate": round_.aggregate}
    domain = federation.chain.domain_separator
    steps = sessions.prove_in_session(round_.claim, round_.task, 17, **vectors, domain=domain)
    assert [step.function for step in steps] == ["open", "show", "close"]
    receipts = [round_.prove(step, key=f"session/{number}") for number, step in enumerate(steps)]
    round_.assert_struck(receipts[-1], b"wrong aggregate")


def assert_members_stand(round_):
    with pytest.raises(Reverted, match="SameRoot"):
        round_.prove(list_disputes.prove_members(round_.claim, round_.segments), key="members")


WEIGHTED = {"rule": spec.Rule.WEIGHTED_MEAN, "wei_per_weight": ETHER // 20}


def test_no_proof_holds_against_an_honest_weighted_mean(federation):
    honest = DisputedRound(federation, **WEIGHTED)
    assert honest.weights == [10, 20, 20, 20]
    honest.propose()
    for name, place in (("weighted_column", 33), ("direct", 33), ("weight", 0), ("weight", 3)):
        with pytest.raises(Reverted, match="NotFraud"):
            honest.prove(getattr(honest, name)(place), key=f"{name}/{place}")
    with pytest.raises(Reverted, match="WrongProofLength"):
        honest.prove(disputes.prove_weight(honest.claim, honest.task, 0), key="no opening")


def test_a_wrong_weighted_mean_is_proven_by_the_posted_weights(federation):
    round_ = DisputedRound(federation, **WEIGHTED)
    round_.aggregate[2] -= 1
    round_.propose()
    with pytest.raises(Reverted, match="RuleNotCovered"):
        round_.prove(round_.column(2), key="column")
    round_.assert_struck(round_.prove(round_.weighted_column(2)), b"wrong aggregate")


def test_a_wrong_weighted_mean_is_proven_without_the_matrix(federation):
    round_ = DisputedRound(federation, **WEIGHTED)
    round_.aggregate[2] -= 1
    round_.propose(matrix_root=b"\x01" * 32)
    with pytest.raises(Reverted, match="WrongRoot"):
        round_.prove(round_.weighted_column(2), key="column")
    round_.assert_struck(round_.prove(round_.direct(2)), b"wrong aggregate")


def test_a_weight_that_the_stake_does_not_pay_for_is_proven(federation):
    round_ = DisputedRound(federation, **WEIGHTED)
    round_.propose(aux=spec.encode_weights([10, 20, 30, 20]))
    receipt = round_.prove(round_.weight(2))
    args = receipt.find("FraudProven").args
    assert (args["coordinate"], args["claimed"], args["recomputed"]) == (2, 30, 20)
    round_.assert_struck(receipt, b"wrong weight")


def test_too_few_weights_are_proven(federation):
    round_ = DisputedRound(federation, **WEIGHTED)
    round_.propose(aux=spec.encode_weights([10, 20, 20]))
    round_.assert_struck(round_.prove(disputes.prove_weight(round_.claim, round_.task, 0)), b"wrong weight")


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
    members = list_disputes.prove_members(round_.claim, round_.segments)
    round_.assert_struck(round_.prove(members), b"wrong members")
    with pytest.raises(WrongPhase, match="proposed and not yet finalised"):
        round_.prove(round_.model_step(7), key="late")


def test_a_wrong_model_is_proven(federation):
    round_ = DisputedRound(federation)
    round_.model[7] ^= 1
    round_.propose()
    round_.assert_struck(round_.prove(round_.model_step(7)), b"wrong model")


@pytest.mark.parametrize("mode", spec.CommitMode, ids=lambda mode: mode.name.lower())
def test_a_wrong_list_of_members_is_proven_in_every_mode(federation, mode):
    round_ = DisputedRound(federation, mode=mode)
    excluded = [(round_.members[0].client, 715)]
    round_.propose(excluded=excluded, members_root=spec.compute_members_root(round_.members))
    round_.assert_struck(round_.prove(list_disputes.prove_members(round_.claim, round_.segments)), b"wrong members")


@pytest.mark.parametrize("mode", spec.CommitMode, ids=lambda mode: mode.name.lower())
def test_a_true_list_of_members_stands_in_every_mode(federation, mode):
    round_ = DisputedRound(federation, mode=mode)
    assert_members_stand(round_.propose(excluded=[(round_.members[0].client, 715)]))


def test_clients_that_the_aggregator_miscounts_are_proven(federation):
    round_ = DisputedRound(federation, mode=spec.CommitMode.ACCUMULATED)
    round_.propose(committed=5)
    receipt = round_.prove(list_disputes.prove_members(round_.claim, round_.segments))
    args = receipt.find("FraudProven").args
    assert (args["claimed"], args["recomputed"]) == (5, 4)
    round_.assert_struck(receipt, b"wrong members")


class ListedRound(DisputedRound):
    """A round in root-only mode whose list is what `change` makes of the signed commitments."""

    def __init__(self, federation, change):
        self.change = change
        super().__init__(federation, mode=spec.CommitMode.ROOT_ONLY)

    @property
    def listed(self):
        return self.segments[0]

    def post(self, listed):
        return super().post(self.change(listed))


def test_a_forged_entry_of_a_list_is_proven_and_a_true_one_is_not(federation):
    def forge(listed):
        forged = federation.sign(federation.chain.count_rounds(), listed[2].client, signer=federation.clients[1])
        return [*listed[:2], forged, listed[3]]

    round_ = ListedRound(federation, forge).propose()
    with pytest.raises(Reverted, match="ValidEntry"):
        round_.prove(list_disputes.prove_wrong_entry(round_.claim, round_.listed, 1), key="true")
    receipt = round_.prove(list_disputes.prove_wrong_entry(round_.claim, round_.listed, 2))
    round_.assert_struck(receipt, b"wrong entry")


def test_a_list_that_does_not_rise_is_proven(federation):
    round_ = ListedRound(federation, lambda listed: [listed[1], listed[0], *listed[2:]]).propose()
    with pytest.raises(Reverted, match="ValidEntry"):
        round_.prove(list_disputes.prove_wrong_entry(round_.claim, round_.listed, 2), key="true")
    receipt = round_.prove(list_disputes.prove_wrong_entry(round_.claim, round_.listed, 1))
    round_.assert_struck(receipt, b"wrong entry")


@pytest.mark.parametrize("left_out", [1, 3, 4])
def test_a_commitment_that_was_receipted_and_left_out_is_proven(federation, left_out):
    round_ = ListedRound(federation, lambda listed: [entry for entry in listed if entry.client != left_out]).propose(
        committed=3
    )
    prove_omission = make_omission(federation, round_)
    with pytest.raises(Reverted, match="ListedClient"):
        round_.prove(prove_omission(2), key="listed")
    round_.assert_struck(round_.prove(prove_omission(left_out)), b"omitted commitment")


def test_a_commitment_that_was_receipted_and_altered_is_proven(federation):
    other = b"\x42" * 32

    def alter(listed):
        return [listed[0], federation.sign(federation.chain.count_rounds(), 2, commitment=other), *listed[2:]]

    round_ = ListedRound(federation, alter).propose()
    round_.assert_struck(round_.prove(make_omission(federation, round_)(2)), b"omitted commitment")


def make_omission(federation, round_):
    """Return what makes the proof that a client's commitment is missing, by its receipt."""

    def prove(client):
        commitment = next(member.commitment for member in round_.members if member.client == client)
        digest = spec.compute_receipt_digest(
            domain_separator=federation.chain.domain_separator,
            round_id=round_.round_id,
            client=client,
            commitment=commitment,
        )
        receipt = signing.sign_digest(federation.aggregator_key, digest)
        return list_disputes.prove_omission(
            round_.claim, round_.listed, client=client, commitment=commitment, receipt=receipt
        )

    return prove


@pytest.mark.parametrize("mode", spec.CommitMode, ids=lambda mode: mode.name.lower())
@pytest.mark.parametrize("is_proposed", [False, True], ids=["open", "proposed"])
def test_a_client_beyond_the_bound_loses_a_fifth(federation, mode, is_proposed):
    round_ = DisputedRound(federation, mode=mode)
    if is_proposed:
        round_.propose()
    beyond = int(np.flatnonzero(np.abs(round_.matrix[2]) > 1000)[0])
    proof = list_disputes.prove_clip_violation(
        round_.claim if is_proposed else round_.round_id,
        round_.task,
        beyond,
        update=round_.updates[2],
        segments=round_.segments,
    )
    client, chain = round_.updates[2].client, round_.chain
    receipt = round_.prove(proof)
    args = receipt.find("FraudProven").args
    assert (args["subject"], args["reason"].rstrip(b"\x00")) == (client, b"out of bound")
    assert chain.get_participant(client).stake_wei == ETHER * 8 // 10
    chain.wait_until(chain.get_reward(round_.round_id, client, args["reason"]).payable_from)
    chain.claim_punishment(round_.round_id, client, args["reason"], key="reward", sender=federation.operator)
    assert chain.get_credit(federation.operator.address) == ETHER * 2 // 10 * 4 // 10
    with pytest.raises(BadProof, match="committed nothing"):
        list_disputes.encode_commitment_place(round_.segments, 99)


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
    round_.prove(list_disputes.prove_equivocation(round_.round_id, client, signed))
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
    payable_from = chain.get_reward(round_.round_id).payable_from
    with pytest.raises(Reverted, match=rf"EscrowOpen\(until={payable_from - 1}, "):
        chain.claim_reward(round_.round_id, key="early", sender=federation.operator)
    chain.wait_until(payable_from)
    chain.claim_reward(round_.round_id, key="reward", sender=federation.operator)
    assert chain.get_credit(challenger.address) == ETHER * 4 // 10
    chain.claim_share(round_.round_id, 2, key="share", sender=federation.operator)
    assert chain.get_credit(federation.operator.address) == ETHER // 40
    with pytest.raises(Reverted, match="NothingOwed"):
        chain.claim_punishment(round_.round_id, 2, b"equivocation", key="none", sender=federation.operator)


def test_a_coordinate_outside_the_vector_has_no_proof():
    with pytest.raises(BadProof, match="coordinate 3"):
        disputes.encode_opening(np.zeros(3, np.int32), 3, 3)
    with pytest.raises(BadProof, match="coordinate -1"):
        disputes.encode_matrix_opening(np.zeros((2, 3), np.int32), 0, -1)


@pytest.mark.parametrize("count", [1, 2, 5, 8])
def test_positions_rise_by_client_and_then_by_arrival(count):
    members = [spec.Member(client=client, commitment=bytes([client]) * 32) for client in range(1, count + 1)]
    packed = list_disputes.encode_members_proof([members[::-1], [replace(members[0], commitment=b"\x99" * 32)]])
    assert packed[:6] == b"".join(number.to_bytes(2, "big") for number in (2, count, 1))
    order = packed[6 + 36 * (count + 1) :]
    positions = [count - 1, count, *(count - client for client in range(2, count + 1))]
    assert order == b"".join(position.to_bytes(2, "big") for position in positions)
