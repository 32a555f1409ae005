"""ABI and bytecode of the contracts: shipped with the package, and compiled anew from the sources of a checkout.

Whoever uses a remote chain needs neither Node nor a compiler. A test compiles the sources and compares.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from ledger import nodejs
from ledger.errors import ConfigurationError

KEYS = {
    "registry": "ParticipantRegistry",
    "ledger": "RoundLedger",
    "escrow": "RewardEscrow",
    "court": "DisputeCourt",
    "session_court": "SessionCourt",
    "krum_court": "KrumCourt",
    "unmask_court": "UnmaskCourt",
    "board": "AvailabilityBoard",
    "statements": "Statements",
    "reward_pool": "RewardPool",
}
"""The contracts of a deployment by their key in fedtrail.toml, in the order in which they are deployed."""
TIMELOCK = "timelock"
"""Key of a LedgerTimelock, for ledgers that have one as their governor."""
NAMES = {**KEYS, TIMELOCK: "LedgerTimelock"}
"""Every contract that a network may have, by its key in fedtrail.toml."""
CONTRACTS = tuple(NAMES.values())
SOLC_VERSION = "0.8.30"

# As in hardhat.config.js; a test compares the two.
SETTINGS: dict[str, Any] = {
    "optimizer": {"enabled": True, "runs": 200},
    "viaIR": True,
    "evmVersion": "osaka",
    "metadata": {"bytecodeHash": "none"},
}
_OUTPUT = ["abi", "evm.bytecode.object", "evm.deployedBytecode.object", "evm.deployedBytecode.immutableReferences"]
_IMPORT = re.compile(r"""^\s*import\s+(?:[^"';]*?\bfrom\s+)?["']([^"']+)["']\s*;""", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A compiled contract."""

    name: str
    """Name of the contract."""
    abi: list[dict[str, Any]]
    """Its interface, as the compiler states it."""
    bytecode: bytes
    """What a deployment runs, before constructor arguments."""
    runtime_code: bytes
    """What the chain keeps, with zeros where immutables go."""
    immutables: Mapping[str, tuple[int, ...]]
    """Where each immutable goes, by its name in the source: offsets of its words of 32 bytes."""
    solc_version: str
    """Compiler, such as 0.8.30."""
    settings: dict[str, Any]
    """Compiler settings."""
    source_hash: str
    """SHA-256 of the compiler's input, hex."""


@cache
def load(name: str) -> Artifact:
    """Return a contract that ships with the package.

    Raises: ConfigurationError: there is none of that name.
    """
    if name not in CONTRACTS:
        raise ConfigurationError(f"no contract '{name}'; there are: {', '.join(CONTRACTS)}")
    content = json.loads(resources.files("ledger").joinpath("artifacts_data", f"{name}.json").read_text("utf-8"))
    return read(content)


def build(contracts_dir: Path) -> dict[str, dict[str, Any]]:
    """Compile the contracts with py-solc-x and return what `load` reads, by name.

    Args: contracts_dir: folder of the Solidity sources, in a checkout.
    Raises: ToolMissing: neither a native compiler nor the npm one is there; ConfigurationError: it refuses a source.
    """
    request = _make_input(contracts_dir)
    answer = _compile(request)
    source_hash = _hash_input(request)
    names = {number: name for unit in answer["sources"].values() for number, name in _find_immutables(unit["ast"])}
    return {
        name: _describe(name, answer["contracts"][f"contracts/{name}.sol"][name], names, source_hash)
        for name in CONTRACTS
    }


def read(content: Mapping[str, Any]) -> Artifact:
    """Return a compiled contract from the content of its file."""
    return Artifact(
        name=content["name"],
        abi=content["abi"],
        bytecode=bytes.fromhex(content["bytecode"]),
        runtime_code=bytes.fromhex(content["runtime_code"]),
        immutables={name: tuple(places) for name, places in content["immutables"].items()},
        solc_version=content["solc_version"],
        settings=content["settings"],
        source_hash=content["source_hash"],
    )


def compute_source_hash(contracts_dir: Path) -> str:
    """Return the SHA-256 of everything that the compiler reads: sources, settings and its version."""
    return _hash_input(_make_input(contracts_dir))


def encode(artifact: dict[str, Any]) -> str:
    """Return the text of an artifact's file; the same content always gives the same text."""
    return json.dumps(artifact, indent=1, sort_keys=True) + "\n"


def _describe(name: str, output: dict[str, Any], names: Mapping[str, str], source_hash: str) -> dict[str, Any]:
    references = output["evm"]["deployedBytecode"]["immutableReferences"]
    return {
        "name": name,
        "abi": output["abi"],
        "bytecode": output["evm"]["bytecode"]["object"],
        "runtime_code": output["evm"]["deployedBytecode"]["object"],
        "immutables": {names[number]: [each["start"] for each in places] for number, places in references.items()},
        "solc_version": SOLC_VERSION,
        "settings": SETTINGS,
        "source_hash": source_hash,
    }


def _find_immutables(ast: object) -> Iterator[tuple[str, str]]:
    """Yield (number, name) of the immutable variables in a syntax tree."""
    waiting = [ast]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            if node.get("nodeType") == "VariableDeclaration" and node.get("mutability") == "immutable":
                yield str(node["id"]), str(node["name"])
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node


def _make_input(contracts_dir: Path) -> dict[str, Any]:
    """Return the compiler's input: our contracts and what they import, named by relative paths."""
    sources: dict[str, str] = {}
    waiting = [f"contracts/{name}.sol" for name in CONTRACTS]
    while waiting:
        unit = waiting.pop()
        if unit not in sources:
            sources[unit] = _read_unit(unit, contracts_dir)
            waiting += [_resolve(unit, target) for target in _IMPORT.findall(sources[unit])]
    return {
        "language": "Solidity",
        "sources": {unit: {"content": sources[unit]} for unit in sorted(sources)},
        "settings": {**SETTINGS, "outputSelection": {"*": {"*": _OUTPUT, "": ["ast"]}}},
    }


def _resolve(unit: str, target: str) -> str:
    if not target.startswith("."):
        return target
    return os.path.normpath(f"{os.path.dirname(unit)}/{target}").replace(os.sep, "/")


def _read_unit(unit: str, contracts_dir: Path) -> str:
    if unit.startswith("contracts/"):
        file = contracts_dir / unit.removeprefix("contracts/")
    else:
        folder, _, rest = unit.partition("/")
        package, _, path = rest.partition("/") if folder.startswith("@") else ("", "", rest)
        # The package's own description is looked for first, since it names the folder that holds the file.
        root = nodejs.find_package_file(
            "/".join(filter(None, (folder, package, "package.json"))), project=contracts_dir
        )
        file = root.parent / path
    try:
        return file.read_text("utf-8")
    except FileNotFoundError:
        raise ConfigurationError(f"{unit} is imported but not there ({file.name})") from None


def _hash_input(request: dict[str, Any]) -> str:
    text = json.dumps([SOLC_VERSION, request], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _compile(request: dict[str, Any]) -> dict[str, Any]:
    import solcx
    from solcx.exceptions import SolcError

    try:
        if SOLC_VERSION in {str(version) for version in solcx.get_installed_solc_versions()}:
            return dict(solcx.compile_standard(request, solc_version=SOLC_VERSION))
        with _make_launcher() as launcher:
            return dict(solcx.compile_standard(request, solc_binary=str(launcher)))
    except SolcError as problem:
        raise ConfigurationError(f"the Solidity compiler refuses the contracts: {problem.message}") from None


@contextmanager
def _make_launcher() -> Iterator[Path]:
    """Yield a program that runs the npm compiler: py-solc-x starts one file, Node needs a script beside it."""
    package = nodejs.find_package_file("solc/package.json").parent
    wrapper = nodejs.SOURCE_TREE / "scripts" / "solc_wrapper.cjs"
    with tempfile.TemporaryDirectory(prefix="fedtrail-solc-") as folder:
        if nodejs.WINDOWS:
            launcher = Path(folder) / "solc.cmd"
            text = f'@set "SOLC_JS={package}"\n@"{nodejs.find_node()}" "{wrapper}" %*\n'
        else:
            launcher = Path(folder) / "solc"
            program = shlex.join([nodejs.find_node(), str(wrapper)])
            text = f'#!/bin/sh\nexport SOLC_JS={shlex.quote(str(package))}\nexec {program} "$@"\n'
        launcher.write_text(text, "utf-8")
        launcher.chmod(0o700)
        yield launcher
