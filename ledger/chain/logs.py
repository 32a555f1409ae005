"""Read receipts and the events of the contracts from a node's answers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
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
    indexed: Mapping[str, int] | None = None,
) -> list[Event]:
    """Return the events of contracts in a range of blocks, both ends included, in the order of the chain.

    Args: names: events wanted, None for all. indexed: values of indexed arguments by their Solidity name; events
    without such an argument are left out. The node does the filtering: a long history costs nothing here.
    Raises: UsageError: no event has such a name; Pruned: the node does not serve these blocks.
    """
    known = {item.name for item in get_events().values()}
    if unknown := set(names or ()) - known:
        raise UsageError(f"no event {', '.join(sorted(unknown))}")
    found: list[Event] = []
    for topics in _make_filters(names, indexed or {}):
        found += _fetch(connection, addresses, first_block, last_block, topics)
    return sorted(found, key=lambda event: (event.block, event.log_index))


Topics = list[list[str] | None]


def _make_filters(names: Collection[str] | None, indexed: Mapping[str, int]) -> list[Topics]:
    """Return one filter for each place that the wanted arguments have among the topics of the wanted events."""
    by_place: dict[tuple[int, ...], list[str]] = {}
    for topic, item in get_events().items():
        places = [param["name"] for param in item.inputs if param["indexed"]]
        if (names is None or item.name in names) and set(indexed) <= set(places):
            by_place.setdefault(tuple(places.index(name) for name in indexed), []).append(to_hex(topic))
    return [
        _make_topics(firsts, dict(zip(places, indexed.values(), strict=True))) for places, firsts in by_place.items()
    ]


def _make_topics(firsts: list[str], values: Mapping[int, int]) -> Topics:
    topics: Topics = [firsts]
    for place in range(max(values, default=-1) + 1):
        topics.append([to_hex(values[place].to_bytes(32, "big"))] if place in values else None)
    return topics


def _fetch(
    connection: Connection, addresses: Sequence[bytes], first_block: int, last_block: int, topics: Topics
) -> list[Event]:
    found: list[Event] = []
    for first in range(first_block, last_block + 1, BLOCKS_PER_REQUEST):
        last = min(first + BLOCKS_PER_REQUEST - 1, last_block)
        query = {
            "address": [to_hex(address) for address in addresses],
            "topics": topics,
            "fromBlock": to_quantity(first),
            "toBlock": to_quantity(last),
        }
        try:
            found += decode_logs(connection.request("eth_getLogs", query))
        except NodeRefused as refusal:
            raise Pruned(first=first, last=last, reason=refusal.detail["reason"]) from None
    return found
