"""Runs and their rounds from the command line: start, resume, show, replay, explain, and what tampering does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from command_line import Cli

from ledger.cli import main
from ledger.project import Project
from ledger.store import Cid, EmbeddedStore

pytestmark = pytest.mark.chain

SCRIPT = {
    "fedtrail": 1,
    "run": {"name": "tiny", "rounds": 2, "seed": 3, "rule": {"name": "trimmed-mean", "trim": 1}},
    "model": {"entry": "logistic"},
    "training": {"epochs": 1},
    "clients": {"count": 4, "clip_norm": None},
    "aggregator": {"stake": "50 ether", "bond": "1 ether"},
    "events": [{"at": "round 2", "malform": "truncated", "client": 3}],
    "compare": [{"name": "mean"}],
    "expect": {"replay": "pass", "excluded": [{"client": 3, "rounds": [2], "code": "FT710"}]},
}


def write(project: Project, name: str, **changes: object) -> Path:
    script = {**SCRIPT, **changes, "run": {**SCRIPT["run"], "name": name}}  # type: ignore[dict-item]
    path = project.root / f"{name}.yaml"
    path.write_text(yaml.safe_dump(script, sort_keys=False))
    return path


@pytest.fixture(scope="module")
def run(served: Project) -> Project:
    """The project after the run `tiny`: two rounds, one client excluded from the second."""
    path = write(served, "tiny")
    assert main(["run", "start", str(path), "--project", str(served.root), "--format", "ndjson"]) == 0
    return served


@pytest.fixture
def after_run(run: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.chdir(run.root)
    return run


@contextmanager
def changed_block(project: Project, cid: str, change: bytes | None) -> Iterator[None]:
    """Flip a stored block's bytes, or hide it when `change` is None; afterwards it is as before."""
    path = EmbeddedStore(project.store_path).block_path(Cid.from_text(cid))
    kept = path.read_bytes()
    path.chmod(0o644)
    if change is None:
        path.unlink()
    else:
        path.write_bytes(kept[:-1] + bytes([kept[-1] ^ change[0]]))
    try:
        yield
    finally:
        path.write_bytes(kept)


def updates(cli: Cli, number: int) -> list[dict[str, str]]:
    found: list[dict[str, str]] = cli("round", "show", number, "--format", "json").json["data"]["updates"]
    return found


def test_replay_passes_with_grade_proven(cli: Cli, after_run: Project) -> None:
    answer = cli("round", "replay", 1, "--format", "json")
    assert answer.status == 0, answer.err
    data = answer.json["data"]
    assert (data["verdict"], data["grade"], data["findings"]) == ("pass", "PROVEN", [])
    assert (data["committed"], data["included"]) == (4, 4)
    assert answer.json["asof"]["block"] == data["block"]
    table = cli("round", "replay", 1).out
    assert "pass" in table and "PROVEN" in table and data["aggregate_root"] in table


def test_one_flipped_byte_is_exit_7_with_client_and_round(cli: Cli, after_run: Project) -> None:
    victim = updates(cli, 1)[2]
    with changed_block(after_run, victim["cid"], b"\x01"):
        table = cli("round", "replay", 1)
        answer = cli("round", "replay", 1, "--format", "json")
        explained = cli("round", "explain", 1).out
    assert table.status == 7
    assert f"FT701: update-tampered: round 1, client {victim['client']}" in table.err
    assert answer.status == 7 and answer.json["error"]["code"] == "FT701"
    assert answer.json["data"]["verdict"] == "fail"
    assert answer.json["data"]["findings"][0]["participant"] == victim["client"]
    assert "WRONG: evidence" in explained and "replay fail" in explained
    assert cli("round", "replay", 1).status == 0


def test_an_absent_blob_is_exit_8_and_accuses_nobody(cli: Cli, after_run: Project) -> None:
    victim = updates(cli, 1)[0]
    with changed_block(after_run, victim["cid"], None):
        answer = cli("round", "replay", 1, "--format", "json")
        explained = cli("round", "explain", 1).out
        shown = updates(cli, 1)[0]
    assert answer.status == 8 and answer.json["error"]["code"] == "FT801"
    assert answer.json["data"]["grade"] == "MISSING"
    assert not any(finding["accuses"] for finding in answer.json["data"]["findings"])
    assert "accuses nobody" in explained and "WRONG" not in explained
    assert "missing" in shown["status"]


def test_show_has_phases_updates_and_roots(cli: Cli, after_run: Project) -> None:
    data = cli("round", "show", 2, "--format", "json").json["data"]
    assert data["phase"] == "finalised" and data["rule"] == "trimmed-mean(1)"
    ends = [phase["at"] for phase in data["phases"]]
    assert len(ends) == 4 and ends == sorted(ends)
    assert {u["name"]: u["status"] for u in data["updates"]} == {
        "c1": "included",
        "c2": "included",
        "c3": "excluded: FT710",
        "c4": "included",
    }
    first = cli("round", "show", 1, "--format", "json").json["data"]
    assert first["model_root"] == data["base_model"]
    table = cli("round", "show", 2).out
    assert "challenge end" in table and "excluded: FT710" in table and data["aggregate_root"] in table


def test_explain_says_what_is_and_is_not_proved(cli: Cli, after_run: Project) -> None:
    text = cli("round", "explain", 2).out
    for section in ("PROVEN:", "ATTESTED:", "CLAIMED:", "NEVER PROVEN:"):
        assert section in text
    assert "(5) Each excluded update" in text and "(1 of 4 clients)" in " ".join(text.split())
    assert "MISSING" not in text and "WRONG" not in text
    assert max(map(len, text.splitlines())) <= 100


def test_runs_are_listed_and_shown(cli: Cli, after_run: Project) -> None:
    assert "tiny" in [row["name"] for row in cli("run", "list", "--format", "json").json["data"]]
    rows = cli("run", "show", "tiny", "--format", "json").json["data"]
    assert [(row["round"], row["phase"], row["committed"], row["excluded"]) for row in rows] == [
        (1, "finalised", 4, 0),
        (2, "finalised", 4, 1),
    ]
    wrong = cli("run", "show", "tinny")
    assert wrong.status == 5 and "did you mean 'tiny'" in wrong.err
    beyond = cli("round", "show", 9, "--run", "tiny")
    assert beyond.status == 5 and "run 'tiny' has 2" in beyond.err


def test_resuming_a_finished_run_sends_nothing(cli: Cli, after_run: Project) -> None:
    before = cli("contract", "info", "--format", "json").json["data"]["latest_block_time"]
    answer = cli("run", "resume", "tiny", "--format", "json")
    assert answer.status == 0, answer.err
    assert answer.json["verdict"] == "pass" and [row["round"] for row in answer.json["data"]] == [1, 2]
    assert cli("contract", "info", "--format", "json").json["data"]["latest_block_time"] == before
    unknown = cli("run", "resume", "tyni")
    assert unknown.status == 5


def test_a_run_prints_rounds_chart_and_costs(cli: Cli, after_run: Project) -> None:
    out = cli("run", "resume", "tiny").out
    assert "accuracy trimmed-mean(1)" in out and "accuracy mean" in out and "c3 FT710" in out
    assert "round 1 to 2" in out and "gas   " in out
    assert "of it for the ledger" not in out  # the times of a resumed run mean nothing


def test_an_unmet_expectation_is_exit_9(cli: Cli, after_run: Project) -> None:
    path = write(after_run, "unmet", expect={"accuracy": ">= 0.9999"}, events=[])
    answer = cli("run", "start", path, "--format", "json")
    assert answer.status == 9
    assert answer.err.startswith("FT901: accuracy: expected >= 0.9999, found 0.")


def test_a_tampered_aggregate_is_exit_7_with_the_first_coordinate(cli: Cli, after_run: Project) -> None:
    event = {"at": "round 1", "aggregator": "tamper", "coordinate": 5}
    path = write(after_run, "tampered", events=[event], expect={})
    started = cli("run", "start", path)
    assert started.status == 7 and "FT702" in started.err
    answer = cli("round", "replay", 1, "--run", "tampered")
    assert answer.status == 7
    assert "FT702: replay mismatch in round 1" in answer.err and "coordinate 5" in answer.err
    assert "tensor fc.weight" in answer.err


def test_a_script_with_a_mistake_starts_nothing(cli: Cli, after_run: Project) -> None:
    path = write(after_run, "mistake")
    path.write_text(path.read_text().replace("seed: 3", "sead: 3"))
    answer = cli("run", "start", path)
    assert answer.status == 2 and answer.err.startswith(f"FT102: {path}:")
    assert "mistake" not in [row["name"] for row in cli("run", "list", "--format", "json").json["data"]]


def test_an_auditor_without_the_runs_names_rounds_by_their_id(cli: Cli, after_run: Project, tmp_path: Path) -> None:
    auditor = Project.create(tmp_path / "auditor")
    text = (after_run.root / "fedtrail.toml").read_text()
    rpc = after_run.network().rpc
    store = f'path = "{after_run.store_path}"'
    text = text.replace("devnet = true", f'rpc = "{rpc}"').replace('path = ".fedtrail/blocks"', store)
    (auditor.root / "fedtrail.toml").write_text(text)
    answer = cli("round", "replay", 2, "--project", auditor.root, "--format", "json")
    assert answer.status == 0, answer.err
    assert answer.json["data"]["round_id"] == "2"
    beyond = cli("round", "replay", 999, "--project", auditor.root)
    assert beyond.status == 5 and "the ledger has" in beyond.err
