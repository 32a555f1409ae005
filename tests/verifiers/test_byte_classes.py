"""A changed byte of every kind, with and without a manifest that fits it again: nobody says VERIFIED."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from both_verifiers import QUICK, Sound, agree, judge
from tamper.forgery import HEADERS, MANIFEST, RECEIPTS, STATE, reseal
from tamper.mutations import pack

from ledger.evidence import rlp

pytestmark = [pytest.mark.chain, pytest.mark.slow]

UNCOVERED = ("README.txt", "verify.py")
"""Entries that no verdict rests on: a forger who writes the manifest anew may write them, too."""


def _flip(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :]


def _spread(data: bytes) -> list[int]:
    return sorted({0, len(data) // 3, len(data) // 2, len(data) - 1})


def _find_rlp_places(data: bytes) -> Iterator[int]:
    """Yield places in every field of the first item and in its prefix, the bloom but for its ends left out."""
    size = len(rlp.split(data)[0])
    bloom = data.find(bytes(100))
    for at in (*range(8), *range(8, size, 5), len(data) - 1):
        if not bloom < at < bloom + 100:
            yield at


def _find_json_places(data: bytes) -> Iterator[int]:
    """Yield a place in every key and value at the top, and in the first of what lies deeper."""
    text = data.decode()
    for key, value in json.loads(text).items():
        start = text.index(f'"{key}":')
        yield from (start, start + 1, start + len(key) + 2, start + len(key) + 4)
        if not isinstance(value, str | None):
            yield from range(start + len(key) + 5, start + len(key) + 400, 23)


def _find_places(name: str, data: bytes) -> list[int]:
    if name in (HEADERS, RECEIPTS):
        return sorted(set(_find_rlp_places(data)))
    if name in (STATE, MANIFEST):
        return sorted({place for place in _find_json_places(data) if place < len(data)})
    if name.startswith("blobs/") and data[:2] == b"FT":
        # Every field of a vector's header lies within the first 60 bytes, of a manifest's within the first 250.
        return sorted({*range(0, min(len(data), 250 if data[2:3] == b"D" else 60), 3), len(data) - 1})
    return _spread(data)


def _pick_blobs(files: dict[str, bytes]) -> list[str]:
    """Return an entry of each kind of blob, by its magic."""
    found: dict[bytes, str] = {}
    for name, data in files.items():
        if name.startswith("blobs/"):
            found.setdefault(data[:3], name)
    return sorted(found.values())


def _pick_entries(files: dict[str, bytes]) -> list[str]:
    return [*(name for name in files if not name.startswith("blobs/")), *_pick_blobs(files)]


def test_no_changed_byte_of_an_entry_is_verified(small: Sound, tmp_path: Path) -> None:
    for name in _pick_entries(small.files):
        for at in _find_places(name, small.files[name])[::3]:
            changed = small.files | {name: _flip(small.files[name], at)}
            said = agree(judge(pack(changed), small.trust, tmp_path, alone=QUICK))
            assert said["verdict"] == "FAILED" or name == MANIFEST, (name, at)
            assert said["verdict"] != "VERIFIED", (name, at)


def test_no_changed_byte_of_evidence_is_verified_once_the_manifest_fits_it(small: Sound, tmp_path: Path) -> None:
    for name in _pick_entries(small.files):
        if name in (*UNCOVERED, MANIFEST):
            continue
        for at in _find_places(name, small.files[name]):
            changed = reseal(small.files | {name: _flip(small.files[name], at)})
            assert agree(judge(pack(changed), small.trust, tmp_path, alone=QUICK))["verdict"] == "FAILED", (name, at)


def test_no_changed_byte_of_the_container_is_verified(small: Sound, tmp_path: Path) -> None:
    data = pack(small.files)
    tail = data.rindex(b"PK\x05\x06")
    directory = int.from_bytes(data[tail + 16 : tail + 20], "little")
    places = [*range(30 + len("README.txt")), *range(directory, directory + 46 + 10), *range(tail, tail + 22)]
    for at in places:
        assert agree(judge(_flip(data, at), small.trust, tmp_path, alone=QUICK))["verdict"] == "FAILED", at
    for other in (data[:-1], data + b"\0", b"\0" + data, data[:directory], b"", b"PK\x05\x06" + bytes(18)):
        assert agree(judge(other, small.trust, tmp_path, alone=QUICK))["verdict"] == "FAILED"


@pytest.mark.parametrize("name", UNCOVERED)
def test_what_no_verdict_rests_on_is_covered_by_the_manifest_alone(small: Sound, tmp_path: Path, name: str) -> None:
    changed = small.files | {name: b"anything else"}
    assert agree(judge(pack(changed), small.trust, tmp_path, alone=QUICK))["codes"] == ["FT703"]
    assert agree(judge(pack(reseal(changed)), small.trust, tmp_path, alone=QUICK))["verdict"] == "VERIFIED"
