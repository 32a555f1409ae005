"""Rules keep the bounds that are published for them, agree with their float forms, and know no Sybils."""

from __future__ import annotations

import json
import runpy
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ledger import spec
from ledger.aggregation.compositions import aggregate_composed, choose_updates
from ledger.script.automatic import AUTO_STAGES

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
KAPPA: dict[str, Any] = runpy.run_path(str(BENCHMARKS / "kappa.py"))
FLOATS: dict[str, Any] = runpy.run_path(str(BENCHMARKS / "float_learning.py"))


def read_result(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((BENCHMARKS / "results" / f"{name}.json").read_text("utf-8"))
    return document


@pytest.mark.parametrize("rule", ["trimmed-mean", "median", "multi-krum(1)+mean", "nnm+trimmed-mean"])
@pytest.mark.parametrize("f", [1, 6, 8])
def test_a_short_search_finds_nothing_beyond_the_published_bound(rule: str, f: int) -> None:
    assert KAPPA["search"](rule, f, steps=100, seed=7) <= KAPPA["BOUNDS"][rule](f)


def test_the_search_finds_what_breaks_a_rule() -> None:
    least = 6 / (20 - 12)
    assert KAPPA["search"]("trimmed-mean", 6, steps=400, seed=7) >= 0.98 * least, "the worst that any rule must allow"
    assert KAPPA["search"]("mean", 6, steps=100, seed=7) > 100, "one long vector moves a mean anywhere"


def test_the_committed_search_was_long_and_no_bound_fell() -> None:
    vectors: dict[str, int] = defaultdict(int)
    for row in read_result("kappa")["rows"]:
        vectors[row["rule"]] += row["vectors"]
        assert row["bound"] is None or row["kappa"] <= row["bound"], row
    assert all(vectors[rule] >= 10**5 for rule in KAPPA["BOUNDS"])


def test_integers_choose_whom_floats_choose() -> None:
    draw = np.random.default_rng(3)
    context = spec.Context(clients=tuple(range(1, 21)), weights=(1,) * 20, seed=bytes(32))
    for _ in range(40):
        updates = draw.normal(draw.normal(size=60) * 2000, 4000, (20, 60))
        updates[14:] += draw.normal(size=60) * 10 ** draw.uniform(2, 5)
        values = np.rint(updates).astype(np.int32)
        for text, choose in FLOATS["CHOICES"].values():
            chosen = choose_updates(spec.decode_composition(f"{text}@6".encode()), context, values, spec.MAX_BOUND)
            assert chosen == choose(values.astype(np.float64)).tolist(), text


@pytest.mark.parametrize("rule", ["trimmed-mean", "nnm+trimmed-mean", "cosine-dnc+drop(3)+guarded-mean", AUTO_STAGES])
def test_integers_are_floats_rounded(rule: str) -> None:
    draw = np.random.default_rng(4)
    values = np.rint(draw.normal(900, 4000, (20, 60))).astype(np.int32)
    context = spec.Context(clients=tuple(range(1, 21)), weights=(1,) * 20, seed=bytes(32))
    got = aggregate_composed(spec.decode_composition(f"{rule}@6".encode()), context, values, spec.MAX_BOUND)
    assert np.abs(got - FLOATS["REFERENCES"][rule](values.astype(np.float64))).max() <= 0.5 + 1e-6


def test_the_committed_runs_of_integers_and_floats_learn_the_same() -> None:
    result = read_result("float_learning")
    assert result["mean_absolute_difference"] <= 0.2
    alone = [row for row in result["rows"] if row["attack"] != "mimic"]  # copies are ties, which floats do not break
    assert sum(row["rounds"] for row in alone) >= 900
    assert all(row["same_choice"] == row["rounds"] for row in alone)


def test_no_number_of_identities_makes_a_stake_worth_more_where_a_rule_counts_stake() -> None:
    result = read_result("sybil_learning")
    few = result["identities"].index(5)  # as many as the stake has minimum stakes
    for name, curve in result["accuracy"].items():
        if "stake" in name:
            assert max(curve) - min(curve) < 0.005, f"{name}: the same model but for the rounding of weights"
        elif "floor" in name and "no floor" not in name:
            assert len(set(curve[few:])) == 1, f"{name}: more identities than the stake pays for are not there"
            assert min(curve) > result["without attacker"][name] - 0.02
        else:
            assert min(curve) < 0.2, f"{name}: unprotected, it falls"
