"""What a client does to its quantised update before it commits: clip exactly, then add integers of noise."""

from __future__ import annotations

import secrets
from math import isqrt

import numpy as np
from numpy.typing import NDArray

from fl.privacy.discrete import RandomBytes, sample_noise
from ledger.spec.noise import Noise

_BLOCK = 1 << 16
"""Squares below 2^46 that can be summed in 64 bits, and then some."""


def protect(
    values: NDArray[np.int32],
    noise: Noise,
    *,
    bound: int,
    is_giver: bool = False,
    random_bytes: RandomBytes = secrets.token_bytes,
) -> NDArray[np.int32]:
    """Return an update as it may be committed to.

    Under `central` only the giver adds noise, and to zeros; under `sample` the training was noisy already. What leaves
    the bound is cut off; ledger.accounting.fits keeps the chance of that below 2e^-98 a coordinate.

    Args: values: int32[d]. bound: of the number format. is_giver: whether this client gives the noise of all.
    """
    if noise.mechanism == "sample":
        return values
    own = np.zeros(len(values), dtype=np.int64) if is_giver else clip_exactly(values, noise.clip)
    if is_giver or noise.mechanism != "central":
        own += sample_noise(len(values), noise.variance, random_bytes=random_bytes)
    return np.clip(own, -bound, bound).astype(np.int32)


def clip_exactly(values: NDArray[np.int32], clip: int) -> NDArray[np.int64]:
    """Return values scaled towards zero so that their L2 norm is at most `clip`: in integers, without rounding up.

    Args: values: int32[d], below 2^23 each. clip: in the same units, below 2^39.
    """
    wide = values.astype(np.int64)
    square = sum(int(np.sum(np.square(wide[at : at + _BLOCK]))) for at in range(0, len(wide), _BLOCK))
    if square <= clip * clip:
        return wide
    length = isqrt(square - 1) + 1  # rounded up, so that no scaled coordinate is too large
    scaled: NDArray[np.int64] = np.sign(wide) * (np.abs(wide) * clip // length)
    return scaled
