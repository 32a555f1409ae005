"""Bundles of the run that auditors' tests share, made once for each level."""

from __future__ import annotations

from pathlib import Path

import pytest
from audited_run import AuditedRun
from bundles import Bundles


@pytest.fixture(scope="session")
def bundles(audited_run: AuditedRun, tmp_path_factory: pytest.TempPathFactory) -> Bundles:
    folder: Path = tmp_path_factory.mktemp("bundles")
    return Bundles(audited_run, folder)
