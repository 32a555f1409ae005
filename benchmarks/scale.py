"""How the cost of a ledger grows with clients, coordinates and rounds; and 1,000 clients over 10 rounds.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/scale.py [--only PART] [--write]

Every run is on a Hardhat devnet of its own (`fl.scale`), its updates drawn instead of trained: what is measured is the
ledger. Wall time counts what else a machine does, so that CPU of this process and the node stands beside it, and the
load of the machine. `--write` keeps the result in benchmarks/results/scale.json and draws scale.svg.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from machine import describe_machine
from plot import Line, Panel, draw

from fl.scale.running import Run, measure

RESULTS = Path(__file__).parent / "results"
FEW = 10
"""Clients of the runs that grow otherwise. All runs commit in verified batches."""
PARTS: Mapping[str, tuple[tuple[int, int, int], ...]] = {
    "large": ((1000, 10, 650),),
    "clients": tuple((n, 2, 1_000) for n in (10, 32, 100, 316, 1000)),
    "size": tuple((FEW, 2, d) for d in (1_000, 10_000, 100_000, 1_000_000)),
    "rounds": tuple((FEW, rounds, 1_000) for rounds in (2, 20)),
}
"""Runs: clients, rounds, coordinates; the large one has as many as logistic regression on digits."""
COLOURS = {"ledger": "#0072b2", "replay": "#d55e00", "gas": "#009e73"}


def main() -> int:
    """Measure, keep, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=tuple(PARTS), help="measure one part; the others stay as they are kept")
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    path = RESULTS / "scale.json"
    for part in [arguments.only] if arguments.only else PARTS:
        about = {"command": f"benchmarks/scale.py --only {part}", **describe_machine(), "cores": os.cpu_count()}
        measured = {**about, "runs": [describe(*run) for run in PARTS[part]]}
        sys.stdout.write(json.dumps(measured, indent=2) + "\n")
        if arguments.write:
            kept: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
            path.write_text(json.dumps({**kept, part: measured}, indent=2) + "\n")
            if part != "large":
                (RESULTS / "scale.svg").write_text(draw_growth({**kept, part: measured}))
    return 0


def describe(clients: int, rounds: int, size: int) -> dict[str, Any]:
    """Return one run as it is kept."""
    sys.stderr.write(f"{clients} clients, {rounds} rounds, {size} coordinates\n")
    load = os.getloadavg()[0]
    run: Run = measure(clients, rounds, size, "verified")
    return {
        "clients": clients,
        "rounds": rounds,
        "size": size,
        "setup_seconds": round(run.setup_seconds, 3),
        "ledger_seconds": [round(seconds, 4) for seconds in run.ledger_seconds],
        "ledger_median_seconds": round(run.ledger_median, 4),
        "ledger_cpu_seconds": round(run.ledger_cpu_seconds, 4),
        "run_seconds": round(run.run_seconds, 3),
        "replay_seconds": round(run.replay_seconds, 4),
        "replay_cpu_seconds": round(run.replay_cpu_seconds, 4),
        "replay_times_faster": round(run.speedup, 1),
        "gas": {sent.name: sent.gas for sent in run.gas},
        "load_before_and_after": [round(load, 1), round(os.getloadavg()[0], 1)],
    }


def draw_growth(growth: dict[str, Any]) -> str:
    """Return the CPU of a round and of its replay against clients, coordinates and rounds, as far as it is known."""
    panels = [
        Panel(
            title=f"against {title}",
            x_label=label,
            lines=[
                Line(
                    name="a round, CPU of run and node",
                    points=[(run[part], run["ledger_cpu_seconds"]) for run in growth[part]["runs"]],
                    colour=COLOURS["ledger"],
                ),
                Line(
                    name="a round's replay, CPU",
                    points=[(run[part], run["replay_cpu_seconds"] / run["rounds"]) for run in growth[part]["runs"]],
                    colour=COLOURS["replay"],
                ),
            ],
        )
        for part, title, label in (
            ("clients", "clients, d = 1,000", "n"),
            ("size", f"coordinates, {FEW} clients", "d"),
            ("rounds", f"rounds, {FEW} clients", "rounds"),
        )
        if part in growth
    ]
    return draw("What the ledger of a round takes, and how that grows", panels, y_label="CPU seconds")


if __name__ == "__main__":
    sys.exit(main())
