"""Every event of every contract is projected, into columns that the tables have."""

from __future__ import annotations

from typing import Any

import pytest
from planted_index import PlantedIndex, address, digest

from ledger import spec
from ledger.chain.abi import Item, get_events
from ledger.chain.views import Event, Role, name_event
from ledger.index import facts
from ledger.index.columns import to_amount

EVENTS = sorted(get_events().values(), key=lambda item: (item.name, len(item.inputs)))
ENTRIES = {
    "ScoresRecorded": {"entries": spec.encode_scores([(1, -1), (2, 3)])},
    "PrivacySpent": {"entries": spec.encode_spends([(1, 5, 7)])},
}
"""What the contract only emits after it has checked it."""


def invent(param: Any) -> Any:
    """Return a value of a Solidity type, as decoding gives it."""
    kind, name = param["type"], param["name"]
    if kind.endswith("[]"):
        return (1, 2)
    if kind == "tuple":
        return {snake(part["name"]): invent(part) for part in param["components"]}
    if kind == "address":
        return address(name)
    if kind == "bytes":
        return bytes.fromhex("00000001" + "11" * 32) if name == "entries" else b""
    if kind == "bytes32":
        return b"a reason".ljust(32, b"\0") if name == "reason" else digest(name)
    return 1


def snake(name: str) -> str:
    from ledger.chain.abi import to_snake

    return to_snake(name)


@pytest.mark.parametrize("item", EVENTS, ids=lambda item: item.name)
def test_every_event_becomes_rows_of_tables_that_exist(planted: PlantedIndex, item: Item) -> None:
    args = name_event({snake(param["name"]): invent(param) for param in item.inputs})
    args |= ENTRIES.get(item.name, {})
    rows = list(facts.rows_of(make_event(item.name, args)))
    assert bool(rows) == (item.name not in facts.SILENT)
    planted.add(item.name, **args)
    for table, columns in rows:
        names = " AND ".join(f"{name} IS :{name}" for name in columns)
        found = planted.db.execute(f"SELECT count(*) FROM {table} WHERE {names}", columns).fetchone()[0]
        assert found, (table, columns)


def make_event(name: str, args: dict[str, Any]) -> Event:
    return Event(name=name, args=args, block=1, block_hash=b"", tx=b"", log_index=0)


def test_an_event_of_a_later_release_is_no_fact() -> None:
    assert list(facts.rows_of(make_event("Unheard", {}))) == []


@pytest.mark.parametrize("wei", [0, 1, 10**9 - 1, 10**9, 10**18 // 3, 2**96 - 1, 2**256 - 1])
def test_amounts_are_exact_in_wei_and_fit_64_bits_in_gwei(wei: int) -> None:
    amount = to_amount(wei)
    assert amount["wei"] == str(wei)
    assert amount["gwei"] == min(wei // 10**9, 2**63 - 1)


def test_a_pause_of_a_proposed_round_leaves_it_proposed(planted: PlantedIndex) -> None:
    planted.create_task()
    planted.open(1)

    def phase() -> str:
        return str(planted.db.execute("SELECT phase FROM rounds").fetchone()[0])

    planted.add("Paused", task_id=1, round_id=1)
    assert phase() == "paused"
    planted.add("Resumed", task_id=1, round_id=1, paused_seconds=10)
    assert phase() == "open"
    planted.propose(1, committed=0)
    planted.add("Paused", task_id=1, round_id=1)
    assert phase() == "proposed"


def test_a_role_is_told_by_its_name(planted: PlantedIndex) -> None:
    planted.register(4, role=Role.ATTESTOR)
    assert planted.db.execute("SELECT role, last_action FROM members").fetchone()[:] == ("attestor", "registered")
