"""Proofs of rounds in every mode of committing, and of rounds that did not end well."""

from dataclasses import replace

import pytest
from ledger_world import World

from ledger import spec
from ledger.errors import EvidenceError, Incomplete, NotFoundError, Unavailable, WrongRoot
from ledger.proofs.checking import check_proof
from ledger.proofs.making import Prover
from ledger.store import EmbeddedStore

pytestmark = pytest.mark.chain


@pytest.fixture
def prover(world: World) -> Prover:
    return Prover(chain=world.chain, store=world.store)


def finish(round_):
    round_.compute()
    round_.propose(data_id=round_.publish())
    round_.finalise()
    return round_


@pytest.mark.parametrize("mode", list(spec.CommitMode))
def test_every_mode_has_its_proofs(world, prover, mode):
    round_ = finish(world.open(mode=mode).commit())
    for client in round_.clients:
        blob = round_.blob(spec.Kind.UPDATE, round_.values[client], client, round_.examples[client])
        found = check_proof(prover.prove_update(round_.round_id, client), data=blob).facts
        assert (found["commitment"], found["included"], found["opens"]) == (round_.commitment(client), True, True)
    found = check_proof(prover.prove_round(round_.round_id)).facts
    assert (found["committed"], found["complete"], found["clients"]) == (4, True, list(round_.clients))


def test_before_a_proposal_an_accumulated_round_is_counted_by_nobody(world, prover):
    round_ = world.open(mode=spec.CommitMode.ACCUMULATED).commit()
    found = check_proof(prover.prove_round(round_.round_id))
    assert found.facts["complete"] is False and "before a proposal" in found.gaps[0]
    assert check_proof(prover.prove_update(round_.round_id, 1)).facts["phase"] == "committed"


def test_of_a_client_that_came_again_the_first_commitment_is_proven(world, prover):
    round_ = world.open(mode=spec.CommitMode.ACCUMULATED)
    first = round_.commitment(1)
    for commitment in (first, b"\x77" * 32):
        round_.commit_alone(1, commitment=commitment)
    assert check_proof(prover.prove_update(round_.round_id, 1)).facts["commitment"] == first
    assert check_proof(prover.prove_round(round_.round_id)).facts["clients"] == [1]


def test_a_list_that_is_gone_is_a_gap_in_the_rounds_proof_and_no_update_can_be_proven(world, prover, tmp_path):
    round_ = finish(world.open(mode=spec.CommitMode.ROOT_ONLY).commit())
    empty = replace(prover, store=EmbeddedStore(tmp_path / "empty"))
    found = check_proof(empty.prove_round(round_.round_id))
    assert (found.facts["committed"], found.facts["clients"]) == (4, None)
    assert found.gaps == ("the list of commitments, which names the clients",)
    with pytest.raises(Unavailable):
        empty.prove_update(round_.round_id, 1)


def test_another_list_than_the_posted_one_is_refused(world, prover):
    round_ = finish(world.open(mode=spec.CommitMode.ROOT_ONLY).commit())
    proof = prover.prove_round(round_.round_id)
    with pytest.raises(WrongRoot, match="list"):
        check_proof(replace(proof, listed=proof.listed[:-1] + bytes([proof.listed[-1] ^ 1])))


def test_a_commitment_more_than_the_events_show_is_incomplete(world, prover):
    """All twelve, no thirteenth: the ledger's own count tells."""
    round_ = world.open().commit()
    proof = prover.prove_round(round_.round_id)
    assert check_proof(proof).facts["complete"] is True
    with pytest.raises(Incomplete, match="counted 4 commitments"):
        check_proof(replace(proof, events=proof.events[:-1]))


def test_rounds_that_end_without_a_model_are_proven_too(world, prover):
    few = world.open(clients=[1, 2], bond_wei=0)
    few.relay()
    world.wait_until(world.chain.get_round(few.round_id).data_end + 1)
    world.send("abandon", few.round_id, b"\x15" * 32, [], by=world.people.aggregator)
    none = world.open(bond_wei=0)
    world.wait_until(world.chain.get_round(none.round_id).propose_end + 1)
    world.send("expire", none.round_id)
    for round_, phase, committed in ((few, spec.Phase.ABANDONED, 2), (none, spec.Phase.EXPIRED, 0)):
        found = check_proof(prover.prove_round(round_.round_id)).facts
        assert (found["phase"], found["committed"], found["complete"]) == (phase, committed, True)


def test_a_masked_update_is_not_opened_and_nobody_is_accused(world, prover):
    round_ = world.open(rule=spec.Rule.SUM32, rule_param=2)
    round_.relay()
    with pytest.raises(EvidenceError, match="masked"):
        check_proof(prover.prove_update(round_.round_id, 1), data=b"")


def test_a_proof_as_of_a_block_shows_the_round_as_it_was_then(world, prover):
    round_ = world.open().commit()
    block = world.chain.get_confirmed_block()
    finish(round_)
    assert check_proof(prover.prove_round(round_.round_id, at_block=block)).facts["phase"] is spec.Phase.OPEN
    with pytest.raises(NotFoundError, match="not finalised"):
        prover.prove_model(round_.round_id, at_block=block)
    with pytest.raises(NotFoundError, match="no round"):
        prover.prove_round(round_.round_id, at_block=block - 2)
    assert check_proof(prover.prove_round(round_.round_id)).facts["phase"] is spec.Phase.FINALISED


def test_a_dishonest_list_of_members_leaves_inclusion_unproven(world, prover):
    round_ = world.open().commit().compute()
    round_.propose(members_root=b"\x66" * 32)
    found = check_proof(prover.prove_update(round_.round_id, 1))
    assert found.facts["included"] is None and "included" in found.gaps[0]
