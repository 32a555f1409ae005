"""Signed messages used again: in another round, chain or contract, by another key, as another kind, twice."""

import pytest
from eth_utils.crypto import keccak
from ledger_world import make_key
from round_messages import list_transactions, read_list, read_publications, read_receipt, read_statement

from ledger import signing, spec
from ledger.availability import make_certificate
from ledger.chain import Role
from ledger.errors import FedtrailError, Reverted
from ledger.history import raw_cid, to_content
from ledger.spec import certificates
from ledger.statements import Signed, SignedCommitment, Statement, encode_commitment, encode_signed

pytestmark = pytest.mark.chain

OTHERS = ("round", "chain", "contract", "key")


def choose(world, round_, other, *, name=spec.LEDGER_NAME, contract="ledger", key=None):
    """Return domain, round and key to sign with: those of the round, but for one."""
    contracts = world.chain.contracts
    chain_id = 1 if other == "chain" else contracts.chain_id
    address = b"\x11" * 20 if other == "contract" else contracts.addresses[contract]
    domain = spec.compute_domain_separator(name, chain_id, address)
    signer = world.people.stranger if other == "key" else key
    return domain, round_.round_id + (other == "round"), signer


def sign_entry(world, round_, other):
    domain, round_id, signer = choose(world, round_, other, key=world.clients[1])
    commitment = round_.commitment(1)
    named = {"round_id": round_id, "client": 1, "commitment": commitment}
    digest = spec.compute_commitment_digest(domain_separator=domain, **named)
    return spec.SignedMember(client=1, commitment=commitment, signature=signing.sign_digest(signer, digest))


def sign_receipt(world, round_, other):
    domain, round_id, signer = choose(world, round_, other, key=world.people.aggregator)
    named = {"client": 1, "commitment": round_.commitment(1)}
    digest = spec.compute_receipt_digest(domain_separator=domain, round_id=round_id, **named)
    signature = signing.sign_digest(signer, digest)
    return encode_commitment(SignedCommitment(round_id=round_.round_id, **named, signature=signature))


def sign_publication(world, round_, other):
    domain, round_id, signer = choose(world, round_, other, key=world.clients[1])
    content = to_content(raw_cid(bytes(32)))
    named = {"round_id": round_id, "client": 1, "content": content}
    digest = spec.compute_publication_digest(domain_separator=domain, **named)
    signature = signing.sign_digest(signer, digest)
    return list_publications(
        world, round_, [spec.ManifestEntry(client=1, reason=0, content=content, signature=signature)]
    )


def list_publications(world, round_, entries):
    nothing = {"base": None, "aggregate": None, "model": None}
    domain = world.chain.domain_separator
    listed = spec.Manifest(domain_separator=domain, round_id=round_.round_id, entries=tuple(entries), **nothing)
    return spec.encode_manifest(listed)


def sign_statement(world, round_, other):
    attestor, key = next(iter(world.attestors.items()))
    where = {"name": certificates.BOARD_NAME, "contract": "board"}
    domain, round_id, signer = choose(world, round_, other, key=key, **where)
    said = Statement(segments_hash=world.chain.get_round(round_.round_id).segments_hash, excluded=b"")
    signature = signing.sign_digest(signer, said.compute_digest(domain, round_id))
    return encode_signed(Signed(attestor=attestor, statement=said, signature=signature))


def read_all(world, round_, other):
    """Yield every message that is judged off chain, signed for something else, with who reads it."""
    record = round_.record()
    entry = spec.encode_signed_list([sign_entry(world, round_, other)])
    yield "list", lambda: read_list(world, round_.round_id, entry)
    receipt = sign_receipt(world, round_, other)
    yield "receipt", lambda: read_receipt(world, round_.round_id, receipt)
    publication = sign_publication(world, round_, other)
    yield "publication", lambda: read_publications(record, publication)
    statement = sign_statement(world, round_, other)
    yield "statement", lambda: read_statement(world, round_, statement)


@pytest.mark.parametrize("other", OTHERS)
def test_defended_no_signed_message_is_taken_for_another_round_chain_contract_or_key(world, other):
    round_ = world.open().commit()
    for kind, read in read_all(world, round_, None):
        assert read(), kind
    for kind, read in read_all(world, round_, other):
        with pytest.raises(FedtrailError):
            read()
            pytest.fail(f"{kind} of another {other}")


def test_defended_no_signature_of_one_kind_is_taken_for_another_kind(world):
    """Commitments, receipts, publications and statements name their kind in what is signed."""
    round_ = world.open().commit()
    record, entry = round_.record(), round_.entry(1)
    named = {"round_id": round_.round_id, "client": 1, "commitment": entry.commitment}
    # An aggregator whose client signs cannot use that as a receipt, nor a client its commitment as a publication.
    own = signing.sign_digest(
        world.people.aggregator,
        spec.compute_commitment_digest(domain_separator=world.chain.domain_separator, **named),
    )
    with pytest.raises(spec.WrongSigner):
        read_receipt(world, round_.round_id, encode_commitment(SignedCommitment(**named, signature=own)))
    content = spec.ContentId(codec=0x55, digest=entry.commitment)
    listed = [spec.ManifestEntry(client=1, reason=0, content=content, signature=entry.signature)]
    with pytest.raises(FedtrailError):
        read_publications(record, list_publications(world, round_, listed))


def test_defended_lists_are_in_rising_order_with_each_client_once(world):
    round_ = world.open()
    entries = [round_.entry(client) for client in round_.clients]
    parts = [spec.encode_signed_list([entry]) for entry in entries]
    for wrong in ([parts[1], parts[0]], [parts[0], parts[0]]):
        with pytest.raises(spec.SpecError):
            spec.decode_signed_list(b"".join(wrong))
        with pytest.raises(Reverted, match="NotRising"):
            world.call("ledger", "commitBatch", round_.round_id, b"".join(wrong), by=world.people.relayer)
    lines = [b"".join((n.to_bytes(4, "big"), bytes(99))) for n in (1, 2)]
    header = list_publications(world, round_, [])
    count = (2).to_bytes(4, "big")
    for wrong in (lines[::-1], [lines[0], lines[0]]):
        with pytest.raises(spec.SpecError):
            spec.decode_manifest(header[:44] + count + header[48:] + b"".join(wrong))
    reveals = [spec.Reveal(owner=owner, peer=0, seed=bytes([owner]) * 32) for owner in (1, 2)]
    shown = [spec.encode_reveals([each]) for each in reveals]
    for wrong in (shown[::-1], [shown[0], shown[0]]):
        with pytest.raises(spec.SpecError):
            spec.decode_reveals(b"".join(wrong))


@pytest.mark.parametrize("other", OTHERS)
def test_defended_a_certificate_is_of_its_round_board_and_committee(world, other):
    board = world.chain.contracts.addresses["board"]
    world.call("board", "setCommittee", list(world.attestors), 2, by=world.people.governor)
    round_ = world.open(board=board).commit()
    where = {"name": certificates.BOARD_NAME, "contract": "board"}
    view = world.chain.get_round(round_.round_id)
    world.wait_until(view.data_end + 1)

    def certify(other, signers=(0, 1)):
        keys = list(world.attestors.values())
        signatures = {}
        for at, signer in enumerate(signers):
            domain, round_id, key = choose(world, round_, other, key=keys[signer], **where)
            named = {"segments_hash": view.segments_hash, "exclusions_hash": keccak(b"")}
            digest = certificates.compute_available_digest(domain_separator=domain, round_id=round_id, **named)
            signatures[at] = signing.sign_digest(key, digest)
        made = make_certificate([], signatures)
        args = (round_.round_id, 1, made.excluded, made.signers, made.signatures)
        world.call("board", "certify", *args, by=world.people.stranger)

    for attempt in ({"other": other}, {"other": None, "signers": (1, 0)}, {"other": None, "signers": (0, 0)}):
        with pytest.raises(FedtrailError):
            certify(**attempt)
    certify(None)
    with pytest.raises(FedtrailError):  # the very same once more
        certify(None)


def test_defended_a_key_proof_serves_one_identity_one_registry_and_one_purpose(world):
    new, owner, contracts = make_key("substitute"), world.people.owner, world.chain.contracts
    cold = bytes.fromhex(owner.address[2:])
    address, deadline = bytes.fromhex(new.address[2:]), 2**40
    home = contracts.registry_domain_separator
    elsewhere = [
        spec.compute_domain_separator(spec.REGISTRY_NAME, 1, contracts.registry),
        spec.compute_domain_separator(spec.REGISTRY_NAME, contracts.chain_id, contracts.ledger),
    ]
    rotations = [
        spec.compute_rotate_digest(domain_separator=domain, participant=number, signer=address, deadline=deadline)
        for domain, number in [(home, 2), *((domain, 1) for domain in elsewhere)]
    ]
    registering = {"owner": cold, "signer": address, "role": int(Role.CLIENT), "deadline": deadline}
    rotations.append(spec.compute_register_digest(domain_separator=home, **registering))
    for digest in rotations:
        proof = signing.sign_digest(new, digest)
        with pytest.raises(spec.WrongSigner):
            world.call("registry", "rotateKey", 1, address, deadline, proof[:32], proof[32:], by=owner)
    right = spec.compute_rotate_digest(domain_separator=home, participant=1, signer=address, deadline=deadline)
    stolen = signing.sign_digest(make_key("another"), right)
    with pytest.raises(spec.WrongSigner):
        world.call("registry", "rotateKey", 1, address, deadline, stolen[:32], stolen[32:], by=owner)
    proof = signing.sign_digest(new, right)
    world.call("registry", "rotateKey", 1, address, deadline, proof[:32], proof[32:], by=owner)
    with pytest.raises(Reverted, match="SignerTaken"):
        world.call("registry", "rotateKey", 1, address, deadline, proof[:32], proof[32:], by=owner)


def test_defended_no_transaction_of_a_round_is_taken_a_second_time(world):
    round_ = world.open().commit().propose()
    round_.finalise()
    sent = list(list_transactions(world))
    answers = world.node.batch([("eth_sendRawTransaction", [f"0x{each.data.hex()}"]) for each in sent])
    assert {each.kind for each in sent} >= {f"transaction: {name}" for name in ("openRound", "propose", "finalise")}
    assert all("error" in answer for answer in answers)


def test_defended_an_encryption_key_is_announced_by_its_participant_alone(world):
    key = bytes([5]) * 32
    for by in (world.people.stranger, world.people.aggregator, world.clients[2]):
        with pytest.raises(Reverted, match="NotSpeaker"):
            world.send("announce_key", 1, key, by=by)
    old = world.clients[1]
    world.send("announce_key", 1, key, by=old)
    world.send("rotate_key", 1, make_key("client 1, second key"), by=world.people.owner)
    with pytest.raises(Reverted, match="NotSpeaker"):
        world.send("announce_key", 1, bytes([6]) * 32, by=old)
    assert [each.key for each in world.chain.list_encryption_keys(1)] == [key]
