"""The rules as their papers write them, in float64 and without a line of this project: a second witness.

Every function takes float64[n, d] and f, and returns float64[d].
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def mean(x: Floats, f: int) -> Floats:
    return x.mean(axis=0)


def median(x: Floats, f: int) -> Floats:
    return np.median(x, axis=0)


def trimmed_mean(x: Floats, f: int) -> Floats:
    """Yin 2018: the mean without the f lowest and highest values of a coordinate."""
    return np.sort(x, axis=0)[f : len(x) - f].mean(axis=0)


def meamed(x: Floats, f: int) -> Floats:
    """Xie 2018: the mean of the n − f values nearest to the median."""
    nearest = np.argsort(np.abs(x - np.median(x, axis=0)), axis=0, kind="stable")[: len(x) - f]
    return np.take_along_axis(x, nearest, axis=0).mean(axis=0)


def distances(x: Floats) -> Floats:
    return np.array([np.sum((x - row) ** 2, axis=1) for row in x])


def score(x: Floats, f: int, slots: list[int]) -> list[float]:
    """Blanchard 2017: the sum of squared distances to the n − f − 2 nearest others."""
    d = distances(x[slots])
    nearest = max(1, len(slots) - f - 2)
    return [float(np.sort(np.delete(row, i))[:nearest].sum()) for i, row in enumerate(d)]


def krum(x: Floats, f: int) -> Floats:
    return x[int(np.argmin(score(x, f, list(range(len(x))))))]


def multi_krum(x: Floats, f: int) -> Floats:
    return x[np.argsort(score(x, f, list(range(len(x)))))[: len(x) - f]].mean(axis=0)


def bulyan(x: Floats, f: int) -> Floats:
    """El Mhamdi 2018: n − 2f vectors by repeated Krum, then per coordinate the mean of those nearest to the median."""
    left, chosen = list(range(len(x))), []
    while len(chosen) < len(x) - 2 * f:
        chosen.append(left.pop(int(np.argmin(score(x, f, left)))))
    return meamed(x[chosen], 2 * f)


def nnm(x: Floats, f: int) -> Floats:
    """Allouah 2023: every vector becomes the mean of its n − f nearest, itself among them."""
    return np.array([x[np.argsort(row, kind="stable")[: len(x) - f]].mean(axis=0) for row in distances(x)])


def geometric_median(x: Floats, f: int) -> Floats:
    """Weiszfeld 1937, Pillutla 2022: 32 steps from the mean."""
    z = x.mean(axis=0)
    for _ in range(32):
        weights = 1 / np.linalg.norm(x - z, axis=1)
        z = weights @ x / weights.sum()
    return z


RULES: dict[str, Callable[[Floats, int], Floats]] = {
    "mean": mean,
    "median": median,
    "trimmed-mean": trimmed_mean,
    "meamed": meamed,
    "krum": krum,
    "multi-krum": multi_krum,
    "bulyan": bulyan,
    "geometric-median": geometric_median,
    "nnm+median": lambda x, f: median(nnm(x, f), f),
    "nnm+trimmed-mean": lambda x, f: trimmed_mean(nnm(x, f), f),
}
"""By the names of the integer rules."""
