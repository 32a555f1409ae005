import json
import subprocess
import sys
from pathlib import Path

import pytest

from ledger import artifacts, nodejs
from ledger.cli import main
from ledger.errors import ConfigurationError, ToolMissing

ROOT = Path(__file__).parents[2]
CONTRACTS = ROOT / "contracts"


@pytest.fixture(scope="module")
def compiled():
    """The contracts, compiled now: minutes of a compiler that two tests share."""
    return artifacts.build(CONTRACTS)


@pytest.mark.slow
@pytest.mark.chain
def test_contract_verify_compiles_the_sources_and_finds_code_of_others(
    compiled, audited_run, monkeypatch, capsys, tmp_path
):
    monkeypatch.setattr(artifacts, "build", lambda folder: compiled)
    project = ["--project", str(audited_run.project.root), "--format", "json"]
    assert main(["contract", "verify", str(CONTRACTS), *project]) == 0
    capsys.readouterr()
    changed = compiled["KrumCourt"]["runtime_code"]
    other = {**compiled, "KrumCourt": {**compiled["KrumCourt"], "runtime_code": changed[:-2] + "ff"}}
    monkeypatch.setattr(artifacts, "build", lambda folder: other)
    assert main(["contract", "verify", str(CONTRACTS), *project]) == 7
    assert "FT724: KrumCourt" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.chain
def test_the_shipped_bytecode_is_that_of_the_sources(compiled):
    for name, built in compiled.items():
        shipped = (ROOT / "ledger" / "artifacts_data" / f"{name}.json").read_text("utf-8")
        assert artifacts.encode(built) == shipped, f"{name} is stale; run: python scripts/build_artifacts.py"


@pytest.mark.parametrize("name", artifacts.CONTRACTS)
def test_the_shipped_artifacts_are_of_the_present_sources(name):
    assert artifacts.load(name).source_hash == artifacts.compute_source_hash(CONTRACTS)


def test_any_change_of_a_source_changes_the_hash(tmp_path):
    for file in CONTRACTS.rglob("*.sol"):
        copy = tmp_path / "contracts" / file.relative_to(CONTRACTS)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(file.read_text("utf-8"), "utf-8")
    before = artifacts.compute_source_hash(tmp_path / "contracts")
    assert before == artifacts.compute_source_hash(CONTRACTS)
    library = tmp_path / "contracts" / "libraries" / "KeyProof.sol"
    library.write_text(library.read_text("utf-8") + "\n", "utf-8")
    assert artifacts.compute_source_hash(tmp_path / "contracts") != before


def test_settings_are_those_of_hardhat():
    program = (
        f"const c = (await import({json.dumps((ROOT / 'hardhat.config.js').as_uri())})).default;"
        "const p = c.solidity.profiles.default; console.log(JSON.stringify([p.version, p.settings]))"
    )
    command = [nodejs.find_node(), "--input-type=module", "-e", program]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert json.loads(answer.stdout) == [artifacts.SOLC_VERSION, artifacts.SETTINGS]


def test_artifacts_tell_nothing_of_the_machine_that_made_them():
    for name in artifacts.CONTRACTS:
        text = (ROOT / "ledger" / "artifacts_data" / f"{name}.json").read_text("utf-8")
        assert str(ROOT) not in text
        assert str(Path.home()) + "/" not in text


def test_code_stays_within_the_limit_of_a_contract():
    for name in artifacts.CONTRACTS:
        assert 0 < len(artifacts.load(name).runtime_code) <= 24576


def test_an_unknown_contract_is_refused():
    with pytest.raises(ConfigurationError, match="RoundLedger"):
        artifacts.load("../errors")


def test_a_source_that_the_compiler_refuses_is_told(tmp_path):
    for name in artifacts.CONTRACTS:
        (tmp_path / f"{name}.sol").write_text("pragma solidity 0.8.30; contract Broken {", "utf-8")
    with pytest.raises(ConfigurationError, match="ParserError"):
        artifacts.build(tmp_path)


def test_an_import_that_is_missing_is_told(tmp_path):
    for name in artifacts.CONTRACTS:
        (tmp_path / f"{name}.sol").write_text('import {A} from "./Absent.sol";\n', "utf-8")
    with pytest.raises(ConfigurationError, match=r"contracts/Absent\.sol"):
        artifacts.compute_source_hash(tmp_path)
    for name in artifacts.CONTRACTS:
        (tmp_path / f"{name}.sol").write_text('import "@absent/package/A.sol";\n', "utf-8")
    with pytest.raises(ToolMissing, match="@absent"):
        artifacts.compute_source_hash(tmp_path)


def test_the_check_fails_on_a_stale_artifact(tmp_path):
    file = ROOT / "ledger" / "artifacts_data" / "RoundLedger.json"
    content = json.loads(file.read_text("utf-8"))
    content["bytecode"] = content["bytecode"][:-2] + "00"
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        import build_artifacts
    finally:
        sys.path.pop(0)
    (tmp_path / "RoundLedger.json").write_text(json.dumps(content), "utf-8")
    original, build_artifacts.DATA = build_artifacts.DATA, tmp_path
    try:
        current = json.loads(file.read_text("utf-8"))
        assert build_artifacts.compare("RoundLedger", current) == [
            "RoundLedger: bytecode differ from the sources; run: python scripts/build_artifacts.py"
        ]
        assert "no shipped artifact" in build_artifacts.compare("ParticipantRegistry", {})[0]
    finally:
        build_artifacts.DATA = original
