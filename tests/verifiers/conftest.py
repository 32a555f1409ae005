"""A bundle with everything in it, and one of its like that is quick to check."""

from __future__ import annotations

import pytest
from audited_run import AuditedRun
from both_verifiers import Sound, anchor
from bundles import Bundles
from tamper.forgery import shrink, write_files


@pytest.fixture(scope="session")
def sound(audited_run: AuditedRun, tmp_path_factory: pytest.TempPathFactory) -> Sound:
    """The auditor's bundle of the shared run, as it was made."""
    folder = tmp_path_factory.mktemp("sound")
    return anchor(Bundles(audited_run, folder).auditor, folder)


@pytest.fixture(scope="session")
def small(sound: Sound, tmp_path_factory: pytest.TempPathFactory) -> Sound:
    """The same with short codes, in blocks that were linked anew for them."""
    folder = tmp_path_factory.mktemp("small")
    path = folder / "small.ftb.zip"
    write_files(path, shrink(sound.files))
    return anchor(path, folder)
