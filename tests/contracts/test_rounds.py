"""Rounds on a real node: every deadline is for anybody to act on, and hashes are those of `spec`."""

import pytest
from web3.logs import DISCARD

from ledger import spec

pytestmark = pytest.mark.chain
AGGREGATOR = 501


AUX = b"what the rule asks for"


def make_proposal(round_id=0):
    """A proposal of five clients."""
    names = ("aggregate_root", "matrix_root", "model_root", "members_root", "data_id")
    digests = {name: spec.keccak256(b"%d %d" % (i, round_id)) for i, name in enumerate(names)}
    return spec.Proposal(**digests, committed=5)


def propose(fresh, round_id, excluded=b""):
    """Pass the data phase and propose; returns the proposal."""
    proposal = make_proposal(round_id)
    fresh.move_to(fresh.round(round_id)["dataEnd"] + 1)
    fresh.send(fresh.ledger.functions.propose(round_id, proposal.fields(), excluded, AUX))
    return proposal


@pytest.fixture
def round_id(fresh):
    opened = fresh.open_round(fresh.create_task(), AGGREGATOR)
    fresh.send(fresh.ledger.functions.commitBatch(opened, fresh.batch(opened, range(1, 6))))
    return opened


def test_finalised_round_extends_the_head_as_spec_computes_it(fresh, round_id):
    excluded = spec.encode_exclusions([(2, 713)])
    told = {"segments_hash": fresh.round(round_id)["segmentsHash"], "excluded": excluded, "aux": AUX, "included": 4}
    proposal = propose(fresh, round_id, excluded)
    stored = fresh.round(round_id)
    digest = spec.compute_proposal_hash(round_id, proposal, **told)
    assert (stored["proposalHash"], stored["segmentsHash"]) == (digest, bytes(32))
    fresh.move_to(stored["challengeEnd"] + 1)
    finalise = fresh.ledger.functions.finalise(round_id, spec.make_outcome(proposal, **told).fields())
    fresh.send(finalise, sender=fresh.web3.eth.accounts[7])
    task = stored["taskId"]
    model, rounds, current, head, bonded = fresh.ledger.functions.taskState(task).call()
    assert (model, rounds, current, bonded) == (proposal.model_root, 1, round_id, True)
    assert head == spec.compute_head(bytes(32), round_id, digest)


def test_anybody_expires_a_round_and_the_aggregator_pays_a_tenth(fresh, round_id):
    end = fresh.round(round_id)["proposeEnd"]
    stranger = fresh.web3.eth.accounts[7]
    name, _, from_, _ = fresh.refusal(fresh.ledger.functions.expire(round_id), sender=stranger)
    assert (name, from_) == ("TooEarly", end + 1)
    before = fresh.registry.functions.participant(AGGREGATOR).call()[5]
    fresh.move_to(end + 1)
    fresh.send(fresh.ledger.functions.expire(round_id), sender=stranger)
    after = fresh.registry.functions.participant(AGGREGATOR).call()[5]
    assert before - after == 10**18 // 20 == fresh.registry.functions.burntWei().call()


def test_late_proposal_is_refused(fresh, round_id):
    end = fresh.round(round_id)["proposeEnd"]
    fresh.move_to(end + 1)
    late = fresh.ledger.functions.propose(round_id, make_proposal().fields(), b"", b"")
    assert fresh.refusal(late)[:3] == ("TooLate", round_id, end)


def test_exclusion_of_a_client_that_did_not_commit_is_refused(fresh, round_id):
    fresh.move_to(fresh.round(round_id)["dataEnd"] + 1)
    excluded = spec.encode_exclusions([(6, 713)])
    wrong = fresh.ledger.functions.propose(round_id, make_proposal().fields(), excluded, b"")
    assert fresh.refusal(wrong) == ("WrongExclusions", round_id)


def test_round_below_its_quorum_is_abandoned_not_proposed(fresh, round_id):
    excluded = spec.encode_exclusions([(1, 701), (2, 701), (3, 701)])
    fresh.move_to(fresh.round(round_id)["dataEnd"] + 1)
    proposal = make_proposal()
    propose_call = fresh.ledger.functions.propose(round_id, proposal.fields(), excluded, b"")
    assert fresh.refusal(propose_call) == ("QuorumNotMet", round_id, 2, 3)
    receipt = fresh.send(fresh.ledger.functions.abandon(round_id, proposal.data_id, excluded))
    (event,) = fresh.ledger.events.Abandoned().process_receipt(receipt, errors=DISCARD)
    assert (event["args"]["included"], event["args"]["excluded"]) == (2, excluded)
    assert fresh.round(round_id)["phase"] == spec.Phase.ABANDONED


def test_nobody_is_court_where_there_is_none(fresh, round_id):
    propose(fresh, round_id)
    strike = fresh.ledger.functions.void(round_id, bytes(32), fresh.web3.eth.accounts[0], bytes(32))
    assert fresh.refusal(strike)[0] == "NotCourt"
