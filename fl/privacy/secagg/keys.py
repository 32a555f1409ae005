"""Key agreement of two clients, and what they send each other through a server that neither trusts.

Every client makes an X25519 key for one round and says its public half aloud. A pair's *seed* comes from these two, so
that one of them suffices to recover it when its owner is gone. What the two send each other is encrypted under a key
from these two *and* from the two that are registered on chain: who swaps a key of the round cannot open or write a
message, and who steals a registered key later learns nothing of rounds that are over.
"""

from __future__ import annotations

from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ledger.errors import ShareRejected

KEY_BYTES = 32
TAG_BYTES = 16


@lru_cache(maxsize=1024)
def _load(private: bytes) -> X25519PrivateKey:
    """Loading a key costs as much as an agreement: it works the public half out."""
    return X25519PrivateKey.from_private_bytes(private)


def compute_public_key(private: bytes) -> bytes:
    """Return the public half of a private key; 32 bytes each."""
    return _load(private).public_key().public_bytes_raw()


def agree(private: bytes, public: bytes, *, peer: int) -> bytes:
    """Return the shared secret, 32 bytes.

    Raises: ShareRejected: the public key is one of the few that fix the result whatever the private key is.
    """
    try:
        return _load(private).exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError as error:
        raise ShareRejected(client=peer, what=f"its key is none ({error})") from None


def derive(secret: bytes, *, context: bytes, info: bytes, size: int = KEY_BYTES) -> bytes:
    """Return HKDF-SHA256 of a shared secret (RFC 5869). Args: context: of the round. info: what the key is for."""
    return HKDF(algorithm=hashes.SHA256(), length=size, salt=context, info=info).derive(secret)


def derive_pair_seed(secret: bytes, *, context: bytes, keys: dict[int, bytes]) -> bytes:
    """Return the seed of a pair's mask, 32 bytes.

    Args: secret: of the two keys of the round. keys: public key of the round by client: of these two.
    """
    return derive(secret, context=context, info=b"seed" + _name(keys))


def derive_channel_key(
    secret: bytes, registered: bytes, *, context: bytes, keys: dict[int, bytes], sender: int
) -> bytes:
    """Return the key of what one of a pair sends the other, 32 bytes.

    Args: secret, registered: shared secrets of the keys of the round, and of those on chain. keys: as above.
    """
    info = b"channel" + sender.to_bytes(4, "big") + _name(keys)
    return derive(secret + registered, context=context, info=info)


def _name(keys: dict[int, bytes]) -> bytes:
    return b"".join(client.to_bytes(4, "big") + keys[client] for client in sorted(keys))


def seal(key: bytes, plaintext: bytes, *, header: bytes, nonce: bytes) -> bytes:
    """Return header, then ciphertext and tag (AES-256-GCM); the header is authenticated."""
    return header + AESGCM(key).encrypt(nonce, plaintext, header)


def unseal(key: bytes, ciphertext: bytes, *, header: bytes, nonce: bytes, sender: int) -> bytes:
    """Return the plaintext. Raises: ShareRejected: it is not what the sender sealed."""
    try:
        return AESGCM(key).decrypt(nonce, ciphertext, header)
    except InvalidTag:
        raise ShareRejected(client=sender, what="it was not sealed by that client for this round") from None
