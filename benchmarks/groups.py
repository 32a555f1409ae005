"""What a few clients that attack do to one masked sum, and to a rule over the means of masked groups.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/groups.py [--write]

Digits, a multi-layer perceptron, eight rounds, no clipping: under masks nobody enforces a norm. Groups are those that
the specification draws, anew in every round; sums are those of plain updates, which masks leave as they are. In the
open, the rule compares single updates instead: what masking gives up. The figure is the accuracy of the last model, the
mean over seeds. `--write` keeps the result in benchmarks/results/groups.json.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path
from statistics import mean

import numpy as np
import yaml
from machine import describe_machine

from fl.workload import Workload
from ledger import spec
from ledger.aggregation import aggregate, apply_model_step
from ledger.aggregation.masks import compute_group_means
from ledger.script import parse_script

RESULT = Path(__file__).parent / "results" / "groups.json"
ROUNDS, SEEDS = 8, (1, 2)
ATTACKS: dict[str, list[dict[str, object]]] = {
    "none": [],
    "label-flip": [{"attack": "label-flip"}],
    "sign-flip, 4 times as long": [{"attack": "sign-flip"}],
    "label-flip, 20 times as long": [{"attack": "label-flip"}, {"attack": "scaling", "options": {"factor": 20.0}}],
}
CASES = {
    20: [("none", 0), *((name, 2) for name in [*ATTACKS][1:]), ([*ATTACKS][-1], 1)],
    40: [("none", 0), ([*ATTACKS][-1], 2)],
}
"""Attacks and attackers, by clients."""
DEFENCES = ("one sum", "groups, median", "groups, trimmed mean", "in the open, trimmed mean")
SIZES = ((20, 5, 4), (40, 5, 8))
"""Clients, groups, clients of a group."""


def main() -> int:
    """Measure every cell; print and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help=f"keep the result in {RESULT.name}")
    arguments = parser.parse_args()
    cells = []
    for clients, groups, size in SIZES:
        for attack, attackers in CASES[clients]:
            for defence in DEFENCES:
                runs = [learn(clients, groups, size, attack, attackers, defence, seed) for seed in SEEDS]
                cell = {"clients": clients, "group": size, "attack": attack, "attackers": attackers}
                cell |= {"defence": defence, "accuracy": round(mean(runs), 4), "of_each_seed": runs}
                cells.append(cell)
                sys.stderr.write(f"{json.dumps(cell)}\n")
    command = "OMP_NUM_THREADS=1 benchmarks/groups.py --write"
    result = {"command": command, **describe_machine(), "rounds": ROUNDS, "seeds": SEEDS, "cells": cells}
    text = json.dumps(result, indent=1) + "\n"
    if arguments.write:
        RESULT.write_text(text)
    sys.stdout.write(text)
    return 0


def make_workload(clients: int, attack: str, attackers: int, seed: int) -> Workload:
    """Return the learning of a script whose first clients attack in every round."""
    script = {
        "fedtrail": 1,
        "run": {"name": "groups", "rounds": ROUNDS, "seed": seed, "rule": {"name": "mean"}},
        "data": {"partition": "iid"},
        "clients": {"count": clients, "clip_norm": None},
        "events": [{"at": "always", "clients": list(range(1, attackers + 1)), **each} for each in ATTACKS[attack]],
    }
    return Workload(parse_script(yaml.safe_dump(script).encode(), name="groups.yaml"))


def learn(clients: int, groups: int, size: int, attack: str, attackers: int, defence: str, seed: int) -> float:
    """Return the accuracy after the last round, 0 to 1."""
    workload = make_workload(clients, attack, attackers, seed)
    roster = tuple(range(1, clients + 1))
    term = spec.Masking(threshold=1, roster=roster, degree=size - 1, groups=groups, least=size)
    model = workload.compute_genesis()
    for number in range(1, ROUNDS + 1):
        rows = np.stack([workload.compute_update(client, number, model).values for client in roster])
        beacon = hashlib.sha256(b"beacon %d %d" % (seed, number)).digest()
        if defence.startswith("groups"):
            means = compute_group_means(rows, roster, [], spec.draw_groups(roster, groups, beacon), term)
            rows = np.stack(list(means.values()))
        model = apply_model_step(model, aggregate(make_rule(defence, len(rows), attackers, workload), rows, []))
    return round(workload.evaluate(model), 4)


def make_rule(defence: str, count: int, attackers: int, workload: Workload) -> spec.RuleParams:
    """Return the rule of a defence that knows how many attack."""
    stages = {"median": "median", "trimmed mean": "trimmed-mean"}.get(defence.rpartition(", ")[2], "mean")
    f = (count - 1) // 2 if stages == "median" else attackers
    form = workload.script.format
    return spec.RuleParams(
        rule=spec.Rule.COMPOSED,
        bound=form.bound,
        examples_cap=form.examples_cap,
        composition=spec.decode_composition(f"{stages}@{f}".encode()),
        context=spec.Context(clients=tuple(range(1, count + 1)), weights=(1,) * count, seed=bytes(32)),
    )


if __name__ == "__main__":
    sys.exit(main())
