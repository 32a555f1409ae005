"""One hospital proves its part, another checks it with nothing but the file: `fedtrail proof`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import Cli
from scripted_runs import run_script

from ledger.chain import Chain
from ledger.history import load_round
from ledger.project import Project
from ledger.proofs.format import decode_proof_file
from ledger.records import RoundRecord
from ledger.store import open_store

pytestmark = pytest.mark.chain


@pytest.fixture(scope="module")
def finished(served: Project) -> Project:
    """A run of this project's clients is on the ledger."""
    assert run_script(served, "proven") == 0
    return served


@pytest.fixture
def record(finished: Project, chain: Chain) -> RoundRecord:
    return load_round(chain, open_store(finished.store_path, ipfs=None), chain.count_rounds())


@pytest.fixture
def trust(chain: Chain, tmp_path: Path) -> Path:
    """What somebody with a node of their own trusts."""
    block = chain.get_confirmed_block()
    digest = chain.get_block_hash(block)
    assert digest is not None
    path = tmp_path / "trust.toml"
    path.write_text(
        f'[ledger]\nchain_id = 31337\ncontract = "0x{chain.contracts.ledger.hex()}"\n'
        f'[anchor]\nblock_hash = {{{block} = "0x{digest.hex()}"}}\n'
    )
    return path


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder without a project, in which files are checked."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_a_round_and_its_model_are_proven_to_somebody_without_a_project(
    cli: Cli,
    finished: Project,
    in_served: Project,
    record: RoundRecord,
    trust: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    files = {kind: tmp_path / f"{kind}.proof" for kind in ("round", "model")}
    for kind, file in files.items():
        made = cli("proof", "get", kind, "--round", 1, "-o", file)
        assert made.status == 0 and "headers" in made.err
    (tmp_path / "model.bin").write_bytes(record.model.data or b"")
    monkeypatch.chdir(tmp_path)
    found = cli("proof", "verify", files["round"], "--trust", trust, "--format", "json")
    assert found.status == 0
    assert found.json["grade"] == "PROVEN"
    assert (found.json["data"]["committed"], found.json["data"]["complete"]) == (5, True)
    model = cli("proof", "verify", files["model"], "model.bin", "--trust", trust)
    assert model.status == 0
    assert "VERIFIED: block" in model.err and f"0x{record.proposal.model_root.hex()}" in model.out  # type: ignore[union-attr]
    (tmp_path / "model.bin").write_bytes((record.model.data or b"")[:-1] + b"\x55")
    assert cli("proof", "verify", files["model"], "model.bin", "--trust", trust).status == 7


def test_an_update_leads_to_a_checkpoint_that_a_witness_has_signed(
    cli: Cli, finished: Project, in_served: Project, record: RoundRecord, tmp_path: Path
) -> None:
    made = cli("checkpoint", "key", "hospital-a", "--format", "json")
    verifier = made.json["data"]["verifier"]
    trust = tmp_path / "witness.toml"
    trust.write_text(f'[anchor]\nwitnesses = {{need = 1, keys = ["{verifier}"]}}\n')
    assert cli("checkpoint", "create", "--key", "hospital-a").status == 0
    client = record.members[1].client
    data = record.updates[client].data
    assert data is not None
    (tmp_path / "update.bin").write_bytes(data)
    for form in ("proof", "tlog-proof"):
        file = tmp_path / f"c2.{form}"
        assert cli("proof", "get", "update", "--round", 1, "--client", "c2", "--as", form, "-o", file).status == 0
        found = cli("proof", "verify", file, tmp_path / "update.bin", "--trust", trust, "--format", "json")
        assert found.status == 0, found.err
        assert found.json["data"]["anchor"] == "cosigned by hospital-a"
        assert found.json["data"]["opens"] is True
        (tmp_path / "wrong.bin").write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        wrong = cli("proof", "verify", file, tmp_path / "wrong.bin", "--trust", trust)
        assert (wrong.status, "FT701" in wrong.err) == (7, True)


def test_without_trust_a_proof_is_consistent_and_no_more(
    cli: Cli, finished: Project, in_served: Project, tmp_path: Path, elsewhere: Path
) -> None:
    file = tmp_path / "round.proof"
    project = ("--project", in_served.root)
    assert cli("proof", "get", "round", "--round", 1, "-o", file, *project).status == 0
    found = cli("proof", "verify", file)
    assert (found.status, "FT802" in found.err) == (8, True)
    assert "committed" in found.out
    answer = cli("proof", "verify", file, "--format", "json")
    assert answer.json["error"]["code"] == "FT802" and answer.json["data"]["proof"] == "round"
    (elsewhere / "empty.toml").write_text("")
    assert "nothing in the trust file" in cli("proof", "verify", file, "--trust", "empty.toml").err


def test_what_is_missing_in_a_proof_is_told(
    cli: Cli, finished: Project, in_served: Project, trust: Path, tmp_path: Path
) -> None:
    file = tmp_path / "round.proof"
    assert cli("proof", "get", "round", "--round", 1, "-o", file).status == 0
    document = {**json.loads(file.read_bytes()), "state": None}
    file.write_text(json.dumps(document, sort_keys=True, separators=(",", ":")) + "\n")
    found = cli("proof", "verify", file, "--trust", trust)
    assert (found.status, "does not show" in found.err) == (8, True)


def test_events_are_named_by_their_round_or_by_their_place(
    cli: Cli, finished: Project, in_served: Project, chain: Chain, trust: Path, tmp_path: Path
) -> None:
    (event,) = chain.events(names=("Finalised",))[-1:]
    for place in (("--round", 1, "--name", "Finalised"), ("--block", event.block, "--log", event.log_index)):
        file = tmp_path / "event.proof"
        assert cli("proof", "get", "event", *place, "-o", file).status == 0
        assert decode_proof_file(file.read_bytes()).events[0].block == event.block
        found = cli("proof", "verify", file, "--trust", trust, "--format", "json")
        assert (found.status, found.json["data"]["event"]) == (0, "Finalised")


def test_events_of_other_contracts_are_proven_by_their_place_in_a_checkpoint(
    cli: Cli, finished: Project, in_served: Project, chain: Chain, tmp_path: Path
) -> None:
    event = chain.events(names=("Registered",))[0]
    place, file = ("--block", event.block, "--log", event.log_index), tmp_path / "registered.proof"
    refused = cli("proof", "get", "event", *place, "-o", file)
    assert (refused.status, "--as tlog-proof" in refused.err, file.exists()) == (2, True, False)
    assert cli("proof", "get", "event", *place, "--as", "tlog-proof", "-o", file).status == 0
    facts = cli("proof", "verify", file, "--format", "json").json["data"]
    assert (facts["event"], facts["contract"]) == ("Registered", "0x" + chain.contracts.registry.hex())


def test_what_cannot_be_proven_is_refused_with_a_reason(
    cli: Cli, finished: Project, in_served: Project, tmp_path: Path
) -> None:
    file = tmp_path / "x.proof"
    assert cli("proof", "get", "update", "--round", 1, "--client", "aggregator", "-o", file).status == 5
    assert cli("proof", "get", "event", "--round", 1, "-o", file).status == 2
    assert cli("proof", "get", "event", "--round", 1, "--name", "Voided", "-o", file).status == 5
    assert cli("proof", "get", "event", "--block", 0, "--log", 0, "-o", file).status == 5
    assert not file.exists()
    file.write_bytes(b"noise")
    assert cli("proof", "verify", file).status == 7


def test_another_ledger_than_the_trusted_one_is_refused(
    cli: Cli, finished: Project, in_served: Project, tmp_path: Path
) -> None:
    file, trust = tmp_path / "round.proof", tmp_path / "other.toml"
    trust.write_text("[ledger]\nchain_id = 1\n")
    assert cli("proof", "get", "round", "--round", 1, "-o", file).status == 0
    found = cli("proof", "verify", file, "--trust", trust)
    assert (found.status, "FT404" in found.err) == (3, True)
