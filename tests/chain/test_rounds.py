"""A round through the real contracts, compared with the specification's own state machine."""

import time

import pytest
from eth_account import Account

from ledger import artifacts, spec
from ledger import devnet as devnets
from ledger.chain import ETHER, Order, Role
from ledger.errors import UsageError

pytestmark = pytest.mark.chain


def test_domains_are_those_that_the_contracts_state(chain):
    for address, name, want in (
        (chain.network.ledger, "RoundLedger", chain.domain_separator),
        (chain.network.registry, "ParticipantRegistry", chain.registry_domain_separator),
    ):
        contract = chain.w3.eth.contract(address, abi=artifacts.load(name).abi)
        assert contract.functions.domainSeparator().call() == want


def test_ten_clients_register_within_a_second(newcomers):
    chain = newcomers.chain
    started = time.perf_counter()
    federation = newcomers.enrol(10)
    assert time.perf_counter() - started < 1
    assert sorted(federation.clients) == list(range(1, 11))
    assert [view.role for view in chain.participants()] == [Role.CLIENT] * 10 + [Role.AGGREGATOR]


def test_participants_are_read_as_they_registered(federation):
    chain, (client, key) = federation.chain, next(iter(federation.clients.items()))
    view = chain.get_participant(client)
    assert (view.id, view.role, view.stake_wei, view.locked_wei) == (client, Role.CLIENT, ETHER, 0)
    assert "0x" + view.signer.hex() == key.address.lower()
    assert "0x" + view.owner.hex() == federation.operator.address.lower()
    assert chain.find_participant(view.signer) == chain.find_participant(key.address) == client
    assert chain.find_participant(Account.create().address) is None
    assert chain.get_signer_at(client, view.active_from) == view.signer
    assert chain.get_signer_at(client, view.active_from - 1) is None
    assert chain.get_signer_at(client, view.active_from, Role.AGGREGATOR) is None
    assert chain.get_min_stake(Role.AGGREGATOR) == 2 * ETHER


def test_a_round_goes_as_the_specification_says(federation):
    chain = federation.chain
    task = federation.make_task()
    round_id = federation.open(task=task)
    view = chain.get_round(round_id)
    state = spec.start_task(task, unbond_seconds=chain.get_unbond_seconds())
    state = spec.apply_open(state, round_id, view.opened_at)
    assert chain.get_task(view.task_id) == task
    assert (view.commit_end, view.data_end) == (state.current.commit_end, state.current.data_end)
    assert view.propose_end == state.current.propose_end

    entries = federation.commit(round_id)
    members = [spec.Member(client=entry.client, commitment=entry.commitment) for entry in entries]
    state = spec.apply_commits(state, members, view.opened_at)
    assert chain.get_round(round_id).segments_hash == state.current.segments_hash
    (segment,) = chain.events(names=["SegmentCommitted"], round_id=round_id)
    assert spec.decode_members(segment.args["entries"]) == members
    assert segment.args["root"] == spec.compute_segment_root(members)

    chain.wait_until(view.data_end + 1)
    excluded = [(members[1].client, 715)]
    receipt = chain.propose(round_id, federation.proposal, excluded, key="propose", sender=federation.operator)
    proposed = receipt.find("Proposed")
    state = spec.apply_proposal(state, federation.proposal, excluded, view.data_end + 1)
    view = chain.get_round(round_id)
    assert view.phase is spec.Phase.PROPOSED
    assert view.proposal_hash == state.current.proposal_hash
    assert proposed.args["proposal"] == federation.proposal
    assert spec.decode_exclusions(proposed.args["excluded"]) == excluded

    chain.wait_until(view.challenge_end + 1)
    chain.finalise(round_id, federation.proposal, excluded, key="finalise", sender=federation.operator)
    state = spec.apply_finalise(state, federation.proposal, excluded, view.challenge_end + 1)
    model, rounds, current, head = chain.get_task_state(view.task_id)
    assert (model, rounds, current, head) == (state.model, 1, 0, state.head)
    assert chain.get_round(round_id).phase is spec.Phase.FINALISED


def test_a_client_commits_by_itself(federation):
    chain = federation.chain
    round_id = federation.open()
    commitment = federation.make_commitment(round_id, 2)
    chain.commit(round_id, 2, commitment, key="commit/2", sender=federation.operator)
    assert chain.has_committed(round_id, 2)
    assert not chain.has_committed(round_id, 1)
    (event,) = chain.events(names=["Committed"], round_id=round_id)
    assert event.args == {"round_id": round_id, "client": 2, "commitment": commitment}


def test_a_round_without_quorum_is_abandoned_and_one_without_proposal_expires(federation):
    chain = federation.chain
    first = federation.open()
    federation.commit(first, [1])
    chain.wait_until(chain.get_round(first).data_end + 1)
    chain.abandon(first, b"\x09" * 32, [], key="abandon", sender=federation.operator)
    assert chain.get_round(first).phase is spec.Phase.ABANDONED
    second = federation.open(key="2")
    chain.wait_until(chain.get_round(second).propose_end + 1)
    chain.expire(second, key="expire", sender=federation.operator)
    assert chain.get_round(second).phase is spec.Phase.EXPIRED


def test_a_rotated_key_serves_the_rounds_that_open_later(federation):
    chain, new = federation.chain, Account.create()
    old = chain.get_participant(1).signer
    receipt = chain.rotate_key(1, new, key="rotate", sender=federation.operator)
    view = chain.get_participant(1)
    assert receipt.find("KeyRotated").args["epoch"] == view.key_epoch == 1
    assert "0x" + view.signer.hex() == new.address.lower()
    assert chain.get_signer_at(1, view.key_since - 1) == old
    assert chain.get_signer_at(1, view.key_since) == view.signer


def test_a_stake_comes_back_after_unbonding(federation):
    chain, operator = federation.chain, federation.operator
    chain.deposit(1, 5, key="deposit", sender=operator)
    chain.request_unbond(1, key="unbond", sender=operator)
    chain.wait_until(chain.get_participant(1).unlock_at)
    chain.withdraw(1, key="withdraw", sender=operator)
    assert chain.get_credit(operator.address) == ETHER + 5
    receiver = Account.create().address
    chain.claim(receiver, key="claim", sender=operator)
    assert chain.get_balance(receiver) == ETHER + 5


def test_events_come_in_the_order_of_the_chain_and_by_name(federation):
    chain = federation.chain
    round_id = federation.open()
    federation.commit(round_id)
    found = chain.events()
    assert [(e.block, e.log_index) for e in found] == sorted((e.block, e.log_index) for e in found)
    assert {e.name for e in found} == {"Registered", "TaskCreated", "RoundOpened", "Locked", "SegmentCommitted"}
    assert [e.name for e in chain.events(round_id=round_id)] == ["RoundOpened", "Locked", "SegmentCommitted"]
    assert found[0].block_hash == chain.get_block_hash(found[0].block)
    last = found[-1].block
    assert chain.events(last, last) == found[-1:]
    with pytest.raises(UsageError, match="Comitted"):
        chain.events(names=["Comitted"])


def test_gas_is_counted_by_what_it_was_for(federation):
    chain = federation.chain
    one = chain.transfer(Account.create().address, 1, key="run/a/pay", sender=federation.operator)
    chain.transfer(Account.create().address, 1, key="run/b/pay", sender=federation.operator)
    assert one.gas_used == chain.gas_used("run/a/") == 21000
    assert chain.gas_used("run/") == 42000


def test_a_batch_names_each_client_once(federation):
    round_id = federation.open()
    entry = federation.sign(round_id, 1)
    with pytest.raises(UsageError):
        federation.chain.commit_batch(round_id, [entry, entry], key="k", sender=federation.operator)


def test_many_orders_from_many_senders_go_side_by_side(federation):
    chain = federation.chain
    senders = [devnets.funded_account(index) for index in (1, 2, 3)]
    calls = [chain.contracts.to_registry("deposit", 1 + n % 4, value_wei=n) for n in range(30)]
    orders = [Order(call=call, key=f"d/{n}", sender=senders[n % 3]) for n, call in enumerate(calls)]
    receipts = chain.send_many(orders)
    assert [receipt.find("Deposited").args["amount_wei"] for receipt in receipts] == list(range(30))
    assert chain.send_many(orders) == receipts
