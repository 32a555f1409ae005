"""Clients that contribute nothing: does `effort` (docs/monitoring.md) tell them apart, and does Shapley pay them?

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/free_riders.py [--quick] [--part PART] [--write]

Three of ten clients ride (six of twenty) on digits, under the plain mean, which lets them do most. Of the score of
every client in every round from the second on: the area under the ROC curve (1: every rider scores below every honest
client), the share of riders below the documented threshold, and that of honest clients. `hard` are disguises made to
beat the score. `other` has another model and another data set. Shapley values are exact, of the right predictions on
the test part, summed over a few rounds; a rider that gets more than honest clients has an area near 0. `--quick` takes
one seed and few rounds; `--write` keeps benchmarks/results/free_riders.json.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from machine import describe_machine
from numpy.typing import NDArray
from torch.func import functional_call

from fl.contribution.games import compute_gtg_shapley, compute_shapley
from fl.quantization import dequantize, quantize
from fl.robustness.attackers import parse_attack
from fl.robustness.cells import Cell, Setting, make_script
from fl.robustness.learning import Play
from fl.workload import Vector, Workload
from ledger.aggregation import apply_model_step
from ledger.scoring import EFFORT_LIMIT, Sheet, score_updates

RESULT = Path(__file__).parent / "results" / "free_riders.json"
KINDS = {
    "zero": "free-ride-zero",
    "noise": "free-ride-noise",
    "replay": "free-ride-replay",
    "disguised replay": "free-ride-replay(noise=0.3)",
}
HARD = {
    "noise of an honest update's norm": "free-ride-noise(std=0.03)",
    "replay under as much noise": "free-ride-replay(noise=1.0)",
}
PARTITIONS = ("iid", "dirichlet(0.5)")
SEEDS = range(101, 106)
"""None of these was looked at when the threshold was chosen."""
ROUNDS = 20
WINDOWS = {"early": range(2, 7), "late": range(8, 13)}
"""Rounds over which Shapley values are summed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Game:
    """Who plays what."""

    clients: int = 10
    riders: int = 3
    dataset: str = "digits"
    model: str = Setting().model
    rounds: int = ROUNDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """One round: what was sent, and the model before it."""

    number: int
    play: Play
    sent: NDArray[np.float32]
    scores: dict[str, Sheet]
    model: Vector


def play(game: Game, attack: str, partition: str, seed: int) -> Iterator[Played]:
    """Yield the rounds of one run; the riders have the highest numbers."""
    setting = Setting(clients=game.clients, rounds=game.rounds, model=game.model)
    cell = Cell(dataset=game.dataset, seed=seed, partition=partition, f=game.riders, attack="none", rule="mean")
    workload = Workload(make_script(setting, cell))
    honest = game.clients - game.riders
    attacks = {client: parse_attack(attack if client > honest else "none") for client in range(1, game.clients + 1)}
    run = Play(workload, attacks)
    form, model = workload.script.format, workload.compute_genesis()
    step: Vector | None = None
    for number in range(1, game.rounds + 1):
        previous = np.zeros(len(model), np.float32) if step is None else dequantize(step, form.scale_bits)
        sent = run.poison(run.train(number, model), previous, number)
        updates = quantize(sent.reshape(-1), scale_bits=form.scale_bits, bound=form.bound).values.reshape(sent.shape)
        aggregate = run.combine(range(len(sent)), sent, number)
        ones = [1] * len(sent)
        scores = score_updates(run.clients, updates, aggregate=aggregate, step=step, weights=ones, bound=form.bound)
        yield Played(number=number, play=run, sent=sent, scores=scores, model=model)
        step, model = aggregate, apply_model_step(model, aggregate)


def compute_auc(honest: Sequence[float], riders: Sequence[float]) -> float:
    """Return the share of pairs in which the rider has the lower score; a tie counts half."""
    ordered = np.sort(np.array(honest, dtype=float))
    below = np.searchsorted(ordered, riders, "left"), np.searchsorted(ordered, riders, "right")
    return float(1 - (below[0] + below[1]).mean() / (2 * len(ordered)))


def judge_effort(game: Game, attack: str, partition: str, seeds: Sequence[int]) -> dict[str, float]:
    """Return how well the score tells riders from honest clients, over all rounds from the second on."""
    honest: list[int] = []
    riders: list[int] = []
    for seed in seeds:
        for played in play(game, attack, partition, seed):
            values = list(played.scores["effort"].values())
            if played.number > 1:
                honest += values[: game.clients - game.riders]
                riders += values[game.clients - game.riders :]
    if attack == "none":
        honest, riders = [*honest, *riders], []
    return {
        **({"auc": round(compute_auc(honest, riders), 4)} if riders else {}),
        **({"found": round(float(np.mean(np.array(riders) < EFFORT_LIMIT)), 4)} if riders else {}),
        "false_alarms": round(float(np.mean(np.array(honest) < EFFORT_LIMIT)), 4),
    }


def judge_shapley(
    game: Game, attack: str, partition: str, seeds: Sequence[int], window: range = WINDOWS["late"]
) -> dict[str, float]:
    """Return the area under the curve of exact Shapley values, and how GTG-Shapley's ranks agree with theirs."""
    honest: list[float] = []
    riders: list[float] = []
    agreement: list[float] = []
    short = Game(clients=game.clients, riders=game.riders, rounds=window.stop - 1)
    for seed in seeds:
        exact, guessed = [Fraction(0)] * game.clients, [Fraction(0)] * game.clients
        for played in play(short, attack, partition, seed):
            if played.number in window:
                one, other = _value(played)
                exact = [a + b for a, b in zip(exact, one, strict=True)]
                guessed = [a + b for a, b in zip(guessed, other, strict=True)]
        values = [float(value) for value in exact]
        honest += values[: game.clients - game.riders]
        riders += values[game.clients - game.riders :]
        agreement.append(compute_rank_correlation(values, [float(value) for value in guessed]))
    return {"auc": round(compute_auc(honest, riders), 4), "gtg_rank_correlation": round(float(np.mean(agreement)), 4)}


def _value(played: Played) -> tuple[list[Fraction], list[Fraction]]:
    """Return the exact Shapley values of a round, and those of GTG-Shapley."""
    n, run = len(played.sent), played.play
    coalitions = [c for size in range(n + 1) for c in itertools.combinations(range(n), size)]
    steps = [run.combine(c, played.sent[list(c)], played.number) if c else 0 * played.model for c in coalitions]
    right = count_right(run, [apply_model_step(played.model, step) for step in steps])
    utility = dict(zip(coalitions, right, strict=True)).__getitem__
    exact = compute_shapley(utility, n)
    seed = played.number.to_bytes(32, "big")
    guessed = compute_gtg_shapley(utility, n, permutations=5 * n, tolerance=0, seed=seed)
    return [exact.get(i) for i in range(n)], [guessed.get(i) for i in range(n)]


def count_right(run: Play, models: Sequence[Vector]) -> list[int]:
    """Return the right predictions of many global models on the test part, all at once."""
    dataset, model = run.workload.dataset, run.workload.model
    x, y = torch.tensor(dataset.x_test), torch.tensor(dataset.y_test)
    right: list[int] = []
    for start in range(0, len(models), 128):
        states = [run.to_state(model_q) for model_q in models[start : start + 128]]
        weights = {name: torch.stack([state[name] for state in states]) for name in states[0]}
        with torch.no_grad():
            logits = torch.vmap(lambda each: functional_call(model, each, (x,)))(weights)
        right += (logits.argmax(dim=2) == y).sum(dim=1).tolist()
    return right


def compute_rank_correlation(one: Sequence[float], other: Sequence[float]) -> float:
    """Return Spearman's rank correlation."""
    ranks = [np.argsort(np.argsort(values)) for values in (one, other)]
    return float(np.corrcoef(*ranks)[0, 1])


def measure_effort(seeds: Sequence[int], rounds: int) -> dict[str, object]:
    """Return every figure of the score."""
    small, large = Game(rounds=rounds), Game(clients=20, riders=6, rounds=rounds)
    others = {
        "digits, logistic regression": Game(model="logistic", rounds=rounds),
        "breast cancer": Game(dataset="breast_cancer", rounds=rounds),
    }

    def judge(game: Game, kinds: dict[str, str]) -> dict[str, object]:
        print(game, file=sys.stderr, flush=True)
        return {p: {kind: judge_effort(game, attack, p, seeds) for kind, attack in kinds.items()} for p in PARTITIONS}

    everybody_honest = {"nobody rides": "none"}
    return {
        "threshold": EFFORT_LIMIT / (1 << 16),
        "rounds": rounds,
        "n=10, 3 riders": judge(small, {**KINDS, **everybody_honest}),
        "n=20, 6 riders": judge(large, {**KINDS, **everybody_honest}),
        "hard, n=10, 3 riders": judge(small, HARD),
        "other, n=10, 3 riders": {name: judge(game, {**KINDS, **everybody_honest}) for name, game in others.items()},
    }


def measure_shapley(seeds: Sequence[int], name: str) -> dict[str, object]:
    """Return every figure of the Shapley values of a window of rounds."""
    window = WINDOWS[name]
    found = {}
    for partition in PARTITIONS:
        print("shapley", window, partition, file=sys.stderr, flush=True)
        cells = {kind: judge_shapley(Game(), attack, partition, seeds, window) for kind, attack in KINDS.items()}
        found[partition] = cells
    return {f"shapley, rounds {window.start} to {window.stop - 1}, n=10, 3 riders": found}


PARTS = ("effort", *WINDOWS)


def main() -> int:
    """Measure, print and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one seed, eight rounds")
    parser.add_argument("--part", choices=PARTS, action="append", help="only this part; the file keeps the others")
    parser.add_argument("--write", action="store_true", help=f"keep the result in {RESULT.name}")
    options = parser.parse_args()
    seeds, rounds = (SEEDS[:1], 8) if options.quick else (SEEDS, ROUNDS)
    about = {"command": "benchmarks/free_riders.py --write", **describe_machine()}
    found: dict[str, object] = {**about, "threads": os.environ.get("OMP_NUM_THREADS", ""), "seeds": list(seeds)}
    if options.part and RESULT.exists():
        found = {**json.loads(RESULT.read_text("utf-8")), **found}
    for part in options.part or PARTS:
        found |= measure_effort(seeds, rounds) if part == "effort" else measure_shapley(seeds, part)
    text = json.dumps(found, indent=1)
    if options.write:
        RESULT.write_text(text + "\n", encoding="utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
