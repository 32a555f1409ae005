"""Replay of rounds whose task asks for a validation: who was rejected, rightly or not, and what cannot be told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from round_maker import DOMAIN, LAYOUT, SIZE, RoundMaker, fetched, make_task, update_values

from ledger import spec
from ledger.audit import cohorts, replay
from ledger.layout import KNOWN_TERMS
from ledger.records import NOTHING, Grade, RoundRecord, Verdict

LOOSE = "stale(95)+duplicate(99)+norm(500)+faint(10)+distance(500)"
CLIENTS = (2, 3, 5, 8, 9, 11, 12)
LONG = [1000] * SIZE
"""norm 4472; that of update_values is about 500."""


def make_round(text: str = LOOSE, *, sent: dict[int, list[int]] | None = None, **lies: dict[int, int]) -> RoundRecord:
    """Return the record of a round under a validation. Args: sent: other updates than honest ones, by client."""
    maker = RoundMaker(clients=CLIENTS, **lies)  # type: ignore[arg-type]
    for client, values in (sent or {}).items():
        maker.published[client] = maker.committed[client] = maker.blob(client, values)
    return with_terms(maker.record(), [("validation", text)])


def with_terms(record: RoundRecord, terms: Sequence[tuple[str, str]]) -> RoundRecord:
    return replace(record, layout=replace(LAYOUT, terms=tuple(terms)))


def with_previous(record: RoundRecord, values: list[int]) -> RoundRecord:
    """Return the record of a round before which the task's aggregate was `values`."""
    header = RoundMaker().header(spec.Kind.AGGREGATE, 1)
    root = spec.compute_vector_root(values, record.task.model_log2)
    blob = spec.encode_vector(header, spec.encode_int32(values))
    return replace(record, previous_round=3, previous_root=root, previous_aggregate=fetched(blob))


def findings(record: RoundRecord) -> list[tuple[str, str, int | None]]:
    return [(f.clause, f.error.code, f.participant) for f in replay(record).findings]


def test_a_round_in_which_nobody_is_rejected_passes() -> None:
    report = replay(make_round())
    assert (report.verdict, report.grade, report.rejections) == (Verdict.PASS, Grade.PROVEN, ())


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        pytest.param(LONG, 733, id="too-long"),
        pytest.param([0] * SIZE, 730, id="zeros"),
        pytest.param([1] + [0] * (SIZE - 1), 734, id="faint"),
        pytest.param([x + (i == 0) for i, x in enumerate(update_values(3))], 732, id="duplicate"),
    ],
)
def test_a_client_that_is_rejected_for_its_reason_is_told_with_both_values(sent: list[int], reason: int) -> None:
    report = replay(make_round(sent={11: sent}, reasons={11: reason}))
    assert (report.verdict, report.grade) == (Verdict.PASS, Grade.PROVEN)
    assert [(e.detail["client"], e.code) for e in report.rejections] == [(11, f"FT{reason}")]


def test_a_client_that_sends_the_last_aggregate_again_is_rejected_as_stale() -> None:
    before = [(-1) ** i * (100 + i) for i in range(SIZE)]
    record = make_round(sent={11: [2 * x for x in before]}, reasons={11: 731})
    assert replay(with_previous(record, before)).verdict is Verdict.PASS
    assert findings(with_previous(record, [1000] + [0] * (SIZE - 1))) == [("12", "FT706", 1)]
    assert findings(record) == [("12", "FT706", 1)]  # there was no round before


def test_an_honest_client_that_is_rejected_accuses_the_aggregator() -> None:
    (finding,) = replay(make_round(reasons={5: 733})).findings
    assert (finding.clause, finding.error.code, finding.participant) == ("12", "FT706", 1)
    assert (finding.error.detail["got"], finding.error.detail["want"]) == ("FT733", "within all limits")


def test_a_client_that_was_not_rejected_is_found_with_both_values() -> None:
    report = replay(make_round("norm(105)"))
    assert report.verdict is Verdict.FAIL
    told = {f.error.detail["client"]: f.error.detail for f in report.findings}
    assert {f.clause for f in report.findings} == {"12"}
    assert {detail["got"] for detail in told.values()} == {"included"}
    assert "times the median, the limit is 1.05" in str(told[11]["want"])
    assert any(report.aggregate_root)  # the rest of the round was judged all the same


def test_a_client_that_is_rejected_for_another_reason_than_its_own_is_found() -> None:
    (finding,) = replay(make_round(sent={11: LONG}, reasons={11: 735})).findings
    assert finding.clause == "12"
    assert str(finding.error.detail["want"]).startswith("FT733")


def test_a_rejection_in_a_task_that_asks_for_none_accuses_the_aggregator() -> None:
    assert findings(with_terms(make_round(reasons={5: 733}), [])) == [("5", "FT706", 1)]


def test_a_rejected_update_that_is_not_as_committed_is_judged_by_itself_alone() -> None:
    record = make_round(reasons={5: 733})
    broken = fetched(RoundMaker(clients=CLIENTS).blob(5, LONG))
    assert findings(replace(record, updates={**record.updates, 5: broken})) == [("5", "FT706", 1)]


def test_a_cohort_with_a_gap_is_not_judged_and_nobody_accused() -> None:
    record = make_round(reasons={5: 733})
    assert findings(replace(record, updates={**record.updates, 8: NOTHING})) == [("4", "FT801", 8)]


def test_who_is_excluded_as_unavailable_is_no_part_of_the_cohort() -> None:
    report = replay(make_round(reasons={9: 801}, sent={9: update_values(3), 12: LONG}))
    assert [f.error.detail["client"] for f in report.findings if f.clause == "12"] == [12]


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        pytest.param([("shape", "round")], "FT803", id="unknown"),
        pytest.param([("validation", "norm(3)")], "FT803", id="unreadable"),
        pytest.param([("masking", "?")], "FT803", id="unreadable-masking"),
        pytest.param([("noise", "?")], "FT803", id="unreadable-noise"),
        pytest.param([("validation", LOOSE), ("zone", "1")], "FT803", id="unknown-beside-a-known-one"),
    ],
)
def test_a_term_that_cannot_be_judged_never_passes_and_accuses_nobody(terms: list[tuple[str, str]], code: str) -> None:
    for reasons in ({}, {5: 733}, {5: 999}):
        report = replay(with_terms(make_round(reasons=reasons), terms))
        assert [(f.clause, f.error.code) for f in report.findings] == [("12", code)]
        assert report.verdict is Verdict.INCOMPLETE


def test_every_known_term_has_what_reads_it() -> None:
    assert tuple(cohorts._READERS) == KNOWN_TERMS


def test_an_update_that_is_broken_is_found_under_unknown_terms_too() -> None:
    maker = RoundMaker(clients=CLIENTS, reasons={5: 711})
    maker.published[5] = maker.blob(5) + b"!"
    maker.published[8] = maker.blob(8, [1] * SIZE)
    record = with_terms(maker.record(), [("shape", "round")])
    assert [f[:2] for f in findings(record)] == [("4", "FT701"), ("12", "FT803")]


def test_a_layout_that_is_not_there_hides_terms_so_that_no_round_passes() -> None:
    record = replace(RoundMaker().record(), layout=None)
    assert findings(record) == [("12", "FT801", None)]
    assert replay(record).verdict is Verdict.INCOMPLETE


def test_updates_under_masks_cannot_be_validated() -> None:
    record = make_round()
    masked = make_task(rule=spec.Rule.SUM32, rule_param=4)
    with pytest.raises(cohorts.errors.UnknownTerm, match="under masks"):
        cohorts.read_validation(replace(record, task=masked))


@pytest.mark.parametrize("lost", [lambda r: replace(r, previous_aggregate=NOTHING), lambda r: _with_other_bytes(r)])
def test_without_the_aggregate_before_the_cohort_cannot_be_judged(lost: Callable[[RoundRecord], RoundRecord]) -> None:
    record = lost(with_previous(make_round(reasons={5: 733}), update_values(77)))
    assert findings(record) == [("12", "FT801", None)]


def _with_other_bytes(record: RoundRecord) -> RoundRecord:
    assert record.previous_aggregate.data is not None
    return replace(record, previous_aggregate=fetched(record.previous_aggregate.data[:-1] + b"\x7f"))


def test_a_wrong_fast_path_accuses_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    everybody = {client: spec.ZeroUpdate(client=client) for client in CLIENTS}
    monkeypatch.setattr(cohorts.aggregation, "judge_cohort", lambda *_: everybody)
    assert replay(make_round()).verdict is Verdict.PASS


def test_the_aggregator_rejects_by_the_function_that_auditors_use() -> None:
    record = make_round(sent={11: LONG})
    updates = {c: np.array(LONG if c == 11 else update_values(c), dtype=np.int32) for c in CLIENTS}
    assert {c: e.code for c, e in cohorts.judge_cohort(record, updates).items()} == {11: "FT733"}
    assert record.domain_separator == DOMAIN
