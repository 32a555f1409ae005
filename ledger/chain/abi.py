"""Encode calls and decode results, events and errors of the contracts, with eth_abi.

Names become Python's (`roundId` is `round_id`), structs become dictionaries, addresses 20 bytes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from ledger import artifacts
from ledger.errors import ChainError

Param = Mapping[str, Any]


def to_snake(name: str) -> str:
    """Return a Solidity name as Python writes it."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip("_")).lower()


def _get_type(param: Param) -> str:
    if not param["type"].startswith("tuple"):
        return str(param["type"])
    inner = ",".join(_get_type(part) for part in param["components"])
    return f"({inner}){param['type'].removeprefix('tuple')}"


def _normalise(value: Any, param: Param) -> Any:
    """Return a decoded value with addresses as bytes and structs as dictionaries."""
    if param["type"].endswith("]"):
        item = {**param, "type": param["type"].rpartition("[")[0]}
        return tuple(_normalise(one, item) for one in value)
    if param["type"] == "tuple":
        return _name_values(param["components"], value)
    return bytes.fromhex(value[2:]) if param["type"] == "address" else value


def _name_values(params: Sequence[Param], values: Sequence[Any]) -> dict[str, Any]:
    return {
        to_snake(param["name"]) or str(position): _normalise(value, param)
        for position, (param, value) in enumerate(zip(params, values, strict=True))
    }


@dataclass(frozen=True)  # no slots: cached properties need a place
class Item:
    """A function, event or error of a contract."""

    name: str
    """Its name in Solidity."""
    inputs: Sequence[Param]
    """Parameters."""
    outputs: Sequence[Param] = ()
    """What a function returns."""

    @cached_property
    def signature_hash(self) -> bytes:
        """Return the keccak256 of name and types: an event's topic; its first 4 bytes select a function or error."""
        from eth_utils.crypto import keccak

        return keccak(text=f"{self.name}({','.join(_get_type(param) for param in self.inputs)})")

    def encode_call(self, *args: Any) -> bytes:
        """Return selector and arguments."""
        return self.signature_hash[:4] + encode_values(self.inputs, args)

    def decode_result(self, data: bytes) -> Any:
        """Return what a call returned: a value, a struct's dictionary, or the dictionary of several values.

        Raises: ChainError: these bytes are no such result.
        """
        values = _decode_values(self.outputs, data, self.name)
        return _normalise(values[0], self.outputs[0]) if len(values) == 1 else _name_values(self.outputs, values)

    def decode_error(self, data: bytes) -> dict[str, Any]:
        """Return the arguments of an error."""
        return _name_values(self.inputs, _decode_values(self.inputs, data[4:], self.name))

    def decode_log(self, topics: Sequence[bytes], data: bytes) -> dict[str, Any]:
        """Return the arguments of an event, indexed ones included, in their order."""
        indexed = [param for param in self.inputs if param["indexed"]]
        plain = [param for param in self.inputs if not param["indexed"]]
        values = _name_values(plain, _decode_values(plain, data, self.name))
        for param, topic in zip(indexed, topics[1:], strict=True):
            values |= _name_values([param], _decode_values([param], topic, self.name))
        return {to_snake(param["name"]): values[to_snake(param["name"])] for param in self.inputs}


def encode_values(params: Sequence[Param], values: Sequence[Any]) -> bytes:
    """Return abi.encode of values; structs are given as tuples, addresses as 20 bytes."""
    from eth_abi.abi import encode

    return encode([_get_type(param) for param in params], list(values))


def _decode_values(params: Sequence[Param], data: bytes, what: str) -> tuple[Any, ...]:
    from eth_abi.abi import decode
    from eth_abi.exceptions import DecodingError

    try:
        return tuple(decode([_get_type(param) for param in params], data))
    except (DecodingError, OverflowError) as problem:
        raise ChainError(f"the node's answer to {what} cannot be read: {problem}") from None


class Interface:
    """What a contract offers."""

    def __init__(self, name: str) -> None:
        abi = artifacts.load(name).abi
        self.name = name
        self.constructor: Sequence[Param] = next((i["inputs"] for i in abi if i["type"] == "constructor"), ())
        self.functions = {i["name"]: Item(i["name"], i["inputs"], i["outputs"]) for i in abi if i["type"] == "function"}
        events = [Item(i["name"], i["inputs"]) for i in abi if i["type"] == "event"]
        self.events = {item.signature_hash: item for item in events}
        errors = [Item(i["name"], i["inputs"]) for i in abi if i["type"] == "error"]
        self.errors = {item.signature_hash[:4]: item for item in errors}


@cache
def get_interface(name: str) -> Interface:
    """Return the interface of a contract that ships with the package."""
    return Interface(name)


@cache
def get_errors() -> Mapping[bytes, Item]:
    """Return every error that a call to our contracts can end with, by selector."""
    found: dict[bytes, Item] = {}
    for name in artifacts.CONTRACTS:
        found |= get_interface(name).errors
    general = [
        Item("Error", [{"name": "message", "type": "string"}]),
        Item("Panic", [{"name": "code", "type": "uint256"}]),
    ]
    return found | {item.signature_hash[:4]: item for item in general}


@cache
def get_events() -> Mapping[bytes, Item]:
    """Return every event of our contracts, by topic."""
    found: dict[bytes, Item] = {}
    for name in artifacts.CONTRACTS:
        found |= get_interface(name).events
    return found
