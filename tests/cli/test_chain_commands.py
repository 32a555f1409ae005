"""Commands that speak with the contracts, on a real devnet."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import Cli, run_process

from ledger import artifacts, devnet
from ledger.chain import Connection, sending
from ledger.project import Project

pytestmark = pytest.mark.chain


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Project]:
    """A project of its own, whose devnet is stopped in the end."""
    project = Project.create(tmp_path / "fresh")
    yield project
    devnet.stop(project.state_dir)


def test_devnet_outlives_the_command_and_ends_when_told(fresh: Project) -> None:
    up = run_process("devnet", "up", "--format", "json", cwd=fresh.root)
    assert up.status == 0, up.err
    assert up.err == ""
    again = run_process("devnet", "up", "--format", "json", cwd=fresh.root)
    assert again.json["data"] == up.json["data"]
    status = run_process("devnet", "status", "--format", "json", cwd=fresh.root).json["data"]
    assert status["running"] and status["rpc"].startswith("http://127.0.0.1:") and status["chain_id"] == "31337"
    assert run_process("devnet", "logs", "-n", "5", cwd=fresh.root).out.count("\n") <= 5
    assert run_process("devnet", "down", cwd=fresh.root).status == 0
    assert _ends(status["pid"])
    after = run_process("devnet", "status", "--format", "json", cwd=fresh.root).json["data"]
    assert after == {"running": False, "engine": None, "rpc": None, "chain_id": None, "pid": None, "log": None}
    assert "no devnet was running" in run_process("devnet", "down", cwd=fresh.root).err


def _ends(pid: int) -> bool:
    deadline = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.05)
    return not Path(f"/proc/{pid}").exists()


def test_reset_asks_first(fresh: Project, cli: Cli) -> None:
    run_process("devnet", "up", cwd=fresh.root)
    refused = run_process("devnet", "reset", cwd=fresh.root)
    assert refused.status == 2 and "--yes" in refused.err
    assert devnet.status(fresh.state_dir) is not None
    assert run_process("devnet", "reset", "--yes", cwd=fresh.root).status == 0
    assert devnet.status(fresh.state_dir) is None


def test_a_chain_that_was_reset_is_noticed_and_can_be_started_anew(fresh: Project) -> None:
    run_process("devnet", "up", cwd=fresh.root)
    first = run_process("contract", "deploy", "--format", "json", cwd=fresh.root).json["data"]
    run_process("devnet", "down", cwd=fresh.root)
    run_process("devnet", "up", cwd=fresh.root)
    answer = run_process("contract", "info", cwd=fresh.root)
    assert answer.status == 4 and answer.err.startswith("FT405: chain was reset: block ")
    assert run_process("contract", "deploy", cwd=fresh.root).status == 4
    second = run_process("contract", "deploy", "--new", "--format", "json", cwd=fresh.root).json["data"]
    assert second["deploy_block_hash"] != first["deploy_block_hash"]
    assert run_process("contract", "info", cwd=fresh.root).status == 0


def test_unknown_engine_is_refused(fresh: Project) -> None:
    answer = run_process("devnet", "up", "--engine", "ganache", cwd=fresh.root)
    assert answer.status == 2 and "hardhat, anvil" in answer.err


def test_deploying_twice_changes_nothing(cli: Cli, in_served: Project) -> None:
    before = (in_served.root / "fedtrail.toml").read_text()
    answer = cli("contract", "deploy", "--format", "json")
    assert answer.status == 0 and "already deployed" in answer.err
    assert (in_served.root / "fedtrail.toml").read_text() == before
    assert answer.json["data"]["ledger"] == in_served.network().ledger


def test_info_shows_what_is_pinned(cli: Cli, in_served: Project) -> None:
    data = cli("contract", "info", "--format", "json").json["data"]
    network = in_served.network()
    assert {key: data[key] for key in artifacts.KEYS} == network.contracts
    assert data["code_hash"] == network.code_hash
    assert data["rounds"] == 0 and data["domain_separator"].startswith("0x")


@pytest.mark.parametrize(
    ("key", "value", "code", "status"),
    [
        ("chain_id", "chain_id = 1", "FT402", 3),
        ("ledger", 'ledger = "0x' + "77" * 20 + '"', "FT403", 3),
        ("code_hash", 'code_hash = "0x' + "77" * 32 + '"', "FT404", 3),
        ("deploy_block_hash", 'deploy_block_hash = "0x' + "77" * 32 + '"', "FT405", 4),
    ],
)
def test_another_chain_than_the_pinned_one_is_refused(
    cli: Cli, in_served: Project, key: str, value: str, code: str, status: int
) -> None:
    path = in_served.root / "fedtrail.toml"
    kept = path.read_text()
    lines = [value if line.split(" = ")[0] == key else line for line in kept.splitlines()]
    path.write_text("\n".join(lines) + "\n")
    try:
        answer = cli("client", "list")
    finally:
        path.write_text(kept)
    assert (answer.status, answer.err[:5]) == (status, code)


def test_a_participant_registers_deposits_rotates_and_leaves(cli: Cli, in_served: Project) -> None:
    registered = cli("client", "register", "hospital-a", "--stake", "1.5 ether", "--format", "json")
    assert registered.status == 0, registered.err
    number = registered.json["data"]["id"]
    assert registered.json["data"]["stake_wei"] == str(15 * 10**17)
    again = cli("client", "register", "hospital-a", "--stake", "1.5 ether", "--format", "json")
    assert again.json["data"] == registered.json["data"]
    deposited = cli("stake", "deposit", "hospital-a", "0.25ether", "--format", "json").json["data"]
    assert deposited["stake_wei"] == str(175 * 10**16)
    signer = cli("key", "address", "hospital-a").out.strip()
    rotated = cli("key", "rotate", "hospital-a", "--format", "json").json["data"]
    assert rotated["participant"] == number and rotated["address"] != signer
    shown = cli("client", "show", "hospital-a", "--format", "json").json["data"]
    assert (shown["signer"], shown["key_epoch"], shown["name"]) == (rotated["address"], 1, "hospital-a")
    assert cli("client", "show", number, "--format", "json").json["data"] == shown
    leaving = cli("stake", "withdraw", "hospital-a", "--format", "json")
    assert "unbonding until" in leaving.err and leaving.json["data"]["unlock_at"] > 0
    left = cli("stake", "withdraw", "hospital-a", "--wait", "--format", "json")
    assert left.json["data"]["stake_wei"] == "0", left.err
    assert left.json["data"]["owner_may_claim_wei"] == "0"


def test_list_has_every_participant_in_every_format(cli: Cli, in_served: Project) -> None:
    cli("client", "register", "agg", "--role", "aggregator", "--stake", "2 ether")
    listed = cli("client", "list", "--format", "json").json["data"]
    assert ("agg", "aggregator", str(2 * 10**18)) in [(r["name"], r["role"], r["stake_wei"]) for r in listed]
    assert cli("client", "list", "--format", "csv").out.splitlines()[0] == "id,name,role,stake,status,signer,owner"
    assert len(cli("client", "list", "--format", "ndjson").out.splitlines()) == len(listed)
    assert "2 ETH" in cli("client", "list").out


def test_a_stake_below_the_minimum_is_refused(cli: Cli, in_served: Project) -> None:
    count = len(cli("client", "list", "--format", "json").json["data"])
    answer = cli("client", "register", "poor", "--stake", "0.5 ether")
    assert answer.status == 6 and "FT601: insufficient stake" in answer.err
    assert len(cli("client", "list", "--format", "json").json["data"]) == count


def test_unknown_participants_suggest_the_nearest(cli: Cli, in_served: Project) -> None:
    cli("client", "register", "clinic")
    answer = cli("stake", "show", "clinik")
    assert answer.status == 5 and "did you mean 'clinic'" in answer.err
    assert cli("client", "show", "99").status == 5
    cli("key", "new", "unregistered")
    answer = cli("client", "show", "unregistered")
    assert answer.status == 5 and "fedtrail client register unregistered" in answer.err


def test_what_another_project_owns_cannot_be_withdrawn(cli: Cli, in_served: Project, tmp_path: Path) -> None:
    number = cli("client", "register", "theirs", "--format", "json").json["data"]["id"]
    kept = in_served.keys_dir / "theirs-owner.json"
    shutil.move(kept, tmp_path / "elsewhere.json")
    try:
        answer = cli("stake", "withdraw", number)
    finally:
        shutil.move(tmp_path / "elsewhere.json", kept)
    assert answer.status == 6 and answer.err.startswith("FT605")


def test_doctor_checks_the_contracts(cli: Cli, in_served: Project) -> None:
    rows = {row["what"]: row for row in cli("doctor", "--format", "json").json["data"]}
    assert rows["devnet"]["status"] == "ok"
    assert "code as pinned" in rows["contracts"]["found"]


def test_a_node_that_is_gone_is_ft401(fresh: Project) -> None:
    path = fresh.root / "fedtrail.toml"
    path.write_text(path.read_text().replace("devnet = true", 'rpc = "http://127.0.0.1:9"'))
    run_process("key", "new", "operator", cwd=fresh.root, FEDTRAIL_KEY_PASSWORD="a password")
    answer = run_process("contract", "deploy", "--format", "json", cwd=fresh.root, FEDTRAIL_KEY_PASSWORD="a password")
    assert (answer.status, answer.json["error"]["code"]) == (4, "FT401"), answer.err


def test_deploying_on_a_real_network_needs_the_operators_key(fresh: Project) -> None:
    path = fresh.root / "fedtrail.toml"
    path.write_text(path.read_text().replace("devnet = true", 'rpc = "http://127.0.0.1:9"'))
    answer = run_process("contract", "deploy", cwd=fresh.root, FEDTRAIL_KEY_PASSWORD="a password")
    assert answer.status == 3 and answer.err.startswith("FT211: no key 'operator'")


def test_a_killed_devnet_is_not_running(fresh: Project) -> None:
    pid = run_process("devnet", "up", "--format", "json", cwd=fresh.root).json["data"]["pid"]
    os.kill(pid, signal.SIGKILL)
    assert _ends(pid)
    status = run_process("devnet", "status", "--format", "json", cwd=fresh.root)
    assert json.loads(status.out)["data"]["running"] is False


@pytest.mark.slow
def test_built_contracts_are_the_shipped_ones(cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(Path(__file__).parents[2])
    rows = cli("contract", "build", "-o", tmp_path / "out", "--format", "json").json["data"]
    assert {row["contract"] for row in rows} >= {"ParticipantRegistry", "RoundLedger"}
    assert all(row["as_shipped"] for row in rows)
    assert json.loads((tmp_path / "out" / "RoundLedger.json").read_text())["abi"]
    monkeypatch.chdir(tmp_path)
    assert cli("contract", "build").status == 5


def test_a_transaction_that_is_not_mined_is_ft407(
    cli: Cli, in_served: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli("client", "register", "patient")
    connection = Connection(in_served.network().rpc)
    monkeypatch.setattr(sending, "MINED_SECONDS", 0.5)
    connection.request("evm_setAutomine", False)
    try:
        answer = cli("stake", "deposit", "patient", "1 ether")
    finally:
        connection.request("evm_setAutomine", True)
        connection.request("evm_mine")
    assert answer.status == 4 and answer.err.startswith("FT407: transaction 0x")
    shown = cli("stake", "show", "patient", "--format", "json").json["data"]
    assert shown["stake_wei"] == str(2 * 10**18)  # it was sent, and is mined now
