"""The run that auditors' tests share is what they take it for."""

import pytest
from audited_run import AuditedRun

from ledger.audit import replay
from ledger.history import load_round
from ledger.records import Grade, Verdict
from ledger.spec import Phase

pytestmark = pytest.mark.chain


def test_the_audited_run_has_honest_rounds_an_exclusion_and_a_round_that_was_struck(audited_run: AuditedRun) -> None:
    phases = {number: audited_run.chain.get_round(number).phase for number in audited_run.round_ids}
    assert phases == {1: Phase.FINALISED, 2: Phase.FINALISED, 3: Phase.VOIDED, 4: Phase.FINALISED}
    assert (audited_run.excluding, audited_run.voided, audited_run.final) == (2, 3, [1, 2, 4])
    for number in audited_run.final:
        report = replay(load_round(audited_run.chain, audited_run.store, number))
        assert (report.verdict, report.grade) == (Verdict.PASS, Grade.PROVEN)
