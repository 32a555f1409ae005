"""Scores on a real ledger: recorded by the aggregator, shown as its word, computed again as proof."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
import yaml
from command_line import Cli
from crashing import count_and_kill, in_child, load_everything
from scripted_runs import run_honest, run_script

from ledger.chain import Chain
from ledger.history import raw_cid
from ledger.keys import Keystore, password_for
from ledger.project import Project
from ledger.scorekeeping import list_recorded
from ledger.scoring import ONE, compute_method
from ledger.store import open_store

pytestmark = pytest.mark.chain

RIDER = {"at": "always", "client": 5, "attack": "free-ride-zero"}
TWO = {"rounds": 2, "rule": {"name": "mean"}}


def test_recorded_scores_come_out_the_same_for_everybody(cli: Cli, in_served: Project, chain: Chain) -> None:
    run_honest(in_served, "scored", run={**TWO, "record_accuracy": True}, scores={}, events=[RIDER])
    shown = cli("score", "show", "--run", "scored", "--format", "json").json
    assert {row["grade"] for row in shown["data"]} == {"ATTESTED"}
    assert {row["kind"] for row in shown["data"]} == {"anomaly", "trust", "influence", "effort"}
    assert len(shown["data"]) == 2 * 4 * 5
    answer = cli("score", "recompute", "--run", "scored", "--format", "json")
    assert (answer.status, answer.json["grade"]) == (0, "PROVEN")
    rows = answer.json["data"]
    assert {row["kind"] for row in rows if row["recorded"] is None} == {"novelty", "duplicate"}
    assert all(row["recorded_units"] in (None, row["units"]) for row in rows)
    rider = [row for row in rows if row["name"] == "c5"]
    assert [row["value"] for row in rider if row["kind"] == "effort"] == [0, 0]
    assert [row["value"] for row in rider if row["kind"] == "trust"] == [0.375, 0.28125]
    assert all(row["value"] > 0.5 for row in rows if row["kind"] == "trust" and row["name"] != "c5")
    assert cli("index", "sync").status == 0
    arguments = ("--param", f"task={chain.count_tasks()}", "--format", "json")
    influence = cli("audit", "run", "Q11", *arguments).json
    assert [row["rank"] for row in influence["data"][0]["rows"]] == [1, 2, 3, 4, 5]
    answer = cli("audit", "run", "Q17", *arguments).json["data"][0]
    assert [(row["round"], row["metric"], row["grade"]) for row in answer["rows"]] == [
        (1, "accuracy", "ATTESTED"),
        (2, "accuracy", "ATTESTED"),
    ]
    for row in answer["rows"]:  # what was measured lies in the store, under the digest that the ledger has
        document = open_store(in_served.store_path).get_block(raw_cid(bytes.fromhex(row["digest"][2:])))
        said = json.loads(document)
        assert abs(float(said["value"]) - row["value"]) < 2**-16
        assert (str(said["round_id"]), said["split"]) == (row["round_id"], "test")


def test_a_run_that_asks_for_none_records_none_and_everybody_can_compute_them(
    cli: Cli, in_served: Project, chain: Chain
) -> None:
    before = len(list_recorded(chain))
    run_honest(in_served, "unscored")
    assert len(list_recorded(chain)) == before
    assert cli("score", "show", "--run", "unscored").err.startswith("no scores were recorded")
    rows = cli("score", "recompute", "--run", "unscored", "--client", "3", "--format", "json").json["data"]
    assert {(row["recorded"], row["grade"]) for row in rows} <= {(None, "PROVEN")}


def test_a_made_up_score_is_told_with_both_values(cli: Cli, in_served: Project, chain: Chain) -> None:
    run_honest(in_served, "made-up")
    round_id = chain.count_rounds()
    aggregator = Keystore(in_served.keys_dir).load("aggregator", password_for(in_served.network()))
    clients = sorted(chain.get_signers_at(range(1, 40), chain.get_round(round_id).opened_at))
    rows = cli("score", "recompute", "--run", "made-up", "--kind", "effort", "--format", "json").json["data"]
    values = {int(row["client"]): row["units"] for row in rows}
    assert set(values) <= set(clients)
    victim = max(values)
    lie = [(client, 1 if client == victim else value) for client, value in values.items()]
    chain.record_scores(round_id, "effort", lie, compute_method("effort"), key="lie", sender=aggregator)
    answer = cli("score", "recompute", "--run", "made-up", "--format", "json")
    assert (answer.status, answer.json["error"]["code"]) == (7, "FT727")
    message = answer.json["error"]["message"]
    assert f"client {victim}" in message
    assert f"1/{ONE}" in message
    assert f"{values[victim]}/{ONE}" in message


def test_a_score_by_a_method_that_nobody_here_knows_stays_a_word(cli: Cli, in_served: Project, chain: Chain) -> None:
    run_honest(in_served, "own-words")
    aggregator = Keystore(in_served.keys_dir).load("aggregator", password_for(in_served.network()))
    round_id = chain.count_rounds()
    for kind, method in (("charm", b"\x01" * 32), ("effort", b"\x02" * 32)):
        chain.record_scores(round_id, kind, [(2, 7 * ONE)], method, key=kind, sender=aggregator)
    answer = cli("score", "recompute", "--run", "own-words", "--format", "json")
    assert (answer.status, answer.json["grade"]) == (0, "ATTESTED")
    words = [row for row in answer.json["data"] if row["grade"] == "ATTESTED"]
    assert [(row["kind"], row["value"], row["recorded"]) for row in words] == [("charm", None, 7), ("effort", None, 7)]


def test_a_run_that_is_killed_while_it_scores_records_everything_once(
    cli: Cli, in_served: Project, chain: Chain, tmp_path: Path
) -> None:
    def run_and_count(name: str, at: int | None) -> None:
        counted = count_and_kill(at)
        run_script(in_served, name, scores={"record": ["anomaly", "effort"]})
        (tmp_path / "steps").write_text(str(counted()))

    load_everything()
    for name in ("first", "whole"):  # the first one of a project has to enrol everybody
        assert in_child(lambda n=name: run_and_count(n, None)) == 0
    last = int((tmp_path / "steps").read_text())
    seen = set()
    for before_the_end in range(8, 23, 5):  # a transaction is six steps, and the last one frees the bond
        name = f"killed-{before_the_end}"
        assert in_child(lambda n=name, at=last - before_the_end: run_and_count(n, at)) == -signal.SIGKILL
        seen.add(len(list_recorded(chain, round_id=chain.count_rounds())))
        assert cli("run", "resume", name, "--format", "json").status == 0
        rows = cli("score", "recompute", "--run", name, "--format", "json").json["data"]
        assert sum(row["recorded"] is not None for row in rows) == 2 * 5
        assert len(chain.events(names=("ScoresRecorded",), round_id=chain.count_rounds())) == 2
    assert seen == {0, 1, 2}  # it died before, between and after


def test_an_unknown_kind_in_a_script_is_told(cli: Cli, in_project: Project) -> None:
    script: dict[str, Any] = {
        "fedtrail": 1,
        "run": {"name": "x", "rounds": 1, "rule": {"name": "mean"}},
        "clients": {"count": 3},
        "scores": {"record": ["charm"]},
    }
    path = in_project.root / "x.yaml"
    path.write_text(yaml.safe_dump(script))
    answer = cli("script", "check", path)
    assert answer.status == 2
    assert "expected one of anomaly" in answer.err
