"""Events as rows of the table `event`, and back: raw, as they prove something, and decoded, as people ask for them."""

from __future__ import annotations

import dataclasses
import enum
import json
import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any

from ledger.chain.connection import to_hex
from ledger.chain.logs import decode_logs
from ledger.chain.views import Event
from ledger.index.source import Log

_INT64_MAX = 2**63 - 1
_SHOWN_BYTES = 1024
"""Longest bytes in args; of longer ones the event's data has the rest."""
_WORD = 32


def describe_log(log: Log) -> dict[str, object]:
    """Return the columns of an event's row that follow from its log."""
    event = log.event
    return {
        "block_hash": to_hex(event.block_hash),
        "number": event.block,
        "tx": to_hex(event.tx),
        "tx_index": log.tx_index,
        "log_index": event.log_index,
        "address": to_hex(log.address),
        "topics": b"".join(log.topics),
        "data": log.data,
        "name": event.name,
        "round_id": event.args.get("round_id"),
        "actor": to_hex(log.actor),
        "args": json.dumps(to_plain(event.args), separators=(",", ":")),
    }


def decode_event(row: sqlite3.Row) -> Event:
    """Return the event of a row, decoded anew from its log."""
    topics = [row["topics"][at : at + _WORD] for at in range(0, len(row["topics"]), _WORD)]
    raw = {
        "topics": [to_hex(topic) for topic in topics],
        "data": to_hex(row["data"]),
        "blockNumber": hex(row["number"]),
        "blockHash": row["block_hash"],
        "transactionHash": row["tx"],
        "logIndex": hex(row["log_index"]),
    }
    return next(decode_logs([raw]))


def iter_events(db: sqlite3.Connection) -> Iterator[tuple[Event, int]]:
    """Yield the canonical events of the latest epoch in order with their times, as `RecordedChain` takes them."""
    query = """SELECT e.*, b.ts FROM event e JOIN block b ON b.chain = e.chain AND b.hash = e.block_hash
        WHERE e.canon = 1 AND e.chain = (SELECT max(chain) FROM chain) ORDER BY e.id"""
    for row in db.execute(query):
        yield decode_event(row), row["ts"]


def to_plain(value: Any) -> Any:
    """Return an event's argument as JSON has it: bytes as 0x hex, integers beyond 64 bits as text, names of enums."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {key: to_plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_plain(item) for item in value]
    if isinstance(value, bytes):
        return to_hex(value) if len(value) <= _SHOWN_BYTES else f"{to_hex(value[:_WORD])}... ({len(value)} bytes)"
    if isinstance(value, enum.Enum):
        return value.name.lower()
    return str(value) if isinstance(value, int) and abs(value) > _INT64_MAX else value
