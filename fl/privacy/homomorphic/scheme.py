"""What a client computes in a homomorphic round: key share, encryption, decryption share and its proof.

The definitions are those of `ledger.spec.decryption` (docs/protocol.md §14): here is what needs a secret. A coefficient
of a message holds several coordinates x, as x + bound in `width` bits each: enough for n of them, so that no sum
reaches the next one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fl.privacy.homomorphic.drawing import RandomBytes, draw_errors, draw_ternary, draw_uniform
from ledger.aggregation import lattice
from ledger.aggregation.ciphertexts import weigh
from ledger.aggregation.lattice import Residues
from ledger.errors import UsageError
from ledger.spec.decryption import compute_challenge, draw_exponents, draw_weights
from ledger.spec.errors import WrongLength
from ledger.spec.homomorphic import NARROW_BYTES, REPETITIONS, Parameters
from ledger.spec.lattice import DEGREE

Coefficients = NDArray[np.object_]
"""Python integers [N]: a polynomial with coefficients of any size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """A client's share of the secret key of one round."""

    ternary: NDArray[np.int64] = field(repr=False)
    """s, int64 [N]."""
    error: NDArray[np.int64] = field(repr=False)
    """e, int64 [N]."""
    transformed: Residues = field(repr=False)
    """The transform of s, [14, N]."""


def make_share(public: Residues, random: RandomBytes) -> tuple[Secret, Residues]:
    """Return a client's secret and its share b = -a s + e of the public key, a transform [14, N].

    Args: public: a, `lattice.expand` of the round's seed.
    """
    ternary, error = draw_ternary(1, random)[0], draw_errors(1, random)[0]
    secret, noise = lattice.transform(lattice.to_residues(np.stack([ternary, error])))
    share = lattice.subtract(noise, lattice.multiply(public, secret))
    return Secret(ternary=ternary, error=error, transformed=secret), share


def encrypt(
    params: Parameters, key: Residues, public: Residues, values: NDArray[np.int32], random: RandomBytes
) -> Residues:
    """Return an update under a joint key: m pairs of transforms [2m, 14, N].

    Args: key: sum of the shares. public: a. values: int32 [d] within the bound.
    Raises: WrongLength: it has another length. UsageError: a value exceeds the bound, which would spoil its neighbours.
    """
    count = params.ciphertexts
    message = lattice.transform(_encode(params, values))
    mask = lattice.transform(lattice.to_residues(draw_ternary(count, random)))
    errors = lattice.transform(lattice.to_residues(draw_errors(2 * count, random)))
    first = lattice.add(lattice.add(lattice.multiply(key, mask), errors[:count]), message)
    second = lattice.add(lattice.multiply(public, mask), errors[count:])
    return np.stack([first, second], axis=1).reshape(2 * count, *key.shape)


def _encode(params: Parameters, values: NDArray[np.int32]) -> Residues:
    if values.shape != (params.size,):
        raise WrongLength(got=values.size, want=params.size)
    if int(np.abs(values.astype(np.int64)).max()) > params.bound:
        raise UsageError(f"a coordinate exceeds {params.bound}", field="bound")
    padded = np.zeros(params.ciphertexts * params.digits * DEGREE, dtype=np.int64)
    padded[: params.size] = values.astype(np.int64) + params.bound
    limbs = padded.reshape(params.ciphertexts, params.digits, DEGREE).swapaxes(0, 1)
    return lattice.combine_limbs(limbs, tuple(1 << (params.shift + params.width * at) for at in range(params.digits)))


def decrypt_share(
    params: Parameters, total: Residues, secret: Secret, random: RandomBytes
) -> tuple[Residues, list[Coefficients]]:
    """Return a client's part in decrypting a sum, transforms [m, 14, N], and what hides the secret in it.

    A secret is used for one sum: shares of two would give away their difference.
    """
    smudges = [draw_uniform(params.smudge_bits, random) for _ in range(params.ciphertexts)]
    noise = np.stack([_reduce(smudge, params.wide_bytes) for smudge in smudges])
    return lattice.add(lattice.multiply(total[1::2], secret.transformed), lattice.transform(noise)), smudges


def prove(
    params: Parameters,
    statement: bytes,
    secret: Secret,
    smudges: Sequence[Coefficients],
    *,
    public: Residues,
    total: Residues,
    random: RandomBytes,
) -> bytes:
    """Return the proof that key share and decryption share come from one short secret (§14.5).

    Args: statement: `compute_statement` of the two. smudges: as `decrypt_share` gave them. public: a.
    """
    weights = draw_weights(statement, params.ciphertexts)
    sizes = (NARROW_BYTES, NARROW_BYTES, params.wide_bytes)
    masks = [_draw_masks(params, random) for _ in range(REPETITIONS)]
    images: list[bytes] = []
    for drawn, each in zip(masks, weights, strict=True):
        residues = np.stack([_reduce(mask, size) for mask, size in zip(drawn, sizes, strict=True)])
        of_secret, of_error, of_smudge = lattice.transform(residues)
        of_key = lattice.subtract(of_error, lattice.multiply(public, of_secret))
        of_share = lattice.add(lattice.multiply(weigh(total[1::2], each), of_secret), of_smudge)
        images += [lattice.encode_polynomials(of_key), lattice.encode_polynomials(of_share)]
    challenge = compute_challenge(statement, images)
    proof = [challenge]
    for drawn, each, power in zip(masks, weights, draw_exponents(challenge, REPETITIONS), strict=True):
        smudge: Coefficients = np.sum([rotate(*part) for part in zip(smudges, each, strict=True)], axis=0)
        hidden = secret.ternary, secret.error, smudge
        answers = [mask + rotate(value, power) for mask, value in zip(drawn, hidden, strict=True)]
        proof += [_encode_words(answer, size) for answer, size in zip(answers, sizes, strict=True)]
    return b"".join(proof)


def _draw_masks(params: Parameters, random: RandomBytes) -> list[NDArray[Any]]:
    """Return numbers of one bit less than an answer: two polynomials of int64, one of Python integers."""
    narrow = np.frombuffer(random(2 * NARROW_BYTES * DEGREE), dtype="<i8").reshape(2, DEGREE) >> 1
    return [*narrow, draw_uniform(8 * params.wide_bytes - 1, random)]


def rotate(x: NDArray[Any], exponent: int) -> NDArray[Any]:
    """Return a polynomial times x^exponent, 0 to 2N - 1."""
    at = exponent % DEGREE
    turned = np.concatenate([-x[DEGREE - at :], x[: DEGREE - at]])
    return turned if exponent < DEGREE else -turned


def _encode_words(x: NDArray[Any], size: int) -> bytes:
    half = 1 << (8 * size - 1)
    if x.dtype == np.int64:
        return (x.view(np.uint64) ^ np.uint64(half)).astype("<u8").tobytes()
    return b"".join((int(value) + half).to_bytes(size, "little") for value in x)


def _reduce(x: NDArray[Any], size: int) -> Residues:
    return lattice.reduce_words(_encode_words(x, size), size)
