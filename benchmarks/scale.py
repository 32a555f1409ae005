"""How the cost of a ledger grows with clients, coordinates and rounds; and 1,000 clients over 10 rounds.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/scale.py [--only large|growth] [--write]

Every run is on a Hardhat devnet of its own (`fl.scale`), its updates drawn instead of trained: what is measured is the
ledger. Wall time counts what else a machine does, so that CPU of this process and the node stands beside it, and the
load of the machine. `--write` keeps the result in benchmarks/results/scale.json and draws scale.svg.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from machine import describe_machine
from plot import Line, Panel, draw

from fl.scale.running import Run, measure

RESULTS = Path(__file__).parent / "results"
LARGE = (1000, 10, 650)
"""Clients, rounds, coordinates: as many as logistic regression on digits has."""
CLIENTS, SIZES, ROUNDS = (10, 32, 100, 316, 1000), (1_000, 10_000, 100_000, 1_000_000), (2, 6, 20)
FEW = 10
COLOURS = {"ledger": "#0072b2", "replay": "#d55e00", "gas": "#009e73"}


def main() -> int:
    """Measure, keep, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("large", "growth"), help="measure one part; the other stays as it is kept")
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    path = RESULTS / "scale.json"
    result: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    command = "benchmarks/scale.py" + (f" --only {arguments.only}" if arguments.only else "")
    about = {"command": command, **describe_machine(), "cores": os.cpu_count()}
    if arguments.only != "growth":
        result["large"] = {**about, "runs": [describe(*LARGE, mode) for mode in ("verified", "root-only")]}
    if arguments.only != "large":
        result["growth"] = {
            **about,
            "clients": [describe(n, 2, 1_000, "verified") for n in CLIENTS],
            "size": [describe(FEW, 2, d, "verified") for d in SIZES],
            "rounds": [describe(FEW, rounds, 1_000, "verified") for rounds in ROUNDS],
        }
    text = json.dumps(result, indent=2) + "\n"
    if arguments.write:
        path.write_text(text)
        if "growth" in result:
            (RESULTS / "scale.svg").write_text(draw_growth(result["growth"]))
    sys.stdout.write(text)
    return 0


def describe(clients: int, rounds: int, size: int, mode: str) -> dict[str, Any]:
    """Return one run as it is kept."""
    sys.stderr.write(f"{clients} clients, {rounds} rounds, {size} coordinates, {mode}\n")
    load = os.getloadavg()[0]
    run: Run = measure(clients, rounds, size, mode)
    return {
        "clients": clients,
        "rounds": rounds,
        "size": size,
        "mode": mode,
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
    """Return the CPU of a round and of its replay against clients, coordinates and rounds."""
    panels = [
        Panel(
            title=f"against {title}",
            x_label=label,
            lines=[
                Line(
                    name="a round, CPU of run and node",
                    points=[(run[part], run["ledger_cpu_seconds"]) for run in growth[part]],
                    colour=COLOURS["ledger"],
                ),
                Line(
                    name="a round's replay, CPU",
                    points=[(run[part], run["replay_cpu_seconds"] / run["rounds"]) for run in growth[part]],
                    colour=COLOURS["replay"],
                ),
            ],
        )
        for part, title, label in (
            ("clients", "clients, d = 1,000", "n"),
            ("size", f"coordinates, {FEW} clients", "d"),
            ("rounds", f"rounds, {FEW} clients", "rounds"),
        )
    ]
    return draw("What the ledger of a round takes, and how that grows", panels, y_label="CPU seconds")


if __name__ == "__main__":
    sys.exit(main())
