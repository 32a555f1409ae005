"""Runs whose task asks for a validation: each kind of dishonest client is rejected on chain for its own reason."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from standalone import PATH

from fl.federation import Federation, find_unmet
from ledger import spec
from ledger.audit import replay
from ledger.bundle.check import check_bundle
from ledger.bundle.create import BundleRequest, create_bundle
from ledger.bundle.format import Level
from ledger.cli.explanations import explain_round
from ledger.history import load_round
from ledger.project import Project
from ledger.records import Grade, Verdict

pytestmark = [pytest.mark.chain]
ScriptWriter = Callable[..., Path]
EVENTS = [
    {"at": "always", "client": 7, "attack": "free-ride-zero"},
    {"at": "round 2", "client": 8, "attack": "free-ride-replay"},
    {"at": "always", "client": 9, "attack": "scaling", "options": {"factor": 20}},
    {"at": "always", "clients": [6, 10], "attack": "clones", "options": {"noise": 0.01}},
]
EXCLUDED = [
    {"client": 7, "rounds": [1, 2], "code": "FT730"},
    {"client": 8, "rounds": [2], "code": "FT731"},
    {"client": 9, "rounds": [1, 2], "code": "FT733"},
    {"client": 10, "rounds": [1, 2], "code": "FT732"},
]


@pytest.fixture
def federation(project: Project, write_script: ScriptWriter) -> Federation:
    """Return a run of ten clients, five of them honest."""
    script = write_script(
        run={"rounds": 2, "rule": {"name": "mean"}},
        data={"partition": "iid"},
        clients={"count": 10, "clip_norm": None},
        validation={},
        events=EVENTS,
        expect={"replay": "pass", "excluded": EXCLUDED},
        compare=[{"name": "mean"}],
    )
    return Federation.start(project, script)


def test_defended_scaling_clones_and_free_riders_are_each_rejected_for_their_own_reason(
    federation: Federation, tmp_path: Path
) -> None:
    result = federation.run()
    assert [(r.verdict, r.grade) for r in result.rounds] == [(Verdict.PASS, Grade.PROVEN)] * 2
    assert [r.excluded for r in result.rounds] == [
        ((7, "FT730"), (9, "FT733"), (10, "FT732")),
        ((7, "FT730"), (8, "FT731"), (9, "FT733"), (10, "FT732")),
    ]
    assert find_unmet(federation.script, result) == []
    assert result.twins["mean"][-1] == result.rounds[-1].accuracy  # the twin without a ledger rejects the same

    record = load_round(federation.chain, federation.ctx.store, result.rounds[1].round_id)
    assert record.layout is not None
    assert record.layout.terms == (("validation", "stale(95)+duplicate(99)+norm(300)+faint(20)+distance(300)"),)
    text = " ".join(" ".join(explain_round(record, replay(record))).split())
    assert "times the median, the limit is 3" in text
    assert "with the last aggregate, the limit is 0.95" in text

    bundle = tmp_path / "validated.ftb.zip"
    request = BundleRequest(level=Level.AUDITOR, tasks=(result.task_id,))
    create_bundle(bundle, federation.chain, federation.ctx.store, request)
    assert [each.verdict for each in check_bundle(bundle).rounds] == ["pass", "pass"]
    lone = subprocess.run([sys.executable, PATH, bundle, "--json"], capture_output=True, text=True, check=False)
    assert lone.returncode == 8  # consistent: there is no anchor
    assert [each["verdict"] for each in json.loads(lone.stdout)["rounds"]] == ["pass", "pass"]

    # The same updates under a claim of innocence: who was rejected is now included, and the replay says so.
    innocent = replace(record, exclusions=record.exclusions[1:])
    assert replay(innocent).verdict is Verdict.FAIL


def test_a_run_whose_clients_are_all_honest_rejects_nobody(project: Project, write_script: ScriptWriter) -> None:
    script = write_script(run={"rounds": 2}, validation={"distance": 4})
    result = Federation.start(project, script).run()
    assert [(r.verdict, r.included) for r in result.rounds] == [(Verdict.PASS, 5)] * 2


def test_a_validation_that_leaves_fewer_than_the_quorum_changes_no_model(
    project: Project, write_script: ScriptWriter
) -> None:
    events = [{"at": "always", "clients": [1, 2, 3], "attack": "free-ride-zero"}]
    federation = Federation.start(project, write_script(validation={}, events=events))
    (item,) = federation.run().rounds
    assert (item.verdict, item.included) == (Verdict.NOTHING, 2)
    assert item.excluded == ((1, "FT730"), (2, "FT730"), (3, "FT730"))
    assert federation.chain.get_round(item.round_id).phase is spec.Phase.ABANDONED
