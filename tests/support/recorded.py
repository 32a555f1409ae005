"""A ledger's events as a RecordedChain, and every answer of the two side by side."""

from __future__ import annotations

from typing import Any

from ledger.chain import Chain, Event, Role
from ledger.recorded_chain import RecordedChain

ROLES = (Role.CLIENT, Role.AGGREGATOR, Role.ATTESTOR)


def record(chain: Chain) -> RecordedChain:
    """Return what the events of a chain tell, up to its last confirmed block."""
    last = chain.get_confirmed_block()
    events = chain.events(last_block=last)
    times = {block: get_time(chain, block) for block in {event.block for event in events}}
    return RecordedChain(
        chain.contracts,
        [(event, times[event.block]) for event in events],
        last_block=last,
        min_stake_wei={role: chain.get_min_stake(role) for role in ROLES},
    )


def get_time(chain: Chain, block: int) -> int:
    found: Any = chain._connection.request("eth_getBlockByNumber", hex(block), False)
    return int(found["timestamp"], 16)


def assert_same(chain: Chain, recorded: RecordedChain) -> None:
    """Ask both everything, about every second at which something happened and the ones beside it."""
    last = recorded.get_confirmed_block()
    assert recorded.domain_separator == chain.domain_separator
    assert recorded.count_rounds() == chain.count_rounds()
    assert recorded.participants() == chain.participants()
    assert recorded.registry.burnt_wei == chain._read(chain.contracts.to_registry("burntWei"))
    for task_id in range(1, recorded.count_tasks() + 1):
        assert recorded.get_task(task_id) == chain.get_task(task_id)
        assert recorded.get_task_state(task_id) == chain.get_task_state(task_id)
        assert recorded.get_paused_at(task_id) == chain.get_paused_at(task_id)
        assert recorded.events(task_id=task_id) == chain.events(task_id=task_id)
    for round_id in range(1, recorded.count_rounds() + 1):
        assert recorded.get_round(round_id) == chain.get_round(round_id)
        seen = recorded.events(round_id=round_id)
        assert seen == chain.events(round_id=round_id)
        for block in sorted({event.block for event in seen if event.name != "ShareClaimed"} | {last}):
            assert recorded.get_round(round_id, at_block=block) == chain.get_round(round_id, at_block=block), block
    assert_same_people(chain, recorded, recorded.events())


def assert_same_people(chain: Chain, recorded: RecordedChain, events: list[Event]) -> None:
    """Compare keys, roles and stakes at every second around the events that change them."""
    names = ("Registered", "KeyRotated", "Deposited", "Unbonding", "Withdrawn", "Slashed")
    blocks = {event.block for event in events if event.name in names}
    activation = chain._read(chain.contracts.to_registry("activationSeconds"))
    times = {get_time(chain, block) for block in blocks}
    everybody = [each.id for each in recorded.participants()] + [99]
    for second in sorted({time + late + by for time in times for late in (0, activation) for by in (-1, 0, 1, 2)}):
        assert recorded.get_stakes_at(everybody, second) == chain.get_stakes_at(everybody, second)
        assert recorded.get_signers_at(everybody, second) == chain.get_signers_at(everybody, second)
        for role in ROLES:
            for participant in everybody:
                want = chain.get_signer_at(participant, second, role)
                assert recorded.registry.get_signer_at(participant, second, role) == want
