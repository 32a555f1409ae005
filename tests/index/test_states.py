"""Whatever a chain does between syncs, and wherever they stop: the index follows it and forgets nothing."""

from __future__ import annotations

import hashlib
import itertools
import sqlite3
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from indexed_ledger import one

from ledger.chain.views import Event
from ledger.errors import ChainError
from ledger.evidence.headers import Header
from ledger.index.opening import open_index
from ledger.index.source import Block, Fingerprint, Heads, Log, Moved
from ledger.index.sync import sync

FIRST = 5


class Stopped(Exception):
    """The process ends here."""


class FakeChain:
    """Blocks by number, made up; the chain may change between any two answers."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.final = FIRST - 1
        self.counter = itertools.count()
        self.stop_after: int | None = None
        self.extend(0)

    def extend(self, events: int) -> None:
        number = FIRST + len(self.blocks)
        parent = self.blocks[-1].header.hash if self.blocks else bytes(32)
        block_hash = hashlib.sha256(f"{number} {next(self.counter)}".encode()).digest()
        header = Header(
            number=number,
            hash=block_hash,
            parent_hash=parent,
            state_root=bytes(32),
            receipts_root=bytes(32),
            logs_bloom=bytes(256),
            timestamp=1000 + number,
        )
        logs = tuple(self._make_log(header, index) for index in range(events))
        self.blocks.append(Block(header=header, encoded=b"header", logs=logs))

    def _make_log(self, header: Header, index: int) -> Log:
        amount = next(self.counter) + 1
        event = Event(
            name="Deposited",
            args={"id": 1, "amount_wei": amount, "stake_wei": amount},
            block=header.number,
            block_hash=header.hash,
            tx=hashlib.sha256(amount.to_bytes(8, "big")).digest(),
            log_index=index,
        )
        return Log(event=event, address=bytes(20), topics=(bytes(32),), data=b"", tx_index=0, actor=bytes(20))

    def read_fingerprint(self) -> Fingerprint:
        first = self.blocks[0].header.hash.hex()
        return Fingerprint(
            chain_id=1, genesis="0x", contract="0x", code_hash="0x", deploy_block=FIRST, deploy_hash="0x" + first
        )

    def read_heads(self) -> Heads:
        latest = FIRST + len(self.blocks) - 1
        return Heads(latest=latest, safe=min(latest, self.final), final=min(latest, self.final))

    def read_hashes(self, numbers: Sequence[int]) -> list[bytes | None]:
        places = [number - FIRST for number in numbers]
        return [self.blocks[each].header.hash if 0 <= each < len(self.blocks) else None for each in places]

    def read_blocks(self, first: int, last: int) -> list[Block]:
        if self.stop_after is not None:
            if self.stop_after == 0:
                raise Stopped
            self.stop_after -= 1
        found = self.blocks[first - FIRST : last - FIRST + 1]
        if len(found) != last - first + 1:
            raise Moved
        return found


class Following(RuleBasedStateMachine):
    """Any order of growth, reorganisations, returns of old branches, syncs and ends of processes."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "index.sqlite"
        self.chain = FakeChain()
        self.branches: list[list[Block]] = []
        self.seen: dict[str, int] = {}
        self.in_step = False
        open_index(self.path, create=True).close()

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.folder.cleanup()

    @rule(events=st.lists(st.integers(0, 3), min_size=1, max_size=4))
    def grow(self, events: list[int]) -> None:
        for count in events:
            self.chain.extend(count)
        self.in_step = False

    @rule(depth=st.integers(1, 12), events=st.lists(st.integers(0, 2), max_size=12))
    def reorganise(self, depth: int, events: list[int]) -> None:
        """Take blocks away, never the deployment's, and put others in their place: fewer, as many, or more."""
        self.branches.append(list(self.chain.blocks))
        del self.chain.blocks[max(1, len(self.chain.blocks) - depth) :]
        self.grow(events)

    @rule(choice=st.integers(0, 99))
    def return_to_a_branch(self, choice: int) -> None:
        if self.branches:
            self.branches.append(list(self.chain.blocks))
            self.chain.blocks = list(self.branches[choice % (len(self.branches) - 1)]) if len(self.branches) > 1 else []
            self.chain.blocks = self.chain.blocks or list(self.branches[0])
            self.in_step = False

    @rule(number=st.integers(0, 30))
    def finalise(self, number: int) -> None:
        self.chain.final = max(self.chain.final, min(FIRST + number, FIRST + len(self.chain.blocks) - 4))

    @rule(batch_blocks=st.integers(1, 6), stop_after=st.none() | st.integers(0, 3))
    def synchronise(self, batch_blocks: int, stop_after: int | None) -> None:
        self.chain.stop_after = stop_after
        db = open_index(self.path)
        try:
            sync(db, self.chain, batch_blocks=batch_blocks)
            self.in_step = True
        except Stopped:
            pass
        finally:
            db.close()

    @invariant()
    def what_is_canonical_is_the_chain(self) -> None:
        db = open_index(self.path)
        canonical = db.execute("SELECT number, hash, parent FROM block WHERE canon = 1 ORDER BY number").fetchall()
        assert [row["number"] for row in canonical] == list(range(FIRST, FIRST + len(canonical)))
        assert all(child["parent"] == parent["hash"] for parent, child in itertools.pairwise(canonical))
        self._check_events(db)
        self._check_memory(db)
        if self.in_step:
            assert [row["hash"] for row in canonical] == ["0x" + each.header.hash.hex() for each in self.chain.blocks]
        db.close()

    def _check_events(self, db: sqlite3.Connection) -> None:
        events = db.execute("SELECT id, number, log_index, args FROM event WHERE canon = 1 ORDER BY id").fetchall()
        places = [(row["number"], row["log_index"]) for row in events]
        assert places == sorted(set(places))
        assert (
            one(db, "SELECT count(*) FROM event e JOIN block b ON b.hash = e.block_hash WHERE b.canon <> e.canon") == 0
        )
        assert one(db, "SELECT count(*) FROM event WHERE (canon = 1) = (orphaned_by IS NOT NULL)") == 0
        facts = db.execute("SELECT ev FROM x_stake ORDER BY ev").fetchall()
        assert [row["ev"] for row in facts] == [row["id"] for row in db.execute("SELECT id FROM event ORDER BY id")]

    def _check_memory(self, db: sqlite3.Connection) -> None:
        """Nothing that was ever there is gone."""
        now = {
            row["hash"]: one(db, "SELECT count(*) FROM event WHERE block_hash = ?", row["hash"])
            for row in db.execute("SELECT hash FROM block").fetchall()
        }
        assert self.seen.items() <= now.items()
        self.seen = now


Following.TestCase.settings = settings(settings(), stateful_step_count=25)
TestFollowing = Following.TestCase


def test_a_block_of_another_parent_is_never_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A source that answers with blocks that do not follow from the index's last one is asked again, and given up."""
    monkeypatch.setattr("ledger.index.sync._PAUSE_SECONDS", 0)
    chain = FakeChain()
    for _ in range(3):
        chain.extend(1)
    with tempfile.TemporaryDirectory() as folder:
        db = open_index(Path(folder) / "index.sqlite", create=True)
        sync(db, chain)
        chain.extend(1)
        block = chain.blocks[-1]
        chain.blocks[-1] = replace(block, header=replace(block.header, parent_hash=b"\x01" * 32))
        with pytest.raises(ChainError, match="changed 10 times"):
            sync(db, chain)
        assert one(db, "SELECT max(number) FROM block") == FIRST + 3
        db.close()
