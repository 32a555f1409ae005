"""Attacks on the update: training is honest, what is sent is not."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from fl.attacks.attack import Attack
from ledger.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class SignFlip(Attack):
    """Send the update reversed and enlarged: delta' = -factor * delta.

    Raises:
        UsageError: the factor is not a finite number above 0.

    Li et al. 2019 (RSA), arXiv:1811.03761.
    """

    name: ClassVar[str] = "sign-flip"

    factor: float = 4.0
    """How much the update is enlarged, above 0; with 1 it is only reversed."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.factor) and self.factor > 0):
            raise UsageError(f"factor is {self.factor}, allowed are finite numbers above 0", field="factor")

    def poison_delta(self, delta: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the reversed and enlarged update."""
        return np.float32(-self.factor) * delta


@dataclass(frozen=True, slots=True, kw_only=True)
class NonFiniteAttack(Attack):
    """Send an update with one coordinate that is no number: delta'[coordinate] = NaN.

    One such value turns every float mean into NaN. Quantisation has no code for it, so the client is
    refused with the name of the tensor (FT714) and the round goes on without it.

    Raises:
        UsageError: the coordinate is negative.
    """

    name: ClassVar[str] = "nan"

    coordinate: int = 0
    """Coordinate that is overwritten, from 0; counted modulo the update's length."""

    def __post_init__(self) -> None:
        if self.coordinate < 0:
            raise UsageError(f"coordinate is {self.coordinate}, allowed are integers from 0", field="coordinate")

    def poison_delta(self, delta: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return a copy with NaN at the coordinate."""
        poisoned = delta.copy()
        poisoned[self.coordinate % len(delta)] = np.nan
        return poisoned
