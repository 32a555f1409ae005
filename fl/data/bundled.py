"""Data sets that need no download: digits, vendored, and breast_cancer, from scikit-learn."""

from __future__ import annotations

import hashlib
import io
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from fl.data.dataset import Dataset, split_stratified
from ledger.errors import ConfigurationError, MissingExtra

DIGITS_SHA256 = "f10b077e7e3037d11006b85b6b71a63e15b2bf746d91c4e4122e42d304e5e54b"


def load_digits(seed: int) -> Dataset:
    """Return 1797 handwritten digits as images [n, 1, 8, 8], 1438 or so of them for training.

    Raises:
        ConfigurationError: the file is not the one that was released.
    """
    x, y = decode_digits(resources.files("fl.data").joinpath("digits.npz").read_bytes())
    # 16 is the largest pixel: a count of dark dots in a block of 4 x 4.
    images = (x.astype(np.float32) / np.float32(16)).reshape(-1, 1, 8, 8)
    labels = y.astype(np.int64)
    train, test = split_stratified(labels, seed=seed)
    return Dataset(
        name="digits",
        x_train=images[train],
        y_train=labels[train],
        x_test=images[test],
        y_test=labels[test],
        num_classes=10,
        source="E. Alpaydin, C. Kaynak: Optical Recognition of Handwritten Digits, UCI, doi:10.24432/C50P49",
        licence="CC BY 4.0",
    )


def decode_digits(blob: bytes) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return pixels uint8 [1797, 64] and labels uint8 [1797] from the bytes of digits.npz.

    Raises:
        ConfigurationError: the bytes do not have the pinned sha256; they are not parsed then.
    """
    got = hashlib.sha256(blob).hexdigest()
    if got != DIGITS_SHA256:
        raise ConfigurationError(
            f"digits.npz has sha256 {got}, released was {DIGITS_SHA256}",
            hint="install fedtrail again: the file was changed after the release",
            got=got,
            want=DIGITS_SHA256,
        )
    with np.load(io.BytesIO(blob), allow_pickle=False) as arrays:
        return arrays["x"], arrays["y"]


def load_breast_cancer(seed: int) -> Dataset:
    """Return 569 cases of 30 measurements [n, 30] with two classes, 0 malignant and 1 benign.

    Every column is brought to mean 0 and deviation 1 over the training part. In a federation of separate
    owners those two numbers would have to be agreed on first.

    Raises:
        MissingExtra: scikit-learn is not installed.
    """
    try:
        from sklearn import datasets
    except ImportError as error:
        raise MissingExtra(feature="data set breast_cancer", package="scikit-learn", extra="data") from error
    table, target = datasets.load_breast_cancer(return_X_y=True)
    labels = np.asarray(target, dtype=np.int64)
    train, test = split_stratified(labels, seed=seed)
    scaled = ((table - table[train].mean(axis=0)) / table[train].std(axis=0)).astype(np.float32)
    return Dataset(
        name="breast_cancer",
        x_train=scaled[train],
        y_train=labels[train],
        x_test=scaled[test],
        y_test=labels[test],
        num_classes=2,
        source="W. Wolberg et al.: Breast Cancer Wisconsin (Diagnostic), UCI, doi:10.24432/C5DW2B",
        licence="CC BY 4.0",
    )
