"""Masks and unmasked sums on arrays, equal to `spec.masks` bit for bit (docs/protocol.md §11.1, §11.4, §11.6).

All of it is unsigned 32-bit arithmetic, which wraps modulo 2**32 by definition: no range has to be proved.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import NDArray

from ledger import kernels, spec
from ledger.aggregation.blocks import Int32Array, Rows
from ledger.aggregation.coordinatewise import compute_sum32
from ledger.spec.errors import WrongLength

_WORDS_PER_BLOCK = 8
_COST = 8
"""Blocks of 40 bytes cost hashlib as much as so many times their bytes in a tree."""


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


def apply_masks(update: Int32Array, owner: int, seeds: Mapping[int, bytes]) -> Int32Array:
    """Return the masked update, as `spec.apply_masks` does (§11.4).

    Args: update: int32[d]. owner: the client. seeds: 32 bytes by peer; spec.SELF for the client's own.
    """
    total = np.ascontiguousarray(update).view(np.uint32).copy()
    signed = [(seed, spec.compute_sign(owner, peer)) for peer, seed in seeds.items()]
    return _add_masks(total, signed).view(np.int32)


def compute_unmasked_sum(masked: Rows, reveals: Collection[spec.Reveal]) -> Int32Array:
    """Return the sum of masked updates without the revealed masks, as `spec.compute_unmasked_sum` does (§11.6).

    Args: masked: n rows int32[d].
    """
    signed = [(reveal.seed, -spec.compute_sign(reveal.owner, reveal.peer)) for reveal in reveals]
    return _add_masks(compute_sum32(masked).view(np.uint32), signed).view(np.int32)


def _add_masks(total: NDArray[np.uint32], signed: Collection[tuple[bytes, int]]) -> NDArray[np.uint32]:
    """Add masks in place, by compiled code where there is any and this is enough work for it."""
    fast = kernels.find_for_bytes(total.nbytes * len(signed) * _COST)
    for seed, sign in signed:
        done = fast.add_mask(total, seed, sign) if fast is not None and len(seed) == spec.SEED_BYTES else 0
        rest = total[done:]
        mask = expand_mask(seed, len(rest), done // _WORDS_PER_BLOCK)
        (np.add if sign > 0 else np.subtract)(rest, mask, out=rest)
    return total
