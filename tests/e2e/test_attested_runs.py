"""Runs with an availability board: attestors certify every round before its proposal, also after a kill."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from crashing import load_everything, resume, run_and_die

from fl.federation import Federation, Progress, find_unmet
from ledger import devnet, spec
from ledger.chain import Chain, Role, deploy
from ledger.devnet import funded_account
from ledger.errors import StoreUnreachable, Unavailable
from ledger.journal import Journal
from ledger.project import Project
from ledger.records import Grade, Verdict
from ledger.store import Cid, EmbeddedStore

pytestmark = pytest.mark.chain
ScriptWriter = Callable[..., Path]
BOARD = {"attestors": 3, "stake": "2 ether"}


def list_names(federation: Federation, round_id: int) -> list[str]:
    return [event.name for event in federation.chain.events(round_id=round_id)]


def test_every_round_of_a_run_with_attestors_is_certified_before_it_is_proposed(
    project: Project, write_script: ScriptWriter
) -> None:
    federation = Federation.start(project, write_script(availability=BOARD, run={"rounds": 2}))
    result = federation.run()
    assert [(item.verdict, item.grade) for item in result.rounds] == [(Verdict.PASS, Grade.PROVEN)] * 2
    for item in result.rounds:
        steps = ["RoundOpened", "SegmentCommitted", "Certified", "Proposed", "Finalised"]
        assert list_names(federation, item.round_id) == steps
    chain = federation.chain
    assert chain.get_task(result.task_id).board == chain.contracts.addresses["board"]
    named = chain.list_committees()[-1]
    views = [chain.get_participant(participant) for participant in named.ids]
    assert (len(named.ids), named.threshold) == (3, 2)
    assert {(view.role, view.stake_wei) for view in views} == {(Role.ATTESTOR, 2 * 10**18)}


def test_a_client_that_withholds_is_excluded_by_certificate_and_the_round_goes_on(
    project: Project, write_script: ScriptWriter
) -> None:
    expect = {"excluded": [{"client": 2, "rounds": [1], "code": "FT801"}]}
    script = write_script(availability=BOARD, events=[{"at": "round 1", "withhold": 2}], expect=expect)
    federation = Federation.start(project, script)
    result = federation.run()
    (item,) = result.rounds
    assert (item.committed, item.included, item.excluded) == (5, 4, ((2, "FT801"),))
    assert (item.verdict, item.grade) == (Verdict.PASS, Grade.ATTESTED)
    assert find_unmet(federation.script, result) == []
    (certified,) = federation.chain.events(names=("Certified",), round_id=item.round_id)
    (proposed,) = federation.chain.events(names=("Proposed",), round_id=item.round_id)
    assert [reason for _, reason in spec.decode_exclusions(certified.args["excluded"])] == [801]
    assert proposed.args["excluded"] == certified.args["excluded"]
    assert "(its attestors' word)" in item.report.attested[0]


def test_a_client_that_withholds_is_excluded_without_attestors_too(
    project: Project, write_script: ScriptWriter
) -> None:
    result = Federation.start(project, write_script(events=[{"at": "always", "withhold": [1, 4]}])).run()
    assert result.rounds[0].excluded == ((1, "FT801"), (4, "FT801"))
    assert "(the aggregator's word)" in result.rounds[0].report.attested[0]


def test_a_round_that_takes_the_place_of_a_struck_one_is_certified_anew(
    project: Project, write_script: ScriptWriter
) -> None:
    lie = {"at": "round 1", "aggregator": "tamper", "coordinate": 3}
    script = write_script(availability=BOARD, run={"dispute": True}, aggregator={"count": 2}, events=[lie])
    federation = Federation.start(project, script)
    struck, honest = federation.run().rounds
    assert (struck.conviction is not None, honest.verdict) == (True, Verdict.PASS)
    for item in (struck, honest):
        assert list_names(federation, item.round_id).count("Certified") == 1


def test_too_few_published_updates_are_certified_and_the_round_is_abandoned(
    project: Project, write_script: ScriptWriter
) -> None:
    script = write_script(availability=BOARD, events=[{"at": "always", "withhold": [1, 2, 3]}])
    federation = Federation.start(project, script)
    (item,) = federation.run().rounds
    assert list_names(federation, item.round_id)[-2:] == ["Certified", "Abandoned"]


@pytest.mark.parametrize("mode", ["accumulated", "root-only"])
def test_attestors_certify_rounds_of_every_mode(project: Project, write_script: ScriptWriter, mode: str) -> None:
    script = write_script(availability=BOARD, run={"mode": mode}, events=[{"at": "always", "withhold": 3}])
    federation = Federation.start(project, script)
    (item,) = federation.run().rounds
    assert (item.verdict, item.excluded) == (Verdict.PASS, ((3, "FT801"),))
    assert "Certified" in list_names(federation, item.round_id)


def test_attestors_stay_the_committee_until_a_run_wants_others(project: Project, write_script: ScriptWriter) -> None:
    first = Federation.start(project, write_script("same-1", availability=BOARD))
    first.run()
    epochs = len(first.chain.list_committees())
    Federation.start(project, write_script("same-2", availability=BOARD)).run()
    assert len(first.chain.list_committees()) == epochs
    Federation.start(project, write_script("other", availability={"attestors": 2, "threshold": 2})).run()
    assert len(first.chain.list_committees()) == epochs + 1


def test_a_store_that_is_down_ends_the_run_and_excludes_nobody(
    project: Project, write_script: ScriptWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> bytes:
        raise StoreUnreachable(address="the test's", reason="down")

    def go_down(progress: Progress) -> None:
        if (progress.stage, progress.done) == ("publish", progress.total):
            monkeypatch.setattr(EmbeddedStore, "get", refuse)

    script = write_script(availability=BOARD)
    with pytest.raises(StoreUnreachable):
        Federation.start(project, script, observer=go_down).run()
    monkeypatch.undo()
    result = Federation.resume(project, script.stem).run()
    assert (result.verdict, result.rounds[0].excluded) == (Verdict.PASS, ())


def test_whom_a_certificate_excludes_the_aggregator_excludes_though_it_has_the_update(
    project: Project, write_script: ScriptWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    get = EmbeddedStore.get
    lost: set[Cid] = set()
    attesting: list[bool] = []

    def lose_one(store: EmbeddedStore, cid: Cid, **named: int) -> bytes:
        if attesting:
            lost.update({cid} if not lost else ())
            if cid in lost:
                raise Unavailable(cid=cid, found=0, stores=1, seconds=0.0, consequence="")
        return get(store, cid, **named)

    def notice(progress: Progress) -> None:
        if (progress.stage, progress.done) == ("publish", progress.total):
            attesting.append(True)
        if (progress.stage, progress.done) == ("attest", progress.total):
            attesting.clear()

    monkeypatch.setattr(EmbeddedStore, "get", lose_one)
    (item,) = Federation.start(project, write_script(availability=BOARD), observer=notice).run().rounds
    assert [code for _, code in item.excluded] == ["FT801"]
    assert (item.verdict, item.included) == (Verdict.PASS, 4)
    assert "its update is available now" in item.report.attested[0]


SMALL = {"clients": {"count": 3}, "run": {"rounds": 1, "seed": 3, "rule": {"name": "median"}}, "availability": BOARD}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_run_with_attestors_killed_at_any_step_is_resumed_and_nobody_signs_twice(
    tmp_path: Path, write_script: ScriptWriter
) -> None:
    load_everything()
    project = Project.create(tmp_path / "p")
    with devnet.running(project.state_dir):
        deployment = deploy(project.network(), funded_account(0), Journal(project.journal_path))
        project = project.save_deployment(project.network().name, deployment)
        folder, counter, report = project.root, tmp_path / "steps", tmp_path / "report"
        events = [{"at": "always", "withhold": 2}]
        for name in ("first", "reference"):
            script = write_script(name=name, events=events, **SMALL)
            assert run_and_die(folder, script, at=None, report=counter) == 0
        steps = int(counter.read_text())
        chain = Chain.connect(project.network(), Journal(project.journal_path))
        # Every third step, from the opening of the round on: what comes before is what every run does.
        for step in range(10, steps + 1, 3):
            name = f"killed-{step}"
            assert run_and_die(folder, write_script(name=name, events=events, **SMALL), at=step) == -signal.SIGKILL
            assert resume(folder, name, report) == 0, step
            assert report.read_text().startswith("pass "), step
            last = chain.count_rounds()
            assert len(chain.events(names=("Certified",), round_id=last)) == 1, step
            (proposed,) = chain.events(names=("Proposed",), round_id=last)
            assert [reason for _, reason in spec.decode_exclusions(proposed.args["excluded"])] == [801], step
