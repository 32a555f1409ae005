"""kill -9 at every step of a run, then `resume`: the run completes, nothing is sent twice, no update is lost."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from crashing import in_child, load_everything, resume, run_and_die

from fl.federation import Federation
from ledger import devnet, spec
from ledger.chain import Chain, deploy
from ledger.devnet import funded_account
from ledger.history import load_round
from ledger.journal import Journal
from ledger.project import Project
from ledger.store import open_store

pytestmark = [pytest.mark.chain, pytest.mark.slow]
ScriptWriter = Callable[..., Path]
SECTIONS = {"clients": {"count": 3}, "run": {"rounds": 1, "seed": 3, "rule": {"name": "median"}}}


def _facts(project: Project, name: str) -> tuple[object, ...]:
    """Return what must be the same however often a run died: from the chain and the journal alone."""
    network = project.network()
    journal = Journal(project.journal_path)
    chain = Chain.connect(network, journal)
    wanted = ("TaskCreated", "RoundOpened", "SegmentCommitted", "Proposed", "Finalised")
    events = chain.events(names=wanted)
    scope = [e for e in journal.entries(chain._sending.scope) if f"/run/{name}/" in e.key]
    hashes = {entry.hash for entry in scope}
    mine = [event for event in events if event.tx in hashes]
    last = next(e for e in mine if e.name == "RoundOpened").args["round_id"]
    record = load_round(chain, open_store(project.store_path), last)
    return (
        [event.name for event in mine],
        record.phase,
        [member.client for member in record.members],
        record.proposal and (record.proposal.aggregate_root, record.proposal.model_root),
        sorted(entry.key.split("/run/", 1)[1].split("/", 1)[1] for entry in scope),
    )


def _assert_every_transaction_is_in_the_journal(project: Project) -> None:
    """Whatever a key of ours has on the chain was written down first, and each number was used once."""
    network, journal = project.network(), Journal(project.journal_path)
    chain = Chain.connect(network, journal)
    entries = journal.entries(chain._sending.scope)
    for sender in {entry.sender for entry in entries}:
        count = chain.w3.eth.get_transaction_count(chain.w3.to_checksum_address("0x" + sender.hex()))
        nonces = sorted(entry.nonce for entry in entries if entry.sender == sender)
        assert nonces == list(range(count))


@pytest.mark.timeout(900)
def test_a_run_killed_at_any_step_is_resumed_without_loss_or_repetition(
    tmp_path: Path, write_script: ScriptWriter
) -> None:
    load_everything()
    project = Project.create(tmp_path / "p")
    with devnet.running(project.state_dir):
        deployment = deploy(project.network(), funded_account(0), Journal(project.journal_path))
        project = project.save_deployment(project.network().name, deployment)
        folder, counter, report = project.root, tmp_path / "steps", tmp_path / "report"
        # The first run registers everybody; the second one only has what every run has.
        for name in ("first", "reference"):
            assert run_and_die(folder, write_script(name=name, **SECTIONS), at=None, report=counter) == 0
        steps = int(counter.read_text())
        assert steps >= 40
        assert resume(folder, "reference", report) == 0
        want, outcome = _facts(project, "reference")[:3], report.read_text()
        assert outcome.startswith("pass ")
        for step in range(1, steps + 1):
            name = f"killed-{step}"
            script = write_script(name=name, **SECTIONS)
            assert run_and_die(folder, script, at=step) == -signal.SIGKILL, step
            if _is_started(project, name):
                assert resume(folder, name, report) == 0, step
            else:
                assert run_and_die(folder, script, at=None) == 0, step
                assert resume(folder, name, report) == 0, step
            assert report.read_text() == outcome, step
            facts = _facts(project, name)
            assert facts[:3] == (*want[:2], facts[2]), step
            assert len(facts[2]) == 3  # type: ignore[arg-type]
        _assert_every_transaction_is_in_the_journal(project)


def _is_started(project: Project, name: str) -> bool:
    notes = Journal(project.journal_path).notes("")
    return any(key.endswith(f"/run/{name}/script") for key in notes)


@pytest.mark.parametrize("rested_seconds", [0, 2], ids=["with-its-last-blocks-lost", "with-its-state-written"])
def test_a_run_whose_anvil_was_killed_goes_on_when_it_is_up_again(
    tmp_path: Path, write_script: ScriptWriter, rested_seconds: int
) -> None:
    load_everything()  # rounds take milliseconds: without a rest the node dies with several of them unwritten
    project = Project.create(tmp_path / "p")
    devnet.start(project.state_dir, engine="anvil", detach=True)
    try:
        deployment = deploy(project.network(), funded_account(0), Journal(project.journal_path))
        project = project.save_deployment(project.network().name, deployment)
        time.sleep(2)  # anvil writes its state once a second: what is younger is lost with it
        script = write_script(name="survivor", **(SECTIONS | {"run": {**SECTIONS["run"], "rounds": 4}}))

        def run_until_the_node_dies() -> None:
            def kill_in_round_three(progress: object) -> None:
                at = (progress.round, progress.stage, progress.done)  # type: ignore[attr-defined]
                if at == (3, "publish", 1) and (node := devnet.status(project.state_dir)):
                    time.sleep(rested_seconds)
                    os.kill(node.pid, signal.SIGKILL)

            Federation.start(Project.find(project.root), script, observer=kill_in_round_three).run()

        assert in_child(run_until_the_node_dies) == 1
        devnet.start(project.state_dir, engine="anvil", detach=True)
        report = tmp_path / "report"
        assert resume(project.root, "survivor", report) == 0
        assert report.read_text().startswith("pass,pass,pass,pass ")
        chain = Chain.connect(Project.find(project.root).network(), Journal(project.journal_path))
        phases = [chain.get_round(i).phase for i in range(1, chain.count_rounds() + 1)]
        # A round may have been opened twice, when the first one's blocks were lost; none was left unserved.
        assert phases.count(spec.Phase.FINALISED) == 4
        assert set(phases) <= {spec.Phase.FINALISED, spec.Phase.EXPIRED}
        _assert_every_transaction_is_in_the_journal(Project.find(project.root))
    finally:
        devnet.stop(project.state_dir)
