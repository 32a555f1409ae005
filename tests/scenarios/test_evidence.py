"""What somebody who trusts nobody finds from chain and store alone, and what that becomes before the court."""

import pytest
from ledger_world import UNAVAILABLE

from ledger import commitments, spec
from ledger.errors import NotFoundError
from ledger.records import Grade, Verdict

pytestmark = pytest.mark.chain


def strike(world, round_):
    """Let a stranger replay, prove and be paid."""
    round_.prove(round_.make_proof(), by=world.people.stranger)
    assert round_.phase is spec.Phase.VOIDED
    world.send("settle", round_.round_id)
    assert world.bill()["aggregator"] == -40_000


@pytest.mark.parametrize("mode", spec.CommitMode, ids=lambda mode: mode.name.lower())
def test_defended_an_honest_round_is_proven_from_chain_and_store_alone(world, mode):
    round_ = world.open(mode=mode).commit()
    round_.propose(data_id=round_.publish())
    report = round_.replay()
    assert (report.verdict, report.grade, report.included) == (Verdict.PASS, Grade.PROVEN, 4)


def test_defended_a_stranger_proves_a_wrong_aggregate_from_what_was_published(world):
    round_ = world.open().commit()
    round_.aggregate[33] += 1
    round_.model[33] += 1
    strike(world, round_.propose(data_id=round_.publish()))


def test_defended_a_stranger_proves_a_wrong_aggregate_although_the_matrix_is_garbage(world):
    round_ = world.open().commit()
    round_.aggregate[33] += 1
    strike(world, round_.propose(data_id=round_.publish(), matrix_root=b"\x66" * 32))


def test_defended_a_stranger_proves_a_wrong_model(world):
    round_ = world.open().commit()
    round_.model[44] -= 1
    strike(world, round_.propose(data_id=round_.publish()))


def test_defended_a_stranger_proves_a_missing_member(world):
    round_ = world.open().commit()
    left = spec.compute_members_root(round_.members[:3])
    strike(world, round_.propose(data_id=round_.publish(), members_root=left))


def test_defended_a_stranger_proves_a_wrong_weight(world):
    round_ = world.open(rule=spec.Rule.WEIGHTED_MEAN, wei_per_weight=10**17).commit()
    strike(world, round_.propose(data_id=round_.publish(), aux=spec.encode_weights([10, 20, 30, 39])))


def test_defended_a_wrong_matrix_alone_is_found(world):
    round_ = world.open().commit()
    round_.propose(data_id=round_.publish(), matrix_root=b"\x66" * 32)
    assert [(f.clause, f.participant) for f in round_.replay().findings] == [("8", world.aggregator)]


def test_defended_values_that_were_withheld_do_not_hide_a_wrong_aggregate_from_replay(world):
    round_ = world.open().commit()
    round_.propose(data_id=round_.publish(), aggregate_root=b"\x66" * 32)
    assert "FT702" in [finding.error.code for finding in round_.replay().findings]


def test_known_gap_without_a_board_values_that_were_withheld_hide_a_wrong_aggregate_from_the_court(world):
    """Nobody can open what nobody has. With a board its leaves are demanded, and the aggregator answers or pays."""
    round_ = world.open().commit()
    round_.propose(data_id=round_.publish(), aggregate_root=b"\x66" * 32)
    with pytest.raises(NotFoundError, match="not published"):
        round_.make_proof()


def test_defended_a_manifest_that_was_withheld_accuses_nobody(world):
    round_ = world.open().commit()
    round_.propose(data_id=round_.publish(manifest=False))
    report = round_.replay()
    assert report.verdict is Verdict.INCOMPLETE
    assert not any(finding.accuses for finding in report.findings)


def test_known_gap_without_a_board_a_round_whose_manifest_was_withheld_is_finalised(world):
    """Nobody can replay it, and nobody is accused. It flips once every task has a board."""
    round_ = world.open().commit()
    round_.propose(data_id=round_.publish(manifest=False)).finalise()
    assert world.bill() == {}


def test_known_gap_without_a_board_a_client_excluded_as_unavailable_has_the_aggregators_word_against_it(world):
    """Its update is there for everybody, and replay can say no more than that. It flips once every task has a board."""
    round_ = world.open().commit().leave_out(client_3=UNAVAILABLE)
    round_.propose(data_id=round_.publish())
    report = round_.replay()
    assert (report.verdict, report.grade) == (Verdict.PASS, Grade.ATTESTED)
    assert "its update is available now" in report.attested[0]


def test_defended_an_update_with_too_many_examples_counts_up_to_its_cap(world):
    round_ = world.open(rule=spec.Rule.WEIGHTED_MEAN, examples_cap=25).commit()
    assert round_.weights == [10, 20, 25, 25]
    round_.propose(data_id=round_.publish())
    assert round_.replay().verdict is Verdict.PASS


def test_known_gap_examples_that_nobody_has_are_believed_up_to_the_cap(world):
    """A client signs how many examples it trained on; nothing can show that it lies. It may never flip."""
    round_ = world.open(rule=spec.Rule.WEIGHTED_MEAN, examples_cap=1000)
    round_.examples[1] = spec.MAX_NUM_EXAMPLES
    assert round_.commit().weights[0] == 1000
    round_.propose(data_id=round_.publish())
    assert round_.replay().verdict is Verdict.PASS


def test_defended_a_proof_of_one_coordinate_is_enough_where_every_coordinate_is_wrong(world):
    round_ = world.open().commit()
    round_.aggregate[:] = 7
    round_.propose(data_id=round_.publish())
    proof = round_.make_proof()
    assert proof.size_bytes < 1000
    strike(world, round_)
    assert commitments.compute_vector_root(round_.aggregate, 4) == round_.claim.proposal.aggregate_root


def test_defended_who_lies_about_the_published_base_is_found(world):
    round_ = world.open().commit()
    round_.base = round_.base.copy()
    round_.base[0] ^= 1
    round_.propose(data_id=round_.publish())
    assert "9" in [finding.clause for finding in round_.replay().findings]
