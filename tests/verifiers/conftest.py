"""A bundle with everything in it, and one of its like that is quick to check."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from audited_run import AuditedRun
from both_verifiers import Sound
from bundles import Bundles
from tamper.forgery import read_files, shrink, write_files


@pytest.fixture(scope="session")
def sound(audited_run: AuditedRun, tmp_path_factory: pytest.TempPathFactory) -> Sound:
    """The auditor's bundle of the shared run, as it was made."""
    folder = tmp_path_factory.mktemp("sound")
    return _anchor(Bundles(audited_run, folder).auditor, folder)


@pytest.fixture(scope="session")
def small(sound: Sound, tmp_path_factory: pytest.TempPathFactory) -> Sound:
    """The same with short codes, in blocks that were linked anew for them."""
    folder = tmp_path_factory.mktemp("small")
    path = folder / "small.ftb.zip"
    write_files(path, shrink(sound.files))
    return _anchor(path, folder)


def _anchor(path: Path, folder: Path) -> Sound:
    files = read_files(path)
    manifest = json.loads(files["manifest.json"])
    last, contract = manifest["last_block"], manifest["contracts"]["ledger"]
    trust = folder / "trust.toml"
    anchor = f'block_hash = {{{last["number"]} = "{last["hash"]}"}}'
    trust.write_text(f'[ledger]\ncontract = "{contract}"\n[anchor]\n{anchor}\n', encoding="utf-8")
    return Sound(path=path, trust=trust, files=files)
