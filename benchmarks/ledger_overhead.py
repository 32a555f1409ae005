"""What the ledger adds to a round: the same learning with and without it, in one process, as a ratio.

    .venv/bin/python benchmarks/ledger_overhead.py [--rounds 5] [--write]

Wall times differ from machine to machine; the ratio is what to compare. `--write` keeps the result in
benchmarks/results/ledger_overhead.json, with the command, the commit and the machine.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import yaml
from machine import describe_machine

from fl.federation import Federation
from ledger import devnet
from ledger.chain import deploy
from ledger.journal import Journal
from ledger.project import Project

RESULT = Path(__file__).parent / "results" / "ledger_overhead.json"
WORKLOADS = {
    "digits, mlp (4,810 parameters), 10 clients, 3 local epochs": {
        "model": {"entry": "mlp"},
        "clients": {"count": 10, "clip_norm": None},
        "training": {"epochs": 3},
    },
    "digits, cnn (21,546 parameters), 10 clients, 10 local epochs": {
        "model": {"entry": "cnn"},
        "clients": {"count": 10, "clip_norm": None},
        "training": {"epochs": 10},
    },
}
SEED = 1


def main() -> int:
    """Measure every workload; print and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", action="store_true", help=f"keep the result in {RESULT.name}")
    arguments = parser.parse_args()
    measured = [measure(name, sections, arguments.rounds) for name, sections in WORKLOADS.items()]
    result = {"command": f"benchmarks/ledger_overhead.py --rounds {arguments.rounds}", **describe_machine()}
    text = json.dumps({**result, "seed": SEED, "workloads": measured}, indent=2) + "\n"
    if arguments.write:
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text(text)
    sys.stdout.write(text)
    return 0


def measure(name: str, sections: dict[str, object], rounds: int) -> dict[str, object]:
    """Run one workload on a fresh devnet, then its twin without a ledger, and compare them round by round."""
    with tempfile.TemporaryDirectory() as folder:
        project = Project.create(Path(folder) / "project")
        with devnet.running(project.state_dir):
            network = project.network()
            deployment = deploy(network, devnet.funded_account(0), Journal(project.journal_path))
            project = project.save_deployment(network.name, deployment)
            path = write_script(Path(folder), sections, rounds)
            federation = Federation.start(project, path)
            result = federation.run()
            started = time.perf_counter()
            twin = federation.run_twin(federation.script.run.rule)
            plain = (time.perf_counter() - started) / rounds
    if twin.models[-1].tolist() != list(result.model):
        raise RuntimeError("the twin ended with another model: nothing to compare")
    audited = [r.seconds for r in result.rounds]
    return {
        "workload": name,
        "rounds": rounds,
        "plain_round_seconds": round(plain, 4),
        "audited_round_seconds": round(median(audited), 4),
        "audited_round_seconds_range": [round(min(audited), 4), round(max(audited), 4)],
        "ledger_seconds": round(median(audited) - plain, 4),
        "ratio": round(median(audited) / plain, 3),
    }


def write_script(folder: Path, sections: dict[str, object], rounds: int) -> Path:
    """Write the round script of a workload."""
    run = {"name": "overhead", "rounds": rounds, "seed": SEED, "rule": {"name": "trimmed-mean", "trim": 3}}
    data = {"partition": "dirichlet", "alpha": 1.0, "min_examples": 32}
    path = folder / "overhead.yaml"
    path.write_text(yaml.safe_dump({"fedtrail": 1, "run": run, "data": data, **sections}, sort_keys=False))
    return path


if __name__ == "__main__":
    sys.exit(main())
