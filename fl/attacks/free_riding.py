"""Clients that contribute nothing and want to be taken for contributors."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from fl.attacks.attack import Attack, Cohort, Deltas, make_generator
from ledger.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class SendZero(Attack):
    """Send no change: delta' = 0.

    Lin et al. 2019, arXiv:1911.12560.
    """

    name: ClassVar[str] = "free-ride-zero"

    def poison_delta(self, delta: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return zeros."""
        return np.zeros_like(delta)


@dataclass(frozen=True, slots=True, kw_only=True)
class SendNoise(Attack):
    """Send small noise: delta' ~ N(0, std²).

    Lin et al. 2019, arXiv:1911.12560.

    Raises:
        UsageError: std is not a finite number above 0.
    """

    name: ClassVar[str] = "free-ride-noise"

    std: float = 1e-3
    """Standard deviation of every coordinate."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.std) and self.std > 0):
            raise UsageError(f"std is {self.std}, allowed are finite numbers above 0", field="std")

    def poison_delta(self, delta: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return noise."""
        return (make_generator(delta).standard_normal(delta.shape) * self.std).astype(np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayGlobal(Attack):
    """Send what the last round added to the global model, with noise as a disguise.

    Lin et al. 2019 (delta weights), arXiv:1911.12560; Fraboni et al. 2021, arXiv:2006.11901.

    Raises:
        UsageError: the noise is negative or not finite.
    """

    name: ClassVar[str] = "free-ride-replay"
    colludes: ClassVar[bool] = True

    noise: float = 0.0
    """Standard deviation of the disguise, in that of the replayed update."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.noise) and self.noise >= 0):
            raise UsageError(f"noise is {self.noise}, allowed are finite numbers from 0", field="noise")

    def poison_cohort(self, own: Deltas, cohort: Cohort) -> Deltas:
        """Return the last global step, for each with a disguise of its own."""
        noise = make_generator(own, cohort.previous).standard_normal(own.shape)
        sent: Deltas = (cohort.previous + noise * (self.noise * cohort.previous.std())).astype(np.float32)
        return sent
