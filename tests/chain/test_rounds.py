"""A round through the real contracts, compared with the specification's own state machine."""

import time

import pytest
from eth_account import Account

from ledger import artifacts, spec
from ledger import devnet as devnets
from ledger.chain import ETHER, Order, Role
from ledger.errors import NotEligible, Reverted, UsageError, WrongPhase

pytestmark = pytest.mark.chain


def test_domains_are_those_that_the_contracts_state(chain):
    for key, want in (("ledger", chain.domain_separator), ("registry", chain.registry_domain_separator)):
        contract = chain.w3.eth.contract(chain.network.contracts[key], abi=artifacts.load(artifacts.KEYS[key]).abi)
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
    limits = {"unbond_seconds": chain.get_unbond_seconds(), "max_pause_seconds": chain.get_max_pause_seconds()}
    state = spec.start_task(task, **limits)
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
    keys = {"key": "propose", "sender": federation.operator}
    proposed = chain.propose(round_id, federation.proposal, excluded, b"aux", **keys).find("Proposed")
    state = spec.apply_proposal(state, federation.proposal, excluded, view.data_end + 1, b"aux")
    view = chain.get_round(round_id)
    assert view.phase is spec.Phase.PROPOSED
    assert view.proposal_hash == state.current.proposal_hash
    assert proposed.args["proposal"] == federation.proposal
    assert spec.decode_exclusions(proposed.args["excluded"]) == excluded
    assert (proposed.args["included"], proposed.args["aux"]) == (3, b"aux")
    dispute = chain.get_dispute(round_id)
    assert (dispute.proposal_hash, dispute.rule, dispute.included) == (view.proposal_hash, task.rule, 3)

    chain.wait_until(view.challenge_end + 1)
    outcome = spec.make_outcome(
        federation.proposal,
        segments_hash=proposed.args["segments_hash"],
        excluded=proposed.args["excluded"],
        aux=b"aux",
        included=3,
    )
    chain.finalise(round_id, outcome, key="finalise", sender=federation.operator)
    state = spec.apply_finalise(state, outcome, view.challenge_end + 1)
    model, rounds, current, head = chain.get_task_state(view.task_id)
    assert (model, rounds, current, head) == (state.model, 1, round_id, state.head)
    assert chain.get_round(round_id).phase is spec.Phase.FINALISED


def test_a_bond_stays_locked_from_round_to_round_until_it_is_released(federation):
    chain, operator = federation.chain, federation.operator
    first = federation.open()
    task_id = chain.get_round(first).task_id
    with pytest.raises(Reverted, match="RoundInProgress"):
        chain.release_bond(task_id, key="early", sender=operator)
    chain.wait_until(chain.get_round(first).propose_end + 1)
    chain.expire(first, key="expire", sender=operator)
    view = chain.get_participant(federation.aggregator)
    assert (view.locked_wei, view.open_tasks, chain.get_task_state(task_id).bonded) == (ETHER, 1, True)
    second = chain.open_round(task_id, federation.aggregator, key="second", sender=operator)
    assert "Locked" not in [event.name for event in second.events]
    chain.wait_until(second.find("RoundOpened").args["propose_end"] + 1)
    chain.expire(second.find("RoundOpened").args["round_id"], key="expire/2", sender=operator)
    receipt = chain.release_bond(task_id, key="release", sender=operator)
    assert receipt.find("BondReleased").args == {"task_id": task_id, "aggregator": federation.aggregator}
    assert chain.get_participant(federation.aggregator).open_tasks == 0


def test_the_guardian_stops_a_task_for_a_while(federation):
    chain, operator = federation.chain, federation.operator
    round_id = federation.open()
    before = chain.get_round(round_id)
    chain.pause(before.task_id, key="pause", sender=operator)
    assert chain.get_round(round_id).phase is spec.Phase.PAUSED
    assert chain.get_paused_at(before.task_id) > 0
    with pytest.raises(WrongPhase, match="is paused, this step needs open for commits"):
        federation.commit(round_id)
    with pytest.raises(WrongPhase, match=f"task {before.task_id} is paused by the ledger's guardian"):
        chain.open_round(before.task_id, federation.aggregator, key="refused", sender=operator)
    chain.wait_until(chain.now() + 100)
    resumed = chain.resume(before.task_id, key="resume", sender=operator).find("Resumed").args
    after = chain.get_round(round_id)
    assert after.phase is spec.Phase.OPEN
    assert after.commit_end - before.commit_end == resumed["paused_seconds"] >= 100
    federation.commit(round_id)


def test_only_guardian_and_governor_may(federation):
    chain, stranger = federation.chain, devnets.funded_account(9)
    task_id = chain.get_round(federation.open()).task_id
    with pytest.raises(NotEligible, match="only the ledger's guardian may"):
        chain.pause(task_id, key="refused", sender=stranger)
    with pytest.raises(NotEligible, match="only the ledger's governor may"):
        chain.name_successor(b"\x01" * 20, key="refused", sender=stranger)
    receipt = chain.name_successor(b"\x01" * 20, key="successor", sender=federation.operator)
    assert receipt.find("SuccessorNamed").args["successor"] == b"\x01" * 20


def test_stakes_are_those_of_the_second_asked_for(federation):
    chain = federation.chain
    before = chain.now()
    chain.wait_until(before + 10)
    chain.deposit(2, 5, key="deposit", sender=federation.operator)
    assert chain.get_stakes_at([1, 2, 3], before) == {1: ETHER, 2: ETHER, 3: ETHER}
    assert chain.get_stakes_at([2], chain.now()) == {2: ETHER + 5}


def test_credit_can_be_paid_in(federation):
    chain, account = federation.chain, Account.create().address
    chain.deposit_credit(account, 7, key="credit", sender=federation.operator)
    assert chain.get_credit(account) == 7


def test_a_root_stands_for_a_list_of_commitments(federation):
    chain = federation.chain
    round_id = federation.open(task=federation.make_task(mode=spec.CommitMode.ROOT_ONLY))
    with pytest.raises(WrongPhase, match="in root-only mode"):
        federation.commit(round_id)
    batch = spec.encode_signed_list([federation.sign(round_id, client) for client in federation.clients])
    root = spec.compute_list_root(batch)
    list_id = spec.compute_list_id(batch)
    chain.commit_root(round_id, root, 4, list_id, key="root", sender=federation.aggregator_key_with_money())
    view = chain.get_round(round_id)
    assert (view.mode, view.committed) == (spec.CommitMode.ROOT_ONLY, 4)
    assert view.segments_hash == spec.compute_segments_hash(spec.ZERO_DIGEST, root, 4)


def test_an_accumulated_round_counts_nobody(federation):
    chain = federation.chain
    round_id = federation.open(task=federation.make_task(mode=spec.CommitMode.ACCUMULATED))
    for key in ("once", "twice"):
        commitment = federation.make_commitment(round_id, 2)
        chain.commit(round_id, 2, commitment, key=key, sender=federation.operator)
    view = chain.get_round(round_id)
    assert (view.committed, chain.has_committed(round_id, 2)) == (1, False)


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
    assert [e.name for e in chain.events(round_id=round_id)] == ["RoundOpened", "SegmentCommitted"]
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
