"""Make the bundle that scripts/fuzz_verifiers.py changes, and the trust file that names its last block.

    python scripts/make_fuzz_bundle.py FOLDER

Two finalised rounds of four clients under a composed rule and a validation, which rejects one of them for its norm, and
an open one, with statements about them. Codes are short, and a witness signed the last block: the bundle is small, and
every check is made.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path += [str(ROOT), str(ROOT / "tests" / "support")]

from both_verifiers import QUICK, anchor, make_last_checkpoint  # noqa: E402
from ledger_world import World, make_setup  # noqa: E402
from tamper.forgery import read_files, reseal, shrink, write_files  # noqa: E402
from validated_rounds import make_statements, run_rounds  # noqa: E402

from ledger import devnet  # noqa: E402
from ledger.bundle.create import BundleRequest, create_bundle  # noqa: E402
from ledger.bundle.format import Level  # noqa: E402
from ledger.journal import Journal  # noqa: E402
from ledger.notes import WITNESS, NoteKey, SignedNote, sign_note  # noqa: E402


def sign_last_block(files: dict[str, bytes], path: Path) -> dict[str, bytes]:
    """Return a bundle's files with a checkpoint of its last block, signed by a witness."""
    write_files(path, files)
    last = make_last_checkpoint(path)
    key = NoteKey.from_seed("hospital-a", WITNESS, hashlib.sha256(b"hospital-a").digest())
    note = sign_note(SignedNote(text=str(last), signatures=()), key, at=1_800_000_000)
    return reseal(files | {"checkpoints/a.note": str(note).encode()})


def main(folder: Path) -> None:
    """Write fuzz.ftb.zip and trust.toml into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "fuzz.ftb.zip"
    with devnet.running(folder) as node:
        journal = Journal(folder / "setup.sqlite")
        world = World(make_setup(node.rpc, journal), folder)
        run_rounds(world)
        make_statements(world)
        create_bundle(path, world.chain, world.store, BundleRequest(level=Level.AUDITOR))
        world.close()
        journal.close()
    write_files(path, sign_last_block(shrink(read_files(path)), path))
    sound = anchor(path, folder)
    verdict = QUICK.Bundle(path.read_bytes(), QUICK.read_trust(sound.trust.read_bytes())).run()["verdict"]
    print(f"{path}: {path.stat().st_size} bytes, {verdict}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
