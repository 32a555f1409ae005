"""Masks, unmasked sums and means of groups on arrays, equal to `spec` bit for bit (docs/protocol.md §11.1 to §11.13).

All of it is unsigned 32-bit arithmetic, which wraps modulo 2**32 by definition: no range has to be proved.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ledger import kernels, spec
from ledger.aggregation.blocks import Int32Array, Rows
from ledger.aggregation.coordinatewise import compute_sum32
from ledger.spec.errors import WrongLength
from ledger.spec.masks import Expansion

_WORDS_PER_BLOCK = 8
_COST = 8
"""Blocks of 40 bytes cost hashlib as much as so many times their bytes in a tree."""
_AES_BYTES = 1 << 16
"""Of a mask in AES that are made before they are added: they stay in the first caches."""


def expand_mask(seed: bytes, size: int, first_block: int = 0) -> NDArray[np.uint32]:
    """Return the mask words of `size` coordinates as uint32[size], from the first one of a block on (§11.1).

    Raises: WrongLength: the seed is not 32 bytes.
    """
    if len(seed) != spec.SEED_BYTES:
        raise WrongLength(got=len(seed), want=spec.SEED_BYTES)
    blocks = -(-size // _WORDS_PER_BLOCK)
    numbers = np.arange(first_block, first_block + blocks, dtype=">u8").tobytes()
    sha256 = hashlib.sha256
    digests = [sha256(seed + numbers[at : at + 8]).digest() for at in range(0, len(numbers), 8)]
    return np.frombuffer(b"".join(digests), dtype="<u4")[:size].astype(np.uint32, copy=False)


def apply_masks(
    update: Int32Array, owner: int, seeds: Mapping[int, bytes], expansion: Expansion = Expansion.SHA256
) -> Int32Array:
    """Return the masked update, as `spec.apply_masks` does (§11.4).

    Args: update: int32[d]. owner: the client. seeds: 32 bytes by peer; spec.SELF for the client's own.
    """
    total = np.ascontiguousarray(update).view(np.uint32).copy()
    signed = [(seed, spec.compute_sign(owner, peer)) for peer, seed in seeds.items()]
    return add_masks(total, signed, expansion).view(np.int32)


def compute_unmasked_sum(
    masked: Rows, reveals: Collection[spec.Reveal], expansion: Expansion = Expansion.SHA256
) -> Int32Array:
    """Return the sum of masked updates without the revealed masks, as `spec.compute_unmasked_sum` does (§11.6).

    Args: masked: n rows int32[d].
    """
    signed = [(reveal.seed, -spec.compute_sign(reveal.owner, reveal.peer)) for reveal in reveals]
    return add_masks(compute_sum32(masked).view(np.uint32), signed, expansion).view(np.int32)


def compute_group_means(
    masked: Rows,
    clients: Sequence[int],
    reveals: Collection[spec.Reveal],
    groups: spec.Groups,
    term: spec.Masking,
) -> dict[int, Int32Array]:
    """Return the mean of every group by its number, as `spec.compute_group_means` does (§11.13).

    Args: masked: n rows int32[d], clients in rising id.
    Raises: RuleNotApplicable: a group has fewer updates than the term allows.
    """
    slots = spec.split_slots(clients, groups)
    spec.verify_sizes(slots, term.least)
    means = {}
    for number, members in slots.items():
        shown = [reveal for reveal in reveals if reveal.owner in groups[number - 1]]
        total = compute_unmasked_sum([masked[slot] for slot in members], shown, term.expansion).astype(np.int64)
        means[number] = ((2 * total + len(members)) // (2 * len(members))).astype(np.int32)
    return means


def add_masks(
    total: NDArray[np.uint32], signed: Collection[tuple[bytes, int]], expansion: Expansion = Expansion.SHA256
) -> NDArray[np.uint32]:
    """Add masks to a total in place, and return it. Args: total: uint32[d]. signed: seeds, each with 1 or -1."""
    return _add_aes(total, signed) if expansion is Expansion.AES else _add_sha256(total, signed)


def _add_aes(total: NDArray[np.uint32], signed: Collection[tuple[bytes, int]]) -> NDArray[np.uint32]:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes  # only tasks that say so need it

    zeros, stream = bytes(_AES_BYTES), np.empty(_AES_BYTES // 4, dtype="<u4")
    written = stream.view(np.uint8).data
    for seed, sign in signed:
        if len(seed) != spec.SEED_BYTES:
            raise WrongLength(got=len(seed), want=spec.SEED_BYTES)
        encryptor = Cipher(algorithms.AES(seed), modes.CTR(bytes(16))).encryptor()
        add = np.add if sign > 0 else np.subtract
        for at in range(0, len(total), len(stream)):
            part = total[at : at + len(stream)]
            encryptor.update_into(zeros[: part.nbytes] if part.nbytes < _AES_BYTES else zeros, written)
            add(part, stream[: len(part)], out=part)
    return total


def _add_sha256(total: NDArray[np.uint32], signed: Collection[tuple[bytes, int]]) -> NDArray[np.uint32]:
    """Add masks by compiled code, where there is any and this is enough work for it."""
    fast = kernels.find_for_bytes(total.nbytes * len(signed) * _COST)
    for seed, sign in signed:
        done = fast.add_mask(total, seed, sign) if fast is not None and len(seed) == spec.SEED_BYTES else 0
        rest = total[done:]
        mask = expand_mask(seed, len(rest), done // _WORDS_PER_BLOCK)
        (np.add if sign > 0 else np.subtract)(rest, mask, out=rest)
    return total
