"""Processes that are killed with SIGKILL in the middle: the index is whole, and the next one goes on."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from crashing import in_child
from indexed_ledger import Ledger, follow, one

from ledger.index import export, opening, rebuild, sync
from ledger.index.opening import open_index
from ledger.index.verify import ProvenSource, verify_index

pytestmark = pytest.mark.chain


def kill_at(step: int) -> Callable[..., None]:
    """Return a function that kills its process when it is called for the given time."""
    left = step

    def tick(*_: object, **__: object) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    return tick


def die_before(module: Any, name: str, step: int) -> None:
    """Patch a function of this process so that the process dies before one of its calls."""
    original, tick = getattr(module, name), kill_at(step)

    def stepped(*args: Any, **named: Any) -> Any:
        tick()
        return original(*args, **named)

    setattr(module, name, stepped)


@pytest.mark.parametrize(
    ("name", "step"), [("put_block", 0), ("put_block", 1), ("put_block", 5), ("put_block", 9), ("mark_finality", 2)]
)
def test_a_sync_that_is_killed_goes_on_where_it_was(tmp_path: Path, ledger: Ledger, name: str, step: int) -> None:
    """In the middle of a batch, and before the commit of one; after a reorganisation, too."""
    path = tmp_path / "killed.sqlite"
    ledger.deposit(6)

    def work() -> None:
        die_before(sync, name, step)
        sync.sync(open_index(path, create=True), ledger.source, batch_blocks=2)

    assert in_child(work) in (-signal.SIGKILL, 0)
    ledger.reorganise(3)
    ledger.deposit(2)
    assert in_child(work) in (-signal.SIGKILL, 0)
    db = open_index(path)
    assert one(db, "PRAGMA integrity_check") == "ok"
    follow(db, ledger)
    assert verify_index(db, ProvenSource(ledger.network), None).wrong == ()
    assert one(db, "SELECT count(*) FROM x_stake") == one(db, "SELECT count(*) FROM event")
    db.close()


def test_a_kill_while_the_schema_is_made_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "new.sqlite"

    def work() -> None:
        die_before(opening, "_get_version", 2)
        open_index(path, create=True)

    assert in_child(work) == -signal.SIGKILL
    open_index(path, create=True).close()


@pytest.mark.parametrize("kind", ["csv", "ndjson", "sqlite"])
@pytest.mark.parametrize("step", [0, 1, 5])
def test_an_export_that_is_killed_is_not_there_and_the_next_one_is_whole(
    db: sqlite3.Connection, tmp_path: Path, ledger: Ledger, kind: str, step: int
) -> None:
    follow(db, ledger)
    target = tmp_path / "out" / "exported"

    def work() -> None:
        die_before(export, "_count" if kind == "sqlite" else "_select", step)
        own = open_index(tmp_path / "index.sqlite")
        export.export_index(own, target, kind, sync.ignore)

    assert in_child(work) == -signal.SIGKILL
    assert not target.exists()
    written = export.export_index(db, target, kind, sync.ignore)
    assert {each.name: each.rows for each in written}["event"] == 1
    assert sorted(path.name for path in target.parent.iterdir()) == ["exported"]


@pytest.mark.parametrize("step", [0, 3])
def test_a_rebuild_that_is_killed_leaves_the_index_as_it_was(
    db: sqlite3.Connection, tmp_path: Path, ledger: Ledger, step: int
) -> None:
    ledger.deposit(4)
    follow(db, ledger)
    db.execute("UPDATE x_stake SET gwei = 7")
    path = tmp_path / "index.sqlite"

    def work() -> None:
        die_before(sync, "put_block", step)
        rebuild.rebuild(path, ledger.source, None)

    assert in_child(work) == -signal.SIGKILL
    assert one(db, "SELECT max(gwei) FROM x_stake") == 7
    rebuild.rebuild(path, ledger.source, None)
    assert verify_index(db, ProvenSource(ledger.network), None).wrong == ()
    assert not list(tmp_path.glob("*rebuilding*"))
