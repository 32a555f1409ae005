"""Signed notes: a text and the signatures of those who vouch for it, as transparency logs and their witnesses use them.

Two kinds of keys sign. One of kind 1 signs the text. One of kind 4, a witness's, signs the text and a time.
Source: C2SP signed-note@v1.0.0 and tlog-cosignature (Ed25519).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ledger.errors import NotCanonical, Oversized, WrongSigner

PLAIN, WITNESS = 0x01, 0x04
"""Kinds of keys, by their number in the specification."""
MAX_NOTE_BYTES = 1 << 16
MAX_SIGNATURES = 64

_KEY_BYTES, _ID_BYTES, _TIME_BYTES, _SIGNATURE_BYTES = 32, 4, 8, 64
_NAME = re.compile(r"[^\s+\x00-\x1f\x7f]{1,255}")
_DASH = "— "


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifierKey:
    """A public key under a name."""

    name: str
    """Neither spaces nor plus signs; often like an address without a scheme."""
    kind: int
    """PLAIN or WITNESS."""
    public: bytes
    """Ed25519, 32 bytes."""

    @property
    def id(self) -> bytes:
        """Four bytes that signatures name the key by; a hint, no proof."""
        return sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public).digest()[:_ID_BYTES]

    def __str__(self) -> str:
        """Return NAME+ID+KEY, as trust files and the tools of transparency logs write it."""
        return f"{self.name}+{self.id.hex()}+{_to_base64(bytes([self.kind]) + self.public)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """A signature line."""

    name: str
    """Of the key."""
    key_id: bytes
    """4 bytes."""
    data: bytes
    """What the kind of key says: a signature, or a time and a signature."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedNote:
    """A text and its signatures, not verified."""

    text: str
    """Ends with a newline."""
    signatures: tuple[Signature, ...]
    """In the order of their lines."""

    def __str__(self) -> str:
        """Return the note as it is stored and sent."""
        lines = (f"{_DASH}{each.name} {_to_base64(each.key_id + each.data)}\n" for each in self.signatures)
        return f"{self.text}\n{''.join(lines)}"


def parse_verifier_key(text: str) -> VerifierKey:
    """Return a key from NAME+ID+KEY.

    Raises: NotCanonical: it is none, of an unknown kind, or its id is another key's.
    """
    name, _, rest = text.partition("+")
    _, _, encoded = rest.partition("+")
    material = _from_base64(encoded)
    if _NAME.fullmatch(name) and len(material) == 1 + _KEY_BYTES and material[0] in (PLAIN, WITNESS):
        key = VerifierKey(name=name, kind=material[0], public=material[1:])
        if str(key) == text:
            return key
    raise NotCanonical(what=f"'{text}' is no verifier key NAME+ID+KEY (Ed25519, kind 1 or 4)")


def parse_note(data: bytes) -> SignedNote:
    """Return a note from a stranger's bytes; nothing is verified yet.

    Raises: Oversized, NotCanonical.
    """
    if len(data) > MAX_NOTE_BYTES:
        raise Oversized(got=len(data), want=MAX_NOTE_BYTES)
    try:
        whole = data.decode()
    except UnicodeDecodeError:
        raise NotCanonical(what="a note that is no UTF-8") from None
    text, separator, lines = whole.rpartition("\n\n")
    signatures = tuple(_parse_line(line) for line in lines.split("\n")[: MAX_SIGNATURES + 1] if line)
    note = SignedNote(text=text + "\n", signatures=signatures)
    if not separator or not 0 < len(signatures) <= MAX_SIGNATURES or str(note) != whole or _has_control(whole):
        raise NotCanonical(what="no signed note: a text, an empty line, and 1 to 64 signature lines")
    return note


def find_signers(note: SignedNote, keys: Iterable[VerifierKey]) -> dict[VerifierKey, int | None]:
    """Return which of some keys signed a note, and when as they say it; None for kinds without a time.

    Signatures of other keys are ignored, as the specification asks.
    Raises: WrongSigner: a line that names one of the keys does not verify.
    """
    by_line = {(key.name, key.id): key for key in keys}
    found: dict[VerifierKey, int | None] = {}
    for line in note.signatures:
        key = by_line.get((line.name, line.key_id))
        if key is not None:
            found[key] = _verify_line(note.text, line, key)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteKey:
    """A private key that signs notes."""

    verifier: VerifierKey
    """Its public half."""
    seed: bytes
    """32 bytes; whoever has them is the key's holder."""

    def __repr__(self) -> str:
        return f"NoteKey({self.verifier})"

    @staticmethod
    def from_seed(name: str, kind: int, seed: bytes) -> NoteKey:
        """Return the key of a seed.

        Raises: NotCanonical: no name for a key.
        """
        if not _NAME.fullmatch(name):
            raise NotCanonical(what=f"'{name}' is no name of a note's key: neither spaces nor plus signs")
        public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
        return NoteKey(verifier=VerifierKey(name=name, kind=kind, public=public), seed=seed)


def sign_note(note: SignedNote, key: NoteKey, *, at: int) -> SignedNote:
    """Return a note with one more signature, in place of an earlier one by the same key.

    Args: at: seconds since 1970; a witness's signature states it.
    """
    verifier = key.verifier
    signature = Ed25519PrivateKey.from_private_bytes(key.seed).sign(_make_message(note.text, verifier.kind, at))
    time = at.to_bytes(_TIME_BYTES, "big") if verifier.kind == WITNESS else b""
    line = Signature(name=verifier.name, key_id=verifier.id, data=time + signature)
    others = tuple(each for each in note.signatures if (each.name, each.key_id) != (line.name, line.key_id))
    return replace(note, signatures=(*others, line))


def _make_message(text: str, kind: int, at: int) -> bytes:
    prefix = f"cosignature/v1\ntime {at}\n" if kind == WITNESS else ""
    return (prefix + text).encode()


def _verify_line(text: str, line: Signature, key: VerifierKey) -> int | None:
    time, signature = line.data[:-_SIGNATURE_BYTES], line.data[-_SIGNATURE_BYTES:]
    at = int.from_bytes(time, "big")
    try:
        if len(time) != (_TIME_BYTES if key.kind == WITNESS else 0) or at >> 63:
            raise InvalidSignature
        Ed25519PublicKey.from_public_bytes(key.public).verify(signature, _make_message(text, key.kind, at))
    except (InvalidSignature, ValueError):
        raise WrongSigner(f"the signature of '{key.name}' does not verify", key=str(key)) from None
    return at if time else None


def _parse_line(line: str) -> Signature:
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    data = _from_base64(encoded)
    if not _NAME.fullmatch(name) or len(data) <= _ID_BYTES:
        raise NotCanonical(what="a note with a malformed signature line")
    return Signature(name=name, key_id=data[:_ID_BYTES], data=data[_ID_BYTES:])


def _has_control(text: str) -> bool:
    return any(character < " " and character != "\n" for character in text)


def _to_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _from_base64(text: str) -> bytes:
    """Return the bytes of canonical base64, none for anything else."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
    return data if _to_base64(data) == text else b""
