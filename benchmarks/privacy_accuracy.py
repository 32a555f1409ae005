"""What noise costs in accuracy, what rules make of it, and whether an attack refutes the claimed epsilon.

    .venv/bin/python benchmarks/privacy_accuracy.py [--write] [--quick]

Digits, thirty rounds, delta 1e-5, clients of one part each (iid). Every honest client clips its update exactly to norm
0.5 and adds its share of discrete Gaussian noise; epsilon is of one client's whole update (zero-out neighbours) against
who reads the models. `rules` has four clients of twenty that flip signs and add no noise, at multiplier 1. `attack` is
the best distinguisher of one coordinate along a canary of norm C, present or not, with Clopper-Pearson bounds (99.9 %).
`--write` keeps benchmarks/results/privacy_accuracy.json and .svg; noise has no seed, so a rerun differs a little.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import sys
import time
from pathlib import Path

import numpy as np
from machine import describe_machine
from scipy.stats import beta

from fl.chart_svg import Line, draw_curves
from fl.privacy.mechanisms import clip_exactly, protect
from fl.privacy.pilot import Trial, run_trial
from ledger.accounting import compute_least_epsilon, compute_spend, find_multiplier
from ledger.spec.noise import Noise

RESULT = Path(__file__).parent / "results" / "privacy_accuracy.json"
DELTA, ROUNDS = 1e-5, 30
CLIENTS = (20, 100, 300)
EPSILONS = (37.6, 8.9, 3.9, 1.8)
SEEDS = (0, 1, 2)
RULES = ("mean", "multi-krum", "nnm+trimmed-mean", "trimmed-mean", "krum", "geometric-median", "median")
SETTING = {"clip": 0.5, "epochs": 5, "learning_rate": 0.1, "rounds": ROUNDS}
MODELS = {"logistic": "logistic", "mlp32": "fl.robustness.model:build_mlp"}
"""650 and 2,410 coordinates: noise grows with them."""
CANARY_CLIP, CANARY_SIZE = 1 << 15, 64


def measure(model: str, clients: int, epsilon: float | None, seeds: tuple[int, ...]) -> dict[str, object]:
    """Return mean accuracy and the epsilon that the accountant gives, for one number of clients."""
    multiplier = 0.0 if epsilon is None else find_multiplier(epsilon=epsilon, delta=DELTA, rounds=ROUNDS)
    trials = [
        Trial(clients=clients, multiplier=multiplier, seed=seed, model=MODELS[model], **SETTING) for seed in seeds
    ]
    outcomes = [run_trial(trial) for trial in trials]
    accuracies = [round(accuracy, 4) for accuracy, _ in outcomes]
    found = trials[0].compute_epsilon(outcomes[0][1], DELTA)
    return {
        "model": model,
        "clients": clients,
        "epsilon": None if found is None else round(found, 4),
        "multiplier": round(multiplier, 4),
        "accuracy": round(float(np.mean(accuracies)), 4),
        "accuracies": accuracies,
    }


def measure_rule(rule: str, seeds: tuple[int, ...]) -> dict[str, object]:
    """Return the accuracy of a rule over noisy updates, with four dishonest clients of twenty that add no noise."""
    trials = [
        Trial(clients=20, multiplier=1.0, seed=seed, model="logistic", rule=rule, f=4, attack="sign-flip", **SETTING)
        for seed in seeds
    ]
    accuracies = [round(run_trial(trial)[0], 4) for trial in trials]
    return {"rule": rule, "accuracy": round(float(np.mean(accuracies)), 4), "accuracies": accuracies}


def attack(multiplier: float, rounds: int, trials: int) -> dict[str, object]:
    """Return the epsilon that telling a canary from its absence refutes, next to the claimed one."""
    variance = math.ceil((multiplier * CANARY_CLIP) ** 2)
    noise = Noise(
        mechanism="local", clip=CANARY_CLIP, variance=variance, shares=1, delta=round(DELTA * 10**12), budget=10**12
    )
    canary = np.full(CANARY_SIZE, CANARY_CLIP, dtype=np.int32)
    direction = clip_exactly(canary, CANARY_CLIP) / CANARY_CLIP
    bound = (1 << 23) - 1

    def score(values: np.ndarray) -> np.ndarray:
        return np.array(
            [sum(float(direction @ protect(values, noise, bound=bound)) for _ in range(rounds)) for _ in range(trials)]
        )

    there, absent = score(canary), score(np.zeros(CANARY_SIZE, dtype=np.int32))
    # Thresholds from one half of the trials, rates from the other.
    half = trials // 2
    best = 0.0
    for threshold in np.quantile(there[:half], np.linspace(0.02, 0.98, 25)):
        hits, alarms = int((there[half:] > threshold).sum()), int((absent[half:] > threshold).sum())
        low = float(beta.ppf(0.001 / 50, hits, half - hits + 1)) if hits else 0.0
        high = float(beta.ppf(1 - 0.001 / 50, alarms + 1, half - alarms)) if alarms < half else 1.0
        best = max(best, compute_least_epsilon(low, high, DELTA))
    claimed = compute_spend(noise, rounds, CANARY_SIZE).epsilon
    return {
        "multiplier": multiplier,
        "rounds": rounds,
        "trials": trials,
        "refuted_below": round(best, 3),
        "claimed": round(claimed, 3),
    }


def draw(rows: list[dict[str, object]]) -> str:
    """Return accuracy against epsilon as SVG, one line a number of clients."""
    lines = [
        Line(
            name=f"{n} clients",
            points=tuple(
                (float(r["epsilon"]), float(r["accuracy"]))
                for r in rows
                if r["clients"] == n and r["epsilon"] and r["model"] == "logistic"
            ),
        )
        for n in CLIENTS
    ]
    return draw_curves(
        lines,
        title="Accuracy against epsilon: digits, logistic regression, 30 rounds, delta 1e-5",
        x="epsilon, logarithmic",
        y="accuracy",
    )


def main() -> int:
    """Measure; print, or keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="keep the result")
    parser.add_argument("--quick", action="store_true", help="one seed, few trials")
    options = parser.parse_args()
    commit = describe_machine()["commit"]
    started, seeds = time.time(), SEEDS[:1] if options.quick else SEEDS
    rows = []
    for clients in CLIENTS:
        for epsilon in (None, *EPSILONS):
            rows.append(measure("logistic", clients, epsilon, seeds))
            print(json.dumps(rows[-1]), flush=True)
    for clients, epsilon in ((20, None), (20, 8.9), (100, None), (100, 3.9)):
        rows.append(measure("mlp32", clients, epsilon, seeds))
        print(json.dumps(rows[-1]), flush=True)
    rules = []
    for rule in RULES:
        rules.append(measure_rule(rule, seeds))
        print(json.dumps(rules[-1]), flush=True)
    trials = 2_000 if options.quick else 40_000
    attacks = [attack(1.0, 1, trials), attack(2.0, 1, trials), attack(3.0, 5, trials // 5)]
    result = {
        "command": "benchmarks/privacy_accuracy.py --write",
        "commit": commit,
        "host": f"{platform.machine()}, Python {platform.python_version()}, numpy {np.__version__}",
        "seeds": list(seeds),
        "seconds": round(time.time() - started),
        "setting": {"dataset": "digits", "delta": DELTA, **SETTING},
        "accuracy": rows,
        "rules": rules,
        "attack": attacks,
    }
    text = json.dumps(result, indent=1) + "\n"
    if not options.write:
        print(text)
        return 0
    RESULT.write_text(text)
    RESULT.with_suffix(".svg").write_text(draw(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
