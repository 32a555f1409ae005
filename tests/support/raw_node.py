"""Contracts on a devnet through plain JSON-RPC: no code of the product between a test and the chain."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eth_abi.abi import decode, encode
from eth_utils.abi import collapse_if_tuple
from eth_utils.crypto import keccak

from ledger import devnet

SENDER = devnet.funded_account(0).address.lower()


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
class Contract:
    """A deployed contract, called without any code of the product."""

    node: Node
    address: str
    abi: list[dict[str, Any]]

    def send(self, name: str, *arguments: Any, at: int | None = None, value: int = 0) -> Answer:
        """Send a transaction from the first test account, mined at second `at`; a revert is mined too."""
        if at is not None:
            self.node.call("evm_setNextBlockTimestamp", at)
        item = next(item for item in self.abi if item.get("name") == name)
        request = {"from": SENDER, "to": self.address, "data": _encode_call(item, arguments)}
        request |= {"value": hex(value), "gas": hex(5_000_000)}
        answer = self.node.batch([("eth_sendTransaction", [request])])[0]
        return self._read([], answer) if "error" in answer else Answer(())

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


def deploy(node: Node, abi: list[dict[str, Any]], bytecode: bytes, arguments: list[Any]) -> Contract:
    """Return a contract, deployed by the first test account."""
    types = [_types(item["inputs"]) for item in abi if item["type"] == "constructor"]
    data = bytecode + (encode(types[0], arguments) if types else b"")
    request = {"from": SENDER, "data": "0x" + data.hex(), "gas": hex(16_000_000)}
    receipt = node.call("eth_getTransactionReceipt", node.call("eth_sendTransaction", request))
    assert receipt["status"] == "0x1"
    return Contract(node, receipt["contractAddress"], abi)
