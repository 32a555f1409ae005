"""A data set in memory, and the part of it that one client holds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ledger.errors import ConfigurationError

TEST_SHARE = 0.2
"""Share of each class that `split_stratified` keeps for the test part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """Inputs with their labels: what a client trains on, or what a model is tested on."""

    x: NDArray[np.float32]
    """float32 [n, ...], one input a row."""
    y: NDArray[np.int64]
    """int64 [n], classes from 0."""

    def __len__(self) -> int:
        return len(self.y)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """Training and test examples with their origin; the arrays cannot be written to.

    Raises:
        ConfigurationError: a part is empty, inputs and labels differ in number, or a label is no class.
    """

    name: str
    """Name that `fl.data.load` knows it by."""
    x_train: NDArray[np.float32]
    """float32 [n, ...]: images are [n, channels, height, width] of 0 to 1, tables [n, columns]."""
    y_train: NDArray[np.int64]
    """int64 [n], 0 to num_classes - 1."""
    x_test: NDArray[np.float32]
    """float32 [m, ...], inputs that no client trains on."""
    y_test: NDArray[np.int64]
    """int64 [m]."""
    num_classes: int
    """Number of classes, at least 2."""
    source: str
    """Authors and address of the original."""
    licence: str
    """Licence of the data."""

    def __post_init__(self) -> None:
        for x, y in ((self.x_train, self.y_train), (self.x_test, self.y_test)):
            if len(x) != len(y) or len(y) == 0:
                raise ConfigurationError(f"data set {self.name}: {len(x)} inputs with {len(y)} labels")
            if int(y.min()) < 0 or int(y.max()) >= self.num_classes:
                raise ConfigurationError(
                    f"data set {self.name}: labels from {y.min()} to {y.max()}, allowed are 0 to {self.num_classes - 1}"
                )
            # Several clients share these arrays: an attack must copy before it poisons.
            x.flags.writeable = False
            y.flags.writeable = False

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one input."""
        return tuple(self.x_train.shape[1:])

    @property
    def test(self) -> Examples:
        """The test part."""
        return Examples(x=self.x_test, y=self.y_test)

    def take(self, indices: NDArray[np.int64]) -> Examples:
        """Return a copy of the training examples at `indices`: the part of one client."""
        return Examples(x=self.x_train[indices], y=self.y_train[indices])


def split_stratified(labels: NDArray[np.int64], *, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the indices of a training and of a test part with the same mix of classes.

    Args:
        labels: int64 [n].
        seed: at least 0; the same seed gives the same parts.

    Returns:
        Indices in rising order; every class gives a fifth of its examples, rounded, to the test part.
    """
    generator = np.random.Generator(np.random.PCG64(seed))
    chosen = []
    for label in np.unique(labels):
        members = generator.permutation(np.flatnonzero(labels == label))
        chosen.append(members[: round(len(members) * TEST_SHARE)])
    test = np.sort(np.concatenate(chosen))
    return np.setdiff1d(np.arange(len(labels)), test), test
