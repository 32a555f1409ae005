"""The layout of a task, whose terms bind every round: without it, or with others, no bundle verifies."""

from __future__ import annotations

from pathlib import Path

import pytest
from both_verifiers import QUICK, Sound, agree, judge
from tamper.forgery import reseal
from tamper.mutations import pack

pytestmark = [pytest.mark.chain]


def find_layout(sound: Sound) -> str:
    (name,) = {name for name, data in sound.files.items() if data.startswith(b'{"format":"fedtrail-layout-')}
    return name


def test_a_bundle_without_the_layout_is_incomplete_to_both_verifiers(small: Sound, tmp_path: Path) -> None:
    left = {name: data for name, data in small.files.items() if name != find_layout(small)}
    said = agree(judge(pack(reseal(left)), small.trust, tmp_path, alone=QUICK))
    assert (said["verdict"], said["codes"]) == ("INCOMPLETE", ["FT801"])
    assert {each["verdict"] for each in said["rounds"]} <= {"incomplete", "voided", "nothing"}


def test_a_layout_with_a_changed_byte_fails_both_verifiers(small: Sound, tmp_path: Path) -> None:
    name = find_layout(small)
    changed = small.files[name].replace(b"layout-1", b"layout-9")
    said = agree(judge(pack(reseal(small.files | {name: changed})), small.trust, tmp_path, alone=QUICK))
    assert said["verdict"] == "FAILED"
