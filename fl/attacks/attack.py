"""The places where a dishonest client may interfere: its data, its update, and what a group of them agrees on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

Deltas = NDArray[np.float32]
"""float32 [k, d]: one update a row, client model minus global model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """What colluding clients know of a round: the worst case, since they see everybody's update before they send."""

    honest: Deltas
    """Updates of the honest clients, float32 [h, d]."""
    previous: NDArray[np.float32]
    """What the last round added to the global model, float32 [d]; zeros in the first."""
    aggregate: Callable[[Deltas], NDArray[np.float32]]
    """The rule, which they know: from all updates, honest ones first, to what is added to the global model."""


class Attack(Protocol):
    """A strategy; all hooks return new arrays and leave their arguments as they are.

    Each hook does nothing unless the attack overrides it.
    """

    name: ClassVar[str]
    colludes: ClassVar[bool] = False
    """Whether `poison_cohort` does something: the honest updates are then computed first."""

    def poison_data(
        self, x: NDArray[np.float32], y: NDArray[np.int64], num_classes: int
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return the examples that the client trains on.

        Args:
            x: float32 [n, ...], its true inputs.
            y: int64 [n], their labels, 0 to num_classes - 1.
            num_classes: at least 2.
        """
        del num_classes
        return x, y

    def poison_delta(self, delta: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the update that the client sends.

        Args:
            delta: float32 [d], client model minus global model.
        """
        return delta

    def poison_cohort(self, own: Deltas, cohort: Cohort) -> Deltas:
        """Return the updates that all clients of this attack send together.

        Args:
            own: float32 [k, d], what they would send after the other hooks.
            cohort: what they know.
        """
        del cohort
        return own


def make_generator(*arrays: NDArray[np.generic]) -> np.random.Generator:
    """Return a generator that the content of arrays decides: an attack that draws is the same in every rerun."""
    digest = hashlib.sha256(b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "big"))
