"""Signatures over a bundle's manifest, or over what a verifier found: DSSE envelopes with Ed25519 keys as names.

Who signed is a fact to show, no ground for a verdict: that rests on the chain. Source: DSSE 1.0.2, in-toto.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ledger.bundle.format import MAX_ENVELOPE_BYTES, decode_json, encode_json
from ledger.bundle.sealing import get_public
from ledger.dsse import encode_pae
from ledger.errors import NotCanonical, Oversized, WrongSigner

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

PAYLOAD_TYPE = "application/vnd.fedtrail.bundle.v1+json"
STATEMENT_TYPE = "application/vnd.in-toto+json"
MAX_SIGNATURES = 16
_PREFIX = "ed25519:"


def sign_manifest(manifest: bytes, key: Ed25519PrivateKey, envelope: bytes | None = None) -> bytes:
    """Return an envelope over a manifest's bytes with one more signature, in place of an earlier one by the same key.

    Args: envelope: one that the bundle has already; it must be of this manifest.
    Raises: NotCanonical, WrongSigner: the given envelope is not in order. Oversized: too many signatures.
    """
    before = dict(read_signatures(envelope, manifest)) if envelope else {}
    before[_name(key)] = key.sign(encode_pae(PAYLOAD_TYPE, manifest))
    if len(before) > MAX_SIGNATURES:
        raise Oversized(f"a bundle has at most {MAX_SIGNATURES} signatures")
    return _encode(PAYLOAD_TYPE, manifest, sorted(before.items()))


def sign_statement(statement: bytes, key: Ed25519PrivateKey) -> bytes:
    """Return an envelope over an in-toto statement."""
    return _encode(STATEMENT_TYPE, statement, [(_name(key), key.sign(encode_pae(STATEMENT_TYPE, statement)))])


def verify_envelope(envelope: bytes, manifest: bytes) -> list[str]:
    """Return the public keys that signed a manifest, in hex.

    Raises: NotCanonical, Oversized: no envelope of this manifest. WrongSigner: a signature that does not verify.
    """
    return [name.removeprefix(_PREFIX) for name, _ in read_signatures(envelope, manifest)]


def read_signatures(envelope: bytes, manifest: bytes) -> list[tuple[str, bytes]]:
    """Return names and signatures of an envelope, all of them verified; errors as for `verify_envelope`."""
    if len(envelope) > MAX_ENVELOPE_BYTES:
        raise Oversized(got=len(envelope), want=MAX_ENVELOPE_BYTES)
    try:
        signatures = _decode(decode_json(envelope, what="the envelope of signatures"))
    except (KeyError, TypeError, ValueError, AttributeError, binascii.Error):
        raise NotCanonical(what="the envelope of signatures lacks or misstates something") from None
    if not 0 < len(signatures) <= MAX_SIGNATURES or _encode(PAYLOAD_TYPE, manifest, signatures) != envelope:
        raise NotCanonical(what="the envelope of signatures is not one over this manifest")
    for name, signature in signatures:
        _verify(name, signature, manifest)
    return signatures


def _name(key: Ed25519PrivateKey) -> str:
    return _PREFIX + get_public(key).hex()


def _encode(payload_type: str, payload: bytes, signatures: Sequence[tuple[str, bytes]]) -> bytes:
    return encode_json(
        {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": payload_type,
            "signatures": [{"keyid": name, "sig": base64.b64encode(data).decode()} for name, data in signatures],
        }
    )


def _decode(document: Any) -> list[tuple[str, bytes]]:
    return [(each["keyid"], base64.b64decode(each["sig"], validate=True)) for each in document["signatures"]]


def _verify(name: str, signature: bytes, manifest: bytes) -> None:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        public = bytes.fromhex(name.removeprefix(_PREFIX))
        if name != _PREFIX + public.hex():
            raise ValueError
        Ed25519PublicKey.from_public_bytes(public).verify(signature, encode_pae(PAYLOAD_TYPE, manifest))
    except (InvalidSignature, ValueError):
        raise WrongSigner(f"the signature of {name[:80]} over the manifest does not verify") from None
