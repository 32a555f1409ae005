"""Whom a validation rejects: honest clients by mistake, and clients that contribute nothing or attack.

    .venv/bin/python benchmarks/validation.py [--write] [--seeds N]

Learning as in the matrix of robustness (docs/robustness.md): digits, a perceptron 64-32-10, two local epochs, twenty
clients, nobody clips. Every round is judged as on a ledger, by the default limits of round scripts, and the mean of
what is left becomes the next model. A share is of client-rounds: of honest ones that were rejected, of dishonest ones
that were. Of clones the one with the lowest number stays by design, so that three of four is all that can be rejected.
`--write` keeps the shares in benchmarks/results/validation.json with command, commit and machine.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from machine import describe_machine

from fl.attacks import Attack
from fl.quantization import dequantize, quantize
from fl.robustness.attackers import parse_attack
from fl.robustness.cells import Cell, Setting, make_script
from fl.robustness.learning import Play
from fl.workload import Workload
from ledger.aggregation import apply_model_step, judge_cohort
from ledger.script import ValidationSection

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "benchmarks" / "results" / "validation.json"
PARTITIONS = ("iid", "dirichlet(0.5)")
SETTING = Setting(rounds=30)
DISHONEST = 4
ATTACKS = {
    "zeros": "free-ride-zero",
    "noise, standard deviation 0.001": "free-ride-noise",
    "noise, standard deviation 0.02": "free-ride-noise(std=0.02)",
    "last aggregate": "free-ride-replay",
    "last aggregate with 30 % noise": "free-ride-replay(noise=0.3)",
    "last aggregate with 100 % noise": "free-ride-replay(noise=1.0)",
    "scaled by 10": "scaling(factor=10)",
    "scaled by 2": "scaling(factor=2)",
    "sign flip": "sign-flip",
    "clones with 1 % noise": "clones(noise=0.01)",
    "clones with 30 % noise": "clones(noise=0.3)",
    "little is enough (ALIE)": "alie",
}
"""Attacks by their names for people; the last ones stay within the limits and show what these do not stop."""


@dataclass(slots=True)
class Count:
    """Client-rounds."""

    honest: int = 0
    dishonest: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    """Honest ones, by code."""
    caught: Counter[str] = field(default_factory=Counter)
    """Dishonest ones, by code."""

    def describe(self) -> dict[str, object]:
        """Return shares, and how often each reason was given."""
        found: dict[str, object] = {
            "honest_client_rounds": self.honest,
            "honest_rejected": round(sum(self.rejected.values()) / self.honest, 5),
            "honest_rejected_for": dict(sorted(self.rejected.items())),
        }
        if not self.dishonest:
            return found
        share = round(sum(self.caught.values()) / self.dishonest, 5)
        return {**found, "dishonest_rejected": share, "dishonest_rejected_for": dict(sorted(self.caught.items()))}


def judge_run(play: Play, limits: ValidationSection) -> Iterator[dict[int, str]]:
    """Yield the codes of whom each round rejects, by client."""
    form, model_q = play.script.format, play.workload.compute_genesis()
    step = None
    for number in range(1, play.script.run.rounds + 1):
        before = np.zeros(len(model_q), np.float32) if step is None else dequantize(step, form.scale_bits)
        sent = play.poison(play.train(number, model_q), before, number)
        rows = [quantize(row, scale_bits=form.scale_bits, bound=form.bound).values for row in sent]
        rejected = judge_cohort(limits.validation, rows, play.clients, step)
        kept = [slot for slot, client in enumerate(play.clients) if client not in rejected]
        yield {client: reason.code for client, reason in rejected.items()}
        step = play.combine(kept, sent[kept], number)
        model_q = apply_model_step(model_q, step)


def measure(partition: str, attack: str | None, seeds: range, limits: ValidationSection) -> Count:
    """Return what a validation does to a cohort over all rounds and seeds. Args: attack: None for nobody."""
    count, dishonest = Count(), DISHONEST if attack else 0
    first = SETTING.clients - dishonest + 1
    for seed in seeds:
        cell = Cell(dataset="digits", seed=seed, partition=partition, f=0, attack="none", rule="mean")
        attacks: dict[int, tuple[Attack, ...]] = dict.fromkeys(range(1, first), ())
        attacks |= {client: parse_attack(attack or "", index=client - first) for client in range(first, 21)}
        for rejected in judge_run(Play(Workload(make_script(SETTING, cell)), attacks), limits):
            count.honest, count.dishonest = count.honest + first - 1, count.dishonest + dishonest
            for client, code in rejected.items():
                (count.rejected if client < first else count.caught)[code] += 1
    return count


def main() -> int:
    """Measure, print, and keep what was measured if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="keep the shares")
    parser.add_argument("--seeds", type=int, default=10, help="number of seeds, from 1")
    options = parser.parse_args()
    torch.set_num_threads(1)
    seeds, limits, shares = range(1, options.seeds + 1), ValidationSection(), {}
    machine = describe_machine()  # the commit that is measured, whatever is committed meanwhile
    for partition in PARTITIONS:
        for name, attack in {"nobody": None, **ATTACKS}.items():
            found = measure(partition, attack, seeds, limits).describe()
            shares.setdefault(partition, {})[name] = found
            told = {key: value for key, value in found.items() if key.endswith("rejected")}
            print(f"{partition}, {name}: {told}", flush=True)
    if options.write:
        setting = {"clients": SETTING.clients, "dishonest": DISHONEST, "rounds": SETTING.rounds, "seeds": len(seeds)}
        head = {"command": f"benchmarks/validation.py --write --seeds {len(seeds)}", **machine}
        result = {**head, **setting, "validation": str(limits.validation), "rejected": shares}
        RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
