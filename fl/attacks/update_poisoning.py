"""Attacks on the update: training is honest, what is sent is not."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from fl.attacks.attack import Attack, make_generator
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
        _verify_above_zero("factor", self.factor)

    def poison_delta(self, delta: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the reversed and enlarged update."""
        return np.float32(-self.factor) * delta


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling(Attack):
    """Send the update enlarged: delta' = factor * delta; after a backdoor, model replacement.

    Bagdasaryan et al. 2020, arXiv:1807.00459: with the factor n over the learning rate one client replaces the model.

    Raises:
        UsageError: the factor is not a finite number above 0.
    """

    name: ClassVar[str] = "scaling"

    factor: float = 10.0
    """How much the update is enlarged."""

    def __post_init__(self) -> None:
        _verify_above_zero("factor", self.factor)

    def poison_delta(self, delta: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the enlarged update."""
        return np.float32(self.factor) * delta


@dataclass(frozen=True, slots=True, kw_only=True)
class Gaussian(Attack):
    """Send noise instead of an update: delta' ~ N(0, std²).

    Blanchard et al. 2017, arXiv:1703.02757.

    Raises:
        UsageError: std is not a finite number above 0.
    """

    name: ClassVar[str] = "gaussian"

    std: float = 1.0
    """Standard deviation of every coordinate."""

    def __post_init__(self) -> None:
        _verify_above_zero("std", self.std)

    def poison_delta(self, delta: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return noise of the update's shape."""
        return (make_generator(delta).standard_normal(delta.shape) * self.std).astype(np.float32)


def _verify_above_zero(field: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0):
        raise UsageError(f"{field} is {value}, allowed are finite numbers above 0", field=field)


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
