"""Objections, encryption keys, rewards and scores of a real run: command line, audit and bundle."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from command_line import Cli

from ledger.bundle.sealing import get_public
from ledger.chain import ETHER, Chain
from ledger.cli import main
from ledger.contests import Objection, decode_objection
from ledger.devnet import funded_account
from ledger.encryption_keys import EncryptionKeys
from ledger.errors import KeyMissing, UsageError
from ledger.keys import DEVNET_PASSWORD
from ledger.project import Project
from ledger.spec import NotCanonical
from ledger.store import Cid

SCRIPT = {
    "fedtrail": 1,
    "run": {"name": "paid", "rounds": 2, "seed": 3, "rule": {"name": "trimmed-mean", "trim": 1}},
    "model": {"entry": "logistic"},
    "data": {"min_examples": 16},
    "training": {"epochs": 1},
    "clients": {"count": 4, "clip_norm": None},
    "scores": {"record": ["anomaly", "influence"]},
    "rewards": {"fund": "1 ether", "rate": "0.01 ether"},
    "events": [{"malform": "out-of-range", "client": 2, "at": "round 1"}],
}
pytestmark = [pytest.mark.chain, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def served(served: Project) -> Project:
    """The devnet of this file with a finished run on it."""
    path = served.root / "paid.yaml"
    path.write_text(yaml.safe_dump(SCRIPT))
    assert main(["run", "start", str(path), "--project", str(served.root), "--format", "ndjson"]) == 0
    return served


def ask(cli: Cli, *questions: str) -> list[dict[str, object]]:
    """Return the answers of the audit, after the index has caught up."""
    assert cli("index", "sync").status == 0
    answer = cli("audit", "run", *questions, "--format", "json")
    assert answer.status == 0, answer.err
    data: list[dict[str, object]] = json.loads(answer.out)["data"]
    return data


def test_a_rejected_client_objects_and_the_audit_tells(cli: Cli, in_served: Project, chain: Chain) -> None:
    (before,) = ask(cli, "Q8")
    ((row,),) = [before["rows"]]
    assert (row["contested"], row["objection"]) == (0, None)
    evidence = in_served.root / "log.txt"
    evidence.write_text("sent in time")
    reason = "my update was within the bound"
    answer = cli("update", "contest", 1, "--client", "c2", "--reason", reason, "--file", evidence, "--format", "json")
    assert answer.status == 0, answer.err
    told = json.loads(answer.out)["data"]
    (event,) = chain.events(names=["RoundContested"])
    objection = decode_objection(cli_store(cli, told["statement"]))
    assert (objection.client, objection.round_id, objection.reason) == (event.args["client"], 1, reason)
    assert Cid.from_text(told["statement"]).digest == event.args["statement"]
    assert cli_store(cli, str(objection.attachment)) == b"sent in time"
    (after,) = ask(cli, "Q8")
    assert [(row["contested"], row["objection"]) for row in after["rows"]] == [(1, told["statement"])]
    assert after["grade"] == "PROVEN"
    # What it names as the proof is a bundle: it holds the receipts of every contract's events.
    assert told["prove"] == "fedtrail bundle create" and int(told["block"]) == event.block
    # The same objection again is the same transaction.
    again = cli("update", "contest", 1, "--client", "c2", "--reason", reason, "--file", evidence, "--format", "json")
    assert json.loads(again.out)["data"]["tx"] == told["tx"]


def cli_store(cli: Cli, cid: str) -> bytes:
    answer = cli("store", "get", cid, "-o", "got.bin")
    assert answer.status == 0, answer.err
    return Path("got.bin").read_bytes()


def test_an_objection_is_one_document_that_reads_back() -> None:
    objection = Objection(chain_id=1, ledger="0x" + "1e" * 20, round_id=3, client=2, reason="no", attachment=None)
    assert decode_objection(objection.encode()) == objection
    for data in (b"", b"[]", objection.encode() + b" ", objection.encode().replace(b"contest-1", b"contest-2")):
        with pytest.raises(NotCanonical):
            decode_objection(data)
    with pytest.raises(UsageError):
        Objection(chain_id=1, ledger="", round_id=3, client=2, reason=" ", attachment=None).encode()


def test_a_key_that_is_announced_opens_and_its_history_stays(cli: Cli, in_served: Project, chain: Chain) -> None:
    public = []
    for epoch in range(2):
        told = json.loads(cli("key", "announce", "c1", "--format", "json").out)["data"]
        assert told["epoch"] == epoch
        public.append(bytes.fromhex(told["public_key"]))
    assert public[0] != public[1]
    number = chain.find_participant(in_served_address(in_served, "c1"))
    assert [each.key for each in chain.list_encryption_keys(number or 0)] == public
    held = EncryptionKeys(in_served.keys_dir, "c1")
    assert [get_public(held.load(each, DEVNET_PASSWORD)) for each in public] == public
    with pytest.raises(KeyMissing):
        held.load(bytes(32), DEVNET_PASSWORD)
    assert b"ENCRYPTED" in (in_served.keys_dir / "c1.1.x25519.pem").read_bytes()
    # One that was made and whose announcement never came is announced first.
    file, waiting = held.next(public, DEVNET_PASSWORD)
    assert held.next(public, DEVNET_PASSWORD) == (file, waiting)
    assert json.loads(cli("key", "announce", "c1", "--format", "json").out)["data"]["public_key"] == waiting.hex()
    rows = json.loads(cli("key", "announced", "c1", "--format", "json").out)["data"]
    assert [row["epoch"] for row in rows] == [0, 1, 2]


def in_served_address(project: Project, name: str) -> str:
    from ledger.keys import Keystore

    return Keystore(project.keys_dir).address(name)


def test_the_run_paid_and_owners_take_it_out(cli: Cli, in_served: Project, chain: Chain) -> None:
    (pool,) = json.loads(cli("reward", "show", "--format", "json").out)["data"]
    assert (pool["paid_wei"], pool["left_wei"]) == (str(7 * ETHER // 100), str(ETHER - 7 * ETHER // 100))
    rounds = json.loads(cli("run", "show", "--format", "json").out)["data"]
    assert [row["paid_wei"] for row in rounds] == [str(3 * ETHER // 100), str(4 * ETHER // 100)]
    # Another sponsor joins too late for these rounds; there is nothing to claim twice.
    assert cli("reward", "fund", "1ether", "--rate", "1gwei", "--cap", "2ether", "--for", "1h").status == 0
    claimed = json.loads(cli("reward", "claim", 1, "--format", "json").out)["data"]
    assert [(row["pool"], row["state"]) for row in claimed] == [(1, "paid before")] * 3
    number = chain.find_participant(in_served_address(in_served, "c1")) or 0
    owner = chain.get_participant(number).owner
    before = chain.get_balance(owner)
    told = json.loads(cli("reward", "withdraw", "c1", "--format", "json").out)["data"]
    assert told["paid_wei"] == str(2 * ETHER // 100)
    assert chain.get_credit(owner) == 0 and chain.get_balance(owner) > before
    assert chain.get_participant(number).stake_wei == ETHER
    early = cli("reward", "reclaim", 2)
    assert early.status != 0 and "PoolStillOpen" in early.err
    assert cli("audit", "fsck").status == 0
    left = json.loads(cli("reward", "reclaim", 2, "--wait", "--format", "json").out)["data"]["left_wei"]
    assert left == "0"


def test_the_audit_answers_from_what_was_recorded(cli: Cli, in_served: Project, chain: Chain) -> None:
    scores, influence, privacy = ask(cli, "Q10", "Q11", "Q13")
    assert (scores["missing"], influence["missing"]) == (None, None)
    assert privacy["missing"]["count"] == 2
    assert len(influence["rows"]) == 4 and privacy["rows"] == []
    aggregator = chain.find_participant(in_served_address(in_served, "aggregator")) or 0
    assert {int(str(row["scorer"])) for row in influence["rows"]} == {aggregator}
    operator = funded_account(0)
    chain.transfer(in_served_address(in_served, "aggregator"), ETHER, key="gas", sender=operator)
    from ledger.keys import Keystore

    speaker = Keystore(in_served.keys_dir).load("aggregator", DEVNET_PASSWORD)
    spent = [(aggregator + number, eps * 10**6, 10**7) for number, eps in ((1, 3), (2, 9))]
    chain.record_spend(2, spent, "gaussian", key="spend", sender=speaker)
    (privacy,) = ask(cli, "Q13")
    assert [(str(row["client"]), row["mechanism"]) for row in privacy["rows"]] == [(str(aggregator + 2), "gaussian")]
    assert privacy["missing"]["count"] == 1


def test_a_bundle_with_these_contracts_verifies_by_both_verifiers(cli: Cli, in_served: Project) -> None:
    assert cli("bundle", "create", "--level", "auditor", "--unsealed", "-o", "b.ftb.zip").status == 0
    # Nothing was named that anchors it: all that is in it holds together.
    assert cli("verify", "b.ftb.zip").out.endswith("\nCONSISTENT\n")
    import zipfile

    with zipfile.ZipFile("b.ftb.zip") as bundle:
        bundle.extractall(members=[name for name in bundle.namelist() if name.startswith("verify")])
    done = subprocess.run([sys.executable, "-I", "verify.py", "b.ftb.zip"], capture_output=True, text=True, timeout=200)
    assert "\nCONSISTENT (level auditor" in done.stdout
