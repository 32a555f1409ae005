"""Read receipts and the events of the contracts from a node's answers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from ledger.chain.abi import get_events
from ledger.chain.connection import Connection, NodeRefused, to_bytes, to_hex, to_quantity
from ledger.chain.views import Event, Receipt, name_event
from ledger.errors import Pruned, UsageError

BLOCKS_PER_REQUEST = 5000


def decode_logs(logs: Iterable[dict[str, Any]]) -> Iterator[Event]:
    """Yield the events among raw logs; those of other contracts are left out."""
    for log in logs:
        topics = [to_bytes(topic) for topic in log["topics"]]
        item = get_events().get(topics[0]) if topics else None
        if item is not None and len(topics) == 1 + sum(param["indexed"] for param in item.inputs):
            yield Event(
                name=item.name,
                args=name_event(item.decode_log(topics, to_bytes(log["data"]))),
                block=int(log["blockNumber"], 16),
                block_hash=to_bytes(log["blockHash"]),
                tx=to_bytes(log["transactionHash"]),
                log_index=int(log["logIndex"], 16),
            )


def make_receipt(raw: dict[str, Any]) -> Receipt:
    """Return a receipt from the node's own."""
    created = raw.get("contractAddress")
    return Receipt(
        tx=to_bytes(raw["transactionHash"]),
        block=int(raw["blockNumber"], 16),
        gas_used=int(raw["gasUsed"], 16),
        contract=to_bytes(created) if created else None,
        events=tuple(decode_logs(raw["logs"])),
    )


def fetch_logs(
    connection: Connection,
    addresses: Sequence[bytes],
    first_block: int,
    last_block: int,
    *,
    names: Collection[str] | None = None,
) -> list[Event]:
    """Return the events of contracts in a range of blocks, both ends included, in the order of the chain.

    Raises: UsageError: no event has such a name; Pruned: the node does not serve these blocks.
    """
    topics = [to_hex(topic) for topic, item in get_events().items() if names is None or item.name in names]
    unknown = set(names or ()) - {item.name for item in get_events().values()}
    if unknown:
        raise UsageError(f"no event {', '.join(sorted(unknown))}")
    found: list[Event] = []
    for first in range(first_block, last_block + 1, BLOCKS_PER_REQUEST):
        last = min(first + BLOCKS_PER_REQUEST - 1, last_block)
        query = {
            "address": [to_hex(address) for address in addresses],
            "topics": [topics],
            "fromBlock": to_quantity(first),
            "toBlock": to_quantity(last),
        }
        try:
            found += decode_logs(connection.request("eth_getLogs", query))
        except NodeRefused as refusal:
            raise Pruned(first=first, last=last, reason=refusal.detail["reason"]) from None
    return found
