"""Every transaction happens once, whatever dies in between (docs/adr/0004)."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import asdict, replace

import pytest

from ledger import artifacts
from ledger import devnet as devnets
from ledger.chain import Chain, Connection, Network, Order, deploy, sending
from ledger.errors import WrongPhase
from ledger.journal import MINED, WRITTEN, Journal

pytestmark = pytest.mark.chain

# A process that dies, by kill -9, just before or just after the node gets the transaction.
CHILD = """
import json, os, signal, sys
from pathlib import Path
from ledger import devnet
from ledger.chain import Chain, Connection, Network
from ledger.journal import Journal

network, journal, moment, count = Network(**json.loads(sys.argv[1])), Journal(Path(sys.argv[2])), sys.argv[3], 1
send = Connection.batch

def batch(self, requests):
    is_broadcast = any(method == "eth_sendRawTransaction" for method, _ in requests)
    if is_broadcast and moment == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    answers = send(self, requests)
    if is_broadcast and moment == "after":
        os.kill(os.getpid(), signal.SIGKILL)
    return answers

Connection.batch = batch
Chain.connect(network, journal).deposit(1, 1000, key="run/deposit", sender=devnet.funded_account(7))
"""


def get_nonce(chain, account):
    return chain.w3.eth.get_transaction_count(account.address)


def find(journal, key):
    (scope,) = {entry.scope for entry in journal_entries(journal)}
    return journal.find(scope, key)


def journal_entries(journal):
    with closing(sqlite3.connect(journal.path)) as db:
        scopes = [scope for (scope,) in db.execute("SELECT DISTINCT scope FROM transaction_sent")]
    return [entry for scope in scopes for entry in journal.entries(scope)]


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_process_killed_around_the_broadcast_sends_once(federation, journal, moment):
    chain, payer = federation.chain, devnets.funded_account(7)
    stake, nonce = chain.get_participant(1).stake_wei, get_nonce(chain, payer)
    command = [sys.executable, "-c", CHILD, json.dumps(asdict(chain.network)), str(journal.path), moment]
    assert subprocess.run(command, timeout=60).returncode == -signal.SIGKILL
    assert find(journal, "run/deposit").status == WRITTEN
    assert get_nonce(chain, payer) == nonce + (moment == "after")

    again = Chain.connect(chain.network, journal)
    receipts = [again.deposit(1, 1000, key="run/deposit", sender=payer) for _ in range(2)]
    assert receipts[0] == receipts[1]
    assert receipts[0].find("Deposited").args["amount_wei"] == 1000
    assert chain.get_participant(1).stake_wei == stake + 1000
    assert get_nonce(chain, payer) == nonce + 1
    assert find(journal, "run/deposit").status == MINED


def test_a_repeated_order_returns_the_first_receipt(federation):
    chain, operator = federation.chain, federation.operator
    first = chain.deposit(1, 5, key="d", sender=operator)
    nonce = get_nonce(chain, operator)
    assert chain.deposit(1, 5, key="d", sender=operator) == first
    assert get_nonce(chain, operator) == nonce


def test_a_commitment_is_asked_for_again_although_its_time_has_passed(federation):
    chain, operator = federation.chain, federation.operator
    round_id = federation.open()
    entries = federation.commit(round_id)
    chain.wait_until(chain.get_round(round_id).propose_end + 1)
    receipt = chain.commit_batch(round_id, entries, key=f"commit/{round_id}", sender=operator)
    assert receipt.find("SegmentCommitted").args["count"] == len(entries)


def test_a_transaction_that_reverts_when_it_is_mined_frees_its_key(federation, journal, monkeypatch):
    chain, operator = federation.chain, federation.operator
    round_id = federation.open()
    entry = federation.sign(round_id, 1)

    def pass_simulation(requests):
        skipped = [number for number, (method, _) in enumerate(requests) if method == "eth_estimateGas"]
        answers = original(requests)
        return ["0xf4240" if number in skipped else answer for number, answer in enumerate(answers)]

    original = chain._connection.batch
    deadline = chain.get_round(round_id).commit_end
    chain.wait_until(deadline + 10)
    monkeypatch.setattr(chain._connection, "batch", pass_simulation)
    with pytest.raises(WrongPhase, match="closed since"):
        chain.commit_batch(round_id, [entry], key="late", sender=operator)
    assert find(journal, "late") is None
    assert chain.gas_used("late") > 21000
    monkeypatch.undo()
    nonce = get_nonce(chain, operator)
    chain.deposit(1, 1, key="next", sender=operator)
    assert get_nonce(chain, operator) == nonce + 1


def test_a_number_used_by_another_program_is_given_up_and_replaced(federation, journal):
    chain, payer = federation.chain, devnets.funded_account(8)
    order = Order(call=chain.contracts.to_registry("deposit", 1, value_wei=3), key="d", sender=payer)
    chain._sending._write([order])
    chain.w3.eth.wait_for_transaction_receipt(
        chain.w3.eth.send_transaction({"from": payer.address, "to": payer.address, "value": 1})
    )
    again = Chain.connect(chain.network, journal)
    receipt = again.send(order.call, key="d", sender=payer)
    assert receipt.find("Deposited").args["amount_wei"] == 3


def test_what_was_written_and_never_sent_does_not_hold_up_the_rest_of_a_public_chain(federation, journal, monkeypatch):
    monkeypatch.setattr(sending, "MINED_SECONDS", 5)
    network, payer = replace(federation.chain.network, devnet=False), devnets.funded_account(6)
    died = Chain.connect(network, journal)
    died._sending._write([Order(call=died.contracts.to_registry("deposit", 1), key="forgotten", sender=payer)])
    chain = Chain.connect(network, journal)
    assert find(journal, "forgotten").nonce == get_nonce(chain, payer)  # reading sends nothing
    chain.deposit(1, 1, key="next", sender=payer)
    assert len(chain.events(names=["Deposited"])) == 2


def run_until_anvil_loses(folder, act):
    """Run `act` on a new chain and kill anvil before it saves; return the restarted chain's network, or None."""
    node = devnets.start(folder, engine="anvil", detach=True)
    journal = Journal(folder / "journal.sqlite")
    network = Network(name="devnet", rpc=node.rpc, chain_id=node.chain_id, devnet=True)
    network = deploy(network, devnets.funded_account(0), journal).apply(network)
    chain = Chain.connect(network, journal)
    state = folder / "devnet" / "anvil.json"
    time.sleep(1.5)  # the deployment is on disk
    saved = state.stat().st_mtime_ns
    deadline = time.monotonic() + 5
    while state.stat().st_mtime_ns == saved and time.monotonic() < deadline:
        time.sleep(0.005)
    last = act(chain)  # right after a save: there is a second of time
    os.kill(node.pid, signal.SIGKILL)
    journal.close()
    devnets.start(folder, engine="anvil", detach=True)
    is_lost = Connection(network.rpc).request("eth_getTransactionReceipt", "0x" + last.tx.hex()) is None
    return network if is_lost else None


def test_what_anvil_lost_with_its_last_second_is_sent_again(tmp_path):
    payers = [devnets.funded_account(index) for index in (0, 7)]
    targets = []

    def act(chain):
        targets.append(chain.now() + 5000)
        chain.transfer(payers[1].address, 11, key="a", sender=payers[0])
        chain.wait_until(targets[-1])
        chain.transfer(payers[0].address, 12, key="b", sender=payers[1])
        return chain.transfer(payers[1].address, 13, key="c", sender=payers[0])

    for attempt in range(5):  # on a busy machine anvil may have saved meanwhile, which shows nothing
        folder = tmp_path / str(attempt)
        network = run_until_anvil_loses(folder, act)
        if network is not None:
            break
        devnets.stop(folder)
    journal = Journal(folder / "journal.sqlite")
    try:
        assert network is not None, "anvil saved every time"
        chain = Chain.connect(network, journal)
        assert chain.now() >= targets[-1]  # deadlines that had passed stay passed
        for key, (sender, amount) in {"a": (0, 11), "b": (1, 12), "c": (0, 13)}.items():
            receipt = chain.transfer(payers[1 - sender].address, amount, key=key, sender=payers[sender])
            assert receipt.tx == find(journal, key).hash
        assert [get_nonce(chain, payer) for payer in payers] == [2 + len(artifacts.KEYS), 1]
    finally:
        journal.close()
        devnets.stop(folder)


def test_anvil_keeps_its_state_over_an_orderly_restart(tmp_path, journal):
    with devnets.running(tmp_path, engine="anvil") as node:
        network = Network(name="devnet", rpc=node.rpc, chain_id=node.chain_id, devnet=True)
        network = deploy(network, devnets.funded_account(0), journal).apply(network)
        chain = Chain.connect(network, journal)
        receipt = chain.transfer(devnets.funded_account(1).address, 1, key="a", sender=devnets.funded_account(0))
    with devnets.running(tmp_path, engine="anvil"):
        chain = Chain.connect(network, journal)
        again = chain.transfer(devnets.funded_account(1).address, 1, key="a", sender=devnets.funded_account(0))
        assert again == receipt
        assert chain.get_block_hash(receipt.block) is not None


def test_deadlines_that_passed_stay_passed_over_a_restart(tmp_path, journal):
    with devnets.running(tmp_path, engine="anvil") as node:
        network = Network(name="devnet", rpc=node.rpc, chain_id=node.chain_id, devnet=True)
        network = deploy(network, devnets.funded_account(0), journal).apply(network)
        chain = Chain.connect(network, journal)
        chain.wait_until(chain.now() + 100_000)
        before = chain.now()
    with devnets.running(tmp_path, engine="anvil"):
        chain = Chain.connect(network, journal)
        chain.transfer(devnets.funded_account(1).address, 1, key="a", sender=devnets.funded_account(0))
        assert chain.now() >= before


def test_a_state_file_that_a_kill_left_half_written_gives_way_to_the_last_whole_one(tmp_path, journal):
    with devnets.running(tmp_path, engine="anvil") as node:
        network = Network(name="devnet", rpc=node.rpc, chain_id=node.chain_id, devnet=True)
        network = deploy(network, devnets.funded_account(0), journal).apply(network)
    with devnets.running(tmp_path, engine="anvil"):
        chain = Chain.connect(network, journal)
        receipt = chain.transfer(devnets.funded_account(1).address, 1, key="a", sender=devnets.funded_account(0))
    state = tmp_path / "devnet" / "anvil.json"
    state.write_bytes(state.read_bytes()[:-100])
    with devnets.running(tmp_path, engine="anvil"):
        chain = Chain.connect(network, journal)
        again = chain.transfer(devnets.funded_account(1).address, 1, key="a", sender=devnets.funded_account(0))
        assert again.tx == receipt.tx


def test_two_journals_may_share_a_sender(federation, tmp_path):
    chain, operator = federation.chain, federation.operator
    other = Journal(tmp_path / "other.sqlite")
    try:
        second = Chain.connect(chain.network, other)
        for number in range(3):
            chain.deposit(1, 1, key=f"a{number}", sender=operator)
            second.deposit(1, 1, key=f"a{number}", sender=operator)
    finally:
        other.close()
    assert len(chain.events(names=["Deposited"])) == 6
