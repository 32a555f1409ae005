"""Attacks on the client's own data; the update is then computed honestly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from fl.attacks.attack import Attack


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelFlip(Attack):
    """Train on the opposite labels: y' = num_classes - 1 - y.

    Tolpegin et al. 2020, arXiv:2007.08432; this mirror of all classes as in Karimireddy et al. 2022,
    arXiv:2006.09365.
    """

    name: ClassVar[str] = "label-flip"

    def poison_data(
        self, x: NDArray[np.float32], y: NDArray[np.int64], num_classes: int
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return the inputs with mirrored labels."""
        return x, num_classes - 1 - y
