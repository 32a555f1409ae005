"""Forgeries of a ledger whose task has a composed rule and a validation: both verifiers find each, and say the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from both_verifiers import QUICK, Sound, agree, anchor, judge
from ledger_world import World
from tamper.forgery import read_files, shrink, write_files
from tamper.kinds import KINDS
from tamper.mutations import pack

from ledger import spec
from ledger.bundle.create import BundleRequest, create_bundle
from ledger.bundle.format import Level

pytestmark = pytest.mark.chain
TERMS = (("validation", "stale(95)+duplicate(99)+norm(300)+faint(20)+distance(300)"),)
COMPOSITION = spec.decode_composition(b"drop(3)+nnm+trimmed-mean@1")


@pytest.fixture
def validated(world: World, tmp_path: Path) -> Sound:
    """A bundle of two rounds, the first of which rejects client 3 for its norm, quick to check."""
    rule = {"rule": spec.Rule.COMPOSED, "rule_param": COMPOSITION.min_updates, "composition": COMPOSITION}
    first = world.open(terms=TERMS, **rule)
    for client in (1, 2, 4):
        first.values[client] //= 20
    first.commit().leave_out(client_3=733)
    second = first
    for _ in range(2):
        second.propose(data_id=second.publish()).finalise()
        second = world.open_next(first.task_id, second.model).commit()
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
