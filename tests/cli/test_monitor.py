"""A monitor follows a real ledger and tells people what to look at: `fedtrail monitor`."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from command_line import COMMAND, Cli
from prometheus_client.parser import text_string_to_metric_families
from scripted_runs import run_honest, run_tampered

from ledger.alerting import Monitor
from ledger.alerting.local import read_local
from ledger.chain import Chain, Connection
from ledger.chain.connection import move_clock
from ledger.keys import Keystore, password_for
from ledger.project import Project
from ledger.scoring import compute_method
from ledger.store import open_store

pytestmark = pytest.mark.chain

THREE = {"rounds": 3, "rule": {"name": "mean"}}
RIDER = {"at": "rounds 2-3", "client": 5, "attack": "free-ride-zero"}
"""Sends nothing in the last two of three rounds."""


def look(cli: Cli, *arguments: object) -> list[dict[str, object]]:
    """Look once and return the alerts."""
    answer = cli("monitor", "--once", "--format", "json", *arguments)
    assert answer.status == 0, answer.err
    return list(answer.json["data"])


def list_rules(alerts: list[dict[str, object]]) -> list[tuple[object, object]]:
    return [(alert["rule"], alert["round"]) for alert in alerts]


def test_an_honest_run_raises_no_alarm(cli: Cli, in_served: Project) -> None:
    run_honest(in_served, "quiet", run=THREE, scores={})
    assert look(cli, "--run", "quiet") == []
    assert cli("monitor", "--run", "quiet", "--once", "--fail-on", "any").status == 0


def test_a_client_that_stops_to_contribute_is_told_at_once_and_loses_trust(cli: Cli, in_served: Project) -> None:
    run_honest(in_served, "rider", run=THREE, events=[RIDER])
    alerts = look(cli, "--run", "rider", "--trust", "0.4")
    assert list_rules(alerts) == [("free-rider", 2), ("free-rider", 3), ("trust", 3)]
    assert len({alert["client"] for alert in alerts}) == 1
    assert [alert["value"] for alert in alerts] == [0, 0, 0.3515625]
    assert [alert["limit"] for alert in alerts][:2] == [0.25, 0.25]
    answer = cli("monitor", "--run", "rider", "--once", "--fail-on", "free-rider")
    assert answer.status == 9
    assert "effort 0.000 is below 0.25" in answer.out
    assert cli("monitor", "--run", "rider", "--once", "--fail-on", "replay").status == 0


def test_copies_outliers_and_absent_clients_are_told(cli: Cli, in_served: Project) -> None:
    events = [
        {"at": "round 1", "clients": [4, 5], "attack": "clones"},
        {"at": "round 2", "client": 1, "attack": "scaling", "options": {"factor": 20.0}},
        {"at": "round 3", "drop": 2},
    ]
    run_honest(in_served, "busy", run=THREE, events=events)
    rules = list_rules(look(cli, "--run", "busy"))
    assert rules.count(("duplicate", 1)) == 2
    assert ("anomaly", 2) in rules
    assert ("missing", 3) in rules


def test_a_wrong_proposal_is_told_and_so_is_missing_evidence(cli: Cli, in_served: Project) -> None:
    run_tampered(in_served, "wrong")
    alerts = look(cli, "--run", "wrong")
    assert list_rules(alerts)[0] == ("replay", 1)
    assert alerts[0]["code"] == "FT702"
    away = Path(f"{in_served.store_path}-away")
    shutil.move(in_served.store_path, away)
    try:
        assert {rule for rule, _ in list_rules(look(cli, "--run", "wrong"))} == {"evidence"}
    finally:
        shutil.rmtree(in_served.store_path, ignore_errors=True)
        shutil.move(away, in_served.store_path)


def test_rounds_whose_evidence_comes_back_are_scored_then_and_in_order(in_served: Project, chain: Chain) -> None:
    run_honest(in_served, "back", run=THREE, events=[RIDER])
    away = Path(f"{in_served.store_path}-away")
    shutil.move(in_served.store_path, away)
    try:
        store = open_store(in_served.store_path, ipfs=None)
        monitor = Monitor(chain, store, task_id=chain.count_tasks())
        assert {alert.rule for alert in monitor.look()} - {"key-rotation"} == {"evidence"}
        assert list(monitor.look()) == []
        assert not monitor.tally.rounds
    finally:
        shutil.rmtree(in_served.store_path, ignore_errors=True)
        shutil.move(away, in_served.store_path)
    assert [(alert.rule, alert.number) for alert in monitor.look()] == [("free-rider", 2), ("free-rider", 3)]
    assert sum(monitor.tally.rounds.values()) == 3
    assert sum(monitor.tally.missing.values()) == 0
    assert list(monitor.look()) == []


def test_a_made_up_score_a_new_key_and_a_late_aggregator_are_told(cli: Cli, in_served: Project, chain: Chain) -> None:
    run_honest(in_served, "words")
    keys, password = Keystore(in_served.keys_dir), password_for(in_served.network())
    aggregator = keys.load("aggregator", password)
    who = chain.find_participant(aggregator.address)
    assert who is not None
    method = compute_method("effort")
    chain.record_scores(chain.count_rounds(), "effort", [(2, 1)], method, key="lie", sender=aggregator)
    assert cli("key", "rotate", "c1").status == 0
    task_id = chain.count_tasks()
    chain.open_round(task_id, who, key="late", sender=aggregator)
    assert ("late-aggregator", 2) not in list_rules(look(cli, "--run", "words"))
    chain.wait_until(chain.get_round(chain.count_rounds()).propose_end + 5)
    alerts = look(cli, "--run", "words")
    assert {rule for rule, _ in list_rules(alerts)} == {"score", "key-rotation", "late-aggregator"}
    assert next(alert["code"] for alert in alerts if alert["rule"] == "score") == "FT727"


def test_a_following_monitor_tells_live_serves_metrics_and_ends_cleanly(in_served: Project) -> None:
    options = ("--run", "followed", "--interval", "0.2", "--format", "ndjson", "--metrics-port", "0")
    run_honest(in_served, "followed")
    process = subprocess.Popen(
        [*COMMAND, "monitor", *options], cwd=in_served.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        url = process.stderr.readline().removeprefix("metrics: ").strip()
        assert url.startswith("http://127.0.0.1:")
        found: dict[str, float] = {}
        while found.get("fedtrail_rounds_total", 0) < 1:
            with urllib.request.urlopen(url, timeout=10) as answer:
                text = answer.read().decode()
            samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
            found = {sample.name: sample.value for sample in samples}
    finally:
        process.send_signal(signal.SIGINT)
        rest = process.communicate(timeout=30)
    assert process.returncode == 0, rest
    rounds = next(sample for sample in samples if sample.name == "fedtrail_rounds_total")
    assert rounds.labels == {"run": "followed", "phase": "finalised"}
    kinds = {sample.labels["kind"] for sample in samples if sample.name == "fedtrail_score"}
    assert {"anomaly", "trust", "effort"} <= kinds
    assert found["fedtrail_replay_failures_total"] == found["fedtrail_artifacts_missing"] == 0
    assert (found["fedtrail_round_seconds_count"], found["fedtrail_round_seconds_sum"] > 0) == (1, True)
    mined = next(sample for sample in samples if sample.labels == {"outcome": "mined"})
    assert (mined.name, mined.value > 3, found["fedtrail_gas_used_total"] > 100_000) == (
        "fedtrail_tx_total",
        True,
        True,
    )
    assert not {"fedtrail_index_lag_blocks", "fedtrail_witness_age_seconds"} & set(found)


def test_the_age_of_index_and_of_foreign_signatures_is_measured(
    cli: Cli, in_served: Project, stranger: Project, chain: Chain, tmp_path: Path
) -> None:
    run_honest(in_served, "aged")
    assert cli("index", "sync", "--project", stranger.root).status == 0
    assert cli("checkpoint", "key", "clinic", "--project", in_served.root).status == 0
    assert cli("checkpoint", "key", "auditor", "--project", stranger.root).status == 0
    file = tmp_path / "now.note"
    assert cli("checkpoint", "create", "--key", "clinic", "-o", file).status == 0
    assert read_local(in_served, chain).witness_age_seconds is None  # signed by nobody but itself
    assert cli("checkpoint", "cosign", file, "--key", "auditor", "--project", stranger.root).status == 0
    before = read_local(stranger, chain)
    move_clock(Connection(chain.network.rpc), chain.now() + 100)
    after = read_local(stranger, chain)
    assert (before.index_lag_blocks, before.reorgs, after.index_lag_blocks) == (0, 0, 1)
    assert before.witness_age_seconds is not None and after.witness_age_seconds is not None
    assert after.witness_age_seconds - before.witness_age_seconds >= 100


def test_it_ends_when_its_time_is_over_and_at_an_alert_that_should_end_it(cli: Cli, in_served: Project) -> None:
    run_honest(in_served, "ended", run=THREE, events=[RIDER])
    answer = cli("monitor", "--run", "ended", "--timeout", "0.3", "--interval", "0.1", "--format", "ndjson")
    assert answer.status == 0
    assert [json.loads(line)["rule"] for line in answer.out.splitlines()].count("free-rider") == 2
    assert cli("monitor", "--run", "ended", "--fail-on", "free-rider").status == 9


def test_unknown_rules_and_a_missing_package_are_told(
    cli: Cli, in_served: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = cli("monitor", "--once", "--fail-on", "weather")
    assert answer.status == 2
    assert "late-aggregator" in answer.err
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    answer = cli("monitor", "--once", "--metrics-port", "0")
    assert answer.status == 2
    assert "fedtrail[monitor]" in answer.err
