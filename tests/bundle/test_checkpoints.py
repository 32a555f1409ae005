"""Witnesses anchor a bundle: enough of them, on a checkpoint that the bundle's own events give."""

from dataclasses import replace
from pathlib import Path

import pytest
from bundles import Bundles, rewrite

from ledger.bundle.chain_evidence import read_blocks, read_logs
from ledger.bundle.check import check_bundle, open_manifest
from ledger.bundle.container import Container
from ledger.bundle.format import Level
from ledger.bundle.notes import BundleVerdict, Notes
from ledger.checkpoints import Checkpoint, compute_ledger_root
from ledger.notes import PLAIN, WITNESS, NoteKey, SignedNote, sign_note
from ledger.trust import Trust

pytestmark = pytest.mark.chain
KEYS = [NoteKey.from_seed(name, WITNESS, bytes([number]) * 32) for number, name in enumerate(("a", "b", "c"))]
LOG = NoteKey.from_seed("log", PLAIN, b"\x09" * 32)
TRUST = Trust(need=2, keys=tuple(key.verifier for key in KEYS))


def make_checkpoint(bundles: Bundles, block: int | None = None, **changes: object) -> Checkpoint:
    """Return what a checkpoint of a block (None: the last) must say; keyword arguments replace fields."""
    with Container(bundles.auditor) as container:
        manifest, notes = open_manifest(container), Notes()
        blocks = read_blocks(container, manifest, notes)
        logs = read_logs(container, manifest, blocks, notes)
    number = manifest.last_block.number if block is None else block
    found = [log.raw for log in logs if log.block.number <= number]
    checkpoint = Checkpoint(
        chain_id=manifest.chain_id,
        ledger=manifest.contracts["ledger"],
        size=len(found),
        root=compute_ledger_root(found),
        block=number,
        block_hash=next(each.hash for each in blocks if each.number == number),
    )
    return replace(checkpoint, **changes)  # type: ignore[arg-type]


def sign(checkpoint: Checkpoint, *keys: NoteKey) -> bytes:
    note = SignedNote(text=str(checkpoint), signatures=())
    for key in keys:
        note = sign_note(note, key, at=1_700_000_000)
    return str(note).encode()


def put_in(bundles: Bundles, target: Path, *notes: bytes) -> Path:
    return rewrite(bundles.auditor, target, {f"checkpoints/{n}.note": note for n, note in enumerate(notes)})


def judge(path: Path, trust: Trust) -> tuple[BundleVerdict, list[str]]:
    with Container(path) as container:
        named = replace(trust, contract=open_manifest(container).contracts["ledger"])
    report = check_bundle(path, named)
    return report.verdict, [finding.error.code for finding in report.findings]


def test_enough_witnesses_anchor_a_bundle(bundles: Bundles, tmp_path: Path) -> None:
    note = sign(make_checkpoint(bundles), LOG, KEYS[0], KEYS[2])
    path = put_in(bundles, tmp_path / "witnessed.ftb.zip", note)
    report = check_bundle(path, replace(TRUST, contract=bundles.run.chain.contracts.ledger))
    assert report.verdict is BundleVerdict.VERIFIED
    assert report.anchor is not None
    assert "2 of 3 witnesses: a, c" in report.anchor
    assert judge(path, replace(TRUST, need=3)) == (BundleVerdict.CONSISTENT, ["FT802"])
    assert judge(path, Trust()) == (BundleVerdict.CONSISTENT, ["FT802"])


def test_an_anchor_without_the_address_of_the_ledger_is_none(bundles: Bundles, tmp_path: Path) -> None:
    """Else a bundle of somebody else's ledger on the same chain would be as good."""
    for trust in (replace(bundles.trust, contract=None), TRUST):
        note = sign(make_checkpoint(bundles), LOG, KEYS[0], KEYS[2])
        report = check_bundle(put_in(bundles, tmp_path / "nameless.ftb.zip", note), trust)
        assert (report.verdict, report.anchor) == (BundleVerdict.CONSISTENT, None)
        assert "does not name the ledger" in report.findings[0].error.message


def test_signatures_of_two_notes_do_not_add_up(bundles: Bundles, tmp_path: Path) -> None:
    checkpoint = make_checkpoint(bundles)
    path = put_in(bundles, tmp_path / "apart.ftb.zip", sign(checkpoint, KEYS[0]), sign(checkpoint, KEYS[1]))
    assert judge(path, TRUST) == (BundleVerdict.CONSISTENT, ["FT802"])


@pytest.mark.parametrize("change", [{"block_hash": b"\x01" * 32}, {"size": 3}, {"root": b"\x01" * 32}])
def test_one_witness_that_saw_another_ledger_is_a_split_view(
    bundles: Bundles, tmp_path: Path, change: dict[str, object]
) -> None:
    path = put_in(bundles, tmp_path / "split.ftb.zip", sign(make_checkpoint(bundles, **change), KEYS[0]))
    assert judge(path, TRUST) == (BundleVerdict.FAILED, ["FT704", "FT802"])
    assert judge(path, Trust()) == (BundleVerdict.CONSISTENT, ["FT802"])


def test_an_early_checkpoint_agrees_and_anchors_only_what_it_covers(bundles: Bundles, tmp_path: Path) -> None:
    chain = bundles.run.chain
    last = chain.events()[-1].block
    note = sign(make_checkpoint(bundles, last - 1), KEYS[0], KEYS[1])
    path = put_in(bundles, tmp_path / "early.ftb.zip", note)
    assert judge(path, TRUST) == (BundleVerdict.CONSISTENT, ["FT802"])


def test_behind_an_anchor_only_pinned_code_counts(bundles: Bundles, tmp_path: Path) -> None:
    """Blocks after an anchor may be anybody's, and so may the state that is proven after the last of them."""
    chain = bundles.run.chain
    busy = {event.block for event in chain.events()}
    last = next(block for block in sorted(busy) if block > 20 and block + 1 not in busy)
    path = bundles.make("later", level=Level.AUDITOR, last_block=last + 1)
    block_hash = chain.get_block_hash(last)
    assert block_hash is not None
    trust = Trust(block_hashes={last: block_hash})
    assert judge(path, trust) == (BundleVerdict.CONSISTENT, ["FT802"])
    pinned = bytes.fromhex((chain.network.code_hash or "")[2:])
    trust = replace(trust, code_hash=pinned)
    assert judge(path, trust) == (BundleVerdict.VERIFIED, [])


def test_a_forged_signature_of_a_witness_is_a_finding(bundles: Bundles, tmp_path: Path) -> None:
    note = sign(make_checkpoint(bundles), KEYS[0])
    forged = sign(make_checkpoint(bundles, size=3), KEYS[0])
    mixed = note.split(b"\n\n")[0] + b"\n\n" + forged.split(b"\n\n")[1]
    path = put_in(bundles, tmp_path / "forged.ftb.zip", mixed)
    assert judge(path, TRUST) == (BundleVerdict.FAILED, ["FT717", "FT802"])


@pytest.mark.parametrize("note", [b"", b"no note", b"text\n\n\xe2\x80\x94 a AAAAAAAA\n"])
def test_a_checkpoint_that_is_none_is_a_finding(bundles: Bundles, tmp_path: Path, note: bytes) -> None:
    path = put_in(bundles, tmp_path / "none.ftb.zip", note)
    assert judge(path, TRUST) == (BundleVerdict.FAILED, ["FT722", "FT802"])


def test_a_checkpoint_of_another_ledger_says_nothing(bundles: Bundles, tmp_path: Path) -> None:
    note = sign(make_checkpoint(bundles, chain_id=1), KEYS[0], KEYS[1])
    path = put_in(bundles, tmp_path / "other.ftb.zip", note)
    assert judge(path, TRUST) == (BundleVerdict.CONSISTENT, ["FT802"])
