"""The reports of a real run: five clients, three rounds, one exclusion, one proposal that a court struck."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from audited_run import AuditedRun

from ledger.cli import main

pytestmark = pytest.mark.chain


@pytest.fixture(scope="module")
def project(audited_run: AuditedRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the run's project with its index; the devnet is that of the original."""
    folder = tmp_path_factory.mktemp("reports") / "p"
    shutil.copytree(audited_run.project.root, folder)
    for command in (("index", "sync"), ("run", "replay"), ("index", "verify")):
        assert main([*command, "--project", str(folder)]) == 0
    return folder


Ask = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def ask(project: Path, capfd: pytest.CaptureFixture[str]) -> Ask:
    """Return a function that answers questions; options are strings that begin with --."""

    def answer(*arguments: str) -> list[dict[str, Any]]:
        capfd.readouterr()
        assert main(["audit", "run", *arguments, "--format", "json", "--project", str(project)]) == 0
        document = json.loads(capfd.readouterr().out)
        assert document["warnings"] == [] or "--at-block" in arguments
        data: list[dict[str, Any]] = document["data"]
        return data

    return answer


def test_every_question_has_an_answer(ask: Ask) -> None:
    names = [f"Q{number}" for number in range(1, 26)]
    assert [answer["query"] for answer in ask(*names, "--run", "audited")] == names


def test_contributions_are_those_of_the_run(ask: Ask, audited_run: AuditedRun) -> None:
    rows = ask("Q1")[0]["rows"]
    assert len(rows) == 20 and all(row["n_samples"] > 0 and row["cid"] for row in rows)
    (rejected,) = [row for row in rows if row["outcome"] == "rejected"]
    assert (rejected["round"], rejected["reason"]) == (2, "FT715")
    for row in rows:
        (event,) = audited_run.chain.events(names=("SegmentCommitted",), round_id=int(row["round_id"]))
        assert (str(event.block), "0x" + event.tx.hex()) == (row["block"], row["tx"])


def test_aggregates_were_recomputed_and_the_lie_is_known(ask: Ask) -> None:
    answer = ask("Q3")[0]
    assert [(row["phase"], row["replay"], row["finding"]) for row in answer["rows"]] == [
        ("finalised", "pass", 0),
        ("finalised", "pass", 0),
        ("voided", "fail", 0),
        ("finalised", "pass", 0),
    ]
    assert answer["grade"] == "PROVEN"


def test_nothing_is_missing_broken_late_or_copied(ask: Ask) -> None:
    for answer in ask("Q4", "Q5", "Q7", "Q9", "Q12", "Q18"):
        assert (answer["rows"], answer["missing"], answer["grade"]) == ([], None, "PROVEN"), answer["query"]


def test_the_lineage_leaves_the_struck_round_out(ask: Ask) -> None:
    assert [row["round"] for row in ask("Q6")[0]["rows"]] == [4, 2, 1]


def test_stakes_are_what_the_registry_holds(ask: Ask, audited_run: AuditedRun) -> None:
    held = {str(p.id): (str(p.stake_wei), str(p.locked_wei)) for p in audited_run.chain.participants()}
    assert {row["client"]: (row["stake_wei"], row["locked_wei"]) for row in ask("Q14")[0]["rows"]} == held


def test_the_slash_names_its_cause_and_the_dispute_its_length(ask: Ask) -> None:
    (slash,) = ask("Q15")[0]["rows"]
    assert (slash["cause"], slash["finding"], slash["lost_wei"]) == ("wrong aggregate", 0, str(10**18))
    (dispute,) = ask("Q16")[0]["rows"]
    assert dispute["kind"] == "proof" and dispute["seconds"] >= 0
    records = {row["aggregator"]: (row["voided"], row["failed_replays"]) for row in ask("Q22")[0]["rows"]}
    assert sorted(records.values()) == [(0, 0), (1, 1)]


def test_participants_are_called_by_the_names_of_their_keys(ask: Ask) -> None:
    names = {row["name"] for row in ask("Q2")[0]["rows"]}
    assert len(names) == 5 and None not in names


def test_at_a_block_the_answers_are_those_of_that_moment(ask: Ask, audited_run: AuditedRun) -> None:
    (finalised,) = audited_run.chain.events(names=("Finalised",), round_id=1)
    rows = ask("Q1", "--at-block", str(finalised.block))[0]["rows"]
    assert {row["round"] for row in rows} == {1}


def test_the_reports_are_written(project: Path, tmp_path: Path) -> None:
    for profile in ("annex-iv", "ropa", "hipaa", "part11", "partner", "research"):
        file = tmp_path / f"{profile}.html"
        assert main(["audit", "report", profile, "--run", "audited", "-o", str(file), "--project", str(project)]) == 0
        assert "Run audited (task 1)" in file.read_text("utf-8")
