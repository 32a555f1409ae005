"""What attestors decide, sign and serve."""

import hashlib
from dataclasses import replace

import pytest
from eth_account import Account
from eth_keys.datatypes import PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from round_maker import DOMAIN, RoundMaker, update_values

from ledger import availability, errors, spec
from ledger.availability import Demand, Publication, Subject
from ledger.records import Fetched
from ledger.signing import sign_digest
from ledger.spec import certificates

CHALLENGER = b"\xca" * 20
ATTESTORS = [Account.from_key(hashlib.sha256(b"attestor %d" % i).digest()) for i in range(7)]
KEYS = [bytes.fromhex(account.address[2:]) for account in ATTESTORS]
EXCLUSIONS = ((3, 801),)
BOARD = spec.compute_domain_separator(certificates.BOARD_NAME, 31337, b"\x22" * 20)


def publications(maker):
    """Return what every client of a round published."""
    entries = {client: maker.entry(client) for client in maker.clients}
    return {
        client: Publication(content=entry.content, signature=entry.signature, fetched=maker.fetched_update(client))
        for client, entry in entries.items()
        if entry.content is not None
    }


def judge(maker, **changes):
    published = {**publications(maker), **changes.get("published", {})}
    return availability.judge_availability(maker.record(), published)


# ------------------------------------------------------------------------------------------------------- judgement


def test_nobody_is_excluded_from_an_honest_round():
    assert judge(RoundMaker()) == ()


def test_a_silent_client_is_excluded_as_unavailable():
    assert judge(RoundMaker(silent={3})) == ((3, 801),)


def test_a_publication_that_somebody_else_signed_is_none():
    assert judge(RoundMaker(unsigned={5})) == ((5, 801),)


def test_bytes_that_nobody_has_are_unavailable():
    maker = RoundMaker()
    gone = replace(publications(maker)[8], fetched=Fetched(cid="bafy", data=None))
    assert judge(maker, published={8: gone}) == ((8, 801),)


def test_a_block_that_is_corrupt_in_our_store_is_unavailable_to_us():
    maker = RoundMaker()
    problem = errors.BlobCorrupt(cid="bafy", got="aa", want="bb")
    corrupt = replace(publications(maker)[8], fetched=Fetched(cid="bafy", data=None, problem=problem))
    assert judge(maker, published={8: corrupt}) == ((8, 801),)


def test_a_store_that_does_not_answer_is_no_reason_to_exclude_anybody():
    maker = RoundMaker()
    problem = errors.StoreUnreachable("the store does not answer")
    down = replace(publications(maker)[8], fetched=Fetched(cid="bafy", data=None, problem=problem))
    with pytest.raises(errors.StoreUnreachable):
        judge(maker, published={8: down})


def test_a_malformed_update_is_excluded_with_the_reason_that_an_auditor_finds():
    maker = RoundMaker()
    maker.published[9] = maker.blob(9)[:-1]
    assert judge(maker) == ((9, 710),)


def test_another_update_than_the_committed_is_excluded():
    maker = RoundMaker()
    maker.published[2] = maker.blob(2, values=update_values(3))
    assert judge(maker) == ((2, 701),)


# ---------------------------------------------------------------------------------------------------- certificates


def digest_of(**changes):
    fields = {
        "domain_separator": BOARD,
        "round_id": 4,
        "segments_hash": b"\x01" * 32,
        "exclusions_hash": spec.keccak256(spec.encode_exclusions(EXCLUSIONS)),
    }
    return certificates.compute_available_digest(**{**fields, **changes})


def certificate_of(positions, **changes):
    signed = {i: sign_digest(ATTESTORS[i], digest_of(**changes)) for i in positions}
    return availability.make_certificate(EXCLUSIONS, signed)


def test_a_certificate_of_the_threshold_holds():
    certificate = certificate_of([5, 0, 2, 6])
    assert certificate.signers == 0b1100101
    availability.verify_certificate(certificate, digest_of(), KEYS, 4)


def test_a_certificate_below_the_threshold_does_not():
    with pytest.raises(spec.BadProof):
        availability.verify_certificate(certificate_of([0, 1, 2]), digest_of(), KEYS, 4)


def test_a_signer_outside_the_committee_is_refused():
    with pytest.raises(spec.BadProof):
        availability.verify_certificate(certificate_of([0, 1, 2, 6]), digest_of(), KEYS[:6], 4)


@pytest.mark.parametrize(
    "changes",
    [
        {"round_id": 5},
        {"segments_hash": b"\x02" * 32},
        {"exclusions_hash": spec.keccak256(b"")},
        {"domain_separator": spec.compute_domain_separator(certificates.BOARD_NAME, 1, b"\x22" * 20)},
        {"domain_separator": spec.compute_domain_separator(certificates.BOARD_NAME, 31337, b"\x23" * 20)},
    ],
)
def test_a_certificate_of_something_else_is_refused(changes):
    with pytest.raises(spec.WrongSigner):
        availability.verify_certificate(certificate_of([0, 1, 2, 3], **changes), digest_of(), KEYS, 4)


def test_missing_signatures_are_refused():
    certificate = certificate_of([0, 1, 2, 3])
    with pytest.raises(spec.BadProof):
        availability.verify_certificate(
            replace(certificate, signatures=certificate.signatures[:-1]), digest_of(), KEYS, 4
        )


def test_the_digest_is_that_of_eip_712():
    signable = {
        "domain": {
            "name": "fedtrail board",
            "version": "1",
            "chainId": 31337,
            "verifyingContract": "0x" + "22" * 20,
        },
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"},
                {"name": "version", "type": "string"},
                {"name": "chainId", "type": "uint256"},
                {"name": "verifyingContract", "type": "address"},
            ],
            "Available": [
                {"name": "roundId", "type": "uint64"},
                {"name": "segmentsHash", "type": "bytes32"},
                {"name": "exclusionsHash", "type": "bytes32"},
            ],
        },
        "primaryType": "Available",
        "message": {"roundId": 4, "segmentsHash": b"\x01" * 32, "exclusionsHash": b"\x02" * 32},
    }
    theirs = Account.sign_typed_data(ATTESTORS[0].key, full_message=signable)
    digest = digest_of(exclusions_hash=b"\x02" * 32)
    ours = PrivateKey(bytes(ATTESTORS[0].key)).sign_msg_hash(digest)
    assert (theirs.r, theirs.s) == (ours.r, ours.s)


def test_a_double_attestation_has_one_encoding():
    one = (b"\x01" * 32, b"\x03" * 32, b"\x05" * 64)
    two = (b"\x02" * 32, b"\x03" * 32, b"\x06" * 64)
    proof = availability.prove_double_attestation(4, 9, [one, two])
    assert proof == availability.prove_double_attestation(4, 9, [two, one])
    assert len(proof) == 4 + 2 * 128


# --------------------------------------------------------------------------------------------------------- answers


def demand_of(vector, *, leaf_bytes, first, count, **changes):
    fields = {
        "round_id": 4,
        "client": 0,
        "first_leaf": first,
        "leaf_count": count,
        "leaf_bytes": leaf_bytes,
        "deadline": 1,
        "root": spec.compute_chunk_root(vector, leaf_bytes),
        "challenger": CHALLENGER,
        "bond_wei": 3,
        "reward_wei": 3,
        "vector_bytes": len(vector),
        "subject": Subject.AGGREGATE,
    }
    return Demand(**{**fields, **changes})


@st.composite
def demands(draw):
    """A vector of whole coordinates, its leaf size, and a range of its leaves."""
    vector = draw(st.binary(min_size=1, max_size=120)) * 4
    leaf_bytes = draw(st.sampled_from([4, 8, 32, 64]))
    total = -(-len(vector) // leaf_bytes)
    first = draw(st.integers(0, total - 1))
    count = draw(st.integers(1, total - first))
    return vector, demand_of(vector, leaf_bytes=leaf_bytes, first=first, count=count)


@given(demands())
def test_every_range_of_every_vector_can_be_answered(case):
    vector, demand = case
    answer = availability.encode_answer(demand, vector)
    assert len(answer) + 4 == availability.compute_answer_bytes(demand)
    start = demand.first_leaf * demand.leaf_bytes
    want = vector[start : start + demand.leaf_count * demand.leaf_bytes]
    assert availability.decode_answer(demand, answer, DOMAIN) == want


@given(demands(), st.data())
def test_no_flipped_bit_is_an_answer(case, data):
    vector, demand = case
    answer = bytearray(availability.encode_answer(demand, vector))
    answer[data.draw(st.integers(0, len(answer) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(spec.BadProof):
        availability.decode_answer(demand, bytes(answer), DOMAIN)


@given(demands())
def test_every_leaf_of_an_answer_is_opened_as_if_it_had_been_demanded_alone(case):
    vector, demand = case
    chunks = spec.split_chunks(vector, demand.leaf_bytes)
    leaves = [spec.hash_leaf(chunk) for chunk in chunks]
    opened = availability.open_leaves(demand, availability.encode_answer(demand, vector))
    asked_for = range(demand.first_leaf, demand.first_leaf + demand.leaf_count)
    assert opened == {at: chunks[at] + b"".join(spec.compute_inclusion_proof(leaves, at)) for at in asked_for}


@given(demands())
def test_one_leaf_has_the_path_of_an_inclusion_proof(case):
    vector, demand = case
    leaves = [spec.hash_leaf(chunk) for chunk in spec.split_chunks(vector, demand.leaf_bytes)]
    path = spec.compute_inclusion_proof(leaves, demand.first_leaf)
    assert certificates.compute_range_proof(leaves, demand.first_leaf, 1) == path


def test_an_update_is_answered_with_its_examples():
    maker = RoundMaker()
    member, blob = maker.member(5), spec.decode_vector(maker.blob(5), max_bytes=1 << 20)
    demand = demand_of(
        blob.payload, leaf_bytes=32, first=2, count=1, root=member.commitment, client=5, subject=Subject.UPDATE
    )
    answer = availability.encode_answer(demand, blob.payload, blob.header.num_examples)
    assert availability.decode_answer(demand, answer, DOMAIN) == blob.payload[64:]
    for wrong in (replace(demand, client=6), replace(demand, round_id=5)):
        with pytest.raises(spec.BadProof):
            availability.decode_answer(wrong, answer, DOMAIN)
    with pytest.raises(spec.BadProof):
        availability.decode_answer(demand, answer, BOARD)


@pytest.mark.parametrize("change", [{"first_leaf": 5}, {"leaf_count": 0}, {"first_leaf": -1}, {"leaf_count": 6}])
def test_leaves_that_a_vector_does_not_have_are_refused(change):
    vector = bytes(40)
    demand = demand_of(vector, leaf_bytes=8, first=0, count=1)
    with pytest.raises(spec.BadProof):
        availability.encode_answer(replace(demand, **change), vector)


def test_another_vector_than_the_demanded_is_refused():
    demand = demand_of(bytes(40), leaf_bytes=8, first=0, count=1)
    with pytest.raises(spec.BadProof):
        availability.encode_answer(demand, bytes(44))


@pytest.mark.parametrize("length", [-1, 1])
def test_an_answer_of_another_length_is_refused(length):
    vector = bytes(40)
    demand = demand_of(vector, leaf_bytes=8, first=0, count=2)
    answer = availability.encode_answer(demand, vector)
    with pytest.raises(spec.BadProof):
        availability.decode_answer(demand, answer[:-1] if length < 0 else answer + b"\x00", DOMAIN)


def test_a_member_is_named_with_its_path():
    members = [RoundMaker().member(client) for client in (2, 3, 5)]
    packed = availability.encode_member(members, 1)
    client, commitment, slot, path = packed[:4], packed[4:36], packed[36:38], packed[38:]
    assert (int.from_bytes(client, "big"), commitment, slot) == (3, members[1].commitment, b"\x00\x01")
    leaf = spec.hash_leaf(spec.encode_members([members[1]]))
    spec.verify_inclusion(leaf, 1, 3, spec.split_chunks(path, 32), spec.compute_members_root(members))
