"""Updates sealed to their audience: HPKE (RFC 9180) for each reader, one ciphertext for all (docs/protocol.md §15).

All randomness comes from one seed, and the seed is what every reader gets. Who opens an update can therefore seal it
again, and refuses it unless the very same bytes come out (the check of Fujisaki and Okamoto 1999). So whether an update
is sealed as it should be does not depend on who asks: a client cannot show one reader a good update and another one
garbage, and one changed bit anywhere is seen by all.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from ledger import spec
from ledger.spec.audience import (
    Envelope,
    Reader,
    Stanza,
    decode_sealed,
    encode_sealed_header,
    encode_stanzas,
    pad,
    unpad,
)
from ledger.spec.errors import SealBroken

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
    from pyhpke import CipherSuite

LABEL = b"fedtrail/audience/1/"
_NO_NONCE = bytes(12)
"""A content key seals once: a seed is new for every update, and the key is bound to the header."""


class UnusableKey(ValueError):
    """A reader's public key is one of the few with which no secret can be shared.

    Args: participant: the reader.
    """

    def __init__(self, participant: int) -> None:
        super().__init__(participant)
        self.participant = participant


def seal_update(update: bytes, envelope: Envelope, seed: bytes) -> bytes:
    """Return an update that its readers alone can open; the same arguments give the same bytes.

    Args: update: at most `envelope.max_bytes`. seed: 32 random bytes, for this update only.
    Raises: WrongLength: it is longer. UnusableKey: a reader has no key, or one that is none.
    """
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    header = encode_sealed_header(envelope)
    stanzas = encode_stanzas([_wrap(seed, reader, header) for reader in envelope.readers])
    key = _derive(seed, b"content", header)
    padded = pad(update, envelope.max_bytes)
    return header + stanzas + ChaCha20Poly1305(key).encrypt(_NO_NONCE, padded, header + stanzas)


def open_update(blob: bytes, envelope: Envelope, key: X25519PrivateKey) -> bytes:
    """Return the update in a sealed one.

    Args: key: private key of one of the envelope's readers.
    Raises: what `spec.audience.decode_sealed` raises; SealBroken: it is not what sealing its content gives.
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    sealed = decode_sealed(blob, envelope)
    header = encode_sealed_header(envelope)
    public = key.public_key().public_bytes_raw()
    place = [reader.key for reader in envelope.readers].index(public)
    try:
        seed = _unwrap(sealed.stanzas[place], envelope.readers[place], header, key)
        aad = header + encode_stanzas(sealed.stanzas)
        padded = ChaCha20Poly1305(_derive(seed, b"content", header)).decrypt(_NO_NONCE, sealed.ciphertext, aad)
        update = unpad(padded)
        is_same = seal_update(update, envelope, seed) == blob
    except (InvalidTag, ValueError, spec.SpecError):
        is_same = False
    if not is_same:
        raise SealBroken(client=envelope.client, what="sealing what it holds does not give these bytes")
    return update


def _wrap(seed: bytes, reader: Reader, header: bytes) -> Stanza:
    suite = _suite()
    ephemeral = suite.kem.derive_key_pair(_derive(seed, b"reader" + _name(reader), header))
    try:
        public = suite.kem.deserialize_public_key(reader.key)
        encapsulation, context = suite.create_sender_context(public, info=_make_info(reader, header), eks=ephemeral)
    except ValueError:
        raise UnusableKey(reader.participant) from None
    return Stanza(
        participant=reader.participant,
        epoch=reader.epoch,
        encapsulation=encapsulation,
        wrapped_seed=context.seal(seed),
    )


def _unwrap(stanza: Stanza, reader: Reader, header: bytes, key: X25519PrivateKey) -> bytes:
    from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

    suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
    return suite.decrypt(stanza.encapsulation + stanza.wrapped_seed, key, _make_info(reader, header))


def _make_info(reader: Reader, header: bytes) -> bytes:
    return LABEL + b"seed" + header + _name(reader)


def _name(reader: Reader) -> bytes:
    return reader.participant.to_bytes(4, "big") + reader.epoch.to_bytes(4, "big")


def _derive(seed: bytes, what: bytes, header: bytes) -> bytes:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=LABEL + what + header).derive(seed)


@cache
def _suite() -> CipherSuite:
    """HPKE with the ephemeral key of our choosing, which `cryptography` does not offer; it opens what this makes."""
    from pyhpke import AEADId, CipherSuite, KDFId, KEMId

    return CipherSuite.new(KEMId.DHKEM_X25519_HKDF_SHA256, KDFId.HKDF_SHA256, AEADId.CHACHA20_POLY1305)
