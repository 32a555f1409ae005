"""Masked runs on a devnet: the sum of the survivors, proven by replay; who drops out, lies or is killed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from both_verifiers import QUICK, agree, judge

from fl.federation import Federation, aggregator, masking
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
MASKED: dict[str, Any] = {
    "run": {"rounds": 1, "seed": 3, "rule": {"name": "sum32", "trim": None}},
    "clients": {"count": 6},
    "masking": {"degree": 4, "threshold": 2},
}


def record_of(project: Project, round_id: int) -> RoundRecord:
    chain = Chain.connect(project.network(), Journal(project.journal_path))
    return load_round(chain, open_store(project.store_path), round_id)


def federation_ids(record: RoundRecord, number: int) -> int:
    """Return the participant that is a client of the script."""
    assert record.layout is not None
    return spec.decode_masking(record.layout.term("masking") or "").roster[number - 1]


def masks_left(project: Project) -> list[Path]:
    return list((project.state_dir / "masks").rglob("*.json"))


def test_a_masked_run_gives_the_model_of_the_plain_sum_and_its_replay_proves_it(
    project: Project, write_script: ScriptWriter
) -> None:
    twins = [{"name": "sum32"}, {"name": "mean"}]
    sections = MASKED | {"run": {**MASKED["run"], "rounds": 2}, "compare": twins}
    federation = Federation.start(project, write_script(**sections))
    result = federation.run()
    assert [(r.verdict, r.grade) for r in result.rounds] == [(Verdict.PASS, Grade.PROVEN)] * 2
    plain = federation.run_twin(federation.script.compare[0])
    assert result.model == tuple(plain.models[-1].tolist())
    # Every client divides by the number of clients: with everybody there, the sum is the mean up to rounding.
    mean = federation.run_twin(federation.script.compare[1]).models[0]
    assert int(np.abs(plain.models[0] - mean).max()) <= 4
    record = record_of(project, result.rounds[0].round_id)
    assert record.layout is not None
    term = spec.decode_masking(record.layout.term("masking") or "")
    assert (record.task.degree, term.threshold, len(term.roster)) == (4, 2, 6)
    blobs = [spec.decode_vector(f.data or b"", max_bytes=1 << 20) for f in record.updates.values()]
    assert {blob.header.kind for blob in blobs} == {spec.Kind.MASKED}
    assert {blob.header.num_examples for blob in blobs} == {1}  # nobody learns how many there were
    assert masks_left(project) == []


def test_clients_that_drop_out_at_every_stage_leave_the_exact_sum_of_the_others(
    project: Project, write_script: ScriptWriter
) -> None:
    events = [
        {"at": "round 1", "drop": 1},
        {"at": "round 1", "drop": 2, "stage": "shares"},
        {"at": "round 1", "drop": 3, "stage": "commit"},
        {"at": "round 1", "withhold": 4},
        {"at": "round 1", "drop": 5, "stage": "unmask"},
    ]
    sections = MASKED | {
        "clients": {"count": 11},
        "masking": {"degree": 10, "threshold": 3},
        "run": {**MASKED["run"], "quorum": 5},
        "events": events,
    }
    federation = Federation.start(project, write_script(**sections))
    (only,) = federation.run().rounds
    assert only.verdict is Verdict.PASS
    assert (only.committed, only.included, only.excluded) == (8, 7, ((4, "FT801"),))
    record = record_of(project, only.round_id)
    workload = federation.ctx.workload
    rows = [workload.compute_update(c, 1, workload.compute_genesis()).values.tolist() for c in range(5, 12)]
    total = [sum(column) for column in zip(*rows, strict=True)]
    published = spec.decode_vector(record.aggregate.data or b"", max_bytes=1 << 20)
    assert published.values() == total
    shown = {(reveal.owner, reveal.peer) for reveal in spec.decode_reveals(record.aux)}
    third, fourth = federation_ids(record, 3), federation_ids(record, 4)
    assert len([pair for pair in shown if pair[1] == spec.SELF]) == 7  # the one that fell silent then, too
    assert len([pair for pair in shown if pair[1] in (third, fourth)]) == 14
    assert len(shown) == 21
    assert masks_left(project) == []


def test_below_the_threshold_a_round_is_abandoned_and_no_seed_is_shown(
    project: Project, write_script: ScriptWriter
) -> None:
    events = [{"at": "round 1", "drop": [1, 2, 3, 4], "stage": "unmask"}]
    sections = MASKED | {"masking": {"degree": 4, "threshold": 4}, "run": {**MASKED["run"], "rounds": 2}}
    federation = Federation.start(project, write_script(**sections, events=events))
    first, second = federation.run().rounds
    assert (first.verdict, second.verdict) == (Verdict.NOTHING, Verdict.PASS)
    assert first.problem.startswith("FT612: round ") and "cannot be unmasked" in first.problem and not second.problem
    record = record_of(project, first.round_id)
    assert (record.phase, record.aux) == (spec.Phase.ABANDONED, b"")
    assert {reason for _, reason in record.exclusions} == {801}
    assert masks_left(project) == []


def test_a_tampered_masked_sum_is_voided_by_the_court_of_masked_sums(
    project: Project, write_script: ScriptWriter
) -> None:
    sections = MASKED | {
        "run": {**MASKED["run"], "dispute": True},
        "aggregator": {"stake": "100 ether", "bond": "1 ether", "count": 2},
        "events": [{"at": "always", "aggregator": "tamper", "coordinate": 5}],
    }
    wrong, right = Federation.start(project, write_script(**sections)).run().rounds
    assert wrong.verdict is Verdict.FAIL and wrong.conviction is not None
    assert (wrong.conviction.function, wrong.conviction.coordinate) == ("proveUnmasking", 5)
    assert wrong.conviction.claimed - wrong.conviction.recomputed == 1
    assert record_of(project, wrong.round_id).phase is spec.Phase.VOIDED
    assert right.verdict is Verdict.PASS


def test_an_aggregator_that_leaves_a_seed_out_is_convicted_by_the_run(
    project: Project, write_script: ScriptWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    sections = MASKED | {
        "run": {**MASKED["run"], "dispute": True},
        "aggregator": {"stake": "100 ether", "bond": "1 ether", "count": 2},
    }
    federation = Federation.start(project, write_script(**sections))
    honest, left = aggregator.unmask, [True]

    def leave_one_out(*args: Any) -> list[spec.Reveal]:
        reveals = honest(*args)
        return reveals[1:] if left and left.pop() else reveals

    monkeypatch.setattr(aggregator, "unmask", leave_one_out)
    wrong, right = federation.run().rounds
    assert wrong.conviction is not None
    assert (wrong.conviction.function, wrong.conviction.coordinate) == ("proveReveal", None)
    assert wrong.conviction.claimed == 0 < wrong.conviction.recomputed
    assert record_of(project, wrong.round_id).phase is spec.Phase.VOIDED
    assert right.verdict is Verdict.PASS


def test_dispute_open_has_a_tampered_masked_sum_voided(
    project: Project, write_script: ScriptWriter, capsys: pytest.CaptureFixture[str]
) -> None:
    from ledger.cli import main

    events = [{"at": "always", "aggregator": "tamper", "coordinate": 7}]
    script = write_script(**MASKED, events=events)
    assert main(["run", "start", str(script), "--project", str(project.root), "--format", "json"]) == 7
    capsys.readouterr()  # what the run printed
    where = ["--project", str(project.root), "--format", "json", "--run", script.stem]
    assert main(["dispute", "open", "1", *where]) == 0
    told = json.loads(capsys.readouterr().out)["data"]
    assert (told["proof"], told["coordinate"], told["phase"]) == ("proveUnmasking", 7, "voided")


@pytest.mark.parametrize("is_honest", [True, False])
def test_both_verifiers_of_bundles_replay_masked_rounds_and_agree(
    project: Project, write_script: ScriptWriter, tmp_path: Path, is_honest: bool
) -> None:
    events = [{"at": "always", "withhold": 2}]
    if not is_honest:
        events.append({"at": "always", "aggregator": "tamper", "coordinate": 3})  # type: ignore[dict-item]
    name = f"masked-for-verifiers-{is_honest}"
    run = Federation.start(project, write_script(name=name, **MASKED, events=events)).run()
    chain = Chain.connect(project.network(), Journal(project.journal_path))
    path = tmp_path / "masked.ftb.zip"
    request = BundleRequest(level=Level.AUDITOR, tasks=(run.task_id,))
    create_bundle(path, chain, open_store(project.store_path), request)
    result = agree(judge(path.read_bytes(), None, tmp_path, alone=QUICK))
    assert result["checks"]["replay"] is is_honest
    assert result["codes"] == (["FT802"] if is_honest else ["FT702", "FT802"])  # nobody said which chain to trust


NOISE = {"mechanism": "distributed", "clip": 2.0, "multiplier": 2.0, "budget": 80.0}


@pytest.mark.parametrize("sections", [{"mode": "accumulated"}, {"mode": "root-only"}, {"noise": NOISE}], ids=str)
def test_masks_go_with_every_mode_and_with_distributed_noise(
    project: Project, write_script: ScriptWriter, sections: dict[str, Any]
) -> None:
    noise = {key: value for key, value in sections.items() if key == "noise"}
    run = {**MASKED["run"], **{key: value for key, value in sections.items() if key == "mode"}}
    name = f"masked-{'-'.join(sections.get('mode', 'noise').split())}"
    federation = Federation.start(project, write_script(name=name, **(MASKED | {"run": run}), **noise))
    (only,) = federation.run().rounds
    assert (only.verdict, only.grade, only.included) == (Verdict.PASS, Grade.PROVEN, 6)
    record = record_of(project, only.round_id)
    names = {"masking", "noise"} if noise else {"masking"}
    assert record.layout is not None and {term for term, _ in record.layout.terms} == names


def test_an_aggregator_that_states_other_survivors_than_it_asks_for_is_told_nothing(
    project: Project, write_script: ScriptWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = masking._state_survivors
    # The chain hears of five of the six, the clients are asked for the secrets of all six.
    monkeypatch.setattr(masking, "_state_survivors", lambda ctx, plan, tables: state(ctx, plan, sorted(tables)[:-1]))
    federation = Federation.start(project, write_script(**MASKED))
    (only,) = federation.run().rounds
    record = record_of(project, only.round_id)
    assert (only.verdict, record.phase, record.aux) == (Verdict.NOTHING, spec.Phase.ABANDONED, b"")
    kept = [note for key, note in federation.journal.notes("").items() if f"/run/{federation.script.run.name}/" in key]
    assert not any("reveals" in note for note in kept)
    assert [note["silent"] for note in kept if "silent" in note] == [sorted(m.client for m in record.members)]


def test_dispute_open_has_a_proposal_voided_that_keeps_a_seed_back(
    project: Project, write_script: ScriptWriter, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from fl.federation import aggregator
    from ledger.cli import main

    honest = aggregator.unmask
    monkeypatch.setattr(aggregator, "unmask", lambda *args: honest(*args)[:-1])
    script = write_script(**MASKED)
    assert main(["run", "start", str(script), "--project", str(project.root), "--format", "json"]) == 7
    capsys.readouterr()  # what the run printed
    where = ["--project", str(project.root), "--format", "json", "--run", script.stem]
    assert main(["dispute", "open", "1", "--kind", "wrong-seed", *where]) == 0
    told = json.loads(capsys.readouterr().out)["data"]
    assert (told["proof"], told["peer"], told["phase"]) == ("proveReveal", spec.SELF, "voided")
