"""Runs that mask in groups on a devnet: a rule over the groups' means, proven by replay; who drops out or lies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from both_verifiers import QUICK, agree, judge

from fl.federation import Federation
from ledger import spec
from ledger.bundle.create import BundleRequest, create_bundle
from ledger.bundle.format import Level
from ledger.chain import Chain
from ledger.history import load_round
from ledger.journal import Journal
from ledger.project import Project
from ledger.records import Grade, RoundRecord, Verdict
from ledger.store import open_store

pytestmark = pytest.mark.chain
ScriptWriter = Callable[..., Path]
GROUPED: dict[str, Any] = {
    "run": {"rounds": 1, "seed": 3, "rule": {"name": "median", "trim": None}},
    "clients": {"count": 12},
    "masking": {"groups": 3, "min_group": 3},
}


def record_of(project: Project, round_id: int) -> RoundRecord:
    chain = Chain.connect(project.network(), Journal(project.journal_path))
    return load_round(chain, open_store(project.store_path), round_id)


def recompute(federation: Federation, record: RoundRecord, number: int) -> list[int]:
    """Return the rule over the means of the included clients' plain updates, which only this process knows."""
    assert record.masking is not None and record.layout is not None and record.layout.composition is not None
    roster, workload = record.masking.roster, federation.ctx.workload
    excluded = dict(record.exclusions)
    means = []
    for group in record.groups:
        members = [client for client in group if client not in excluded and client in record.signers]
        updates = [workload.compute_update(roster.index(c) + 1, number, workload.compute_genesis()) for c in members]
        columns = zip(*(update.values.tolist() for update in updates), strict=True)
        if members:
            means.append([spec.rdiv(sum(column), len(members)) for column in columns])
    context = spec.Context(clients=tuple(range(len(means))), weights=(1,) * len(means), seed=bytes(32))
    params = spec.RuleParams(
        rule=spec.Rule.COMPOSED,
        bound=record.task.bound,
        examples_cap=1,
        composition=record.layout.composition,
        context=context,
    )
    return spec.aggregate(params, means, [1] * len(means))


@pytest.mark.parametrize("masks", ["sha256", "aes"])
def test_a_run_in_groups_gives_the_rule_over_the_means_and_its_replay_proves_it(
    project: Project, write_script: ScriptWriter, masks: str
) -> None:
    sections = GROUPED | {"masking": {**GROUPED["masking"], "masks": masks}}
    federation = Federation.start(project, write_script(name=f"grouped-{masks}", **sections))
    (only,) = federation.run().rounds
    assert (only.verdict, only.grade, only.included) == (Verdict.PASS, Grade.PROVEN, 12)
    record = record_of(project, only.round_id)
    assert sorted(map(len, record.groups)) == [4, 4, 4] and record.masking is not None
    assert (record.task.rule, record.task.rule_param, record.masking.expansion) == (spec.Rule.COMPOSED, 3, masks)
    published = spec.decode_vector(record.aggregate.data or b"", max_bytes=1 << 20)
    assert published.values() == recompute(federation, record, 1)
    blobs = [spec.decode_vector(f.data or b"", max_bytes=1 << 20) for f in record.updates.values()]
    assert {blob.header.kind for blob in blobs} == {spec.Kind.MASKED}


def test_a_group_that_too_many_leave_is_left_out_and_the_others_go_on(
    project: Project, write_script: ScriptWriter
) -> None:
    sections = GROUPED | {"clients": {"count": 15}, "run": {**GROUPED["run"], "rule": {"name": "mean", "trim": None}}}
    sections["masking"] = {"groups": 3, "min_group": 3, "threshold": 2}
    federation = Federation.start(project, write_script(**sections, events=[{"at": "round 1", "withhold": [1, 2, 3]}]))
    (only,) = federation.run().rounds
    record = record_of(project, only.round_id)
    gone = {client for client, _ in record.exclusions}
    sizes = [len(set(group) - gone) for group in record.groups]
    assert only.verdict is Verdict.PASS and all(size == 0 or size >= 3 for size in sizes)
    assert (only.grade, only.included) == (Grade.ATTESTED, sum(sizes))
    published = spec.decode_vector(record.aggregate.data or b"", max_bytes=1 << 20)
    assert published.values() == recompute(federation, record, 1)


def test_a_tampered_rule_over_groups_is_found_by_replay_and_by_both_verifiers_of_bundles(
    project: Project, write_script: ScriptWriter, tmp_path: Path
) -> None:
    lie = {"at": "always", "aggregator": "tamper", "coordinate": 3}
    for name, events, masks in (("honest", [], "aes"), ("tampered", [lie], "sha256")):
        sections = GROUPED | {"masking": {**GROUPED["masking"], "masks": masks}, "events": events}
        run = Federation.start(project, write_script(name=f"grouped-{name}", **sections)).run()
        assert run.rounds[0].verdict is (Verdict.FAIL if events else Verdict.PASS)
        report = run.rounds[0].report
        assert report is not None and [f.clause for f in report.findings] == (["7"] if events else [])
        chain = Chain.connect(project.network(), Journal(project.journal_path))
        path = tmp_path / f"{name}.ftb.zip"
        request = BundleRequest(level=Level.AUDITOR, tasks=(run.task_id,))
        create_bundle(path, chain, open_store(project.store_path), request)
        result = agree(judge(path.read_bytes(), None, tmp_path, alone=QUICK))
        assert result["checks"]["replay"] is not bool(events)
        assert result["codes"] == (["FT702", "FT802"] if events else ["FT802"])  # nobody said which chain to trust
