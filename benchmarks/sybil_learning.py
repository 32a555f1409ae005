"""What an attacker's stake does to learning, whether it is one identity or a hundred.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/sybil_learning.py [--write]

Twenty honest clients hold one minimum stake each and train on digits, dealt at random. The attacker holds five, shared
by 1 to 100 identities, each of which sends twice the honest mean reversed and claims the largest number of examples.
Measured is the accuracy of the model after 15 rounds. Rules with a floor admit an identity for every minimum stake and
no more. `--write` keeps benchmarks/results/sybil_learning.json.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean

import numpy as np

from fl.quantization import quantize
from fl.robustness.cells import Cell, Setting, make_script
from fl.robustness.learning import Play
from fl.workload import Workload
from ledger import spec
from ledger.aggregation import aggregate, apply_model_step
from ledger.script import RuleSection
from ledger.script.automatic import AUTO_STAGES, choose_f

RESULT = Path(__file__).parent / "results" / "sybil_learning.json"
HONEST, STAKE, STRENGTH = 20, 5, 2
"""Honest clients, the attacker's stake in theirs, and how long its reversed mean is."""
ROUNDS, SEEDS = 15, (1, 2, 3)
IDENTITIES = (1, 2, 3, 5, 10, 20, 50, 100)
MIN_STAKE_WEI, WEI_PER_WEIGHT = 10**18, 10**16


@dataclass(frozen=True, slots=True, kw_only=True)
class Defence:
    """A rule, and whether the registry asks for a minimum stake."""

    rule: RuleSection
    """As in a script."""
    floor: bool
    """Whether identities need a minimum stake each."""

    def admit(self, identities: int) -> int:
        """Return how many of the attacker's identities take part."""
        return min(identities, STAKE) if self.floor else identities


_F = choose_f(HONEST + STAKE)
_BY_STAKE = RuleSection(name="weighted-mean", stake_per_weight=f"{WEI_PER_WEIGHT} wei")
DEFENCES = {
    "mean, no floor": Defence(rule=RuleSection(name="mean"), floor=False),
    "weighted mean, claimed examples": Defence(rule=RuleSection(name="weighted-mean"), floor=False),
    "weighted mean, capped by stake": Defence(rule=_BY_STAKE, floor=False),
    "mean of norms clipped to the median, floor": Defence(rule=RuleSection(name="median-clip+mean", f=_F), floor=True),
    f"trimmed mean({STAKE}), floor": Defence(rule=RuleSection(name="trimmed-mean", trim=STAKE), floor=True),
    f"auto (f = {_F}), floor": Defence(rule=RuleSection(name=AUTO_STAGES, f=_F), floor=True),
}


def learn(defence: Defence, identities: int, seed: int) -> float:
    """Return the accuracy after ROUNDS rounds, 0 to 1. Args: identities: 0 for no attacker."""
    setting = Setting(clients=HONEST, rounds=ROUNDS)
    cell = Cell(dataset="digits", seed=seed, partition="iid", f=0, attack="none", rule="mean")
    workload = Workload(make_script(setting, cell))
    play = Play(workload, dict.fromkeys(range(1, HONEST + 1), ()))
    form, admitted = workload.script.format, defence.admit(identities)
    params = defence.rule.make_params(form.bound, form.examples_cap)
    stakes = [MIN_STAKE_WEI] * HONEST + [STAKE * MIN_STAKE_WEI // max(admitted, 1)] * admitted
    examples = [len(part) for part in play.parts] + [2**31] * admitted
    weights = [spec.compute_weight(params, *each) for each in zip(examples, stakes, strict=True)]
    model_q = workload.compute_genesis()
    for number in range(1, ROUNDS + 1):
        honest = play.train(number, model_q)
        sent = np.concatenate([honest, np.tile(-STRENGTH * honest.mean(axis=0), (admitted, 1))])
        quantized = quantize(sent.reshape(-1), scale_bits=form.scale_bits, bound=form.bound)
        context = spec.Context(
            clients=tuple(range(1, len(sent) + 1)), weights=tuple(weights), seed=number.to_bytes(32, "big")
        )
        updates = quantized.values.reshape(len(sent), -1)
        model_q = apply_model_step(model_q, aggregate(replace(params, context=context), updates, weights))
    return workload.evaluate(model_q)


def measure() -> dict[str, object]:
    """Return mean accuracies by defence and number of identities, and those without an attacker."""
    from machine import describe_machine

    curves: dict[str, list[float]] = {}
    for name, defence in DEFENCES.items():
        curves[name] = [
            round(mean(learn(defence, identities, seed) for seed in SEEDS), 4) for identities in (0, *IDENTITIES)
        ]
        print(f"{name:40} {' '.join(f'{100 * x:5.1f}' for x in curves[name])}", flush=True)
    return {
        "command": "benchmarks/sybil_learning.py --write",
        **describe_machine(),
        "seeds": SEEDS,
        "rounds": ROUNDS,
        "identities": IDENTITIES,
        "without attacker": {name: curve[0] for name, curve in curves.items()},
        "accuracy": {name: curve[1:] for name, curve in curves.items()},
    }


def main() -> int:
    """Measure, print, and keep on demand."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="keep the accuracies")
    options = parser.parse_args()
    got = measure()
    if options.write:
        RESULT.write_text(json.dumps(got, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
