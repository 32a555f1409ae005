"""Statements, encryption keys and rewards through the real contracts."""

from dataclasses import replace
from hashlib import sha256

import pytest
from eth_account import Account

from ledger import spec
from ledger.chain import ETHER
from ledger.errors import NotEligible, NotFoundError, Reverted
from ledger.history import load_round
from ledger.rewards import list_memberships, make_admission
from ledger.spec import NotCanonical
from ledger.store import EmbeddedStore

pytestmark = pytest.mark.chain

METHOD = sha256(b"distance to the median of the cohort, in its own spread").digest()


def test_scores_are_read_as_they_were_stated(federation):
    chain, round_id = federation.chain, federation.open()
    aggregator = federation.aggregator_key_with_money()
    receipt = chain.record_scores(round_id, "anomaly", [(3, -1), (1, 98304)], METHOD, key="s", sender=aggregator)
    args = receipt.find("ScoresRecorded").args
    assert (args["scorer"], spec.decode_label(args["kind"]), args["method"]) == (5, "anomaly", METHOD)
    assert spec.decode_scores(args["entries"]) == [(1, 98304), (3, -1)]
    # Further clients of the same score may follow; nobody is scored twice.
    chain.record_scores(round_id, "anomaly", [(4, 7)], METHOD, key="s/2", sender=aggregator)
    with pytest.raises(Reverted, match="ClientsNotRising"):
        chain.record_scores(round_id, "anomaly", [(4, 8)], METHOD, key="s/3", sender=aggregator)
    with pytest.raises(NotEligible, match="no participant signs"):
        chain.record_scores(round_id, "trust", [(1, 1)], METHOD, key="s/4", sender=federation.operator)
    # The owner of several participants says for which of them it speaks.
    chain.record_scores(round_id, "trust", [(1, 1)], METHOD, key="s/5", sender=federation.operator, scorer=5)
    with pytest.raises(Reverted, match="WrongRole"):
        chain.record_scores(round_id, "trust", [(1, 1)], METHOD, key="s/6", sender=federation.operator, scorer=1)


def test_what_was_spent_is_said_by_the_aggregator_or_by_the_client_itself(federation):
    chain, round_id = federation.chain, federation.open()
    chain.transfer(federation.clients[2].address, ETHER, key="gas", sender=federation.operator)
    receipt = chain.record_spend(round_id, [(2, 1_500_000, 10**7)], "gaussian", key="own", sender=federation.clients[2])
    args = receipt.find("PrivacySpent").args
    assert (args["speaker"], spec.decode_label(args["mechanism"])) == (2, "gaussian")
    assert spec.decode_spends(args["entries"]) == [(2, 1_500_000, 10**7)]
    with pytest.raises(Reverted, match="NotOwnSpend"):
        chain.record_spend(round_id, [(3, 1, 1)], "gaussian", key="other", sender=federation.clients[2])
    entries = [(client, 2_000_000, 10**7) for client in federation.clients]
    chain.record_spend(round_id, entries, "gaussian", key="all", sender=federation.operator, speaker=5)


def test_a_client_contests_and_nobody_does_for_it(federation):
    chain, round_id = federation.chain, federation.open()
    statement = sha256(b"I was in time").digest()
    receipt = chain.contest_round(round_id, 1, statement, key="c", sender=federation.operator)
    assert receipt.find("RoundContested").args == {"round_id": round_id, "client": 1, "statement": statement}
    with pytest.raises(Reverted, match="NotSpeaker"):
        chain.contest_round(round_id, 1, statement, key="c/2", sender=funded(federation))
    with pytest.raises(Reverted, match="UnknownRound"):
        chain.contest_round(round_id + 1, 1, statement, key="c/3", sender=federation.operator)


def test_the_key_in_force_at_a_time_is_the_last_one_announced_before(federation):
    chain, keys = federation.chain, (b"\x01" * 32, b"\x02" * 32)
    assert chain.get_encryption_key(1, chain.now()) is None
    since = []
    for number, each in enumerate(keys):
        receipt = chain.announce_key(1, each, key=f"announce/{number}", sender=federation.operator)
        since.append(receipt.find("EncryptionKeyAnnounced").args["since"])
        chain.wait_until(since[-1] + 5)
    assert [each.key for each in chain.list_encryption_keys(1)] == list(keys)
    for at, want in ((since[0] - 1, None), (since[0], keys[0]), (since[1] - 1, keys[0]), (since[1], keys[1])):
        found = chain.get_encryption_key(1, at)
        assert (found and found.key) == want
    with pytest.raises(Reverted, match="ZeroValue"):
        chain.announce_key(1, bytes(32), key="zero", sender=federation.operator)


def test_rewards_are_paid_once_to_the_owners_of_members(federation, store):
    chain, operator = federation.chain, federation.operator
    owner = chain.get_participant(1).owner
    first, second = run_two_rounds(federation)
    task_id = chain.get_round(first).task_id
    pool_id = fund(federation, task_id)
    third = run_round(federation, task_id, "3")
    (pool,) = chain.list_reward_pools(task_id)
    assert (pool.pool_id, pool.left_wei) == (pool_id, ETHER)
    admission = admit(chain, store, third)
    chain.admit_round(admission, key="admit", sender=operator)
    chain.admit_round(admission, key="admit/again", sender=operator)
    assert chain.is_admitted(third)
    before = chain.get_credit(owner)
    chain.claim_round_reward(pool_id, third, prove(chain, store, third, 1), key="claim", sender=funded(federation))
    assert chain.get_credit(owner) - before == ETHER // 10 == chain.get_round_reward(pool_id, third, 1)
    assert chain.has_been_paid(pool_id, third, 1)
    with pytest.raises(Reverted, match="AlreadyPaid"):
        chain.claim_round_reward(pool_id, third, prove(chain, store, third, 1), key="again", sender=operator)
    # Client 2 was excluded: no path leads to it.
    with pytest.raises(Reverted, match="NotMember"):
        wrong = replace(prove(chain, store, third, 1), client=2)
        chain.claim_round_reward(pool_id, third, wrong, key="wrong", sender=operator)
    assert [member.client for member in list_memberships(load_round(chain, store, third))] == [1, 3, 4]
    # A round that was not finalised pays nobody, and says so before anything is sent.
    opened = chain.open_round(task_id, federation.aggregator, key="open/4", sender=operator).find("RoundOpened")
    with pytest.raises(NotFoundError, match="finalised round"):
        admit(chain, store, opened.args["round_id"])
    # An old round can still be admitted, by what the task finalised after it; this pool does not cover it.
    chain.admit_round(admit(chain, store, second), key="admit/2", sender=operator)
    with pytest.raises(Reverted, match="NotCovered"):
        chain.claim_round_reward(pool_id, second, prove(chain, store, second, 1), key="old", sender=operator)
    with pytest.raises(Reverted, match="PoolStillOpen"):
        chain.reclaim_rewards(pool_id, key="early", sender=operator)
    chain.wait_until(pool.until + 1)
    before = chain.get_credit(operator.address)
    chain.reclaim_rewards(pool_id, key="reclaim", sender=operator)
    assert chain.get_credit(operator.address) - before == ETHER - ETHER // 10
    assert chain.get_reward_pool(pool_id).left_wei == 0


@pytest.mark.parametrize(
    ("encode", "entries"),
    [
        (spec.encode_scores, []),
        (spec.encode_scores, [(1, 0), (1, 1)]),
        (spec.encode_scores, [(1, 1 << 63)]),
        (spec.encode_scores, [(0, 1)]),
        (spec.encode_scores, [(client, 0) for client in range(1, 10_002)]),
        (spec.encode_spends, [(1, 1, 10**12 + 1)]),
        (spec.encode_spends, [(1, -1, 0)]),
        (spec.encode_label, ""),
        (spec.encode_label, "a" * 32),
        (spec.encode_label, "naïve"),
    ],
)
def test_what_no_statement_can_hold_is_refused(encode, entries):
    with pytest.raises(NotCanonical):
        encode(entries)


@pytest.mark.parametrize(("decode", "data"), [(spec.decode_scores, b"1" * 13), (spec.decode_spends, bytes(40))])
def test_entries_that_no_encoder_makes_are_refused(decode, data):
    with pytest.raises(NotCanonical):
        decode(data)


def test_a_strangers_label_is_shown_as_it_can_be():
    assert spec.decode_label(b"\xff" * 32) == f"0x{'ff' * 32}"
    assert spec.decode_label(bytes(32)) == f"0x{'00' * 32}"


# ------------------------------------------------------------------------------------------------------------- rounds


@pytest.fixture
def store(tmp_path):
    """A store with nothing in it: what a reward is claimed by is on the chain."""
    return EmbeddedStore(tmp_path / "blocks")


def prove(chain, store, round_id, client):
    found = {member.client: member for member in list_memberships(load_round(chain, store, round_id))}
    return found[client]


def admit(chain, store, round_id):
    events = chain.events(names=("RoundOpened", "Proposed", "Finalised"))
    return make_admission(load_round(chain, store, round_id), events)


def run_round(federation, task_id, key):
    chain, operator = federation.chain, federation.operator
    opened = chain.open_round(task_id, federation.aggregator, key=f"open/{key}", sender=operator).find("RoundOpened")
    round_id = opened.args["round_id"]
    entries = federation.commit(round_id)
    members = [spec.Member(client=e.client, commitment=e.commitment) for e in entries if e.client != 2]
    root = spec.compute_root([spec.hash_leaf(m.client.to_bytes(4, "big") + m.commitment) for m in members])
    proposal = replace(federation.proposal, members_root=root)
    chain.wait_until(opened.args["data_end"] + 1)
    sent = chain.propose(round_id, proposal, [(2, 715)], b"", key=f"propose/{key}", sender=operator).find("Proposed")
    outcome = spec.make_outcome(
        proposal, segments_hash=sent.args["segments_hash"], excluded=sent.args["excluded"], aux=b"", included=3
    )
    chain.wait_until(sent.args["challenge_end"] + 1)
    chain.finalise(round_id, outcome, key=f"finalise/{key}", sender=operator)
    return round_id


def run_two_rounds(federation):
    created = federation.chain.create_task(federation.make_task(), key="task", sender=federation.operator)
    task_id = created.find("TaskCreated").args["task_id"]
    return run_round(federation, task_id, "1"), run_round(federation, task_id, "2")


def fund(federation, task_id):
    until = federation.chain.now() + 10_000
    receipt = federation.chain.fund_rewards(
        task_id,
        ETHER,
        rate_wei=ETHER // 10,
        cap_wei=2 * ETHER,
        until=until,
        key="fund",
        sender=federation.operator,
    )
    return receipt.find("PoolFunded").args["pool_id"]


def funded(federation):
    stranger = Account.create()
    federation.chain.transfer(stranger.address, ETHER, key=f"gas/{stranger.address}", sender=federation.operator)
    return stranger
