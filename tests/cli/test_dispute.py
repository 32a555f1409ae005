"""From a replay that fails to a bond that is gone: `fedtrail dispute` on a real node."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from command_line import Cli

from ledger.cli import main
from ledger.project import Project

pytestmark = pytest.mark.chain


def run_tampered(project: Project, name: str, rule: dict[str, object]) -> None:
    """Run one round whose aggregator adds one unit to one coordinate; its replay fails and it stays proposed."""
    script = {
        "fedtrail": 1,
        "run": {"name": name, "rounds": 1, "seed": 5, "rule": rule},
        "model": {"entry": "logistic"},
        "training": {"epochs": 1},
        "clients": {"count": 5, "clip_norm": None},
        "aggregator": {"stake": "50 ether", "bond": "1 ether"},
        "events": [{"at": "always", "aggregator": "tamper", "coordinate": 77}],
    }
    path = Path(project.root) / f"{name}.yaml"
    path.write_text(yaml.safe_dump(script, sort_keys=False))
    assert main(["run", "start", str(path), "--project", str(project.root), "--format", "json"]) == 7


@pytest.fixture
def at_home(served: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.chdir(served.root)
    return served


@pytest.mark.parametrize(
    ("rule", "proof"),
    [
        ({"name": "mean"}, "proveColumn"),
        ({"name": "median"}, "proveColumn"),
        ({"name": "trimmed-mean", "trim": 1}, "proveColumn"),
        ({"name": "weighted-mean"}, "proveDirect"),
    ],
    ids=lambda value: value["name"] if isinstance(value, dict) else value,
)
def test_one_wrong_unit_in_one_coordinate_costs_the_aggregator_its_bond(
    cli: Cli, at_home: Project, rule: dict[str, object], proof: str
) -> None:
    name = f"tampered-{rule['name']}"
    run_tampered(at_home, name, rule)
    dry = cli("dispute", "open", "1", "--run", name, "--dry-run", "--format", "json").json["data"]
    assert dry["proof"] == proof
    told = cli("dispute", "open", "1", "--run", name, "--format", "json").json["data"]
    assert (told["proof"], told["phase"], told["coordinate"]) == (proof, "voided", 77)
    assert int(told["claimed"]) - int(told["recomputed"]) == 1
    split = [int(told[f"{share}_wei"]) for share in ("to_challenger", "to_clients", "burnt")]
    assert split == [4 * 10**17, 10**17, 5 * 10**17]
    assert cli("round", "show", "1", "--run", name, "--format", "json").json["data"]["phase"] == "voided"
    listed = cli("dispute", "list", "--format", "json").json["data"]
    assert listed[-1]["coordinate"] == 77


def test_a_krum_aggregate_is_refused_with_a_reason(cli: Cli, at_home: Project) -> None:
    run_tampered(at_home, "tampered-krum", {"name": "krum", "f": 1})
    answer = cli("dispute", "open", "1", "--run", "tampered-krum")
    assert answer.status == 5
    assert "cannot judge krum yet" in answer.err


def test_an_honest_round_has_nothing_to_dispute(cli: Cli, at_home: Project) -> None:
    script = at_home.root / "honest.yaml"
    content = {
        "fedtrail": 1,
        "run": {"name": "honest", "rounds": 1, "rule": {"name": "mean"}},
        "model": {"entry": "logistic"},
        "training": {"epochs": 1},
        "clients": {"count": 5, "clip_norm": None},
        "aggregator": {"stake": "50 ether", "bond": "1 ether"},
    }
    script.write_text(yaml.safe_dump(content, sort_keys=False))
    assert main(["run", "start", str(script), "--project", str(at_home.root), "--format", "json"]) == 0
    answer = cli("dispute", "open", "1", "--run", "honest")
    assert answer.status == 5
    assert "nothing to prove" in answer.err
