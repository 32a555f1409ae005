"""What the contracts refuse, told as users read it; and that nothing is sent then."""

import sqlite3
from contextlib import closing

import pytest
from eth_account import Account

from ledger import devnet as devnets
from ledger import spec
from ledger.chain import ETHER, NodeRefused, Order, Role
from ledger.chain.abi import get_errors, get_interface
from ledger.chain.calls import Call
from ledger.chain.reverts import decode_revert
from ledger.errors import (
    ConfigurationError,
    DuplicateCommitment,
    FundsLocked,
    InsufficientStake,
    NotEligible,
    QuorumNotMet,
    Reverted,
    WrongPhase,
    WrongSigner,
)

pytestmark = pytest.mark.chain


@pytest.fixture
def stranger():
    return devnets.funded_account(5)


@pytest.fixture(autouse=True)
def nothing_is_sent(journal):
    """A refusal leaves no transaction under its key."""
    yield
    with closing(sqlite3.connect(journal.path)) as db:
        assert db.execute("SELECT key FROM transaction_sent WHERE key LIKE 'refused%'").fetchall() == []


def test_a_small_stake(federation):
    signer = Account.create()
    with pytest.raises(InsufficientStake) as raised:
        federation.chain.register(
            role=Role.CLIENT,
            owner=federation.operator.address,
            signer=signer,
            stake_wei=ETHER - 1,
            key="refused",
            sender=federation.operator,
        )
    assert raised.value.detail == {"who": signer.address, "got": ETHER - 1, "want": ETHER}
    assert federation.chain.find_participant(signer.address) is None


def test_a_proposal_before_its_time_and_one_after_it(federation):
    chain, round_id = federation.chain, federation.open()
    federation.commit(round_id)
    with pytest.raises(WrongPhase, match=r"not ready before .*Z \(in \d+ s\)"):
        chain.propose(round_id, federation.proposal, [], key="refused", sender=federation.operator)
    chain.wait_until(chain.get_round(round_id).propose_end + 40)
    with pytest.raises(WrongPhase, match=r"closed since .*Z \(4\d s ago\), this step needs open for a proposal"):
        chain.propose(round_id, federation.proposal, [], key="refused", sender=federation.operator)


def test_a_late_commitment(federation):
    chain, round_id = federation.chain, federation.open()
    chain.wait_until(chain.get_round(round_id).commit_end + 41)
    with pytest.raises(WrongPhase, match=r"closed since .*Z \(4\d s ago\), this step needs open for commits"):
        chain.commit_batch(round_id, [federation.sign(round_id, 1)], key="refused", sender=federation.operator)


def test_a_step_in_the_wrong_phase(federation):
    chain, round_id = federation.chain, federation.open()
    with pytest.raises(WrongPhase, match="is open, this step needs proposed"):
        outcome = spec.make_outcome(federation.proposal, segments_hash=bytes(32), excluded=b"", aux=b"", included=4)
        chain.finalise(round_id, outcome, key="refused", sender=federation.operator)


def test_a_round_that_is_not_there(federation):
    with pytest.raises(Reverted, match=r"expire: UnknownRound\(round_id=77\)"):
        federation.chain.expire(77, key="refused", sender=federation.operator)
    with pytest.raises(Reverted, match=r"UnknownRound\(round_id=77\)"):
        federation.chain.get_round(77)


def test_a_second_commitment(federation):
    round_id = federation.open()
    federation.commit(round_id)
    with pytest.raises(DuplicateCommitment) as raised:
        federation.chain.commit_batch(
            round_id, [federation.sign(round_id, 2)], key="refused", sender=federation.operator
        )
    assert raised.value.detail == {"client": 2, "round_id": round_id}


def test_a_proposal_without_quorum(federation):
    chain, round_id = federation.chain, federation.open()
    federation.commit(round_id)
    chain.wait_until(chain.get_round(round_id).data_end + 1)
    with pytest.raises(QuorumNotMet, match="2 of 3 updates"):
        chain.propose(round_id, federation.proposal, [(1, 715), (2, 715)], key="refused", sender=federation.operator)
    with pytest.raises(Reverted, match=r"abandon: QuorumMet\(round_id=\d+, got=4, want=3\)"):
        chain.abandon(round_id, bytes(32), [], key="refused", sender=federation.operator)


def test_a_client_that_is_none(federation):
    round_id = federation.open()
    entry = federation.sign(round_id, federation.aggregator, signer=federation.aggregator_key)
    with pytest.raises(NotEligible, match=f"participant {federation.aggregator} may not commit in round {round_id}"):
        federation.chain.commit_batch(round_id, [entry], key="refused", sender=federation.operator)


def test_anothers_signature(federation):
    round_id = federation.open()
    entry = federation.sign(round_id, 1, signer=federation.clients[2])
    with pytest.raises(WrongSigner) as raised:
        federation.chain.commit_batch(round_id, [entry], key="refused", sender=federation.operator)
    assert raised.value.detail == {
        "client": 1,
        "got": federation.clients[2].address.lower(),
        "want": federation.clients[1].address.lower(),
    }


def test_a_signature_for_another_round(federation):
    round_id = federation.open()
    entry = federation.sign(round_id + 1, 1)
    with pytest.raises(WrongSigner):
        federation.chain.commit_batch(round_id, [entry], key="refused", sender=federation.operator)


def test_anothers_self_commitment(federation, stranger):
    chain, round_id = federation.chain, federation.open()
    with pytest.raises(WrongSigner, match="client 1"):
        chain.commit(round_id, 1, federation.make_commitment(round_id, 1), key="refused", sender=stranger)


def test_strangers_have_no_rights(federation, stranger):
    chain = federation.chain
    with pytest.raises(NotEligible, match="is not its owner"):
        chain.request_unbond(1, key="refused", sender=stranger)
    with pytest.raises(NotEligible, match="only the ledger's governor may"):
        chain.create_task(federation.make_task(), key="refused", sender=stranger)
    chain.create_task(federation.make_task(), key="task", sender=federation.operator)
    with pytest.raises(NotEligible, match="may not openRound: no active aggregator"):
        chain.open_round(1, federation.aggregator, key="refused", sender=stranger)


def test_bonded_funds(federation):
    chain = federation.chain
    chain.request_unbond(1, key="unbond", sender=federation.operator)
    with pytest.raises(FundsLocked, match=r"participant 1 are locked: unbonding ends at .*Z"):
        chain.withdraw(1, key="refused", sender=federation.operator)


@pytest.mark.parametrize(
    "change, field", [({"quorum": 0}, "quorum"), ({"leaf_log2": 2}, "leaf_log2"), ({"rule_param": 2}, "quorum")]
)
def test_a_task_out_of_range_is_refused_here_and_by_the_contract(federation, change, field):
    chain, task = federation.chain, federation.make_task(**change)
    with pytest.raises(spec.InvalidTask) as here:
        chain.create_task(task, key="refused", sender=federation.operator)
    with pytest.raises(spec.InvalidTask) as there:
        chain.send(chain.contracts.create_task(task), key="refused", sender=federation.operator)
    assert here.value.detail["field"] == there.value.detail["field"] == field
    assert here.value.detail["got"] == there.value.detail["got"]


def test_an_error_without_words_of_ours_keeps_its_name_and_arguments(federation):
    key = federation.clients[1]
    with pytest.raises(Reverted, match=rf"register: SignerTaken\(signer={key.address.lower()}, id=1\)"):
        federation.chain.register(
            role=Role.CLIENT,
            owner=federation.operator.address,
            signer=key,
            stake_wei=ETHER,
            key="refused",
            sender=federation.operator,
        )


def test_one_refusal_stops_a_whole_list(federation):
    chain = federation.chain
    good = chain.contracts.to_registry("deposit", 1, value_wei=1)
    bad = chain.contracts.to_registry("deposit", 99, value_wei=1)
    orders = [Order(call=call, key=f"refused/{n}", sender=federation.operator) for n, call in enumerate((good, bad))]
    with pytest.raises(Reverted, match=r"UnknownParticipant\(id=99\)"):
        chain.send_many(orders)
    assert chain.get_participant(1).stake_wei == ETHER


def test_a_key_is_for_one_request(federation):
    chain = federation.chain
    chain.deposit(1, 1, key="deposit", sender=federation.operator)
    with pytest.raises(ConfigurationError, match="deposit"):
        chain.deposit(1, 2, key="deposit", sender=federation.operator)
    assert chain.get_participant(1).stake_wei == ETHER + 1


def test_a_plain_account_without_money(federation):
    poor = Account.create()
    with pytest.raises(NodeRefused, match=r"(?i)fund|balance"):
        federation.chain.transfer(federation.operator.address, 1, key="refused", sender=poor)


def test_every_error_of_the_contracts_can_be_told():
    for item in get_errors().values():
        values = [_example(param["type"]) for param in item.inputs]
        error = decode_revert(item.encode_call(*values), call="commit", context={})
        assert error.exit_status in (4, 6, 7)
        assert str(error)
    assert len(get_errors()) > 40


@pytest.mark.parametrize("data", [b"", b"\x01\x02\x03\x04", b"\x01"])
def test_reasons_that_nobody_knows_are_told_as_they_are(data):
    error = decode_revert(data, call="commit", context={})
    assert isinstance(error, Reverted)
    assert (data.hex() or "no reason") in str(error)


def test_calls_know_their_contract(chain):
    assert chain.contracts.to_registry("deposit", 1).to != chain.contracts.to_ledger("expire", 1).to
    assert isinstance(chain.contracts.to_ledger("expire", 1), Call)
    assert "commitBatch" in get_interface("RoundLedger").functions


def _example(kind):
    if kind == "address":
        return b"\x01" * 20
    if kind.startswith("bytes"):
        return b"size".ljust(32, b"\0") if kind == "bytes32" else b"x"
    return "text" if kind == "string" else 1
