import pytest
from eth_account import Account
from eth_keys.backends import NativeECCBackend
from eth_keys.datatypes import PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from ledger import signing, spec

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
digests = st.binary(min_size=32, max_size=32)
accounts = st.integers(min_value=1, max_value=ORDER - 1).map(
    lambda secret: Account.from_key(secret.to_bytes(32, "big"))
)


def to_bytes(account):
    return bytes.fromhex(account.address[2:])


@given(accounts, digests)
def test_a_signature_recovers_to_its_signer(account, digest):
    signature = signing.sign_digest(account, digest)
    assert len(signature) == 64
    assert signing.recover(digest, signature) == to_bytes(account)


@given(accounts, digests)
def test_signatures_have_the_low_s(account, digest):
    signature = signing.sign_digest(account, digest)
    assert int.from_bytes(signature[32:], "big") & ((1 << 255) - 1) <= ORDER // 2


def test_a_high_s_is_refused():
    digest = spec.keccak256(b"a digest")
    r = signing.sign_digest(Account.from_key(b"\x07" * 32), digest)[:32]
    # Both values of s recover to somebody: only the rule against malleable twins tells them apart (EIP-2).
    assert signing.recover(digest, r + (ORDER // 2).to_bytes(32, "big")) != signing.NO_SIGNER
    assert signing.recover(digest, r + (ORDER // 2 + 1).to_bytes(32, "big")) == signing.NO_SIGNER


@given(accounts, digests, st.integers(min_value=0, max_value=511))
def test_no_flipped_bit_recovers_to_the_signer(account, digest, bit):
    signature = bytearray(signing.sign_digest(account, digest))
    signature[bit // 8] ^= 1 << bit % 8
    assert signing.recover(digest, bytes(signature)) != to_bytes(account)


def test_signing_agrees_with_pure_python():
    account = Account.from_key(b"\x07" * 32)
    digest = spec.keccak256(b"a digest")
    pure = PrivateKey(b"\x07" * 32, NativeECCBackend()).sign_msg_hash(digest)
    want = pure.r.to_bytes(32, "big") + (pure.s | pure.v << 255).to_bytes(32, "big")
    assert signing.sign_digest(account, digest) == want


def test_zeros_recover_to_nobody():
    assert signing.recover(bytes(32), bytes(64)) == signing.NO_SIGNER


@pytest.mark.parametrize("digest, signature", [(bytes(31), bytes(64)), (bytes(32), bytes(65)), (bytes(32), b"")])
def test_wrong_lengths_are_refused(digest, signature):
    with pytest.raises(spec.WrongLength):
        signing.recover(digest, signature)
