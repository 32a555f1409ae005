"""`fedtrail devnet`."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import Any

import click

from ledger import devnet as node
from ledger.cli.lazy import LazyGroup
from ledger.cli.output import format_option, print_record
from ledger.cli.progress import confirm, progress_bar, say
from ledger.cli.session import Session, project_options
from ledger.errors import NotFoundError


@click.group(cls=LazyGroup)
def devnet() -> None:
    """Run a local chain for development; it listens on the loopback address only."""


def _describe(running: node.Devnet | None) -> dict[str, Any]:
    if running is None:
        return {"running": False, "engine": None, "rpc": None, "chain_id": None, "pid": None, "log": None}
    return {
        "running": True,
        "engine": running.engine,
        "rpc": running.rpc,
        "chain_id": running.chain_id,
        "pid": running.pid,
        "log": running.log,
    }


@devnet.command()
@click.option("--engine", default="hardhat", show_default=True, help=f"One of {', '.join(node.ENGINES)}.")
@click.option("--port", default=0, type=click.IntRange(0, 65535), help="0 takes the last one if free, else any.")
@format_option
@project_options
def up(session: Session, engine: str, port: int, fmt: str) -> None:
    """Start the project's devnet; it runs until `fedtrail devnet down`."""
    with progress_bar() as bar:
        bar.update(0, 1, f"start {engine}")
        running = node.start(session.project.state_dir, engine=engine, port=port, detach=True)
    print_record("devnet.up", _describe(running), fmt=fmt)


@devnet.command()
@project_options
def down(session: Session) -> None:
    """Stop the project's devnet; Hardhat forgets its chain, anvil keeps it."""
    say("the devnet is stopped" if node.stop(session.project.state_dir) else "no devnet was running")


@devnet.command()
@format_option
@project_options
def status(session: Session, fmt: str) -> None:
    """Show whether the project's devnet runs, and where."""
    print_record("devnet.status", _describe(node.status(session.project.state_dir)), fmt=fmt)


@devnet.command()
@click.option("-n", "--lines", default=40, show_default=True, type=click.IntRange(min=1), help="Lines from the end.")
@project_options
def logs(session: Session, lines: int) -> None:
    """Print the end of the devnet's log."""
    running = node.status(session.project.state_dir)
    path = Path(running.log) if running else session.project.state_dir / "devnet" / "node.log"
    if not path.is_file():
        raise NotFoundError(kind="devnet log", name=path, suggestion="", hint="fedtrail devnet up")
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in deque(file, maxlen=lines):
            click.echo(line, nl=False)


@devnet.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@project_options
def reset(session: Session, yes: bool) -> None:
    """Stop the devnet and forget its chain; keys and stored blobs are kept."""
    if not yes:
        confirm("Forget the devnet's chain with all its rounds?")
    node.reset(session.project.state_dir)
    say("the devnet's chain is gone; next: fedtrail devnet up && fedtrail contract deploy --new")
