"""Runs with noise: spends on the ledger, budgets that end a run before training, replays that still pass."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from both_verifiers import agree, judge

from fl.federation import Federation, clients
from ledger.accounting import compute_spend
from ledger.cli import main
from ledger.devnet import funded_account
from ledger.errors import BudgetExceeded
from ledger.history import list_committed, load_round
from ledger.keys import Keystore, password_for
from ledger.project import Project
from ledger.records import Grade, Verdict
from ledger.spec.noise import decode_noise
from ledger.spending import agrees, compute_spends, count_uses, list_recorded

pytestmark = [pytest.mark.chain]
ScriptWriter = Callable[..., Path]

NOISE = {
    "mechanism": "distributed",
    "against": "readers-of-models",
    "clip": 0.5,
    "multiplier": 2.0,
    "shares": 3,
    "budget": 3.3,
}
SECTIONS = {"format": {"scale_bits": 18}, "run": {"rounds": 4, "rule": {"name": "mean"}}}


def test_a_run_records_what_each_round_cost_and_ends_before_the_round_that_nobody_can_afford(
    project: Project, write_script: ScriptWriter, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    events = [{"at": "round 1", "drop": 2}]
    script = write_script(noise=NOISE, events=events, **SECTIONS)
    federation = Federation.start(project, script)
    trained: list[int] = []
    prepare = clients.prepare_all
    monkeypatch.setattr(clients, "prepare_all", lambda *a: (trained.append(a[2].number), prepare(*a))[1])
    with pytest.raises(BudgetExceeded, match=r"would bring c1 to eps 3\.71 > 3\.30 \(delta 1e-05\)") as info:
        federation.run()
    assert (info.value.code, info.value.exit_status) == ("FT607", 6)
    assert trained == [1, 2]
    ctx = federation.ctx
    task_id = next(e.args["task_id"] for e in ctx.chain.events(names=("TaskCreated",)) if is_of(e, federation))
    opened = [e.args["round_id"] for e in ctx.chain.events(names=("RoundOpened",), task_id=task_id)]
    assert len(opened) == 2
    assert ctx.chain.get_task_state(task_id).bonded == 0

    record = load_round(ctx.chain, ctx.store, opened[0])
    assert record.layout is not None
    noise = decode_noise(record.layout.term("noise") or "")
    assert noise == federation.script.noise_term
    members = [len(list_committed(ctx.chain, ctx.store, round_id)) for round_id in opened]
    assert members == [4, 5]
    uses = count_uses(ctx.chain, ctx.store, task_id)
    assert sorted(uses.values()) == [1, 2, 2, 2, 2]
    spends = compute_spends(noise, uses, ctx.workload.layout.size)
    recorded = list_recorded(ctx.chain, task_id)
    assert [r.round_id for r in recorded] == [opened[0]] * 4 + [opened[1]] * 5
    latest = {each.client: each for each in recorded}
    assert all(agrees(latest[client], spend, noise) for client, spend in spends.items())
    assert latest[min(latest)].mechanism == "distributed, zero-out"
    assert min(s.epsilon for s in spends.values()) < max(s.epsilon for s in spends.values()) < 3.3
    check_resumed_elsewhere(project, federation, trained)
    check_commands(project, federation, task_id, capsys)
    check_wrong_statement(project, federation, opened[1], capsys)


def is_of(event: object, federation: Federation) -> bool:
    return bool(event.args["task"].script_digest == federation.script.digest())  # type: ignore[attr-defined]


def check_resumed_elsewhere(project: Project, federation: Federation, trained: list[int]) -> None:
    """What is refused stays refused, and what had happened does not happen again."""
    count = federation.chain.count_rounds()
    again = Federation.resume(project, federation.script.run.name)
    with pytest.raises(BudgetExceeded):
        again.run()
    assert trained == [1, 2, 1, 2]
    assert again.chain.count_rounds() == count


def check_commands(project: Project, federation: Federation, task_id: int, capsys: pytest.CaptureFixture[str]) -> None:
    place = ["--project", str(project.root)]
    name = federation.script.run.name
    assert main(["privacy", "show", name, *place]) == 0
    shown = capsys.readouterr().out
    assert "ATTESTED" in shown
    assert "agrees" in shown
    assert main(["privacy", "budget", name, *place]) == 0
    assert "3.3" in capsys.readouterr().out
    assert main(["index", "sync", *place]) == 0
    capsys.readouterr()
    assert main(["audit", "run", "Q13", "--param", f"task={task_id}", "--param", "budget=2.0", *place]) == 0
    assert "4 rows  ATTESTED" in capsys.readouterr().out  # the fifth stayed out of a round


def check_wrong_statement(
    project: Project, federation: Federation, round_id: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """A client that plays down what it spent is contradicted by the terms and the rounds."""
    keys = Keystore(project.keys_dir)
    liar = keys.load("c1", password_for(federation.network))
    chain, participant = federation.chain, federation.chain.find_participant(bytes.fromhex(liar.address[2:]))
    assert participant is not None
    chain.transfer(bytes.fromhex(liar.address[2:]), 10**18, key="gas for c1", sender=funded_account(0))
    delta = federation.script.noise_term.delta if federation.script.noise_term else 0
    chain.record_spend(round_id, [(participant, 1, delta)], "less", key="less", sender=liar)
    assert main(["privacy", "show", federation.script.run.name, "--project", str(project.root)]) == 7
    told = capsys.readouterr()
    assert "differs" in told.out
    assert "FT729" in told.err


def test_rounds_with_noise_pass_replay_and_are_proven_but_for_the_noise(
    project: Project, write_script: ScriptWriter, tmp_path: Path
) -> None:
    noise = {"mechanism": "local", "clip": 0.5, "multiplier": 1.0, "budget": 100.0}
    sections = {**SECTIONS, "run": {"rounds": 1, "rule": {"name": "trimmed-mean", "trim": 1}}}
    federation = Federation.start(project, write_script(noise=noise, **sections))
    result = federation.run()
    assert [(r.verdict, r.grade) for r in result.rounds] == [(Verdict.PASS, Grade.PROVEN)]
    update = next(iter(load_round(federation.chain, federation.ctx.store, result.rounds[0].round_id).updates.values()))
    assert update.data is not None
    values = np.frombuffer(update.data, dtype="<i4", offset=len(update.data) - 4 * federation.ctx.workload.layout.size)
    term = federation.script.noise_term
    assert term is not None
    assert 0.9 < values.std() / term.variance**0.5 < 1.1
    assert compute_spend(term, 1, len(values)).epsilon < 100
    check_bundle_elsewhere(project, federation, tmp_path)


def check_bundle_elsewhere(project: Project, federation: Federation, folder: Path) -> None:
    """Both verifiers replay a bundle with noise, and find nothing."""
    path = folder / "private.ftb.zip"
    words = [
        "--level",
        "auditor",
        "--unsealed",
        "--run",
        federation.script.run.name,
        "-o",
        str(path),
        "--project",
        str(project.root),
    ]
    assert main(["bundle", "create", *words]) == 0
    said = agree(judge(path.read_bytes(), None, folder))
    assert said["codes"] == ["FT802"]  # nobody vouches for the chain; there is no other finding
    assert said["checks"]["membership"] is True
    assert said["checks"]["replay"] is True


def test_known_gap_a_client_that_adds_no_noise_passes_every_replay(
    project: Project, write_script: ScriptWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fl.workload.protect", lambda values, *_, **__: values)
    noise = {"mechanism": "local", "clip": 0.5, "multiplier": 1.0, "budget": 100.0}
    run = {"rounds": 1, "rule": {"name": "mean"}}
    result = Federation.start(project, write_script(noise=noise, **{**SECTIONS, "run": run})).run()
    assert [(r.verdict, r.grade) for r in result.rounds] == [(Verdict.PASS, Grade.PROVEN)]


def test_under_central_noise_the_round_needs_its_giver(project: Project, write_script: ScriptWriter) -> None:
    noise = {
        "mechanism": "central",
        "giver": 5,
        "against": "readers-of-models",
        "clip": 0.5,
        "multiplier": 1.0,
        "budget": 100.0,
    }
    run = {"rounds": 1, "rule": {"name": "mean"}, "quorum": 5}
    events = [{"at": "round 1", "drop": 5}]
    there = Federation.start(project, write_script("giver", noise=noise, **{**SECTIONS, "run": run})).run()
    assert there.rounds[0].verdict is Verdict.PASS
    sections = {**SECTIONS, "run": run}
    gone = Federation.start(project, write_script("no-giver", noise=noise, events=events, **sections)).run()
    assert gone.rounds[0].verdict is Verdict.NOTHING


def test_masked_shares_of_noise_protect_against_everybody(project: Project, write_script: ScriptWriter) -> None:
    noise = {"mechanism": "distributed", "clip": 0.5, "multiplier": 2.0, "budget": 8.0}
    run = {"rounds": 1, "rule": {"name": "sum32"}}
    script = write_script(noise=noise, masking={}, format={"scale_bits": 18}, run=run)
    federation = Federation.start(project, script)
    result = federation.run()
    assert [r.verdict for r in result.rounds] == [Verdict.PASS]
    recorded = list_recorded(federation.chain, result.task_id)
    assert len(recorded) == 5
    term = federation.script.noise_term
    assert term is not None
    assert (term.shares, term.against) == (3, "everybody")
