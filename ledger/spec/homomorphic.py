"""The term `homomorphic` and the bytes of homomorphic rounds (docs/protocol.md §14).

    bfv-1+roster(2-21,30)

Clients of a round share a key n of n, encrypt their updates under it, and decrypt the sum together. What travels: an
encrypted update of each client; then, in `ledger.spec.shares`, a decryption share of each, and the list of all of them.
"""

from __future__ import annotations

import hashlib
import itertools
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from ledger.spec.blobs import TRAILING_ALLOWANCE_BYTES
from ledger.spec.errors import NotCanonical, WrongClient, WrongDomain, WrongLength, WrongRound, WrongVersion
from ledger.spec.lattice import DEGREE, MODULUS, POLYNOMIAL_BYTES
from ledger.spec.ranges import decode_ranges, encode_ranges

TERM = "homomorphic"
"""Name of the layout's term."""
MAX_CLIENTS = 1000
ERROR_BOUND = 21
"""Largest coefficient of an error: a centred binomial of 42 coins, standard deviation 3.24."""
HIDING_BITS = 40
"""What a decryption share, and what its proof, give away of a secret is at most 2**-40 in statistical distance."""
REPETITIONS = 10
"""Of a proof; each lets a wrong share pass with probability 2**-14 at most."""
NARROW_BYTES = 8
"""An answer about secret or error: a number in [-2**63, 2**63)."""

_TEXT = re.compile(r"bfv-1\+roster\(([0-9,-]{1,900})\)")
_UPDATE = struct.Struct(">4s32sQIH")
"""magic, domain separator, round, client, key holders."""
SHARE_HEADER_BYTES = 80
_HOLDER = struct.Struct(">I32s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Homomorphic:
    """What binds the rounds of a homomorphic task."""

    roster: tuple[int, ...]
    """Participants that may hold a share of a round's key, rising."""

    def compute_max_update_bytes(self, size: int, bound: int) -> int:
        """Return the largest encrypted update that is read: with everybody holding the key, and a little more."""
        params = choose_parameters(clients=len(self.roster), size=size, bound=bound)
        return params.update_bytes + TRAILING_ALLOWANCE_BYTES

    def __str__(self) -> str:
        """Return the text of the term."""
        return f"bfv-1+roster({encode_ranges(self.roster)})"


def decode_homomorphic(text: str) -> Homomorphic:
    """Return what a term's text says. Raises: NotCanonical: it is not what a Homomorphic encodes to."""
    match = _TEXT.fullmatch(text)
    term = match and Homomorphic(roster=decode_ranges(match[1]))
    if not term or str(term) != text or not 2 <= len(term.roster) <= MAX_CLIENTS:
        raise NotCanonical(what=f"the term {TERM} is {text!r}")
    return term


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """What a sum of n vectors is encrypted with."""

    clients: int
    """n: updates in the sum, and holders of the key."""
    size: int
    """d: coordinates of an update."""
    bound: int
    """Largest absolute value of a coordinate."""
    digits: int
    """Coordinates in a coefficient."""
    smudge_bits: int
    """A decryption share is hidden by numbers in [-2**(smudge_bits-1), 2**(smudge_bits-1))."""
    wide_bytes: int
    """A proof's answer about them: a number in [-2**(8 wide_bytes - 1), 2**(8 wide_bytes - 1))."""
    shift: int
    """A message is multiplied by 2**shift: more than twice what errors, smudging and slack of proofs add up to."""

    @property
    def width(self) -> int:
        """Bits of a coordinate in a coefficient: n sums of at most 2 * bound."""
        return (2 * self.clients * self.bound).bit_length()

    @property
    def ciphertexts(self) -> int:
        """Ciphertexts of an update."""
        return -(-self.size // (self.digits * DEGREE))

    @property
    def ciphertext_bytes(self) -> int:
        """Bytes of a client's ciphertexts."""
        return 2 * self.ciphertexts * POLYNOMIAL_BYTES

    @property
    def update_bytes(self) -> int:
        """Bytes of an encrypted update: ciphertexts, and the client's share of the public key."""
        return _UPDATE.size + self.clients * _HOLDER.size + POLYNOMIAL_BYTES + self.ciphertext_bytes

    @property
    def proof_bytes(self) -> int:
        """Bytes of the proof of a decryption share."""
        return 32 + REPETITIONS * DEGREE * (2 * NARROW_BYTES + self.wide_bytes)

    @property
    def share_bytes(self) -> int:
        """Bytes of a decryption share with its proof."""
        return SHARE_HEADER_BYTES + self.ciphertexts * POLYNOMIAL_BYTES + self.proof_bytes

    @property
    def expansion(self) -> float:
        """Bytes of the ciphertexts over those of a plain update, 4 a coordinate."""
        return self.ciphertext_bytes / (4 * self.size)


def choose_parameters(*, clients: int, size: int, bound: int) -> Parameters:
    """Return parameters that pack as many coordinates as the errors leave room for, in the worst case (§14.2).

    Args: clients: n, 2 to 1000. size: d, at least 1. bound: 1 to 2**23 - 1.
    Raises: NotCanonical: one is out of its range, or the updates are too long for one key.
    """
    if not (2 <= clients <= MAX_CLIENTS and size >= 1 and 1 <= bound < 1 << 23):
        raise NotCanonical(what=f"a sum of {clients} updates of {size} coordinates up to {bound}")
    room = MODULUS.bit_length() - 1
    for digits in range(room // (2 * clients * bound).bit_length(), 0, -1):
        found = _fit(clients, size, bound, digits)
        # Four times the message, as it is decoded, stays below the modulus.
        if digits * found.width + found.shift + 2 <= room:
            return found
    raise NotCanonical(what=f"updates of {size} coordinates are too long for one key")


def _fit(clients: int, size: int, bound: int, digits: int) -> Parameters:
    ciphertexts = -(-size // (digits * DEGREE))
    # b u, s e'' and e' of n ciphertexts, under a key of n errors and n secrets, each at its largest
    noise = clients * (2 * DEGREE * clients * ERROR_BOUND + ERROR_BOUND)
    smudge_bits = noise.bit_length() + HIDING_BITS + (ciphertexts * DEGREE).bit_length()
    mask_bits = smudge_bits - 1 + ciphertexts.bit_length() + HIDING_BITS + (REPETITIONS * DEGREE).bit_length()
    wide_bytes = 2 * -(-(mask_bits + 2) // 16)
    # What an accepted proof leaves open: four times a share is right up to 2**29 times an answer, and the key's secret
    # and error are within 2**78 (§14.5).
    slack = clients << (8 * wide_bytes + 29)
    relaxed = 2 * DEGREE * clients**2 * (1 + ERROR_BOUND) << 78
    shift = (slack + relaxed + 4 * noise).bit_length() - 1
    names = {"smudge_bits": smudge_bits, "wide_bytes": wide_bytes, "shift": shift}
    return Parameters(clients=clients, size=size, bound=bound, digits=digits, **names)


# ------------------------------------------------------------------------------------------------- encrypted updates


@dataclass(frozen=True, slots=True, kw_only=True)
class EncryptedUpdate:
    """What a client commits to in a homomorphic round."""

    domain_separator: bytes
    """Of the RoundLedger, 32 bytes."""
    round_id: int
    """The round."""
    client: int
    """Participant id of the author."""
    holders: tuple[tuple[int, bytes], ...]
    """(participant, digest of its key share) of all whose key it is encrypted under, in rising participant."""
    key_share: bytes
    """The client's share of the public key, POLYNOMIAL_BYTES."""
    ciphertexts: bytes
    """Pairs of polynomials, one after the other."""


def encode_encrypted_update(update: EncryptedUpdate) -> bytes:
    """Return the canonical bytes (§14.3)."""
    head = _UPDATE.pack(b"FTH\1", update.domain_separator, update.round_id, update.client, len(update.holders))
    lines = b"".join(_HOLDER.pack(*line) for line in update.holders)
    return head + lines + update.key_share + update.ciphertexts


def decode_encrypted_update(
    data: bytes, *, domain_separator: bytes, round_id: int, client: int, roster: Sequence[int], size: int, bound: int
) -> EncryptedUpdate:
    """Return the encrypted update in data if it is canonical and belongs to this client and round (§14.3).

    Residues are read, and judged, when the polynomials are decoded.

    Args: size, bound: of the task. roster: of its term.
    Raises: WrongLength, WrongVersion, WrongDomain, WrongRound, WrongClient, NotCanonical.
    """
    if len(data) < _UPDATE.size:
        raise WrongLength(got=len(data), want=_UPDATE.size)
    magic, domain, found_round, author, count = _UPDATE.unpack_from(data)
    verify_origin((magic, b"FTH\1"), (domain, domain_separator), (found_round, round_id), (author, client))
    params = choose_parameters(clients=count, size=size, bound=bound)
    if len(data) != params.update_bytes:
        raise WrongLength(got=len(data), want=params.update_bytes)
    lines, share = _UPDATE.size, _UPDATE.size + count * _HOLDER.size
    body = share + POLYNOMIAL_BYTES
    update = EncryptedUpdate(
        domain_separator=domain,
        round_id=found_round,
        client=author,
        holders=tuple(_HOLDER.iter_unpack(data[lines:share])),
        key_share=data[share:body],
        ciphertexts=data[body:],
    )
    _verify_holders(update, roster)
    return update


def verify_origin(
    magic: tuple[bytes, bytes], domain: tuple[bytes, bytes], number: tuple[int, int], client: tuple[int, int]
) -> None:
    """Return if what a header says is what it must say, in pairs (found, wanted)."""
    if magic[0] != magic[1]:
        raise WrongVersion(got=magic[0].hex(), want=magic[1].hex())
    if domain[0] != domain[1]:
        raise WrongDomain(got=domain[0].hex(), want=domain[1].hex())
    if number[0] != number[1]:
        raise WrongRound(got=number[0], want=number[1])
    if client[0] != client[1]:
        raise WrongClient(got=client[0], want=client[1])


def _verify_holders(update: EncryptedUpdate, roster: Sequence[int]) -> None:
    named = [client for client, _ in update.holders]
    if any(after <= before for before, after in itertools.pairwise(named)) or not set(named) <= set(roster):
        raise NotCanonical(what=f"client {update.client} names the key holders {named}, the roster is {list(roster)}")
    if dict(update.holders).get(update.client) != compute_key_digest(update.key_share):
        raise NotCanonical(what=f"client {update.client} shows another key share than it lists")


def compute_key_digest(key_share: bytes) -> bytes:
    """Return what a client says of its key share before any share is shown: sha256(0x06 | share)."""
    return hashlib.sha256(b"\x06" + key_share).digest()


def compute_encrypted_root(data: bytes) -> bytes:
    """Return what takes the place of the tree root in a commitment: sha256(0x05 | encrypted update) (§14.3).

    No node of a tree has this prefix: no contract can be shown a leaf of an encrypted update.
    """
    return hashlib.sha256(b"\x05" + data).digest()


def compute_sum_root(total: bytes) -> bytes:
    """Return what takes the place of the matrix root in a proposal: sha256(0x07 | sum of the ciphertexts)."""
    return hashlib.sha256(b"\x07" + total).digest()


def compute_key_seed(domain_separator: bytes, round_id: int) -> bytes:
    """Return the seed of a round's public polynomial: domain separator | round u64."""
    return domain_separator + round_id.to_bytes(8, "big")
