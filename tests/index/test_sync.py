"""An index follows its chain: batches, reorganisations, finality, resets, nodes that refuse."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from indexed_ledger import Ledger, deploy_ledger, follow, less_sure, one

from ledger import devnet as devnets
from ledger.errors import ChainError, ChainReset, ConfigurationError, NotFoundError
from ledger.evidence.headers import Header, decode_header
from ledger.index.opening import open_index
from ledger.index.source import Log, NodeSource
from ledger.index.sync import Reorg, sync
from ledger.index.verify import ProvenSource, verify_index

pytestmark = pytest.mark.chain


def test_an_index_holds_every_block_and_event_since_the_deployment(db: sqlite3.Connection, ledger: Ledger) -> None:
    ledger.deposit(3)
    result = follow(db, ledger)
    assert (result.blocks, result.events) == (ledger.height - ledger.network.deploy_block + 1, 4)
    for row in db.execute("SELECT * FROM block"):
        header = decode_header(row["header"])
        assert (header.number, "0x" + header.hash.hex(), header.timestamp) == (row["number"], row["hash"], row["ts"])
    assert [row["name"] for row in db.execute("SELECT name FROM event ORDER BY id")] == [
        "Registered",
        *["Deposited"] * 3,
    ]
    assert one(db, "SELECT DISTINCT actor FROM event") == devnets.funded_account(0).address.lower()


def test_a_second_sync_adds_only_what_is_new(db: sqlite3.Connection, ledger: Ledger) -> None:
    follow(db, ledger)
    assert (follow(db, ledger).blocks, follow(db, ledger).events) == (0, 0)
    ledger.deposit()
    assert follow(db, ledger).events == 1


@pytest.mark.parametrize("batch_blocks", [1, 2, 5])
def test_batches_of_any_size_give_the_same_index(db: sqlite3.Connection, ledger: Ledger, batch_blocks: int) -> None:
    ledger.deposit(4)
    seen: list[int] = []
    follow(db, ledger, batch_blocks=batch_blocks, observe=lambda done, total, what: seen.append(done))
    assert seen == sorted(set(seen))
    assert verify_index(db, ProvenSource(ledger.network), None).wrong == ()


@pytest.mark.parametrize("depth", range(1, 11))
def test_a_reorg_is_followed_and_what_it_takes_away_is_kept(db: sqlite3.Connection, ledger: Ledger, depth: int) -> None:
    ledger.deposit(11)
    old = follow(db, ledger).tip
    lost = [row["id"] for row in db.execute("SELECT id FROM event WHERE number > ?", (old.number - depth,))]
    ledger.reorganise(depth)
    ledger.deposit()
    result = follow(db, ledger)
    assert result.reorgs == [Reorg(fork=old.number - depth, depth=depth, events=len(lost), past_final=False)]
    (row,) = db.execute("SELECT * FROM reorg").fetchall()
    assert (row["old_tip"], row["new_tip"]) == (old.hash, result.tip.hash)
    marked = [
        each["id"] for each in db.execute("SELECT id FROM event WHERE orphaned_by = ? AND canon = 0", (row["id"],))
    ]
    assert marked == lost
    assert one(db, "SELECT count(*) FROM block WHERE canon = 0") == depth
    assert verify_index(db, ProvenSource(ledger.network), None).wrong == ()


def test_facts_of_orphaned_events_are_seen_by_nobody(db: sqlite3.Connection, ledger: Ledger) -> None:
    ledger.deposit(3)
    follow(db, ledger)
    before = one(db, "SELECT count(*) FROM stakes WHERE kind = 'deposit'")
    ledger.reorganise(2)
    follow(db, ledger)
    assert one(db, "SELECT count(*) FROM stakes WHERE kind = 'deposit'") == before - 2
    assert one(db, "SELECT count(*) FROM x_stake WHERE kind = 'deposit'") == before


def test_a_chain_that_becomes_shorter_is_followed_too(db: sqlite3.Connection, ledger: Ledger) -> None:
    snapshot = ledger.node.call("evm_snapshot")
    height = ledger.height
    ledger.deposit(3)
    follow(db, ledger)
    ledger.node.call("evm_revert", snapshot)
    result = follow(db, ledger)
    assert result.reorgs == [Reorg(fork=height, depth=3, events=3, past_final=False)]
    assert result.tip.number == height
    ledger.deposit()
    assert follow(db, ledger).events == 1


def test_several_reorgs_between_two_syncs_are_one(db: sqlite3.Connection, ledger: Ledger) -> None:
    ledger.deposit(5)
    follow(db, ledger)
    for depth in (2, 4, 1):
        ledger.reorganise(depth)
        ledger.deposit()
    assert [each.depth for each in follow(db, ledger).reorgs] == [3]


class Disturbed(NodeSource):
    """A node on which something happens between the headers and the logs of a batch."""

    def __init__(self, ledger: Ledger, happen: Callable[[], None], times: int) -> None:
        super().__init__(ledger.network)
        self.happen, self.times = happen, times

    def _fetch_logs(self, headers: Sequence[Header]) -> list[Log]:
        if self.times:
            self.times -= 1
            self.happen()
        return super()._fetch_logs(headers)


@pytest.mark.parametrize("depth", [1, 2, 5, 10])
def test_a_reorg_while_blocks_are_read_leaves_no_mixture(db: sqlite3.Connection, ledger: Ledger, depth: int) -> None:
    ledger.deposit(11)
    source = Disturbed(ledger, lambda: ledger.reorganise(depth), times=2)
    sync(db, source, batch_blocks=3)
    follow(db, ledger)
    assert verify_index(db, ProvenSource(ledger.network), None).wrong == ()


def test_a_chain_that_never_holds_still_is_given_up(
    db: sqlite3.Connection, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.index.sync._PAUSE_SECONDS", 0)
    ledger.deposit(3)
    with pytest.raises(ChainError, match="changed 10 times"):
        sync(db, Disturbed(ledger, lambda: ledger.reorganise(1), times=99))
    follow(db, ledger)


def test_blocks_become_final_with_the_networks_confirmations(db: sqlite3.Connection, ledger: Ledger) -> None:
    ledger.mine(3)
    ledger = less_sure(ledger, 2)
    tip = follow(db, ledger).tip.number
    assert one(db, "SELECT max(number) FROM block WHERE finality = 'final'") == tip - 2
    ledger.mine()
    follow(db, ledger)
    assert one(db, "SELECT max(number) FROM block WHERE finality = 'final'") == tip - 1


def test_a_reorg_past_finality_is_followed_and_told_as_such(db: sqlite3.Connection, ledger: Ledger) -> None:
    ledger = less_sure(ledger, 2)
    ledger.deposit(4)
    follow(db, ledger)
    ledger.reorganise(3)
    assert [each.past_final for each in follow(db, ledger).reorgs] == [True]
    assert one(db, "SELECT past_final FROM reorg") == 1


def test_sync_until_final_reads_no_block_that_may_go_away(db: sqlite3.Connection, ledger: Ledger) -> None:
    ledger.deposit(5)
    result = sync(db, less_sure(ledger, 3).source, until="final")
    assert result.tip.number == ledger.height - 3
    assert one(db, "SELECT group_concat(DISTINCT finality) FROM block") == "final"


def test_a_second_deployment_is_another_epoch_and_the_first_is_kept(
    db: sqlite3.Connection, ledger: Ledger, tmp_path: Path
) -> None:
    ledger.deposit(2)
    follow(db, ledger)
    again = deploy_ledger(ledger.network.rpc, tmp_path, key="again")
    with pytest.raises(ChainReset) as raised:
        sync(db, again.source)
    assert "rebuild --new-epoch" in raised.value.hint
    assert one(db, "SELECT count(*) FROM chain") == 1
    assert sync(db, again.source, new_epoch=True).epoch == 2
    follow(db, again)
    assert one(db, "SELECT count(*) FROM event WHERE chain = 1") == 3
    assert one(db, "SELECT count(*) FROM facts") == 1
    with pytest.raises(ChainReset):
        sync(db, ledger.source)


def test_a_chain_that_was_reset_is_not_mistaken_for_a_reorg(tmp_path: Path, db: sqlite3.Connection) -> None:
    """With equal contracts at equal addresses: the hash of the deployment's block tells the two chains apart."""
    for number in (1, 2):
        with devnets.running(tmp_path / f"chain-{number}", engine="anvil") as node:
            ledger = deploy_ledger(node.rpc, tmp_path, key=f"deploy-{number}")
            if number == 1:
                ledger.deposit(2)
                first = ledger
                follow(db, ledger)
                time.sleep(1.1)  # within a second, equal transactions make equal blocks, which nobody can tell apart
            else:
                assert ledger.network.contracts == first.network.contracts
                ledger.deposit(2)
                with pytest.raises(ChainReset) as raised:
                    sync(db, ledger.source)
                assert (raised.value.code, raised.value.exit_status) == ("FT405", 4)
                sync(db, ledger.source, new_epoch=True)
                follow(db, ledger)
    assert one(db, "SELECT count(*) FROM event WHERE chain = 1") == 3


def test_two_at_once_do_not_write_anything_twice(tmp_path: Path, ledger: Ledger) -> None:
    """The second comes between what the first has read and its transaction."""
    ledger.deposit(5)
    path = tmp_path / "shared.sqlite"
    mine, other = (open_index(path, create=True) for _ in range(2))
    source = Disturbed(ledger, lambda: follow(other, ledger) and None, times=1)
    result = sync(mine, source)
    assert (result.blocks, result.tip.number) == (0, ledger.height)
    follow(mine, ledger)
    mine.close()
    other.close()


def test_what_is_no_index_is_left_alone(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no index"):
        open_index(tmp_path / "none.sqlite")
    garbage = tmp_path / "garbage.sqlite"
    garbage.write_bytes(b"something else entirely" * 100)
    with pytest.raises(ConfigurationError, match="is no index"):
        open_index(garbage, create=True)
    assert garbage.read_bytes().startswith(b"something else")
    foreign = tmp_path / "foreign.sqlite"
    other: Any = sqlite3.connect(foreign)
    other.executescript("CREATE TABLE event(id); PRAGMA user_version = 7")
    other.close()
    with pytest.raises(ConfigurationError, match="has schema 7"):
        open_index(foreign, create=True)
