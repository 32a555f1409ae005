"""Block headers as the RLP that their hash is of, and the logs bloom. Pure.

Source: Ethereum Yellow Paper, 4.4; EIP-1559, 4895, 4844, 4788 and 7685 for the fields that forks appended.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from eth_utils.crypto import keccak

from ledger.errors import BadProof
from ledger.evidence import rlp

_NUMBER = 0
"""Width of a field that is a natural number; other widths are bytes, None is any."""
_FIELDS: tuple[tuple[str, int | None], ...] = (
    ("parentHash", 32),
    ("sha3Uncles", 32),
    ("miner", 20),
    ("stateRoot", 32),
    ("transactionsRoot", 32),
    ("receiptsRoot", 32),
    ("logsBloom", 256),
    ("difficulty", _NUMBER),
    ("number", _NUMBER),
    ("gasLimit", _NUMBER),
    ("gasUsed", _NUMBER),
    ("timestamp", _NUMBER),
    ("extraData", None),
    ("mixHash", 32),
    ("nonce", 8),
    ("baseFeePerGas", _NUMBER),  # London
    ("withdrawalsRoot", 32),  # Shanghai
    ("blobGasUsed", _NUMBER),  # Cancun
    ("excessBlobGas", _NUMBER),
    ("parentBeaconBlockRoot", 32),
    ("requestsHash", 32),  # Prague; Osaka adds nothing
)
_OLDEST = 15
"""Fields that every header has; later ones came with forks, in this order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What evidence needs of a block header. Digests have 32 bytes."""

    number: int
    """Height of the block."""
    hash: bytes
    """Keccak-256 of the header's RLP."""
    parent_hash: bytes
    """Hash of the block before."""
    state_root: bytes
    """Root of the accounts after the block."""
    receipts_root: bytes
    """Root of the receipts of the block's transactions."""
    logs_bloom: bytes
    """256 bytes: which addresses may have emitted something."""
    timestamp: int
    """Seconds since 1970, as the block says."""


def encode_header(block: Mapping[str, Any]) -> bytes:
    """Return a block's header as RLP, from JSON-RPC.

    Raises: BadProof: a field is missing or malformed, or the header does not hash to the block's hash.
    """
    count = sum(1 for name, _ in _FIELDS if block.get(name) is not None)
    try:
        encoded = rlp.encode([_encode_field(block[name], width) for name, width in _FIELDS[:count]])
        want = bytes.fromhex(str(block["hash"])[2:])
    except (KeyError, ValueError, TypeError, AttributeError) as problem:
        raise BadProof(what=f"a block without a readable header: {problem!r}") from None
    if (got := keccak(encoded)) != want:
        raise BadProof(what=f"the header of block {block['number']} hashes to {got.hex()}, the node says {want.hex()}")
    return encoded


def decode_header(encoded: bytes) -> Header:
    """Return what a header says.

    Args: encoded: RLP, from a stranger.
    Raises: BadProof: it is no header of a fork up to Osaka.
    """
    items = rlp.decode(encoded)
    if not isinstance(items, list) or not _OLDEST <= len(items) <= len(_FIELDS):
        raise BadProof(what="no block header")
    values = {name: _decode_field(name, item, width) for (name, width), item in zip(_FIELDS, items, strict=False)}
    return Header(
        number=rlp.decode_int(values["number"]),
        hash=keccak(encoded),
        parent_hash=values["parentHash"],
        state_root=values["stateRoot"],
        receipts_root=values["receiptsRoot"],
        logs_bloom=values["logsBloom"],
        timestamp=rlp.decode_int(values["timestamp"]),
    )


def verify_links(headers: Sequence[Header]) -> None:
    """Return if every header is the child of the one before.

    Raises: BadProof: one is not.
    """
    for parent, child in pairwise(headers):
        if child.number != parent.number + 1 or child.parent_hash != parent.hash:
            raise BadProof(
                what=f"block {child.number} names {child.parent_hash.hex()} as its parent, "
                f"block {parent.number} is {parent.hash.hex()}"
            )


def may_contain(bloom: bytes, addresses: Iterable[bytes]) -> bool:
    """Return whether a block or receipt may hold a log of any of these addresses; False is certain.

    Args: bloom: 256 bytes. addresses: 20 bytes each.
    """
    bits = int.from_bytes(bloom, "big")
    return any(bits & mask == mask for mask in map(_make_mask, addresses))


def _make_mask(address: bytes) -> int:
    """Return the three bits that an address sets: the low 11 bits of each of the first three pairs of its hash."""
    digest = keccak(address)
    positions = (int.from_bytes(digest[i : i + 2], "big") & 2047 for i in (0, 2, 4))
    mask = 0
    for position in positions:
        mask |= 1 << position
    return mask


def _encode_field(text: str, width: int | None) -> bytes:
    return rlp.encode_int(int(text, 16)) if width == _NUMBER else bytes.fromhex(text[2:])


def _decode_field(name: str, item: rlp.Item, width: int | None) -> bytes:
    if isinstance(item, list) or (width and len(item) != width):
        raise BadProof(what=f"a block header with a malformed {name}")
    if width == _NUMBER:
        rlp.decode_int(item)
    return item
