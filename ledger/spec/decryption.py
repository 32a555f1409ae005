"""Sums of ciphertexts, their decryption from everybody's shares, and proofs of single shares (docs/protocol.md §14).

With a public polynomial a, and for every client i a ternary secret s_i and an error e_i:

    key share       b_i = -a s_i + e_i                  joint key b = sum b_i, of the secret s = sum s_i
    encryption      c = (b u + e' + 2**shift m,  a u + e'')
    sum             c_0 and c_1 value by value, modulo each prime
    decryption      h_i = c_1 s_i + E_i                 E_i uniform, and far larger than every error ("smudging")
    combination     m = round(4 (c_0 + sum h_i) / 2**(shift + 2))

A proof shows that b_i and h_i come from one short secret (Benhamouda et al. 2014, eprint 2014/889): masks y are mapped
as the secrets are, a hash of what comes out is the challenge, a power of x, and the answers z = y + x**k (s, e, E) must
map to it again. What an accepted proof shows is a little less than that s_i, e_i and E_i are as small as they should
be: four times the share is right up to the slack that the parameters leave room for. Hence the factor 4.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Sequence

from ledger.spec import lattice
from ledger.spec.errors import WrongShare
from ledger.spec.homomorphic import (
    NARROW_BYTES,
    REPETITIONS,
    Parameters,
    compute_key_digest,
    compute_key_seed,
)
from ledger.spec.lattice import DEGREE, MODULUS, POLYNOMIAL_BYTES, Polynomial
from ledger.spec.shares import DecryptionShare

_STATEMENT = struct.Struct(">QI32s32s32s")


def decode_polynomials(data: bytes) -> list[Polynomial]:
    """Return polynomials that lie one after the other. Raises: NotCanonical: a residue is not below its prime."""
    starts = range(0, len(data), POLYNOMIAL_BYTES)
    return [lattice.decode_polynomial(data[at : at + POLYNOMIAL_BYTES]) for at in starts]


def add_ciphertexts(ciphertexts: Sequence[bytes]) -> bytes:
    """Return the encrypted sum: the same bytes in every order (§14.3)."""
    columns = zip(*map(decode_polynomials, ciphertexts), strict=True)
    return b"".join(lattice.encode_polynomial(lattice.add(*column)) for column in columns)


def decrypt_sum(params: Parameters, total: bytes, shares: Sequence[bytes]) -> list[int]:
    """Return the sum that the shares of all clients decrypt: d integers; of wrong shares, whatever bits there are."""
    first = decode_polynomials(total)[::2]
    parts = zip(first, *map(decode_polynomials, shares), strict=True)
    digits = (digit for part in parts for digit in _iter_digits(params, lattice.restore(lattice.add(*part))))
    return [digit - params.clients * params.bound for _, digit in zip(range(params.size), digits, strict=False)]


def _iter_digits(params: Parameters, noisy: Sequence[int]) -> Iterator[int]:
    """Yield the numbers in a polynomial's coefficients: the first of every coefficient, then the second, and so on."""
    half, mask = 1 << (params.shift + 1), (1 << params.width) - 1
    scaled = [4 * value % MODULUS for value in noisy]
    # An error below zero in a message of zero wraps around to the top of the modulus.
    rounded = [0 if value >= MODULUS - half else (value + half) >> (params.shift + 2) for value in scaled]
    for at in range(params.digits):
        yield from ((value >> (params.width * at)) & mask for value in rounded)


# ------------------------------------------------------------------------------------------------------------ proofs


def compute_statement(share: DecryptionShare, key_share: bytes) -> bytes:
    """Return the digest of what a proof is about: round, client, sum, key share, decryption share (§14.5)."""
    digests = share.sum_root, compute_key_digest(key_share), hashlib.sha256(share.share).digest()
    packed = share.domain_separator + _STATEMENT.pack(share.round_id, share.client, *digests)
    return hashlib.sha256(b"fedtrail-he-2" + packed).digest()


def draw_exponents(seed: bytes, count: int) -> list[int]:
    """Return numbers from 0 to 2N - 1, uniform: SHAKE-256, two bytes each."""
    words = struct.unpack(f"<{count}H", hashlib.shake_256(seed).digest(2 * count))
    return [word % (2 * DEGREE) for word in words]


def draw_weights(statement: bytes, ciphertexts: int) -> list[list[int]]:
    """Return by repetition the powers of x by which a sum's polynomials are weighed into one."""
    drawn = draw_exponents(b"\x08" + statement, REPETITIONS * ciphertexts)
    return [drawn[at : at + ciphertexts] for at in range(0, len(drawn), ciphertexts)]


def compute_challenge(statement: bytes, images: Sequence[bytes]) -> bytes:
    """Return the challenge over what masks are mapped to, in the order of the repetitions."""
    digest = hashlib.sha256(b"\x09" + statement)
    for image in images:
        digest.update(image)
    return digest.digest()


def verify_share(params: Parameters, share: DecryptionShare, *, key_share: bytes, total: bytes) -> None:
    """Return if a decryption share comes from the secret of its client's key share (§14.5).

    Args: total: the sum of all ciphertexts.
    Raises: NotCanonical: a residue is not below its prime. WrongShare: the proof does not hold.
    """
    statement, challenge = compute_statement(share, key_share), share.proof[:32]
    public = lattice.expand(compute_key_seed(share.domain_separator, share.round_id))
    key = lattice.decode_polynomial(key_share)
    second, shown = decode_polynomials(total)[1::2], decode_polynomials(share.share)
    powers = draw_exponents(challenge, REPETITIONS)
    images: list[bytes] = []
    for answers, weights, power in zip(
        _iter_answers(params, share.proof), draw_weights(statement, params.ciphertexts), powers, strict=True
    ):
        secret, error, smudge = map(lattice.transform, answers)
        monomial = lattice.transform_monomial(power)
        for factor, rest, image in (
            (lattice.subtract(_ZERO, public), error, key),
            (_weigh(second, weights), smudge, _weigh(shown, weights)),
        ):
            mapped = lattice.add(lattice.multiply(factor, secret), rest)
            images.append(lattice.encode_polynomial(lattice.subtract(mapped, lattice.multiply(monomial, image))))
    if compute_challenge(statement, images) != challenge:
        raise WrongShare(client=share.client, what="its proof does not hold")


_ZERO = [0] * DEGREE


def _weigh(polynomials: Sequence[Polynomial], weights: Sequence[int]) -> Polynomial:
    terms = zip(polynomials, weights, strict=True)
    return lattice.add(*(lattice.multiply(x, lattice.transform_monomial(weight)) for x, weight in terms))


def _iter_answers(params: Parameters, proof: bytes) -> Iterator[list[list[int]]]:
    """Yield the answers about secret, error and smudging of every repetition: numbers with an offset."""
    at = 32
    for _ in range(REPETITIONS):
        answers = []
        for size in (NARROW_BYTES, NARROW_BYTES, params.wide_bytes):
            words = (proof[start : start + size] for start in range(at, at + size * DEGREE, size))
            answers.append([int.from_bytes(word, "little") - (1 << (8 * size - 1)) for word in words])
            at += size * DEGREE
        yield answers
