"""Both verifiers of bundles, on the same bytes and with the same trust file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from eth_utils.crypto import keccak
from standalone import load_standalone
from tamper.forgery import read_files

from ledger.bundle.check import check_bundle
from ledger.checkpoints import Checkpoint
from ledger.trust import Trust

STANDALONE = load_standalone()
QUICK = load_standalone(keccak)  # tests hold the file's own against it


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """A bundle that verifies, and the trust file that names its last block."""

    path: Path
    trust: Path
    files: dict[str, bytes]
    """Content of every entry."""


def make_last_checkpoint(path: Path) -> Checkpoint:
    """Return the checkpoint of a bundle's last block, as the second verifier finds it."""
    bundle = QUICK.Bundle(path.read_bytes(), {})
    bundle.run()
    leaves = [QUICK.sha256(b"\0" + log.address + b"".join(log.topics) + log.data) for log in bundle.logs]
    return Checkpoint(
        chain_id=bundle.chain_id,
        ledger=bundle.contracts["ledger"],
        size=len(leaves),
        root=QUICK.merkle_root(leaves),
        block=bundle.last,
        block_hash=bundle.blocks[bundle.last].hash,
    )


def anchor(path: Path, folder: Path) -> Sound:
    """Return a bundle with a trust file, put into a folder, that names its ledger and its last block."""
    files = read_files(path)
    manifest = json.loads(files["manifest.json"])
    last, contract = manifest["last_block"], manifest["contracts"]["ledger"]
    trust = folder / "trust.toml"
    known = f'block_hash = {{{last["number"]} = "{last["hash"]}"}}'
    trust.write_text(f'[ledger]\ncontract = "{contract}"\n[anchor]\n{known}\n', encoding="utf-8")
    return Sound(path=path, trust=trust, files=files)


def judge(data: bytes, trust: Path | None, folder: Path, *, alone: ModuleType = STANDALONE) -> list[dict[str, Any]]:
    """Return what the package and the lone file make of a bundle.

    Args: alone: QUICK where there are many.
    """
    path = folder / "judged.ftb.zip"
    path.write_bytes(data)
    package = check_bundle(path, Trust.load(trust) if trust else None).to_json()
    named = alone.read_trust(trust.read_bytes()) if trust else {}
    return [package, alone.Bundle(data, named).run()]


def agree(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what both say, if they say the same: verdict, exit, codes, rounds and which checks were made."""
    said = [
        {
            "verdict": result["verdict"],
            "exit": result["exit"],
            "codes": sorted({finding["code"] for finding in result["findings"]}),
            "rounds": result["rounds"],
            "checks": {check["name"]: check["ok"] for check in result["checks"]},
            "level": result["level"],
        }
        for result in results
    ]
    assert said[0] == said[1]
    return said[0]
