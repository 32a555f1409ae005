"""What a bundle is made of: the same bytes every time, whole or not at all, and its gaps stated."""

import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from bundles import Bundles, read_manifest, write_trust

from ledger.bundle.check import check_bundle
from ledger.bundle.create import BundleRequest, create_bundle
from ledger.bundle.format import Kind, Level
from ledger.bundle.notes import BundleVerdict
from ledger.errors import BlobCorrupt, NotFoundError, Reverted, Unavailable, UsageError
from ledger.history import raw_cid
from ledger.store import Cid, EmbeddedStore

pytestmark = pytest.mark.chain

MAKER = """
import sys
from pathlib import Path
from ledger.bundle.create import BundleRequest, create_bundle
from ledger.chain import Chain
from ledger.journal import Journal
from ledger.project import Project
from ledger.store import open_store
project, target = Project.find(Path(sys.argv[1])), Path(sys.argv[2])
chain = Chain.connect(project.network(), Journal(target.with_suffix(".sqlite")))
store = open_store(project.store_path)
request = BundleRequest(level="auditor")
create_bundle(target, chain, store, request, lambda done, total, text: print(text, flush=True))
print("whole", flush=True)
"""


@pytest.mark.parametrize("level", ["public", "partner", "auditor"])
def test_the_same_inputs_give_the_same_bytes(bundles: Bundles, tmp_path: Path, level: str) -> None:
    partner = bundles.client if level == "partner" else None
    again = tmp_path / "again.ftb.zip"
    create_bundle(again, bundles.run.chain, bundles.run.store, BundleRequest(level=Level(level), partner=partner))
    assert again.read_bytes() == getattr(bundles, level).read_bytes()


def test_how_much_is_asked_of_the_node_at_once_makes_no_difference(
    bundles: Bundles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.bundle.create._HEADERS_PER_REQUEST", 7)
    monkeypatch.setattr("ledger.bundle.create._SLOTS_PER_REQUEST", 3)
    create_bundle(tmp_path / "slowly.ftb.zip", bundles.run.chain, bundles.run.store, BundleRequest())
    assert (tmp_path / "slowly.ftb.zip").read_bytes() == bundles.public.read_bytes()


def test_two_sealed_bundles_differ_in_nothing_but_the_seals(bundles: Bundles) -> None:
    again = read_manifest(bundles.make("sealed again", level=Level.AUDITOR, recipient=bundles.recipient)).files
    before = read_manifest(bundles.sealed).files
    assert set(again) == set(before)
    assert {name for name in again if again[name] != before[name]} == {n for n in again if n.startswith("sealed/")}


def test_other_programs_read_a_bundle_as_a_zip(bundles: Bundles) -> None:
    with zipfile.ZipFile(bundles.auditor) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert names == sorted(names)
        assert set(names) == {*read_manifest(bundles.auditor).files, "manifest.json"}
        modes = {info.external_attr >> 16 for info in archive.infolist()}
    assert modes == {0o100644}


@pytest.mark.parametrize("line", [0, 14, 27, 28, 45, 62])  # headers, receipts, state, blobs
def test_a_bundle_that_is_killed_while_it_is_made_is_not_there(bundles: Bundles, tmp_path: Path, line: int) -> None:
    target = tmp_path / "killed.ftb.zip"
    maker = subprocess.Popen(
        [sys.executable, "-c", MAKER, str(bundles.run.project.root), str(target)], stdout=subprocess.PIPE, text=True
    )
    assert maker.stdout is not None
    said = [maker.stdout.readline() for _ in range(line + 1)]
    maker.send_signal(signal.SIGKILL)
    maker.wait()
    if target.exists():
        assert said[-1] in ("whole\n", "") or target.read_bytes() == bundles.auditor.read_bytes()
    create_bundle(target, bundles.run.chain, bundles.run.store, BundleRequest(level=Level.AUDITOR))
    assert target.read_bytes() == bundles.auditor.read_bytes()
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".partial")] == []


def test_a_bundle_replaces_the_one_before_only_when_it_is_complete(bundles: Bundles, tmp_path: Path) -> None:
    target = tmp_path / "kept.ftb.zip"
    shutil.copy(bundles.public, target)
    empty = EmbeddedStore(tmp_path / "empty")
    with pytest.raises(Unavailable):
        create_bundle(target, bundles.run.chain, empty, BundleRequest())
    assert target.read_bytes() == bundles.public.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "kept.ftb.zip"]


def copy_store(bundles: Bundles, folder: Path) -> EmbeddedStore:
    shutil.copytree(bundles.run.project.store_path, folder)
    return EmbeddedStore(folder)


def manifest_of(bundles: Bundles, round_id: int) -> Cid:
    (event,) = bundles.run.chain.events(names=("Proposed",), round_id=round_id)
    return raw_cid(event.args["proposal"].data_id)


def test_a_missing_blob_is_refused_and_said_to_be_missing(bundles: Bundles, tmp_path: Path) -> None:
    store, cid = copy_store(bundles, tmp_path / "store"), manifest_of(bundles, bundles.run.final[0])
    store.block_path(cid).unlink()
    target = tmp_path / "gap.ftb.zip"
    with pytest.raises(Unavailable, match=r"the manifest of round 1; no bundle was written") as refused:
        create_bundle(target, bundles.run.chain, store, BundleRequest())
    assert "--allow-gaps" in refused.value.hint
    assert not target.exists()
    manifest = create_bundle(target, bundles.run.chain, store, BundleRequest(level=Level.AUDITOR, allow_gaps=True))
    assert [(gap.kind, gap.round_id, gap.code, gap.cid) for gap in manifest.gaps] == [
        (Kind.MANIFEST, 1, "FT801", str(cid))
    ]
    assert read_manifest(target) == manifest
    report = check_bundle(target, bundles.trust)
    assert report.verdict is BundleVerdict.INCOMPLETE
    assert [(finding.error.code, finding.round_id) for finding in report.findings] == [("FT801", 1)]


def test_a_corrupt_blob_is_refused_and_stated_as_corrupt(bundles: Bundles, tmp_path: Path) -> None:
    store, cid = copy_store(bundles, tmp_path / "store"), manifest_of(bundles, bundles.run.final[1])
    path = store.block_path(cid)
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    target = tmp_path / "gap.ftb.zip"
    with pytest.raises(BlobCorrupt, match=r"the manifest of round 2; no bundle was written"):
        create_bundle(target, bundles.run.chain, store, BundleRequest())
    manifest = create_bundle(target, bundles.run.chain, store, BundleRequest(allow_gaps=True))
    assert [(gap.round_id, gap.code) for gap in manifest.gaps] == [(2, "FT708")]


def test_what_a_struck_round_left_may_be_gone(bundles: Bundles, tmp_path: Path) -> None:
    store, cid = copy_store(bundles, tmp_path / "store"), manifest_of(bundles, bundles.run.voided)
    store.block_path(cid).unlink()
    target = tmp_path / "gap.ftb.zip"
    manifest = create_bundle(target, bundles.run.chain, store, BundleRequest(level=Level.AUDITOR))
    assert [(gap.kind, gap.round_id) for gap in manifest.gaps] == [(Kind.MANIFEST, 3)]
    assert check_bundle(target, bundles.trust).verdict is BundleVerdict.VERIFIED


def test_requests_that_do_not_fit_are_refused(bundles: Bundles, tmp_path: Path) -> None:
    chain, store, target = bundles.run.chain, bundles.run.store, tmp_path / "none.ftb.zip"
    for request, error in (
        (BundleRequest(level=Level.PARTNER), UsageError),
        (BundleRequest(partner=1), UsageError),
        (BundleRequest(recipient=bytes(32)), UsageError),
        (BundleRequest(tasks=(2,)), NotFoundError),
        (BundleRequest(level=Level.PARTNER, partner=99), Reverted),
        (BundleRequest(last_block=10**6), NotFoundError),
        (BundleRequest(last_block=0), NotFoundError),
    ):
        with pytest.raises(error):
            create_bundle(target, chain, store, request)
    assert list(tmp_path.iterdir()) == []


def test_checking_needs_no_network(bundles: Bundles, tmp_path: Path) -> None:
    """In a network namespace of its own there is not even a loopback address that is up."""
    trust = write_trust(tmp_path / "trust.toml", bundles.trust)
    command = [sys.executable, "-m", "ledger.cli", "verify", str(bundles.auditor), "--trust", str(trust)]
    isolated = ["unshare", "--map-root-user", "--net"]
    if shutil.which("unshare") is None or subprocess.run([*isolated, "true"], check=False).returncode:
        pytest.skip("this machine makes no network namespaces")
    done = subprocess.run([*isolated, *command], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.returncode, done.stdout.splitlines()[-1].split()[0]) == (0, "VERIFIED")
