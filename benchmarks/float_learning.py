"""What is learned by rules in integers and by the same rules in double precision, and whom the two choose.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/float_learning.py [--write]

Every cell (f = 6 of 20 clients, digits) is learned twice: by the ledger's rule on quantised updates, and by a
textbook form of it in NumPy's doubles (eigenvectors by LAPACK, sorts, means) on updates that were never quantised. In
the first run both also choose from the same updates in every round. `--write` keeps
benchmarks/results/float_learning.json.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean

import numpy as np
from numpy.typing import NDArray

from fl.attacks import Attack, Deltas
from fl.quantization import quantize
from fl.robustness.attackers import parse_attack
from fl.robustness.cells import Cell, Setting, make_script
from fl.robustness.learning import Play
from fl.workload import Vector, Workload
from ledger import spec
from ledger.aggregation.compositions import choose_updates

RESULT = Path(__file__).parent / "results" / "float_learning.json"
ATTACKS = ("none", "sign-flip", "label-flip", "alie(strength=1.5)", "mimic", "backdoor")
PARTITIONS = ("iid", "dirichlet(0.5)")
F = 6
Rows = NDArray[np.float64]
Slots = NDArray[np.intp]


def _gram(x: Rows) -> Rows:
    return x @ x.T


def _distances(gram: Rows) -> Rows:
    squares = np.diag(gram)
    return squares[:, None] + squares[None] - 2 * gram


def _cosines(gram: Rows) -> Rows:
    norms = np.sqrt(np.maximum(np.diag(gram), 1e-300))
    return gram / norms[:, None] / norms[None]


def _lead(gram: Rows) -> Rows:
    """Return the leading eigenvector of centred vectors, its largest entry above 0."""
    means = gram.mean(axis=0)
    lead: Rows = np.linalg.eigh(gram - means[:, None] - means[None] + gram.mean())[1][:, -1]
    turned: Rows = lead * np.sign(lead[np.argmax(np.abs(lead))])
    return turned


def _lowest(scores: Rows, count: int) -> Slots:
    return np.sort(np.argsort(scores, kind="stable")[:count])


def _lower_median(values: Rows) -> float:
    return float(np.sort(values)[(len(values) - 1) // 2])


def choose_by_variance(x: Rows) -> Slots:
    """Return whom drop(3)+dnc leaves."""
    squares = np.diag(_gram(x))
    kept = np.flatnonzero(squares <= 9 * _lower_median(squares))
    left = _lowest(np.abs(_lead(_gram(x[kept]))), len(kept) - min(F, (len(kept) - 1) // 2))
    return kept[left]


def choose_by_angle(x: Rows) -> Slots:
    """Return whom cosine-dnc+drop(3) leaves."""
    squares = np.diag(_gram(x))
    along = _lead(_cosines(_gram(x)))
    kept = _lowest(np.abs(along - _lower_median(along)), len(x) - F)
    return kept[squares[kept] <= 9 * _lower_median(squares)]


def count_once(x: Rows) -> tuple[Slots, int]:
    """Return whom distinct(99) leaves, and the f that is left."""
    cosines, present = _cosines(_gram(x)), np.flatnonzero(np.square(x).sum(axis=1))
    groups: dict[int, int] = {}
    for slot in present.tolist():
        first = next((kept for kept in groups if cosines[slot, kept] >= 0.99), slot)
        groups[first] = groups.get(first, 0) + 1
    zeros = len(x) - len(present)
    if len(x) - len(groups) > F:
        return present, max(0, F - zeros)
    return np.array(list(groups)), F - zeros - sum(max(0, size - 2) for size in groups.values())


def choose_by_spread(x: Rows) -> Slots:
    """Return whom distinct(99)+cosine-filter(3)+drop(3) leaves."""
    distinct, f = count_once(x)
    squares, cosines, left = np.diag(_gram(x)), _cosines(_gram(x)), distinct
    f = min(f, (len(distinct) - 1) // 2)
    for _ in range(8):
        along = _lead(cosines[np.ix_(left, left)])
        far = np.abs(along - _lower_median(along))
        ranked = np.argsort(-far[::-1], kind="stable")[: f - len(distinct) + len(left)]  # of equals the last
        out = [at for at in len(left) - 1 - ranked if far[at] > 3 * _lower_median(far)]
        if not out:
            break
        left = np.delete(left, out)
    return left[squares[left] <= 9 * _lower_median(squares[distinct])]


def fence(x: Rows, f: int) -> Rows:
    """Return the fenced mean with two ranges."""
    ordered, k = np.sort(x, axis=0), min(f, (len(x) - 1) // 2)
    low, high = ordered[k], ordered[len(x) - 1 - k]
    fenced: Rows = np.clip(x, low - 2 * (high - low), high + 2 * (high - low)).mean(axis=0)
    return fenced


def choose_by_distance(x: Rows) -> Slots:
    """Return the n - f lowest scores of Krum."""
    nearest = np.sort(_distances(_gram(x)), axis=1)[:, 1 : len(x) - F - 1]
    return _lowest(nearest.sum(axis=1), len(x) - F)


def guard(x: Rows) -> Rows:
    """Return the guarded mean."""
    ordered, k = np.sort(x, axis=0), min(F // 2, (len(x) - 1) // 2)
    guarded: Rows = np.clip(x.mean(axis=0), ordered[k], ordered[len(x) - 1 - k])
    return guarded


def trim(x: Rows) -> Rows:
    """Return the trimmed mean."""
    trimmed: Rows = np.sort(x, axis=0)[F : len(x) - F].mean(axis=0)
    return trimmed


def mix_nearest(x: Rows) -> Rows:
    """Return the mean of each vector's n - f nearest."""
    order = np.argsort(_distances(_gram(x)), axis=1, kind="stable")[:, : len(x) - F]
    return np.stack([x[nearest].mean(axis=0) for nearest in order])


REFERENCES: dict[str, Callable[[Rows], Rows]] = {
    "trimmed-mean": trim,
    "nnm+trimmed-mean": lambda x: trim(mix_nearest(x)),
    "multi-krum(14)+mean": lambda x: x[choose_by_distance(x)].mean(axis=0),
    "drop(3)+dnc+mean": lambda x: x[choose_by_variance(x)].mean(axis=0),
    "cosine-dnc+drop(3)+guarded-mean": lambda x: guard(x[choose_by_angle(x)]),
    "distinct(99)+cosine-filter(3)+drop(3)+fenced-mean(2)": lambda x: fence(x[choose_by_spread(x)], count_once(x)[1]),
}
"""The float form of a rule of the ledger."""
CHOICES: dict[str, tuple[str, Callable[[Rows], Slots]]] = {
    "multi-krum(14)+mean": ("multi-krum(14)+mean", choose_by_distance),
    "drop(3)+dnc+mean": ("drop(3)+dnc+mean", choose_by_variance),
    "cosine-dnc+drop(3)+guarded-mean": ("cosine-dnc+drop(3)+mean", choose_by_angle),
    "distinct(99)+cosine-filter(3)+drop(3)+fenced-mean(2)": (
        "distinct(99)+cosine-filter(3)+drop(3)+mean",
        choose_by_spread,
    ),
}
"""Of rules that choose: the composition whose choice is compared, and its float form."""


class FloatPlay(Play):
    """The same learning with the float form."""

    reference: Callable[[Rows], Rows]

    def combine(self, slots: Sequence[int], deltas: Deltas, number: int) -> Vector:
        """Return what updates add to the global model."""
        step = self.reference(deltas.astype(np.float64))
        return np.rint(step * (1 << self.script.format.scale_bits)).astype(np.int32)


class WatchedPlay(Play):
    """The learning of the ledger, in which the float form chooses too."""

    choice: tuple[str, Callable[[Rows], Slots]] | None = None
    rounds = same = 0

    def combine(self, slots: Sequence[int], deltas: Deltas, number: int) -> Vector:
        """Return what updates add to the global model."""
        if self.choice is not None:
            text, choose = self.choice
            form, n = self.script.format, len(slots)
            values = quantize(deltas.reshape(-1), scale_bits=form.scale_bits, bound=form.bound).values
            updates = values.reshape(n, -1)
            context = spec.Context(clients=tuple(range(1, n + 1)), weights=(1,) * n, seed=bytes(32))
            composition = spec.decode_composition(f"{text}@{F}".encode())
            self.rounds += 1
            chosen = choose_updates(composition, context, updates, form.bound)
            self.same += chosen == choose(updates.astype(np.float64)).tolist()
        return super().combine(slots, deltas, number)


def compare(rule: str, partition: str, attack: str, seed: int) -> dict[str, object]:
    """Return both accuracies and in how many rounds the same updates were chosen."""
    cell = Cell(dataset="digits", seed=seed, partition=partition, f=F, attack=attack, rule=rule)
    setting = Setting()
    workload = Workload(make_script(setting, cell))
    honest = setting.clients - F
    attacks: dict[int, tuple[Attack, ...]] = dict.fromkeys(range(1, honest + 1), ())
    attacks |= {honest + 1 + i: parse_attack(attack, index=i) for i in range(F)}
    watched, plain = WatchedPlay(workload, attacks), FloatPlay(workload, attacks)
    watched.choice, plain.reference = CHOICES.get(rule), REFERENCES[rule]
    integers, floats = (workload.evaluate(list(play.run())[-1]) for play in (watched, plain))
    return {
        "rule": rule,
        "partition": partition,
        "attack": attack,
        "seed": seed,
        "integers": round(integers, 4),
        "floats": round(floats, 4),
        "rounds": watched.rounds,
        "same_choice": watched.same,
    }


def main() -> int:
    """Compare, print, and keep on demand."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="add what is not kept yet to what is kept")
    options = parser.parse_args()
    rows: list[dict[str, object]] = json.loads(RESULT.read_text(encoding="utf-8"))["rows"] if options.write else []
    known = {(row["partition"], row["attack"], row["rule"]) for row in rows}
    for partition in PARTITIONS:
        for attack in ATTACKS:
            for rule in REFERENCES:
                if (partition, attack, rule) not in known:
                    rows.append(compare(rule, partition, attack, seed=1))
                    print(json.dumps(rows[-1]), flush=True)
    differences = [100 * (row["integers"] - row["floats"]) for row in rows]  # type: ignore[operator]
    from machine import describe_machine

    document = {
        "command": "benchmarks/float_learning.py --write",
        **describe_machine(),
        "f": F,
        "cells": len(rows),
        "mean_difference": round(mean(differences), 3),
        "mean_absolute_difference": round(mean(map(abs, differences)), 3),
        "largest_difference": round(max(map(abs, differences)), 3),
        "rounds": sum(row["rounds"] for row in rows),  # type: ignore[misc]
        "same_choice": sum(row["same_choice"] for row in rows),  # type: ignore[misc]
        "rows": rows,
    }
    print(json.dumps({key: value for key, value in document.items() if key != "rows"}))
    if options.write:
        RESULT.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
