"""`fedtrail bench scale` and `fedtrail bench gas`: many clients on a devnet of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ledger.cli.output import format_option, print_rows
from ledger.cli.progress import progress_bar
from ledger.errors import MissingExtra

if TYPE_CHECKING:
    from fl.scale.running import Run

MODES = ("verified", "root-only")
SCALE_COLUMNS = ("what", "seconds", "note")
GAS_COLUMNS = ("transaction", "clients", "gas", "floor_gas", "ratio", "gas_per_client", "calldata_bytes")

mode_option = click.option(
    "--mode", type=click.Choice(MODES), default=MODES[0], show_default=True, help="How clients commit."
)


@click.command()
@click.option("--clients", type=click.IntRange(1, 2000), default=100, show_default=True, help="n.")
@click.option("--rounds", type=click.IntRange(1, 1000), default=3, show_default=True, help="Rounds.")
@click.option("--size", type=click.IntRange(1, 10**8), default=1000, show_default=True, help="d, coordinates.")
@mode_option
@format_option
def scale(clients: int, rounds: int, size: int, mode: str, fmt: str) -> None:
    """Measure what the ledger takes of a round, and a replay of the whole run, on a fresh devnet.

    Updates are drawn instead of trained. Everything else is a run as any other: keys, signatures, commitments, files,
    transactions, aggregate, replay, finalisation.
    """
    run = _run(clients, rounds, size, mode)
    rows = [
        {"what": "set-up", "seconds": round(run.setup_seconds, 2), "note": f"{clients} registrations, one by one"},
        {
            "what": "ledger, a round",
            "seconds": round(run.ledger_median, 3),
            "note": f"median; {min(run.ledger_seconds):.3f} to {max(run.ledger_seconds):.3f}",
        },
        {"what": "its CPU", "seconds": round(run.ledger_cpu_seconds, 3), "note": "this process and the node"},
        {"what": "run", "seconds": round(run.run_seconds, 2), "note": f"{rounds} rounds, set-up included"},
        {
            "what": "replay of the run",
            "seconds": round(run.replay_seconds, 3),
            "note": f"{run.speedup:.0f} times faster",
        },
    ]
    print_rows("bench.scale", rows, fmt=fmt, columns=SCALE_COLUMNS)


@click.command()
@click.option(
    "--clients",
    type=click.IntRange(1, 2000),
    multiple=True,
    default=(10, 100),
    show_default=True,
    help="n; repeatable.",
)
@mode_option
@format_option
def gas(clients: tuple[int, ...], mode: str, fmt: str) -> None:
    """Measure the gas of a round's transactions beside their floor, on a fresh devnet.

    The floor is the least gas for the bytes of a transaction (EIP-2028, EIP-7623) and for the signatures that its
    contract checks, without any storage. Measured is the second round of a task: the first one fills slots for good.
    """
    measured = ((count, sent) for count in clients for sent in _run(count, 2, 10, mode).gas)
    rows = [
        {
            "transaction": sent.name,
            "clients": count,
            "gas": sent.gas,
            "floor_gas": sent.floor_gas,
            "ratio": round(sent.ratio, 2),
            "gas_per_client": round(sent.gas / count),
            "calldata_bytes": sent.calldata_bytes,
        }
        for count, sent in measured
    ]
    print_rows("bench.gas", rows, fmt=fmt, columns=GAS_COLUMNS)


def _run(clients: int, rounds: int, size: int, mode: str) -> Run:
    try:
        from fl.scale.running import measure
    except ModuleNotFoundError as error:
        raise MissingExtra(feature="benchmarks", package=error.name, extra="fl") from error
    with progress_bar() as bar:
        return measure(
            clients,
            rounds,
            size,
            mode,
            on_step=lambda p: bar.update(max(p.round - 1, 0), rounds, f"{clients} clients  {p.stage} {p.text}"),
        )
