"""Real data sets for training: digits ship with the package, others are read where they are installed."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable
from pathlib import Path

from fl.data.bundled import load_breast_cancer, load_digits
from fl.data.dataset import Dataset, Examples
from fl.data.image_files import load_cifar10, load_mnist
from ledger.errors import NotFoundError, UsageError

_BUNDLED: dict[str, Callable[[int], Dataset]] = {"breast_cancer": load_breast_cancer, "digits": load_digits}
_FROM_FILES: dict[str, Callable[[Path], Dataset]] = {"cifar10": load_cifar10, "mnist": load_mnist}

DATASETS = tuple(sorted([*_BUNDLED, *_FROM_FILES]))
"""Every name that `load` knows."""


def load(name: str, *, root: Path | str | None = None, seed: int = 0) -> Dataset:
    """Return a data set with its training and test parts.

    Args:
        name: `digits`, `breast_cancer`, `mnist` or `cifar10`.
        root: folder with the files of `mnist` and `cifar10`; the variable FEDTRAIL_DATA if None.
        seed: at least 0; decides the test part of `digits` and `breast_cancer`, 20 % of each class.
            MNIST and CIFAR-10 come with a test part of their own.

    Raises:
        NotFoundError: there is no such data set, or its files are not in `root`.
        MissingExtra: `breast_cancer` without scikit-learn.
        ConfigurationError: a file is damaged.
        UsageError: the seed is negative.
    """
    if seed < 0:
        raise UsageError(f"seed is {seed}, allowed are integers from 0", field="seed", got=seed)
    if name in _BUNDLED:
        return _BUNDLED[name](seed)
    if name in _FROM_FILES:
        return _FROM_FILES[name](_data_folder(name, root))
    near = difflib.get_close_matches(name, DATASETS, n=1)
    suggestion = f"; did you mean {near[0]}?" if near else ""
    hint = f"known data sets: {', '.join(DATASETS)}"
    raise NotFoundError(kind="data set", name=name, suggestion=suggestion, hint=hint)


def _data_folder(name: str, root: Path | str | None) -> Path:
    folder = root if root is not None else os.environ.get("FEDTRAIL_DATA")
    if not folder:
        hint = "set FEDTRAIL_DATA to the folder that holds its files"
        raise NotFoundError(kind="folder for data set", name=name, suggestion="", hint=hint)
    return Path(folder)


__all__ = ["DATASETS", "Dataset", "Examples", "load"]
