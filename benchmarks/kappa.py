"""How far attackers can move a rule in the worst case that a search finds, against the published bounds.

    .venv/bin/python benchmarks/kappa.py [--write] [--steps N]

A rule is (f, κ)-robust if |F(x) − m|² ≤ κ · mean |x_i − m|² over the n − f honest vectors, m their mean (Allouah et al.
2023, arXiv:2302.01772, definition 2): no rule has a κ below f / (n − 2f). A hill climb changes dishonest and honest
vectors so that κ grows; rules are those of the ledger, in integers. 2,800 steps for each f from 1 to 9 are 126,000
dishonest vectors a rule (Krum, which needs 2f + 3: 100,800). `--write` keeps what came out in
benchmarks/results/kappa.json.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ledger.aggregation.compositions import aggregate_composed
from ledger.spec import Context, decode_composition

RESULT = Path(__file__).parent / "results" / "kappa.json"
N, D, BOUND = 20, 4, (1 << 23) - 1
SCALE = 20_000
"""Spread of honest vectors: rounding to integers is then below 1e-4 of it."""
CLIMB = 50
"""Steps from one start."""
Vectors = NDArray[np.int32]


def _ratio(f: int) -> float:
    return f / (N - 2 * f)


def _after_nnm(bound: Callable[[int], float]) -> Callable[[int], float]:
    return lambda f: 8 * f / (N - f) * (bound(f) + 1)


def _trimmed(f: int) -> float:
    return 6 * _ratio(f) * (1 + _ratio(f))


def _central(f: int) -> float:
    return 4 * (1 + _ratio(f)) ** 2


def _krum(f: int) -> float:
    return 6 * (1 + _ratio(f))


BOUNDS: dict[str, Callable[[int], float]] = {
    "trimmed-mean": _trimmed,
    "median": _central,
    "multi-krum(1)+mean": _krum,
    "multi-krum(11)+mean": _krum,
    "nnm+trimmed-mean": _after_nnm(_trimmed),
    "nnm+median": _after_nnm(_central),
    "nnm+multi-krum(1)+mean": _after_nnm(_krum),
    "geometric-median": _central,
}
"""Published κ by f: Allouah et al. 2023, table 1 and lemma 1; Multi-Krum no worse than Krum: arXiv:2602.03899."""
UNPROVEN = (
    "distinct(99)+cosine-filter(3)+drop(3)+fenced-mean(2)",
    "cosine-dnc+drop(3)+guarded-mean",
    "meamed",
    "bulyan",
    "drop(3)+linkage+mean",
    "dnc+mean",
)
"""Rules without a published bound: what the search finds is only that it can be as bad."""


def search(rule: str, f: int, *, steps: int, seed: int) -> float | None:
    """Return the largest κ that `steps` inputs reach; None where the rule needs more vectors.

    Args: rule: stages without f. steps: inputs, of f dishonest vectors each.
    """
    composition = decode_composition(f"{rule}@{f}".encode())
    if composition.min_updates > N:
        return None
    draw = np.random.default_rng([seed, f, *rule.encode()])
    context = Context(clients=tuple(range(1, N + 1)), weights=(1,) * N, seed=bytes(32))

    def measure(vectors: Vectors) -> float:
        honest = vectors[: N - f].astype(np.float64)
        mean = honest.mean(axis=0)
        spread = np.square(honest - mean).sum(axis=1).mean()
        moved = np.linalg.norm(aggregate_composed(composition, context, vectors, BOUND) - mean)
        # Rounding moves a coordinate by half a unit, which is no fault of the rule.
        return float(max(0.0, moved - D**0.5 / 2) ** 2 / max(spread, SCALE**2 / 100))

    worst, best, here = 0.0, 0.0, make_start(draw, f)
    for step in range(steps):
        tried = make_start(draw, f) if step % CLIMB == 0 else change(draw, here, f)
        kappa = measure(tried)
        if step % CLIMB == 0 or kappa >= best:
            best, here = kappa, tried
        worst = max(worst, kappa)
    return worst


def make_start(draw: np.random.Generator, f: int) -> Vectors:
    """Return honest vectors around zero, in one group, two, or with a few far from the others; and f dishonest ones."""
    honest = draw.normal(size=(N - f, D))
    kind = draw.integers(5)
    if kind == 4:  # f honest ones stand apart, and the dishonest ones hide among the rest: the worst for the best rules
        honest = np.zeros((N - f, D)) + draw.normal(size=(N - f, D)) * 0.01
        honest[:f, 0] += 4
        return _to_integers(np.concatenate([honest, draw.normal(size=(f, D)) * 0.01]) * SCALE)
    if kind == 1:
        honest[: draw.integers(1, N - f)] += 4
    elif kind == 2:
        honest[: draw.integers(1, max(2, f + 1))] *= 8
    elif kind == 3:
        honest *= np.array([1, *[0.01] * (D - 1)])
    away = draw.normal(size=(1 if draw.random() < 0.7 else f, D)) * 10.0 ** draw.uniform(-1, 2.5)
    dishonest = np.broadcast_to(honest.mean(axis=0) + away, (f, D))
    return _to_integers(np.concatenate([honest, dishonest]) * SCALE)


def change(draw: np.random.Generator, vectors: Vectors, f: int) -> Vectors:
    """Return vectors of which one, or all dishonest ones, lie elsewhere."""
    changed = vectors.astype(np.float64)
    size = SCALE * 10.0 ** draw.uniform(-3, 1.5)
    kind = draw.integers(4)
    if kind == 0:
        changed[N - f :] += draw.normal(size=D) * size
    elif kind == 1:
        changed[draw.integers(N)] += draw.normal(size=D) * size
    elif kind == 2:
        changed[draw.integers(N)] = changed[draw.integers(N)]
    else:
        middle = changed[: N - f].mean(axis=0)
        changed[N - f :] = middle + (changed[N - f :] - middle) * draw.uniform(0.3, 2)
    return _to_integers(changed)


def _to_integers(values: NDArray[np.float64]) -> Vectors:
    return np.clip(np.rint(values), -BOUND, BOUND).astype(np.int32)


def measure_rule(rule: str, steps: int, seed: int) -> list[dict[str, object]]:
    """Return a row for every f."""
    rows: list[dict[str, object]] = []
    for f in range(1, 10):
        found = search(rule, f, steps=steps, seed=seed)
        if found is None:
            continue
        bound = round(BOUNDS[rule](f), 4) if rule in BOUNDS else None
        row = {"rule": rule, "f": f, "vectors": steps * f, "kappa": round(found, 4), "bound": bound}
        rows.append(row | {"least": round(_ratio(f), 4)})
        told = "no bound" if bound is None else f"bound {bound:7.2f}"
        print(f"{rule:34} f = {f}: kappa {found:9.2f}, {told}, no rule below {_ratio(f):.2f}", flush=True)
    return rows


def main() -> int:
    """Search; exit 1 when a bound does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="keep what came out, rule by rule")
    parser.add_argument("--steps", type=int, default=2800, help="inputs for each rule and f")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    command = f"benchmarks/kappa.py --write --steps {options.steps} --seed {options.seed}"
    rows = _read(command) if options.write else []
    known = {row["rule"] for row in rows}
    for rule in (*BOUNDS, *UNPROVEN):
        if rule not in known:
            rows += measure_rule(rule, options.steps, options.seed)
        if options.write:
            _write(command, rows)
    broken = [row for row in rows if row["bound"] is not None and row["kappa"] > row["bound"]]  # type: ignore[operator]
    for row in broken:
        print(f"beyond its bound: {row}", file=sys.stderr)
    return 1 if broken else 0


def _read(command: str) -> list[dict[str, object]]:
    """Return what the same command has kept already: one that was broken off goes on."""
    if not RESULT.exists():
        return []
    kept = json.loads(RESULT.read_text(encoding="utf-8"))
    return list(kept["rows"]) if kept["command"] == command else []


def _write(command: str, rows: list[dict[str, object]]) -> None:
    from machine import describe_machine

    document = {"command": command, **describe_machine(), "n": N, "d": D, "rows": rows}
    RESULT.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
