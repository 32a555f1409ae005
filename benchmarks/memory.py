"""What memory a round takes whose updates are larger than memory: train, commit, publish, aggregate, propose, replay;
replay by a stranger, bundle, and the bundle's check.

    .venv/bin/python benchmarks/memory.py [--clients 7] [--size 100000000] [--rule trimmed-mean] [--write]

Runs one round of the product's own `Federation` on a devnet, with updates drawn from a seed in place of training, and
every step in a process of its own, of which VmHWM tells the most memory that it ever held, the program's own included.
Needs some seven times the bytes of all updates on disk. A bundle has at most 4 GiB: larger rounds do without
(`--steps run,replay`). `--write` keeps the result in benchmarks/results/memory.json, beside those of other sizes.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from audit_scale import check, make_bundle, replay_everything
from machine import describe_machine

from fl.federation import Federation
from fl.workload import LocalUpdate, Vector, Workload
from ledger import devnet
from ledger.chain import deploy
from ledger.journal import Journal
from ledger.layout import Layout
from ledger.project import Project

RESULT = Path(__file__).parent / "results" / "memory.json"
SEED = 1
VALUE_BITS = 20
"""Of the coordinates: normal, of deviation 2**20 / 8."""
DRAWN = 1 << 20
"""Coordinates drawn at a time."""
SCRIPT = """
fedtrail: 1
run: {{name: memory, rounds: 1, seed: {seed}, rule: {rule}}}
data: {{name: digits}}
model: {{entry: mlp}}
clients: {{count: {clients}}}
windows: {{commit_seconds: 20000, data_seconds: 20000, propose_seconds: 20000}}
"""
RULES = {"trimmed-mean": "{{name: trimmed-mean, trim: {trim}}}", "median": "{{name: median}}", "krum": "{{name: krum}}"}


class DrawnUpdates:
    """Stands where a script's learning does: updates of any size, drawn from a seed."""

    noise = None

    def __init__(self, size: int) -> None:
        self.layout = Layout(names=("weights",), shapes=((size,),))

    def compute_genesis(self) -> Vector:
        """Return zeros."""
        return np.zeros(self.layout.size, dtype=np.int32)

    def compute_update(self, client: int, number: int, model_q: Vector) -> LocalUpdate:
        """Return a client's update, the same whenever it is asked for."""
        generator = np.random.Generator(np.random.SFC64([SEED, number, client]))
        values = np.empty(len(model_q), dtype=np.int32)
        for start in range(0, len(values), DRAWN):
            part = values[start : start + DRAWN]
            part[:] = generator.standard_normal(len(part), dtype=np.float32) * (1 << VALUE_BITS - 3)
        return LocalUpdate(client=client, values=values, num_examples=10, saturated=0)

    def evaluate(self, model_q: Vector) -> float:
        """Return that nothing was learnt."""
        return 0.0


def main() -> int:
    """Take every step, print and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=7)
    parser.add_argument("--size", type=int, default=10**8, help="coordinates of an update")
    parser.add_argument("--rule", choices=RULES, default="trimmed-mean")
    parser.add_argument("--steps", default=",".join(STEPS), help="only these, in this order")
    parser.add_argument("--folder", type=Path, help="where to put the project, which is removed at the end")
    parser.add_argument("--write", action="store_true", help=f"keep the result in {RESULT.name}")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--project", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step:
        sys.stdout.write(json.dumps(take_step(arguments)))
        return 0
    steps = arguments.steps.split(",")
    measured = measure(arguments, steps)
    size = {"clients": arguments.clients, "size": arguments.size, "rule": arguments.rule}
    options = " ".join(f"--{name} {value}" for name, value in size.items())
    found = {
        "command": f"benchmarks/memory.py {options} --steps {arguments.steps}",
        **describe_machine(),
        "seed": SEED,
        **size,
        "updates_bytes": 4 * arguments.clients * arguments.size,
        "steps": measured,
    }
    if arguments.write:
        kept = json.loads(RESULT.read_text()) if RESULT.exists() else []
        others = [each for each in kept if {key: each[key] for key in size} != size]
        RESULT.write_text(json.dumps(sorted([*others, found], key=lambda each: each["updates_bytes"]), indent=1) + "\n")
    sys.stdout.write(json.dumps(found, indent=1) + "\n")
    return 0


def measure(arguments: argparse.Namespace, steps: list[str]) -> dict[str, Any]:
    """Return what every step took on one new ledger."""
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        project = Project.create(Path(folder) / "project")
        with devnet.running(project.state_dir, engine="anvil"):
            with closing(Journal(project.journal_path)) as journal:
                network = project.network()
                project = project.save_deployment(network.name, deploy(network, devnet.funded_account(0), journal))
            return {step: run_step(project, arguments, step) for step in steps}


def run_step(project: Project, arguments: argparse.Namespace, step: str) -> dict[str, Any]:
    """Take a step in a process of its own, so that its memory is its own."""
    size = ["--clients", str(arguments.clients), "--size", str(arguments.size), "--rule", arguments.rule]
    command = [sys.executable, __file__, "--step", step, "--project", str(project.root), *size]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    sys.stderr.write(f"{step}: {found['seconds']} s, {found['memory_mib']} MiB\n")
    return found


def take_step(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return time and memory of one step, and what came of it."""
    project, began = Project.find(arguments.project), time.perf_counter()
    found = STEPS[arguments.step](project, arguments)
    seconds = round(time.perf_counter() - began, 1)
    lines = Path("/proc/self/status").read_text().splitlines()
    most = int(next(line for line in lines if line.startswith("VmHWM")).split()[1])
    return {"seconds": seconds, "memory_mib": most // 1024, **found}


def run(project: Project, arguments: argparse.Namespace) -> dict[str, Any]:
    """Run the round as `fedtrail run start` does, from the clients' updates to the finalised model."""
    path = project.root / "memory.yaml"
    rule = RULES[arguments.rule].format(trim=arguments.clients // 5)
    path.write_text(SCRIPT.format(seed=SEED, rule=rule, clients=arguments.clients))
    federation = Federation.start(project, path)
    federation.ctx = replace(federation.ctx, workload=cast(Workload, DrawnUpdates(arguments.size)))
    result = federation.run()
    (round_,) = result.rounds
    assert str(round_.verdict) == "pass", round_
    return {"included": round_.included}


STEPS: dict[str, Callable[[Project, argparse.Namespace], dict[str, Any]]] = {
    "run": run,
    "replay": lambda project, _: replay_everything(project),
    "bundle": lambda project, _: make_bundle(project),
    "verify": lambda project, _: check(project),
}


if __name__ == "__main__":
    sys.exit(main())
