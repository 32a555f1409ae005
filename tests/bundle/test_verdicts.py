"""From chain and store to a bundle, and from the bundle to a verdict."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from bundles import Bundles, read_manifest, rewrite

from ledger.bundle.check import check_bundle
from ledger.bundle.format import Level
from ledger.bundle.notes import CHECKS, BundleReport, BundleVerdict
from ledger.bundle.sealing import load_recipient_key, make_recipient_key
from ledger.errors import NotFoundError
from ledger.trust import Trust

pytestmark = pytest.mark.chain


def codes(report: BundleReport) -> list[str]:
    return [finding.error.code for finding in report.findings]


def oks(report: BundleReport) -> dict[str, bool | None]:
    return {check.name: check.ok for check in report.checks}


def test_an_anchored_bundle_with_everything_is_verified(bundles: Bundles) -> None:
    report = check_bundle(bundles.auditor, bundles.trust)
    assert (report.verdict, report.exit_status, codes(report)) == (BundleVerdict.VERIFIED, 0, [])
    assert oks(report) == dict.fromkeys(CHECKS, True)
    assert [(each.round_id, each.verdict, each.grade) for each in report.rounds] == [
        (1, "pass", "PROVEN"),
        (2, "pass", "PROVEN"),
        (3, "voided", "ATTESTED"),
        (4, "pass", "PROVEN"),
    ]
    assert report.anchor is not None


def test_without_an_anchor_the_same_bundle_is_only_consistent(bundles: Bundles) -> None:
    for trust in (None, Trust(chain_id=31337, contract=bundles.run.chain.contracts.ledger)):
        report = check_bundle(bundles.auditor, trust)
        assert (report.verdict, report.exit_status, codes(report)) == (BundleVerdict.CONSISTENT, 8, ["FT802"])
        assert oks(report)["anchor"] is None
        assert report.anchor is None


@pytest.mark.parametrize("level", ["public", "partner", "sealed"])
def test_a_bundle_that_withholds_updates_is_incomplete_and_says_which_rounds(bundles: Bundles, level: str) -> None:
    report = check_bundle(getattr(bundles, level), bundles.trust)
    assert (report.verdict, report.exit_status) == (BundleVerdict.INCOMPLETE, 8)
    assert codes(report) == ["FT801"] * 3
    assert [finding.round_id for finding in report.findings] == [1, 2, 4]
    verdicts = {each.round_id: each.verdict for each in report.rounds}
    assert verdicts == {1: "incomplete", 2: "incomplete", 3: "voided", 4: "incomplete"}
    open_checks = {name for name, ok in oks(report).items() if ok is None}
    assert open_checks == {"commitments", "membership", "replay"}


def test_a_public_bundle_discloses_no_vector_and_a_partner_bundle_only_its_own_updates(bundles: Bundles) -> None:
    run = bundles.run
    blobs = {name: path for name in ("public", "partner", "auditor") for path in [getattr(bundles, name)]}
    kinds = {name: sorted(bundles.read_kinds(path)) for name, path in blobs.items()}
    assert kinds["public"] == []
    updates = [kind for kind in kinds["partner"] if kind.startswith("update")]
    assert set(updates) == {f"update of client {bundles.client}"}
    assert len(updates) == len(run.round_ids)
    assert len([kind for kind in kinds["auditor"] if kind.startswith("update")]) == 5 * len(run.round_ids)
    assert "model" in kinds["partner"]
    assert "aggregate" in kinds["partner"]


def test_the_auditor_opens_a_sealed_bundle_and_verifies_all_of_it(bundles: Bundles) -> None:
    report = check_bundle(bundles.sealed, bundles.trust, load_recipient_key(bundles.key_file, None))
    assert (report.verdict, codes(report)) == (BundleVerdict.VERIFIED, [])
    assert "35/35" in next(check.detail for check in report.checks if check.name == "blobs")


def test_another_readers_key_opens_nothing_and_accuses_nobody(bundles: Bundles, tmp_path: Path) -> None:
    make_recipient_key(tmp_path / "other.pem", None)
    report = check_bundle(bundles.sealed, bundles.trust, load_recipient_key(tmp_path / "other.pem", None))
    assert (report.verdict, codes(report)) == (BundleVerdict.INCOMPLETE, ["FT801"] * 3)


def test_a_sealed_blob_that_does_not_open_is_a_finding(bundles: Bundles, tmp_path: Path) -> None:
    name = next(name for name in read_manifest(bundles.sealed).files if name.startswith("sealed/"))
    path = rewrite(bundles.sealed, tmp_path / "changed.ftb.zip", {name: bytes(200)})
    report = check_bundle(path, bundles.trust, load_recipient_key(bundles.key_file, None))
    assert report.verdict is BundleVerdict.FAILED
    assert "FT708" in codes(report)


def test_an_anchor_before_the_last_event_anchors_nothing(bundles: Bundles) -> None:
    chain = bundles.run.chain
    last = chain.events()[-1].block
    early = chain.get_block_hash(last - 1)
    assert early is not None
    report = check_bundle(bundles.auditor, replace(bundles.trust, block_hashes={last - 1: early}))
    assert (report.verdict, codes(report)) == (BundleVerdict.CONSISTENT, ["FT802"])
    assert f"what comes after block {last - 1} is not anchored" in report.findings[0].error.message


def test_another_hash_of_an_anchored_block_is_a_split_view(bundles: Bundles) -> None:
    number = next(iter(bundles.trust.block_hashes))
    report = check_bundle(bundles.auditor, replace(bundles.trust, block_hashes={number: b"\x01" * 32}))
    assert (report.verdict, report.exit_status, codes(report)) == (BundleVerdict.FAILED, 7, ["FT704", "FT802"])


@pytest.mark.parametrize(
    "change",
    [{"chain_id": 1}, {"contract": b"\x01" * 20}, {"code_hash": b"\x01" * 32}],
    ids=lambda change: next(iter(change)),
)
def test_another_ledger_than_the_trusted_one_fails(bundles: Bundles, change: dict[str, object]) -> None:
    report = check_bundle(bundles.auditor, replace(bundles.trust, **change))  # type: ignore[arg-type]
    assert (report.verdict, codes(report)) == (BundleVerdict.FAILED, ["FT404"])


def test_the_pinned_code_is_the_one_of_the_project(bundles: Bundles) -> None:
    pinned = bundles.run.chain.network.code_hash
    assert pinned is not None
    trust = replace(bundles.trust, code_hash=bytes.fromhex(pinned[2:]))
    assert check_bundle(bundles.auditor, trust).verdict is BundleVerdict.VERIFIED


def test_a_bundle_without_proofs_of_state_is_incomplete(bundles: Bundles, tmp_path: Path) -> None:
    path = rewrite(bundles.auditor, tmp_path / "stateless.ftb.zip", {"chain/state.json": None})
    report = check_bundle(path, bundles.trust)
    assert (report.verdict, codes(report)) == (BundleVerdict.INCOMPLETE, ["FT801"])
    assert {name for name, ok in oks(report).items() if ok is None} == {"counters", "stakes"}


def test_a_bundle_is_about_the_tasks_that_it_names(bundles: Bundles) -> None:
    path = bundles.make("no task", tasks=())
    report = check_bundle(path, bundles.trust)
    assert (report.verdict, report.rounds) == (BundleVerdict.VERIFIED, ())
    assert read_manifest(path).tasks == ()


def test_a_bundle_up_to_an_earlier_block_tells_the_ledger_of_then(bundles: Bundles) -> None:
    chain = bundles.run.chain
    block = next(event.block for event in chain.events(names=("Finalised",)))
    path = bundles.make("early", level=Level.AUDITOR, last_block=block)
    block_hash = chain.get_block_hash(block)
    assert block_hash is not None
    report = check_bundle(path, replace(bundles.trust, block_hashes={block: block_hash}))
    assert (report.verdict, codes(report)) == (BundleVerdict.VERIFIED, [])
    assert [each.round_id for each in report.rounds] == [1]


def test_there_is_no_report_of_no_file(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        check_bundle(tmp_path / "nothing.ftb.zip")


@pytest.mark.parametrize("content", [b"", b"PK", b"\0" * 22, b"PK\5\6" + bytes(18), b"x" * 5000])
def test_what_is_no_bundle_fails_at_its_first_check(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "nothing.ftb.zip"
    path.write_bytes(content)
    report = check_bundle(path)
    assert (report.verdict, report.level) == (BundleVerdict.FAILED, None)
    assert oks(report) == {**dict.fromkeys(CHECKS), "manifest": False}


def test_a_truncated_bundle_is_no_bundle(bundles: Bundles, tmp_path: Path) -> None:
    path = tmp_path / "short.ftb.zip"
    shutil.copy(bundles.public, path)
    path.write_bytes(path.read_bytes()[:-1])
    assert codes(check_bundle(path, bundles.trust)) == ["FT722"]
