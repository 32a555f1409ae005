"""Proofs of a chain that a stranger made up, with whatever events: they may be consistent, and never crash anybody."""

import os
from dataclasses import replace

import pytest
from eth_abi.abi import encode as abi_encode
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import spec
from ledger.chain.abi import _get_type, get_interface
from ledger.checkpoints import Checkpoint, compute_ledger_root, encode_event
from ledger.errors import BadProof, FedtrailError
from ledger.evidence import rlp, slots, trie
from ledger.evidence.receipts import RawLog, compute_receipts_root, prove_receipt
from ledger.evidence.state import AccountProof
from ledger.notes import WITNESS, NoteKey, SignedNote, sign_note
from ledger.proofs.checking import check_proof
from ledger.proofs.format import EventProof, HeadChain, Place, Proof, ProofKind, decode_proof_file, encode_proof_file
from ledger.proofs.tlog import TlogProof, check_tlog_proof

LEDGER = b"\x5f" * 20
ANNE = NoteKey.from_seed("anne", WITNESS, bytes(32))
ITEMS = {item.name: (topic, item) for topic, item in get_interface("RoundLedger").events.items()}
NAMES = ["TaskCreated", "RoundOpened", "Committed", "SegmentCommitted", "RootCommitted", "Proposed", "Finalised"]
KINDS = st.sampled_from(list(ProofKind))

ENTRY = b"\x00\x00\x00\x01" + bytes(32)
small = st.integers(0, 3)
texts = st.one_of(st.binary(max_size=110), st.just(ENTRY), st.just(b""))


def values_of(param):
    """Return a strategy for a value of a Solidity type, mostly small, so that parts agree by chance."""
    kind = param["type"]
    if kind == "tuple":
        return st.tuples(*(values_of(part) for part in param["components"]))
    if kind.startswith("uint"):
        return st.one_of(small, st.integers(0, 2 ** int(kind[4:]) - 1))
    if kind == "bytes32":
        return st.sampled_from([bytes(32), b"\x01" * 32])
    return {"bytes": texts, "address": st.just("0x" + "00" * 20), "bool": st.booleans()}[kind]


def make_log(name, values):
    topic, item = ITEMS[name]
    indexed = [param for param in item.inputs if param["indexed"]]
    plain = [param for param in item.inputs if not param["indexed"]]
    topics = [abi_encode([_get_type(param)], [values[param["name"]]]) for param in indexed]
    data = abi_encode([_get_type(param) for param in plain], [values[param["name"]] for param in plain])
    return RawLog(address=LEDGER, topics=(topic, *topics), data=data)


def zero_of(param):
    """Return the zero of a Solidity type."""
    if param["type"] == "tuple":
        return tuple(zero_of(part) for part in param["components"])
    return {"bytes": b"", "bytes32": bytes(32), "address": "0x" + "00" * 20, "bool": False}.get(param["type"], 0)


@st.composite
def logs(draw, name=None, whole=False):
    _, item = ITEMS[name or draw(st.sampled_from(NAMES))]
    values = {param["name"]: draw(values_of(param)) for param in item.inputs}
    if whole:
        values |= {each: 1 for each in ("roundId", "taskId", "client", "count") if each in values}
        values = _agree(item.name, values)
    log = make_log(item.name, values)
    return log if whole else replace(log, data=log.data[: draw(st.one_of(st.none(), st.integers(0, len(log.data))))])


def _agree(name, values):
    """Return the values of an event of round 1 and task 1 with such that let a reader go on to the next check."""
    if name == "TaskCreated":
        small_task = tuple(value % 4 if isinstance(value, int) else value for value in values["task"])
        return {**values, "task": small_task}
    if name == "SegmentCommitted":
        return {**values, "entries": ENTRY, "root": bytes(spec.compute_segment_root(spec.decode_members(ENTRY)))}
    if name == "Proposed":
        fields = ("aggregate_root", "matrix_root", "model_root", "members_root", "data_id", "committed")
        proposal = spec.Proposal(**dict(zip(fields, values["proposal"], strict=True)))
        parts = {"segments_hash": values["segmentsHash"], "excluded": values["excluded"], "aux": values["aux"]}
        digest = spec.compute_proposal_hash(1, proposal, **parts, included=values["included"])
        return {**values, "proposalHash": digest}
    return values


@st.composite
def histories(draw):
    """Either anything, or events that tell of a whole round and do not agree in everything."""
    if draw(st.booleans()):
        return draw(st.lists(logs(), min_size=1, max_size=5))
    commit = draw(st.sampled_from(["Committed", "SegmentCommitted", "RootCommitted"]))
    names = ["TaskCreated", "RoundOpened", commit, "Proposed", "Finalised"]
    kept = names[: draw(st.integers(3, 5))]
    return [draw(logs(name=name, whole=True)) for name in kept]


def make_header(number, parent, receipts_root, state_root):
    fields = [parent, bytes(32), bytes(20), state_root, bytes(32), receipts_root, bytes(256)]
    return rlp.encode([*fields, b"", rlp.encode_int(number), b"", b"", b"", b"", bytes(32), bytes(8)])


places = st.one_of(st.none(), st.builds(Place, index=small, path=st.lists(st.just(bytes(32)), max_size=3).map(tuple)))
words = st.one_of(small, st.integers(0, 2**256 - 1))


def make_proof(emitted, words, **changes):
    """Return a proof of events that are alone in one block, and of words in the ledger's storage after it."""
    bodies = [[log.address, list(log.topics), log.data] for log in emitted]
    receipts = [b"\x02" + rlp.encode([b"\x01", b"", bytes(256), [body]]) for body in bodies]
    stored = {hash_slot(slot): rlp.encode(rlp.encode_int(word)) for slot, word in words.items() if word}
    account = {trie.keccak(LEDGER): rlp.encode([b"", b"", trie.compute_root(stored), bytes(32)])}
    state = AccountProof(
        address=LEDGER,
        nodes=tuple(trie.prove(account, trie.keccak(LEDGER))),
        slots={slot: tuple(trie.prove(stored, hash_slot(slot))) for slot in words},
    )
    header = make_header(9, bytes(32), compute_receipts_root(receipts), trie.compute_root(account))
    events = tuple(
        EventProof(block=9, tx=tx, log=0, nodes=tuple(prove_receipt(receipts, tx))) for tx in range(len(receipts))
    )
    absent = dict.fromkeys(("client", "entry", "in_segment", "in_members", "listed", "head", "state", "checkpoint"))
    named = {"kind": ProofKind.ROUND, "chain_id": 1, "ledger": LEDGER, "round_id": 1, "headers": (header,), **absent}
    proof = Proof(**{**named, "events": events, **changes})
    return replace(proof, state=state) if words else proof


def hash_slot(slot):
    return trie.keccak(slot.to_bytes(32, "big"))


@st.composite
def proofs(draw):
    wanted = draw(st.sampled_from([[], slots.list_slots([0, 1], [0, 1])]))
    return make_proof(
        draw(histories()),
        {slot: draw(words) for slot in wanted},
        kind=draw(KINDS),
        round_id=draw(st.sampled_from([1, 1, 1, 0, None, 10**19 - 1])),
        client=draw(st.sampled_from([1, 1, 1, 0, None, 10**19 - 1])),
        entry=draw(st.one_of(st.none(), texts)),
        in_segment=draw(places),
        in_members=draw(places),
        listed=draw(st.one_of(st.none(), texts)),
        head=draw(st.one_of(st.none(), st.just(HeadChain(previous=bytes(32), later=((1, bytes(32)),))))),
    )


def only_known_errors(check):
    try:
        return check()
    except FedtrailError:
        return None


@settings(max_examples=150)
@given(proofs(), st.one_of(st.none(), st.binary(max_size=90), st.just(b"FTU\x01" + bytes(60))))
def test_no_chain_that_somebody_made_up_crashes_the_checker(proof, data):
    assert decode_proof_file(encode_proof_file(proof)) == proof
    found = only_known_errors(lambda: check_proof(proof, data=data))
    assert found is None or found.anchor is None


@settings(max_examples=150)
@given(logs(), st.one_of(st.none(), st.binary(max_size=90)))
def test_no_log_that_somebody_made_up_crashes_the_checker_of_tlog_proofs(log, data):
    checkpoint = Checkpoint(
        chain_id=1, ledger=LEDGER, size=1, root=compute_ledger_root([log]), block=1, block_hash=bytes(32)
    )
    note = sign_note(SignedNote(text=str(checkpoint), signatures=()), ANNE, at=1)
    proof = TlogProof(leaf=encode_event(log), index=0, path=(), note=note)
    only_known_errors(lambda: check_tlog_proof(proof, data=data))


def tell(*names, **changes):
    """Return the events of round 1 of task 1 with zeros everywhere else; changes replace arguments of that name."""
    found = []
    for name in names:
        values = {param["name"]: zero_of(param) for param in ITEMS[name][1].inputs}
        values |= {each: 1 for each in ("roundId", "taskId", "client") if each in values}
        values |= {"segmentsHash": spec.ZERO_DIGEST} if "segmentsHash" in values else {}
        named = {key: value for key, value in changes.items() if key in values}
        found.append(make_log(name, {**_agree(name, values), **named}))
    return found


def test_a_made_up_round_that_agrees_with_itself_is_consistent_and_no_more():
    found = check_proof(make_proof(tell("TaskCreated", "RoundOpened", "Proposed"), {}))
    assert (found.facts["phase"], found.anchor) == (spec.Phase.PROPOSED, None)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"proposalHash": b"\x66" * 32}, "the proposal hashes to"),
        ({"excluded": b"\x00" * 5}, "the proposal hashes to"),
        ({"roundId": 2}, "is not about round 1"),
    ],
)
def test_a_made_up_proposal_whose_parts_are_not_its_hash_is_refused(changes, what):
    emitted = [*tell("TaskCreated", "RoundOpened"), *tell("Proposed", **changes)]
    with pytest.raises(BadProof, match=what):
        check_proof(make_proof(emitted, {}))


def test_a_made_up_round_of_another_task_than_the_one_that_is_shown_is_refused():
    emitted = [*tell("TaskCreated", taskId=2), *tell("RoundOpened", "Proposed")]
    with pytest.raises(BadProof, match="is of task 1"):
        check_proof(make_proof(emitted, {}))


@pytest.mark.parametrize("size", [0, 35, 37])
def test_a_segment_that_is_no_whole_number_of_commitments_is_refused(size):
    topic, _ = ITEMS["SegmentCommitted"]
    data = abi_encode(["uint16", "uint16", "bytes"], [0, 1, os.urandom(size)])
    log = RawLog(address=LEDGER, topics=(topic, (1).to_bytes(32, "big"), bytes(32)), data=data)
    header = spec.VectorHeader(
        kind=spec.Kind.UPDATE,
        domain_separator=bytes(32),
        round_id=1,
        client=1,
        num_examples=1,
        size=0,
        scale_bits=0,
        leaf_log2=3,
    )
    checkpoint = Checkpoint(
        chain_id=1, ledger=LEDGER, size=1, root=compute_ledger_root([log]), block=1, block_hash=bytes(32)
    )
    note = sign_note(SignedNote(text=str(checkpoint), signatures=()), ANNE, at=1)
    proof = TlogProof(leaf=encode_event(log), index=0, path=(), note=note)
    with pytest.raises(FedtrailError):
        check_tlog_proof(proof, data=spec.encode_vector(header, b""))
