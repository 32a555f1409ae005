"""Change one field of an honest round, expect one finding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from round_maker import RoundMaker, fetched, make_task

from ledger import errors, spec
from ledger.audit import replay
from ledger.records import NOTHING, Fetched, Grade, RoundRecord, Verdict


def codes(record: RoundRecord) -> list[str]:
    return [finding.error.code for finding in replay(record).findings]


def test_an_honest_round_passes_and_is_proven() -> None:
    report = replay(RoundMaker().record())
    assert (report.verdict, report.grade, report.findings) == (Verdict.PASS, Grade.PROVEN, ())
    assert report.included == report.committed == 5


@pytest.mark.parametrize("rule", ["mean", "weighted-mean", "median", "krum", "multi-krum", "sum32"])
def test_an_honest_round_passes_under_every_rule(rule: str) -> None:
    number = spec.RULE_NAMES[rule]
    changes = {"krum": {"rule_param": 1}, "multi-krum": {"rule_param": 1, "rule_select": 2}}.get(
        rule, {"rule_param": 0}
    )
    assert replay(RoundMaker(task=make_task(rule=number, **changes)).record()).verdict is Verdict.PASS


def test_an_honest_round_passes_in_every_mode() -> None:
    for mode in spec.CommitMode:
        report = replay(RoundMaker(task=make_task(mode=mode)).record())
        assert (mode, report.verdict, report.findings) == (mode, Verdict.PASS, ())
        assert report.committed == 5


WEIGHTED = make_task(rule=spec.Rule.WEIGHTED_MEAN, rule_param=0, wei_per_weight=3)


def test_a_weight_is_limited_by_the_stake() -> None:
    stakes = {2: 30, 3: 300, 5: 2, 8: 7, 9: 900}
    record = RoundMaker(task=WEIGHTED, stakes=stakes).record()
    assert spec.decode_weights(record.aux, count=5) == (10, 30, 0, 2, 90)
    assert replay(record).verdict is Verdict.PASS


def test_a_posted_weight_that_is_not_the_clients_is_found_and_named() -> None:
    stakes = dict.fromkeys((2, 3, 5, 8, 9), 10**18)
    report = replay(RoundMaker(task=WEIGHTED, stakes=stakes, weights={8: 81}).record())
    assert [(f.clause, f.error.code, f.participant) for f in report.findings] == [("11", "FT702", 1), ("7", "FT702", 1)]
    assert "weight 3: 80, proposed 81" in report.findings[0].error.message


@pytest.mark.parametrize("rule", [spec.Rule.KRUM, spec.Rule.MULTI_KRUM], ids=lambda rule: rule.name.lower())
def test_a_posted_distance_that_is_not_that_of_the_updates_is_found(rule: spec.Rule) -> None:
    task = make_task(rule=rule, rule_param=1, rule_select=2 if rule is spec.Rule.MULTI_KRUM else 0)
    record = RoundMaker(task=task).record()
    report = replay(replace(record, aux=record.aux[:-1] + bytes([record.aux[-1] ^ 1])))
    assert [f.clause for f in report.findings] == ["6", "11"]
    assert "distance 9: " in report.findings[1].error.message


def test_auxiliary_data_of_another_length_are_found() -> None:
    record = RoundMaker().record()
    report = replay(replace(record, aux=b"x"))
    assert [f.clause for f in report.findings] == ["6", "11"]
    assert "length of the auxiliary data: 0 bytes, proposed 1" in report.findings[1].error.message


ACCUMULATED, ROOT_ONLY = (make_task(mode=mode) for mode in (spec.CommitMode.ACCUMULATED, spec.CommitMode.ROOT_ONLY))


def test_an_aggregator_that_counts_a_client_twice_is_found() -> None:
    report = replay(RoundMaker(task=ACCUMULATED, count_lie=1).record())
    assert [(f.clause, f.error.code, f.participant) for f in report.findings] == [("6", "FT702", 1)]
    assert "count: clients" in report.findings[0].error.message


def test_a_list_that_is_not_there_is_a_gap_and_accuses_nobody() -> None:
    record = replace(RoundMaker(task=ROOT_ONLY).record(), signed_list=NOTHING, segments=(), signers={})
    report = replay(record)
    assert (report.verdict, [f.error.code for f in report.findings]) == (Verdict.INCOMPLETE, ["FT801"])
    assert "list of commitments" in report.findings[0].error.message


def test_a_forged_entry_of_a_list_accuses_the_aggregator() -> None:
    report = replay(RoundMaker(task=ROOT_ONLY, forged={5}).record())
    assert [(f.clause, f.error.code, f.participant) for f in report.findings] == [("1", "FT717", 1)]
    assert "client 5" in report.findings[0].error.message


def test_an_entry_of_a_client_that_was_not_active_accuses_the_aggregator() -> None:
    record = RoundMaker(task=ROOT_ONLY).record()
    del record.signers[5]
    assert "no active client" in replay(record).findings[0].error.message


def test_a_list_that_does_not_rise_accuses_the_aggregator() -> None:
    record = replace(RoundMaker(task=ROOT_ONLY, swapped=True).record(), segments=(), signers={})
    assert [(f.error.code, f.participant) for f in replay(record).findings] == [("FT722", 1)]


def test_another_list_than_the_roots_accuses_the_aggregator() -> None:
    record = replace(RoundMaker(task=ROOT_ONLY).record(), segments_hash=BAD)
    assert [(f.error.code, f.participant) for f in replay(record).findings] == [("FT701", 1)]


def test_one_changed_coordinate_of_the_aggregate_is_named_with_its_tensor() -> None:
    report = replay(RoundMaker(aggregate_lie={13: 1}).record())
    assert [f.error.code for f in report.findings] == ["FT702"]
    assert report.findings[0].participant == 1
    assert "tensor fc.bias[1], coordinate 13" in report.findings[0].error.message
    with pytest.raises(errors.ReplayMismatch) as raised:
        report.raise_for_status()
    assert raised.value.exit_status == 7


def test_a_wrong_aggregate_is_found_although_its_values_were_withheld() -> None:
    record = replace(RoundMaker(aggregate_lie={0: -1}).record(), aggregate=NOTHING)
    assert codes(record) == ["FT702"]


def test_a_flipped_byte_in_a_published_update_names_client_and_round() -> None:
    maker = RoundMaker()
    blob = bytearray(maker.blob(5))
    blob[-4] ^= 1  # the lowest bit of the last value: it stays in range
    report = replay(RoundMaker(published={5: bytes(blob)}).record())
    assert [f.error.code for f in report.findings] == ["FT701"]
    assert "round 2, client 5" in report.findings[0].error.message
    assert report.verdict is Verdict.FAIL


def test_a_corrupt_block_of_an_update_is_tampering_not_absence() -> None:
    record = RoundMaker().record()
    problem = errors.BlobCorrupt(cid="bafk-corrupt", got="00ff")
    record.updates[5] = Fetched(cid="bafk", data=None, problem=problem)
    assert codes(record) == ["FT701"]


def test_an_absent_update_is_incomplete_and_accuses_nobody() -> None:
    record = RoundMaker().record()
    record.updates[8] = Fetched(cid="bafk-gone", data=None)
    report = replay(record)
    assert (report.verdict, report.grade) == (Verdict.INCOMPLETE, Grade.MISSING)
    assert [f.error.code for f in report.findings] == ["FT801"]
    assert not any(f.accuses for f in report.findings)
    with pytest.raises(errors.Unavailable) as raised:
        report.raise_for_status()
    assert raised.value.exit_status == 8


@pytest.mark.parametrize("part", ["manifest", "base"])
def test_an_absent_manifest_or_base_model_is_incomplete(part: str) -> None:
    assert codes(replace(RoundMaker().record(), **{part: NOTHING})) == ["FT801"]


def test_an_absent_aggregate_and_model_do_not_hinder_the_replay() -> None:
    assert replay(replace(RoundMaker().record(), aggregate=NOTHING, model=NOTHING)).verdict is Verdict.PASS


def test_a_replaced_base_model_is_found() -> None:
    record = RoundMaker().record()
    assert record.base.data is not None
    other = record.base.data[:-1] + bytes([record.base.data[-1] ^ 1])
    assert codes(replace(record, base=fetched(other))) == ["FT801"]


Change = Callable[[RoundRecord], RoundRecord]
BAD = b"\xbb" * 32


def _with_proposal(**changes: bytes) -> Change:
    return lambda record: replace(record, proposal=replace(record.proposal, **changes))


@pytest.mark.parametrize(
    ("change", "want"),
    [
        (_with_proposal(matrix_root=BAD), ["FT702", "FT702"]),
        (_with_proposal(members_root=BAD), ["FT702", "FT702"]),
        (_with_proposal(model_root=BAD), ["FT702", "FT702"]),
        (lambda r: replace(r, proposal_hash=BAD), ["FT702"]),
        (lambda r: replace(r, previous_model=BAD), ["FT707"]),
        (lambda r: replace(r, committed=6), ["FT705"]),
        (lambda r: replace(r, segments_hash=BAD), ["FT705", "FT702"]),
        (lambda r: replace(r, segments=r.segments[:1]), ["FT705", "FT706"]),
        (lambda r: replace(r, exclusions=((2, 801),)), ["FT706"]),
    ],
    ids=["matrix", "members", "model", "stored-hash", "lineage", "counter", "rolling-hash", "segment", "exclusions"],
)
def test_one_changed_fact_of_the_chain_is_found(change: Change, want: list[str]) -> None:
    assert codes(change(RoundMaker().record())) == want


def test_a_finalised_round_is_a_link_of_the_tasks_hash_chain() -> None:
    record = RoundMaker().record()
    head = spec.compute_head(record.previous_head, record.round_id, record.proposal_hash)
    finalised = replace(record, phase=spec.Phase.FINALISED, head=head)
    assert replay(finalised).verdict is Verdict.PASS
    for change in ({"head": BAD}, {"previous_head": BAD}):
        assert codes(replace(finalised, **change)) == ["FT701"]  # type: ignore[arg-type]


def test_a_rolling_hash_that_the_contract_keeps_no_longer_is_not_missed() -> None:
    ended = {"proposal": None, "data_id": spec.ZERO_DIGEST, "segments_hash": spec.ZERO_DIGEST}
    record = replace(RoundMaker().record(), phase=spec.Phase.EXPIRED, **ended)  # type: ignore[arg-type]
    assert replay(record).verdict is Verdict.NOTHING
    assert codes(replace(record, segments=record.segments[:1])) == ["FT705"]


def test_two_swapped_updates_are_found() -> None:
    record = RoundMaker().record()
    record.updates[3], record.updates[5] = record.updates[5], record.updates[3]
    assert codes(record) == ["FT706", "FT706"]


def test_an_update_excluded_for_a_true_reason_passes_and_is_proven() -> None:
    maker = RoundMaker(reasons={5: 710})
    maker.published[5] = maker.blob(5)[:-1]
    report = replay(maker.record())
    assert (report.verdict, report.grade) == (Verdict.PASS, Grade.PROVEN)
    assert (report.included, report.committed) == (4, 5)


def test_an_update_excluded_although_it_is_valid_accuses_the_aggregator() -> None:
    report = replay(RoundMaker(reasons={5: 710}).record())
    assert [f.error.code for f in report.findings] == ["FT706"]
    assert report.findings[0].participant == 1


def test_an_update_excluded_for_another_reason_than_its_own_is_found() -> None:
    maker = RoundMaker(reasons={5: 715})
    maker.published[5] = maker.blob(5)[:-1]
    assert codes(maker.record()) == ["FT706"]


def test_bytes_that_the_client_never_signed_for_cannot_exclude_it() -> None:
    maker = RoundMaker(reasons={5: 710}, unsigned={5})
    maker.published[5] = maker.blob(5)[:-1]
    assert codes(maker.record()) == ["FT706"]


def test_a_broken_update_that_was_included_is_found() -> None:
    maker = RoundMaker()
    maker.published[5] = maker.blob(5)[:-1]
    assert codes(maker.record()) == ["FT706"]


def test_a_client_that_never_published_is_attested_only() -> None:
    report = replay(RoundMaker(reasons={5: 801}, silent={5}).record())
    assert (report.verdict, report.grade) == (Verdict.PASS, Grade.ATTESTED)
    assert "client 5" in report.attested[0]


def test_a_client_excluded_as_unavailable_whose_update_is_there_is_attested_only() -> None:
    report = replay(RoundMaker(reasons={5: 801}).record())
    assert (report.verdict, report.grade) == (Verdict.PASS, Grade.ATTESTED)


def test_a_manifest_that_forgets_a_client_is_found() -> None:
    record = RoundMaker(clients=(2, 3, 5, 8, 9)).record()
    shorter = RoundMaker(clients=(2, 3, 5, 8)).record()
    assert codes(replace(record, manifest=shorter.manifest)) == ["FT706"]


def test_a_round_without_a_proposal_has_nothing_to_replay() -> None:
    record = replace(RoundMaker().record(), proposal=None, data_id=spec.ZERO_DIGEST, phase=spec.Phase.EXPIRED)
    assert replay(record).verdict is Verdict.NOTHING


def test_a_wrong_fast_path_accuses_nobody() -> None:
    def broken(params: spec.RuleParams, updates: list[np.ndarray], examples: object) -> np.ndarray:
        return np.zeros(len(updates[0]), dtype=np.int32)

    assert replay(RoundMaker().record(), broken).verdict is Verdict.PASS


def test_a_wrong_fast_path_of_the_auxiliary_data_accuses_nobody() -> None:
    record = RoundMaker().record()
    assert replay(record, make_aux=lambda params, updates, weights: b"wrong").verdict is Verdict.PASS


def test_a_store_that_does_not_answer_accuses_nobody() -> None:
    record = RoundMaker().record()
    down = errors.StoreUnreachable(address="/ip4/127.0.0.1/tcp/1", reason="connection refused")
    record.updates[5] = Fetched(cid="bafk", data=None, problem=down)
    report = replay(record)
    assert (report.verdict, [f.error.code for f in report.findings]) == (Verdict.INCOMPLETE, ["FT801"])
    assert "connection refused" in report.findings[0].error.message
    gone = Fetched(cid="bafk", data=None, problem=down)
    assert codes(replace(RoundMaker().record(), manifest=gone)) == ["FT801"]


def test_a_corrupt_manifest_in_the_store_is_an_integrity_failure_that_names_nobody() -> None:
    corrupt = Fetched(cid="bafk", data=None, problem=errors.BlobCorrupt(cid="bafk", got="00ff"))
    report = replay(replace(RoundMaker().record(), manifest=corrupt))
    assert [(f.error.code, f.participant) for f in report.findings] == [("FT708", None)]


def test_a_round_abandoned_with_exclusions_and_no_manifest_is_incomplete() -> None:
    record = RoundMaker(reasons={5: 710}).record()
    abandoned = replace(record, phase=spec.Phase.ABANDONED, proposal=None, data_id=spec.ZERO_DIGEST, manifest=NOTHING)
    report = replay(abandoned)
    assert (report.verdict, [f.error.code for f in report.findings]) == (Verdict.INCOMPLETE, ["FT801"])


def test_the_exclusions_of_an_abandoned_round_are_checked() -> None:
    maker = RoundMaker(reasons={5: 710})
    maker.published[5] = maker.blob(5)[:-1]
    honest = replace(maker.record(), phase=spec.Phase.ABANDONED, proposal=None)
    assert replay(honest).verdict is Verdict.NOTHING
    lie = replace(RoundMaker(reasons={5: 710}).record(), phase=spec.Phase.ABANDONED, proposal=None)
    assert [(f.error.code, f.participant) for f in replay(lie).findings] == [("FT706", 1)]


def test_a_block_that_is_corrupt_here_does_not_accuse_the_aggregator_that_excluded_it() -> None:
    maker = RoundMaker(reasons={5: 710})
    maker.published[5] = maker.blob(5)[:-1]
    record = maker.record()
    record.updates[5] = Fetched(cid="bafk", data=None, problem=errors.BlobCorrupt(cid="bafk", got="00ff"))
    assert [(f.error.code, f.participant) for f in replay(record).findings] == [("FT701", 5)]


@pytest.mark.parametrize(
    ("change", "code"),
    [({"domain_separator": b"\xdd" * 32}, "FT719"), ({"round_id": 3}, "FT718")],
    ids=["another-ledger", "another-round"],
)
def test_a_manifest_of_another_ledger_or_round_is_found(change: dict[str, object], code: str) -> None:
    record = RoundMaker().record()
    assert record.manifest.data is not None
    other = replace(spec.decode_manifest(record.manifest.data), **change)  # type: ignore[arg-type]
    assert codes(replace(record, manifest=fetched(spec.encode_manifest(other)))) == [code]
