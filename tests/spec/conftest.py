"""A devnet, and the libraries of the contracts deployed on it behind one call a function."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import rlp
from eth_utils.crypto import keccak
from raw_node import SENDER, Contract, Node, deploy

from ledger import artifacts, devnet, nodejs

ROOT = Path(__file__).resolve().parents[2]
HARNESS = "contracts/test/SpecHarness.sol"
NOBODY = "0x" + "00" * 20
UNBOND_SECONDS = 30 * 86400
MAX_PAUSE_SECONDS = 3600


def _compile_harness(cache: pytest.Cache) -> dict[str, Any]:
    """Compile the harness with the product's compiler and settings; ten seconds, so the result is kept."""
    folders = (ROOT / "contracts" / "interfaces", ROOT / "contracts" / "libraries", ROOT / "contracts" / "test")
    files = [path for folder in folders[:2] for path in folder.glob("*.sol")] + [ROOT / HARNESS]
    sources = {path.relative_to(ROOT).as_posix(): {"content": path.read_text("utf-8")} for path in sorted(files)}
    wanted = {HARNESS: {"SpecHarness": ["abi", "evm.bytecode.object"]}}
    settings = {**artifacts.SETTINGS, "outputSelection": wanted}
    request = json.dumps({"language": "Solidity", "sources": sources, "settings": settings}, sort_keys=True)
    key = f"fedtrail/harness-{hashlib.sha256(request.encode()).hexdigest()}"
    if (found := cache.get(key, None)) is None:
        found = _run_compiler(request)
        cache.set(key, found)
    return dict(found)


def _run_compiler(request: str) -> dict[str, Any]:
    package = nodejs.find_package_file("solc/package.json", project=ROOT).parent
    command = [nodejs.find_node(), str(ROOT / "scripts" / "solc_wrapper.cjs"), "--standard-json"]
    environment = os.environ | {"SOLC_JS": str(package)}
    done = subprocess.run(command, input=request, env=environment, capture_output=True, text=True, check=True)
    answer = json.loads(done.stdout)
    problems = [item["formattedMessage"] for item in answer.get("errors", ()) if item["severity"] == "error"]
    assert not problems, "\n".join(problems)
    output = answer["contracts"][HARNESS]["SpecHarness"]
    return {"abi": output["abi"], "bytecode": output["evm"]["bytecode"]["object"]}


@pytest.fixture(scope="session")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[devnet.Devnet]:
    """Return a devnet that ends with the tests."""
    with devnet.running(tmp_path_factory.mktemp("spec")) as running:
        yield running


@pytest.fixture(scope="session")
def harness(network: devnet.Devnet, pytestconfig: pytest.Config) -> Contract:
    """Return contracts/test/SpecHarness.sol, deployed."""
    compiled = _compile_harness(pytestconfig.cache)
    return deploy(Node(network.rpc), compiled["abi"], bytes.fromhex(compiled["bytecode"]), [])


@pytest.fixture(scope="session")
def contracts(network: devnet.Devnet) -> tuple[Contract, Contract]:
    """Return a fresh registry and ledger; the first test account governs and guards, unbonding takes thirty days."""
    node = Node(network.rpc)
    registry, ledger = artifacts.load("ParticipantRegistry"), artifacts.load("RoundLedger")
    nonce = int(node.call("eth_getTransactionCount", SENDER, "latest"), 16)
    # Each contract is told the other's address: the ledger is the sender's next creation.
    address = "0x" + keccak(rlp.encode([bytes.fromhex(SENDER[2:]), nonce + 1]))[12:].hex()
    first = deploy(node, registry.abi, registry.bytecode, [address, NOBODY, 1, 1, 1, 0, UNBOND_SECONDS])
    second = deploy(node, ledger.abi, ledger.bytecode, [first.address, NOBODY, [], SENDER, SENDER, MAX_PAUSE_SECONDS])
    assert second.address == address
    return first, second
