"""A ledger on an anvil node whose blocks can be taken back, and ways to look at an index of it."""

from __future__ import annotations

import itertools
import sqlite3
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from raw_node import Contract, Node

from ledger import artifacts, devnet
from ledger.chain import ETHER, Chain, Network, Role, deploy
from ledger.index.source import NodeSource
from ledger.index.sync import SyncResult, sync
from ledger.journal import Journal

CONFIRMATIONS = 12
_amounts = itertools.count(1)


@dataclass
class Ledger:
    """A deployment with one participant, whose deposits are events: one in a block."""

    network: Network
    node: Node
    registry: Contract
    participant: int

    def deposit(self, count: int = 1) -> None:
        for _ in range(count):
            height = self.height
            assert self.registry.send("deposit", self.participant, value=10**15).error is None
            while self.height == height:  # anvil mines a moment after it has answered
                time.sleep(0.001)

    def mine(self, count: int = 1) -> None:
        self.node.call("anvil_mine", hex(count))

    def reorganise(self, depth: int) -> None:
        """Replace the last blocks by as many without an event; a payment makes them others than ever before."""
        payer = devnet.funded_account(7).address
        payment = {"from": payer, "to": payer, "value": hex(next(_amounts))}
        self.node.call("anvil_reorg", depth, [[payment, 0]])

    @property
    def source(self) -> NodeSource:
        return NodeSource(self.network)

    @property
    def height(self) -> int:
        return int(self.node.call("eth_blockNumber"), 16)

    def blocks(self) -> list[str]:
        """Return the hashes of all blocks from the deployment on, as the node has them."""
        numbers = range(self.network.deploy_block or 0, self.height + 1)
        found = self.node.batch([("eth_getBlockByNumber", [hex(number), False]) for number in numbers])
        return [each["result"]["hash"] for each in found]

    def events(self) -> list[tuple[str, int]]:
        """Return block hash and position of every log of the contracts, as the node has them."""
        addresses = list(self.network.contracts.values())
        query = {"address": addresses, "fromBlock": hex(self.network.deploy_block or 0), "toBlock": "latest"}
        logs = self.node.call("eth_getLogs", query)
        return [(log["blockHash"], int(log["logIndex"], 16)) for log in logs]


def deploy_ledger(rpc: str, folder: Path, key: str = "deploy") -> Ledger:
    """Deploy the contracts and register a client."""
    network = Network(name="devnet", rpc=rpc, chain_id=devnet.CHAIN_ID, devnet=True, confirmations=CONFIRMATIONS)
    journal = Journal(folder / f"{key}.sqlite")
    network = deploy(network, devnet.funded_account(0), journal).apply(network)
    chain, owner = Chain.connect(network, journal), devnet.funded_account(0)
    named = {"role": Role.CLIENT, "owner": owner.address, "signer": devnet.funded_account(5), "stake_wei": ETHER}
    receipt = chain.register(**named, key="register", sender=owner)
    journal.close()
    node = Node(rpc)
    registry = Contract(node, network.contracts["registry"], artifacts.load("ParticipantRegistry").abi)
    return Ledger(network, node, registry, receipt.find("Registered").args["id"])


def follow(db: sqlite3.Connection, ledger: Ledger, **options: Any) -> SyncResult:
    """Sync, and compare what is canonical with the node."""
    result = sync(db, ledger.source, **options)
    assert [row[0] for row in db.execute(CANONICAL_BLOCKS)] == ledger.blocks()
    assert [tuple(row) for row in db.execute(CANONICAL_EVENTS)] == ledger.events()
    return result


CANONICAL_BLOCKS = "SELECT hash FROM block WHERE canon = 1 AND chain = (SELECT max(chain) FROM chain) ORDER BY number"
CANONICAL_EVENTS = """SELECT block_hash, log_index FROM event
WHERE canon = 1 AND chain = (SELECT max(chain) FROM chain) ORDER BY id"""


def one(db: sqlite3.Connection, query: str, *values: object) -> Any:
    """Return the first value of a query."""
    return db.execute(query, values).fetchone()[0]


def less_sure(ledger: Ledger, confirmations: int) -> Ledger:
    """The same ledger on a network that wants other confirmations."""
    return replace(ledger, network=replace(ledger.network, confirmations=confirmations))
