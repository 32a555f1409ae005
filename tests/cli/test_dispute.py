"""From a replay that fails to a bond that is gone: `fedtrail dispute` and `fedtrail stake history` on a real node."""

from __future__ import annotations

import csv
import io

import pytest
from command_line import Cli
from scripted_runs import run_honest, run_tampered

from ledger.project import Project

pytestmark = pytest.mark.chain

SHARES_WEI = [4 * 10**17, 10**17, 5 * 10**17]
"""Of a bond of one ether: the challenger's, the clients', and what is burnt."""


@pytest.mark.parametrize(
    ("rule", "proof"),
    [
        ({"name": "mean"}, "proveColumn"),
        ({"name": "median"}, "proveColumn"),
        ({"name": "trimmed-mean", "trim": 1}, "proveColumn"),
        ({"name": "weighted-mean"}, "proveWeightedColumn"),
    ],
    ids=lambda value: value["name"] if isinstance(value, dict) else value,
)
def test_one_wrong_unit_in_one_coordinate_costs_the_aggregator_its_bond(
    cli: Cli, in_served: Project, rule: dict[str, object], proof: str
) -> None:
    name = f"tampered-{rule['name']}"
    run_tampered(in_served, name, run={"rule": rule})
    dry = cli("dispute", "open", "1", "--run", name, "--dry-run", "--format", "json").json["data"]
    assert dry["proof"] == proof
    told = cli("dispute", "open", "1", "--run", name, "--format", "json").json["data"]
    assert (told["proof"], told["phase"], told["coordinate"]) == (proof, "voided", 77)
    assert int(told["claimed"]) - int(told["recomputed"]) == 1
    assert cli("round", "show", "1", "--run", name, "--format", "json").json["data"]["phase"] == "voided"
    listed = cli("dispute", "list", "--format", "json").json["data"]
    assert (listed[-1]["coordinate"], listed[-1]["status"]) == (77, "proven")
    first = cli("dispute", "resolve", "1", "--run", name, "--format", "json")
    assert "the reward can be paid from" in first.err
    resolved = first.json["data"]
    split = [int(resolved[f"{share}_wei"]) for share in ("to_challenger", "to_clients", "burnt")]
    assert (split, resolved["paid_to"]) == (SHARES_WEI, None)
    paid = cli("dispute", "resolve", "1", "--run", name, "--wait", "--format", "json").json["data"]
    assert paid["paid_to"] == listed[-1]["challenger"]
    again = cli("dispute", "resolve", "1", "--run", name, "--format", "json")
    assert (again.status, again.json["data"]) == (0, paid)


def test_a_ticket_is_bought_before_the_proof_is_shown(cli: Cli, in_served: Project) -> None:
    run_tampered(in_served, "ticketed")
    told = cli("dispute", "open", "1", "--run", "ticketed", "--ticket", "--format", "json").json["data"]
    assert told["phase"] == "voided"
    assert told["ticket_tx"] != told["tx"]


def test_a_dispute_is_shown_from_the_proof_to_the_last_share(cli: Cli, in_served: Project) -> None:
    run_tampered(in_served, "shown")

    def show() -> dict[str, object]:
        return dict(cli("dispute", "show", "1", "--run", "shown", "--format", "json").json["data"])

    before = show()
    assert (before["phase"], before["faults"], before["challenger"]) == ("proposed", [], None)
    cli("dispute", "open", "1", "--run", "shown")
    proven = show()
    assert proven["contestable_until"] == int(str(proven["proven_at"])) + 3600
    assert [(fault["status"], fault["reward_wei"]) for fault in proven["faults"]] == [("proven", None)]  # type: ignore[attr-defined]
    cli("dispute", "resolve", "1", "--run", "shown", "--wait", "--shares")
    (fault,) = show()["faults"]  # type: ignore[misc]
    assert (fault["status"], fault["reward_wei"], len(fault["shares_paid"])) == ("paid", str(SHARES_WEI[0]), 5)
    told = cli("dispute", "show", "1", "--run", "shown").out
    assert "wrong aggregate" in told and "voided" in told
    assert cli("dispute", "resolve", "1", "--run", "shown", "--shares").status == 0  # nobody is paid twice


def test_an_honest_round_has_nothing_to_dispute(cli: Cli, in_served: Project) -> None:
    run_honest(in_served, "honest")
    answer = cli("dispute", "open", "1", "--run", "honest")
    assert answer.status == 5
    assert "nothing to prove" in answer.err
    answer = cli("dispute", "resolve", "1", "--run", "honest")
    assert (answer.status, "is not void" in answer.err) == (5, True)


def test_a_stake_history_tells_every_change_and_ends_at_the_stake(cli: Cli, in_served: Project) -> None:
    run_tampered(in_served, "history")
    cli("dispute", "open", "1", "--run", "history")
    cli("dispute", "resolve", "1", "--run", "history", "--wait", "--shares")
    cli("stake", "deposit", "aggregator", "1 ether")
    rows = cli("stake", "history", "aggregator", "--format", "json").json["data"]
    assert [row["what"] for row in rows[:2]] == ["registered", "locked"]
    assert [row["what"] for row in rows[-4:]] == ["locked", "unlocked", "slashed", "deposited"]
    slashed = rows[-2]
    assert (slashed["amount_wei"], slashed["reason"]) == (str(10**18), "voided round")
    assert slashed["round_id"]
    shown = cli("stake", "show", "aggregator", "--format", "json").json["data"]
    assert (rows[-1]["stake_wei"], rows[-1]["locked_wei"]) == (shown["stake_wei"], shown["locked_wei"])
    table = cli("stake", "history", "c1").out
    assert "registered" in table and "share credited" in table and "1 ETH" in table


def test_a_stake_history_of_everybody_is_a_table_for_spreadsheets(cli: Cli, in_served: Project) -> None:
    rows = list(csv.DictReader(io.StringIO(cli("stake", "history", "--format", "csv").out)))
    assert {"registered", "locked"} <= {row["what"] for row in rows}
    assert len({row["id"] for row in rows}) >= 6
