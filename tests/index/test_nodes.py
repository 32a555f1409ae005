"""Nodes that lack history, have limits, or lie: what an index takes from them, and what a comparison finds."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from typing import Any

import pytest
from crooked_node import Bend, crooked, refuse
from indexed_ledger import Ledger, follow, one

from ledger.errors import BadProof, CannotReach, Pruned, WrongIndex
from ledger.index.source import NodeSource
from ledger.index.sync import SyncResult, sync
from ledger.index.verify import ProvenSource, verify_index

pytestmark = pytest.mark.chain


def sync_through(db: sqlite3.Connection, ledger: Ledger, bend: Bend, **options: Any) -> SyncResult:
    with crooked(ledger.network.rpc, bend) as rpc:
        return sync(db, NodeSource(replace(ledger.network, rpc=rpc)), **options)


def test_a_node_that_limits_ranges_is_asked_for_shorter_ones(db: sqlite3.Connection, ledger: Ledger) -> None:
    ledger.deposit(8)

    def bend(method: str, params: list[Any], honest: dict[str, Any]) -> dict[str, Any]:
        if method == "eth_getLogs" and int(params[0]["toBlock"], 16) - int(params[0]["fromBlock"], 16) >= 3:
            return refuse("query exceeds max block range 3")
        return honest

    assert sync_through(db, ledger, bend).events == 9
    follow(db, ledger)


@pytest.mark.parametrize("what", ["logs", "blocks", "transactions"])
def test_a_pruned_node_is_told_and_what_was_read_before_stays(
    db: sqlite3.Connection, ledger: Ledger, what: str
) -> None:
    ledger.deposit(3)
    tip = follow(db, ledger).tip
    ledger.deposit(3)
    gone = tip.number + 2

    def bend(method: str, params: list[Any], honest: dict[str, Any]) -> dict[str, Any]:
        result = honest.get("result")
        if what == "logs" and method == "eth_getLogs" and int(params[0]["fromBlock"], 16) <= gone:
            return refuse("missing trie node (path )")
        if what == "blocks" and method == "eth_getBlockByNumber" and params[0] == hex(gone):
            return {"result": None}
        if what == "transactions" and method == "eth_getTransactionByHash" and result["blockNumber"] == hex(gone):
            return {"result": None}
        return honest

    with pytest.raises(Pruned) as raised:
        sync_through(db, ledger, bend, batch_blocks=1)
    assert (raised.value.code, raised.value.exit_status) == ("FT408", 4)
    assert one(db, "SELECT max(number) FROM block") >= tip.number
    follow(db, ledger)


def test_a_node_that_goes_away_costs_one_batch_at_most(db: sqlite3.Connection, ledger: Ledger) -> None:
    ledger.deposit(6)
    with crooked(ledger.network.rpc, lambda method, params, honest: honest) as rpc:
        away = replace(ledger.network, rpc=rpc)
        first = sync(db, NodeSource(away), last_block=away.deploy_block + 3)
    with pytest.raises(CannotReach):
        sync(db, NodeSource(away))
    assert one(db, "SELECT max(number) FROM block") == first.tip.number
    assert follow(db, ledger).blocks == ledger.height - first.tip.number


def test_logs_are_taken_only_if_the_chain_stood_still_while_they_were_read(
    db: sqlite3.Connection, ledger: Ledger
) -> None:
    """A chain that changes and changes back in between: headers of one version, logs of the other."""
    ledger.deposit(3)
    tip, answers = hex(ledger.height), {"eth_getLogs": "other", "eth_getBlockByNumber": "right"}

    def bend(method: str, params: list[Any], honest: dict[str, Any]) -> dict[str, Any]:
        if method == "eth_getLogs" and answers.pop(method, None):
            answers["eth_getBlockByNumber"] = "other"
            return {"result": honest["result"][:-1]}
        if method == "eth_getBlockByNumber" and params[0] == tip and answers[method] == "other":
            answers[method] = "right"
            return {"result": {**honest["result"], "hash": "0x" + "77" * 32}}
        return honest

    assert sync_through(db, ledger, bend).events == 4


def test_an_event_that_a_node_leaves_out_is_found(db: sqlite3.Connection, ledger: Ledger) -> None:
    """Receipts hash to the root in the header: the same node cannot leave the event out of both."""
    ledger.deposit(4)

    def bend(method: str, params: list[Any], honest: dict[str, Any]) -> dict[str, Any]:
        return {"result": honest["result"][:-1]} if method == "eth_getLogs" else honest

    assert sync_through(db, ledger, bend).events == 4
    with crooked(ledger.network.rpc, bend) as rpc:
        report = verify_index(db, ProvenSource(replace(ledger.network, rpc=rpc)), None)
    assert report.wrong == ("event", "x_stake")
    (missing,) = next(each for each in report.tables if each.table == "event").differences
    assert missing.startswith(f"only in the chain: [{ledger.height},0,")
    with pytest.raises(WrongIndex) as raised:
        report.raise_for_status()
    assert (raised.value.code, raised.value.exit_status) == ("FT725", 7)


def test_an_amount_that_a_node_changes_is_found(db: sqlite3.Connection, ledger: Ledger) -> None:
    ledger.deposit(2)

    def bend(method: str, params: list[Any], honest: dict[str, Any]) -> dict[str, Any]:
        if method == "eth_getLogs":
            log = honest["result"][-1]
            log["data"] = log["data"][:-1] + ("1" if log["data"][-1] == "0" else "0")
        return honest

    sync_through(db, ledger, bend)
    assert verify_index(db, ProvenSource(ledger.network), None).wrong == ("event",)  # the new stake is no fact


def test_receipts_that_do_not_hash_to_the_header_prove_nothing(db: sqlite3.Connection, ledger: Ledger) -> None:
    ledger.deposit(2)
    follow(db, ledger)

    def bend(method: str, params: list[Any], honest: dict[str, Any]) -> dict[str, Any]:
        if method == "eth_getBlockReceipts":
            honest["result"][0]["logs"] = []
        return honest

    with crooked(ledger.network.rpc, bend) as rpc, pytest.raises(BadProof, match="the receipts of block"):
        verify_index(db, ProvenSource(replace(ledger.network, rpc=rpc)), None)


def test_a_header_that_is_not_the_blocks_is_refused(db: sqlite3.Connection, ledger: Ledger) -> None:
    def bend(method: str, params: list[Any], honest: dict[str, Any]) -> dict[str, Any]:
        if method == "eth_getBlockByNumber" and params[0] == hex(ledger.height):
            honest["result"]["timestamp"] = "0x1"
        return honest

    with pytest.raises(BadProof, match="hashes to"):
        sync_through(db, ledger, bend)
    assert one(db, "SELECT count(*) FROM block") == 0
