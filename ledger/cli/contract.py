"""`fedtrail contract`."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ledger import artifacts
from ledger.cli.lazy import LazyCommand, LazyGroup
from ledger.cli.output import format_option, print_record, print_rows
from ledger.cli.participants import to_text
from ledger.cli.progress import progress_bar, say
from ledger.cli.session import Session, project_options
from ledger.errors import NotFoundError
from ledger.units import parse_seconds

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount

    from ledger.chain import Network
    from ledger.journal import Journal
    from ledger.project import Project


_GOVERN = LazyCommand("ledger.cli.govern:govern", "Do what a ledger's governor or guardian may do.")
_VERIFY = LazyCommand("ledger.cli.verifying:verify", "Compile the sources and compare them with the code on the chain.")


@click.group(cls=LazyGroup, lazy={"govern": _GOVERN, "verify": _VERIFY})
def contract() -> None:
    """Build, deploy and inspect the contracts."""


@contract.command()
@click.argument("folder", metavar="[DIR]", default="contracts", type=click.Path(file_okay=False, path_type=Path))
@click.option("-o", "--output", type=click.Path(file_okay=False, path_type=Path), help="Folder for ABI and bytecode.")
@format_option
def build(folder: Path, output: Path | None, fmt: str) -> None:
    """Compile the contracts in DIR and compare them with those that ship with fedtrail."""
    if not (folder / "RoundLedger.sol").is_file():
        raise NotFoundError(
            kind="contract source", name=folder / "RoundLedger.sol", suggestion="", hint="run it in a checkout"
        )
    with progress_bar() as bar:
        bar.update(0, 1, "compile")
        built = artifacts.build(folder)
    rows = [_describe(name, artifact) for name, artifact in built.items()]
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
        for name, artifact in built.items():
            (output / f"{name}.json").write_text(artifacts.encode(artifact), encoding="utf-8")
    columns = ("contract", "code_bytes", "solc_version", "as_shipped")
    print_rows("contract.build", rows, fmt=fmt, columns=columns)


def _describe(name: str, artifact: dict[str, Any]) -> dict[str, Any]:
    shipped = artifacts.load(name)
    return {
        "contract": name,
        "code_bytes": len(bytes.fromhex(artifact["runtime_code"])),
        "solc_version": artifact["solc_version"],
        "source_hash": artifact["source_hash"],
        "as_shipped": bytes.fromhex(artifact["bytecode"]) == shipped.bytecode,
    }


@contract.command()
@click.option("--new", is_flag=True, help="Deploy once more; the project forgets the earlier contracts.")
@click.option(
    "--timelock", metavar="DELAY", help="Let a timelock govern: tasks, committees, a successor wait for DELAY, as 2d."
)
@format_option
@project_options
def deploy(session: Session, new: bool, timelock: str | None, fmt: str) -> None:
    """Deploy registry, ledger, escrow and courts, pin them in fedtrail.toml; a second call changes nothing.

    Who deploys governs the ledger and is its guardian. With --timelock it only proposes what is then seen by everybody
    for DELAY before it happens (`fedtrail contract govern`).
    """
    timelock_seconds = None if timelock is None else parse_seconds(timelock)
    network = session.network
    if network.ledger is not None and not new:
        _ = session.chain  # FT403, FT404 and FT405 say what is wrong with what is pinned
        say("already deployed; nothing was sent (--new deploys once more)")
    else:
        key = f"deploy/{time.time_ns()}" if new else "deploy"
        with progress_bar() as bar:
            bar.update(0, 1, "deploy")
            network = deploy_and_pin(
                session.project,
                network,
                session.operator(),
                session.journal,
                key=key,
                timelock_seconds=timelock_seconds,
            )
    print_record("contract.deploy", _describe_network(network), fmt=fmt)


def deploy_and_pin(
    project: Project,
    network: Network,
    operator: LocalAccount,
    journal: Journal,
    *,
    key: str = "deploy",
    timelock_seconds: int | None = None,
) -> Network:
    """Deploy the contracts, write them into fedtrail.toml, return the network with them."""
    from ledger.chain import deploy as deploy_contracts

    deployment = deploy_contracts(network, operator, journal, key=key, timelock_seconds=timelock_seconds)
    project.save_deployment(network.name, deployment)
    return deployment.apply(network)


@contract.command()
@format_option
@project_options
def info(session: Session, fmt: str) -> None:
    """Show the pinned contracts, checked against the chain: chain id, code, deployment block, and who governs them."""
    chain = session.chain
    successor = chain.get_successor()
    powers = {
        "governor": to_text(chain.get_governor()),
        "governing_delay_seconds": chain.get_governing_delay() if chain.has_timelock else 0,
        "guardian": to_text(chain.get_guardian()),
        "max_pause_seconds": chain.get_max_pause_seconds(),
        "successor": to_text(successor) if any(successor) else None,
    }
    counts = {
        "participants": len(chain.participants()),
        "rounds": chain.count_rounds(),
        "latest_block_time": chain.now(),
        "domain_separator": chain.domain_separator,
    }
    print_record("contract.info", {**_describe_network(session.network), **powers, **counts}, fmt=fmt)


def _describe_network(network: Network) -> dict[str, Any]:
    values = asdict(network)
    return {"network": values.pop("name"), **values.pop("contracts"), **values}
