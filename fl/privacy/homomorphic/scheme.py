"""Encrypt, add, decrypt together: integers in, their exact sum out.

With a public polynomial a, and for every client i a ternary secret s_i and an error e_i:

    key share       b_i = -a s_i + e_i                  joint key b = sum b_i, of the secret s = sum s_i
    encryption      c = (b u + e' + 2**shift m,  a u + e'')
    sum             c_0 and c_1 coordinate by coordinate, modulo Q
    decryption      h_i = c_1 s_i + E_i                 E_i uniform, and far larger than every error ("smudging")
    combination     m = round((c_0 + sum h_i) / 2**shift)

A coefficient of m holds several coordinates x, as x + bound in `width` bits each: enough for n of them, so that no sum
reaches the next one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fl.privacy.homomorphic import ring
from fl.privacy.homomorphic.ring import RandomBytes, Residues
from ledger.errors import UsageError
from ledger.spec.errors import NotCanonical, WrongLength

SMUDGING_BITS = 40
"""What decryption shares give away of a secret is at most 2**-40 in statistical distance, all coefficients together."""
_MAGIC = b"fedtrail-he-1\0\0\0"


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
    shift: int
    """A message is multiplied by 2**shift: twice what all errors and smudging add up to."""

    @property
    def width(self) -> int:
        """Bits of a coordinate in a coefficient: n sums of at most 2 * bound."""
        return (2 * self.clients * self.bound).bit_length()

    @property
    def ciphertexts(self) -> int:
        """Ciphertexts of an update."""
        return -(-self.size // (self.digits * ring.DEGREE))

    @property
    def size_bytes(self) -> int:
        """Bytes of an encrypted update."""
        return len(_MAGIC) + 4 * self.ciphertexts * 2 * len(ring.PRIMES) * ring.DEGREE

    @property
    def expansion(self) -> float:
        """Bytes of an encrypted update over those of a plain one, 4 a coordinate."""
        return self.size_bytes / (4 * self.size)


def choose_parameters(*, clients: int, size: int, bound: int) -> Parameters:
    """Return parameters that pack as many coordinates as the errors leave room for, in the worst case.

    Args: clients: n, 2 to 1000. size: d, at least 1. bound: 1 to 2**23 - 1.
    Raises: UsageError: one is out of its range.
    """
    if not (2 <= clients <= 1000 and size >= 1 and 1 <= bound < 1 << 23):
        raise UsageError(f"no sum of {clients} updates of {size} coordinates up to {bound} is encrypted")
    # b u, s e'' and e' of n ciphertexts, under a key of n errors and n secrets, each at its largest
    noise = clients * (2 * ring.DEGREE * clients * ring.ERROR_BOUND + ring.ERROR_BOUND)
    room = ring.MODULUS.bit_length() - 1
    for digits in range(room, 0, -1):
        coefficients = -(-size // (digits * ring.DEGREE)) * ring.DEGREE
        smudge_bits = noise.bit_length() + SMUDGING_BITS + coefficients.bit_length()
        shift = (noise + clients * (1 << (smudge_bits - 1))).bit_length() + 1
        found = Parameters(clients=clients, size=size, bound=bound, digits=digits, smudge_bits=smudge_bits, shift=shift)
        if digits * found.width + shift <= room:
            return found
    raise UsageError(f"updates of {size} coordinates are too long for one key")


def make_share(seed: bytes, random: RandomBytes) -> tuple[Residues, Residues]:
    """Return a client's secret and its share b_i of the public key, as transforms [7, N].

    Args: seed: of the public polynomial; one of each round, such as its domain separator and number.
    """
    secret = ring.transform(ring.to_residues(ring.draw_ternary(1, random)[0]))
    error = ring.transform(ring.to_residues(ring.draw_errors(1, random)[0]))
    return secret, ring.add(ring.negate(ring.multiply(ring.expand(seed), secret)), error)


def encrypt(
    params: Parameters, public: Residues, seed: bytes, values: NDArray[np.int32], random: RandomBytes
) -> Residues:
    """Return an update under a joint key: transforms [ciphertexts, 2, 7, N].

    Args: public: sum of the shares. values: int32 [d] within the bound.
    Raises: WrongLength: it has another length. UsageError: a value exceeds the bound, which would spoil its neighbours.
    """
    count = params.ciphertexts
    message = ring.transform(_encode(params, values))
    mask = ring.transform(ring.to_residues(ring.draw_ternary(count, random)))
    errors = ring.transform(ring.to_residues(ring.draw_errors(2 * count, random)))
    first = ring.add(ring.add(ring.multiply(public, mask), errors[:count]), message)
    second = ring.add(ring.multiply(ring.expand(seed), mask), errors[count:])
    return np.stack([first, second], axis=1)


def _encode(params: Parameters, values: NDArray[np.int32]) -> Residues:
    if values.shape != (params.size,):
        raise WrongLength(what="the update", got=values.size, want=params.size)
    if int(np.abs(values.astype(np.int64)).max()) > params.bound:
        raise UsageError(f"a coordinate exceeds {params.bound}", field="bound")
    padded = np.zeros(params.ciphertexts * params.digits * ring.DEGREE, dtype=np.int64)
    padded[: params.size] = values.astype(np.int64) + params.bound
    limbs = padded.reshape(params.ciphertexts, params.digits, ring.DEGREE).swapaxes(0, 1)
    return ring.combine_limbs(limbs, tuple(1 << (params.shift + params.width * at) for at in range(params.digits)))


def add_ciphertexts(ciphertexts: Sequence[Residues]) -> Residues:
    """Return the encrypted sum: the same bytes in every order and on every machine, which is what auditors replay."""
    total = ciphertexts[0]
    for each in ciphertexts[1:]:
        total = ring.add(total, each)
    return total


def decrypt_share(params: Parameters, total: Residues, secret: Residues, random: RandomBytes) -> Residues:
    """Return a client's part in decrypting a sum: polynomials [ciphertexts, 7, N], which tell nothing alone.

    A secret is used once: shares of two sums would give away their difference.
    """
    smudge = ring.draw_uniform(params.ciphertexts, params.smudge_bits, random)
    return ring.add(ring.restore(ring.multiply(total[:, 1], secret)), smudge)


def combine(params: Parameters, total: Residues, shares: Sequence[Residues]) -> NDArray[np.int64]:
    """Return the exact sum of n updates: int64 [d].

    Raises: UsageError: not everybody's share is there: what comes out would be noise.
    """
    if len(shares) != params.clients:
        raise UsageError(f"{len(shares)} of {params.clients} decryption shares: all are needed")
    return decode(params, add_ciphertexts([ring.restore(total[:, 0]), *shares]))


def decode(params: Parameters, noisy: Residues) -> NDArray[np.int64]:
    """Return the sums in polynomials whose errors are within bounds: int64 [d]; of others, whatever bits there are."""
    scaled = ring.to_integers(noisy)
    rounded = (scaled + (1 << (params.shift - 1))) >> params.shift
    # An error below zero in a message of zero wraps around to the top of the modulus.
    rounded = np.where(scaled >= ring.MODULUS - (1 << (params.shift - 1)), 0, rounded)
    mask = (1 << params.width) - 1
    digits = [((rounded >> (params.width * at)) & mask).astype(np.int64) for at in range(params.digits)]
    flat = np.stack(digits, axis=1).reshape(-1)[: params.size]
    return flat - params.clients * params.bound


def encode_ciphertext(ciphertext: Residues) -> bytes:
    """Return the bytes that are committed to: residues as uint32, little endian."""
    return _MAGIC + ciphertext.astype("<u4").tobytes()


def decode_ciphertext(params: Parameters, blob: bytes) -> Residues:
    """Return the ciphertext of bytes.

    Raises: WrongLength: there are too many or too few. NotCanonical: they are of another format, or a residue is not
    below its prime.
    """
    if len(blob) != params.size_bytes:
        raise WrongLength(what="an encrypted update", got=len(blob), want=params.size_bytes)
    if not blob.startswith(_MAGIC):
        raise NotCanonical(what="this is no encrypted update")
    values = np.frombuffer(blob, dtype="<u4", offset=len(_MAGIC)).astype(np.uint64)
    ciphertext = values.reshape(params.ciphertexts, 2, len(ring.PRIMES), ring.DEGREE)
    if (ciphertext >= np.array(ring.PRIMES, dtype=np.uint64)[:, None]).any():
        raise NotCanonical(what="a residue is not below its prime")
    return ciphertext


def compute_digest(residues: Residues) -> bytes:
    """Return what is committed to on the ledger: SHA-256 of the encoded residues."""
    return hashlib.sha256(encode_ciphertext(residues)).digest()
