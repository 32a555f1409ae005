"""Rounds of every kind, honest and not, through a bundle: both verifiers say what a replay from the chain says."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ledger_world import OTHER_BYTES, StagedRound, World

from ledger import spec
from ledger.bundle.check import check_bundle
from ledger.bundle.container import Container
from ledger.bundle.create import BundleRequest, create_bundle
from ledger.bundle.format import Level
from ledger.bundle.notes import BundleReport, BundleVerdict
from ledger.spec import CommitMode, Rule
from ledger.store import Cid, Codec, unixfs
from ledger.trust import Trust

pytestmark = pytest.mark.chain
SECOND = Path(__file__).parents[2] / "ledger" / "bundle" / "verify.py"


def finish(round_: StagedRound, **changes: Any) -> StagedRound:
    """Publish, propose and finalise what the test holds."""
    round_.propose(data_id=round_.publish(), **changes).finalise()
    return round_


def verify(world: World, tmp_path: Path) -> BundleReport:
    """Return the report on a bundle of everything, anchored, after asking the second verifier as well."""
    path = tmp_path / "world.ftb.zip"
    create_bundle(path, world.chain, world.store, BundleRequest(level=Level.AUDITOR))
    last = world.chain.get_confirmed_block()
    block_hash = world.chain.get_block_hash(last)
    assert block_hash is not None
    contract = world.chain.contracts.ledger
    named = f'[ledger]\ncontract = "0x{contract.hex()}"\n[anchor]\n'
    (tmp_path / "trust.toml").write_text(f'{named}block_hash = {{{last} = "0x{block_hash.hex()}"}}\n')
    report = check_bundle(path, Trust(contract=contract, block_hashes={last: block_hash}))
    command = [sys.executable, "-S", str(SECOND), str(path), "--trust", str(tmp_path / "trust.toml"), "--json"]
    second = json.loads(subprocess.run(command, capture_output=True, text=True, check=False).stdout)
    assert essence(second) == essence(report.to_json())
    return report


def essence(report: dict[str, Any]) -> dict[str, Any]:
    """What two verifiers must agree on; how they put it is their own."""
    return {
        "verdict": report["verdict"],
        "checks": {each["name"]: each["ok"] for each in report["checks"]},
        "findings": sorted({(each["code"], each["round"]) for each in report["findings"]}, key=str),
        "rounds": report["rounds"],
    }


def found(report: BundleReport) -> list[tuple[str, str, int | None]]:
    return [(each.check, each.error.code, each.round_id) for each in report.findings if each.check != "counters"]


@pytest.mark.parametrize("mode", list(CommitMode))
def test_honest_rounds_of_every_mode_are_verified(world: World, tmp_path: Path, mode: CommitMode) -> None:
    first = finish(world.open(mode=mode).commit())
    finish(world.open_next(first.task_id, first.model).commit())
    report = verify(world, tmp_path)
    assert [each.verdict for each in report.rounds] == ["pass", "pass"]
    assert found(report) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"rule": Rule.KRUM, "rule_param": 0, "max_clients": 50},
        {"rule": Rule.MULTI_KRUM, "rule_param": 0, "rule_select": 2, "max_clients": 50},
        {"rule": Rule.WEIGHTED_MEAN, "wei_per_weight": 10**17},
        {"rule": Rule.MEDIAN},
        {"rule": Rule.SUM32},
    ],
    ids=lambda changes: changes["rule"].name.lower(),
)
def test_honest_rounds_of_every_rule_are_verified(world: World, tmp_path: Path, changes: dict[str, Any]) -> None:
    finish(world.open(**changes).commit())
    report = verify(world, tmp_path)
    assert ([each.verdict for each in report.rounds], found(report)) == (["pass"], [])


VALIDATION = (("validation", "stale(95)+duplicate(99)+norm(300)+faint(20)+distance(300)"),)


def open_composed(world: World, text: str = "drop(3)+nnm+trimmed-mean@1", **changes: Any) -> StagedRound:
    """Return the first round of a task with a composed rule and a validation."""
    composition = spec.decode_composition(text.encode())
    rule = {"rule": Rule.COMPOSED, "rule_param": composition.min_updates, "composition": composition}
    return world.open(**{**rule, "terms": VALIDATION, **changes})


def test_honest_rounds_of_composed_rules_with_a_validation_are_verified(world: World, tmp_path: Path) -> None:
    for text in ("drop(3)+nnm+trimmed-mean@1", "drop(2)+mean@1", "bucketing(2)+median@0"):
        first = open_composed(world, text, bond_wei=0)
        for client in (1, 2, 4):
            first.values[client] //= 20
        finish(first.commit().leave_out(client_3=733))
        finish(world.open_next(first.task_id, first.model).commit())
    report = verify(world, tmp_path)
    assert ([each.verdict for each in report.rounds], found(report)) == (["pass"] * 6, [])


def test_rounds_of_composed_rules_that_are_wrong_are_findings(world: World, tmp_path: Path) -> None:
    for excluded in ({}, {"client_1": 733}, {"client_3": 734}):  # of which client 3 should be, for FT733
        compared = open_composed(world, bond_wei=0)
        for client in (1, 2, 4):
            compared.values[client] //= 20
        finish(compared.commit().leave_out(**excluded))
    wrong = open_composed(world, bond_wei=0).commit()
    wrong.aggregate[7] += 1
    wrong.model[7] += 1
    finish(wrong)
    orphaned = open_composed(world, "trust(2)@0", terms=(), bond_wei=0).commit()
    orphaned.silent.add(2)
    orphaned.excluded = {2: 801}
    finish(orphaned)
    unknown = world.open(terms=(("zone", "1"),), bond_wei=0).commit()
    finish(unknown.leave_out(client_2=799))
    assert set(found(verify(world, tmp_path))) == {
        *(("membership", "FT706", round_id) for round_id in (1, 2, 3)),
        ("replay", "FT702", 4),
        ("replay", "FT609", 5),
        ("commitments", "FT803", 6),
    }


def test_an_update_that_repeats_the_last_aggregate_is_left_out_in_both_verifiers_eyes(
    world: World, tmp_path: Path
) -> None:
    first = finish(open_composed(world).commit())
    second = world.open_next(first.task_id, first.model)
    second.values[2] = first.aggregate.copy()
    finish(second.commit().leave_out(client_2=731))
    assert found(verify(world, tmp_path)) == []
    third = world.open_next(first.task_id, second.model)
    finish(third.commit().leave_out(client_2=731))
    assert found(verify(world, tmp_path)) == [("membership", "FT706", 3)]


def test_an_aggregate_that_is_wrong_and_final_is_a_finding(world: World, tmp_path: Path) -> None:
    round_ = world.open().commit()
    round_.aggregate[7] += 1
    round_.model[7] += 1
    finish(round_)
    report = verify(world, tmp_path)
    assert report.verdict is BundleVerdict.FAILED
    assert found(report) == [("replay", "FT702", 1)]


def test_a_client_that_publishes_other_bytes_than_it_committed_is_named(world: World, tmp_path: Path) -> None:
    round_ = world.open().commit()
    honest = round_.blob(spec.Kind.UPDATE, round_.values[2], 2, round_.examples[2])
    round_.published[2] = honest[:-4] + bytes(4)
    finish(round_)
    report = verify(world, tmp_path)
    assert found(report) == [("commitments", "FT701", 1)]
    assert [each.participant for each in report.findings if each.error.code == "FT701"] == [2]


@pytest.mark.parametrize("reason", [OTHER_BYTES, 711, 716, 722])
def test_clients_that_are_left_out_for_what_they_published_stay_left_out(
    world: World, tmp_path: Path, reason: int
) -> None:
    """Also those whose blob is too large, or no file at all: the blocks that show it are in the bundle."""
    round_ = world.open().commit()
    honest = round_.blob(spec.Kind.UPDATE, round_.values[2], 2, round_.examples[2])
    if reason == 722:
        publish_no_file(world, round_)
    else:
        bytes_of = {OTHER_BYTES: honest[:-4] + bytes(4), 711: honest + b"\0", 716: bytes(600_000)}
        round_.published[2] = bytes_of[reason]
    finish(round_.leave_out(client_2=reason))
    report = verify(world, tmp_path)
    assert ([(each.verdict, each.grade) for each in report.rounds], found(report)) == ([("pass", "PROVEN")], [])


def publish_no_file(world: World, round_: StagedRound) -> None:
    """Have client 2 publish a dag-pb block that is no file of the profile."""
    cid = world.store.put_block(b"no node of any file", Codec.DAG_PB)
    put = world.store.put
    junk = b"junk of client 2"
    round_.published[2] = junk
    world.store.put = lambda data: cid if data == junk else put(data)  # type: ignore[method-assign]


def test_an_honest_client_that_is_left_out_is_a_finding(world: World, tmp_path: Path) -> None:
    finish(world.open().commit().leave_out(client_2=OTHER_BYTES))
    assert found(verify(world, tmp_path)) == [("membership", "FT706", 1)]


def test_a_client_that_nobody_could_reach_lowers_the_grade_only(world: World, tmp_path: Path) -> None:
    round_ = world.open().commit()
    round_.silent.add(2)
    finish(round_.leave_out(client_2=801))
    report = verify(world, tmp_path)
    assert ([(each.verdict, each.grade) for each in report.rounds], found(report)) == ([("pass", "ATTESTED")], [])


def test_rounds_that_have_not_ended_or_ended_without_a_proposal_have_nothing_to_replay(
    world: World, tmp_path: Path
) -> None:
    world.open(bond_wei=0)
    world.open(bond_wei=0).commit()
    expired = world.open(bond_wei=0).commit()
    world.wait_until(world.chain.get_round(expired.round_id).propose_end + 1)
    world.send("expire", expired.round_id)
    proposed = world.open(bond_wei=0).commit()
    proposed.propose(data_id=proposed.publish())
    report = verify(world, tmp_path)
    assert [each.verdict for each in report.rounds] == ["nothing", "nothing", "nothing", "pass"]
    assert found(report) == []


def test_a_list_that_nobody_can_read_leaves_its_round_open(world: World, tmp_path: Path) -> None:
    round_ = finish(world.open(mode=CommitMode.ROOT_ONLY).commit())
    (event,) = world.chain.events(names=("RootCommitted",), round_id=round_.round_id)
    path = world.store.block_path(Cid(codec=Codec.RAW, digest=event.args["list_id"]))  # type: ignore[attr-defined]
    path.unlink()
    target = tmp_path / "listless.ftb.zip"
    request = BundleRequest(level=Level.AUDITOR, allow_gaps=True)
    create_bundle(target, world.chain, world.store, request)
    report = check_bundle(target)
    assert ("commitments", "FT801", 1) in found(report)
    assert report.rounds[0].verdict == "incomplete"


def test_a_blob_of_many_blocks_stands_in_a_bundle_as_one_file(world: World, tmp_path: Path) -> None:
    content = bytes(range(256)) * 4096
    cid = world.store.put(content)
    assert cid.codec is Codec.DAG_PB
    round_ = world.open().commit()
    round_.published[2] = content
    finish(round_.leave_out(client_2=716))
    verify(world, tmp_path)
    with Container(tmp_path / "world.ftb.zip") as container:
        entry = container.entries[f"blobs/{cid}"]
    assert entry.size_bytes < unixfs.CHUNK_BYTES  # of one that is too large only the block that says so
