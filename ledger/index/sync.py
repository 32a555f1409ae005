"""Follow a chain: new blocks in bounded batches, and those that a reorganisation takes away marked, never deleted.

Each batch is one transaction, so that a sync that ends at any point goes on where it was, and nothing is there twice.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ledger.chain.connection import to_hex
from ledger.errors import ChainError, ChainReset
from ledger.index.blobs import BlobCounts, read_blobs
from ledger.index.database import (
    Tip,
    add_epoch,
    get_epoch,
    get_fingerprint,
    get_hashes,
    get_tip,
    mark_finality,
    orphan_blocks,
    put_block,
)
from ledger.index.opening import writing
from ledger.index.source import Block, Fingerprint, Heads, Moved, Source
from ledger.store import ContentStore

BATCH_BLOCKS = 500
"""Blocks in a transaction: what is in memory at once, and what a kill costs at most."""
MAX_TRIES = 10
"""How often a batch is read again because the chain changed meanwhile."""
_PAUSE_SECONDS = 0.2
_WINDOW = 100

Observer = Callable[[int, int, str], None]
"""Told what is done, of how much, and what it is."""


def ignore(done: int, total: int, what: str) -> None:
    """Observe nothing."""
    del done, total, what


@dataclass(frozen=True, slots=True, kw_only=True)
class Reorg:
    """Blocks that the chain no longer has. They are kept, and marked."""

    fork: int
    """Last block that the old and the new chain share."""
    depth: int
    """Blocks taken away."""
    events: int
    """Events in them."""
    past_final: bool
    """Whether one of them had counted as final."""


@dataclass(slots=True, kw_only=True)
class SyncResult:
    """What a sync did."""

    epoch: int
    """Number of the epoch that was followed."""
    tip: Tip
    """Last block of the index."""
    heads: Heads
    """Last blocks of the chain."""
    blocks: int = 0
    """Blocks that are new."""
    events: int = 0
    """Their events."""
    reorgs: list[Reorg] = field(default_factory=list)
    """What was taken away, in order."""
    blobs: BlobCounts = field(default_factory=BlobCounts)
    """Blobs that were looked for."""


def sync(
    db: sqlite3.Connection,
    source: Source,
    store: ContentStore | None = None,
    *,
    until: str = "latest",
    last_block: int | None = None,
    new_epoch: bool = False,
    batch_blocks: int = BATCH_BLOCKS,
    observe: Observer = ignore,
) -> SyncResult:
    """Bring an index up to its chain.

    Args: store: where manifests, lists and updates are; None looks for none. until: how sure a block must be to be
    read: latest, safe or final. last_block: read no further. new_epoch: open an epoch where the chain is another one.
    Raises: ChainReset: the chain is not the one that the index follows; Pruned; CannotReach; ChainError: it changes
    faster than it can be read.
    """
    chain = _enter_epoch(db, source.read_fingerprint(), new_epoch=new_epoch)
    result = SyncResult(epoch=chain, tip=get_tip(db, chain), heads=source.read_heads())
    start, tries, done = result.tip.number, 0, False
    while not done:
        result.heads = source.read_heads()
        level: int = getattr(result.heads, until)
        target = level if last_block is None else min(level, last_block)
        try:
            done = _advance(db, source, result, target, batch_blocks)
        except Moved:
            if (tries := tries + 1) >= MAX_TRIES:
                raise ChainError(f"the chain changed {tries} times while {batch_blocks} blocks were read") from None
            time.sleep(_PAUSE_SECONDS)
        else:
            tries = 0
            read = max(0, result.tip.number - start)
            observe(read, max(read, target - start), f"block {result.tip.number}")
    if store is not None:
        result.blobs = read_blobs(db, chain, store, observe)
    return result


def _enter_epoch(db: sqlite3.Connection, found: Fingerprint, *, new_epoch: bool) -> int:
    """Return the epoch of this deployment, a new one where that is wanted or where there is none."""
    with writing(db):
        epoch = get_epoch(db)
        known = get_fingerprint(epoch) if epoch else None
        if epoch is not None and known == found:
            return int(epoch["chain"])
        if known is None or new_epoch:
            return add_epoch(db, found)
    raise _describe_reset(known, found)


def _describe_reset(known: Fingerprint, found: Fingerprint) -> ChainReset:
    what = f"block {known.deploy_block} was {known.deploy_hash}"
    if known.chain_id != found.chain_id:
        what = f"the index follows chain {known.chain_id}, the project names chain {found.chain_id}"
    elif known.contract != found.contract:
        what = f"the index follows {known.contract}, the project names {found.contract}"
    return ChainReset(
        f"chain was reset: {what}; the index is kept, read-only",
        hint="fedtrail index rebuild --new-epoch, or restore the chain",
        known=known.deploy_hash,
        found=found.deploy_hash,
    )


def _advance(db: sqlite3.Connection, source: Source, result: SyncResult, target: int, batch_blocks: int) -> bool:
    """Take one batch over; return whether there is nothing more up to the target."""
    chain, tip = result.epoch, get_tip(db, result.epoch)
    fork = _find_fork(db, source, chain, tip)
    # What a reorganisation replaces comes in the transaction that takes the old blocks away.
    last = min(target, max(fork.number + batch_blocks, tip.number))
    blocks = source.read_blocks(fork.number + 1, last) if last > fork.number else []
    _verify_first(db, chain, fork, blocks)
    with writing(db):
        if get_tip(db, chain) != tip:
            raise Moved  # by another process that follows the same chain
        reorg = _take_away(db, chain, tip, fork, blocks) if fork != tip else None
        events = sum([put_block(db, chain, block) for block in blocks])
        mark_finality(db, chain, result.heads)
    result.tip = get_tip(db, chain)
    result.blocks += len(blocks)
    result.events += events
    result.reorgs += [reorg] if reorg else []
    return last >= target


def _find_fork(db: sqlite3.Connection, source: Source, chain: int, tip: Tip) -> Tip:
    """Return the last block that the index and the chain share: mostly the tip.

    Raises: ChainReset: there is none.
    """
    if not tip.hash:
        return tip
    last, window = tip.number, 1
    while stored := get_hashes(db, chain, last - window + 1, last):
        numbers = sorted(stored, reverse=True)
        for number, found in zip(numbers, source.read_hashes(numbers), strict=True):
            if found is not None and to_hex(found) == stored[number]:
                return Tip(number=number, hash=stored[number])
        last, window = last - window, _WINDOW
    known = get_fingerprint(db.execute("SELECT * FROM chain WHERE chain = ?", (chain,)).fetchone())
    raise _describe_reset(known, source.read_fingerprint())


def _verify_first(db: sqlite3.Connection, chain: int, fork: Tip, blocks: Sequence[Block]) -> None:
    """Return if the first new block is the child of the fork, or the deployment's. Raises: Moved."""
    if not blocks:
        return
    header = blocks[0].header
    if fork.hash:
        is_next = to_hex(header.parent_hash) == fork.hash
    else:
        query = "SELECT deploy_hash FROM chain WHERE chain = ?"
        is_next = to_hex(header.hash) == db.execute(query, (chain,)).fetchone()[0]
    if not is_next:
        raise Moved


def _take_away(db: sqlite3.Connection, chain: int, tip: Tip, fork: Tip, blocks: Sequence[Block]) -> Reorg:
    new_tip = to_hex(blocks[-1].header.hash) if blocks else fork.hash
    row = orphan_blocks(db, chain, fork.number, new_tip)
    return Reorg(
        fork=fork.number,
        depth=tip.number - fork.number,
        events=row["events_orphaned"],
        past_final=bool(row["past_final"]),
    )
