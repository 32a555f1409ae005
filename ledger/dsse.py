"""Signed statements: DSSE envelopes with Ed25519 (secure-systems-lab/dsse, protocol and envelope 1.0)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ledger.errors import WrongSigner
from ledger.spec.errors import NotCanonical

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey


def encode_pae(payload_type: str, payload: bytes) -> bytes:
    """Return what is signed: type and payload with their lengths, so that neither can be read as the other."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def get_key_id(key: Ed25519PublicKey) -> str:
    """Return the SHA-256 of a public key's 32 bytes, hex."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return hashlib.sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()


def sign(payload_type: str, payload: bytes, key: Ed25519PrivateKey) -> dict[str, Any]:
    """Return the envelope of a payload with one signature."""
    signature = key.sign(encode_pae(payload_type, payload))
    return {
        "payloadType": payload_type,
        "payload": base64.b64encode(payload).decode(),
        "signatures": [{"keyid": get_key_id(key.public_key()), "sig": base64.b64encode(signature).decode()}],
    }


def verify(envelope: Mapping[str, Any], key: Ed25519PublicKey, *, payload_type: str) -> bytes:
    """Return the payload of an envelope that a key signed.

    Raises: NotCanonical: it is no envelope of this type; WrongSigner: none of its signatures is this key's.
    """
    from cryptography.exceptions import InvalidSignature

    try:
        payload = base64.b64decode(envelope["payload"], validate=True)
        signatures = [base64.b64decode(each["sig"], validate=True) for each in envelope["signatures"]]
        if envelope["payloadType"] != payload_type:
            raise NotCanonical(what=f"an envelope of type {envelope['payloadType']!r} where {payload_type} is wanted")
    except (KeyError, TypeError, ValueError, binascii.Error):
        raise NotCanonical(what="no DSSE envelope") from None
    signed = encode_pae(payload_type, payload)
    for signature in signatures:
        try:
            key.verify(signature, signed)
        except InvalidSignature:
            continue
        return payload
    raise WrongSigner(got=f"{len(signatures)} signatures of others", client="envelope", want=get_key_id(key))


def dump(envelope: Mapping[str, Any]) -> bytes:
    """Return an envelope as one line of JSON."""
    return json.dumps(envelope, sort_keys=True, separators=(",", ":")).encode() + b"\n"
