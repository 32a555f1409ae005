"""What is said in one full round, message by message, each with who judges it.

Contracts judge what they take from anybody because of a signature inside: key proofs, commitments, certificates; and
the outcome, which must be the proposed one. Transactions are judged as nodes do. Functions of the product judge what
passes between parties and what lies in stores.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from bit_flips import Message, calling, reading
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from eth_utils.crypto import keccak
from ledger_world import ETHER, UNAVAILABLE, StagedRound, World, make_key
from masked_maker import MaskedMaker
from masked_rounds import make_round
from round_maker import DOMAIN, LAYOUT, SIZE, RoundMaker, fetched, update_values

from ledger import artifacts, availability, commitments, signing, spec
from ledger.audit import is_published, judge_update
from ledger.chain import Role
from ledger.chain.abi import get_interface
from ledger.chain.connection import get_scope
from ledger.errors import BadProof, BlobCorrupt
from ledger.evidence import rlp
from ledger.history import raw_cid, to_cid
from ledger.records import RoundRecord
from ledger.sealed_updates import open_update, seal_update
from ledger.spec import narrow
from ledger.spec.audience import Envelope, Reader
from ledger.statements import (
    Signed,
    SignedCommitment,
    Statement,
    decode_commitment,
    decode_signed,
    encode_commitment,
    encode_signed,
)
from ledger.store import Cid

_TX_FIELDS, _SIGNED_FIELDS, _DATA_FIELD = 12, 9, 7
_THRESHOLD = 2
_WORD = 32
_BEFORE_ROUNDS = ("createTask", "setCommittee")


def list_messages(world: World) -> Iterator[Message]:
    """Yield every message of a round; each is to be judged before the next is asked for, since the round goes on."""
    yield from list_key_proofs(world)
    yield from play_round(world)
    yield from play_listed_round(world)
    yield from list_transactions(world)
    yield from list_masked_messages()
    yield make_narrow_update()
    yield make_sealed_update()


# ---------------------------------------------------------------------------------------------------------- contracts


def list_key_proofs(world: World) -> Iterator[Message]:
    """Yield the calls by which a signing key is registered and replaced."""
    owner, contracts = world.people.owner, world.chain.contracts
    cold = bytes.fromhex(owner.address[2:])
    register = contracts.register(role=Role.CLIENT, owner=cold, signer=make_key("new"), stake_wei=ETHER)
    yield calling("registration of a key", world.node, register)
    rotate = contracts.rotate_key(participant=1, signer=make_key("next"))
    yield calling("rotation of a key", world.node, rotate, sender=owner.address)


def play_round(world: World) -> Iterator[Message]:
    """Yield what is said in a round of four clients with attestors, one of whose updates is missing."""
    contracts, node = world.chain.contracts, world.node
    world.send("announce_key", 1, hashlib.sha256(b"x25519").digest(), by=world.people.owner)
    world.call("board", "setCommittee", list(world.attestors), _THRESHOLD, by=world.people.governor)
    round_ = world.open(board=contracts.addresses["board"])
    batch = contracts.commit_batch(round_.round_id, [round_.entry(client) for client in (1, 2)])
    yield calling("batch of commitments", node, batch, (0, len(batch.data) - _count_padding(100 * 2)))
    round_.commit()
    round_.silent.add(4)
    round_.leave_out(client_4=UNAVAILABLE)
    statements = [_sign_statement(world, round_, attestor) for attestor in list(world.attestors)[:_THRESHOLD]]
    yield reading("statement of an attestor", statements[0], lambda data: read_statement(world, round_, data))
    signed = {at: decode_signed(each).signature for at, each in enumerate(statements)}
    made = availability.make_certificate(_list_excluded(round_), signed)
    world.wait_until(world.chain.get_round(round_.round_id).data_end + 1)
    certify = (round_.round_id, 1, made.excluded, made.signers, made.signatures)
    call = contracts.to("board", "certify", *certify)
    excluded_end = call.data.index(made.excluded, 4 + 6 * _WORD) + len(made.excluded)
    signatures_at = excluded_end + _count_padding(len(made.excluded))
    yield calling("certificate", node, call, (0, excluded_end), (signatures_at, len(call.data)))
    world.call("board", "certify", *certify, by=world.people.stranger)
    data_id = round_.publish()
    round_.propose(data_id=data_id)
    world.send("record_scores", round_.round_id, "effort", [(1, 5)], bytes([7]) * 32, by=world.people.aggregator)
    yield from _list_published(world, round_, data_id)
    world.wait_until(world.chain.get_round(round_.round_id).challenge_end + 1)
    yield calling("outcome", node, contracts.to_ledger("finalise", round_.round_id, _outcome_of(round_)))
    round_.finalise()


def _count_padding(size: int) -> int:
    """Return the zeros after the last bytes of an argument, which mean nothing to a contract."""
    return -size % _WORD


def _list_excluded(round_: StagedRound) -> list[tuple[int, int]]:
    return sorted(round_.excluded.items())


def _outcome_of(round_: StagedRound) -> tuple[bytes, ...]:
    claim = round_.claim
    named = {name: getattr(claim, name) for name in ("segments_hash", "excluded", "aux", "included")}
    outcome = spec.make_outcome(claim.proposal, **named)
    return (outcome.aggregate_root, outcome.matrix_root, outcome.model_root, outcome.details_hash)


# ------------------------------------------------------------------------------------------- between parties, in stores


def _sign_statement(world: World, round_: StagedRound, attestor: int) -> bytes:
    segments_hash = world.chain.get_round(round_.round_id).segments_hash
    said = Statement(segments_hash=segments_hash, excluded=spec.encode_exclusions(_list_excluded(round_)))
    digest = said.compute_digest(world.chain.contracts.board_domain_separator, round_.round_id)
    signature = signing.sign_digest(world.attestors[attestor], digest)
    return encode_signed(Signed(attestor=attestor, statement=said, signature=signature))


def read_statement(world: World, round_: StagedRound, data: bytes) -> Signed:
    signed = decode_signed(data)
    digest = signed.statement.compute_digest(world.chain.contracts.board_domain_separator, round_.round_id)
    signer = world.attestors.get(signed.attestor)
    _require_signer(digest, signed.signature, signer)
    return signed


def _require_signer(digest: bytes, signature: bytes, signer: Any) -> None:
    if len(signature) != signing.SIGNATURE_BYTES or signer is None:
        raise spec.NotCanonical(what="signature")
    got = signing.recover(digest, signature)
    if got.hex() != signer.address[2:].lower():
        raise spec.WrongSigner(got=got.hex(), want=signer.address, client="?")


def _list_published(world: World, round_: StagedRound, data_id: bytes) -> Iterator[Message]:
    record, store = round_.record(), world.store
    manifest = spec.decode_manifest(store.get_block(raw_cid(data_id)))
    listed = spec.Manifest(
        domain_separator=record.domain_separator,
        round_id=record.round_id,
        base=None,
        aggregate=None,
        model=None,
        entries=tuple(entry for entry in manifest.entries if entry.content is not None),
    )
    data = spec.encode_manifest(listed)
    yield reading("list of publications", data, lambda changed: read_publications(record, changed))
    member, entry = record.members[0], manifest.entries[0]
    update = record.updates[member.client].data or b""
    yield reading("update", update, lambda changed: judge_update(record, member, fetched(changed))[1].tobytes())
    contents = {"base model": manifest.base, "aggregate": manifest.aggregate, "model": manifest.model}
    places = {"manifest": raw_cid(data_id), "stored update": to_cid(entry.content)}
    places |= {"layout": raw_cid(record.task.layout_digest)}
    for kind, cid in {**places, **{kind: to_cid(content) for kind, content in contents.items()}}.items():
        assert cid is not None
        yield _storing(world, kind, cid)


def read_publications(record: RoundRecord, data: bytes) -> list[Any]:
    """Return who said where its update is, as attestors and aggregators read it: reasons mean nothing there."""
    listed = spec.decode_manifest(data)
    if (listed.domain_separator, listed.round_id) != (record.domain_separator, record.round_id):
        raise spec.WrongRound(got=listed.round_id, want=record.round_id)
    for entry in listed.entries:
        if not is_published(record, entry.client, entry.content, entry.signature):
            raise spec.NotCanonical(what="publication")
    return [(entry.client, entry.content, entry.signature) for entry in listed.entries]


def _storing(world: World, kind: str, cid: Cid) -> Message:
    """Return a block that lies in a store: what every store does whenever it reads one (tests/store has the files)."""

    def read(block: bytes) -> bytes:
        if (got := Cid.of(block, cid.codec)) != cid:
            raise BlobCorrupt(cid=cid, got=got.digest.hex())
        return block

    return reading(kind, world.store.get_block(cid), read)


def play_listed_round(world: World) -> Iterator[Message]:
    """Yield what is said in root-only mode: the list of signed commitments, and a receipt."""
    round_ = world.open(mode=spec.CommitMode.ROOT_ONLY)
    entries = [round_.entry(client) for client in round_.clients]
    batch = spec.encode_signed_list(entries)
    yield reading("list of commitments", batch, lambda data: read_list(world, round_.round_id, data))
    named = {"round_id": round_.round_id, "client": 1, "commitment": entries[0].commitment}
    digest = spec.compute_receipt_digest(domain_separator=world.chain.domain_separator, **named)  # type: ignore[arg-type]
    signature = signing.sign_digest(world.people.aggregator, digest)
    receipt = encode_commitment(SignedCommitment(**named, signature=signature))  # type: ignore[arg-type]
    yield reading("receipt", receipt, lambda data: read_receipt(world, round_.round_id, data))
    round_.commit()


def read_list(world: World, round_id: int, data: bytes) -> list[Any]:
    entries = spec.decode_signed_list(data)
    for entry in entries:
        named = {"round_id": round_id, "client": entry.client, "commitment": entry.commitment}
        digest = commitments.compute_commitment_digest(domain_separator=world.chain.domain_separator, **named)  # type: ignore[arg-type]
        _require_signer(digest, entry.signature, world.clients.get(entry.client))
    return list(entries)


def read_receipt(world: World, round_id: int, data: bytes) -> SignedCommitment:
    said = decode_commitment(data)
    if said.round_id != round_id:
        raise spec.WrongRound(got=said.round_id, want=round_id)
    named = {"round_id": said.round_id, "client": said.client, "commitment": said.commitment}
    digest = spec.compute_receipt_digest(domain_separator=world.chain.domain_separator, **named)  # type: ignore[arg-type]
    _require_signer(digest, said.signature, world.people.aggregator)
    return said


# ------------------------------------------------------------------------------------------------------- transactions


@cache
def _name_functions() -> dict[bytes, str]:
    functions = [item for name in artifacts.CONTRACTS for item in get_interface(name).functions.values()]
    return {item.signature_hash[:4]: item.name for item in functions}


def list_transactions(world: World) -> Iterator[Message]:
    """Yield the transactions of rounds that were sent, one of each function."""
    scope = get_scope(world.setup.connection, world.setup.network.chain_id)
    entries = {_name_functions().get(_get_data(entry.raw)[:4]): entry for entry in world.journal.entries(scope)}
    for name, entry in entries.items():
        if name in _BEFORE_ROUNDS:
            continue
        sender = entry.sender
        yield reading(f"transaction: {name}", entry.raw, lambda raw, sender=sender: read_transaction(raw, sender))


def _get_data(raw: bytes) -> bytes:
    return bytes(rlp.decode(raw[1:])[_DATA_FIELD])  # type: ignore[arg-type]


def read_transaction(raw: bytes, sender: bytes) -> bytes:
    """Return the signed part of a transaction (EIP-1559), as a node reads it.

    Raises: BadProof: not canonical. WrongSigner: another account's: one that nobody holds the key of, without ETH.
    """
    if raw[:1] != b"\x02":
        raise BadProof(what="no transaction of type 2")
    fields = rlp.decode(raw[1:])
    if not isinstance(fields, list) or len(fields) != _TX_FIELDS:
        raise BadProof(what="no transaction")
    parity, r, s = map(rlp.decode_int, fields[_SIGNED_FIELDS:])
    if parity > 1 or r >> 256 or s >> 255:
        raise BadProof(what="no signature")
    signed = b"\x02" + rlp.encode(fields[:_SIGNED_FIELDS])
    got = signing.recover(keccak(signed), r.to_bytes(32, "big") + (parity << 255 | s).to_bytes(32, "big"))
    if got != sender:
        raise spec.WrongSigner(got=got.hex(), want=sender.hex(), client="?")
    return signed


# ------------------------------------------------------------------------------------------------------------- masking


def list_masked_messages() -> Iterator[Message]:
    """Yield what is said in a masked round: between clients, to the aggregator, in public."""
    round_ = make_round(5, size=8, silent={5: "commit"}).exchange().mask()
    one, other = 1, 2
    sent = round_.sent[one][other]

    def receive(hello: bytes) -> Any:
        return round_.maskers[other].open_share({**round_.hellos, one: hello}, sent)

    yield reading("key of a masked round", round_.hellos[one], receive)
    yield reading("sealed shares", sent, lambda data: round_.maskers[other].open_share(round_.hellos, data))
    answer = round_.ask(one, round_.unmasker.make_request())
    yield reading("sealed answer", answer, round_.open)
    maker = MaskedMaker()
    record = maker.record()
    member = record.members[0]
    update = record.updates[member.client].data or b""
    yield reading("masked update", update, lambda data: judge_update(record, member, fetched(data))[1].tobytes())
    tables = {c: spec.make_seed_table(maker.seeds(c)) for c in maker.clients if c not in maker.reasons}
    yield reading("revealed seeds", record.aux, lambda data: _read_reveals(data, tables))


def _read_reveals(data: bytes, tables: dict[int, Sequence[spec.SeedLine]]) -> list[spec.Reveal]:
    reveals = spec.decode_reveals(data)
    spec.verify_reveals(reveals, tables)  # type: ignore[arg-type]
    return reveals


# --------------------------------------------------------------------------------------------- other forms of an update


def make_narrow_update() -> Message:
    """Return an update with 16 bits a coordinate."""
    maker = RoundMaker()
    record = replace(maker.record(), layout=replace(LAYOUT, terms=((narrow.TERM, narrow.TEXT),)))
    header = replace(maker.header(spec.Kind.UPDATE, 2), kind=spec.Kind.NARROW)
    update = spec.encode_vector(header, struct.pack(f"<{SIZE}h", *update_values(2)))
    member = record.members[0]
    return reading("narrow update", update, lambda data: judge_update(record, member, fetched(data))[1].tobytes())


def make_sealed_update() -> Message:
    """Return an update that is sealed to its author and an aggregator, who opens it."""
    author, aggregator = (X25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (2, 9))
    keys = [key.public_key().public_bytes_raw() for key in (author, aggregator)]
    maker = RoundMaker()
    envelope = Envelope(
        domain_separator=DOMAIN,
        round_id=maker.round_id,
        client=2,
        readers=tuple(Reader(participant=n, epoch=0, key=key) for n, key in zip((2, 9), keys, strict=True)),
        max_bytes=len(maker.blob(2)),
    )
    sealed = seal_update(maker.blob(2), envelope, bytes(range(32)))
    return reading("sealed update", sealed, lambda data: open_update(data, envelope, aggregator))
