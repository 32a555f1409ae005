"""What it costs to record scores: one transaction a kind and round, by the number of clients.

    .venv/bin/python benchmarks/score_gas.py [--write]

Gas from the receipts of a devnet, exact. `percent_of_a_round`: what the kinds that a script records by default add to a
whole round (`benchmarks/gas.json`). `--write` keeps the result in benchmarks/results/score_gas.json.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
from pathlib import Path

from ledger_overhead import write_script
from machine import describe_machine

from fl.federation import Federation
from ledger import devnet
from ledger.chain import deploy
from ledger.journal import Journal
from ledger.keys import Keystore, password_for
from ledger.project import Project
from ledger.scoring import KINDS, ONE, compute_method
from ledger.script.scores import DEFAULT_KINDS

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "benchmarks" / "results" / "score_gas.json"
COUNTS = (10, 100, 1000)


def measure() -> dict[str, int]:
    """Return the gas of one kind of scores of one round, by the number of clients."""
    sections: dict[str, object] = {"model": {"entry": "logistic"}, "clients": {"count": 10}, "training": {"epochs": 1}}
    with tempfile.TemporaryDirectory() as folder:
        project = Project.create(Path(folder) / "project")
        with devnet.running(project.state_dir):
            network = project.network()
            deployment = deploy(network, devnet.funded_account(0), Journal(project.journal_path))
            project = project.save_deployment(network.name, deployment)
            federation = Federation.start(project, write_script(Path(folder), sections, len(COUNTS)))
            results = federation.run().rounds
            sender = Keystore(project.keys_dir).load("aggregator", password_for(network))
            gas = {}
            for count, each in zip(COUNTS, results, strict=True):
                entries = [(client, _draw(client)) for client in range(1, count + 1)]
                method = compute_method(KINDS[0])
                receipt = federation.chain.record_scores(
                    each.round_id, KINDS[0], entries, method, key=f"scores/{count}", sender=sender
                )
                gas[f"n={count}"] = receipt.gas_used
    return gas


def _draw(client: int) -> int:
    """Return a score as scores are: of 16 to 19 bits, half of them below zero, whose zero bytes cost less."""
    digest = hashlib.sha256(client.to_bytes(4, "big")).digest()
    return int.from_bytes(digest[:4], "big") % (8 * ONE) - 4 * ONE


def main() -> int:
    """Measure, print and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help=f"keep the result in {RESULT.name}")
    options = parser.parse_args()
    rounds = json.loads((ROOT / "benchmarks" / "gas.json").read_text("utf-8"))["round_gas_per_client"]
    gas = measure()
    shares = {
        name: round(100 * len(DEFAULT_KINDS) * gas[name] / (per_client * int(name[2:])), 1)
        for name, per_client in rounds.items()
        if name in gas
    }
    result = {
        "command": "benchmarks/score_gas.py --write",
        **describe_machine(),
        "seed": 1,
        "gas_per_kind": gas,
        "kinds_by_default": len(DEFAULT_KINDS),
        "percent_of_a_round": shares,
    }
    text = json.dumps(result, indent=1) + "\n"
    if options.write:
        RESULT.write_text(text, encoding="utf-8")
    print(text, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
