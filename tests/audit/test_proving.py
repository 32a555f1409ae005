"""Which proof answers which lie; that the court accepts them is tested on a node (tests/chain/test_disputes.py)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from round_maker import RoundMaker, base_values, fetched, make_task

from ledger import spec
from ledger.audit import replay
from ledger.errors import NotFoundError
from ledger.proving import make_proof
from ledger.records import NOTHING, RoundRecord


def proof_of(record: RoundRecord) -> str:
    return make_proof(record, replay(record)).function


def test_a_wrong_aggregate_is_proved_by_one_column() -> None:
    assert proof_of(RoundMaker(aggregate_lie={13: 1}).record()) == "proveColumn"


def test_a_wrong_aggregate_under_a_wrong_matrix_is_proved_from_the_updates_themselves() -> None:
    record = RoundMaker(aggregate_lie={13: 1}).record()
    assert record.proposal is not None
    lied = replace(record, proposal=replace(record.proposal, matrix_root=b"\xbb" * 32))
    assert proof_of(lied) == "proveDirect"


def test_a_wrong_weighted_mean_is_proved_from_the_updates_themselves() -> None:
    task = make_task(rule=spec.Rule.WEIGHTED_MEAN, rule_param=0)
    assert proof_of(RoundMaker(task=task, aggregate_lie={3: -1}).record()) == "proveDirect"


def test_a_wrong_member_list_is_proved_from_the_commitments() -> None:
    record = RoundMaker().record()
    assert record.proposal is not None
    assert proof_of(replace(record, proposal=replace(record.proposal, members_root=b"\xbb" * 32))) == "proveMembers"


def test_a_wrong_model_step_is_proved_by_three_leaves() -> None:
    maker = RoundMaker()
    record = maker.record()
    assert record.aggregate.data is not None
    aggregate = spec.decode_vector(record.aggregate.data, max_bytes=1000).values()
    honest = spec.apply_model_step(base_values(), aggregate)
    model = [*honest[:7], honest[7] + 1, *honest[8:]]
    blob = spec.encode_vector(maker.header(spec.Kind.MODEL, 1), spec.encode_int32(model))
    assert record.proposal is not None
    root = spec.compute_vector_root(model, record.task.leaf_log2)
    lied = replace(record, model=fetched(blob), proposal=replace(record.proposal, model_root=root))
    stored = spec.compute_proposal_hash(
        record.round_id,
        lied.proposal,  # type: ignore[arg-type]
        segments_hash=record.segments_hash,
        excluded=b"",
        included=5,
    )
    record = replace(lied, proposal_hash=stored)
    proof = make_proof(record, replay(record))
    assert (proof.function, proof.arguments[2]) == ("proveModelStep", 7)


def test_an_aggregate_that_was_withheld_cannot_be_opened_and_says_so() -> None:
    record = replace(RoundMaker(aggregate_lie={13: 1}).record(), aggregate=NOTHING)
    with pytest.raises(NotFoundError, match="was not published"):
        proof_of(record)


def test_krum_has_no_proof_yet() -> None:
    task = make_task(rule=spec.Rule.KRUM, rule_param=1)
    with pytest.raises(NotFoundError, match="cannot judge krum yet"):
        proof_of(RoundMaker(task=task, aggregate_lie={0: 1}).record())


def test_missing_evidence_proves_nothing() -> None:
    record = RoundMaker().record()
    record.updates[5] = NOTHING
    with pytest.raises(NotFoundError, match=r"check \(4\)"):
        proof_of(record)
