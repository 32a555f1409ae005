"""Evidence from real nodes: what they say is rebuilt from bytes, and no byte of it can be changed."""

import contextlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_world import World

from ledger import spec
from ledger.chain.abi import get_events
from ledger.chain.connection import NodeRefused
from ledger.errors import BadProof, Pruned
from ledger.evidence import rlp, slots
from ledger.evidence.fetching import fetch_block_receipts, fetch_headers, fetch_state
from ledger.evidence.headers import decode_header, encode_header, may_contain, verify_links
from ledger.evidence.receipts import (
    compute_receipts_root,
    decode_logs,
    encode_receipt,
    prove_receipt,
    verify_receipt,
)
from ledger.evidence.state import Account, decode_proof, encode_proof, verify_account, verify_proof

pytestmark = pytest.mark.chain


@pytest.fixture(scope="session")
def last(world: World) -> int:
    return int(world.node.call("eth_blockNumber"), 16)


@pytest.fixture(scope="session")
def encoded(world: World, last: int) -> list[bytes]:
    return fetch_headers(world.setup.connection, 0, last)


@pytest.fixture(scope="session")
def headers(encoded):
    return [decode_header(each) for each in encoded]


@pytest.fixture(scope="session")
def receipts(world: World, last: int) -> list[list[bytes]]:
    return [fetch_block_receipts(world.setup.connection, number) for number in range(last + 1)]


@pytest.fixture(scope="session")
def state(world: World, last: int):
    ledger, registry = world.setup.contracts.ledger, world.setup.contracts.registry
    wanted = {ledger: slots.list_slots([1, 2], [1, 2, 3]), registry: [slots.PARTICIPANT_COUNT]}
    return fetch_state(world.setup.connection, last, wanted)


def test_every_header_hashes_to_its_block_and_is_the_child_of_the_one_before(world, headers):
    for header in headers:
        block = world.node.call("eth_getBlockByNumber", hex(header.number), False)
        assert "0x" + header.hash.hex() == block["hash"]
        assert header.timestamp == int(block["timestamp"], 16)
    verify_links(headers)


def test_a_header_out_of_its_place_breaks_the_links(headers):
    for wrong in (headers[:3] + headers[4:], headers[::-1], [headers[1], replace(headers[2], parent_hash=bytes(32))]):
        with pytest.raises(BadProof, match="parent"):
            verify_links(wrong)


@pytest.mark.parametrize("name", ["receiptsRoot", "timestamp", "logsBloom", "baseFeePerGas", "requestsHash", "hash"])
def test_a_block_that_the_node_misreports_is_refused(world, name):
    block = world.node.call("eth_getBlockByNumber", "0x3", False)
    digit = "1" if block[name][-1] == "0" else "0"
    for wrong in ({**block, name: block[name][:-1] + digit}, {**block, name: None}, {**block, name: "?"}):
        with pytest.raises(BadProof):
            encode_header(wrong)


def test_the_receipts_of_every_block_rebuild_the_root_in_its_header(headers, receipts):
    assert [compute_receipts_root(each) for each in receipts] == [header.receipts_root for header in headers]
    assert max(map(len, receipts)) == 3


def test_the_logs_in_the_receipts_are_the_events_that_the_node_tells_and_the_bloom_hides_none(world, headers, receipts):
    addresses = set(world.setup.contracts.addresses.values())
    found = []
    for header, block in zip(headers, receipts, strict=True):
        logs = [log for receipt in block for log in decode_logs(receipt)]
        ours = [(header.number, position, log) for position, log in enumerate(logs) if log.address in addresses]
        assert may_contain(header.logs_bloom, addresses) or not ours
        found += ours
    told = world.chain.events(0)
    assert [(number, position) for number, position, _ in found] == [(event.block, event.log_index) for event in told]
    assert [get_events()[log.topics[0]].name for _, _, log in found] == [event.name for event in told]


def test_the_bloom_rules_most_blocks_without_our_events_out(world, headers):
    assert not may_contain(headers[0].logs_bloom, world.setup.contracts.addresses.values())
    assert not any(may_contain(header.logs_bloom, [b"\x5a" * 20]) for header in headers)


def test_each_receipt_of_a_block_is_proven_alone(headers, receipts):
    for header, block in zip(headers, receipts, strict=True):
        for index, receipt in enumerate(block):
            assert verify_receipt(header.receipts_root, index, prove_receipt(block, index)) == receipt


def test_a_receipt_proves_neither_another_place_nor_another_block(headers, receipts):
    number = next(number for number, block in enumerate(receipts) if len(block) == 3)
    proof = prove_receipt(receipts[number], 1)
    for root, index in ((headers[number].receipts_root, 2), (headers[number - 1].receipts_root, 1)):
        with pytest.raises(BadProof):
            verify_receipt(root, index, proof)
    with pytest.raises(BadProof, match="no receipt 3"):
        verify_receipt(headers[number].receipts_root, 3, prove_receipt(receipts[number], 3))


def test_the_counters_in_storage_are_those_that_the_contracts_tell(world, headers, state):
    (account, words), (_, registry_words) = (verify_proof(headers[-1].state_root, proof) for proof in state)
    chain = world.chain
    assert account.nonce == 1
    counts = slots.read_counts(words)
    assert (counts.tasks, counts.rounds) == (chain.count_tasks(), chain.count_rounds()) == (2, 2)
    assert slots.read_participant_count(registry_words) == len(chain.participants()) == 9
    for task_id in (1, 2):
        stored, told = slots.read_task(words, task_id), chain.get_task_state(task_id)
        assert (stored.rounds, stored.current_round) == (told.rounds, told.current_round)
        assert (stored.model, stored.head) == (told.model, told.head)
    names = ("phase", "mode", "opened_at", "task_id", "aggregator", "committed", "excluded")
    for round_id in (1, 2):
        stored, told = slots.read_round(words, round_id), chain.get_round(round_id)
        assert [getattr(stored, name) for name in names] == [getattr(told, name) for name in names]
    assert slots.read_round(words, 1).phase is spec.Phase.FINALISED
    assert slots.read_round(words, 3).phase is spec.Phase.NONE  # there is none: absence is proven


def test_the_code_of_a_contract_is_proven_by_its_account(world, headers, state):
    code = bytes.fromhex(world.node.call("eth_getCode", "0x" + world.setup.contracts.ledger.hex(), "latest")[2:])
    account, _ = verify_proof(headers[-1].state_root, state[0])
    assert isinstance(account, Account)
    assert account.code_hash == spec.keccak256(code)


def test_a_proof_of_state_holds_for_its_block_address_and_slot_only(headers, state):
    proof = state[0]
    with pytest.raises(BadProof):
        verify_proof(headers[-2].state_root, proof)
    with pytest.raises(BadProof):
        verify_account(headers[-1].state_root, state[1].address, proof.nodes)
    (one, nodes), (other, _) = list(proof.slots.items())[:2]
    with pytest.raises(BadProof):
        verify_proof(headers[-1].state_root, replace(proof, slots={other: nodes}))
    with pytest.raises(BadProof, match="no storage proof"):
        slots.read_counts({one: 1} if one != slots.LEDGER_COUNTS else {other: 1})


def test_an_account_that_is_not_there_is_no_contract(world, headers, last):
    (proof,) = fetch_state(world.setup.connection, last, {b"\xab" * 20: []})
    with pytest.raises(BadProof, match="no account"):
        verify_proof(headers[-1].state_root, proof)


def test_proofs_of_state_keep_their_bytes_as_json_and_only_canonical_json_is_read(state):
    for proof in state:
        assert decode_proof(encode_proof(proof)) == proof
    good = encode_proof(state[0])
    for wrong in ({}, [], {**good, "more": 1}, {**good, "address": good["address"].upper()}, {**good, "account": [1]}):
        with pytest.raises(BadProof):
            decode_proof(wrong)


def test_a_node_that_proves_no_state_leaves_a_gap_and_no_error(world):
    class Silent:
        def batch(self, requests):
            return [NodeRefused(method=method, reason="unknown method") for method, _ in requests]

    assert fetch_state(Silent(), 1, {world.setup.contracts.ledger: [0]}) is None


def test_blocks_that_the_node_does_not_have_are_pruned(world, last):
    with pytest.raises(Pruned):
        fetch_headers(world.setup.connection, last, last + 1)
    with pytest.raises(Pruned):
        fetch_block_receipts(world.setup.connection, last + 1)


@given(data=st.data())
def test_no_changed_byte_crashes_a_reader_and_no_changed_header_keeps_its_hash(encoded, receipts, data):
    sample = data.draw(st.sampled_from([encoded[-1], *(receipt for block in receipts for receipt in block)]))
    wrong = bytearray(sample)
    for position in data.draw(st.sets(st.integers(0, len(wrong) - 1), min_size=1, max_size=3)):
        wrong[position] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(BadProof):
        decode_logs(bytes(wrong))
    with contextlib.suppress(BadProof):
        assert decode_header(bytes(wrong)).hash != spec.keccak256(sample)


@given(st.binary(max_size=700))
def test_noise_is_neither_header_nor_receipt(noise):
    with pytest.raises(BadProof):
        decode_header(noise)
    with pytest.raises(BadProof):
        decode_logs(noise)


def test_receipts_of_old_and_new_kinds_are_encoded_as_the_chain_does():
    """Before Byzantium a receipt held a state root; typed ones have their type in front (EIP-2718)."""
    bare = {"cumulativeGasUsed": "0x5208", "logsBloom": "0x" + "00" * 256, "logs": []}
    old = encode_receipt({**bare, "root": "0x" + "11" * 32})
    assert rlp.decode(old)[0] == b"\x11" * 32
    assert encode_receipt({**bare, "type": "0x2", "status": "0x0"})[:1] == b"\x02"
    assert decode_logs(encode_receipt({**bare, "type": "0x2", "status": "0x1"})) == []
    with pytest.raises(BadProof):
        encode_receipt({**bare, "type": "0x2"})
