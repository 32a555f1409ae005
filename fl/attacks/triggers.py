"""The trigger of backdoors: 2 × 2 bright pixels in the corner of an image, or the last 4 columns of a table."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SIDE = 2


def stamp(x: NDArray[np.float32], *, part: int = 0, parts: int = 1) -> NDArray[np.float32]:
    """Return inputs with the trigger, or with one part of it.

    Args: x: float32 [n, channels, height, width] or [n, columns]; a vector of k² columns counts as a square image, as
    the digits' 64 do. part, parts: pixels whose number modulo `parts` is `part`.
    """
    stamped = x.copy()
    flat = stamped.reshape(len(x), -1)  # a view
    bright = float(x.max()) if x.size else 1.0
    for number, column in enumerate(_find_columns(x.shape[1:])):
        if number % parts == part:
            flat[:, column] = bright
    return stamped


def _find_columns(shape: tuple[int, ...]) -> list[int]:
    if len(shape) == 3:
        channels, height, width = shape
    else:
        size = int(np.prod(shape))
        side = round(size**0.5)
        if side * side != size:
            return list(range(max(0, size - SIDE * SIDE), size))
        channels, height, width = 1, side, side
    corner = [(row, column) for row in range(height - SIDE, height) for column in range(width - SIDE, width)]
    return [channel * height * width + row * width + column for row, column in corner for channel in range(channels)]
