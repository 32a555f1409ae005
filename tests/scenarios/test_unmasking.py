"""Masked sums: an honest aggregator can be convicted of nothing, one that lies of that."""

import hashlib
import random
from dataclasses import replace

import numpy as np
import pytest
from ledger_world import MATRIX_LOG2, SIZE, StagedRound, lie

from ledger import disputes, spec, unmask_disputes
from ledger.errors import Reverted
from ledger.unmask_disputes import Evidence, MaskedUpdate

pytestmark = pytest.mark.chain

DEGREE = 3
"""Of four clients: everybody is everybody's peer."""
STRANGER = 99


def make_seed(*names):
    return hashlib.sha256(repr(names).encode()).digest()


class MaskedRound(StagedRound):
    """A round of a masked task: what clients commit to and publish is their update under masks."""

    def __init__(self, world, opened, base, clients, aggregator):
        super().__init__(world, opened, base, clients, aggregator)
        self.plain = self.values
        peers = spec.compute_peers(self.clients, self.task.rule_param, bytes(32))
        self.seeds = {
            c: {spec.SELF: make_seed(c), **{p: make_seed(*sorted((c, p))) for p in peers[c]}} for c in self.clients
        }
        self.tables = {c: tuple(self._make_lines(c)) for c in self.clients}
        self.values = {
            c: np.array(spec.apply_masks(self.plain[c].tolist(), c, self.seeds[c]), dtype=np.int32)
            for c in self.clients
        }
        self.shown = None
        """Seeds that the proposal reveals; None for those that are needed."""

    def _make_lines(self, client):
        lines = [
            spec.SeedLine(peer=p, commitment=spec.compute_seed_commitment(s)) for p, s in self.seeds[client].items()
        ]
        return sorted(lines)

    def commitment(self, client, values=None):
        domain = self.chain.domain_separator
        update = self.masked(client)
        return update.member(self.task, domain_separator=domain, round_id=self.round_id).commitment

    def masked(self, client):
        return MaskedUpdate(
            client=client,
            num_examples=self.examples[client],
            values=self.values[client],
            table=self.tables[client],
        )

    def needed(self):
        pairs = spec.compute_needed({client: self.tables[client] for client in self.included})
        return [spec.Reveal(owner=o, peer=p, seed=self.seeds[o][p]) for o, p in pairs]

    def compute(self):
        reveals = self.needed() if self.shown is None else self.shown
        total = spec.compute_unmasked_sum(self.matrix.tolist(), reveals)
        self.aggregate = np.array(total, dtype=np.int32)
        self.model = np.array(spec.apply_model_step(self.base.tolist(), total), dtype=np.int32)
        return self

    def reveal(self, reveals):
        """Reveal other seeds than the needed ones, and propose the sum that follows from them."""
        self.shown = reveals
        return self.compute().propose(aux=spec.encode_reveals(reveals))

    def propose(self, *, aux=None, **changes):
        return super().propose(aux=spec.encode_reveals(self.needed()) if aux is None else aux, **changes)

    @property
    def evidence(self):
        members = [member for member in self.members if member.client in self.included]
        updates = [self.masked(member.client) for member in members]
        return Evidence(task=self.task, claim=self.claim, updates=updates, members=members)

    def find_fault(self):
        return unmask_disputes.find_fault(self.evidence, self.aggregate)


@pytest.fixture
def masked(world):
    """Return a function that opens a masked round in which everybody has committed and one client dropped out."""

    def open_round(*, dropped=(3,), degree=DEGREE, change=None, **changes):
        named = {"rule": spec.Rule.SUM32, "rule_param": degree, "quorum": 2, **changes}
        staged = world.open(**named)
        round_ = MaskedRound(world, staged.opened, staged.base, staged.clients, staged.aggregator)
        if change is not None:
            change(round_)
        for client in dropped:
            round_.excluded[client] = 801
        return round_.commit()

    return open_round


def all_pairs(round_):
    everybody = [*round_.clients, STRANGER]
    return [(owner, peer) for owner in everybody for peer in (spec.SELF, *everybody) if owner != peer]


# -------------------------------------------------------------------------------------------------------------- honest


@pytest.mark.parametrize("dropped", [(), (3,), (1, 4)])
def test_defended_of_an_honest_masked_round_nothing_can_be_proved(world, masked, dropped):
    round_ = masked(dropped=dropped).propose()
    evidence, aggregate = round_.evidence, round_.aggregate
    plain = [round_.plain[client].tolist() for client in round_.included]
    assert aggregate.tolist() == [spec.wrap32(sum(column)) for column in zip(*plain, strict=True)]
    assert round_.find_fault() is None
    for coordinate in (0, 7, 8, 33, SIZE - 1):
        opening = disputes.encode_matrix_opening(evidence.rows, MATRIX_LOG2, coordinate)
        proofs = [
            unmask_disputes.prove_unmasking(evidence, coordinate, aggregate=aggregate),
            unmask_disputes.prove_unmasking_direct(evidence, coordinate, aggregate=aggregate),
            *(
                unmask_disputes.prove_masked_transpose(evidence, coordinate, slot, matrix=opening)
                for slot in range(len(evidence.updates))
            ),
        ]
        for proof in proofs:
            with pytest.raises(Reverted, match="NotFraud"):
                round_.prove(proof)
    with pytest.raises(Reverted, match="NotFraud"):
        round_.prove(unmask_disputes.prove_malformed_reveals(evidence))
    for owner, peer in all_pairs(round_):
        with pytest.raises(Reverted, match="RightSeed"):
            round_.prove(unmask_disputes.prove_reveal(evidence, owner, peer))
    round_.finalise()
    assert world.bill() == {}


def test_defended_a_pair_that_disagrees_about_its_seed_costs_nobody_a_stake(world, masked):
    def disagree(round_):
        round_.seeds[2][4] = make_seed("another")
        round_.tables[2] = tuple(round_._make_lines(2))
        round_.values[2] = np.array(spec.apply_masks(round_.plain[2].tolist(), 2, round_.seeds[2]), dtype=np.int32)

    round_ = masked(change=disagree).propose()
    assert {(reveal.owner, reveal.peer) for reveal in round_.needed()} >= {(2, 4), (4, 2)}
    assert round_.find_fault() is None
    for owner, peer in ((2, 4), (4, 2)):
        with pytest.raises(Reverted, match="RightSeed"):
            round_.prove(unmask_disputes.prove_reveal(round_.evidence, owner, peer))
    round_.finalise()
    assert world.bill() == {}


# --------------------------------------------------------------------------------------------------------------- wrong


def strike(round_, reason, function):
    """Bring what an aggregator is convicted by before the court, and see the round void for that reason."""
    proof = round_.find_fault()
    assert proof is not None and proof.function == function
    receipt = round_.prove(proof)
    assert receipt.find("Voided").args["reason"].rstrip(b"\x00").decode() == reason
    assert round_.phase is spec.Phase.VOIDED
    return receipt


def test_defended_a_wrong_unmasked_sum_is_proved_in_one_coordinate(masked):
    receipt = strike(lie(masked()), "wrong aggregate", "proveUnmasking")
    args = receipt.find("FraudProven").args
    assert (args["coordinate"], args["claimed"] - args["recomputed"]) == (33, 1)


def test_defended_a_wrong_unmasked_sum_is_proved_without_the_matrix(masked):
    round_ = masked()
    round_.aggregate[33] += 1
    round_.propose(matrix_root=b"\x07" * 32)
    strike(round_, "wrong aggregate", "proveUnmaskingDirect")


def test_defended_a_matrix_of_other_masked_values_is_proved(world, masked):
    round_ = masked(dropped=())
    other = round_.matrix.copy()
    other[1, 20] += 1
    round_.propose(matrix_root=spec.compute_matrix_root(other.tolist(), MATRIX_LOG2))
    opening = disputes.encode_matrix_opening(other, MATRIX_LOG2, 20)
    for slot in (0, 2, 3):
        with pytest.raises(Reverted, match="NotFraud"):
            round_.prove(unmask_disputes.prove_masked_transpose(round_.evidence, 20, slot, matrix=opening))
    receipt = round_.prove(unmask_disputes.prove_masked_transpose(round_.evidence, 20, 1, matrix=opening))
    assert receipt.find("Voided").args["reason"].rstrip(b"\x00") == b"wrong matrix"


def without(reveals, owner, peer):
    return [reveal for reveal in reveals if (reveal.owner, reveal.peer) != (owner, peer)]


@pytest.mark.parametrize("pair", [(1, spec.SELF), (4, spec.SELF), (2, 3)], ids=["own", "last-own", "of-a-dropped-peer"])
def test_defended_a_seed_that_is_not_revealed_is_missed(masked, pair):
    round_ = masked()
    round_.reveal(without(round_.needed(), *pair))
    args = strike(round_, "missing seed", "proveReveal").find("SeedFraudProven").args
    assert (args["owner"], args["peer"], args["claimed"]) == (*pair, bytes(32))


@pytest.mark.parametrize(
    ("owner", "peer"),
    [(1, 2), (3, spec.SELF), (3, 1), (STRANGER, 1), (1, STRANGER)],
    ids=["of-a-pair-that-cancels", "own-of-a-dropped", "of-a-dropped", "of-a-stranger", "with-a-stranger"],
)
def test_defended_a_seed_that_must_stay_secret_is_revealed_at_the_price_of_the_bond(masked, owner, peer):
    round_ = masked()
    seed = round_.seeds.get(owner, {}).get(peer, make_seed("invented"))
    round_.reveal([*round_.needed(), spec.Reveal(owner=owner, peer=peer, seed=seed)])
    args = strike(round_, "surplus seed", "proveReveal").find("SeedFraudProven").args
    assert (args["owner"], args["peer"], args["recomputed"]) == (owner, peer, bytes(32))


def test_defended_another_seed_than_the_one_committed_to_is_wrong(masked):
    round_ = masked()
    reveals = [replace(each, seed=make_seed("other")) if each.peer == 3 else each for each in round_.needed()]
    round_.reveal(reveals)
    strike(round_, "wrong seed", "proveReveal")


@pytest.mark.parametrize("break_", [lambda aux: aux + b"\x00", lambda aux: aux[40:80] + aux[:40] + aux[80:]])
def test_defended_a_list_of_seeds_that_is_not_canonical_is_its_own_proof(masked, break_):
    round_ = masked()
    round_.propose(aux=break_(spec.encode_reveals(round_.needed())))
    strike(round_, "malformed reveals", "proveMalformedReveals")


@pytest.mark.parametrize("kind", ["no own mask", "itself", "too many peers"])
def test_defended_a_client_whose_table_is_not_allowed_must_not_be_included(masked, kind):
    def break_table(round_):
        lines = list(round_.tables[2])
        peer = 2 if kind == "itself" else STRANGER
        round_.seeds[2][peer] = make_seed("extra")
        extra = spec.SeedLine(peer=peer, commitment=spec.compute_seed_commitment(round_.seeds[2][peer]))
        changed = lines[1:] if kind == "no own mask" else sorted([*lines[: 3 if kind == "itself" else 4], extra])
        round_.tables[2] = tuple(changed)

    round_ = masked(change=break_table)
    round_.propose()
    strike(round_, "bad seed table", "proveReveal")


def test_defended_a_proof_that_somebody_has_changed_proves_nothing(masked):
    round_ = masked()
    round_.reveal(without(round_.needed(), 2, 3))
    source, evidence = random.Random(4), round_.evidence
    proof = round_.find_fault()
    for _ in range(40):
        packed = bytearray(proof.arguments[-1])
        at = source.randrange(len(packed))
        packed[at] ^= 1 << source.randrange(8)
        with pytest.raises(Reverted):
            round_.prove(replace(proof, arguments=(*proof.arguments[:-1], bytes(packed))))
    for packed in (proof.arguments[-1][:-1], proof.arguments[-1] + b"\x00"):
        with pytest.raises(Reverted, match=r"WrongProofLength|WrongRoot"):
            round_.prove(replace(proof, arguments=(*proof.arguments[:-1], packed)))
    other = unmask_disputes.prove_reveal(evidence, 2, spec.SELF)
    with pytest.raises(Reverted):
        round_.prove(replace(proof, arguments=(*proof.arguments[:-1], other.arguments[-1])))
    assert round_.prove(proof).find("Voided")


def test_defended_a_plain_sum_is_no_matter_of_this_court(world):
    round_ = world.open(rule=spec.Rule.SUM32, quorum=2).commit().propose()
    updates = [MaskedUpdate(client=c, num_examples=10 * c, values=round_.values[c], table=()) for c in round_.included]
    evidence = Evidence(task=round_.task, claim=round_.claim, updates=updates, members=round_.members)
    with pytest.raises(Reverted, match="RuleNotCovered"):
        round_.prove(unmask_disputes.prove_unmasking(evidence, 3, aggregate=round_.aggregate))
