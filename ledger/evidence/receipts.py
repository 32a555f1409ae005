"""Transaction receipts as the bytes that a block's receipts root is over, and the logs in them. Pure.

A log proves an event: receipt in the root, root in the header. All receipts of a block rebuild the root, so nothing
can be left out. Source: EIP-2718 (typed receipts), Ethereum Yellow Paper 4.3.1 and 4.4.2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ledger.errors import BadProof
from ledger.evidence import rlp, trie

_MAX_TYPE = 0x7F
_PARTS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class RawLog:
    """A log before anybody says which event it is."""

    address: bytes
    """Contract that emitted it, 20 bytes."""
    topics: tuple[bytes, ...]
    """At most four, 32 bytes each; the first names the event."""
    data: bytes
    """Arguments that are not topics."""


def encode_receipt(receipt: Mapping[str, Any]) -> bytes:
    """Return a receipt as its consensus bytes, from JSON-RPC.

    Raises: BadProof: a field is missing or malformed.
    """
    try:
        kind = int(receipt.get("type") or "0x0", 16)
        outcome = _unhex(receipt["root"]) if receipt.get("root") else rlp.encode_int(int(receipt["status"], 16))
        logs = [
            [_unhex(log["address"]), [_unhex(topic) for topic in log["topics"]], _unhex(log["data"])]
            for log in receipt["logs"]
        ]
        gas = rlp.encode_int(int(receipt["cumulativeGasUsed"], 16))
        payload = rlp.encode([outcome, gas, _unhex(receipt["logsBloom"]), logs])
        return bytes([kind]) + payload if kind else payload
    except (KeyError, ValueError, TypeError, AttributeError) as problem:
        raise BadProof(what=f"a receipt that cannot be read: {problem!r}") from None


def decode_logs(receipt: bytes) -> list[RawLog]:
    """Return the logs of a receipt, in order.

    Args: receipt: consensus bytes, from a stranger.
    Raises: BadProof: it is no receipt.
    """
    typed = 1 if receipt[:1] and receipt[0] <= _MAX_TYPE else 0
    parts = rlp.decode(receipt[typed:])
    if not isinstance(parts, list) or len(parts) != _PARTS or not isinstance(parts[3], list):
        raise BadProof(what="no receipt")
    return [_make_log(item) for item in parts[3]]


def compute_receipts_root(receipts: Sequence[bytes]) -> bytes:
    """Return the root over all receipts of a block, in order."""
    return trie.compute_root(_index(receipts))


def prove_receipt(receipts: Sequence[bytes], index: int) -> list[bytes]:
    """Return the trie nodes from the receipts root to the receipt at `index`, the root's first."""
    return trie.prove(_index(receipts), _make_key(index))


def verify_receipt(receipts_root: bytes, index: int, proof: Sequence[bytes]) -> bytes:
    """Return the receipt at `index` of a block.

    Raises: BadProof: the nodes do not lead from the root to a receipt at this index.
    """
    receipt = trie.verify(receipts_root, _make_key(index), proof)
    if receipt is None:
        raise BadProof(what=f"the block has no receipt {index}")
    return receipt


def _index(receipts: Sequence[bytes]) -> dict[bytes, bytes]:
    return {_make_key(index): receipt for index, receipt in enumerate(receipts)}


def _make_key(index: int) -> bytes:
    return rlp.encode(rlp.encode_int(index))


def _make_log(item: rlp.Item) -> RawLog:
    match item:
        case [bytes() as address, list() as topics, bytes() as data] if len(address) == 20 and len(topics) <= 4:
            words = tuple(topic for topic in topics if isinstance(topic, bytes) and len(topic) == 32)
            if len(words) == len(topics):
                return RawLog(address=address, topics=words, data=data)
    raise BadProof(what="a receipt with a malformed log")


def _unhex(text: str) -> bytes:
    return bytes.fromhex(text[2:])
