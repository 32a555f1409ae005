"""Who governs a ledger, at once or by a timelock that everybody sees coming: `fedtrail contract`, on a real node."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import Cli
from scripted_runs import run_honest

from ledger import artifacts, devnet
from ledger.chain import Chain
from ledger.cli import main
from ledger.journal import Journal
from ledger.project import Project

pytestmark = pytest.mark.chain

SUCCESSOR = "0x" + "5c" * 20


@pytest.fixture(scope="module")
def timelocked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project whose ledger is governed by a timelock of two days."""
    project = Project.create(tmp_path_factory.mktemp("timelocked") / "p")
    with devnet.running(project.state_dir):
        assert main(["contract", "deploy", "--timelock", "2d", "--project", str(project.root), "--format", "csv"]) == 0
        yield Project.find(project.root)


@pytest.fixture
def in_timelocked(timelocked: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.chdir(timelocked.root)
    return timelocked


def enrol_attestors(cli: Cli, names: tuple[str, ...]) -> None:
    for name in names:
        assert cli("client", "register", name, "--role", "attestor").status == 0


def ask(cli: Cli, *arguments: object) -> dict[str, object]:
    answer = cli("contract", *arguments, "--format", "json")
    assert answer.status == 0, answer.err
    found: dict[str, object] = answer.json["data"]
    return found


def test_who_deploys_governs_at_once_unless_it_asks_for_a_timelock(cli: Cli, in_served: Project) -> None:
    info = ask(cli, "info")
    assert info["governor"] == info["guardian"]
    assert (info["governing_delay_seconds"], info["successor"]) == (0, None)
    assert artifacts.TIMELOCK not in in_served.network().contracts


def test_the_governor_names_a_committee_of_attestors_once(cli: Cli, in_served: Project, chain: Chain) -> None:
    enrol_attestors(cli, ("att1", "att2", "att3"))
    told = ask(cli, "govern", "committee", "att2", "att1", "att3")
    assert (told["status"], told["threshold"]) == ("done", 2)
    (named,) = chain.list_committees()
    assert (list(named.ids), named.threshold) == (told["ids"], 2)
    assert ask(cli, "govern", "committee", "att1", "att2", "att3")["tx"] is None
    assert len(chain.list_committees()) == 1
    ask(cli, "govern", "committee", "att1")
    ask(cli, "govern", "committee", "att1", "att2", "att3")
    assert [len(one.ids) for one in chain.list_committees()] == [3, 1, 3]


def test_a_committee_is_of_attestors_and_of_more_than_half_of_them(cli: Cli, in_served: Project) -> None:
    enrol_attestors(cli, ("att1", "att2"))
    cli("client", "register", "c1")
    refused = cli("contract", "govern", "committee", "c1")
    assert (refused.status, "FT605" in refused.err) == (6, True)
    too_few = cli("contract", "govern", "committee", "att1", "att2", "--threshold", "1")
    assert too_few.status != 0 and "InvalidCommittee" in too_few.err


def test_the_guardian_pauses_a_task_and_lets_it_go_on(cli: Cli, in_served: Project) -> None:
    run_honest(in_served, "paused")
    assert int(str(ask(cli, "govern", "pause", 1)["paused_at"])) > 0
    assert cli("contract", "govern", "pause", 1).status == 6
    assert int(str(ask(cli, "govern", "resume", 1)["paused_seconds"])) >= 0


def test_a_successor_is_named_once(cli: Cli, in_served: Project) -> None:
    assert cli("contract", "govern", "successor", "0x12").status == 2
    assert ask(cli, "govern", "successor", SUCCESSOR)["status"] == "done"
    assert str(ask(cli, "info")["successor"]).lower() == SUCCESSOR
    other = cli("contract", "govern", "successor", "0x" + "77" * 20)
    assert other.status != 0 and "SuccessorKnown" in other.err


# ------------------------------------------------------------------------------------------------------------- timelock


def test_info_shows_the_timelock_that_governs_and_for_how_long_its_acts_wait(cli: Cli, in_timelocked: Project) -> None:
    info = ask(cli, "info")
    assert info["governor"] == info["timelock"] == in_timelocked.network().contracts[artifacts.TIMELOCK]
    assert info["guardian"] != info["governor"]
    assert info["governing_delay_seconds"] == 2 * 86_400


def test_what_a_timelock_governs_is_scheduled_first_and_executed_when_called_again(
    cli: Cli, in_timelocked: Project
) -> None:
    enrol_attestors(cli, ("att1", "att2", "att3"))
    first = ask(cli, "govern", "committee", "att1", "att2", "att3")
    assert (first["status"], first["tx"]) == ("scheduled", None)
    journal = Journal(in_timelocked.state_dir / "test.sqlite")
    chain = Chain.connect(in_timelocked.network(), journal)
    assert chain.list_committees() == []
    assert ask(cli, "govern", "committee", "att1", "att2", "att3") == first
    chain.wait_until(int(str(first["executable_from"])))
    assert ask(cli, "govern", "committee", "att1", "att2", "att3")["status"] == "done"
    assert [len(one.ids) for one in chain.list_committees()] == [3]
    told = ask(cli, "govern", "successor", SUCCESSOR, "--wait")
    assert told["status"] == "done"
    assert ask(cli, "govern", "successor", SUCCESSOR) == {**told, "tx": None}
    journal.close()


def test_a_run_waits_for_the_timelock_and_then_goes_its_way(cli: Cli, in_timelocked: Project) -> None:
    run_honest(in_timelocked, "governed", availability={"attestors": 3})
    chain = Chain.connect(in_timelocked.network(), Journal(in_timelocked.state_dir / "test.sqlite"))
    (created,) = chain.events(names=("TaskCreated",))
    scheduled = [event for event in chain.events(names=("CallScheduled",)) if event.block < created.block]
    assert scheduled and scheduled[-1].args["delay"] == 2 * 86_400
    assert len(chain.events(names=("Certified",))) == 1


def test_a_deployment_without_a_timelock_forgets_the_one_before(cli: Cli, tmp_path: Path) -> None:
    project = Project.create(tmp_path / "p")
    with devnet.running(project.state_dir):
        where = ("--project", project.root)
        assert cli("contract", "deploy", "--timelock", "1h", *where).status == 0
        assert cli("contract", "deploy", "--timelock", "soon", "--new", *where).status == 2
        assert cli("contract", "deploy", "--new", *where).status == 0
        assert artifacts.TIMELOCK not in Project.find(project.root).network().contracts
        assert cli("contract", "info", *where).status == 0
