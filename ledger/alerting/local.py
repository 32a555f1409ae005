"""What a project itself has sent, read and had witnessed: metrics that are no question to the ledger."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from ledger.chain import Chain
from ledger.checkpoints import parse_checkpoint
from ledger.errors import FedtrailError
from ledger.index.database import get_epoch, get_tip
from ledger.index.opening import FILE_NAME, open_index, reading
from ledger.notekeys import FOLDER, NoteKeystore
from ledger.project import Project
from ledger.witnessing import Notebook


@dataclass(frozen=True, slots=True, kw_only=True)
class Local:
    """One look at a project's own files, beside the chain's head."""

    transactions: Mapping[str, int] = field(default_factory=dict)
    """Transactions of this chain in the journal, by outcome: written, mined, reverted."""
    gas_used: int = 0
    """Gas that they used."""
    index_lag_blocks: int | None = None
    """Confirmed blocks that the index has not read; None without an index of this chain."""
    reorgs: int | None = None
    """Reorganisations that the index has met; None without one."""
    witness_age_seconds: int | None = None
    """From the block of the newest checkpoint that somebody else signed to the head; None while there is none."""


def read_local(project: Project, chain: Chain) -> Local:
    """Read a project's files. Raises: ChainError: the node does not answer."""
    outcomes = chain.count_outcomes()
    lag, reorgs = _read_index(project.state_dir / FILE_NAME, chain)
    return Local(
        transactions={status: count for status, (count, _) in outcomes.items()},
        gas_used=sum(gas for _, gas in outcomes.values()),
        index_lag_blocks=lag,
        reorgs=reorgs,
        witness_age_seconds=_compute_witness_age(project, chain),
    )


def _read_index(path: Path, chain: Chain) -> tuple[int | None, int | None]:
    if not path.exists():
        return None, None
    try:
        with closing(open_index(path)) as db, reading(db):
            epoch = get_epoch(db)
            if epoch is None or epoch["contract"] != (chain.network.ledger or "").lower():
                return None, None
            (reorgs,) = db.execute("SELECT count(*) FROM reorg WHERE chain = ?", (epoch["chain"],)).fetchone()
            return max(0, chain.get_confirmed_block() - get_tip(db, epoch["chain"]).number), int(reorgs)
    except (FedtrailError, sqlite3.Error):  # of another version, or being made anew: `fedtrail index status` tells
        return None, None


def _compute_witness_age(project: Project, chain: Chain) -> int | None:
    own = set(NoteKeystore(project.keys_dir / FOLDER).names())
    notes = Notebook(project.state_dir / "checkpoints" / chain.fingerprint).list()
    seen = [note for note in notes if {line.name for line in note.signatures} - own]
    if not seen:
        return None
    signed_at = chain.get_block_time(parse_checkpoint(seen[-1].text).block)
    return None if signed_at is None else max(0, chain.now() - signed_at)
