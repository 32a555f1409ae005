"""Sign digests and recover signers; no I/O (docs/protocol.md §4).

A signature is 64 bytes, r | vs (EIP-2098), with the low s. eth_keys signs through coincurve where that is
installed, else in pure Python, with the same bytes (RFC 6979).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.spec import WrongLength

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount

SIGNATURE_BYTES = 64
NO_SIGNER = bytes(20)

_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_S_MASK = (1 << 255) - 1


def sign_digest(account: LocalAccount, digest: bytes) -> bytes:
    """Return the 64-byte signature of an EIP-712 digest.

    Args: account: who signs. digest: 32 bytes; see spec.compute_commitment_digest and its siblings.
    Raises: WrongLength: the digest has another length.
    """
    from eth_keys.datatypes import PrivateKey

    _verify_length(digest, 32)
    signature = PrivateKey(bytes(account.key)).sign_msg_hash(digest)
    vs = signature.s | signature.v << 255
    return int(signature.r).to_bytes(32, "big") + int(vs).to_bytes(32, "big")


def recover(digest: bytes, signature: bytes) -> bytes:
    """Return the 20-byte address that signed a digest; zeros for no valid signature, as the contracts do.

    Args: digest: 32 bytes. signature: r | vs; a high s is the malleable twin of a signature and counts as invalid.
    Raises: WrongLength: the digest or the signature has another length.
    """
    from eth_keys.datatypes import Signature
    from eth_keys.exceptions import BadSignature
    from eth_utils.exceptions import ValidationError

    _verify_length(digest, 32)
    _verify_length(signature, SIGNATURE_BYTES)
    r, vs = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    s = vs & _S_MASK
    if s > _ORDER // 2:
        return NO_SIGNER
    try:
        key = Signature(vrs=(vs >> 255, r, s)).recover_public_key_from_msg_hash(digest)
    except (BadSignature, ValidationError):
        return NO_SIGNER
    return bytes(key.to_canonical_address())


def _verify_length(data: bytes, want: int) -> None:
    if len(data) != want:
        raise WrongLength(got=len(data), want=want)
