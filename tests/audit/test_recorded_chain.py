"""What events tell is what the contracts hold: a RecordedChain answers as the chain does, now and at any block."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from audited_run import AuditedRun
from ledger_world import CLIENT_STAKE, World, lie, make_key, make_setup
from raw_node import Node
from recorded import ROLES, assert_same, record

from ledger import devnet as devnets
from ledger.audit import replay
from ledger.chain import ETHER, Contracts, Event, Role
from ledger.errors import Incomplete, NotFoundError, UsageError
from ledger.history import load_round
from ledger.journal import Journal
from ledger.recorded_chain import RecordedChain
from ledger.records import Verdict
from ledger.spec import CommitMode, Phase, Rule

pytestmark = pytest.mark.chain
STAKES = dict.fromkeys(ROLES, ETHER)


@pytest.fixture
def world(devnet: devnets.Devnet, tmp_path: Path) -> Iterator[World]:
    """A ledger whose identities wait ten seconds before they are active."""
    node = Node(devnet.rpc)
    snapshot = node.call("evm_snapshot")
    journal = Journal(tmp_path / "setup.sqlite")
    world = World(make_setup(devnet.rpc, journal, activation_seconds=10), tmp_path)
    world.wait_until(world.chain.now() + 10)
    yield world
    world.close()
    journal.close()
    assert node.call("evm_revert", snapshot)


def test_a_finished_run_is_told_by_its_events(audited_run: AuditedRun) -> None:
    recorded = record(audited_run.chain)
    assert_same(audited_run.chain, recorded)
    for number in audited_run.round_ids:
        from_events = load_round(recorded, audited_run.store, number)
        assert from_events == load_round(audited_run.chain, audited_run.store, number)
        want = Verdict.FAIL if number == audited_run.voided else Verdict.PASS
        assert replay(from_events).verdict is want


def test_keys_activity_and_stakes_of_the_past_are_told_by_events(world: World) -> None:
    owner, chain = world.people.owner, world.chain
    second, third = make_key("second key"), make_key("third key")
    world.send("rotate_key", 1, second, by=owner)
    world.wait_until(chain.now() + 5)
    world.send("rotate_key", 1, third, by=owner)
    world.send("deposit", 2, ETHER)
    world.send("request_unbond", 3, by=owner)
    world.wait_until(chain.get_participant(3).unlock_at)
    world.send("withdraw", 3)
    world.send("deposit", 3, ETHER // 2)
    world.send("deposit", 3, ETHER)
    # Twice caught: the stake falls below the minimum, is topped up, is active again.
    round_ = world.open(clients=(2, 4))
    round_.relay()
    round_.prove(round_.equivocation(2, b"\x07" * 32, b"\x08" * 32))
    world.send("deposit", 2, CLIENT_STAKE)
    assert chain.get_participant(2).active_from > chain.now()
    world.enrol("late client")
    assert_same(chain, record(chain))


def test_keys_that_change_within_one_second_are_told_by_events(world: World) -> None:
    keys = [make_key(f"quick key {number}") for number in range(3)]
    calls = [world.chain.contracts.rotate_key(participant=1, signer=key) for key in keys]
    with world.one_block():
        nonce = int(world.node.call("eth_getTransactionCount", world.people.owner.address, "latest"), 16)
        for number, call in enumerate(calls):
            fields = {"type": 2, "chainId": 31337, "nonce": nonce + number, "gas": 500_000, "value": 0}
            fees = {"maxFeePerGas": 100 * 10**9, "maxPriorityFeePerGas": 10**9}
            signed = world.people.owner.sign_transaction({**fields, **fees, "data": call.data, "to": call.to})
            world.node.call("eth_sendRawTransaction", signed.raw_transaction.to_0x_hex())
    assert world.chain.get_participant(1).key_epoch == 3
    assert_same(world.chain, record(world.chain))


@pytest.mark.parametrize("mode", list(CommitMode))
def test_rounds_of_every_mode_are_told_by_events(world: World, mode: CommitMode) -> None:
    round_ = world.open(mode=mode).commit()
    round_.propose(data_id=round_.publish()).finalise()
    world.open_next(round_.task_id, round_.model).commit()
    assert_same(world.chain, record(world.chain))


def test_pauses_disputes_abandoned_expired_and_voided_rounds_are_told_by_events(world: World) -> None:
    guardian, aggregator = world.people.guardian, world.people.aggregator
    early = world.open()
    world.send("pause", early.task_id, by=guardian)
    assert_same(world.chain, record(world.chain))
    world.wait_until(world.chain.now() + 100)
    world.send("resume", early.task_id, by=guardian)
    early.commit()
    assert_same(world.chain, record(world.chain))
    world.wait_until(world.chain.get_round(early.round_id).propose_end + 1)
    world.send("expire", early.round_id)

    late = world.open().commit()
    world.wait_until(world.chain.get_round(late.round_id).commit_end + 1)
    world.send("pause", late.task_id, by=guardian)
    world.wait_until(world.chain.now() + 100)
    world.send("resume", late.task_id, by=guardian)
    world.wait_until(world.chain.get_round(late.round_id).data_end + 1)
    world.send("abandon", late.round_id, b"\x05" * 32, [(1, 801), (2, 801)], by=aggregator)

    struck = lie(world.open().commit())
    struck.prove(struck.column(33))
    again = world.open_next(struck.task_id, struck.base, by="rival").commit().propose()
    assert [each.phase for each in (early, late, struck, again)] == [
        Phase.EXPIRED,
        Phase.ABANDONED,
        Phase.VOIDED,
        Phase.PROPOSED,
    ]
    assert_same(world.chain, record(world.chain))


def test_a_game_over_a_distance_is_told_by_events(world: World) -> None:
    round_ = world.open(rule=Rule.KRUM, rule_param=0, max_clients=50).commit().propose()
    assert_same(world.chain, record(world.chain))
    assert round_.phase is Phase.PROPOSED


CONTRACTS = Contracts(chain_id=31337, addresses={})


def make_event(name: str, block: int = 1, **args: object) -> Event:
    return Event(name=name, args=args, block=block, block_hash=bytes(32), tx=bytes(32), log_index=0)


def fold(*events: Event) -> RecordedChain:
    return RecordedChain(CONTRACTS, [(event, 100) for event in events], last_block=9, min_stake_wei=STAKES)


def registered(participant: int) -> Event:
    person = {"owner": b"o" * 20, "signer": b"s" * 20, "role": Role.CLIENT, "stake_wei": ETHER, "active_from": 100}
    return make_event("Registered", id=participant, **person)


@pytest.mark.parametrize(
    "event",
    [
        registered(2),
        make_event("KeyRotated", id=1, signer=b"k" * 20, epoch=1),
        make_event("TaskCreated", task_id=2, task=None),
        make_event("RoundOpened", task_id=1, round_id=1),
        make_event("Committed", round_id=1, client=1, commitment=bytes(32)),
        make_event("Paused", task_id=1, round_id=0),
    ],
    ids=lambda event: event.name,
)
def test_an_event_that_does_not_follow_from_those_before_is_incomplete(event: Event) -> None:
    with pytest.raises(Incomplete, match=f"event {event.name} in block 1 does not follow"):
        fold(event)


def test_an_identity_that_becomes_active_after_another_delay_does_not_follow() -> None:
    second = registered(2)
    with pytest.raises(Incomplete, match="activation after 1 s, before after 0 s"):
        fold(registered(1), replace(second, args={**second.args, "active_from": 101}))


def test_events_after_the_last_block_are_not_told() -> None:
    later = make_event("Deposited", block=10, id=1, amount_wei=1, stake_wei=ETHER + 1)
    assert fold(registered(1), later).get_participant(1).stake_wei == ETHER


def test_what_there_is_not_is_not_found() -> None:
    recorded = fold()
    for ask in (recorded.get_task, recorded.get_task_state, recorded.get_round, recorded.get_participant):
        with pytest.raises(NotFoundError):
            ask(1)
    with pytest.raises(UsageError, match="no event Nothing"):
        recorded.events(names=("Nothing",))
