"""Forgeries of a ledger whose task has a composed rule and a validation: both verifiers find each, and say the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from both_verifiers import QUICK, Sound, agree, anchor, judge
from ledger_world import World
from tamper.forgery import Forgery, read_files, reseal, shrink, write_files
from tamper.kinds import KINDS
from tamper.mutations import pack
from validated_rounds import make_statements, run_rounds

from ledger.bundle.create import BundleRequest, create_bundle
from ledger.bundle.format import Level

pytestmark = pytest.mark.chain


@pytest.fixture
def validated(world: World, tmp_path: Path) -> Sound:
    """A bundle of two rounds, the first of which rejects client 3 for its norm, quick to check."""
    run_rounds(world)
    make_statements(world)
    made, path = tmp_path / "made.ftb.zip", tmp_path / "small.ftb.zip"
    create_bundle(made, world.chain, world.store, BundleRequest(level=Level.AUDITOR))
    write_files(path, shrink(read_files(made)))
    return anchor(path, tmp_path)


def test_both_verifiers_find_what_a_forger_changed_in_validated_rounds(validated: Sound, tmp_path: Path) -> None:
    sound = agree(judge(validated.path.read_bytes(), validated.trust, tmp_path, alone=QUICK))
    assert sound["verdict"] == "VERIFIED"
    assert [each["verdict"] for each in sound["rounds"]] == ["pass", "pass", "nothing"]
    for name in KINDS.keys() - {"publication"}:  # who is rejected is so for an update that was committed to
        said = agree(judge(pack(KINDS[name].tamper(validated.files)), validated.trust, tmp_path, alone=QUICK))
        assert (name, said["verdict"]) == (name, KINDS[name].verdict)
        assert KINDS[name].codes & set(said["codes"]), name
    late = Forgery(validated.files)  # a block that is none, where others are still to come
    late.receipts[1 << 300] = late.receipts.pop(min(late.receipts))
    said = agree(judge(pack(late.seal(relink=False)), validated.trust, tmp_path, alone=QUICK))
    assert said["codes"] == ["FT703", "FT705"]


def test_a_bundle_has_what_was_stated_by_default_and_both_verifiers_check_it(validated: Sound, tmp_path: Path) -> None:
    document = json.loads(validated.files["facts.json"])
    assert [fact["fact"] for fact in document["facts"]] == ["scores", "spend", "contest", "key"]
    scores = document["facts"][0]
    assert (scores["kind"], scores["values"]) == ("effort", [["1", "65536"], ["3", "-5"]])
    for changed in (validated.files["facts.json"].replace(b'"-5"', b'"-4"'), b"", b"[]\n"):
        forged = reseal(validated.files | {"facts.json": changed})
        said = agree(judge(pack(forged), validated.trust, tmp_path, alone=QUICK))
        assert (said["verdict"], said["codes"], said["checks"]["events"]) == ("FAILED", ["FT703"], False)
    left_out = {name: data for name, data in validated.files.items() if name != "facts.json"}
    assert agree(judge(pack(reseal(left_out)), validated.trust, tmp_path, alone=QUICK))["verdict"] == "VERIFIED"
