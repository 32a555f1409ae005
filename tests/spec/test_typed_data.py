"""EIP-712 digests against an independent witness: eth_account's encoder, fed with type definitions by name."""

from __future__ import annotations

from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import SignableMessage, encode_typed_data
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from ledger import commitments, spec

DIGESTS = st.binary(min_size=32, max_size=32)
ADDRESSES = st.binary(min_size=20, max_size=20)
UINT32 = st.integers(0, (1 << 32) - 1)
UINT64 = st.integers(0, (1 << 64) - 1)
CHAIN_IDS = st.integers(1, (1 << 53) - 1)


def _encode(name: str, chain_id: int, contract: bytes, text: bytes, message: dict[str, Any]) -> SignableMessage:
    primary, _, rest = text.decode().partition("(")
    fields = [field.split() for field in rest.rstrip(")").split(",")]
    domain = {"name": name, "version": "1", "chainId": chain_id, "verifyingContract": "0x" + contract.hex()}
    types = {primary: [{"name": label, "type": kind} for kind, label in fields]}
    return encode_typed_data(domain_data=domain, message_types=types, message_data=message)


def _digest(message: SignableMessage) -> bytes:
    return keccak(b"\x19" + message.version + message.header + message.body)


@given(name=st.sampled_from([spec.LEDGER_NAME, spec.REGISTRY_NAME]), chain_id=CHAIN_IDS, contract=ADDRESSES)
def test_domain_separators_are_eth_accounts(name: str, chain_id: int, contract: bytes) -> None:
    message = _encode(
        name, chain_id, contract, spec.COMMITMENT_TYPE, {"roundId": 1, "client": 1, "commitment": bytes(32)}
    )
    assert spec.compute_domain_separator(name, chain_id, contract) == message.header


@given(chain_id=CHAIN_IDS, contract=ADDRESSES, round_id=UINT64, client=UINT32, digest=DIGESTS)
def test_commitment_digests_are_eth_accounts(
    chain_id: int, contract: bytes, round_id: int, client: int, digest: bytes
) -> None:
    fields = {"roundId": round_id, "client": client, "commitment": digest}
    message = _encode(spec.LEDGER_NAME, chain_id, contract, spec.COMMITMENT_TYPE, fields)
    arguments = {"domain_separator": message.header, "round_id": round_id, "client": client, "commitment": digest}
    assert spec.compute_commitment_digest(**arguments) == _digest(message)
    assert commitments.compute_commitment_digest(**arguments) == _digest(message)


@given(contract=ADDRESSES, round_id=UINT64, client=UINT32, digest=DIGESTS)
def test_receipt_digests_are_eth_accounts_and_no_commitment_digests(
    contract: bytes, round_id: int, client: int, digest: bytes
) -> None:
    fields = {"roundId": round_id, "client": client, "commitment": digest}
    message = _encode(spec.LEDGER_NAME, 31337, contract, spec.RECEIPT_TYPE, fields)
    arguments = {"domain_separator": message.header, "round_id": round_id, "client": client, "commitment": digest}
    assert spec.compute_receipt_digest(**arguments) == _digest(message)
    assert spec.compute_receipt_digest(**arguments) != spec.compute_commitment_digest(**arguments)


@given(contract=ADDRESSES, round_id=UINT64, client=UINT32, codec=st.sampled_from([0x55, 0x70]), digest=DIGESTS)
def test_publication_digests_are_eth_accounts(
    contract: bytes, round_id: int, client: int, codec: int, digest: bytes
) -> None:
    fields = {"roundId": round_id, "client": client, "codec": codec, "digest": digest}
    message = _encode(spec.LEDGER_NAME, 31337, contract, spec.PUBLICATION_TYPE, fields)
    content = spec.ContentId(codec=codec, digest=digest)
    arguments = {"domain_separator": message.header, "round_id": round_id, "client": client, "content": content}
    assert spec.compute_publication_digest(**arguments) == _digest(message)
    assert commitments.compute_publication_digest(**arguments) == _digest(message)


@given(contract=ADDRESSES, owner=ADDRESSES, signer=ADDRESSES, role=st.integers(0, 3), deadline=UINT64)
def test_register_digests_are_eth_accounts(
    contract: bytes, owner: bytes, signer: bytes, role: int, deadline: int
) -> None:
    fields = {"owner": "0x" + owner.hex(), "signer": "0x" + signer.hex(), "role": role, "deadline": deadline}
    message = _encode(spec.REGISTRY_NAME, 31337, contract, spec.REGISTER_TYPE, fields)
    got = spec.compute_register_digest(
        domain_separator=message.header, owner=owner, signer=signer, role=role, deadline=deadline
    )
    assert got == _digest(message)


@given(contract=ADDRESSES, participant=UINT32, signer=ADDRESSES, deadline=UINT64)
def test_rotate_digests_are_eth_accounts(contract: bytes, participant: int, signer: bytes, deadline: int) -> None:
    fields = {"id": participant, "signer": "0x" + signer.hex(), "deadline": deadline}
    message = _encode(spec.REGISTRY_NAME, 31337, contract, spec.ROTATE_TYPE, fields)
    got = spec.compute_rotate_digest(
        domain_separator=message.header, participant=participant, signer=signer, deadline=deadline
    )
    assert got == _digest(message)


@pytest.mark.parametrize("key", [bytes(31) + b"\x01", spec.keccak256(b"a key")])
def test_a_wallets_typed_signature_recovers_from_our_digest(key: bytes) -> None:
    account = Account.from_key(key)
    fields = {"roundId": 5, "client": 3, "commitment": b"\xbb" * 32}
    message = _encode(spec.LEDGER_NAME, 31337, b"\x5f" * 20, spec.COMMITMENT_TYPE, fields)
    digest = spec.compute_commitment_digest(
        domain_separator=spec.compute_domain_separator(spec.LEDGER_NAME, 31337, b"\x5f" * 20),
        round_id=5,
        client=3,
        commitment=b"\xbb" * 32,
    )
    signature = account.sign_message(message).signature
    assert Account._recover_hash(digest, signature=signature) == account.address
