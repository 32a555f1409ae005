"""Stores and blobs for the tests of the content store."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.store import EmbeddedStore


@pytest.fixture
def store(tmp_path: Path) -> EmbeddedStore:
    return EmbeddedStore(tmp_path / "store")
