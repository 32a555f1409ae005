"""The two places where a dishonest client may interfere with its own training."""

from __future__ import annotations

from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray


class Attack(Protocol):
    """A strategy of one client; both hooks return new arrays and leave their arguments as they are.

    Each hook does nothing unless the attack overrides it.
    """

    name: ClassVar[str]

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
