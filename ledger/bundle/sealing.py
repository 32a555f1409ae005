"""Blobs for one reader's eyes: HPKE to an X25519 key, and the key files of recipients and signers.

Source: RFC 9180, base mode: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20Poly1305. Key files are PKCS 8 in PEM, as
`openssl genpkey -algorithm X25519` writes them, encrypted with a password unless none was wanted.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from ledger.bundle.format import FORMAT
from ledger.errors import BlobCorrupt, ConfigurationError, KeyExists, KeyMissing, UsageError, WrongPassword
from ledger.spec import Bytes
from ledger.store import Cid

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
    from cryptography.hazmat.primitives.hpke import Suite

KEY_BYTES = 32
OVERHEAD_BYTES = KEY_BYTES + 16
"""What sealing adds: an ephemeral key and an authenticator."""


def seal(blob: Bytes, cid: Cid, recipient: bytes) -> bytes:
    """Return a blob encrypted to a public key; it opens under its own identifier only.

    Args: recipient: 32 bytes.
    """
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

    return _suite().encrypt(bytes(blob), X25519PublicKey.from_public_bytes(recipient), _info(cid))


def unseal(sealed: bytes, cid: Cid, key: X25519PrivateKey) -> bytes:
    """Return the blob in what `seal` made.

    Raises: BlobCorrupt: it was sealed to another key or for another identifier, or was changed.
    """
    from cryptography.exceptions import InvalidTag

    try:
        return _suite().decrypt(sealed, key, _info(cid))
    except (InvalidTag, ValueError):
        raise BlobCorrupt(
            f"sealed block {cid} does not open: it was changed, or sealed to another key", cid=cid, got="nothing"
        ) from None


def _suite() -> Suite:
    from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

    return Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)


def _info(cid: Cid) -> bytes:
    return f"{FORMAT} {cid}".encode()


def get_public(key: Ed25519PrivateKey | X25519PrivateKey) -> bytes:
    """Return the public half of a key, 32 bytes."""
    return key.public_key().public_bytes_raw()


def parse_recipient(text: str) -> bytes:
    """Return a recipient's public key from its 64 hex digits. Raises: UsageError."""
    with contextlib.suppress(ValueError):
        if len(key := bytes.fromhex(text)) == KEY_BYTES and key.hex() == text:
            return key
    raise UsageError(
        f"'{text[:80]}' is no recipient: 64 hex digits in lower case", hint="the auditor prints it: fedtrail bundle key"
    )


def make_recipient_key(path: Path, password: str | None) -> bytes:
    """Make a key that bundles can be sealed to, and return its public half. Raises: KeyExists."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    return _save(path, X25519PrivateKey.generate(), password)


def make_signing_key(path: Path, password: str | None) -> bytes:
    """Make a key that signs bundles, and return its public half. Raises: KeyExists."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return _save(path, Ed25519PrivateKey.generate(), password)


def load_recipient_key(path: Path, password: str | None) -> X25519PrivateKey:
    """Return the key in a file. Raises: KeyMissing, WrongPassword, ConfigurationError: it is no X25519 key."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    key = _load(path, password)
    if isinstance(key, X25519PrivateKey):
        return key
    raise _another_kind(path)


def load_signing_key(path: Path, password: str | None) -> Ed25519PrivateKey:
    """Return the key in a file. Raises: KeyMissing, WrongPassword, ConfigurationError: it is no Ed25519 key."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = _load(path, password)
    if isinstance(key, Ed25519PrivateKey):
        return key
    raise _another_kind(path)


def is_encrypted(path: Path) -> bool:
    """Whether a key file needs a password. Raises: KeyMissing."""
    return b"ENCRYPTED" in _read(path)


def _save(path: Path, key: Ed25519PrivateKey | X25519PrivateKey, password: str | None) -> bytes:
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        KeySerializationEncryption,
        NoEncryption,
        PrivateFormat,
    )

    how: KeySerializationEncryption = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise KeyExists(name=path.name, path=path.parent) from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return get_public(key)


def _load(path: Path, password: str | None) -> object:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    data = _read(path)
    try:
        return load_pem_private_key(data, password.encode() if password and is_encrypted(path) else None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as problem:
        if is_encrypted(path):
            raise WrongPassword(name=path.name) from None
        raise ConfigurationError(f"{path} is no key file: {problem}"[:300]) from None


def _another_kind(path: Path) -> ConfigurationError:
    hint = "fedtrail bundle key --help tells the two kinds"
    return ConfigurationError(f"{path} holds another kind of key than this needs", hint=hint)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, IsADirectoryError):
        raise KeyMissing(name=path.name, path=path.parent, hint="make one: fedtrail bundle key FILE") from None
