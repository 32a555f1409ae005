"""A devnet, and the libraries of the contracts deployed on it behind one call a function."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import decode, encode
from eth_utils.abi import collapse_if_tuple
from eth_utils.crypto import keccak

from ledger import artifacts, devnet, nodejs

ROOT = Path(__file__).resolve().parents[2]
HARNESS = "contracts/test/SpecHarness.sol"


@dataclass(frozen=True, slots=True)
class Node:
    """JSON-RPC of a devnet, in batches: one request for hundreds of calls."""

    rpc: str

    def batch(self, calls: Sequence[tuple[str, list[Any]]]) -> list[dict[str, Any]]:
        body = [{"jsonrpc": "2.0", "id": i, "method": m, "params": p} for i, (m, p) in enumerate(calls)]
        headers = {"content-type": "application/json"}
        request = urllib.request.Request(self.rpc, json.dumps(body).encode(), headers)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=120) as answer:
            return sorted(json.load(answer), key=lambda item: item["id"])

    def call(self, method: str, *params: Any) -> Any:
        answer = self.batch([(method, list(params))])[0]
        if "error" in answer:
            raise RuntimeError(str(answer["error"]))
        return answer["result"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call gave: its outputs, or the name and arguments of the error that it reverted with."""

    outputs: tuple[Any, ...] | None
    error: str | None = None
    arguments: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Harness:
    """contracts/test/SpecHarness.sol on a devnet."""

    node: Node
    address: str
    abi: list[dict[str, Any]]

    def ask(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Answer]:
        functions = {item["name"]: item for item in self.abi if item["type"] == "function"}
        requests = [{"to": self.address, "data": _encode_call(functions[name], args)} for name, args in calls]
        answers = self.node.batch([("eth_call", [request, "latest"]) for request in requests])
        pairs = zip(calls, answers, strict=True)
        return [self._read(functions[name]["outputs"], answer) for (name, _), answer in pairs]

    def _read(self, outputs: list[dict[str, Any]], answer: dict[str, Any]) -> Answer:
        if "error" not in answer:
            return Answer(tuple(decode(_types(outputs), bytes.fromhex(answer["result"][2:]))))
        text = answer["error"]["data"]
        data = bytes.fromhex((text["data"] if isinstance(text, dict) else text)[2:])
        errors = {_selector(item): item for item in self.abi if item["type"] == "error"}
        item = errors.get(data[:4])
        if item is None:
            return Answer(None, error=f"0x{data.hex()}")
        return Answer(None, error=item["name"], arguments=tuple(decode(_types(item["inputs"]), data[4:])))


def _types(items: list[dict[str, Any]]) -> list[str]:
    return [collapse_if_tuple(item) for item in items]


def _selector(item: dict[str, Any]) -> bytes:
    return keccak(f"{item['name']}({','.join(_types(item['inputs']))})".encode())[:4]


def _encode_call(item: dict[str, Any], arguments: Sequence[Any]) -> str:
    return "0x" + (_selector(item) + encode(_types(item["inputs"]), list(arguments))).hex()


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
def harness(network: devnet.Devnet, pytestconfig: pytest.Config) -> Harness:
    """Return the deployed harness."""
    node = Node(network.rpc)
    compiled = _compile_harness(pytestconfig.cache)
    sender = node.call("eth_accounts")[0]
    request = {"from": sender, "data": "0x" + compiled["bytecode"], "gas": hex(16_000_000)}
    receipt = node.call("eth_getTransactionReceipt", node.call("eth_sendTransaction", request))
    assert receipt["status"] == "0x1"
    return Harness(node, receipt["contractAddress"], compiled["abi"])
