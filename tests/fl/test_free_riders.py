"""Clients that contribute nothing are told apart by one score, and paid by another: a small part of
benchmarks/free_riders.py, whose functions it calls.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
RESULT = json.loads((ROOT / "benchmarks/results/free_riders.json").read_text("utf-8"))
CELLS = [
    (size, partition, kind, figures)
    for size in ("n=10, 3 riders", "n=20, 6 riders")
    for partition, kinds in RESULT[size].items()
    for kind, figures in kinds.items()
]


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        return importlib.import_module("free_riders")
    finally:
        sys.path.pop(0)


@pytest.mark.parametrize("partition", ["iid", "dirichlet(0.5)"])
def test_every_kind_of_free_rider_scores_below_every_honest_client(benchmark: ModuleType, partition: str) -> None:
    game = benchmark.Game(rounds=5)
    for attack in benchmark.KINDS.values():
        found = benchmark.judge_effort(game, attack, partition, [7])
        assert found["auc"] >= 0.99
        assert found["found"] == 1
        assert found["false_alarms"] <= 0.02


def test_known_gap_a_replayed_global_step_earns_more_by_shapley_than_honest_work(benchmark: ModuleType) -> None:
    found = benchmark.judge_shapley(benchmark.Game(clients=7, riders=2), "free-ride-replay", "iid", [7])
    assert found["auc"] <= 0.3


def test_known_gap_noise_of_an_honest_updates_norm_shows_effort(benchmark: ModuleType) -> None:
    attack = benchmark.HARD["noise of an honest update's norm"]
    assert benchmark.judge_effort(benchmark.Game(rounds=3), attack, "iid", [7])["found"] == 0


def test_the_committed_figures_hold_the_promise() -> None:
    assert len(CELLS) == 20
    for size, partition, kind, figures in CELLS:
        assert figures["false_alarms"] <= 0.02, (size, partition, kind)
        assert figures.get("auc", 1) >= 0.99, (size, partition, kind)
    for partition, kinds in RESULT["shapley, rounds 8 to 12, n=10, 3 riders"].items():
        assert kinds["replay"]["auc"] <= 0.3, partition
