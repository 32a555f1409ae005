"""Sums of ciphertexts, their decryption and proofs of shares on arrays, equal to `spec.decryption` (§14)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ledger.aggregation import lattice
from ledger.aggregation.lattice import Residues
from ledger.spec.decryption import compute_challenge, compute_statement, draw_exponents, draw_weights
from ledger.spec.errors import WrongShare
from ledger.spec.homomorphic import NARROW_BYTES, REPETITIONS, Parameters, compute_key_seed
from ledger.spec.lattice import DEGREE, MODULUS
from ledger.spec.shares import DecryptionShare


def add_ciphertexts(ciphertexts: Sequence[Residues]) -> Residues:
    """Return the encrypted sum: the same in every order and on every machine, which is what auditors replay."""
    total = ciphertexts[0]
    for each in ciphertexts[1:]:
        total = lattice.add(total, each)
    return total


def decrypt_sum(params: Parameters, total: Residues, shares: Sequence[Residues]) -> NDArray[np.int64]:
    """Return the sum that the shares of all clients decrypt, int64[d]; of wrong shares, whatever bits there are.

    Args: total: [2m, 14, N], transforms. shares: [m, 14, N] each.
    """
    noisy = lattice.restore(add_ciphertexts([total[::2], *shares]))
    half, mask = 1 << (params.shift + 1), (1 << params.width) - 1
    scaled = 4 * lattice.to_integers(noisy) % MODULUS
    rounded = (scaled + half) >> (params.shift + 2)
    # An error below zero in a message of zero wraps around to the top of the modulus.
    rounded = np.where(scaled >= MODULUS - half, 0, rounded)
    digits = [((rounded >> (params.width * at)) & mask).astype(np.int64) for at in range(params.digits)]
    return np.stack(digits, axis=1).reshape(-1)[: params.size] - params.clients * params.bound


def weigh(polynomials: Residues, weights: Sequence[int]) -> Residues:
    """Return the sum [14, N] of transforms [m, 14, N], each times a power of x."""
    total = lattice.multiply(polynomials[0], lattice.transform_monomial(weights[0]))
    for x, weight in zip(polynomials[1:], weights[1:], strict=True):
        total = lattice.add(total, lattice.multiply(x, lattice.transform_monomial(weight)))
    return total


def verify_share(params: Parameters, share: DecryptionShare, *, key_share: bytes, total: Residues) -> None:
    """Return if a decryption share comes from the secret of its client's key share (§14.5).

    Raises: NotCanonical: a residue is not below its prime. WrongShare: the proof does not hold.
    """
    statement, challenge = compute_statement(share, key_share), share.proof[:32]
    public = lattice.expand(compute_key_seed(share.domain_separator, share.round_id))
    (key,), second = lattice.decode_polynomials(key_share), total[1::2]
    shown, powers = lattice.decode_polynomials(share.share), draw_exponents(challenge, REPETITIONS)
    images: list[bytes] = []
    for answers, weights, power in zip(
        _iter_answers(params, share.proof), draw_weights(statement, params.ciphertexts), powers, strict=True
    ):
        secret, error, smudge = lattice.transform(answers)
        monomial = lattice.transform_monomial(power)
        of_key = lattice.subtract(
            lattice.subtract(error, lattice.multiply(public, secret)), lattice.multiply(monomial, key)
        )
        of_share = lattice.add(lattice.multiply(weigh(second, weights), secret), smudge)
        of_share = lattice.subtract(of_share, lattice.multiply(monomial, weigh(shown, weights)))
        images += [lattice.encode_polynomials(of_key), lattice.encode_polynomials(of_share)]
    if compute_challenge(statement, images) != challenge:
        raise WrongShare(client=share.client, what="its proof does not hold")


def _iter_answers(params: Parameters, proof: bytes) -> Iterator[Residues]:
    """Yield the answers about secret, error and smudging of every repetition, [3, 14, N]."""
    at = 32
    for _ in range(REPETITIONS):
        answers = []
        for size in (NARROW_BYTES, NARROW_BYTES, params.wide_bytes):
            answers.append(lattice.reduce_words(proof[at : at + size * DEGREE], size))
            at += size * DEGREE
        yield np.stack(answers)
