"""Gets the chain's evidence from a node: headers, receipts and proofs of state, as bytes for the verifiers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ledger.chain.connection import Connection, NodeRefused, Request, to_bytes, to_hex, to_quantity
from ledger.chain.logs import BLOCKS_PER_REQUEST
from ledger.errors import Pruned
from ledger.evidence.headers import encode_header
from ledger.evidence.receipts import RawLog, encode_receipt
from ledger.evidence.state import AccountProof


def fetch_headers(connection: Connection, first: int, last: int) -> list[bytes]:
    """Return the headers of blocks `first` to `last`, both included, as RLP; each hashes to what the node says.

    Raises: CannotReach; Pruned: the node does not serve one; BadProof: a header does not hash to the block's hash.
    """
    requests: list[Request] = [
        ("eth_getBlockByNumber", [to_quantity(number), False]) for number in range(first, last + 1)
    ]
    blocks = connection.batch(requests)
    for number, block in enumerate(blocks, start=first):
        _check_served(block, number)
    return [encode_header(block) for block in blocks]


def fetch_block_receipts(connection: Connection, block: int) -> list[bytes]:
    """Return all receipts of a block, in order, as consensus bytes.

    Raises: CannotReach; Pruned: the node does not serve them; BadProof: one cannot be read.
    """
    try:
        found = connection.request("eth_getBlockReceipts", to_quantity(block))
    except NodeRefused:  # Hardhat has no such method
        found = _fetch_one_by_one(connection, block)
    _check_served(found, block)
    return [encode_receipt(receipt) for receipt in found]


def fetch_logs(
    connection: Connection, addresses: Sequence[bytes], first: int, last: int
) -> list[tuple[int, int, RawLog]]:
    """Return the logs of contracts in a range of blocks, both ends included, in the order of the chain.

    The node is trusted to leave none out; receipts (`fetch_block_receipts`) need no such trust.
    Returns: number of the block, position in the block, log.
    Raises: CannotReach; Pruned: the node does not serve these blocks.
    """
    found: list[dict[str, Any]] = []
    for start in range(first, last + 1, BLOCKS_PER_REQUEST):
        end = min(start + BLOCKS_PER_REQUEST - 1, last)
        blocks = {"fromBlock": to_quantity(start), "toBlock": to_quantity(end)}
        try:
            found += connection.request("eth_getLogs", {"address": [to_hex(each) for each in addresses], **blocks})
        except NodeRefused as refusal:
            raise Pruned(first=start, last=end, reason=refusal.detail["reason"]) from None
    placed = [(int(log["blockNumber"], 16), int(log["logIndex"], 16), _make_log(log)) for log in found]
    return sorted(placed, key=lambda each: each[:2])


def fetch_state(connection: Connection, block: int, slots: Mapping[bytes, Sequence[int]]) -> list[AccountProof] | None:
    """Return proofs of accounts and of slots in their storage as of a block.

    Args: slots: by address (20 bytes), the slots wanted.
    Returns: one proof an address, in the order given; None if the node does not serve them, which is a gap in the
    evidence and no failure.
    Raises: CannotReach.
    """
    requests: list[Request] = [
        ("eth_getProof", [to_hex(address), [to_hex(slot.to_bytes(32, "big")) for slot in wanted], to_quantity(block)])
        for address, wanted in slots.items()
    ]
    answers = connection.batch(requests)
    if any(not isinstance(answer, dict) for answer in answers):
        return None
    return [
        AccountProof(
            address=address,
            nodes=_to_nodes(answer["accountProof"]),
            slots={slot: _to_nodes(part["proof"]) for slot, part in zip(wanted, answer["storageProof"], strict=True)},
        )
        for (address, wanted), answer in zip(slots.items(), answers, strict=True)
    ]


def _fetch_one_by_one(connection: Connection, block: int) -> list[dict[str, Any]]:
    found = connection.request("eth_getBlockByNumber", to_quantity(block), False)
    _check_served(found, block)
    receipts = connection.batch([("eth_getTransactionReceipt", [tx]) for tx in found["transactions"]])
    for receipt in receipts:
        _check_served(receipt, block)
    return receipts


def _check_served(answer: Any, block: int) -> None:
    if answer is None or isinstance(answer, NodeRefused):
        reason = answer.detail.get("reason") if answer is not None else "no such block"
        raise Pruned(first=block, last=block, reason=reason)


def _make_log(log: Mapping[str, Any]) -> RawLog:
    topics = tuple(to_bytes(topic) for topic in log["topics"])
    return RawLog(address=to_bytes(log["address"]), topics=topics, data=to_bytes(log["data"]))


def _to_nodes(texts: Sequence[str]) -> tuple[bytes, ...]:
    return tuple(to_bytes(text) for text in texts)
