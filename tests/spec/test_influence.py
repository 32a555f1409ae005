"""What a stake moves does not depend on how many identities share it: benchmarks/influence.py."""

from __future__ import annotations

import json
import runpy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import spec

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
INFLUENCE: dict[str, Any] = runpy.run_path(str(BENCHMARKS / "influence.py"))


@pytest.fixture(scope="module")
def curves() -> dict[str, dict[str, list[float]]]:
    return INFLUENCE["measure"]()["influence"]


def test_a_stake_never_weighs_more_under_many_identities_than_under_one(
    curves: dict[str, dict[str, list[float]]],
) -> None:
    for stake, by_rule in curves.items():
        share = int(stake.split()[1]) / (int(stake.split()[1]) + INFLUENCE["HONEST"])
        influence = by_rule["weighted mean, capped by stake"]
        assert influence[0] == max(influence) == pytest.approx(share, abs=1e-5)


def test_the_stake_floor_keeps_every_split_within_the_share_of_the_stake(
    curves: dict[str, dict[str, list[float]]],
) -> None:
    for stake, by_rule in curves.items():
        share = int(stake.split()[1]) / (int(stake.split()[1]) + INFLUENCE["HONEST"])
        assert max(by_rule["mean, stake floor"]) <= share + 1e-6


def test_one_stake_cannot_be_split_at_all_where_there_is_a_floor(curves: dict[str, dict[str, list[float]]]) -> None:
    for rule in ("mean, stake floor", "trimmed mean(5), stake floor"):
        assert len(set(curves["stake 1"][rule])) == 1


def test_without_either_a_hundred_identities_take_everything(curves: dict[str, dict[str, list[float]]]) -> None:
    free = curves["stake 1"]["weighted mean, claimed examples alone, no floor"]
    assert free[0] < 0.84 and free[-1] > 0.99


def test_identities_within_the_trim_move_nothing(curves: dict[str, dict[str, list[float]]]) -> None:
    assert set(curves["stake 100"]["trimmed mean(5), stake floor"][:5]) == {0.0}


def test_the_committed_curves_are_those_of_the_rules() -> None:
    committed = json.loads((BENCHMARKS / "results" / "influence.json").read_text())
    assert committed == json.loads(json.dumps(INFLUENCE["measure"]()))


def test_a_weight_is_never_rounded_up() -> None:
    params = INFLUENCE["make_rule"](spec.Rule.WEIGHTED_MEAN, 0, 10)
    assert [spec.compute_weight(params, 100, stake) for stake in (0, 9, 10, 19, 20)] == [0, 0, 1, 1, 2]


CAP, EXAMPLES_CAP, GWEI_PER_WEIGHT = 1000, 50, 4
CAPPED = f"clip({CAP})+stake-mean({GWEI_PER_WEIGHT})@0"
coordinates = st.lists(st.integers(-spec.MAX_BOUND, spec.MAX_BOUND), min_size=3, max_size=3)


def make_capped_rule() -> spec.RuleParams:
    return spec.RuleParams(
        rule=spec.Rule.COMPOSED,
        parameter=1,
        bound=spec.MAX_BOUND,
        examples_cap=EXAMPLES_CAP,
        composition=spec.decode_composition(CAPPED.encode()),
    )


@given(
    st.lists(coordinates, min_size=2, max_size=6),
    coordinates,
    st.lists(st.tuples(st.integers(1, 200), st.integers(0, 300 * 10**9)), min_size=6, max_size=6),
)
def test_whatever_a_client_sends_it_moves_no_coordinate_beyond_its_caps(
    updates: list[list[int]], other: list[int], claims: list[tuple[int, int]]
) -> None:
    params = make_capped_rule()
    weights = [spec.compute_weight(params, *claim) for claim in claims[: len(updates)]]
    for weight, (examples, stake) in zip(weights, claims, strict=False):
        assert weight <= min(examples, EXAMPLES_CAP, stake // (GWEI_PER_WEIGHT * 10**9))
    context = spec.Context(clients=tuple(range(len(updates))), weights=tuple(weights), seed=bytes(32))
    params = replace(params, context=context)
    before = spec.aggregate(params, updates, weights)
    after = spec.aggregate(params, [other, *updates[1:]], weights)
    for x, y in zip(before, after, strict=True):
        assert abs(x - y) * sum(weights) <= 2 * CAP * weights[0] + sum(weights)


def test_a_stake_that_is_split_weighs_no_more_under_a_composed_rule() -> None:
    params, stake = make_capped_rule(), 99 * 10**9
    whole = spec.compute_weight(params, 10**6, stake)
    assert whole == 24
    assert all(k * spec.compute_weight(params, 10**6, stake // k) <= whole for k in range(1, 40))
