"""`fedtrail contract verify`: the code on the chain against the sources."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from ledger import artifacts
from ledger.cli.output import format_option, print_rows, shorten
from ledger.cli.progress import progress_bar, say
from ledger.cli.session import Session, project_options
from ledger.code_check import Comparison, compare
from ledger.errors import NotFoundError, WrongSources

POINTERS = {"REGISTRY": "registry", "LEDGER": "ledger", "ledger": "ledger", "ESCROW": "escrow", "escrow": "escrow"}
"""Immutables that must be the address of another contract of the deployment, by its key."""


@click.command("verify")
@click.argument("folder", metavar="[DIR]", default="contracts", type=click.Path(file_okay=False, path_type=Path))
@click.option("--shipped", is_flag=True, help="Compare with what ships with fedtrail instead of compiling.")
@format_option
@project_options
def verify(session: Session, folder: Path, shipped: bool, fmt: str) -> None:
    """Compile the sources in DIR and compare them with the code on the chain, contract by contract.

    Values that deployment filled in (addresses, limits) are shown, and those that name another contract of the
    deployment are checked. Takes the npm compiler a minute or two. Exit status 7 if anything differs.
    """
    sources = "fedtrail" if shipped else str(folder)
    compiled = {name: artifacts.load(name) for name in artifacts.CONTRACTS} if shipped else _compile(folder)
    chain = session.chain
    addresses = chain.contracts.addresses
    rows = []
    for key, address in addresses.items():
        name = artifacts.NAMES[key]
        rows.append(_describe(name, address, compare(compiled[name], chain.get_code(address)), addresses))
    shown = rows if fmt != "table" else [{**row, "address": shorten(row["address"])} for row in rows]
    print_rows("contract.verify", shown, fmt=fmt, columns=("contract", "address", "as_compiled", "difference"))
    if fmt == "table":
        for row in rows:
            values = ", ".join(f"{name} {value}" for name, value in row["immutables"].items())
            say(f"{row['contract']}: {values or 'no immutables'}")
    if wrong := [row for row in rows if not row["as_compiled"]]:
        raise WrongSources(contract=wrong[0]["contract"], what=wrong[0]["difference"], sources=sources)


def _compile(folder: Path) -> dict[str, artifacts.Artifact]:
    if not (folder / "RoundLedger.sol").is_file():
        hint = "run it in a checkout, or with --shipped"
        raise NotFoundError(kind="contract source", name=folder / "RoundLedger.sol", suggestion="", hint=hint)
    with progress_bar() as bar:
        bar.update(0, 1, "compile")
        return {name: artifacts.read(content) for name, content in artifacts.build(folder).items()}


def _describe(name: str, address: bytes, found: Comparison, addresses: Mapping[str, bytes]) -> dict[str, Any]:
    strangers = [
        f"{pointer} is no contract of this deployment"
        for pointer, value in found.immutables.items()
        if pointer in POINTERS and value[-20:] != addresses.get(POINTERS[pointer])
    ]
    difference = found.difference or next(iter(strangers), None)
    return {
        "contract": name,
        "address": address,
        "as_compiled": difference is None,
        "difference": difference,
        "immutables": {immutable: _show(value) for immutable, value in found.immutables.items()},
    }


def _show(value: bytes) -> str:
    """Return an immutable as an address if it looks like one, else as a number."""
    number = int.from_bytes(value, "big")
    return "0x" + value[-20:].hex() if 1 << 96 < number < 1 << 160 else str(number)
