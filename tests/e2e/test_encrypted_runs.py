"""Runs whose updates are encrypted to an audience: what an eavesdropper finds, and that all else is as without."""

from __future__ import annotations

import base64
import signal
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from crashing import load_everything, resume, run_and_die
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from eavesdropping import cut_windows, find_windows, read_files, tap

from fl.federation import Federation, find_unmet
from ledger import sealed_updates, spec
from ledger.audit import replay
from ledger.bundle.check import check_bundle
from ledger.bundle.create import BundleRequest, create_bundle
from ledger.bundle.format import Level
from ledger.chain import Chain, deploy
from ledger.devnet import Devnet, funded_account
from ledger.encryption_keys import EncryptionKeys, HeldKeys
from ledger.errors import NotAReader
from ledger.history import load_round, to_cid
from ledger.journal import Journal
from ledger.keys import DEVNET_PASSWORD, Keystore
from ledger.project import Project, load_project
from ledger.readers import KeyedStore, PrivateKeys
from ledger.records import Grade, RoundRecord, Verdict
from ledger.spec.audience import decode_sealed, encode_sealed_header
from ledger.store import open_store

pytestmark = pytest.mark.chain
ScriptWriter = Callable[..., Path]
AUDIENCE: dict[str, Any] = {"audience": {"auditors": 1}}


def connect(project: Project) -> Chain:
    return Chain.connect(project.network(), Journal(project.journal_path))


def read_with_keys(project: Project, round_id: int) -> RoundRecord:
    keys = HeldKeys(project.keys_dir, lambda: DEVNET_PASSWORD)
    return load_round(connect(project), KeyedStore(open_store(project.store_path), keys), round_id)


# -------------------------------------------------------------------------------------------------- the eavesdropper


@pytest.fixture
def tapped(devnet: Devnet, tmp_path: Path) -> Iterator[tuple[Project, list[bytes]]]:
    """A project whose wire to the node is recorded."""
    tape: list[bytes] = []
    project = Project.create(tmp_path / "p")
    with tap(devnet.rpc, tape) as rpc:
        file = project.root / "fedtrail.toml"
        text = file.read_text().replace("devnet = true", f'devnet = true\nrpc = "{rpc}"')
        file.write_text(text.replace("chain_id = 31337", f"chain_id = {devnet.chain_id}"))
        project = load_project(file)
        network = project.network()
        deployed = deploy(network, funded_account(0), Journal(project.journal_path))
        project = project.save_deployment(network.name, deployed)
        tape.clear()
        yield project, tape


def eavesdrop(project: Project, tape: list[bytes], script: Path, capfd: pytest.CaptureFixture[str]) -> set[str]:
    """Run a script; return where its updates were found: on the wire, in a file, in what it printed."""
    result = Federation.start(project, script).run()
    (item,) = result.rounds
    assert item.verdict is Verdict.PASS
    connect(project).events()
    record = read_with_keys(project, item.round_id)
    windows = {w for each in record.updates.values() for w in cut_windows((each.data or b"")[spec.HEADER_BYTES :])}
    assert len(windows) > 5000
    seen = list_seen(project, tape, capfd)
    # The ear works: commitments, which are public, are heard.
    assert "wire" in find_windows({record.members[0].commitment[:16]}, seen)
    return find_windows(windows, seen)


def list_seen(project: Project, tape: list[bytes], capfd: pytest.CaptureFixture[str]) -> list[tuple[str, bytes]]:
    """Return the wire, what was printed, and every file of the project: store, outbox, journal, lists, keystore."""
    printed = capfd.readouterr()
    files = read_files(project.root).items()
    return [("wire", part) for part in tape] + [("printed", (printed.out + printed.err).encode())] + list(files)


def list_secrets(project: Project, record: RoundRecord) -> list[bytes]:
    """Return every private key of the run, and seed and content key of every update."""
    keystore, held = Keystore(project.keys_dir), HeldKeys(project.keys_dir, lambda: DEVNET_PASSWORD)
    secrets = [bytes(keystore.load(name, DEVNET_PASSWORD).key) for name in keystore.names()]
    secrets += [key.private_bytes_raw() for key in held._load().values()]
    assert record.readership is not None and record.manifest.data is not None
    suite, store = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305), open_store(project.store_path)
    for entry in spec.decode_manifest(record.manifest.data).entries:
        envelope, cid = record.readership.make_envelope(entry.client), to_cid(entry.content)
        assert cid is not None
        blob, header = store.get(cid, max_bytes=1 << 20), encode_sealed_header(envelope)
        stanza, reader = decode_sealed(blob, envelope).stanzas[0], envelope.readers[0]
        key = held.find_key(reader.key)
        assert key is not None
        info = sealed_updates._make_info(reader, header)
        seed = suite.decrypt(stanza.encapsulation + stanza.wrapped_seed, key, info)
        secrets += [seed, sealed_updates._derive(seed, b"content", header)]
    return secrets


def test_defended_an_eavesdropper_of_wire_store_logs_and_files_finds_no_update_and_no_key(
    tapped: tuple[Project, list[bytes]], write_script: ScriptWriter, capfd: pytest.CaptureFixture[str]
) -> None:
    project, tape = tapped
    assert eavesdrop(project, tape, write_script(name="sealed", **AUDIENCE), capfd) == set()
    record = read_with_keys(project, 1)
    seen, secrets = list_seen(project, tape, capfd), list_secrets(project, record)
    assert len(secrets) > 2 * (5 + 1 + 1)
    assert find_windows({w for secret in secrets for w in cut_windows(secret)}, seen) == set()
    written = [base64.b64encode(secret)[:40] for secret in secrets]
    assert not [name for name, data in seen if any(text in data for text in written)]


def test_the_eavesdropper_finds_updates_where_they_are_not_encrypted(
    tapped: tuple[Project, list[bytes]], write_script: ScriptWriter, capfd: pytest.CaptureFixture[str]
) -> None:
    project, tape = tapped
    found = eavesdrop(project, tape, write_script(name="open"), capfd)
    assert any("blocks" in name for name in found)


# ------------------------------------------------------------------------------------------------------ as without it


def test_an_encrypted_run_with_attestors_is_certified_and_all_sealed_updates_are_as_long_as_each_other(
    project: Project, write_script: ScriptWriter
) -> None:
    events = [{"at": "round 1", "malform": "truncated", "client": 4}]
    expect = {"excluded": [{"client": 4, "rounds": [1], "code": "FT710"}]}
    script = write_script(availability={"attestors": 2}, events=events, expect=expect, **AUDIENCE)
    federation = Federation.start(project, script)
    result = federation.run()
    assert find_unmet(federation.script, result) == []
    (item,) = result.rounds
    assert (item.verdict, item.grade, item.included) == (Verdict.PASS, Grade.PROVEN, 4)
    store = open_store(project.store_path)
    sealed = load_round(federation.chain, store, item.round_id)
    assert sealed.manifest.data is not None
    cids = [to_cid(entry.content) for entry in spec.decode_manifest(sealed.manifest.data).entries]
    assert len({store.stat(cid).size_bytes for cid in cids if cid}) == 1
    report = replay(sealed)
    assert report.verdict is Verdict.INCOMPLETE
    assert {type(finding.error) for finding in report.findings} == {NotAReader}


def test_an_auditor_that_was_registered_elsewhere_replays_with_its_own_key(
    project: Project, write_script: ScriptWriter
) -> None:
    Federation.start(project, write_script(name="registers-an-auditor", **AUDIENCE)).run()
    chain = connect(project)
    number = chain.find_participant(Keystore(project.keys_dir).address("auditor-1")) or 0
    script = write_script(name="names-an-auditor", audience={"auditors": 0, "others": [number]})
    (item,) = Federation.start(project, script).run().rounds
    assert item.verdict is Verdict.PASS
    held = EncryptionKeys(project.keys_dir, "auditor-1")
    key = held.load(chain.list_encryption_keys(number)[-1].key, DEVNET_PASSWORD)
    alone = KeyedStore(open_store(project.store_path), PrivateKeys([key.private_bytes_raw()]))
    assert replay(load_round(chain, alone, item.round_id)).verdict is Verdict.PASS


def test_a_lying_aggregator_of_an_encrypted_run_is_convicted(project: Project, write_script: ScriptWriter) -> None:
    """The court reads no ciphertext: an auditor opens to it what it needs."""
    tamper = [{"at": "always", "aggregator": "tamper", "coordinate": 77}]
    script = write_script(run={"dispute": True}, aggregator={"count": 2}, events=tamper, **AUDIENCE)
    result = Federation.start(project, script).run()
    assert [item.verdict for item in result.rounds] == [Verdict.FAIL, Verdict.PASS]
    assert result.rounds[0].conviction is not None


def test_a_reader_without_a_key_keeps_every_client_from_committing(
    project: Project, write_script: ScriptWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = Chain.get_encryption_keys_at

    def forget_auditor(chain: Chain, participants: list[int], at: int) -> dict[int, Any]:
        auditor = chain.find_participant(Keystore(project.keys_dir).address("auditor-1"))
        return {who: key for who, key in known(chain, participants, at).items() if who != auditor}

    monkeypatch.setattr(Chain, "get_encryption_keys_at", forget_auditor)
    (item,) = Federation.start(project, write_script(**AUDIENCE)).run().rounds
    assert item.refused == tuple((client, "FT613") for client in range(1, 6))


def test_a_bundle_of_an_encrypted_run_is_replayed_with_an_auditor_s_key_and_gives_nobody_else_an_update(
    project: Project, write_script: ScriptWriter, tmp_path: Path
) -> None:
    (item,) = Federation.start(project, write_script(**AUDIENCE)).run().rounds
    chain, store = connect(project), open_store(project.store_path)
    auditor = chain.find_participant(Keystore(project.keys_dir).address("auditor-1")) or 0
    announced = chain.list_encryption_keys(auditor)[-1].key
    tasks = (chain.get_round(item.round_id).task_id,)
    create_bundle(tmp_path / "public", chain, store, BundleRequest(tasks=tasks))
    create_bundle(tmp_path / "open", chain, store, BundleRequest(tasks=tasks, level=Level.AUDITOR))
    sealed = BundleRequest(tasks=tasks, level=Level.AUDITOR, recipient=announced)
    create_bundle(tmp_path / "sealed", chain, store, sealed)
    key = HeldKeys(project.keys_dir, lambda: DEVNET_PASSWORD).find_key(announced)

    def replayed(name: str, with_key: bool) -> str:
        (report,) = check_bundle(tmp_path / name, None, key=key if with_key else None).rounds
        return report.verdict

    verdicts = {(name, with_key): replayed(name, with_key) for name in ("open", "sealed") for with_key in (False, True)}
    assert verdicts == {
        ("open", False): "incomplete",
        ("open", True): "pass",
        ("sealed", False): "incomplete",
        ("sealed", True): "pass",
    }
    record = read_with_keys(project, item.round_id)
    windows = {w for each in record.updates.values() for w in cut_windows((each.data or b"")[spec.HEADER_BYTES :])}
    unpacked = [(name, data) for name in ("public", "open", "sealed") for data in read_archive(tmp_path / name)]
    assert windows and find_windows(windows, unpacked) == set()


def read_archive(path: Path) -> list[bytes]:
    with zipfile.ZipFile(path) as archive:
        return [archive.read(name) for name in archive.namelist()]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_an_encrypted_run_killed_at_a_step_is_resumed_and_publishes_each_update_once(
    project: Project, tmp_path: Path, write_script: ScriptWriter
) -> None:
    load_everything()
    sections = {"clients": {"count": 3}, **AUDIENCE}
    counter, report = tmp_path / "steps", tmp_path / "report"
    assert run_and_die(project.root, write_script(name="sealed-whole", **sections), at=None, report=counter) == 0
    steps = int(counter.read_text())
    assert resume(project.root, "sealed-whole", report) == 0
    outcome = report.read_text()
    for step in (steps // 3, 2 * steps // 3):
        name = f"sealed-killed-{step}"
        assert run_and_die(project.root, write_script(name=name, **sections), at=step) == -signal.SIGKILL
        published = read_files(project.store_path)
        assert resume(project.root, name, report) == 0
        assert report.read_text() == outcome
        assert published.items() <= read_files(project.store_path).items()
        chain, outbox = connect(project), read_files(project.state_dir / "outbox")
        record = load_round(chain, open_store(project.store_path), chain.count_rounds())
        assert all(isinstance(each.problem, NotAReader) for each in record.updates.values())
        assert outbox and len(record.updates) == 3
