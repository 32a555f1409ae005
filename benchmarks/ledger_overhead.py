"""What the ledger adds to a round: the same learning with and without it, in turns, as a ratio.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/ledger_overhead.py [--rounds 5] [--repeats 2] [--write]

Wall times differ from machine to machine and with what else it does: a run and its twin without a ledger take turns,
the fastest round of each counts, and CPU of this process and the node stands beside it. The ratio is what to compare.
`--write` keeps the result in benchmarks/results/ledger_overhead.json, with the command, the commit and the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from machine import describe_machine
from torch import nn

from fl.federation import Federation, Progress
from fl.scale.running import read_cpu
from ledger import devnet
from ledger.chain import deploy
from ledger.journal import Journal
from ledger.project import Project

RESULT = Path(__file__).parent / "results" / "ledger_overhead.json"
WIDTH = 3_100
"""Units of the hidden layers of `build_wide`, for 10^7 parameters."""
WORKLOADS: Mapping[str, dict[str, Any]] = {
    "digits, mlp (4,810 parameters), 10 clients, 3 local epochs": {
        "model": {"entry": "mlp"},
        "clients": {"count": 10, "clip_norm": None},
        "training": {"epochs": 3},
    },
    "digits, cnn (21,546 parameters), 20 clients, 10 local epochs": {
        "model": {"entry": "cnn"},
        "clients": {"count": 20, "clip_norm": None},
        "training": {"epochs": 10},
    },
    "digits, wide mlp (9,842,510 parameters), 4 clients, 1 local epoch": {
        "model": {"entry": "ledger_overhead:build_wide"},
        "clients": {"count": 4, "clip_norm": 10.0},
        "training": {"epochs": 1, "learning_rate": 0.01},
    },
}
SEED = 1
Seconds = tuple[float, float]
"""Of wall time, and of CPU of this process and the node."""


def main() -> int:
    """Measure every workload; print and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="at least 2: the first one does not count")
    parser.add_argument("--repeats", type=int, default=2, help="turns of a run and its twin")
    parser.add_argument("--write", action="store_true", help=f"keep the result in {RESULT.name}")
    arguments = parser.parse_args()
    rounds, repeats = arguments.rounds, arguments.repeats
    measured = [measure(name, sections, rounds, repeats) for name, sections in WORKLOADS.items()]
    result = {"command": f"benchmarks/ledger_overhead.py --rounds {rounds} --repeats {repeats}", **describe_machine()}
    text = json.dumps({**result, "seed": SEED, "workloads": measured}, indent=2) + "\n"
    if arguments.write:
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text(text)
    sys.stdout.write(text)
    return 0


def build_wide(*, input_shape: tuple[int, ...], num_classes: int) -> nn.Module:
    """Return a perceptron of about 10^7 parameters."""
    inputs = 1
    for size in input_shape:
        inputs *= size
    layers = (nn.Linear(inputs, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, num_classes))
    return nn.Sequential(nn.Flatten(), *layers)


def measure(name: str, sections: Mapping[str, Any], rounds: int, repeats: int) -> dict[str, Any]:
    """Run one workload and its twin in turns on a fresh devnet, and compare their fastest rounds."""
    sys.stderr.write(f"{name}\n")
    audited: list[Seconds] = []
    plain: list[Seconds] = []
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        project = Project.create(Path(folder) / "project")
        with devnet.running(project.state_dir) as node:
            network = project.network()
            deployment = deploy(network, devnet.funded_account(0), Journal(project.journal_path))
            project = project.save_deployment(network.name, deployment)
            for turn in range(repeats):
                run, twin = take_turn(
                    project, write_script(Path(folder), f"overhead-{turn}", sections, rounds), node.pid
                )
                audited += run
                plain += twin
    fastest, alone = min(wall for wall, _ in audited), min(wall for wall, _ in plain)
    cpu, cpu_alone = min(cpu for _, cpu in audited), min(cpu for _, cpu in plain)
    return {
        "workload": name,
        "clients": sections["clients"]["count"],
        "rounds": len(audited),
        "plain_round_seconds": round(alone, 4),
        "audited_round_seconds": round(fastest, 4),
        "audited_round_seconds_range": [round(fastest, 4), round(max(wall for wall, _ in audited), 4)],
        "ledger_seconds": round(fastest - alone, 4),
        "ratio": round(fastest / alone, 3),
        "plain_round_cpu_seconds": round(cpu_alone, 4),
        "audited_round_cpu_seconds": round(cpu, 4),
        "cpu_ratio": round(cpu / cpu_alone, 3),
        "load_before_and_after": [round(load, 1), round(os.getloadavg()[0], 1)],
    }


def take_turn(project: Project, script: Path, node: int) -> tuple[list[Seconds], list[Seconds]]:
    """Return what every round of a run took, and every round of its twin, but for the first of each.

    In the first round libraries are loaded, whoever needs them first. A round is from the last step of the one before
    to its own last step; testing its model is part of the next one's, in both.
    """
    ends: dict[tuple[bool, int], Seconds] = {}

    def note(progress: Progress) -> None:
        ends[progress.stage == "twin", progress.round] = (time.perf_counter(), read_cpu(node))

    federation = Federation.start(project, script, observer=note)
    result = federation.run()
    twin = federation.run_twin(federation.script.run.rule)
    if twin.models[-1].tolist() != result.model_q.tolist():
        raise RuntimeError("the twin ended with another model: nothing to compare")
    later = range(2, federation.script.run.rounds + 1)
    run, alone = ([_subtract(ends[kind, n], ends[kind, n - 1]) for n in later] for kind in (False, True))
    return run, alone


def _subtract(end: Seconds, start: Seconds) -> Seconds:
    return end[0] - start[0], end[1] - start[1]


def write_script(folder: Path, name: str, sections: Mapping[str, Any], rounds: int) -> Path:
    """Write the round script of a workload."""
    run = {"name": name, "rounds": rounds, "seed": SEED, "rule": {"name": "trimmed-mean", "trim": 1}}
    data = {"partition": "dirichlet", "alpha": 1.0, "min_examples": 16}
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump({"fedtrail": 1, "run": run, "data": data, **sections}, sort_keys=False))
    return path


if __name__ == "__main__":
    sys.exit(main())
