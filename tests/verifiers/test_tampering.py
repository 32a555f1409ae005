"""The ways to falsify a bundle, resealed as a forger would: both verifiers find each, and say the same."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from both_verifiers import Sound, agree, judge
from standalone import PATH
from tamper.kinds import KINDS
from tamper.mutations import pack

pytestmark = pytest.mark.chain


def test_both_verifiers_call_the_sound_bundle_verified(sound: Sound, tmp_path: Path) -> None:
    said = agree(judge(sound.path.read_bytes(), sound.trust, tmp_path))
    assert (said["verdict"], said["exit"], said["codes"]) == ("VERIFIED", 0, [])
    assert set(said["checks"].values()) == {True}


def test_both_verifiers_call_it_consistent_for_somebody_who_trusts_nothing(sound: Sound, tmp_path: Path) -> None:
    said = agree(judge(sound.path.read_bytes(), None, tmp_path))
    assert (said["verdict"], said["exit"], said["codes"]) == ("CONSISTENT", 8, ["FT802"])


@pytest.mark.parametrize("name", KINDS)
def test_both_verifiers_find_what_a_forger_changed(sound: Sound, tmp_path: Path, name: str) -> None:
    kind = KINDS[name]
    said = agree(judge(pack(kind.tamper(sound.files)), sound.trust, tmp_path))
    assert said["verdict"] == kind.verdict
    assert said["exit"] == {"FAILED": 7, "CONSISTENT": 8}[kind.verdict]
    assert kind.codes & set(said["codes"])


@pytest.mark.parametrize("name", [name for name in KINDS if name not in ("header", "checkpoint")])
def test_what_contradicts_itself_is_found_without_an_anchor(sound: Sound, tmp_path: Path, name: str) -> None:
    said = agree(judge(pack(KINDS[name].tamper(sound.files)), None, tmp_path))
    assert said["verdict"] == "FAILED"
    assert KINDS[name].codes & set(said["codes"])


@pytest.mark.parametrize("name", ["update", "event", "checkpoint"])
def test_both_commands_end_with_the_status_of_their_verdict(sound: Sound, tmp_path: Path, name: str) -> None:
    path = tmp_path / "false.ftb.zip"
    path.write_bytes(pack(KINDS[name].tamper(sound.files)))
    arguments = [str(path), "--trust", str(sound.trust)]
    alone = [sys.executable, "-I", "-S", str(PATH), *arguments, "--json"]
    package = [sys.executable, "-m", "ledger.cli", "verify", *arguments]
    ended = [subprocess.run(command, capture_output=True, text=True, check=False) for command in (alone, package)]
    result = json.loads(ended[0].stdout)
    assert [each.returncode for each in ended] == [result["exit"]] * 2
    assert result["verdict"] in ended[1].stdout + ended[1].stderr
