"""The chain as the index reads it: blocks with their events, each read whole from one version of the chain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

from ledger import artifacts
from ledger.chain.connection import Connection, NodeRefused, to_address, to_bytes, to_hex, to_quantity
from ledger.chain.deployment import compute_code_hash, get_code, verify_chain_id
from ledger.chain.logs import decode_logs
from ledger.chain.network import Network
from ledger.chain.views import Event
from ledger.errors import BadProof, ChainError, ChainReset, NoContract, Pruned, WrongCode
from ledger.evidence.fetching import fetch_headers
from ledger.evidence.headers import Header, decode_header

LEVELS = ("latest", "safe", "final")
"""How sure it is that a block stays, rising."""


class Moved(Exception):
    """The chain changed while it was read; what was read so far is of no version of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """What a deployment has in common with no other one, nor with itself after a reset. Hashes are 0x hex."""

    chain_id: int
    """EIP-155 chain id."""
    genesis: str
    """Hash of the chain's first block."""
    contract: str
    """Address of RoundLedger, lower case."""
    code_hash: str
    """keccak256 of the runtime codes of all contracts."""
    deploy_block: int
    """Block of the deployment: the first one that the index has."""
    deploy_hash: str
    """Its hash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heads:
    """The last block of each level; a level that the node does not know has the number before the first block."""

    latest: int
    """Last block of the chain."""
    safe: int
    """Last one that the network's validators have voted for."""
    final: int
    """Last one that cannot go away any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """An event of one of the contracts, as it is and as it reads."""

    event: Event
    """Decoded."""
    address: bytes
    """Contract that emitted it, 20 bytes."""
    topics: tuple[bytes, ...]
    """32 bytes each."""
    data: bytes
    """Arguments that are not topics."""
    tx_index: int
    """Place of its transaction within the block."""
    actor: bytes
    """Who sent the transaction, 20 bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A block with the events of the contracts in it."""

    header: Header
    """Decoded."""
    encoded: bytes
    """The header as RLP, whose keccak256 is the block's hash."""
    logs: tuple[Log, ...]
    """In order."""


class Source(Protocol):
    """Where an index gets a chain from; `NodeSource` is one."""

    def read_fingerprint(self) -> Fingerprint:
        """Return what tells this deployment from every other one."""

    def read_heads(self) -> Heads:
        """Return how far the chain goes."""

    def read_hashes(self, numbers: Sequence[int]) -> list[bytes | None]:
        """Return the hashes of blocks; None where the chain has no such block."""

    def read_blocks(self, first: int, last: int) -> list[Block]:
        """Return blocks of one version of the chain, both ends included. Raises: Moved: it changed meanwhile."""


class NodeSource:
    """A node of a network. Reads, and never sends anything."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self.connection = Connection(network.rpc, ca_file=network.ca_file)
        self._first = network.deploy_block or 0
        self._at = {key: to_address(network.contracts[key]) for key in artifacts.NAMES if key in network.contracts}
        self.addresses = frozenset(self._at.values())

    def read_fingerprint(self) -> Fingerprint:
        """Return the deployment's, after comparing it with what the project has pinned.

        Raises: WrongChain; NoContract; WrongCode; ChainReset: the deployment's block is another one; Pruned: the node
        does not serve that block; CannotReach.
        """
        network = self._network
        verify_chain_id(self.connection, network)
        genesis, deploy_hash = self.read_hashes([0, self._first])
        got = to_hex(deploy_hash) if deploy_hash else "no such block"
        if network.deploy_block_hash not in (None, got):
            raise ChainReset(block=self._first, want=network.deploy_block_hash, got=got)
        if genesis is None or deploy_hash is None:
            raise Pruned(first=0, last=self._first, reason="no such block")
        return Fingerprint(
            chain_id=network.chain_id,
            genesis=to_hex(genesis),
            contract=(network.ledger or "").lower(),
            code_hash=self._read_code_hash(),
            deploy_block=self._first,
            deploy_hash=got,
        )

    def _read_code_hash(self) -> str:
        network = self._network
        if network.ledger is None:
            raise NoContract(f"network '{network.name}' names no contracts", hint="run: fedtrail contract deploy")
        codes = [get_code(self.connection, address) for address in self._at.values()]
        for key, code in zip(self._at, codes, strict=True):
            if not code:
                latest = self.read_heads().latest
                raise NoContract(address=network.contracts[key], chain_id=network.chain_id, block=latest)
        got = to_hex(compute_code_hash(codes))
        if network.code_hash not in (None, got):
            raise WrongCode(got=got, want=network.code_hash)
        return got

    def read_heads(self) -> Heads:
        """Return the node's heads; where it names no final block, confirmations decide, as on every devnet."""
        tags = ("latest", "safe", "finalized")
        requests = [("eth_getBlockByNumber", [tag, False]) for tag in tags]
        answers = self.connection.batch(requests)
        latest, safe, final = (int(each["number"], 16) if isinstance(each, dict) else None for each in answers)
        if latest is None:
            raise ChainError("the node does not serve the chain's last block")
        if self._network.devnet or final is None:
            safe = final = max(self._first - 1, latest - self._network.confirmations)
        return Heads(latest=latest, safe=max(safe or 0, final), final=final)

    def read_hashes(self, numbers: Sequence[int]) -> list[bytes | None]:
        """Return the hashes of blocks; None where the chain has no such block."""
        answers = self.connection.batch([("eth_getBlockByNumber", [to_quantity(each), False]) for each in numbers])
        return [to_bytes(each["hash"]) if isinstance(each, dict) else None for each in answers]

    def read_blocks(self, first: int, last: int) -> list[Block]:
        """Return blocks with their events, all of one version of the chain.

        Raises: Moved: another version came meanwhile, or blocks went away; Pruned: the node does not serve them;
        BadProof: a header does not hash to what the node calls it.
        """
        # Blocks name their parents: if the last one is the same before and after, all are, and the logs are theirs.
        before = self.read_hashes([last])
        try:
            encoded = fetch_headers(self.connection, first, last)
            headers = [decode_header(each) for each in encoded]
            logs = self._fetch_logs(headers)
        except (BadProof, Pruned):
            if before != self.read_hashes([last]) or self.read_heads().latest < last:
                raise Moved from None
            raise
        hashes = {header.number: header.hash for header in headers}
        if not before == [hashes[last]] == self.read_hashes([last]) or any(
            child.parent_hash != parent.hash for parent, child in pairwise(headers)
        ):
            raise Moved
        of_block: dict[int, list[Log]] = {number: [] for number in hashes}
        for log in logs:
            if hashes.get(log.event.block) != log.event.block_hash:
                raise Moved
            of_block[log.event.block].append(log)
        return [
            Block(header=header, encoded=text, logs=tuple(of_block[header.number]))
            for header, text in zip(headers, encoded, strict=True)
        ]

    def _fetch_logs(self, headers: Sequence[Header]) -> list[Log]:
        """Return the events of blocks that follow each other, in order."""
        found = self._fetch_raw_logs(headers[0].number, headers[-1].number)
        actors = self._fetch_actors({raw["transactionHash"]: raw for raw in found})
        in_order = sorted(found, key=lambda raw: (int(raw["blockNumber"], 16), int(raw["logIndex"], 16)))
        return [log for raw in in_order for log in make_log(raw, actors[raw["transactionHash"]])]

    def _fetch_raw_logs(self, first: int, last: int) -> list[dict[str, Any]]:
        """Return logs as the node has them; a range that it finds too long is asked for in halves."""
        query = {
            "address": [to_hex(address) for address in self._at.values()],
            "fromBlock": to_quantity(first),
            "toBlock": to_quantity(last),
        }
        try:
            return list(self.connection.request("eth_getLogs", query))
        except NodeRefused as refusal:
            if first == last:
                raise Pruned(first=first, last=last, reason=refusal.detail["reason"]) from None
        middle = (first + last) // 2
        return self._fetch_raw_logs(first, middle) + self._fetch_raw_logs(middle + 1, last)

    def _fetch_actors(self, logs: Mapping[str, dict[str, Any]]) -> dict[str, str]:
        """Return who sent the transactions that logs are from, by transaction."""
        answers = self.connection.batch([("eth_getTransactionByHash", [tx]) for tx in logs])
        for log, answer in zip(logs.values(), answers, strict=True):
            if not isinstance(answer, dict):
                number = int(log["blockNumber"], 16)
                raise Pruned(first=number, last=number, reason="a transaction is missing")
        return {tx: answer["from"] for tx, answer in zip(logs, answers, strict=True)}


def make_log(raw: Mapping[str, Any], actor: str) -> Iterator[Log]:
    """Yield the event of a log; nothing where no contract of ours has such an event.

    Args: raw: the log as JSON-RPC has it. actor: who sent its transaction, 0x hex.
    """
    for event in decode_logs([dict(raw)]):
        yield Log(
            event=event,
            address=to_bytes(raw["address"]),
            topics=tuple(map(to_bytes, raw["topics"])),
            data=to_bytes(raw["data"]),
            tx_index=int(raw["transactionIndex"], 16),
            actor=to_bytes(actor),
        )
