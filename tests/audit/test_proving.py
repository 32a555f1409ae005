"""Which proof answers which lie; that the court accepts them is tested on a node (tests/chain/test_disputes.py)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from round_maker import RoundMaker, base_values, fetched, make_task, update_values

from ledger import disputes, spec
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


WEIGHTED = make_task(rule=spec.Rule.WEIGHTED_MEAN, rule_param=0)


def test_a_wrong_weighted_mean_is_proved_by_one_column_and_the_posted_weights() -> None:
    assert proof_of(RoundMaker(task=WEIGHTED, aggregate_lie={3: -1}).record()) == "proveWeightedColumn"


def test_a_weighted_mean_under_a_wrong_matrix_is_proved_from_the_updates_themselves() -> None:
    record = RoundMaker(task=WEIGHTED, aggregate_lie={3: -1}).record()
    assert record.proposal is not None
    lied = replace(record, proposal=replace(record.proposal, matrix_root=b"\xbb" * 32))
    assert proof_of(lied) == "proveDirect"


def test_a_wrong_weight_is_proved_by_one_update() -> None:
    record = RoundMaker(task=WEIGHTED, weights={5: 51}).record()
    proof = make_proof(record, replay(record))
    assert (proof.function, proof.arguments[2]) == ("proveWeight", 2)


def test_a_wrong_number_of_weights_is_proved_without_any_opening() -> None:
    record = RoundMaker(task=WEIGHTED).record()
    record = replace(record, aux=record.aux[:-4])
    proof = make_proof(record, replay(record))
    assert (proof.function, proof.arguments[-1]) == ("proveWeight", b"")


def test_clients_that_nobody_counted_right_are_proved_from_the_commitments() -> None:
    record = RoundMaker(task=make_task(mode=spec.CommitMode.ACCUMULATED), count_lie=1).record()
    assert proof_of(record) == "proveMembers"


ROOT_ONLY = make_task(mode=spec.CommitMode.ROOT_ONLY)


def test_a_forged_entry_of_a_list_is_proved_by_that_entry() -> None:
    record = RoundMaker(task=ROOT_ONLY, forged={5}).record()
    proof = make_proof(record, replay(record))
    assert (proof.function, proof.arguments[2]) == ("proveWrongEntry", 2)
    assert len(proof.arguments[-1]) == 100 + 3 * 32


def test_a_list_that_does_not_rise_is_proved_by_two_entries() -> None:
    record = replace(RoundMaker(task=ROOT_ONLY, swapped=True).record(), segments=(), signers={})
    proof = make_proof(record, replay(record))
    assert (proof.function, proof.arguments[2]) == ("proveWrongEntry", 1)
    assert len(proof.arguments[-1]) == 2 * (100 + 3 * 32)


def test_a_list_whose_root_is_another_one_cannot_be_opened_and_says_so() -> None:
    record = RoundMaker(task=ROOT_ONLY, forged={5}).record()
    with pytest.raises(NotFoundError, match="not the one whose root was posted"):
        proof_of(replace(record, segments_hash=b"\xbb" * 32))


def test_the_smallest_of_several_proofs_is_taken() -> None:
    record = RoundMaker(task=WEIGHTED, aggregate_lie={3: -1}, weights={5: 51}).record()
    assert [finding.clause for finding in replay(record).findings] == ["11", "7"]
    assert proof_of(record) == "proveWeight"


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
    root = spec.compute_vector_root(model, record.task.model_log2)
    lied = replace(record, model=fetched(blob), proposal=replace(record.proposal, model_root=root))
    stored = spec.compute_proposal_hash(
        record.round_id,
        lied.proposal,  # type: ignore[arg-type]
        segments_hash=record.segments_hash,
        excluded=b"",
        aux=b"",
        included=5,
    )
    record = replace(lied, proposal_hash=stored)
    proof = make_proof(record, replay(record))
    assert (proof.function, proof.arguments[2]) == ("proveModelStep", 7)


def lie_in_matrix(record: RoundRecord, *, slot: int, coordinate: int) -> tuple[RoundRecord, Callable[[int], bytes]]:
    """Return a round whose matrix holds one wrong value, and what opens a leaf of that matrix."""
    matrix = np.array([update_values(client) for client in (2, 3, 5, 8, 9)], dtype=np.int32)
    matrix[slot, coordinate] += 1
    assert record.proposal is not None
    root = spec.compute_matrix_root(matrix.tolist(), record.task.matrix_log2)
    lied = replace(record, proposal=replace(record.proposal, matrix_root=root))
    return lied, lambda leaf: disputes.encode_matrix_opening(matrix, 1, leaf << 1)


def test_a_wrong_matrix_is_proved_by_a_leaf_that_somebody_has_shown() -> None:
    record, open_leaf = lie_in_matrix(RoundMaker().record(), slot=3, coordinate=13)
    report = replay(record)
    matrix = [finding for finding in report.findings if finding.clause == "8"]
    report = replace(report, findings=tuple(matrix))
    with pytest.raises(NotFoundError, match="demand one"):
        make_proof(record, report, {leaf: open_leaf(leaf) for leaf in (0, 5, 9)})
    proof = make_proof(record, report, {leaf: open_leaf(leaf) for leaf in (5, 6)})
    assert (proof.function, proof.arguments[2:4]) == ("proveTranspose", (13, 3))
    client = proof.arguments[-1][len(open_leaf(6)) :][:4]
    assert client == (8).to_bytes(4, "big")


def test_an_aggregate_that_was_withheld_cannot_be_opened_and_says_so() -> None:
    record = replace(RoundMaker(aggregate_lie={13: 1}).record(), aggregate=NOTHING)
    with pytest.raises(NotFoundError, match="was not published"):
        proof_of(record)


def test_a_wrong_mean_of_those_that_krum_chooses_is_proved_by_the_posted_distances() -> None:
    task = make_task(rule=spec.Rule.KRUM, rule_param=1)
    record = RoundMaker(task=task, aggregate_lie={0: 1}).record()
    proof = make_proof(record, replay(record))
    assert (proof.court, proof.function, proof.arguments[2]) == ("krum_court", "proveSelectionColumn", 0)


def test_missing_evidence_proves_nothing() -> None:
    record = RoundMaker().record()
    record.updates[5] = NOTHING
    with pytest.raises(NotFoundError, match=r"check \(4\)"):
        proof_of(record)
