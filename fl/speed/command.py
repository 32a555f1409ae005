"""`fedtrail bench speed`: rules and trees against what this machine can read and hash at all."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from ledger.cli.output import format_option, print_rows
from ledger.cli.progress import progress_bar, say
from ledger.errors import MissingExtra

if TYPE_CHECKING:
    from fl.speed.timing import Timing

COLUMNS = ("what", "n", "d", "cpu_seconds", "spread", "limit", "share", "extra_mb")


@click.command()
@click.option("--clients", type=click.IntRange(3), default=32, show_default=True, help="n.")
@click.option("--size", type=click.IntRange(64), default=1_000_000, show_default=True, help="d, coordinates.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Of the updates.")
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True, help="Of kernels and BLAS.")
@format_option
def speed(clients: int, size: int, seed: int, threads: int, fmt: str) -> None:
    """Measure aggregation rules and commitment trees, as shares of the limits of this machine.

    The limit of a rule is reading its input once, that of a tree plain SHA-256 of the same bytes, both measured in the
    same run. Seconds are of CPU, so that other work on the machine is not counted.
    """
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads)))
    try:
        from fl.kernels import load
        from fl.speed.cases import RULES, make_updates, measure_rules, measure_trees
    except ModuleNotFoundError as error:
        raise MissingExtra(feature="benchmarks", package=error.name, extra="fl") from error
    rows: list[dict[str, object]] = []
    with progress_bar() as bar:
        total = len(RULES) + 2
        bar.update(0, total, "updates")
        updates = make_updates(clients, size, seed)
        for rule in measure_rules(updates):
            extra = round(rule.extra_bytes / 1e6, 1)
            rows.append(_row(rule.rule, updates.shape, rule.timing, ("read", rule.share), extra))
            bar.update(len(rows), total, rule.rule)
        for tree in measure_trees(updates):
            rows.append(_row(tree.tree, updates.shape, tree.timing, ("sha256", tree.share), None))
            bar.update(len(rows), total, tree.tree)
    say("compiled kernels" if load() else "no compiled kernels: pip install 'fedtrail[fl]'")
    print_rows("bench.speed", rows, fmt=fmt, columns=COLUMNS)


def _row(
    what: str, shape: tuple[int, ...], timing: Timing, limit: tuple[str, float], extra: float | None
) -> dict[str, object]:
    name, share = limit
    return {
        "what": what,
        "n": shape[0],
        "d": shape[1],
        "cpu_seconds": round(timing.seconds, 4),
        "spread": f"{timing.worst_seconds / timing.seconds:.2f}x",
        "limit": name,
        "share": f"{share:.0%}",
        "extra_mb": extra,
    }
