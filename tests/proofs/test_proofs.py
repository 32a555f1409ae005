"""Proofs of single facts of a real run: what they show, and that none shows anything else."""

import json
from dataclasses import replace

import pytest
from audited_run import AuditedRun
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger import spec
from ledger.chain import Connection
from ledger.checkpoints import Checkpoint, parse_checkpoint
from ledger.errors import BadProof, FedtrailError, Incomplete, SpecError, SplitView, UsageError, WrongCode, WrongRoot
from ledger.evidence.fetching import fetch_state
from ledger.evidence.headers import decode_header
from ledger.evidence.rlp import decode, encode
from ledger.history import load_round
from ledger.notes import WITNESS, NoteKey, SignedNote, sign_note
from ledger.proofs.checking import check_proof
from ledger.proofs.format import Place, ProofKind, decode_proof_file, encode_proof_file
from ledger.proofs.making import Prover
from ledger.proofs.tlog import TlogProof, check_tlog_proof, make_tlog_proof, parse_tlog_proof
from ledger.trust import Trust
from ledger.witnessing import observe

pytestmark = [pytest.mark.chain, pytest.mark.slow]

ANNE, BOB = (NoteKey.from_seed(name, WITNESS, name.encode().ljust(32)) for name in ("anne", "bob"))


@pytest.fixture(scope="session")
def prover(audited_run: AuditedRun) -> Prover:
    return Prover(chain=audited_run.chain, store=audited_run.store)


@pytest.fixture(scope="session")
def note(audited_run: AuditedRun) -> SignedNote:
    """A checkpoint of the last block, signed by both witnesses."""
    unsigned = SignedNote(text=str(observe(audited_run.chain).checkpoint), signatures=())
    return sign_note(sign_note(unsigned, ANNE, at=1), BOB, at=2)


@pytest.fixture(scope="session")
def record(audited_run: AuditedRun):
    return load_round(audited_run.chain, audited_run.store, audited_run.excluding)


@pytest.fixture(scope="session")
def included(record):
    """A client whose update counts in the round that excludes another one."""
    excluded = dict(record.exclusions)
    return next(member.client for member in record.members if member.client not in excluded)


@pytest.fixture(scope="session")
def proofs(prover, record, included):
    """One proof of each kind, of the same round."""
    (proposed,) = prover.chain.events(names=("Proposed",), round_id=record.round_id)
    return {
        ProofKind.EVENT: prover.prove_event(proposed),
        ProofKind.UPDATE: prover.prove_update(record.round_id, included),
        ProofKind.ROUND: prover.prove_round(record.round_id),
        ProofKind.MODEL: prover.prove_model(record.round_id),
    }


def pin(proof, number=None, **changes) -> Trust:
    """Return the trust in one block of a proof, its last unless named."""
    headers = [decode_header(each) for each in proof.headers]
    header = next(each for each in headers if number in (None, each.number)) if number else headers[-1]
    named = {"chain_id": proof.chain_id, "contract": proof.ledger, "block_hashes": {header.number: header.hash}}
    return Trust(**{**named, **changes})


# ---------------------------------------------------------------------------------------------------- what proofs show


@pytest.mark.parametrize("kind", list(ProofKind))
def test_a_proof_is_read_as_it_was_written_and_is_anchored_by_a_block_that_one_trusts(proofs, kind):
    proof = proofs[kind]
    assert decode_proof_file(encode_proof_file(proof)) == proof
    found = check_proof(proof, trust=pin(proof))
    assert (found.kind, found.gaps) == (kind.value, ())
    assert "of the trust file" in found.anchor
    assert check_proof(proof).anchor is None


def test_a_proof_of_an_update_shows_its_place_and_opens_with_its_bytes_only(proofs, record, included):
    proof, data = proofs[ProofKind.UPDATE], record.updates[included].data
    found = check_proof(proof, data=data, trust=pin(proof)).facts
    member = next(member for member in record.members if member.client == included)
    assert (found["client"], found["commitment"], found["included"]) == (included, member.commitment, True)
    assert (found["leaves"], found["phase"], found["opens"]) == (5, spec.Phase.FINALISED, True)
    assert found["num_examples"] == spec.decode_vector(data, max_bytes=len(data)).header.num_examples


@pytest.mark.parametrize("at", [0, 3, 4, 40, 47, 51, 55, 56, 57, 58, 60, -1])
def test_no_byte_of_the_update_can_be_changed(proofs, record, included, at):
    wrong = bytearray(record.updates[included].data)
    wrong[at] ^= 1
    with pytest.raises(SpecError):
        check_proof(proofs[ProofKind.UPDATE], data=bytes(wrong))


def test_a_changed_coordinate_is_named_as_tampering(proofs, record, included):
    wrong = bytearray(record.updates[included].data)
    wrong[100] ^= 1
    with pytest.raises(WrongRoot, match="FT701"):
        check_proof(proofs[ProofKind.UPDATE], data=bytes(wrong))


def test_a_proof_of_an_excluded_update_says_why(prover, record):
    ((client, reason),) = record.exclusions
    proof = prover.prove_update(record.round_id, client)
    found = check_proof(proof).facts
    assert (found["included"], found["excluded_for"]) == (False, f"FT{reason}")
    with pytest.raises(WrongRoot):  # it published something else than it had committed to
        check_proof(proof, data=record.updates[client].data)


def test_a_proof_of_a_round_shows_all_five_and_no_sixth(proofs, record):
    found = check_proof(proofs[ProofKind.ROUND]).facts
    assert (found["committed"], found["included"], found["complete"]) == (5, 4, True)
    assert found["clients"] == [member.client for member in record.members]
    assert found["excluded"] == {str(client): f"FT{reason}" for client, reason in record.exclusions}
    assert found["phase"] is spec.Phase.FINALISED


def test_a_proof_of_a_struck_round_says_so(prover, audited_run):
    found = check_proof(prover.prove_round(audited_run.voided)).facts
    assert (found["phase"], found["complete"]) == (spec.Phase.VOIDED, True)
    client = found["clients"][0]
    assert check_proof(prover.prove_update(audited_run.voided, client)).facts["phase"] is spec.Phase.VOIDED
    with pytest.raises(FedtrailError, match="not finalised"):
        prover.prove_model(audited_run.voided)


def test_a_proof_of_a_model_opens_with_that_model_and_no_other(proofs, prover, record, audited_run):
    proof = proofs[ProofKind.MODEL]
    assert check_proof(proof, data=record.model.data).facts["opens"] is True
    other = load_round(audited_run.chain, audited_run.store, audited_run.final[0])
    for wrong in (other.model.data, record.aggregate.data, record.model.data[:-1] + b"\x55"):
        with pytest.raises(SpecError):
            check_proof(proof, data=wrong)


def test_the_first_and_the_last_round_have_their_place_in_the_head_chain(prover, audited_run):
    first, last = (prover.prove_model(number) for number in (audited_run.final[0], audited_run.final[-1]))
    assert (first.head.previous, len(first.head.later), last.head.later) == (bytes(32), 2, ())
    for proof in (first, last):
        assert check_proof(proof).gaps == ()


def test_events_are_decoded(proofs, record):
    found = check_proof(proofs[ProofKind.EVENT]).facts
    assert (found["event"], found["round_id"], found["proposal"]) == ("Proposed", record.round_id, record.proposal)


def test_proofs_of_what_is_not_there_are_not_made(prover, record):
    for make in (
        lambda: prover.prove_update(record.round_id, 99),
        lambda: prover.prove_round(99),
    ):
        with pytest.raises(FedtrailError) as caught:
            make()
        assert caught.value.code == "FT501"


# ------------------------------------------------------------------------------------------------------------- anchors


def test_a_block_vouches_for_those_before_it_and_not_for_those_after(proofs, included):
    proof = proofs[ProofKind.ROUND]
    early = decode_header(proof.headers[0]).number
    assert check_proof(proof, trust=pin(proof, early)).anchor is None


def test_a_block_alone_does_not_say_which_contract_is_the_ledger(proofs):
    """Anybody may deploy a RoundLedger of their own on the same chain."""
    for proof in proofs.values():
        assert check_proof(proof, trust=pin(proof, contract=None)).anchor is None


def test_a_pinned_block_with_another_hash_is_a_split_view(proofs):
    for proof in proofs.values():
        number = decode_header(proof.headers[0]).number
        with pytest.raises(SplitView, match="FT704"):
            check_proof(proof, trust=Trust(block_hashes={number: bytes(32)}))


def test_enough_known_witnesses_of_a_late_enough_block_are_an_anchor(proofs, prover, note, record, included):
    proof = replace(prover, notes=[note]).prove_update(record.round_id, included)
    keys = (ANNE.verifier, BOB.verifier)
    assert check_proof(proof, trust=Trust(need=2, keys=keys)).anchor == "cosigned by anne, bob"
    stranger = NoteKey.from_seed("eve", WITNESS, bytes(32)).verifier
    assert check_proof(proof, trust=Trust(need=2, keys=(ANNE.verifier, stranger))).anchor is None
    assert check_proof(proof).anchor is None


def test_a_stale_checkpoint_anchors_nothing_and_one_of_another_ledger_is_refused(proofs, note):
    trust = Trust(need=1, keys=(ANNE.verifier,))
    proof = proofs[ProofKind.ROUND]
    first = decode_header(proof.headers[0])

    def attach(**changes):
        named = {"chain_id": proof.chain_id, "ledger": proof.ledger, "size": 1, "root": bytes(32)}
        checkpoint = Checkpoint(**{**named, "block": first.number, "block_hash": first.hash, **changes})
        signed = sign_note(SignedNote(text=str(checkpoint), signatures=()), ANNE, at=1)
        return replace(proof, checkpoint=str(signed))

    assert check_proof(attach(), trust=trust).anchor is None
    with pytest.raises(SplitView):
        check_proof(attach(block_hash=bytes(32)), trust=trust)
    with pytest.raises(BadProof, match="another ledger"):
        check_proof(attach(chain_id=1), trust=trust)


def test_a_checkpoint_whose_signature_was_forged_is_refused(prover, note, record, included):
    proof = replace(prover, notes=[note]).prove_update(record.round_id, included)
    (line, *others) = note.signatures
    forged = replace(note, signatures=(replace(line, data=line.data[:-1] + bytes([line.data[-1] ^ 1])), *others))
    with pytest.raises(SpecError, match="FT717"):
        check_proof(replace(proof, checkpoint=str(forged)), trust=Trust(need=1, keys=(ANNE.verifier,)))


def test_a_proof_of_another_ledger_or_chain_is_refused(proofs):
    proof = proofs[ProofKind.ROUND]
    for changes in ({"chain_id": 1}, {"contract": bytes(20)}):
        with pytest.raises(WrongCode, match="FT404"):
            check_proof(proof, trust=pin(proof, **changes))


def test_an_update_does_not_open_for_another_chain_id_than_it_was_made_for(proofs, record, included):
    wrong = replace(proofs[ProofKind.UPDATE], chain_id=1)
    with pytest.raises(SpecError, match="FT719"):
        check_proof(wrong, data=record.updates[included].data)


# ---------------------------------------------------------------------------------------------------------- tampering


def swap(items, at, **changes):
    return (*items[:at], replace(items[at], **changes), *items[at + 1 :])


def find(proof, name, prover) -> int:
    """Return the position of an event in a proof."""
    return [event.name for event in _read(proof)].index(name)


def _read(proof):
    from ledger.proofs.case import open_case

    return open_case(proof).events


def test_a_node_swapped_cut_or_added_is_refused(proofs):
    for proof in proofs.values():
        nodes = proof.events[-1].nodes
        other = encode([b"\x20", b"value"])
        for wrong in ((other, *nodes[1:]), nodes[:-1], (*nodes, other), ()):
            with pytest.raises(BadProof, match="FT703"):
                check_proof(replace(proof, events=swap(proof.events, -1 % len(proof.events), nodes=wrong)))


def test_an_event_in_another_place_is_refused(proofs):
    proof = proofs[ProofKind.EVENT]
    (event,) = proof.events
    for changes in ({"tx": event.tx + 1}, {"log": event.log + 50}, {"block": event.block + 1}, {"tx": 10**18}):
        with pytest.raises(BadProof):
            check_proof(replace(proof, events=(replace(event, **changes),)))


def test_events_twice_or_out_of_order_are_refused(proofs):
    proof = proofs[ProofKind.ROUND]
    for wrong in (proof.events[::-1], (*proof.events, proof.events[-1])):
        with pytest.raises(BadProof, match="order"):
            check_proof(replace(proof, events=wrong))


def test_headers_with_a_gap_or_a_change_are_refused(proofs):
    for kind in (ProofKind.ROUND, ProofKind.UPDATE, ProofKind.MODEL):
        proof = proofs[kind]
        fields = decode(proof.headers[1])
        fields[11] = encode(b"")[:0] + b"\x01"  # the timestamp
        for wrong in (
            (*proof.headers[:1], *proof.headers[2:]),
            (*proof.headers[:1], encode(fields), *proof.headers[2:]),
            proof.headers[::-1],
        ):
            with pytest.raises(BadProof, match="parent"):
                check_proof(replace(proof, headers=wrong))


def test_a_round_whose_commitments_or_outcome_are_left_out_is_incomplete(proofs):
    proof = proofs[ProofKind.ROUND]
    names = [event.name for event in _read(proof)]
    for name in ("SegmentCommitted", "Finalised"):
        at = names.index(name)
        without = replace(proof, events=proof.events[:at] + proof.events[at + 1 :])
        with pytest.raises(Incomplete, match="FT705"):
            check_proof(without)
        if name == "SegmentCommitted":  # also noticed without the ledger's count, since the proposal covers them
            with pytest.raises(Incomplete, match="hash to"):
                check_proof(replace(without, state=None))


def test_a_round_in_whose_place_another_one_is_shown_is_refused(proofs, prover, audited_run):
    other = prover.prove_round(audited_run.final[0])
    for wrong in (replace(proofs[ProofKind.ROUND], round_id=other.round_id), replace(other, round_id=99)):
        with pytest.raises(BadProof, match="is not about round"):
            check_proof(wrong)
    with pytest.raises(BadProof):
        check_proof(replace(proofs[ProofKind.ROUND], state=other.state))


def test_another_state_or_head_is_refused(proofs):
    for kind in (ProofKind.ROUND, ProofKind.MODEL):
        proof = proofs[kind]
        assert proof.head.later
        for head in (
            replace(proof.head, previous=b"\x01" * 32),
            replace(proof.head, later=()),
            replace(proof.head, later=((99, bytes(32)),)),
            None,
        ):
            with pytest.raises(BadProof):
                check_proof(replace(proof, head=head))
        with pytest.raises(BadProof):
            check_proof(replace(proof, state=replace(proof.state, address=b"\x01" * 20)))
        with pytest.raises(BadProof):
            check_proof(replace(proof, headers=proof.headers[:-1]))


def test_what_another_contract_emitted_or_stores_proves_nothing_of_the_ledger(proofs, audited_run):
    """Both are true of the same block: a log that looks like an event, and the registry's account."""
    contracts, last = audited_run.chain.contracts, decode_header(proofs[ProofKind.ROUND].headers[-1]).number
    with pytest.raises(BadProof, match="not by the ledger"):
        check_proof(replace(proofs[ProofKind.EVENT], ledger=contracts.registry))
    connection = Connection(audited_run.chain.network.rpc)
    (state,) = fetch_state(connection, last, {contracts.registry: list(proofs[ProofKind.ROUND].state.slots)})
    for kind in (ProofKind.ROUND, ProofKind.MODEL):
        with pytest.raises(BadProof, match="not the ledger"):
            check_proof(replace(proofs[kind], state=state))


def test_without_the_state_a_proof_says_what_it_lacks(proofs):
    wanted = {ProofKind.ROUND: "which counts the commitments", ProofKind.MODEL: "whose head covers the model"}
    for kind, why in wanted.items():
        assert check_proof(replace(proofs[kind], state=None)).gaps == (f"the ledger's storage, {why}",)
    assert check_proof(replace(proofs[ProofKind.ROUND], state=None)).facts["complete"] is None


def test_an_entry_of_another_client_or_place_is_refused(proofs, record, included):
    proof = proofs[ProofKind.UPDATE]
    other = next(member for member in record.members if member.client != included)
    index, path = proof.in_segment.index, proof.in_segment.path
    for wrong in (
        replace(proof, client=other.client),
        replace(proof, client=other.client, entry=spec.encode_members([other])),
        replace(proof, entry=proof.entry[:-1] + bytes([proof.entry[-1] ^ 1])),
        replace(proof, entry=None),
        replace(proof, in_segment=None),
        replace(proof, in_segment=Place(index=index ^ 1, path=path)),
        replace(proof, in_segment=Place(index=index, path=path[:-1])),
        replace(proof, in_segment=Place(index=index, path=(*path, bytes(32)))),
        replace(proof, in_segment=Place(index=10**18, path=path)),
        replace(proof, in_members=Place(index=proof.in_members.index + 1, path=proof.in_members.path)),
        replace(proof, in_members=Place(index=0, path=())),
    ):
        with pytest.raises(BadProof):
            check_proof(wrong)


def test_files_are_compared_with_proofs_about_files_only(proofs):
    for kind in (ProofKind.EVENT, ProofKind.ROUND):
        with pytest.raises(UsageError, match="about no file"):
            check_proof(proofs[kind], data=b"")


# ----------------------------------------------------------------------------------------------------- strangers' bytes


@pytest.mark.parametrize("kind", list(ProofKind))
def test_a_file_that_is_not_canonical_is_refused(proofs, kind):
    good = encode_proof_file(proofs[kind])
    document = json.loads(good)
    changes = {"format": "x", "kind": "y", "ledger": "0x00", "round": "01", "headers": {}, "events": 3, "chain_id": 1}
    wrong = [json.dumps({**document, key: value}).encode() for key, value in changes.items()]
    wrong += [good[:-1], good + b" ", b"", b"[]\n", b"null\n", good.replace(b'"chain_id"', b'"chain_ie"', 1)]
    wrong += [b"[" * 100_000, b'{"a":' * 50_000, good.replace(b":", b": ", 1)]
    for each in wrong:
        with pytest.raises(SpecError):
            decode_proof_file(each)


FUZZ = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@FUZZ
@given(data=st.data())
def test_whatever_is_changed_in_a_file_it_is_refused_or_shows_the_same(proofs, data):
    """No change of one or two characters makes a proof show anything else under the same trust, or crash."""
    proof = proofs[data.draw(st.sampled_from(list(ProofKind)))]
    trust, good = pin(proof), encode_proof_file(proof)
    want, wrong = check_proof(proof, trust=trust), bytearray(good)
    for position in data.draw(st.sets(st.integers(0, len(good) - 1), min_size=1, max_size=2)):
        wrong[position] = data.draw(st.sampled_from(b'0123456789abcdef"{}[],x:\xff\x00'))
    try:
        found = check_proof(decode_proof_file(bytes(wrong)), trust=trust)
    except FedtrailError:
        return
    assert bytes(wrong) == good or found.facts == want.facts


@FUZZ
@given(st.binary(max_size=300))
def test_noise_is_no_proof(noise):
    for read in (decode_proof_file, parse_tlog_proof):
        with pytest.raises(SpecError):
            read(noise)


# ---------------------------------------------------------------------------------------------------------- tlog-proof


@pytest.fixture(scope="session")
def tlog(prover, note, record, included) -> TlogProof:
    return make_tlog_proof(prover.chain, prover.find_commitment(record.round_id, included), note)


def test_a_tlog_proof_is_the_lines_that_the_specification_says(tlog, note):
    lines = str(tlog).split("\n")
    assert lines[0] == "c2sp.org/tlog-proof@v1"
    assert lines[1].startswith("extra ") and lines[2] == f"index {tlog.index}"
    empty = lines.index("")
    assert len(lines[3:empty]) == len(tlog.path) and all(len(line) == 44 for line in lines[3:empty])
    assert "\n".join(lines[empty + 1 :]) == str(note)
    assert parse_tlog_proof(str(tlog).encode()) == tlog


def test_a_tlog_proof_rests_on_its_witnesses_and_opens_the_update(tlog, record, included):
    trust = Trust(need=2, keys=(ANNE.verifier, BOB.verifier))
    found = check_tlog_proof(tlog, data=record.updates[included].data, trust=trust)
    assert found.anchor == "cosigned by anne, bob"
    assert (found.facts["event"], found.facts["client"], found.facts["opens"]) == ("SegmentCommitted", included, True)
    assert check_tlog_proof(tlog).anchor is None
    wrong = bytearray(record.updates[included].data)
    wrong[-1] ^= 1
    with pytest.raises(WrongRoot, match="FT701"):
        check_tlog_proof(tlog, data=bytes(wrong))


def test_every_event_of_the_ledger_has_its_tlog_proof(prover, note, audited_run):
    for event in prover.chain.events(names=("RoundOpened", "Proposed", "Voided", "Finalised")):
        found = check_tlog_proof(make_tlog_proof(prover.chain, event, note)).facts
        assert (found["event"], found["round_id"]) == (event.name, event.args["round_id"])


def test_another_address_cannot_say_in_a_log_what_only_the_ledger_says(tlog, note):
    leaf = bytes(20) + tlog.leaf[20:]
    checkpoint = replace(parse_checkpoint(note.text), size=1, root=spec.hash_leaf(leaf))
    forged = TlogProof(leaf=leaf, index=0, path=(), note=replace(note, text=str(checkpoint)))
    with pytest.raises(BadProof, match="which is not the RoundLedger"):
        check_tlog_proof(forged)


def test_a_tlog_proof_with_anything_changed_is_refused(tlog, note):
    checkpoint = observe  # noqa: F841
    for wrong in (
        replace(tlog, index=tlog.index + 1),
        replace(tlog, index=10**18),
        replace(tlog, path=tlog.path[:-1]),
        replace(tlog, path=(*tlog.path, bytes(32))),
        replace(tlog, path=(bytes(32), *tlog.path[1:])),
        replace(tlog, leaf=tlog.leaf[:-1] + b"\x01"),
        replace(tlog, leaf=b"\x00"),
    ):
        with pytest.raises(BadProof):
            check_tlog_proof(wrong)
    with pytest.raises(SplitView):
        block = int(note.text.split("block ")[1].split()[0])
        check_tlog_proof(tlog, trust=Trust(block_hashes={block: bytes(32)}))
    with pytest.raises(WrongCode):
        check_tlog_proof(tlog, trust=Trust(chain_id=1))


@FUZZ
@given(data=st.data())
def test_whatever_is_changed_in_a_tlog_proof_it_is_refused_or_shows_the_same(tlog, data):
    trust, good = Trust(need=2, keys=(ANNE.verifier, BOB.verifier)), str(tlog).encode()
    want, wrong = check_tlog_proof(tlog, trust=trust), bytearray(good)
    for position in data.draw(st.sets(st.integers(0, len(good) - 1), min_size=1, max_size=2)):
        wrong[position] = data.draw(st.integers(0, 255))
    try:
        found = check_tlog_proof(parse_tlog_proof(bytes(wrong)), trust=trust)
    except FedtrailError:
        return
    assert bytes(wrong) == good or (found.facts == want.facts and found.anchor is None)


def test_no_tlog_proof_is_made_for_a_checkpoint_that_is_too_early_or_of_another_history(prover, note, record):
    event = prover.chain.events(names=("Finalised",))[-1]
    checkpoint = observe(prover.chain, record.block).checkpoint
    early = sign_note(SignedNote(text=str(checkpoint), signatures=()), ANNE, at=1)
    with pytest.raises(UsageError, match="the checkpoint of block"):
        make_tlog_proof(prover.chain, event, early)
    other = replace(observe(prover.chain).checkpoint, root=bytes(32))
    with pytest.raises(SplitView):
        make_tlog_proof(prover.chain, event, sign_note(SignedNote(text=str(other), signatures=()), ANNE, at=1))
