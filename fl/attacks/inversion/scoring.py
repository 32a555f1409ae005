"""How near a reconstruction comes."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

RECOVERED_MSE = 0.01
"""Mean squared error of pixels below which an image counts as recovered: 20 dB, readable to the eye."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What an attack on many images achieved."""

    recovered: float
    """Share of images that some candidate comes within RECOVERED_MSE of, 0 to 1."""
    mse: float
    """Of the nearest pair of image and candidate in a group: median over groups."""
    psnr: float
    """The same in dB, 10 log10(1 / mse); 150 at most, where float64 ends."""


def pair_up(candidates: Tensor, images: Tensor) -> tuple[Tensor, Tensor]:
    """Return for every image the nearest candidate of its group, and its squared error.

    The attacker is not asked which candidate it believes in: every doubt counts for the attack.

    Args: candidates: float64 [b, r, pixels]. images: float64 [b, k, pixels].
    Returns: float64 [b, k, pixels] and mean squared errors float64 [b, k].
    """
    errors = (candidates[:, None] - images[:, :, None]).square().mean(3)
    least, which = errors.min(2)
    return candidates.gather(1, which[..., None].expand(-1, -1, candidates.shape[2])), least


def score(errors: Tensor) -> Score:
    """Return the figures of an attack. Args: errors: as `pair_up` gives them."""
    mse = float(errors.min(1).values.median())
    return Score(recovered=float((errors < RECOVERED_MSE).double().mean()), mse=mse, psnr=to_psnr(mse))


def to_psnr(mse: float) -> float:
    """Return the peak signal-to-noise ratio of pixels from 0 to 1, in dB."""
    return min(150.0, -10 * math.log10(max(mse, 1e-300)))
