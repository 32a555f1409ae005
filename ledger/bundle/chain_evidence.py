"""The chain in a bundle: headers, receipts and logs as bytes, read piece by piece, verified, noted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ledger import artifacts
from ledger.bundle.container import Container
from ledger.bundle.format import HEADERS, MAX_HEADER_BYTES, MAX_RECEIPTS_BYTES, RECEIPTS, Manifest
from ledger.bundle.notes import Notes
from ledger.chain.abi import get_interface
from ledger.chain.views import Event, name_event
from ledger.errors import BadProof, ChainError, FedtrailError, Incomplete, Oversized
from ledger.evidence import rlp
from ledger.evidence.headers import Header, decode_header, may_contain
from ledger.evidence.receipts import RawLog, compute_receipts_root, decode_logs

_INTERPRETED = ("ledger", "registry", "statements")
_NO_TX = b""
"""Receipts do not name their transactions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """What is kept of a header."""

    number: int
    """Height."""
    hash: bytes
    """32 bytes."""
    timestamp: int
    """Seconds since 1970."""
    state_root: bytes
    """32 bytes."""
    receipts_root: bytes
    """32 bytes."""
    matters: bool
    """Whether it may hold a log of the ledger's contracts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerLog:
    """A log of one of the contracts, and where it stands."""

    block: Block
    """Its block."""
    index: int
    """Position among all logs of the block."""
    raw: RawLog
    """Address, topics, data."""


def iter_items(chunks: Iterable[bytes], max_bytes: int) -> Iterator[bytes]:
    """Yield the encodings of RLP lists that follow each other, each whole.

    Raises: Oversized: an item is larger. BadProof: not lists, or truncated.
    """
    waiting = b""
    for chunk in chunks:
        waiting += chunk
        start = 0
        while (size := _measure(waiting, start)) is not None:
            if size > max_bytes:
                raise Oversized(got=size, want=max_bytes)
            if start + size > len(waiting):
                break
            yield waiting[start : start + size]
            start += size
        waiting = waiting[start:]
    if waiting:
        raise BadProof(what="truncated RLP")


def _measure(data: bytes, start: int) -> int | None:
    """Return the length of the list that starts here, its prefix included; None while that is not known."""
    if start >= len(data):
        return None
    prefix = data[start]
    if prefix < 0xC0:
        raise BadProof(what="a byte string where an RLP list belongs")
    if prefix <= 0xF7:
        return 1 + prefix - 0xC0
    digits = prefix - 0xF7
    if start + 1 + digits > len(data):
        return None
    return 1 + digits + int.from_bytes(data[start + 1 : start + 1 + digits], "big")


def read_blocks(container: Container, manifest: Manifest, notes: Notes) -> list[Block]:
    """Check (3): return the blocks whose headers can be read, rising, without repetition."""
    addresses = list(manifest.contracts.values())
    blocks: list[Block] = []
    with notes.guard("headers"):
        for item in iter_items(container.chunks(HEADERS), MAX_HEADER_BYTES):
            header = decode_header(item)
            _verify_follows(header, blocks, manifest, notes)
            if not blocks or header.number > blocks[-1].number:
                blocks.append(make_block(header, may_contain(header.logs_bloom, addresses)))
        _verify_ends(blocks, manifest)
        notes.finish("headers", f"{manifest.first_block.number}..{manifest.last_block.number} linked")
    return blocks


def _verify_follows(header: Header, blocks: Sequence[Block], manifest: Manifest, notes: Notes) -> None:
    want = blocks[-1].number + 1 if blocks else manifest.first_block.number
    if header.number > manifest.last_block.number or header.number < want:
        raise BadProof(what=f"a header of block {header.number} where block {want} belongs")
    if header.number > want:
        notes.add("headers", _missing(want, "header"))
    elif blocks and header.parent_hash != blocks[-1].hash:
        got, hash_ = header.parent_hash.hex(), blocks[-1].hash.hex()
        what = f"block {header.number} names 0x{got} as its parent, block {want - 1} is 0x{hash_}"
        notes.add("headers", BadProof(what=what))


def _verify_ends(blocks: Sequence[Block], manifest: Manifest) -> None:
    found = {block.number: block.hash for block in (*blocks[:1], *blocks[-1:])}
    for end in (manifest.first_block, manifest.last_block):
        if end.number not in found:
            raise _missing(end.number, "header")
        if found[end.number] != end.hash:
            got, want = found[end.number].hex(), end.hash.hex()
            raise BadProof(what=f"the header of block {end.number} hashes to 0x{got}, the manifest says 0x{want}")


def _missing(number: int, what: str) -> Incomplete:
    return Incomplete(f"incomplete: the {what} of block {number} is not in the bundle", block=number)


def make_block(header: Header, matters: bool) -> Block:
    """Return what is kept of a header."""
    return Block(
        number=header.number,
        hash=header.hash,
        timestamp=header.timestamp,
        state_root=header.state_root,
        receipts_root=header.receipts_root,
        matters=matters,
    )


def read_logs(container: Container, manifest: Manifest, blocks: Sequence[Block], notes: Notes) -> list[LedgerLog]:
    """Check (4): return the logs of the contracts that the receipts prove, in the order of the chain."""
    addresses = frozenset(manifest.contracts.values())
    waiting = [block for block in reversed(blocks) if block.matters]
    total, proven, logs = len(waiting), 0, list[LedgerLog]()
    with notes.guard("receipts"):
        for item in iter_items(container.chunks(RECEIPTS), MAX_RECEIPTS_BYTES):
            number, receipts = _decode_item(item)
            while waiting and waiting[-1].number < number:
                notes.add("receipts", _missing(waiting.pop().number, "list of receipts"))
            if not waiting or waiting[-1].number != number:
                raise BadProof(what=f"receipts of block {number} where none belong")
            block = waiting.pop()
            if (got := compute_receipts_root(receipts)) != block.receipts_root:
                what = f"the receipts of block {number} give root 0x{got.hex()}, its header says "
                notes.add("receipts", BadProof(what=what + "0x" + block.receipts_root.hex()))
                continue
            proven += 1
            logs += find_logs(block, receipts, addresses)
        for block in reversed(waiting):
            notes.add("receipts", _missing(block.number, "list of receipts"))
        notes.finish("receipts", f"{proven}/{total} blocks that may hold events")
    return logs


def _decode_item(item: bytes) -> tuple[int, list[bytes]]:
    match rlp.decode(item):
        case [bytes() as number, list() as receipts] if all(isinstance(each, bytes) for each in receipts):
            return rlp.decode_int(number), [bytes(each) for each in receipts if isinstance(each, bytes)]
    raise BadProof(what="no list of a block's receipts")


def find_logs(block: Block, receipts: Sequence[bytes], addresses: frozenset[bytes]) -> Iterator[LedgerLog]:
    """Yield the logs of some contracts in a block's receipts. Raises: BadProof: one of these is no receipt."""
    every = [log for receipt in receipts for log in decode_logs(receipt)]
    for index, raw in enumerate(every):
        if raw.address in addresses:
            yield LedgerLog(block=block, index=index, raw=raw)


def decode_events(
    contracts: Mapping[str, bytes], logs: Iterable[LedgerLog], notes: Notes
) -> Iterator[tuple[Event, int]]:
    """Yield the events that logs are, each with the timestamp of its block; the first half of check (5).

    Those of the ledger, its registry and its statements must be events of theirs; of other contracts, others are passed
    over.
    """
    keys = {address: key for key, address in contracts.items()}
    for log in logs:
        key = keys[log.raw.address]
        try:
            yield _decode(key, log), log.block.timestamp
        except (FedtrailError, ValueError, TypeError, KeyError) as problem:
            if key in _INTERPRETED:
                what = f"log {log.index} of block {log.block.number} is no event of {artifacts.NAMES[key]}: {problem}"
                notes.add("events", BadProof(what=what[:300]))


def _decode(key: str, log: LedgerLog) -> Event:
    events = get_interface(artifacts.NAMES[key]).events
    item = events.get(log.raw.topics[0]) if log.raw.topics else None
    if item is None or len(log.raw.topics) != 1 + sum(param["indexed"] for param in item.inputs):
        raise ChainError("unknown")
    return Event(
        name=item.name,
        args=name_event(item.decode_log(log.raw.topics, log.raw.data)),
        block=log.block.number,
        block_hash=log.block.hash,
        tx=_NO_TX,
        log_index=log.index,
    )
