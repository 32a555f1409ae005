"""Compiled kernels for work of any size, however small."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from fl.kernels import load
from ledger import kernels


@contextmanager
def use_compiled_kernels() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernels, "_load", load)
        patch.setattr(kernels, "MIN_ENTRIES", 0)
        patch.setattr(kernels, "MIN_BYTES", 0)
        yield


@contextmanager
def use_numpy() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernels, "_load", None)
        yield
