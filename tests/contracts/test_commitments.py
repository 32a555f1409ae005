"""Commitments on a real node: replay, wrong signers, duplicates, deadlines, batches, and the mirror in `spec`."""

import pytest

from ledger import spec

pytestmark = pytest.mark.chain
AGGREGATOR = 501


@pytest.fixture
def round_id(fresh):
    return fresh.open_round(fresh.create_task(), AGGREGATOR)


@pytest.mark.parametrize("size", [10, 100, 500])
def test_batch_is_stored_as_spec_computes_it(fresh, round_id, size):
    clients = range(1, size + 1)
    receipt = fresh.send(fresh.ledger.functions.commitBatch(round_id, fresh.batch(round_id, clients)))
    members = [fresh.member(round_id, client) for client in clients]
    root = spec.compute_segment_root(members)
    (event,) = fresh.ledger.events.SegmentCommitted().process_receipt(receipt)
    assert event["args"] == {
        "roundId": round_id,
        "root": root,
        "first": 0,
        "count": size,
        "entries": spec.encode_members(members),
    }
    stored = fresh.round(round_id)
    assert stored["committed"] == size
    assert stored["segmentsHash"] == spec.compute_segments_hash(bytes(32), root, size)
    assert all(fresh.ledger.functions.hasCommitted(round_id, client).call() for client in (1, size // 2, size))
    assert not fresh.ledger.functions.hasCommitted(round_id, size + 1).call()


def test_batches_and_self_commitments_make_one_chain_of_segments(fresh, round_id):
    fresh.send(fresh.ledger.functions.commitBatch(round_id, fresh.batch(round_id, [2, 250, 300])))
    alone = fresh.member(round_id, 1)
    fresh.send(fresh.ledger.functions.commit(round_id, 1, alone.commitment))
    fresh.send(fresh.ledger.functions.commitBatch(round_id, fresh.batch(round_id, [3, 256])))
    want = bytes(32)
    for clients in ([2, 250, 300], [1], [3, 256]):
        members = [fresh.member(round_id, client) for client in clients]
        want = spec.compute_segments_hash(want, spec.compute_segment_root(members), len(members))
    assert fresh.round(round_id)["segmentsHash"] == want
    assert fresh.round(round_id)["committed"] == 6


def test_the_root_of_a_list_is_kept_as_spec_computes_it(fresh):
    opened = fresh.open_round(fresh.create_task(mode=2), AGGREGATOR)
    batch = fresh.batch(opened, [2, 250, 300])
    root = spec.compute_list_root(batch)
    receipt = fresh.send(fresh.ledger.functions.commitRoot(opened, root, 3, spec.compute_list_id(batch)))
    (event,) = fresh.ledger.events.RootCommitted().process_receipt(receipt)
    assert (event["args"]["root"], event["args"]["count"]) == (root, 3)
    assert event["args"]["listId"] == spec.compute_list_id(batch)
    stored = fresh.round(opened)
    assert (stored["committed"], stored["mode"]) == (3, 2)
    assert stored["segmentsHash"] == spec.compute_segments_hash(bytes(32), root, 3)
    again = fresh.ledger.functions.commitRoot(opened, root, 3, spec.compute_list_id(batch))
    assert fresh.refusal(again)[0] == "WrongMode"


def test_an_accumulated_round_takes_a_client_again_and_counts_none(fresh):
    opened = fresh.open_round(fresh.create_task(mode=1), AGGREGATOR)
    want = bytes(32)
    for word in (b"first", b"second"):
        member = spec.Member(client=1, commitment=spec.keccak256(word))
        fresh.send(fresh.ledger.functions.commit(opened, 1, member.commitment))
        want = spec.compute_segments_hash(want, spec.compute_segment_root([member]), 1)
    stored = fresh.round(opened)
    assert (stored["segmentsHash"], stored["committed"]) == (want, 1)
    batch = fresh.ledger.functions.commitBatch(opened, fresh.batch(opened, [2]))
    assert fresh.refusal(batch)[0] == "WrongMode"


def test_signature_of_another_round_is_refused(fresh, round_id):
    replayed = fresh.entry(round_id, 1, signed_round=round_id + 1)
    name, client, _, want = fresh.refusal(fresh.ledger.functions.commitBatch(round_id, replayed))
    assert (name, client) == ("SignatureMismatch", 1)
    assert want == fresh.registry.functions.participant(1).call()[0].lower()


@pytest.mark.parametrize("chain_id, same_contract", [(1, True), (31337, False)])
def test_signature_for_another_chain_or_contract_is_refused(fresh, round_id, chain_id, same_contract):
    contract = bytes.fromhex(fresh.ledger.address[2:]) if same_contract else bytes(19) + b"\x01"
    domain = spec.compute_domain_separator(spec.LEDGER_NAME, chain_id, contract)
    replayed = fresh.entry(round_id, 1, domain=domain)
    assert fresh.refusal(fresh.ledger.functions.commitBatch(round_id, replayed))[:2] == ("SignatureMismatch", 1)


def test_signature_by_another_client_is_refused_and_nothing_of_the_batch_stays(fresh, round_id):
    batch = fresh.batch(round_id, [1, 2]) + fresh.entry(round_id, 3, key=fresh.key(4))
    assert fresh.refusal(fresh.ledger.functions.commitBatch(round_id, batch))[:2] == ("SignatureMismatch", 3)
    assert fresh.round(round_id)["committed"] == 0


def test_second_commitment_is_refused_in_either_form(fresh, round_id):
    fresh.send(fresh.ledger.functions.commitBatch(round_id, fresh.batch(round_id, [1, 2])))
    again = fresh.ledger.functions.commitBatch(round_id, fresh.batch(round_id, [2, 3]))
    assert fresh.refusal(again) == ("AlreadyCommitted", round_id, 2)
    alone = fresh.ledger.functions.commit(round_id, 1, spec.keccak256(b"other"))
    assert fresh.refusal(alone) == ("AlreadyCommitted", round_id, 1)


def test_late_commitment_is_told_when_commits_closed(fresh, round_id):
    end = fresh.round(round_id)["commitEnd"]
    batch = fresh.batch(round_id, [1])
    fresh.move_to(end + 41)
    name, got_round, until, now = fresh.refusal(fresh.ledger.functions.commitBatch(round_id, batch))
    assert (name, got_round, until) == ("TooLate", round_id, end)
    assert now - until >= 41


def test_only_signer_and_owner_commit_without_a_signature(fresh, round_id):
    stranger = fresh.web3.eth.accounts[5]
    call = fresh.ledger.functions.commit(round_id, 1, spec.keccak256(b"x"))
    assert fresh.refusal(call, sender=stranger)[:3] == ("SignatureMismatch", 1, stranger.lower())


def test_rotation_in_mid_round_keeps_the_old_key_for_the_round(fresh, round_id):
    new_key = spec.keccak256(b"new key of 1")
    rotate(fresh, 1, new_key)
    by_new = fresh.ledger.functions.commitBatch(round_id, fresh.entry(round_id, 1, key=new_key))
    assert fresh.refusal(by_new)[0] == "SignatureMismatch"
    fresh.send(fresh.ledger.functions.commitBatch(round_id, fresh.entry(round_id, 1)))
    later = fresh.open_round(fresh.create_task(), AGGREGATOR)
    by_old = fresh.ledger.functions.commitBatch(later, fresh.entry(later, 1))
    assert fresh.refusal(by_old)[0] == "SignatureMismatch"
    fresh.send(fresh.ledger.functions.commitBatch(later, fresh.entry(later, 1, key=new_key)))


def rotate(fresh, participant, key):
    """Replace a participant's key."""
    from eth_account import Account

    signer = Account.from_key(key).address
    digest = spec.compute_rotate_digest(
        domain_separator=fresh.registry.functions.domainSeparator().call(),
        participant=participant,
        signer=bytes.fromhex(signer[2:]),
        deadline=2**40,
    )
    signature = Account.unsafe_sign_hash(digest, key)
    vs = signature.s | (signature.v - 27) << 255
    arguments = (participant, signer, 2**40, signature.r.to_bytes(32, "big"), vs.to_bytes(32, "big"))
    fresh.send(fresh.registry.functions.rotateKey(*arguments))
