"""Bundles that witnesses anchor: signatures that do not hold, are too few, or are of another ledger."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from both_verifiers import QUICK, Sound, agree, judge, make_last_checkpoint
from tamper.forgery import encode_json, reseal
from tamper.kinds import KINDS
from tamper.mutations import pack

from ledger.checkpoints import Checkpoint
from ledger.notes import PLAIN, WITNESS, NoteKey, SignedNote, sign_note

pytestmark = pytest.mark.chain
KEYS = [
    NoteKey.from_seed(name, kind, hashlib.sha256(name.encode()).digest())
    for name, kind in (("hospital-a", WITNESS), ("bank-b", PLAIN), ("uni-c", WITNESS))
]


@pytest.fixture(scope="session")
def checkpoint(small: Sound) -> Checkpoint:
    return make_last_checkpoint(small.path)


def _judge(small: Sound, folder: Path, note: str | None, *, need: int = 2) -> dict[str, Any]:
    trust = folder / "witnesses.toml"
    keys = ", ".join(f'"{key.verifier}"' for key in KEYS)
    contract = json.loads(small.files["manifest.json"])["contracts"]["ledger"]
    rule = f"witnesses = {{need = {need}, keys = [{keys}]}}"
    trust.write_text(f'[ledger]\ncontract = "{contract}"\n[anchor]\n{rule}\n', encoding="utf-8")
    added = {} if note is None else {"checkpoints/a.note": note.encode()}
    return agree(judge(pack(reseal(small.files | added)), trust, folder, alone=QUICK))


def _sign(checkpoint: Checkpoint, *keys: NoteKey) -> str:
    note = SignedNote(text=str(checkpoint), signatures=())
    for key in keys:
        note = sign_note(note, key, at=1_800_000_000)
    return str(note)


def test_enough_witnesses_of_either_kind_anchor_a_bundle(small: Sound, checkpoint: Checkpoint, tmp_path: Path) -> None:
    assert _judge(small, tmp_path, _sign(checkpoint, *KEYS[:2]))["verdict"] == "VERIFIED"
    assert _judge(small, tmp_path, _sign(checkpoint, *KEYS))["verdict"] == "VERIFIED"


def test_too_few_witnesses_or_none_do_not(small: Sound, checkpoint: Checkpoint, tmp_path: Path) -> None:
    stranger = NoteKey.from_seed("hospital-a", WITNESS, bytes(32))
    for note in (None, _sign(checkpoint, KEYS[0]), _sign(checkpoint, KEYS[0], stranger)):
        said = _judge(small, tmp_path, note)
        assert (said["verdict"], said["codes"]) == ("CONSISTENT", ["FT802"])


def test_a_signature_of_a_witness_that_does_not_hold_is_found(
    small: Sound, checkpoint: Checkpoint, tmp_path: Path
) -> None:
    note = _sign(checkpoint, *KEYS)
    for line in note.splitlines()[-3:]:
        name, encoded = line.split(" ")[1:]
        data = bytearray(base64.b64decode(encoded))
        data[-1] ^= 1
        false = note.replace(f"{name} {encoded}", f"{name} {base64.b64encode(data).decode()}")
        said = _judge(small, tmp_path, false, need=1)
        assert said["verdict"] == "FAILED"
        assert "FT717" in said["codes"]


@pytest.mark.parametrize("field", ["size", "root", "block_hash"])
def test_a_witness_that_saw_something_else_splits_the_view(
    small: Sound, checkpoint: Checkpoint, tmp_path: Path, field: str
) -> None:
    other = replace(checkpoint, **{field: checkpoint.size + 1 if field == "size" else bytes(32)})
    said = _judge(small, tmp_path, _sign(other, KEYS[0]))
    assert said["verdict"] == "FAILED"
    assert "FT704" in said["codes"]


@pytest.mark.parametrize("change", [{"chain_id": 1}, {"ledger": bytes(20)}, {"block": 10**6}])
def test_a_checkpoint_of_another_ledger_or_of_an_unknown_block_says_nothing(
    small: Sound, checkpoint: Checkpoint, tmp_path: Path, change: dict[str, Any]
) -> None:
    said = _judge(small, tmp_path, _sign(replace(checkpoint, **change), *KEYS))
    assert (said["verdict"], said["codes"]) == ("CONSISTENT", ["FT802"])


@pytest.mark.parametrize("note", ["", "no note\n", "fedtrail.1\n\n— x AAAA\n", "\n\n\n"])
def test_what_is_no_note_is_found(small: Sound, tmp_path: Path, note: str) -> None:
    assert "FT722" in _judge(small, tmp_path, note)["codes"]


def test_an_early_anchor_satisfies_only_who_pinned_contract_and_code(small: Sound, tmp_path: Path) -> None:
    files = KINDS["checkpoint"].tamper(small.files)  # a block more than the one that the trust file names
    contract, codes = json.loads(files["manifest.json"])["contracts"], json.loads(files["chain/state.json"])["code"]
    code = b"".join(bytes.fromhex(codes[key][2:]) for key in QUICK.KEYS if key in codes)
    pinned = {"contract": contract["ledger"], "code_hash": "0x" + QUICK.keccak(code).hex()}
    for names in ((), ("contract",), ("code_hash",), ("contract", "code_hash")):
        trust = tmp_path / "trust.toml"
        lines = "".join(f'{name} = "{pinned[name]}"\n' for name in names)
        anchor = small.trust.read_text(encoding="utf-8").partition("[anchor]")[2]
        trust.write_text(f"[ledger]\n{lines}[anchor]{anchor}", encoding="utf-8")
        said = agree(judge(pack(files), trust, tmp_path, alone=QUICK))
        assert said["verdict"] == ("VERIFIED" if len(names) == 2 else "CONSISTENT")


def test_a_manifest_that_is_not_canonical_or_has_another_checksum_is_refused(small: Sound, tmp_path: Path) -> None:
    raw = small.files["manifest.json"]
    for other in (raw.replace(b",", b", ", 1), raw[:-1], raw + b"\n", raw.replace(b"{", b'{"a":1,', 1), b"[" * 100_000):
        said = agree(judge(pack(small.files | {"manifest.json": other}), small.trust, tmp_path, alone=QUICK))
        assert (said["verdict"], said["codes"]) == ("FAILED", ["FT722"])
    data = bytearray(pack(small.files))
    for mark, at in ((b"PK\3\4", 14), (b"PK\1\2", 16)):
        start = next(i for i in range(len(data)) if data[i : i + 4] == mark and b"manifest.json" in data[i : i + 60])
        start = data.rindex(mark, 0, data.index(b"manifest.json", start))
        data[start + at] ^= 1
    assert agree(judge(bytes(data), small.trust, tmp_path, alone=QUICK))["codes"] == ["FT703"]
    assert encode_json(json.loads(raw)) == raw
